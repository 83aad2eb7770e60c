"""The path of one packet, hop by hop, computed from the Fib: the same decisions as a packet meets, none sent.

Each router's decision is the engine's own kernel (`dataplane/hop.py`), asked once per hop. What the walk
adds is what lies between routers: the layer-2 step, and that a connection leads from one VPC to the next.
Sizes, caps and delays do not matter to whether a small packet arrives. A loop ends as it does on the wire,
when the TTL is used up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from netsim.controlplane.route_choice import Candidate, choose_route, describe_next_hop, describe_rule
from netsim.dataplane import hop
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.fib import (
    EDGE_ADDR,
    I_NODE,
    I_SUBNET_FIRST,
    I_SUBNET_LAST,
    INST_WORDS,
    K_DST_NODE,
    LINK_WORDS,
    NOBODY,
    SELF_ADDR,
)
from netsim.dataplane.row import DST, N_FIELDS, SIZE, SRC, TRANSITS, TTL
from netsim.prefix import format_addr
from netsim.verify.network import Network

START_TTL = 64
SMALL_BYTES = 28
"""No connection's MTU is below 68, so nothing is fragmented."""

LOCAL = "local"
"""The next hop, and in place of a rule's id the rule, of the system route of a VPC's own CIDR."""


class Start(NamedTuple):
    """Where a packet starts: at an instance, or (`inst` -1) made by the router of a VPC itself."""

    node: int
    inst: int


@dataclass(frozen=True, slots=True)
class PathHop:
    """One router's decision.

    Attributes:
        vpc_id, vpc: the VPC.
        ttl: of the packet as it arrives there.
        rule: id of the rule that wins, `local` for the VPC's own CIDR, None when none matches.
        next_hop: interface, `gateway:NAME`, `blackhole` or `local`, None when no rule matches.
        rule_text: `10.1.0.0/16 via int-1 (shop-data)`, "" when no rule matches.
        beaten: the rules that match too, best first, as such texts; empty unless asked for.
        transits: how many the packet has used when it arrives.
    """

    vpc_id: str
    vpc: str
    ttl: int
    rule: str | None
    next_hop: str | None
    rule_text: str
    beaten: tuple[str, ...]
    transits: int

    def to_dict(self) -> dict[str, Any]:
        """The hop as in the JSON contract; `text`, `beaten` and `transits` come on top."""
        return {
            "node": self.vpc_id,
            "vpc": self.vpc,
            "rule": self.rule,
            "next_hop": self.next_hop,
            "ttl": self.ttl,
            "text": self.rule_text,
            "beaten": list(self.beaten),
            "transits": self.transits,
        }


@dataclass(frozen=True, slots=True)
class Path:
    """How a packet ends, and by which routers.

    Attributes:
        src, dst: its addresses.
        disposition: its fate.
        delivered_to: who got it: an instance's name, `router of VPC`, `gateway:NAME`; None if nobody.
        inst: number of the instance that got it, -1 for none.
        node: number of the VPC where it ended.
        hops: one per router; none when it was settled at layer 2.
    """

    src: int
    dst: int
    disposition: Disposition
    delivered_to: str | None
    inst: int
    node: int
    hops: tuple[PathHop, ...]

    @property
    def is_delivered(self) -> bool:
        """Whether an instance, a router or a resolver got it."""
        return self.disposition is Disposition.DELIVERED

    def to_dict(self) -> dict[str, Any]:
        """The PATH object of the JSON contract; `src` and `dst` come on top."""
        found = {"disposition": self.disposition.symbol, "src": format_addr(self.src), "dst": format_addr(self.dst)}
        if self.delivered_to is not None:
            found["delivered_to"] = self.delivered_to
        return {**found, "hops": [each.to_dict() for each in self.hops]}


def walk(network: Network, start: Start, src: int, dst: int, *, has_beaten: bool = False) -> Path:
    """The path of a packet (src, dst) from `start`, TTL 64.

    Args:
        network: read only.
        start: where it is made.
        src: its source address; not necessarily the sender's own.
        dst: its destination address.
        has_beaten: also say which rules the winners beat, at a cost linear in the rules of each VPC.
    """
    walker = _Walker(network, src, dst, has_beaten=has_beaten)
    if start.inst >= 0:
        settled = walker.at_layer_2(start)
        if settled is not None:
            return settled
    return walker.routed(start)


