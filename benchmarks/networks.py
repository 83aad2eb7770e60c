"""The networks that benchmarks run: a chain, a mesh of relays, sixteen links; built by edits as a tenant would."""

from __future__ import annotations

from collections import deque
from typing import Any

from netsim.controlplane import edit as e
from netsim.controlplane.inventory import Inventory
from netsim.lab import Lab
from netsim.traffic.flow import FlowSpec
from netsim.units import BITS_PER_BYTE, NS_PER_S

PACKET_BYTES = 1000
ANY = "0.0.0.0/0"


def chain(links: int, cap_mbps: int = 1000) -> Inventory:
    """`links` + 1 VPCs in a row, all relays, routes both ways."""
    inventory = Inventory(profile="research")
    edits: list[e.Edit[Any]] = [e.CreateAccount("bench")]
    for k in range(links + 1):
        edits += _vpc(k)
    edits += [e.CreatePeerConn(f"v{k}", f"v{k + 1}", cap_mbps, f"c{k}", "next", "previous") for k in range(links)]
    for k in range(links + 1):
        for other in range(links + 1):
            if other != k:
                hop = "next" if other > k else "previous"
                edits.append(e.CreateRoute(f"v{k}", ANY, f"10.{other}.0.0/16", hop))
    inventory.apply(*edits)
    return inventory


def mesh(n: int, steps: tuple[int, ...] = (1, 2, 3, 5, 8), cap_mbps: int = 1000) -> Inventory:
    """n relays in a circle, each connected to those some steps on; each has a shortest route to every other."""
    inventory = Inventory(profile="research")
    edits: list[e.Edit[Any]] = [e.CreateAccount("bench")]
    for k in range(n):
        edits += _vpc(k)
    for k in range(n):
        edits += [
            e.CreatePeerConn(f"v{k}", f"v{(k + step) % n}", cap_mbps, f"c{k}-{step}", f"to-{(k + step) % n}", f"to-{k}")
            for step in steps
        ]
    first = first_steps(n, steps)
    for k in range(n):
        edits += [
            e.CreateRoute(f"v{k}", ANY, f"10.{(k + far) % n}.0.0/16", f"to-{(k + first[far]) % n}")
            for far in range(1, n)
        ]
    inventory.apply(*edits)
    return inventory


def first_steps(n: int, steps: tuple[int, ...]) -> list[int]:
    """The step to take first towards the place so far on in the circle, 0 for its own; on a shortest path."""
    first = [0] * n
    seen = {0}
    queue = deque([0])
    while queue:
        at = queue.popleft()
        for step in [*steps, *(-step for step in steps)]:
            to = (at + step) % n
            if to not in seen:
                seen.add(to)
                first[to] = first[at] or step
                queue.append(to)
    return first


def hops_between(n: int, steps: tuple[int, ...], a: int, b: int) -> list[int]:
    """The relays from a to b, both included, as `mesh` routes them."""
    first, path = first_steps(n, steps), [a]
    while path[-1] != b:
        path.append((path[-1] + first[(b - path[-1]) % n]) % n)
    return path


def mesh_flows(n_vpcs: int, n_flows: int, aggregate_bps: int, duration_ns: int) -> list[FlowSpec]:
    """Flows of one rate between VPCs all over the circle, the same in every run."""
    rate_bps = aggregate_bps // n_flows
    return [
        FlowSpec(
            name=f"f{k}", from_ref=f"i{a}", to_ref=f"i{b}", rate_bps=rate_bps, packet_bytes=PACKET_BYTES,
            # Each starts a little later: senders in step would be a special case.
            start_ns=k * PACKET_BYTES * BITS_PER_BYTE * NS_PER_S // aggregate_bps, duration_ns=duration_ns,
        )
        for k, (a, b) in enumerate(pairs_of(n_vpcs, n_flows))
    ]  # fmt: skip


def pairs_of(n_vpcs: int, n_flows: int) -> list[tuple[int, int]]:
    """Who sends to whom."""
    return [(k % n_vpcs, (k % n_vpcs + 1 + (k * 37) % (n_vpcs - 1)) % n_vpcs) for k in range(n_flows)]


def running(inventory: Inventory, flows: list[FlowSpec]) -> Lab:
    """A lab with compiled kernels in which the flows have been started."""
    lab = Lab(inventory, threads=1)
    lab.engine.is_compiled = True
    lab.start_traffic(flows)
    return lab


def load_kernels() -> None:
    """Compile the kernels, or load what was compiled, so that no measured run pays for it."""
    flow = FlowSpec(name="f", from_ref="i0", to_ref="i1", rate_bps=10**6, packet_bytes=PACKET_BYTES, duration_ns=10**8)
    running(chain(1), [flow]).advance(2 * 10**8)


def _vpc(k: int) -> list[e.Edit[Any]]:
    return [
        e.CreateVpc(f"v{k}", "bj", f"10.{k}.0.0/16", account="bench", relay=True),
        e.CreateSubnet(f"v{k}", "s", f"10.{k}.0.0/24"),
        e.CreateInstance(f"i{k}", "s", f"10.{k}.0.10", vpc=f"v{k}"),
    ]
