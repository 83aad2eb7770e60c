"""Texts of new topology files, for `netsim new --template`: made to be read, changed and run.

The same template, size and seed give the same text. Each has comments that teach, traffic, and
expectations that hold. VPC number i has the CIDR 10.i.0.0/16; where the cloud's quotas don't fit the
size, the file says `profile: research` and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from netsim.errors import UsageError
from netsim.topology_file.template_text import (
    cover,
    expect_section,
    head,
    one_account,
    peer_entry,
    traffic_section,
    udp_entry,
    vpc_entry,
)
from netsim.topology_file.text import did_you_mean, quoted

_REGIONS = ("bj", "gz", "su", "fwh", "hkg", "bd", "fsh", "sin", "cd", "yq")


class Template(NamedTuple):
    """A kind of network: what it is, who writes it, and the sizes it has (none: one size)."""

    summary: str
    write: Callable[[int, int], Iterator[str]]
    sizes: range | None


def new_topology(template: str, seed: int = 0) -> str:
    """The text of a new file: `two-vpcs`, `cross-account`, `hub:6`, `mesh:5`, `chain:3`, `random:20`.

    Raises:
        UsageError: no such template, or a size it doesn't have.
    """
    name, colon, size_text = template.partition(":")
    kind = TEMPLATES.get(name)
    if kind is None:
        raise UsageError(f"template {quoted(name)}: there is none of that name{did_you_mean(name, TEMPLATES)}")
    if kind.sizes is None:
        if colon:
            raise UsageError(f"template {name}: has one size, got {quoted(size_text)}")
        return _text(kind.write(0, seed))
    low, high = kind.sizes[0], kind.sizes[-1]
    size = int(size_text) if size_text.isascii() and size_text.isdigit() and len(size_text) < 6 else -1
    if size not in kind.sizes:
        got = quoted(size_text) if colon else "none"
        raise UsageError(f"template {name}: size is {got}, accepted {low}..{high}, like {name}:{max(low, 5)}")
    return _text(kind.write(size, seed))


def _text(lines: Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _two_vpcs(_size: int, seed: int) -> Iterator[str]:
    comment = """
Two VPCs of one account, joined by a peer connection.

Each side has a route to the other, towards its own interface. Take one away and ask `netsim reach n1 n2`.
"""
    yield from one_account(comment, "two-vpcs", seed)
    yield from vpc_entry(1, "left", "bj", [("10.2.0.0/16", "to-right")])
    yield from vpc_entry(2, "right", "bj", [("10.1.0.0/16", "to-left")])
    yield ""
    yield "peer_connections:"
    yield peer_entry("left-right", ("left", "to-right"), ("right", "to-left"), 100)
    yield from traffic_section(
        udp_entry("steady", "n1", "n2", 20),
        udp_entry("bursty", "n2", "n1", 10, arrivals="poisson"),
        "  - {name: heartbeat, from: n1, to: n2, kind: icmp, duration_s: 3}",
    )
    yield from expect_section(
        "  - {from: n1, to: n2, port: tcp/80, reachable: true}",
        "  - {flow: steady, throughput_mbps: {at_least: 19, at_most: 20.1}}",
    )


def _cross_account(_size: int, seed: int) -> Iterator[str]:
    comment = """
Two accounts in two regions: a connection across accounts is a request until the other side accepts.

This one has been accepted. Write `state: consulting` into the connection to see what a pending request
does (bad_state_route), then accept it again with `state: active`. The cap is 20 Mbit/s and the flow `backup`
offers 25: a fifth of it is lost.
"""
    yield from head(comment, "cross-account", seed)
    yield """
accounts: [{id: acme}, {id: data-team}]

vpcs:
  - name: shop
    account: acme
    region: bj
    cidr: 192.168.0.0/16
    subnets: [{name: web, cidr: 192.168.0.0/24}]
    instances: [{name: web-1, subnet: web, ip: 192.168.0.10, listen: [tcp/80]}]
    routes: [{source: 192.168.0.0/24, destination: 10.1.0.0/16, next_hop: int-1}]
    dns: [{name: shop.local, a: 192.168.0.10}]
  - name: data
    account: data-team
    region: gz
    cidr: 10.1.0.0/16
    subnets: [{name: db, cidr: 10.1.0.0/24}]
    instances: [{name: db-1, subnet: db, ip: 10.1.0.20, listen: [tcp/5432]}]
    routes: [{source: 10.1.0.0/24, destination: 192.168.0.0/24, next_hop: int-2}]

peer_connections:
  - name: shop-data
    local: {vpc: shop, interface: int-1} # the initiator, who pays
    peer: {vpc: data, interface: int-2} # the acceptor
    bandwidth_mbps: 20
    latency_ms: 30 # one way; left out, it follows the distance of the regions
    dns_sync: {local: true, peer: true}

