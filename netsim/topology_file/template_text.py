"""The pieces that templates of topology files are put together from: lines of YAML with room to read.

VPC number i has the CIDR 10.i.0.0/16, one subnet `main` and one instance `n{i}` that listens on tcp/80.
"""

from __future__ import annotations

from collections.abc import Iterator


def head(comment: str, name: str, seed: int, profile: str = "") -> Iterator[str]:
    """What a file opens with; `profile` is the reason for `profile: research`, if any."""
    for line in comment.strip("\n").split("\n"):
        yield f"# {line}".rstrip()
    yield "netsim: 1"
    yield f"name: {name}"
    yield f"seed: {seed} # of random arrivals; another number is another run"
    if profile:
        yield f"profile: research # {profile}"


def one_account(comment: str, name: str, seed: int, profile: str = "") -> Iterator[str]:
    """The head of a file whose VPCs are all of one account; the VPCs follow."""
    yield from head(comment, name, seed, profile)
    yield from ("", "accounts: [{id: acme}]", "", "vpcs:")


def vpc_entry(i: int, name: str, region: str, hops: list[tuple[str, str]], *, relay: bool = False) -> Iterator[str]:
    """VPC number i with one subnet and one instance, `n{i}`."""
    yield f"  - name: {name}"
    yield "    account: acme"
    yield f"    region: {region}"
    yield f"    cidr: 10.{i}.0.0/16"
    if relay:
        yield "    relay: true"
    yield f"    subnets: [{{name: main, cidr: 10.{i}.0.0/24}}]"
    yield f"    instances: [{{name: n{i}, subnet: main, ip: 10.{i}.0.10, listen: [tcp/80]}}]"
    yield "    routes:"
    for destination, interface in hops:
        yield f"      - {{source: 0.0.0.0/0, destination: {destination}, next_hop: {interface}}}"


def peer_entry(name: str, local: tuple[str, str], peer: tuple[str, str], bandwidth_mbps: int) -> str:
    """A peer connection between two (VPC, interface)."""
    sides = ", ".join(
        f"{key}: {{vpc: {vpc}, interface: {side}}}" for key, (vpc, side) in (("local", local), ("peer", peer))
    )
    return f"  - {{name: {name}, {sides}, bandwidth_mbps: {bandwidth_mbps}}}"


def udp_entry(name: str, source: str, target: str, rate_mbps: int, *, arrivals: str = "cbr") -> str:
    """A flow of 3 s between two instances."""
    return (
        f"  - {{name: {name}, from: {source}, to: {target}, kind: udp, rate_mbps: {rate_mbps}, "
        f"packet_bytes: 1000, arrivals: {arrivals}, duration_s: 3}}"
    )


def traffic_section(*lines: str) -> Iterator[str]:
    """The flows of a file."""
    yield ""
    yield "traffic:"
    yield from lines


def expect_section(*lines: str) -> Iterator[str]:
    """What the file expects."""
    yield ""
    yield "# `netsim check` compares these with what comes out."
    yield "expect:"
    yield from lines


def cover(first: int, last: int) -> list[str]:
    """The fewest prefixes that cover 10.first.0.0 to 10.last.255.255 and nothing else."""
    prefixes: list[str] = []
    while first <= last:
        size = first & -first or 256
        while size > last - first + 1:
            size //= 2
        prefixes.append(f"10.{first}.0.0/{16 - size.bit_length() + 1}")
        first += size
    return prefixes
