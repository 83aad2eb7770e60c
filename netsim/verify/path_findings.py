"""What goes wrong along paths: one-way pairs, loops, transit that is refused, subnets that reach nobody."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netsim.controlplane.inventory import Inventory
from netsim.controlplane.vpc import Vpc
from netsim.dataplane import fib as f
from netsim.dataplane.disposition import Disposition
from netsim.prefix import format_addr
from netsim.verify.atoms import codes_of
from netsim.verify.change import Fix, set_relay
from netsim.verify.endpoint import instance_endpoint, router_endpoint
from netsim.verify.finding import Finding, Witness
from netsim.verify.fix import with_fixes
from netsim.verify.network import Network
from netsim.verify.pairs import DELIVERED, PairTable, all_pairs
from netsim.verify.path import Path, Start, walk
from netsim.verify.reach import Reach, judge
from netsim.verify.reachability import Reachability, Source, reachability

SUBNET_PAIRS_TOLD = 200
"""One-way findings in one list at most; each costs a repair."""


def path_findings(network: Network) -> Iterator[Finding]:
    """All findings about paths."""
    result = reachability(network)
    table = all_pairs(network, result)
    yield from _one_way(network, table)
    yield from _refused(network, result)
    yield from _isolated(network, table)


def _answer(network: Network, table: PairTable, a: int, b: int) -> Reach:
    source, target = (instance_endpoint(network, table.instance_ids[k]) for k in (a, b))
    return with_fixes(network, judge(network, source, target))


def _one_way(network: Network, table: PairTable) -> Iterator[Finding]:
    """One finding for each two subnets and reason."""
    inventory = network.inventory
    arrives = table.end == DELIVERED
    told: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    for a, b in np.argwhere(arrives & ~arrives.T).tolist():
        subnets = [inventory.instances[table.instance_ids[k]].subnet_id for k in (a, b)]
        told.setdefault((subnets[0], subnets[1], table.answer(a, b)[1]), []).append((a, b))
    for (near_id, far_id, reason), pairs in list(told.items())[:SUBNET_PAIRS_TOLD]:
        answer = _answer(network, table, *pairs[0])
        near_subnet, far_subnet = inventory.subnets[near_id], inventory.subnets[far_id]
        vpc, far = inventory.vpcs[near_subnet.vpc_id], inventory.vpcs[far_subnet.vpc_id]
        text = (
            f"{vpc.name}/{near_subnet.name} to {far.name}/{far_subnet.name}: packets arrive, answers don't ({reason}), "
            f"such as {answer.source.name} to {answer.target.name}"
        )
        witness = Witness(vpc.name, answer.source.addr, answer.target.addr)
        yield Finding("one_way", text, vpc.name, None, None, witness, answer.fixes, len(pairs))


def _refused(network: Network, result: Reachability) -> Iterator[Finding]:
    """Loops, transit and TTL: one finding for each circle, and for each pair of rules at which a path breaks off."""
    ends = [network.fib.n_nodes + int(d) for d in (Disposition.TRANSIT_DENIED, Disposition.TTL_EXPIRED)]
    told: set[frozenset[str | None]] = set()
    for row, atom in _suspects(network, result, ends):
        source = result.sources[row]
        src, dst = _own_addr(network, source), int(result.atom_lo[atom])
        path = walk(network, Start(source.node, _sender(network, source)), src, dst)
        if path.disposition not in (Disposition.TRANSIT_DENIED, Disposition.TTL_EXPIRED):
            continue  # it starts at an instance here, and the piece held only packets for others
        at = _circle_at(network, path)
        key = frozenset(hop.rule for hop in (path.hops[-2:] if at is None else path.hops[at:]))
        if key in told:
            continue
        told.add(key)
        yield _refusal(network, path, src, dst)


def _suspects(network: Network, result: Reachability, ends: list[int]) -> Iterator[tuple[int, int]]:
    """(source, atom) of each that ends so, one for each rule that starts it there.

    Packets that one rule of the sender's VPC sends off and that end alike are mostly one case; they are
    told apart by the rule's code and the fate, and by where the destination belongs.
    """
    fib = network.fib
    codes = codes_of(fib)
    for row, source in enumerate(result.sources):
        column = result.code[:, row]
        hits = np.flatnonzero(np.isin(column, ends))
        if not len(hits):
            continue
        first, count = (int(fib.node[source.node * f.NODE_WORDS + k]) for k in (f.N_DST, f.N_DST_COUNT))
        lows = fib.dst_lo[first : first + count]
        interval = first + np.searchsorted(lows, result.atom_lo[hits], side="right") - 1
        lists = fib.dst_src[interval * 2]
        _, where = np.unique(np.stack([lists, codes.start[interval], column[hits]]), axis=1, return_index=True)
        yield from ((row, int(hits[k])) for k in sorted(where.tolist()))


def _own_addr(network: Network, source: Source) -> int:
    """An address of the source that its VPC has: an instance's, else a router's."""
    vpc_id = network.vpc_ids[source.node]
    addrs = [instance.addr for instance in network.inventory.instances_of(vpc_id)]
    addrs += [subnet.router_addr for subnet in network.inventory.subnets_of(vpc_id)]
    return next((addr for addr in addrs if source.first <= addr <= source.last), source.first)


def _sender(network: Network, source: Source) -> int:
    """An instance of the VPC to send from, -1 if it has none: then its router does."""
    vpc_id = network.vpc_ids[source.node]
    return next((network.inst_of[i.id] for i in network.inventory.instances_of(vpc_id)), -1)


def _refusal(network: Network, path: Path, src: int, dst: int) -> Finding:
    inventory = network.inventory
    hops = path.hops
    names = [hop.vpc for hop in hops]
    witness = Witness(names[0], src, dst)
    rule = hops[-1].rule
    last = inventory.vpcs[hops[-1].vpc_id]
    fixes = _fixes_for(network, path)
    at = _circle_at(network, path)
    if at is not None:
        circle = list(dict.fromkeys(names[at:]))
        circle.append(circle[0])
        text = f"packets for {format_addr(dst)} go round in a circle: {' → '.join(circle)} ({path.disposition.symbol})"
        fix = Fix(f"point rule {rule} of {last.name} elsewhere, or delete it: it sends packets back")
        return Finding("loop", text, last.name, rule, None, witness, fixes or (fix,))
    if path.disposition is Disposition.TTL_EXPIRED:
        text = f"packets for {format_addr(dst)} pass more than 63 routers from {names[0]} on"
        fix = Fix(f"shorten the path: connect {names[0]} closer to the destination")
        return Finding("ttl_expired", text, names[0], hops[0].rule, None, witness, fixes or (fix,))
    why = "is no relay VPC" if not last.relay else "would be one transit too many"
    text = f"{hops[-2].vpc} sends packets for {format_addr(dst)} through {last.name}, which {why}"
    sender = hops[-2]
    if not fixes:
        may_relay = not last.relay and _may_relay(network, last)
        connect = Fix(f"connect {names[0]} to where {format_addr(dst)} is; {last.name} can't pass packets on")
        fixes = (set_relay(inventory, last),) if may_relay else (connect,)
    return Finding("transit_denied", text, sender.vpc, sender.rule, None, witness, fixes)


def _fixes_for(network: Network, path: Path) -> tuple[Fix, ...]:
    """The repair, where the destination is an instance and the source too."""
    inventory = network.inventory
    ends = []
    for addr in (path.src, path.dst):
        found = [i for i, instance in inventory.instances.items() if instance.addr == addr]
        if len(found) != 1:
            return ()
        ends.append(instance_endpoint(network, found[0]))
    return with_fixes(network, judge(network, ends[0], ends[1])).fixes


def _may_relay(network: Network, vpc: Vpc) -> bool:
    inventory = network.inventory
    if inventory.limits.relay_may_peer:
        return True
    peers = [inventory.vpcs[conn.side_beyond(vpc.id).vpc_id] for conn in inventory.peer_conns_of(vpc.id)]
    return not any(peer.relay for peer in peers)


def _circle_at(network: Network, path: Path) -> int | None:
    """The first hop of a circle: where the last rule sends packets, if they have been there."""
    onward = _far_end(network, network.inventory.vpcs[path.hops[-1].vpc_id], path.hops[-1].rule)
    visited = [hop.vpc_id for hop in path.hops]
    return visited.index(onward.id) if onward is not None and onward.id in visited else None


def _far_end(network: Network, vpc: Vpc, rule_id: str | None) -> Vpc | None:
    """Where the rule would send packets; None for the VPC itself and for gateways."""
    rule = network.inventory.rules.get(rule_id or "")
    conn = None if rule is None else network.inventory.conn_of_interface(rule.next_hop.target)
    return None if conn is None else network.inventory.vpcs[conn.side_beyond(vpc.id).vpc_id]


def _isolated(network: Network, table: PairTable) -> Iterator[Finding]:
    """Subnets whose instances reach no instance of another VPC, in VPCs with connections."""
    inventory = network.inventory
    instances = [inventory.instances[i] for i in table.instance_ids]
    number = {vpc_id: k for k, vpc_id in enumerate(inventory.vpcs)}
    vpcs = np.array([number[instance.vpc_id] for instance in instances], np.int64)
    reaches = (table.is_reachable & (vpcs[:, None] != vpcs[None, :])).any(axis=1)
    by_subnet: dict[str, list[int]] = {}
    for k, instance in enumerate(instances):
        by_subnet.setdefault(instance.subnet_id, []).append(k)
    for subnet_id, members in by_subnet.items():
        subnet = inventory.subnets[subnet_id]
        conns = inventory.peer_conns_of(subnet.vpc_id)
        if reaches[members].any() or not conns:
            continue
        vpc = inventory.vpcs[subnet.vpc_id]
        peers = {conn.side_beyond(vpc.id).vpc_id for conn in conns}
        others = [k for k, instance in enumerate(instances) if instance.vpc_id in peers]
        if not others:  # behind relays, perhaps
            beyond = _connected(inventory, vpc.id) - {vpc.id}
            others = [k for k, instance in enumerate(instances) if instance.vpc_id in beyond]
        text = f"{vpc.name}/{subnet.name}: none of its instances reaches anything outside of {vpc.name}"
        if others:
            target = instance_endpoint(network, table.instance_ids[others[0]])
        else:
            # Nobody is there; then a router is what there is to be reached.
            subnets = [found for peer in sorted(peers) for found in inventory.subnets_of(peer)]
            if not subnets:
                continue
            target = router_endpoint(network, subnets[0])
        answer = with_fixes(network, judge(network, instance_endpoint(network, table.instance_ids[members[0]]), target))
        if not answer.is_reachable:
            witness = Witness(vpc.name, answer.source.addr, answer.target.addr)
            yield Finding("isolated_subnet", text, vpc.name, None, None, witness, answer.fixes, len(members))


def _connected(inventory: Inventory, vpc_id: str) -> set[str]:
    """The VPCs that connections join with this one, however many, itself included."""
    found, new = {vpc_id}, [vpc_id]
    while new:
        at = new.pop()
        for conn in inventory.peer_conns_of(at):
            far = conn.side_beyond(at).vpc_id
            if far not in found:
                found.add(far)
                new.append(far)
    return found
