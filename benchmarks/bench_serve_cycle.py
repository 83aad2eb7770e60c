"""How many life cycles of a peer connection a second, beside moto's server?

    python -m benchmarks.bench_serve_cycle [--rounds 9] [--cycles 30] [--moto-python PYTHON]

One cycle: a connection is asked for, accepted, routed to and looked at; then route and connection are taken
away. One client with one connection each, by turns. netsim checks signatures, two accounts take part, and each
change is synced to disk before its answer; moto holds everything in memory and checks none.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.bench_serve import serving, signed_headers
from benchmarks.peers.moto_server import MotoServer, is_installed

WARM_UP = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cycles", type=int, default=30, help="in each round")
    parser.add_argument("--moto-python", default=sys.executable, help="a python that has moto[ec2,server]")
    given = parser.parse_args()
    if not is_installed(given.moto_python):
        sys.exit("moto's server is not installed: pip install 'moto[ec2,server]'")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        ours = Ours(server.port)
        moto = MotoServer(free_port(), given.moto_python)
        try:
            for _ in range(WARM_UP):
                ours.cycle()
                moto.cycle()
            rounds = [(rate(ours.cycle, given.cycles), rate(moto.cycle, given.cycles)) for _ in range(given.rounds)]
        finally:
            moto.close()
    ratios = sorted(mine / theirs for mine, theirs in rounds)
    low, _, high = statistics.quantiles(ratios, n=4)
    figures = {
        "netsim_cycles_per_s": round(statistics.median(mine for mine, _ in rounds), 1),
        "moto_cycles_per_s": round(statistics.median(theirs for _, theirs in rounds), 1),
        "ratio": round(statistics.median(ratios), 2),
        "quartiles": [round(low, 2), round(high, 2)],
    }
    print(json.dumps(figures, indent=1))


def rate(cycle: Callable[[], None], cycles: int) -> float:
    """Cycles a second."""
    start = time.perf_counter()
    for _ in range(cycles):
        cycle()
    return cycles / (time.perf_counter() - start)


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Ours:
    """Two accounts' clients on one kept connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._vpcs = [
            self._ask(account, "POST", "/v1/vpc", {"name": "v", "cidr": f"10.{n}.0.0/16"})["vpcId"]
            for n, account in ((1, "a0"), (2, "a1"))
        ]
        self._table = self._ask("a0", "GET", f"/v1/route?vpcId={self._vpcs[0]}")["routeTableId"]

    def cycle(self) -> None:
        """As moto's."""
        here, there = self._vpcs
        body = {"bandwidthInMbps": 10, "localVpcId": here, "peerVpcId": there, "peerRegion": "bj",
                "peerAccountId": "a1", "billing": {"paymentTiming": "Postpaid"}}  # fmt: skip
        conn = self._ask("a0", "POST", "/v1/peerconn", body)["peerConnId"]
        self._ask("a1", "PUT", f"/v1/peerconn/{conn}?accept")
        interface = self._ask("a0", "GET", f"/v1/peerconn/{conn}")["localIfId"]
        rule = {"routeTableId": self._table, "sourceAddress": "0.0.0.0/0", "destinationAddress": "10.2.0.0/16",
                "nexthopType": "peerConn", "nexthopId": interface}  # fmt: skip
        rule_id = self._ask("a0", "POST", "/v1/route/rule", rule)["routeRuleId"]
        self._ask("a0", "DELETE", f"/v1/route/rule/{rule_id}")
        self._ask("a0", "DELETE", f"/v1/peerconn/{conn}")

    def _ask(self, account: str, method: str, target: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        content = b"" if body is None else json.dumps(body).encode()
        self._connection.request(method, target, content, dict(signed_headers(account, method, target, content)))
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        said: dict[str, Any] = json.loads(text) if text else {}
        return said


if __name__ == "__main__":
    main()
