"""The text of a topology file of any size: n VPCs, 10 n subnets and instances, 5 n connections, 100 n routes.

    python -m benchmarks.big_topology 2000 > big.netsim.yaml

VPCs stand in a circle and are peered with those 1, 2, 3, 5 and 8 places on, so each has ten connections. Each has
a route to each of the ten subnets of its ten neighbours. Every fifth VPC sends to the next one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

STEPS = (1, 2, 3, 5, 8)
SUBNETS = 10
SMALLEST, LARGEST = 17, 8192
"""Below, two steps lead to the same neighbour; above, the VPCs leave 10.0.0.0/8."""


def big_topology(n_vpcs: int, rate_mbps: float = 0.5, duration_s: float = 1) -> str:
    """The file as text; flows of `rate_mbps` each last `duration_s`."""
    assert SMALLEST <= n_vpcs <= LARGEST, f"{n_vpcs} VPCs, accepted {SMALLEST}..{LARGEST}"
    return "\n".join([*_lines(n_vpcs, rate_mbps, duration_s), ""])


def _lines(n: int, rate_mbps: float, duration_s: float) -> Iterator[str]:
    yield from ("netsim: 1", f"name: circle-{n}", "profile: research", "accounts: [{id: acme}]", "vpcs:")
    for i in range(n):
        yield f"  - name: v{i}"
        yield "    account: acme"
        yield "    region: bj"
        yield f"    cidr: {_addr(i, 0)}/21"
        yield "    subnets:"
        yield from (f"      - {{name: s{k}, cidr: {_addr(i, k)}/25}}" for k in range(SUBNETS))
        yield "    instances:"
        yield from (f"      - {{name: i{i}-{k}, subnet: s{k}, ip: {_addr(i, k, 10)}}}" for k in range(SUBNETS))
        yield "    routes:"
        for j in sorted({(i + sign * step) % n for step in STEPS for sign in (1, -1)}):
            for k in range(SUBNETS):
                yield f"      - {{source: 0.0.0.0/0, destination: {_addr(j, k)}/25, next_hop: to-{j}}}"
    yield "peer_connections:"
    for i in range(n):
        for step in STEPS:
            j = (i + step) % n
            sides = f"local: {{vpc: v{i}, interface: to-{j}}}, peer: {{vpc: v{j}, interface: to-{i}}}"
            yield f"  - {{name: c{i}-{j}, {sides}, bandwidth_mbps: 1000}}"
    yield "traffic:"
    for i in range(0, n, 5):
        ends = f"from: i{i}-0, to: i{(i + 1) % n}-3"
        size = f"rate_mbps: {rate_mbps}, packet_bytes: 1000, duration_s: {duration_s}"
        yield f"  - {{name: f{i}, {ends}, kind: udp, {size}}}"


def _addr(vpc: int, subnet: int, host: int = 0) -> str:
    """An address of a VPC's /21: its subnets are /25."""
    addr = 10 << 24 | vpc << 11 | subnet << 7 | host
    return ".".join(str(addr >> shift & 255) for shift in (24, 16, 8, 0))


def main() -> None:
    """Print the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vpcs", type=int, help=f"how many, {SMALLEST}..{LARGEST}")
    parser.add_argument("--rate-mbps", type=float, default=0.5, help="of each flow")
    parser.add_argument("--duration-s", type=float, default=1, help="of each flow")
    given = parser.parse_args()
    if not SMALLEST <= given.vpcs <= LARGEST:
        parser.error(f"{given.vpcs} VPCs, accepted {SMALLEST}..{LARGEST}")
    sys.stdout.write(big_topology(given.vpcs, given.rate_mbps, given.duration_s))


if __name__ == "__main__":
    main()