traffic:
  - {name: backup, from: web-1, to: db-1, kind: udp, rate_mbps: 25, packet_bytes: 1250, duration_s: 4}
  - {name: metrics, from: db-1, to: web-1, kind: udp, rate_mbps: 2, packet_bytes: 500, arrivals: poisson, duration_s: 4}
  - {name: heartbeat, from: db-1, to: web-1, kind: icmp, duration_s: 4}

# `netsim check` compares these with what comes out.
expect:
  - {from: web-1, to: db-1, port: tcp/5432, reachable: true}
  - {flow: backup, throughput_mbps: {at_least: 19, at_most: 20.2}, loss_ratio: {at_least: 0.15, at_most: 0.21}}
  - {flow: metrics, loss_ratio: {at_most: 0}}"""


def _hub(n: int, seed: int) -> Iterator[str]:
    comment = f"""
A hub and {n} spoke{"s" * (n > 1)}: the hub is a relay VPC, so spokes reach each other through it.

A spoke needs one rule, 0.0.0.0/0 to the hub; the hub has one rule for each spoke. Without
`relay: true` every spoke-to-spoke packet would be transit_denied.
"""
    # A VPC and an account have 10 connections, a region 10 VPCs of an account; spokes are spread over regions.
    profile = f"{n} connections of one VPC, the cloud sells 10" if n > 10 else ""
    yield from one_account(comment, f"hub-{n}", seed, profile)
    hops = [(f"10.{i}.0.0/16", f"to-{i}") for i in range(1, n + 1)]
    yield from vpc_entry(0, "hub", "bj", hops, relay=True)
    for i in range(1, n + 1):
        yield from vpc_entry(i, f"spoke-{i}", _REGIONS[i % len(_REGIONS)], [("0.0.0.0/0", "up")])
    yield ""
    yield "peer_connections:"
    for i in range(1, n + 1):
        yield peer_entry(f"hub-{i}", ("hub", f"to-{i}"), (f"spoke-{i}", "up"), 50)
    pairs = [(i, i % n + 1) for i in range(1, min(n, 6) + 1)] if n > 1 else [(1, 0)]
    yield from traffic_section(
        *(udp_entry(f"flow-{i}", f"n{i}", f"n{j}", 4, arrivals="poisson") for i, j in pairs),
        "  - {name: heartbeat, from: n1, to: n0, kind: icmp, duration_s: 3}",
    )
    yield from expect_section(
        f"  - {{from: n0, to: n{n}, port: tcp/80, reachable: true}}",
        *([f"  - {{from: n1, to: n{n}, port: tcp/80, reachable: true}}"] if n > 1 else []),
        "  - {flow: flow-1, loss_ratio: {at_most: 0}}",
    )


def _mesh(n: int, seed: int) -> Iterator[str]:
    n_links = n * (n - 1) // 2
    comment = f"""
A full mesh of {n} VPCs: {n_links} connection{"s" * (n_links > 1)}, each pair one hop apart, no relay needed.

Compare with `hub:{n - 1}`, which does with {n - 1}. Delete a connection: one pair is lost, nobody relays for it.
"""
    profile = f"{n_links} connections of one account, the cloud sells 10" if n_links > 10 else ""
    yield from one_account(comment, f"mesh-{n}", seed, profile)
    for i in range(1, n + 1):
        hops = [(f"10.{j}.0.0/16", f"to-{j}") for j in range(1, n + 1) if j != i]
        yield from vpc_entry(i, f"v{i}", _REGIONS[(i - 1) % len(_REGIONS)], hops)
    yield ""
    yield "peer_connections:"
    for i in range(1, n + 1):
        for j in range(i + 1, n + 1):
            yield peer_entry(f"v{i}-v{j}", (f"v{i}", f"to-{j}"), (f"v{j}", f"to-{i}"), 50)
    yield from traffic_section(
        *(udp_entry(f"flow-{i}", f"n{i}", f"n{i % n + 1}", 4, arrivals="poisson") for i in range(1, min(n, 6) + 1)),
        f"  - {{name: heartbeat, from: n1, to: n{n}, kind: icmp, duration_s: 3}}",
    )
    yield from expect_section(
        f"  - {{from: n1, to: n{n}, port: tcp/80, reachable: true}}",
        "  - {flow: flow-1, loss_ratio: {at_most: 0}}",
    )


def _chain(n: int, seed: int) -> Iterator[str]:
    comment = f"""
A chain of {n} VPCs; those between the ends are relay VPCs and pass packets on.

