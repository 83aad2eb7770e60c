"""What kept traffic between two instances from going faster, by the caps it crossed while it ran."""

from __future__ import annotations

from typing import NamedTuple

from netsim.controlplane.fib_compiler import LinkName
from netsim.dataplane.engine import LinkCounters
from netsim.dataplane.fib import K_RATE_BPS, LINK_WORDS
from netsim.emulator import Emulator
from netsim.units import BITS_PER_BYTE, NS_PER_S
from netsim.verify.network import Network
from netsim.verify.path import Start, walk

FULL = 0.98
"""The share of a cap from which on it counts as full."""


class CrossedCap(NamedTuple):
    """One direction of a connection on the way, and what passed there meanwhile, whoever sent it."""

    peer_connection: str
    side: str
    from_vpc: str
    to_vpc: str
    cap_bps: int
    utilization_ratio: float
    dropped_packets: int

    @property
    def is_limiting(self) -> bool:
        """Whether it was full, or threw packets away."""
        return self.dropped_packets > 0 or self.utilization_ratio >= FULL

    @property
    def name(self) -> str:
        """`shop-data, shop to data`."""
        return f"{self.peer_connection}, {self.from_vpc} to {self.to_vpc}"


class Limit(NamedTuple):
    """The caps on the way in order, and the one that set the result: None if none of them was full."""

    crossed: tuple[CrossedCap, ...]
    by: CrossedCap | None


def find_limit(emulator: Emulator, from_id: str, to_id: str, before: LinkCounters, span_ns: int) -> Limit:
    """Look at every cap on the way from one instance to another.

    Of several that were full or dropped, the one that dropped most set the result, then the
    fullest.

    Args:
        emulator: now.
        from_id: who sends.
        to_id: who receives.
        before: the counters `span_ns` ago; no connection was made since.
        span_ns: over which the use of a cap is averaged.
    """
    now = emulator.engine.counters()
    rates = emulator.fib.link.reshape(-1, LINK_WORDS)[:, K_RATE_BPS]
    crossed = []
    for name, link in _links(emulator, from_id, to_id):
        conn = emulator.inventory.peer_conns[name.peer_conn_id]
        near, far = (conn.local, conn.peer) if name.side == "local" else (conn.peer, conn.local)
        vpcs = emulator.inventory.vpcs
        bits = int(now.egress_bytes[link] - before.egress_bytes[link]) * BITS_PER_BYTE * NS_PER_S
        crossed.append(
            CrossedCap(
                conn.name or conn.id,
                name.side,
                vpcs[near.vpc_id].name,
                vpcs[far.vpc_id].name,
                int(rates[link]),
                bits / (int(rates[link]) * span_ns) if span_ns else 0.0,
                int(now.dropped_packets[link] - before.dropped_packets[link]),
            )
        )
    limiting = [cap for cap in crossed if cap.is_limiting]
    by = max(limiting, key=lambda cap: (cap.dropped_packets, cap.utilization_ratio), default=None)
    return Limit(tuple(crossed), by)


def _links(emulator: Emulator, from_id: str, to_id: str) -> list[tuple[LinkName, int]]:
    """The directions of connections between two instances, in order."""
    network = Network(emulator.fib, emulator.compiler, emulator.inventory)
    inventory = emulator.inventory
    sender, receiver = inventory.instances[from_id], inventory.instances[to_id]
    inst = emulator.compiler.inst_of[from_id]
    path = walk(network, Start(emulator.compiler.node_of[sender.vpc_id], inst), sender.addr, receiver.addr)
    found = []
    for hop in path.hops[:-1]:
        conn, side = inventory.interface(inventory.rules[hop.rule or ""].next_hop.target)
        name = LinkName(conn.id, side)
        found.append((name, emulator.compiler.link_of[name]))
    return found
