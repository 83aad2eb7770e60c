"""The cheapest repair: which changes would take a packet from one VPC to another.

Dijkstra over (VPC, connections crossed so far). An edge is a connection, or one that could be made; its
price is that of what must change to use it: a rule, the state of the connection, the relay role of a VPC
it leaves in transit. What works already is free, so the search repairs as little as it can, and each
change made leaves a cheaper rest: repairs end. Limits of the product are never broken on the way.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

from netsim.controlplane.peer_conn import PeerConn, PeerConnState
from netsim.controlplane.route_choice import Candidate, choose_route
from netsim.controlplane.vpc import Vpc
from netsim.prefix import Prefix
from netsim.verify.network import Network

HOP_PRICE, RULE_PRICE, ANSWER_PRICE, RELAY_PRICE, CREATE_PRICE = 1, 100, 300, 500, 2_000
MOST_HOPS = 62


class Packet(NamedTuple):
    """What is to arrive: addresses, the subnets they are in, and where they are."""

    src: int
    dst: int
    src_prefix: Prefix
    dst_prefix: Prefix
    src_vpc: str
    dst_vpc: str


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule to add (`instead_of` None), or to point elsewhere."""

    source: Prefix
    destination: Prefix
    instead_of: Candidate | None


@dataclass(frozen=True, slots=True)
class Step:
    """One hop of a repaired path: from `vpc` over a connection (None: one to be made) to `far`.

    `needs_relay`, `rule` and the state of the connection say what must change first.
    """

    vpc: Vpc
    far: Vpc
    conn: PeerConn | None
    needs_relay: bool
    rule: RuleChange | None

    @property
    def is_free(self) -> bool:
        """Whether nothing must change."""
        return self.conn is not None and self.conn.is_active and not self.needs_relay and self.rule is None


