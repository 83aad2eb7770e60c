"""How many life cycles of a peering connection a second, beside moto's server?

    python -m benchmarks.bench_serve_cycle [--rounds 9]

One cycle is six requests on either side: a connection is asked for, accepted, looked at and routed to; then route and
connection are taken away, so that both clouds stay as they are. Two processes serve, each over HTTP on loopback with
its own defaults; one client with the standard library's http.client asks them by turns, one request at a time. What
differs is to netsim's disadvantage: two accounts take part, every request is signed (by the client, inside the time)
and checked, and each of the five changes is synced to disk before its answer; moto holds everything in memory and
checks none.
"""

from __future__ import annotations

import http.client
import json
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.bench_serve import serving, signed_headers
from benchmarks.measure import AbsentError, Plan, Row, Sample, Side, compare, standalone
from benchmarks.peers.moto_server import MotoServer, is_installed

WARM_UP = 5
REQUESTS = 6
LEAST_RATIO = 3


class Ours:
    """Two accounts' clients on one kept connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._vpcs = [
            self._ask(account, "POST", "/v1/vpc", {"name": "v", "cidr": f"10.{n}.0.0/16"})["vpcId"]
            for n, account in ((1, "a0"), (2, "a1"))
        ]
        self._table = self._ask("a0", "GET", f"/v1/route?vpcId={self._vpcs[0]}")["routeTableId"]

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

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


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Contender:
    """A side whose server runs already; remembers what the server used of processors in its turns.

    Args:
        name: of the side.
        cycle: one life cycle.
        cpu_s: what the server has used so far.
        cycles: of one turn.
    """

    def __init__(self, name: str, cycle: Callable[[], None], cpu_s: Callable[[], float], cycles: int) -> None:
        self._cycle, self._cpu_s, self._cycles = cycle, cpu_s, cycles
        self._used_s: list[float] = []
        self.side = Side(name, self._run)
        for _ in range(WARM_UP):
            cycle()

    @property
    def cpu_ms(self) -> float:
        """Of the server for a cycle, the median of the turns."""
        return 1000 * statistics.median(self._used_s) / self._cycles

    def _run(self) -> Sample:
        before_s, start = self._cpu_s(), time.perf_counter()
        for _ in range(self._cycles):
            self._cycle()
        seconds = time.perf_counter() - start
        self._used_s.append(self._cpu_s() - before_s)
        return Sample(seconds, self._cycles, {"cycles": self._cycles, "requests": REQUESTS * self._cycles})


def run(plan: Plan) -> list[Row]:
    """Against moto."""
    cycles = plan.size(10, 60)
    with ExitStack() as ending:
        folder = ending.enter_context(tempfile.TemporaryDirectory())
        server = ending.enter_context(serving(Path(folder)))
        client = Ours(server.port)
        ending.callback(client.close)
        ours = Contender("netsim", client.cycle, lambda: server.cpu_s, cycles)
        contenders = [ours]
        if is_installed():
            moto = MotoServer(free_port())
            ending.callback(moto.close)
            contenders.append(Contender("moto", moto.cycle, lambda: moto.cpu_s, cycles))
        peer = contenders[1].side if len(contenders) > 1 else AbsentError("pip install 'moto[ec2,server]'")
        rows = compare(
            "life cycles of a peering connection through the API, one client",
            "cycles/s",
            ours.side,
            [(peer, "moto's server", LEAST_RATIO)],
            plan.rounds,
        )
        used = ", ".join(f"{each.cpu_ms:.1f} ms of {each.side.name}'s" for each in contenders)
        rows[0].note = (
            "six requests a cycle on either side; netsim's are signed, checked and on disk before the answer; "
            f"processor time of the server for a cycle: {used}"
        )
        return rows


if __name__ == "__main__":
    standalone(run, __doc__)