class _Walker:
    """One packet on its way."""

    def __init__(self, network: Network, src: int, dst: int, *, has_beaten: bool) -> None:
        self._network = network
        self._fib = network.view
        self._row = [0] * N_FIELDS
        self._row[SRC], self._row[DST], self._row[SIZE] = src, dst, SMALL_BYTES
        self._row[TTL] = START_TTL
        self._has_beaten = has_beaten
        self._hops: list[PathHop] = []

    def at_layer_2(self, start: Start) -> Path | None:
        """Step 2 of the design: what is settled in the sender's own subnet, or None."""
        fib, dst = self._fib, self._row[DST]
        record = start.inst * INST_WORDS
        inside = fib.inst[record + I_SUBNET_FIRST] <= dst <= fib.inst[record + I_SUBNET_LAST]
        if not inside or hop.is_unforwardable(dst):
            return None
        owner = hop.find_addr(fib.node, fib.addr, fib.addr_ref, start.node, dst)
        if owner == SELF_ADDR:
            return None
        if owner == EDGE_ADDR:
            return self._end(Disposition.BAD_DESTINATION, start.node)
        if owner == NOBODY:
            return self._end(Disposition.HOST_UNREACHABLE, start.node)
        return self._end(Disposition.DELIVERED, start.node, owner)

    def routed(self, start: Start) -> Path:
        """From router to router, until it ends: each one that forwards takes one off the TTL."""
        node, row, out = start.node, self._row, [0] * hop.OUT_WORDS
        came_from = hop.FROM_INSTANCE if start.inst >= 0 else hop.FROM_ROUTER
        while True:
            fate = hop.decide(self._fib, row, node, came_from, out)
            self._hops.append(self._hop(node, out[hop.O_RULE]))
            if fate != hop.OK:
                return self._end(Disposition(fate), node)
            action, target = out[hop.O_ACTION], out[hop.O_TARGET]
            if action == hop.TO_ROUTER:
                return self._end(Disposition.DELIVERED, node)
            if action == hop.TO_INSTANCE:
                return self._end(Disposition.DELIVERED, node, target)
            if action == hop.TO_GATEWAY:
                return self._end(Disposition.EXITS_NETWORK, node, gateway=target)
            row[TTL], row[TRANSITS] = out[hop.O_TTL], out[hop.O_TRANSITS]
            node = self._fib.link[target * LINK_WORDS + K_DST_NODE]
            came_from = hop.FROM_PEER

    def _end(self, disposition: Disposition, node: int, inst: int = -1, gateway: int = -1) -> Path:
        network = self._network
        delivered_to = None
        if disposition is Disposition.DELIVERED:
            delivered_to = f"router of {network.vpc_name(node)}"
            if inst >= 0:
                delivered_to = network.instance_name(network.instance_ids[inst])
        elif disposition is Disposition.EXITS_NETWORK:
            delivered_to = f"gateway:{network.gateways[gateway]}"
        hops = tuple(self._hops)
        return Path(self._row[SRC], self._row[DST], disposition, delivered_to, inst, node, hops)

    def _hop(self, node: int, rule: int) -> PathHop:
        network, row = self._network, self._row
        vpc_id, inventory = network.vpc_ids[node], network.inventory
        rule_id = next_hop = None
        text = ""
        beaten: tuple[str, ...] = ()
        if rule >= 0:
            candidate = network.candidate(node, rule)
            rule_id = LOCAL if candidate.rule is None else candidate.rule.id
            next_hop = name_of_next_hop(network, candidate)
            text = describe_rule(inventory, candidate)
            if self._has_beaten:
                choice = choose_route(inventory, vpc_id, row[SRC], row[DST])
                beaten = tuple(describe_rule(inventory, each) for each in choice.beaten)
        return PathHop(vpc_id, network.vpc_name(node), row[TTL], rule_id, next_hop, text, beaten, row[TRANSITS])


def name_of_next_hop(network: Network, candidate: Candidate) -> str:
    """The interface by name (by id if it has none or is gone), `gateway:NAME`, `blackhole` or `local`."""
    text = describe_next_hop(network.inventory, candidate)
    is_peer = candidate.rule is not None and candidate.rule.next_hop.kind == "peer"
    return text.partition(" (")[0] if is_peer else text


def start_at(network: Network, inst: int) -> Start:
    """The start of what an instance sends."""
    return Start(int(network.view.inst[inst * INST_WORDS + I_NODE]), inst)