class Planner:
    """Repairs for one packet."""

    def __init__(self, network: Network, packet: Packet) -> None:
        self._inventory = network.inventory
        self._limits = network.inventory.limits
        self._packet = packet
        most = self._limits.transits
        self._most_used = MOST_HOPS if most is None else min(most + 1, MOST_HOPS)
        self._counts = most is not None

    def plan(self) -> tuple[Step, ...] | None:
        """The steps of the cheapest repaired path, None when no change helps."""
        start = (self._packet.src_vpc, 0)
        prices = {start: 0}
        came_by: dict[tuple[str, int], tuple[tuple[str, int], Step]] = {}
        heap = [(0, 0, start)]
        pushed = 0
        while heap:
            price, _, state = heappop(heap)
            if price > prices[state]:
                continue
            if state[0] == self._packet.dst_vpc:
                return _steps_to(state, came_by)
            for cost, step in self._edges(*state):
                used = state[1] + 1 if self._counts else 1
                after = (step.far.id, min(used, MOST_HOPS))
                if price + cost < prices.get(after, price + cost + 1):
                    prices[after] = price + cost
                    came_by[after] = (state, step)
                    pushed += 1
                    heappush(heap, (price + cost, pushed, after))
        return None

    def _edges(self, vpc_id: str, used: int) -> list[tuple[int, Step]]:
        """What leads on from here, with its price."""
        inventory, packet = self._inventory, self._packet
        vpc = inventory.vpcs[vpc_id]
        if vpc.cidr.has(packet.dst) or used >= self._most_used + (not self._counts):
            return []
        needs_relay = used > 0 and not vpc.relay
        if needs_relay and not self._may_relay(vpc, used):
            return []
        edges = []
        winner = choose_route(inventory, vpc_id, packet.src, packet.dst).winner
        is_connected = False
        for conn in inventory.peer_conns_of(vpc_id):
            far = inventory.vpcs[conn.side_beyond(vpc_id).vpc_id]
            is_connected |= far.id == packet.dst_vpc
            price = _price_of_state(conn)
            rule = None
            is_kept = conn.state is not PeerConnState.CONSULT_FAILED
            if not is_kept and needs_relay:
                continue
            if not is_kept and vpc.relay and far.relay and not self._limits.relay_may_peer:
                continue  # could not be asked for again
            if winner is None or winner.rule is None or not is_kept or not _leads_to(winner, conn):
                rule = self._rule_change(vpc, winner)
                if rule is None:
                    continue
                price += RULE_PRICE
            edges.append((price + HOP_PRICE + RELAY_PRICE * needs_relay, Step(vpc, far, conn, needs_relay, rule)))
        far = inventory.vpcs[packet.dst_vpc]
        if used == 0 and not is_connected and self._may_connect(vpc, far):
            rule = self._rule_change(vpc, winner)
            if rule is not None:
                price = CREATE_PRICE + RULE_PRICE + HOP_PRICE + ANSWER_PRICE * (vpc.account != far.account)
                edges.append((price, Step(vpc, far, None, False, rule)))
        return edges

    def _may_relay(self, vpc: Vpc, used: int) -> bool:
        """Whether the VPC may become a relay: no two relays are peered, also not after this repair."""
        if self._limits.relay_may_peer:
            return True
        peers = [
            self._inventory.vpcs[conn.side_beyond(vpc.id).vpc_id]
            for conn in self._inventory.peer_conns_of(vpc.id)
            if conn.state is not PeerConnState.CONSULT_FAILED
        ]
        return used == 1 and not any(peer.relay for peer in peers)

    def _may_connect(self, vpc: Vpc, far: Vpc) -> bool:
        """Whether the product allows one more connection between the two."""
        inventory, limits = self._inventory, self._limits
        if vpc.relay and far.relay and not limits.relay_may_peer:
            return False
        most = limits.peer_connections_per_vpc
        if most is not None and max(len(inventory.peer_conns_of(each.id)) for each in (vpc, far)) >= most:
            return False
        most = limits.peer_connections_per_account
        initiated = sum(conn.local.account == vpc.account for conn in inventory.peer_conns.values())
        return most is None or initiated < most

    def _rule_change(self, vpc: Vpc, winner: Candidate | None) -> RuleChange | None:
        """The widest rule between the two subnets that would win here, or a dead rule to turn round."""
        packet = self._packet
        lengths = (-1, -1) if winner is None else (winner.destination.prefix_len, winner.source.prefix_len)
        if (
            winner is not None
            and winner.rule is not None
            and self._is_dead(winner)
            and packet.dst_prefix.covers(winner.destination)
        ):
            return RuleChange(winner.source, winner.destination, winner)
        most = self._limits.routes_per_vpc
        if most is None or len(self._inventory.rules_of(vpc.id)) < most:
            for source, destination in itertools.product(
                (packet.src_prefix, Prefix(packet.src, 32)), (packet.dst_prefix, Prefix(packet.dst, 32))
            ):
                if not destination.overlaps(vpc.cidr) and (destination.prefix_len, source.prefix_len) > lengths:
                    return RuleChange(source, destination, None)
        if winner is None or winner.rule is None:
            return None
        is_ours_alone = winner.source.prefix_len == winner.destination.prefix_len == 32
        if is_ours_alone or self._is_dead(winner):
            return RuleChange(winner.source, winner.destination, winner)
        return None

    def _is_dead(self, candidate: Candidate) -> bool:
        """Whether the rule discards what it matches because its connection is gone or not active."""
        if candidate.rule is None or candidate.rule.next_hop.kind != "peer":
            return False
        conn = self._inventory.conn_of_interface(candidate.rule.next_hop.target)
        return conn is None or not conn.is_active


def _leads_to(candidate: Candidate, conn: PeerConn) -> bool:
    rule = candidate.rule
    return rule is not None and rule.next_hop.target == conn.side_in(rule.vpc_id).interface_id


def _price_of_state(conn: PeerConn) -> int:
    if conn.is_active:
        return 0
    if conn.state is PeerConnState.CONSULT_FAILED:
        return CREATE_PRICE + ANSWER_PRICE * 2
    return ANSWER_PRICE


def _steps_to(state: tuple[str, int], came_by: dict[tuple[str, int], tuple[tuple[str, int], Step]]) -> tuple[Step, ...]:
    steps = []
    while state in came_by:
        state, step = came_by[state]
        steps.append(step)
    return tuple(reversed(steps))
