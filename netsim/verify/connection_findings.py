"""Connections that no round trip can use, and VPCs near each other that use the same addresses."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.controlplane.instance import Instance
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import PeerConn
from netsim.controlplane.vpc import Vpc
from netsim.prefix import ANY
from netsim.verify.change import Fix, create_rule
from netsim.verify.finding import Finding, Witness
from netsim.verify.network import Network


def connection_findings(network: Network) -> Iterator[Finding]:
    """Active connections with routes on one side or none, then overlapping CIDRs."""
    inventory = network.inventory
    routed = {rule.next_hop.target for rule in inventory.rules.values()}
    for conn in inventory.peer_conns.values():
        missing = [side for side in (conn.local, conn.peer) if side.interface_id not in routed]
        if conn.is_active and missing:
            yield _not_routed(inventory, conn, [inventory.vpcs[side.vpc_id] for side in missing])
    yield from _overlaps(inventory)


def _not_routed(inventory: Inventory, conn: PeerConn, missing: list[Vpc]) -> Finding:
    fixes = []
    for vpc in missing:
        far = inventory.vpcs[conn.side_beyond(vpc.id).vpc_id]
        if far.cidr.overlaps(vpc.cidr):
            fixes = [renumber(vpc, far)]
            break
        fixes.append(create_rule(inventory, vpc, ANY, far.cidr, conn))
    near = missing[0]
    far = inventory.vpcs[conn.side_beyond(near.id).vpc_id]
    where = " and ".join(vpc.name for vpc in missing)
    text = f"peer connection {conn.name}: no route in {where} points to it"
    witness = Witness(near.name, _some_addr(inventory, near), _some_addr(inventory, far))
    return Finding("peer_not_routed", text, near.name, None, conn.id, witness, tuple(fixes))


def _some_addr(inventory: Inventory, vpc: Vpc) -> int:
    """An address in the VPC: an instance's, else where its first could be."""
    return next((instance.addr for instance in inventory.instances_of(vpc.id)), vpc.cidr.first + 3)


def renumber(vpc: Vpc, far: Vpc) -> Fix:
    """What to do about two VPCs that use the same addresses: no edit can."""
    return Fix(
        f"{vpc.name} ({vpc.cidr}) and {far.name} ({far.cidr}) need CIDRs that do not overlap; a CIDR can't be changed, "
        "so rebuild one of them"
    )


def _overlaps(inventory: Inventory) -> Iterator[Finding]:
    """Pairs of VPCs with overlapping CIDRs that are peered, or have a peer in common."""
    peers: dict[str, list[str]] = {vpc_id: [] for vpc_id in inventory.vpcs}
    for conn in inventory.peer_conns.values():
        peers[conn.local.vpc_id].append(conn.peer.vpc_id)
        peers[conn.peer.vpc_id].append(conn.local.vpc_id)
    told: set[frozenset[str]] = set()
    for middle, around in peers.items():
        near = [inventory.vpcs[middle], *(inventory.vpcs[vpc_id] for vpc_id in around)]
        near.sort(key=lambda vpc: vpc.cidr)
        open_vpcs: list[Vpc] = []
        for vpc in near:
            # In order of network, shorter first: what still covers this one stays open.
            open_vpcs = [other for other in open_vpcs if other.cidr.covers(vpc.cidr)]
            for other in open_vpcs:
                pair = frozenset((vpc.id, other.id))
                if pair not in told:
                    told.add(pair)
                    yield _overlap(inventory, inventory.vpcs[middle], other, vpc)
            open_vpcs.append(vpc)


def _overlap(inventory: Inventory, middle: Vpc, one: Vpc, other: Vpc) -> Finding:
    ones = {instance.addr: instance for instance in inventory.instances_of(one.id)}
    twins = [(ones[i.addr], i) for i in inventory.instances_of(other.id) if i.addr in ones]
    relation = "are peered" if middle.id in (one.id, other.id) else f"are both peered with {middle.name}"
    text = f"{one.name} ({one.cidr}) and {other.name} ({other.cidr}) overlap and {relation}"
    if twins:
        text += f"; {_same_address(twins)}"
    dst = twins[0][0].addr if twins else max(one.cidr.first, other.cidr.first) + 3
    witness = Witness(middle.name, _some_addr(inventory, middle), dst)
    return Finding("overlapping_cidr", text, one.name, None, None, witness, (renumber(one, other),), max(1, len(twins)))


def _same_address(twins: list[tuple[Instance, Instance]]) -> str:
    pairs = ", ".join(f"{a.name} and {b.name}" for a, b in twins[:3])
    more = f" and {len(twins) - 3} more pairs" if len(twins) > 3 else ""
    return f"{pairs}{more} have the same address"
