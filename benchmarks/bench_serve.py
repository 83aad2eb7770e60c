"""How many signed requests a second does a server answer, and how long does each take?

    python -m benchmarks.bench_serve [--seconds 10] [--connections 64]

`netsim serve` as a process with a database on disk; clients in processes of their own keep 64 connections
busy. A fifth of the requests change something (VPCs made and deleted, each durable before its answer), the
rest read. Signing is the clients' work and is done beforehand.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from netsim.api.auth import VERSION, Request, Signature, sign

ACCOUNTS = 8
READS = ("/v1/vpc", "/v1/subnet", "/v1/peerconn", "/v2/zone")
CHANGES_EVERY = 5


class Took(NamedTuple):
    """How long each request of a client took, s, and what was not granted."""

    reads: list[float]
    changes: list[float]
    refused: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=64)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), given.seconds, given.connections), indent=1))


def measure(folder: Path, seconds: float, connections: int) -> dict[str, float]:
    """Requests a second and percentiles, in ms."""
    with serving(folder) as server, ProcessPoolExecutor(1) as pool:
        before_s = server.cpu_s
        took = pool.submit(run_clients, server.port, seconds, connections).result()
        cpu_s = server.cpu_s - before_s
    together = sorted(took.reads + took.changes)
    return {
        "requests_per_s": round(len(together) / seconds, 1),
        "changes_per_s": round(len(took.changes) / seconds, 1),
        "p50_ms": round(percentile(together, 0.5), 2),
        "p99_ms": round(percentile(together, 0.99), 2),
        "changes_p50_ms": round(percentile(sorted(took.changes), 0.5), 2),
        "changes_p99_ms": round(percentile(sorted(took.changes), 0.99), 2),
        "server_cpu_ms_per_request": round(cpu_s * 1000 / len(together), 3),
        "refused": took.refused,
    }


class serving:  # noqa: N801 - a context manager, read as a verb
    """A server process with `ACCOUNTS` accounts."""

    port = 0

    def __init__(self, folder: Path) -> None:
        accounts = folder / "accounts.yaml"
        accounts.write_text(
            "accounts:\n"
            + "".join(f"- {{id: a{n}, access_key: ak-a{n}, secret_key: sk-a{n}}}\n" for n in range(ACCOUNTS))
        )
        self._command = [sys.executable, "-m", "netsim", "serve", "--quiet", "--port", "0",
                         "--db", str(folder / "cloud.db"), "--accounts", str(accounts)]  # fmt: skip

    def __enter__(self) -> serving:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if match := re.match(r"serving on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(match[1])
                return self
        raise RuntimeError("the server did not start")

    @property
    def cpu_s(self) -> float:
        """What it has used of processors."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


def percentile(ordered: list[float], share: float) -> float:
    """In ms; 0 of nothing."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0


def request(account: str, method: str, target: str, body: bytes = b"") -> bytes:
    """A signed request, whole."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in signed_headers(account, method, target, body))
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + body


def signed_headers(account: str, method: str, target: str, body: bytes = b"") -> list[tuple[str, str]]:
    """The headers of a request of one of the accounts."""
    path, _, query = target.partition("?")
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    headers = [("host", "bcc.bj.baidubce.com"), ("content-length", str(len(body))), ("x-bce-date", stamp)]
    signature = Signature(f"ak-{account}", stamp, "1800", (), "")
    digest = sign(Request(method, path, query, headers), signature, f"sk-{account}")
    return [*headers, ("authorization", f"{VERSION}/ak-{account}/{stamp}/1800//{digest}")]


def run_clients(port: int, seconds: float, connections: int) -> Took:
    """In a process of its own: `connections` at once until the time is over."""
    return asyncio.run(_run_clients(port, seconds, connections))


async def _run_clients(port: int, seconds: float, connections: int) -> Took:
    took = Took([], [], 0)
    deadline = time.perf_counter() + seconds
    refused = await asyncio.gather(*(_client(port, n, deadline, took) for n in range(connections)))
    return took._replace(refused=sum(refused))


async def _client(port: int, number: int, deadline: float, took: Took) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    account = f"a{number % ACCOUNTS}"
    reads = [request(account, "GET", path) for path in READS]
    vpc = json.dumps({"name": f"v{number}", "cidr": "10.0.0.0/16"}).encode()
    made = ""
    refused = turn = 0

    async def exchange(content: bytes, note: Callable[[float], None]) -> tuple[int, bytes]:
        start = time.perf_counter()
        writer.write(content)
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(re.search(rb"content-length: (\d+)", head.lower())[1])  # type: ignore[index]
        body = await reader.readexactly(size)
        note(time.perf_counter() - start)
        return int(head.split(b" ", 2)[1]), body

    while time.perf_counter() < deadline:
        turn += 1
        if turn % CHANGES_EVERY:
            status, _ = await exchange(reads[turn % len(reads)], took.reads.append)
        elif made:
            status, _ = await exchange(request(account, "DELETE", f"/v1/vpc/{made}"), took.changes.append)
            made = ""
        else:
            content = request(account, "POST", f"/v1/vpc?clientToken=t{number}-{turn}", vpc)
            status, body = await exchange(content, took.changes.append)
            made = json.loads(body)["vpcId"] if status == 200 else ""
        refused += status != 200
    writer.close()
    return refused


if __name__ == "__main__":
    main()
