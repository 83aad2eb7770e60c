"""How many signed requests a second does `netsim serve` answer at 64 connections, and how long does each take?

    python -m benchmarks.bench_serve [--rounds 9]

A server process as anyone starts it (logs on, database on disk), and one client process that keeps 64 connections busy,
each with one request under way; both share the machine, two cores are enough. Eight accounts; every request is signed
and checked. Twenty requests of a connection: VPC and subnet made, then sixteen that read (lists and details of VPCs,
subnets, route tables, connections, zones), subnet and VPC deleted. So a fifth change something, and each of those is
synced to disk before its answer; a reader too waits until what it saw is on disk. Requests that need no id of an answer
are signed beforehand, the others by the client on the way.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import Plan, Row, Sample, figure, progress, quartiles, standalone
from netsim.api.auth import VERSION, Request, Signature, sign

ACCOUNTS = 8
CONNECTIONS = 64
TURN = 20
CHANGES_OF_TURN = 4
LEAST_PER_S = 1000
MOST_P99_MS = 100


class Took(NamedTuple):
    """What the clients saw."""

    seconds: float
    reads: list[float]
    """Of each request, s; so `changes`."""
    changes: list[float]
    refused: int
    cpu_s: float


class Round(NamedTuple):
    """A run of all connections against a server of its own."""

    took: Took
    server_cpu_s: float


class serving:  # noqa: N801 - a context manager, read as a verb
    """A server process with `ACCOUNTS` accounts."""

    port = 0

    def __init__(self, folder: Path) -> None:
        accounts = folder / "accounts.yaml"
        accounts.write_text(
            "accounts:\n"
            + "".join(f"- {{id: a{n}, access_key: ak-a{n}, secret_key: sk-a{n}}}\n" for n in range(ACCOUNTS))
        )
        self._log = folder / "log"
        self._command = [sys.executable, "-m", "netsim", "serve", "--port", "0",
                         "--db", str(folder / "cloud.db"), "--accounts", str(accounts)]  # fmt: skip

    def __enter__(self) -> serving:
        with self._log.open("w") as log:
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if match := re.match(r"serving on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(match[1])
                return self
        raise RuntimeError(f"the server did not start: {self._log.read_text()}")

    @property
    def cpu_s(self) -> float:
        """What it has used of processors."""
        return cpu_s_of(self._process.pid)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()


def cpu_s_of(process: int) -> float:
    """What a process has used of processors, in itself and for it in the system."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def signed_headers(account: str, method: str, target: str, body: bytes = b"") -> list[tuple[str, str]]:
    """The headers of a request of one of the accounts."""
    path, _, query = target.partition("?")
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    headers = [("host", "bcc.bj.baidubce.com"), ("content-length", str(len(body))), ("x-bce-date", stamp)]
    signature = Signature(f"ak-{account}", stamp, "1800", (), "")
    digest = sign(Request(method, path, query, headers), signature, f"sk-{account}")
    return [*headers, ("authorization", f"{VERSION}/ak-{account}/{stamp}/1800//{digest}")]


