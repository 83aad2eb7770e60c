"""What flows could get: the max-min fair share of each, and the connection that sets it.

Progressive filling: all flows grow together; when a cap is full, the flows through it have their share,
and the rest grow on. That is the one allocation where no flow can get more without taking from one that
has no more (Bertsekas, Gallager: Data Networks, 1992, section 6.5.2). Caps are the directions of
connections, counted as their `accounting` says, and the senders' interfaces. Rates are layer-3 bit/s of
whole IP packets, headers included; fragments add theirs on the connection only. What goes back (echo
replies, acknowledgements) is not counted. The arithmetic is exact.

All flows that still grow have the same rate, so a cap is full at a level that only changes when a flow
through it stops: a heap of levels, each corrected when it comes up, finds the next one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

from netsim.controlplane.fib_compiler import LinkName
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.fib import I_NIC_MBPS, K_MTU_BYTES, K_OVERHEAD_BYTES, K_RATE_BPS, LINK_WORDS
from netsim.units import BPS_PER_MBPS
from netsim.verify.endpoint import endpoints, sources
from netsim.verify.network import Network
from netsim.verify.path import Path, Start, walk

DEFAULT_PACKET_BYTES = 1500
IP_HEADER_BYTES = 20
DEMAND, CONNECTION, INTERFACE, NOT_DELIVERED = "demand", "connection", "interface", "not_delivered"

Cap = tuple[str, int]
"""(`interface`, instance) or (`connection`, link)."""


class Demand(NamedTuple):
    """A flow.

    Attributes:
        name: of the flow; unique among those asked about together.
        source, target: its ends, by name.
        rate_bps: how much it offers; None: as much as it gets.
        packet_bytes: its packets' IP size.
        has_df: larger packets than a connection takes are dropped, not cut.
        finds_mtu: it makes its packets smaller instead, as TCP does.
    """

    name: str
    source: str
    target: str
    rate_bps: int | None = None
    packet_bytes: int = DEFAULT_PACKET_BYTES
    has_df: bool = False
    finds_mtu: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """What a flow gets.

    Attributes:
        name: of the flow.
        rate_bps: layer 3, rounded down; 0 when it is not delivered.
        limited_by: `connection`, `interface` (the sender's), `demand`, or `not_delivered`.
        bottleneck: the connection's name and direction (`shop-data, shop to data`), the sender's name, the
            disposition, or "" for a flow that gets all it offers.
        peer_conn: name of the connection that sets the share (its id if it has none), None if none does.
        side: `local` or `peer`: whose egress of that connection it is; "" if none.
    """

    name: str
    rate_bps: int
    limited_by: str
    bottleneck: str
    peer_conn: str | None
    side: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The share as JSON."""
        return {
            "name": self.name, "rate_bps": self.rate_bps, "limited_by": self.limited_by,
            "bottleneck": self.bottleneck or None, "peer_connection": self.peer_conn, "side": self.side or None,
        }  # fmt: skip


class _Flow(NamedTuple):
    """A flow that is delivered: its caps, with the bytes it puts on each for a layer-3 byte of its own."""

    demand: Demand
    weights: dict[Cap, Fraction]


def fair_shares(network: Network, demands: Iterable[Demand]) -> list[Share]:
    """The share of each flow, all sending at once, in the order given.

    Raises:
        NotFoundError, InvalidError, UsageError: a name that is no instance.
    """
    shares: dict[str, Share] = {}
    flows: list[_Flow] = []
    order = []
    for demand in demands:
        order.append(demand.name)
        source, target = sources(network, demand.source)[0], endpoints(network, demand.target)[0]
        path = walk(network, Start(source.node, source.inst), source.addr, target.addr)
        links = _links(network, path)
        lowest = min((_link_word(network, link, K_MTU_BYTES) for link in links), default=demand.packet_bytes)
        fate = path.disposition
        if demand.finds_mtu and path.delivered_to is not None:
            # TCP that is not answered never opens.
            back = walk(network, Start(target.node, target.inst), target.addr, source.addr)
            if back.disposition is not Disposition.DELIVERED or back.delivered_to is None:
                reason = "no_return_route" if back.disposition is Disposition.NO_ROUTE else back.disposition.symbol
                shares[demand.name] = Share(demand.name, 0, NOT_DELIVERED, reason, None)
                continue
        if demand.has_df and not demand.finds_mtu and demand.packet_bytes > lowest:
            fate = Disposition.MTU_EXCEEDED
        if path.delivered_to is None or fate is Disposition.MTU_EXCEEDED:
            shares[demand.name] = Share(demand.name, 0, NOT_DELIVERED, fate.symbol, None)
            continue
        packet_bytes = min(demand.packet_bytes, lowest) if demand.finds_mtu else demand.packet_bytes
        flows.append(_Flow(demand, _weights(network, links, source.inst, packet_bytes)))
    shares |= _fill(network, flows)
    return [shares[name] for name in order]


def _links(network: Network, path: Path) -> list[int]:
    """The directions of connections that a path crosses, in order; one may come twice."""
    links = []
    for hop, after in zip(path.hops, path.hops[1:], strict=False):
        rule = network.inventory.rules[hop.rule or ""]
        conn, side = network.inventory.interface(rule.next_hop.target)
        assert conn.side_beyond(hop.vpc_id).vpc_id == after.vpc_id
        links.append(network.link_of[LinkName(conn.id, side)])
    return links


def _weights(network: Network, links: list[int], inst: int, packet_bytes: int) -> dict[Cap, Fraction]:
    weights: dict[Cap, Fraction] = {(INTERFACE, inst): Fraction(1)}
    for link in links:
        # A fragment carries a multiple of eight bytes (RFC 791 section 3.2), but for the last one.
        room = (_link_word(network, link, K_MTU_BYTES) - IP_HEADER_BYTES) // 8 * 8
        is_cut = packet_bytes > _link_word(network, link, K_MTU_BYTES)
        n = -(-(packet_bytes - IP_HEADER_BYTES) // room) if is_cut else 1
        on_wire = packet_bytes + (n - 1) * IP_HEADER_BYTES + n * _link_word(network, link, K_OVERHEAD_BYTES)
        key = CONNECTION, link
        weights[key] = weights.get(key, Fraction(0)) + Fraction(on_wire, packet_bytes)
    return weights


def _link_word(network: Network, link: int, word: int) -> int:
    return int(network.fib.link[link * LINK_WORDS + word])


def _fill(network: Network, flows: list[_Flow]) -> dict[str, Share]:
    # Of each cap: what is left for those that grow, and how fast they fill it.
    room: dict[Cap, Fraction] = {}
    load: dict[Cap, Fraction] = {}
    through: dict[Cap, list[int]] = {}
    for k, flow in enumerate(flows):
        for cap, weight in flow.weights.items():
            room.setdefault(cap, _capacity(network, cap))
            load[cap] = load.get(cap, Fraction(0)) + weight
            through.setdefault(cap, []).append(k)
    shares: dict[str, Share] = {}
    # Of caps and demands that are met at one level, caps come first, and of them connections.
    heap: list[tuple[Fraction, int, Cap]] = [(room[cap] / load[cap], 0, cap) for cap in room]
    heap += [
        (Fraction(flow.demand.rate_bps), 1, (DEMAND, k))
        for k, flow in enumerate(flows)
        if flow.demand.rate_bps is not None
    ]
    heapify(heap)
    is_growing = [True] * len(flows)
    while heap:
        level, kind, cap = heappop(heap)
        if kind == 0:
            if not load[cap]:
                continue
            now = room[cap] / load[cap]
            if now > level:
                heappush(heap, (now, 0, cap))
                continue
        for k in through[cap] if kind == 0 else [cap[1]]:
            if is_growing[k]:
                is_growing[k] = False
                shares[flows[k].demand.name] = _share(network, flows[k].demand, level, cap if kind == 0 else None)
                for other, weight in flows[k].weights.items():
                    room[other] -= level * weight
                    load[other] -= weight
    return shares


def _capacity(network: Network, key: Cap) -> Fraction:
    kind, number = key
    if kind == INTERFACE:
        return Fraction(int(network.instances[number, I_NIC_MBPS]) * BPS_PER_MBPS)
    return Fraction(int(network.fib.link[number * LINK_WORDS + K_RATE_BPS]))


def _share(network: Network, demand: Demand, level: Fraction, cap: Cap | None) -> Share:
    rate_bps, name = int(level), demand.name
    if cap is None or demand.rate_bps == level:
        return Share(name, rate_bps, DEMAND, "", None)
    kind, number = cap
    if kind == INTERFACE:
        return Share(name, rate_bps, INTERFACE, network.instance_name(network.instance_ids[number]), None)
    conn_id, side = network.link_names[number]
    conn = network.inventory.peer_conns[conn_id]
    near, far = conn.side(side).vpc_id, conn.side_beyond(conn.side(side).vpc_id).vpc_id
    vpcs = network.inventory.vpcs
    text = f"{conn.name or conn.id}, {vpcs[near].name} to {vpcs[far].name}"
    return Share(name, rate_bps, CONNECTION, text, conn.name or conn.id, side)