`netsim traceroute n1 n{n}` shows every router. The rules of the middle ones say which numbers lie to
the left and which to the right; a rule too wide would send what nobody has back and forth.
"""
    profile = "the cloud's relay VPCs can't be peered, and pass a packet on once" if n > 3 else ""
    yield from one_account(comment, f"chain-{n}", seed, profile)
    for i in range(1, n + 1):
        hops = [(prefix, "left") for prefix in cover(1, i - 1)] + [(prefix, "right") for prefix in cover(i + 1, n)]
        yield from vpc_entry(i, f"v{i}", _REGIONS[(i - 1) // 10], hops, relay=1 < i < n)
    yield ""
    yield "peer_connections:"
    for i in range(1, n):
        yield peer_entry(f"link-{i}", (f"v{i}", "right"), (f"v{i + 1}", "left"), 50)
    yield from traffic_section(
        udp_entry("through", "n1", f"n{n}", 5),
        udp_entry("back", f"n{n}", "n1", 3, arrivals="poisson"),
        f"  - {{name: heartbeat, from: n1, to: n{n}, kind: icmp, duration_s: 3}}",
    )
    yield from expect_section(
        f"  - {{from: n1, to: n{n}, port: tcp/80, reachable: true}}",
        f"  - {{from: n{n}, to: n1, port: tcp/80, reachable: true}}",
        "  - {flow: through, loss_ratio: {at_most: 0}}",
    )


def _random(n: int, seed: int) -> Iterator[str]:
    import numpy as np

    rng = np.random.Generator(np.random.PCG64(seed))
    links: dict[tuple[int, int], int] = {}
    # A random tree keeps everything connected; half as many links again give it ways to choose from.
    for i in range(2, n + 1):
        links[int(rng.integers(1, i)), i] = int(rng.integers(2, 11)) * 10
    for _ in range(n // 2):
        a, b = sorted(int(x) for x in rng.integers(1, n + 1, 2))
        if a != b:
            links.setdefault((a, b), int(rng.integers(2, 11)) * 10)
    comment = f"""
A random connected network of {n} VPCs and {len(links)} connections, drawn with seed {seed}.

Every VPC is a relay and routes go the shortest way (fewest connections). `netsim graph -o net.svg` draws it.
"""
    yield from one_account(comment, f"random-{n}", seed, "every VPC is a relay and packets pass through many")
    next_hops = _shortest_next_hops(n, links)
    for i in range(1, n + 1):
        hops = [(f"10.{j}.0.0/16", f"to-{next_hops[i][j]}") for j in range(1, n + 1) if j != i]
        yield from vpc_entry(i, f"v{i}", _REGIONS[int(rng.integers(len(_REGIONS)))], hops, relay=True)
    yield ""
    yield "peer_connections:"
    for (i, j), bandwidth_mbps in sorted(links.items()):
        yield peer_entry(f"v{i}-v{j}", (f"v{i}", f"to-{j}"), (f"v{j}", f"to-{i}"), bandwidth_mbps)
    flows: list[str] = []
    for k in range(1, 7):
        source = int(rng.integers(1, n + 1))
        target = (source + int(rng.integers(1, n)) - 1) % n + 1
        flows.append(udp_entry(f"flow-{k}", f"n{source}", f"n{target}", 3, arrivals="poisson"))
    yield from traffic_section(*flows, f"  - {{name: heartbeat, from: n1, to: n{n}, kind: icmp, duration_s: 3}}")
    yield from expect_section(
        f"  - {{from: n1, to: n{n}, port: tcp/80, reachable: true}}",
        f"  - {{from: n{n}, to: n1, port: tcp/80, reachable: true}}",
        "  - {flow: flow-1, loss_ratio: {at_most: 0.01}}",
    )


def _shortest_next_hops(n: int, links: dict[tuple[int, int], int]) -> list[list[int]]:
    """For each VPC and destination the neighbour to go to: breadth first from each destination."""
    neighbours: list[list[int]] = [[] for _ in range(n + 1)]
    for i, j in sorted(links):
        neighbours[i].append(j)
        neighbours[j].append(i)
    next_hops = [[0] * (n + 1) for _ in range(n + 1)]
    for target in range(1, n + 1):
        reached = [target]
        for at in reached:
            for neighbour in neighbours[at]:
                if neighbour != target and next_hops[neighbour][target] == 0:
                    next_hops[neighbour][target] = at
                    reached.append(neighbour)
    return next_hops


TEMPLATES: dict[str, Template] = {
    "two-vpcs": Template("two VPCs of one account and a peer connection", _two_vpcs, None),
    "cross-account": Template("two accounts, two regions, a cap that is too small", _cross_account, None),
    "hub": Template("hub:N, a relay VPC and N spokes", _hub, range(1, 201)),
    "mesh": Template("mesh:N, N VPCs, each peered with each", _mesh, range(2, 61)),
    "chain": Template("chain:N, N VPCs in a row, relays between the ends", _chain, range(2, 61)),
    "random": Template("random:N, a random connected network of N relay VPCs", _random, range(2, 101)),
}
"""By the name before the colon."""