def request(account: str, method: str, target: str, body: dict[str, str] | None = None) -> bytes:
    """A signed request, whole."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in signed_headers(account, method, target, content))
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + content


def turns(number: int, requests: int) -> Generator[bytes, bytes, None]:
    """The requests of a connection, one after the other; it is sent the answers' bodies."""
    account = f"a{number % ACCOUNTS}"
    lists = [request(account, "GET", path) for path in ("/v1/vpc", "/v1/subnet", "/v1/peerconn", "/v2/zone")]
    make = request(account, "POST", "/v1/vpc", {"name": f"v{number}", "cidr": "10.0.0.0/16"})
    for _ in range(requests // TURN):
        vpc = json.loads((yield make))["vpcId"]
        asked = {"name": "s", "zoneName": "cn-bj-a", "cidr": "10.0.1.0/24", "vpcId": vpc}
        subnet = json.loads((yield request(account, "POST", "/v1/subnet", asked)))["subnetId"]
        paths = (f"/v1/vpc/{vpc}", f"/v1/route?vpcId={vpc}", f"/v1/subnet/{subnet}", f"/v1/route/rule?vpcId={vpc}")
        details = [request(account, "GET", path) for path in paths]
        for k in range(TURN - CHANGES_OF_TURN):
            yield details[k // 4] if k % 2 else lists[k // 2 % 4]
        yield request(account, "DELETE", f"/v1/subnet/{subnet}")
        yield request(account, "DELETE", f"/v1/vpc/{vpc}")


class Client(asyncio.Protocol):
    """One connection, one request at a time, with as little work as an answer needs."""

    def __init__(self, number: int, requests: int, took: Took) -> None:
        self._turns = turns(number, requests)
        self._took = took
        self._got = b""
        self.refused = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send(next(self._turns))

    def data_received(self, data: bytes) -> None:
        """Part of an answer; when it is whole, go on."""
        self._got += data
        head, is_head, body = self._got.partition(b"\r\n\r\n")
        if not is_head:
            return
        _, _, size = head.partition(b"content-length: ")
        if len(body) < int(size.partition(b"\r")[0]):
            return
        self._note(time.perf_counter() - self._start)
        self.refused += not head.startswith(b"HTTP/1.1 200")
        self._got = b""
        try:
            self._send(self._turns.send(body))
        except StopIteration:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        """It is over."""
        if not self.ended.done():
            self.ended.set_result(None)

    def _send(self, content: bytes) -> None:
        self._note = (self._took.reads if content.startswith(b"GET") else self._took.changes).append
        self._start = time.perf_counter()
        self._transport.write(content)


def run_clients(port: int, requests: int) -> Took:
    """In a process of its own: all connections at once, until each has had its answers."""
    return asyncio.run(_run_clients(port, requests))


async def _run_clients(port: int, requests: int) -> Took:
    loop = asyncio.get_running_loop()
    took = Took(0, [], [], 0, 0)
    start, cpu_s = time.perf_counter(), time.process_time()
    clients = [
        (await loop.create_connection(lambda n=n: Client(n, requests, took), "127.0.0.1", port))[1]
        for n in range(CONNECTIONS)
    ]
    await asyncio.gather(*(client.ended for client in clients))
    return took._replace(
        seconds=time.perf_counter() - start,
        cpu_s=time.process_time() - cpu_s,
        refused=sum(client.refused for client in clients),
    )


def measure(requests: int) -> Round:
    """One round."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder)) as server,
        ProcessPoolExecutor(1) as pool,
    ):
        before_s = server.cpu_s
        took = pool.submit(run_clients, server.port, requests).result()
        return Round(took, server.cpu_s - before_s)


def percentile_ms(values: list[float], share: float) -> float:
    """The least value that is no less than this share of all, in ms."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def run(plan: Plan) -> list[Row]:
    """Requests a second, and the time of the slowest hundredth."""
    requests = plan.size(2 * TURN, 10 * TURN)
    rounds = []
    for k in range(plan.rounds):
        progress(f"serve: round {k + 1} of {plan.rounds}")
        rounds.append(measure(requests))
    samples = [
        Sample(took.seconds, len(took.reads) + len(took.changes),
               {"requests": len(took.reads) + len(took.changes), "changes": len(took.changes), "refused": took.refused})
        for took, _ in rounds
    ]  # fmt: skip
    all_ms = [percentile_ms(took.reads + took.changes, 0.99) for took, _ in rounds]
    typical_ms = statistics.median(percentile_ms(took.reads + took.changes, 0.5) for took, _ in rounds)
    changes_ms = statistics.median(percentile_ms(took.changes, 0.99) for took, _ in rounds)
    work = samples[0].work
    server_ms = statistics.median(1000 * server_cpu_s / work for _, server_cpu_s in rounds)
    client_ms = statistics.median(1000 * took.cpu_s / work for took, _ in rounds)
    question = f"signed requests to a server, {CONNECTIONS} connections, a fifth of them durable changes"
    return [
        Row(question, unit="requests/s", target=LEAST_PER_S, ours=figure("netsim", samples), rounds=plan.rounds,
            note=f"processor time for a request: {server_ms:.2f} ms of the server, {client_ms:.2f} ms of the client"),
        Row(f"{question}: the slowest hundredth took more than", unit="ms", target=MOST_P99_MS,
            value=statistics.median(all_ms), rounds=plan.rounds,
            note=f"quartiles over the rounds {quartiles(all_ms)[0]:.0f} to {quartiles(all_ms)[1]:.0f} ms; "
                 f"half of all took {typical_ms:.0f} ms or less, 99 of 100 changes {changes_ms:.0f} ms or less"),
    ]  # fmt: skip


if __name__ == "__main__":
    standalone(run, __doc__)
