"""Fixes: the exact next change for a "no", as a sentence, as edits, and as commands.

The changes of `Reach.fixes` are those of the cheapest repair (`repair.py`) of the way there, then of the
way back, in the order in which the packet meets them: made all, the pair is reachable; made the first, it
is or leads to the next. Where no change of the control plane helps, a fix without edits says what does.
"""

from __future__ import annotations

from dataclasses import replace

from netsim.controlplane import edit as e
from netsim.controlplane.vpc import Vpc
from netsim.dataplane.batch import PROTO_TCP
from netsim.dataplane.disposition import Disposition
from netsim.prefix import Prefix, format_addr
from netsim.verify.change import Fix, StepFixes, command, vpc_ref
from netsim.verify.endpoint import ANYWHERE, Endpoint
from netsim.verify.network import Network
from netsim.verify.reach import Port, Reach, is_open
from netsim.verify.reason import NOT_REACHABLE, PORT_CLOSED
from netsim.verify.repair import Packet, Planner


def with_fixes(network: Network, answer: Reach) -> Reach:
    """The answer with the changes that make it a yes."""
    return answer if answer.is_reachable else replace(answer, fixes=fixes_of(network, answer))


def fixes_of(network: Network, answer: Reach) -> tuple[Fix, ...]:
    """The changes for both directions and the port, in order; at least one, unless the answer is a yes."""
    if answer.is_reachable:
        return ()
    source, target = answer.source, answer.target
    is_there = answer.verdict != NOT_REACHABLE or answer.reason == PORT_CLOSED
    if target.node == ANYWHERE:
        if is_there:
            target = target._replace(node=answer.forward.node, inst=answer.forward.inst)
        else:
            located = _locate(network, answer)
            if isinstance(located, Fix):
                return (located,)
            target = located
    fixes: list[Fix] = []
    if not is_there:
        fixes += _plan(network, source, target) or (_no_plan(network, source, target),)
    if all(fix.edits for fix in fixes) and not _comes_back(answer):
        with network.inventory.attempted(*(edit for fix in fixes for edit in fix.edits)):
            fixes += _plan(network, target, source)
    if answer.port is not None and all(fix.edits for fix in fixes) and not is_open(network, target.inst, answer.port):
        fixes.append(_open_port(network, target, answer.port))
    return tuple(fixes) or (_no_plan(network, target, source),)


def _comes_back(answer: Reach) -> bool:
    """Whether what the target sends arrives at the source already."""
    return answer.back is not None and answer.back.is_delivered and answer.back.inst == answer.source.inst


def _plan(network: Network, sender: Endpoint, receiver: Endpoint) -> tuple[Fix, ...]:
    """The changes for one direction; none if it works as it is."""
    inventory = network.inventory
    near, far = network.vpc_ids[sender.node], network.vpc_ids[receiver.node]
    if near != far and inventory.vpcs[near].cidr.has(receiver.addr):
        return (_renumber(inventory.vpcs[near], inventory.vpcs[far], receiver.addr),)
    packet = Packet(
        sender.addr, receiver.addr, _subnet_of(network, sender), _subnet_of(network, receiver), near, far
    )  # fmt: skip
    steps = Planner(network, packet).plan()
    if steps is None:
        return (_no_plan(network, sender, receiver),)
    return tuple(fix for step in steps for fix in StepFixes(inventory, step).fixes())


def _no_plan(network: Network, sender: Endpoint, receiver: Endpoint) -> Fix:
    near, far = (network.inventory.vpcs[network.vpc_ids[end.node]] for end in (sender, receiver))
    return Fix(
        f"no rule, relay or connection between {near.name} and {far.name} can be changed or added within the limits "
        "in force: connections per VPC and account, rules per VPC, transits, no two relays peered. Raise one, or free "
        "a place"
    )


def _subnet_of(network: Network, end: Endpoint) -> Prefix:
    """The subnet the address is in; the address alone where it is in none."""
    subnets = network.inventory.subnets_of(network.vpc_ids[end.node])
    return next((subnet.cidr for subnet in subnets if subnet.cidr.has(end.addr)), Prefix(end.addr, 32))


def _locate(network: Network, answer: Reach) -> Endpoint | Fix:
    """The VPC where a bare address would be, or what to do when that is nowhere to be reached."""
    inventory, addr = network.inventory, answer.target.addr
    text = format_addr(addr)
    homes = [subnet for subnet in inventory.subnets.values() if subnet.cidr.has(addr)]
    own = network.vpc_ids[answer.source.node]
    homes.sort(key=lambda subnet: subnet.vpc_id != own)  # the own VPC's comes first: packets stay there
    if answer.forward.disposition is Disposition.BAD_DESTINATION:
        return Fix(f"{text} is no host's address: ask for another")
    if not homes:
        if answer.forward.disposition is Disposition.EXITS_NETWORK:
            return Fix(f"packets leave through {answer.forward.delivered_to}; what lies beyond is not emulated")
        return Fix(f"no subnet of any VPC holds {text}: create one there, or route it to a gateway")
    home = homes[0]
    vpc = inventory.vpcs[home.vpc_id]
    if any(instance.addr == addr for instance in inventory.instances_of(vpc.id)) or addr in (
        home.router_addr,
        home.resolver_addr,
    ):
        inst = next((i.id for i in inventory.instances_of(vpc.id) if i.addr == addr), None)
        return Endpoint(text, addr, network.node_of[vpc.id], -1 if inst is None else network.inst_of[inst])
    name = f"host-{text.replace('.', '-')}"
    return Fix(
        f"in {vpc.name}'s subnet {home.name}: nobody has {text}; start an instance with that address",
        (e.CreateInstance(name, home.id, addr),),
        (command("instance", "create", name, subnet=f"{vpc_ref(inventory, vpc)}/{home.name}", ip=text),),
    )


def _renumber(near: Vpc, far: Vpc, addr: int) -> Fix:
    return Fix(
        f"{format_addr(addr)} lies in {near.name}'s own {near.cidr}, which routes can't override: {near.name} and "
        f"{far.name} need CIDRs that do not overlap, and a CIDR can't be changed, so rebuild one of them"
    )


def _open_port(network: Network, target: Endpoint, wanted: Port) -> Fix:
    proto, number = wanted
    port = f"{'tcp' if proto == PROTO_TCP else 'udp'}/{number}"
    if target.inst < 0:
        return Fix(f"the router of {network.vpc_name(target.node)} listens on no port: ask an instance")
    instance = network.inventory.instances[network.instance_ids[target.inst]]
    listen = tuple(sorted({*instance.listen, wanted}))
    vpc = network.inventory.vpcs[instance.vpc_id]
    return Fix(
        f"on {instance.name}: listen on {port}",
        (e.UpdateInstance(instance.id, listen=listen),),
        (command("instance", "update", f"{vpc_ref(network.inventory, vpc)}/{instance.name}", listen=port),),
    )
