"""Rules that discard, never win, or change nothing: each VPC's table by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from netsim.controlplane.peer_conn import PeerConn, PeerConnState
from netsim.controlplane.route_choice import Candidate, describe_rule
from netsim.controlplane.route_table import RouteRule
from netsim.dataplane import fib as f
from netsim.dataplane.fib import table_of
from netsim.prefix import Prefix, prefix_of
from netsim.verify.atoms import UNFORWARDABLE
from netsim.verify.change import delete_rule, revive
from netsim.verify.finding import Finding, Witness
from netsim.verify.network import Network


def rule_findings(network: Network) -> Iterator[Finding]:
    """All findings about single rules, in order of VPCs and rules."""
    inventory = network.inventory
    wins = _wins(network)
    for vpc_id, vpc in inventory.vpcs.items():
        rules = inventory.rules_of(vpc_id)
        segments: dict[Prefix, list[RouteRule]] = {}
        for rule in rules:
            segments.setdefault(rule.destination, []).append(rule)
        for rule in rules:
            if rule.id not in wins:
                yield _shadowed(network, vpc.name, rule)
                continue
            witness = Witness(vpc.name, *wins[rule.id])
            dead = _dead(network, vpc.name, rule, witness)
            if dead is not None:
                yield dead
            elif _is_redundant(rule, segments):
                text = f"{vpc.name}: {_describe(network, rule)} changes nothing"
                yield Finding(
                    "redundant_rule", text, vpc.name, rule.id, None, witness, (delete_rule(network.inventory, rule),)
                )


def _describe(network: Network, rule: RouteRule) -> str:
    return describe_rule(network.inventory, Candidate(rule.source, rule.destination, rule))


def _wins(network: Network) -> Mapping[str, tuple[int, int]]:
    """For each rule that ever wins, a packet (source, destination) for which it does.

    The Fib holds a rule's number exactly where it wins, so this is a look, not a search. Destinations
    that no router forwards to do not count; of sources one that the VPC has is preferred.
    """
    fib = network.fib
    intervals = fib.dst_src.reshape(-1, 2)
    after = np.append(fib.dst_lo[1:], 0)
    found: dict[str, tuple[int, int]] = {}
    node = table_of(fib.node, f.NODE_WORDS)
    addrs = [instance.addr for instance in network.inventory.instances.values()]
    own = np.unique(np.array(addrs, np.int64))
    for first, count in node[:, [f.N_DST, f.N_DST_COUNT]].tolist():
        for k in range(first, first + count):
            end = int(after[k]) if k + 1 < first + count else 2**32
            dst = _forwardable(int(fib.dst_lo[k]), end)
            if dst is None:
                continue
            at, n = intervals[k].tolist()
            for entry in range(at, at + n):
                number = int(fib.src_rule[entry])
                if number < 0 or not network.rule_ids[number] or network.rule_ids[number] in found:
                    continue
                low = int(fib.src_lo[entry])
                high = int(fib.src_lo[entry + 1]) if entry + 1 < at + n else 2**32
                i = int(np.searchsorted(own, low))
                found[network.rule_ids[number]] = (int(own[i]) if i < len(own) and own[i] < high else low, dst)
    return found


def _forwardable(first: int, end: int) -> int | None:
    """The first address of [first, end) that routers forward to."""
    for low, after in UNFORWARDABLE:
        if low <= first < after:
            first = after
    return first if first < end else None


def _shadowed(network: Network, vpc: str, rule: RouteRule) -> Finding:
    text = f"{vpc}: {_describe(network, rule)} never wins"
    senders = (instance.addr for instance in network.inventory.instances_of(rule.vpc_id))
    src = next((addr for addr in senders if rule.source.has(addr)), rule.source.first)
    witness = Witness(vpc, src, rule.destination.first)
    return Finding("shadowed_rule", text, vpc, rule.id, None, witness, (delete_rule(network.inventory, rule),))


def _dead(network: Network, vpc: str, rule: RouteRule, witness: Witness) -> Finding | None:
    if rule.next_hop.kind != "peer":
        return None
    conn = network.inventory.conn_of_interface(rule.next_hop.target)
    if conn is not None and conn.is_active:
        return None
    state = "whose connection is gone" if conn is None else f"whose connection is {conn.state}"
    text = f"{vpc}: {_describe(network, rule)}, {state}, discards"
    conn_id = None if conn is None else conn.id
    fix = (
        revive(network.inventory, conn)
        if conn is not None and _may_revive(conn)
        else delete_rule(network.inventory, rule)
    )
    return Finding("bad_state_route", text, vpc, rule.id, conn_id, witness, (fix,))


def _may_revive(conn: PeerConn) -> bool:
    return conn.state in (PeerConnState.CONSULTING, PeerConnState.EXPIRED)


def _is_redundant(rule: RouteRule, by_destination: Mapping[Prefix, list[RouteRule]]) -> bool:
    """Whether every packet that it wins would be sent to the same next hop without it.

    Rules that match what it matches and are beaten by it have the same destination or one around it. Each
    piece of its source that no longer segment of the same destination takes is asked for its runner-up.
    """
    same = by_destination[rule.destination]
    longer = [other.source for other in same if other is not rule and rule.source.covers(other.source)]
    beaten = _beaten(rule, by_destination)
    cuts = {rule.source.first}
    for source in [*longer, *(other.source for other in beaten if rule.source.covers(other.source))]:
        cuts |= {source.first, source.last + 1}
    for src in sorted(cut for cut in cuts if rule.source.has(cut)):
        if any(source.has(src) for source in longer):
            continue
        runner_up = next((other for other in beaten if other.source.has(src)), None)
        if runner_up is None or runner_up.next_hop != rule.next_hop:
            return False
    return True


def _beaten(rule: RouteRule, by_destination: Mapping[Prefix, list[RouteRule]]) -> list[RouteRule]:
    """Rules of the same or a wider destination that match some of the same packets and lose, best first."""
    found: list[RouteRule] = []
    for length in range(rule.destination.prefix_len, -1, -1):
        here = by_destination.get(prefix_of(rule.destination.network, length), [])
        is_same = length == rule.destination.prefix_len
        matching = [
            other
            for other in here
            if other.source.overlaps(rule.source)
            and not (is_same and other.source.prefix_len >= rule.source.prefix_len)
        ]
        found += sorted(matching, key=lambda other: -other.source.prefix_len)
    return found
