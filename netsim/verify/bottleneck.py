"""What flows could get: the max-min fair share of each, and the connection that sets it.

Progressive filling: all flows grow together; when a cap is full, the flows through it have their share,
and the rest grow on. That is the one allocation where no flow can get more without taking from one that
has no more (Bertsekas, Gallager: Data Networks, 1992, section 6.5.2). Caps are the directions of
connections, counted as their `accounting` says, and the senders' interfaces. Rates are layer-3 bit/s;
the arithmetic is exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from netsim.controlplane.fib_compiler import LinkName
from netsim.dataplane.fib import I_NIC_MBPS, K_OVERHEAD_BYTES, K_RATE_BPS, LINK_WORDS
from netsim.units import BPS_PER_MBPS
from netsim.verify.endpoint import endpoints, sources
from netsim.verify.network import Network
from netsim.verify.path import Path, Start, walk

DEFAULT_PACKET_BYTES = 1500
DEMAND, CONNECTION, INTERFACE, NOT_DELIVERED = "demand", "connection", "interface", "not_delivered"


class Demand(NamedTuple):
    """A flow: ends by name, how much it offers (None: as much as it gets), its packets' IP size."""

    name: str
    source: str
    target: str
    rate_bps: int | None = None
    packet_bytes: int = DEFAULT_PACKET_BYTES


@dataclass(frozen=True, slots=True)
class Share:
    """What a flow gets.

    Attributes:
        name: of the flow.
        rate_bps: layer 3, rounded down; 0 when it is not delivered.
        limited_by: `connection`, `interface` (the sender's), `demand`, or `not_delivered`.
        bottleneck: the connection's name and direction (`shop-data, shop to data`), the sender's name, the
            disposition, or "" for a flow that gets all it offers.
        peer_conn: id of the connection that sets the share, None if none does.
    """

    name: str
    rate_bps: int
    limited_by: str
    bottleneck: str
    peer_conn: str | None

    def to_dict(self) -> dict[str, Any]:
        """The share as JSON."""
        return {
            "name": self.name, "rate_bps": self.rate_bps, "limited_by": self.limited_by,
            "bottleneck": self.bottleneck or None, "peer_connection": self.peer_conn,
        }  # fmt: skip


class _Flow:
    """A flow on its way up: its caps with the bytes it puts on each per layer-3 byte."""

    def __init__(self, demand: Demand, weights: dict[tuple[str, int], Fraction]) -> None:
        self.demand = demand
        self.weights = weights
        self.rate = Fraction(0)


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
        if path.delivered_to is None:
            shares[demand.name] = Share(demand.name, 0, NOT_DELIVERED, path.disposition.symbol, None)
            continue
        flows.append(_Flow(demand, _weights(network, path, source.inst, demand.packet_bytes)))
    shares |= _fill(network, flows)
    return [shares[name] for name in order]


def _weights(network: Network, path: Path, inst: int, packet_bytes: int) -> dict[tuple[str, int], Fraction]:
    """The caps along a path: (`interface`, instance), and (`connection`, link) for each one crossed."""
    weights = {(INTERFACE, inst): Fraction(1)}
    for hop, after in zip(path.hops, path.hops[1:], strict=False):
        rule = network.inventory.rules[hop.rule or ""]
        conn, side = network.inventory.interface(rule.next_hop.target)
        assert conn.side_beyond(hop.vpc_id).vpc_id == after.vpc_id
        link = network.link_of[LinkName(conn.id, side)]
        overhead = int(network.fib.link[link * LINK_WORDS + K_OVERHEAD_BYTES])
        # A loop may cross a direction more than once; then it loads it more than once.
        key = CONNECTION, link
        weights[key] = weights.get(key, Fraction(0)) + Fraction(packet_bytes + overhead, packet_bytes)
    return weights


def _fill(network: Network, flows: list[_Flow]) -> dict[str, Share]:
    room = {key: _capacity(network, key) for flow in flows for key in flow.weights}
    shares: dict[str, Share] = {}
    growing = list(flows)
    while growing:
        steps = {
            key: left / load
            for key, left in room.items()
            if (load := sum((flow.weights.get(key, Fraction(0)) for flow in growing), Fraction(0)))
        }
        wants = [flow.demand.rate_bps - flow.rate for flow in growing if flow.demand.rate_bps is not None]
        step = min([*steps.values(), *wants])
        for flow in growing:
            flow.rate += step
            for key, weight in flow.weights.items():
                room[key] -= step * weight
        # Connections before interfaces before demand: where several limit at once, the one that others share.
        full = sorted(key for key, taken in steps.items() if taken == step)
        for flow in list(growing):
            cap = next((key for key in full if key in flow.weights), None)
            if cap is not None or flow.demand.rate_bps == flow.rate:
                shares[flow.demand.name] = _share(network, flow, cap)
                growing.remove(flow)
    return shares


def _capacity(network: Network, key: tuple[str, int]) -> Fraction:
    kind, number = key
    if kind == INTERFACE:
        return Fraction(int(network.instances[number, I_NIC_MBPS]) * BPS_PER_MBPS)
    return Fraction(int(network.fib.link[number * LINK_WORDS + K_RATE_BPS]))


def _share(network: Network, flow: _Flow, key: tuple[str, int] | None) -> Share:
    rate_bps, name = int(flow.rate), flow.demand.name
    if key is None or flow.demand.rate_bps == flow.rate:
        return Share(name, rate_bps, DEMAND, "", None)
    kind, number = key
    if kind == INTERFACE:
        return Share(name, rate_bps, INTERFACE, network.instance_name(number), None)
    conn_id, side = network.link_names[number]
    conn = network.inventory.peer_conns[conn_id]
    near, far = conn.side(side).vpc_id, conn.side_beyond(conn.side(side).vpc_id).vpc_id
    vpcs = network.inventory.vpcs
    text = f"{conn.name}, {vpcs[near].name} to {vpcs[far].name}"
    return Share(name, rate_bps, CONNECTION, text, conn.id)
