"""Fixes: the exact next change for a "no", as a sentence, as edits, and as commands.

The changes of `Reach.fixes` are those of the cheapest repair (`repair.py`), in the order in which the
packet meets them: made all, the direction that fails works; made the first, the pair works or leads to
the next. Where no change of the control plane helps, a fix without edits says what does.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from netsim.controlplane import edit as e
from netsim.controlplane.edit import Edit
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import PeerConn, PeerConnState
from netsim.controlplane.route_table import RouteRule
from netsim.controlplane.values import MAX_NAME_CHARS
from netsim.controlplane.vpc import Vpc
from netsim.dataplane.batch import PROTO_TCP
from netsim.dataplane.disposition import Disposition
from netsim.prefix import Prefix, format_addr
from netsim.verify.endpoint import ANYWHERE, Endpoint
from netsim.verify.network import Network
from netsim.verify.reach import Reach
from netsim.verify.reason import NOT_REACHABLE, PORT_CLOSED
from netsim.verify.repair import Packet, Planner, RuleChange, Step

NEW_BANDWIDTH_MBPS = 100
"""Of a connection that a fix makes."""


@dataclass(frozen=True, slots=True)
class Fix:
    """One change.

    Attributes:
        text: what to do, for people.
        edits: the same for `Inventory.apply`, to be committed together; none where no edit helps.
        commands: the same for a terminal.
    """

    text: str
    edits: tuple[Edit[Any], ...] = ()
    commands: tuple[str, ...] = ()


def with_fixes(network: Network, answer: Reach) -> Reach:
    """The answer with the changes that make it a yes."""
    return answer if answer.is_reachable else replace(answer, fixes=fixes_of(network, answer))


def fixes_of(network: Network, answer: Reach) -> tuple[Fix, ...]:
    """The changes for the direction that fails, in order; at least one, unless the answer is a yes."""
    if answer.is_reachable:
        return ()
    if answer.reason == PORT_CLOSED:
        return (_open_port(network, answer),)
    source, target = answer.source, answer.target
    if answer.verdict != NOT_REACHABLE:
        if target.node == ANYWHERE:
            target = target._replace(node=answer.forward.node, inst=answer.forward.inst)
        return _plan(network, target, source)
    if target.node == ANYWHERE:
        located = _locate(network, answer)
        if isinstance(located, Fix):
            return (located,)
        target = located
    return _plan(network, source, target)


def _plan(network: Network, sender: Endpoint, receiver: Endpoint) -> tuple[Fix, ...]:
    inventory = network.inventory
    near, far = network.vpc_ids[sender.node], network.vpc_ids[receiver.node]
    if near != far and inventory.vpcs[near].cidr.has(receiver.addr):
        return (_renumber(inventory.vpcs[near], inventory.vpcs[far], receiver.addr),)
    packet = Packet(
        sender.addr, receiver.addr, _subnet_of(network, sender), _subnet_of(network, receiver), near, far
    )  # fmt: skip
    steps = Planner(network, packet).plan()
    fixes = tuple(fix for step in steps or () for fix in _Writer(inventory, step).fixes())
    if fixes:
        return fixes
    names = f"{inventory.vpcs[near].name} and {inventory.vpcs[far].name}"
    return (
        Fix(
            f"no rule, relay or connection between {names} can be changed or added within the limits in force: "
            "connections per VPC and account, rules per VPC, transits, no two relays peered. Raise one, or free a place"
        ),
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
        (_command("instance", "create", name, subnet=f"{_ref(inventory, vpc)}/{home.name}", ip=text),),
    )


def _renumber(near: Vpc, far: Vpc, addr: int) -> Fix:
    return Fix(
        f"{format_addr(addr)} lies in {near.name}'s own {near.cidr}, which routes can't override: {near.name} and "
        f"{far.name} need CIDRs that do not overlap, and a CIDR can't be changed, so rebuild one of them"
    )


def _open_port(network: Network, answer: Reach) -> Fix:
    assert answer.port is not None
    proto, number = answer.port
    port = f"{'tcp' if proto == PROTO_TCP else 'udp'}/{number}"
    if answer.forward.inst < 0:
        return Fix(f"{answer.forward.delivered_to} listens on no port: ask an instance")
    instance = network.inventory.instances[network.instance_ids[answer.forward.inst]]
    listen = tuple(sorted({*instance.listen, answer.port}))
    vpc = network.inventory.vpcs[instance.vpc_id]
    return Fix(
        f"on {instance.name}: listen on {port}",
        (e.UpdateInstance(instance.id, listen=listen),),
        (_command("instance", "update", f"{_ref(network.inventory, vpc)}/{instance.name}", listen=port),),
    )


def revive(inventory: Inventory, conn: PeerConn) -> Fix:
    """What makes a consulting or expired connection active."""
    name = _conn_ref(inventory, conn)
    if conn.state is PeerConnState.CONSULTING:
        text = f"peer connection {conn.name}: {conn.peer.account} must accept the request"
        return Fix(text, (e.AcceptPeerConn(conn.id),), (_command("peer", "accept", name),))
    text = f"peer connection {conn.name}: its prepaid period is over, renew it"
    return Fix(text, (e.RenewPeerConn(conn.id),), (_command("peer", "renew", name),))


def delete_rule(inventory: Inventory, rule: RouteRule) -> Fix:
    """Take a rule away."""
    place = f"in {inventory.vpcs[rule.vpc_id].name}'s route table"
    pair = f"source {rule.source}, destination {rule.destination}"
    return Fix(
        f"{place}: delete rule {rule.id} ({pair})", (e.DeleteRoute(rule.id),), (_command("route", "delete", rule.id),)
    )


def set_relay(inventory: Inventory, vpc: Vpc) -> Fix:
    """Let packets pass through a VPC."""
    return Fix(
        f"{vpc.name}: turn the relay role on, so that packets may pass through",
        (e.SetRelay(vpc.id, relay=True),),
        (_command("vpc", "update", _ref(inventory, vpc), relay="on"),),
    )


def create_rule(inventory: Inventory, vpc: Vpc, source: Prefix, destination: Prefix, conn: PeerConn) -> Fix:
    """Add a rule over a connection of the VPC."""
    interface, shown = interface_of(inventory, vpc.id, conn)
    return _new_rule(inventory, vpc, source, destination, interface, shown)


def interface_of(inventory: Inventory, vpc_id: str, conn: PeerConn) -> tuple[str, str]:
    """The interface of a connection in a VPC, as edits and as people call it: by name where that is clear."""
    side = conn.side_in(vpc_id)
    names = [other.side_in(vpc_id).interface_name for other in inventory.peer_conns_of(vpc_id)]
    is_clear = side.interface_name and names.count(side.interface_name) == 1
    return side.interface_id, side.interface_name if is_clear else side.interface_id


def _new_rule(inventory: Inventory, vpc: Vpc, source: Prefix, destination: Prefix, interface: str, shown: str) -> Fix:
    return Fix(
        f"in {vpc.name}'s route table: source {source}, destination {destination}, next hop {shown}",
        (e.CreateRoute(vpc.id, source, destination, interface),),
        (
            _command(
                "route", "create", vpc=_ref(inventory, vpc), source=str(source), destination=str(destination),
                next_hop=shown,
            ),
        ),
    )  # fmt: skip


class _Writer:
    """Writes the changes of one step."""

    def __init__(self, inventory: Inventory, step: Step) -> None:
        self._inventory = inventory
        self._step = step
        self._vpc = _ref(inventory, step.vpc)

    def fixes(self) -> Iterator[Fix]:
        """Relay, connection, rule: in the order in which they must be made."""
        step = self._step
        if step.needs_relay:
            yield set_relay(self._inventory, step.vpc)
        if step.conn is None:
            yield from self._create()
        elif step.conn.state is PeerConnState.CONSULT_FAILED:
            yield from self._ask_again(step.conn)
        elif not step.conn.is_active:
            yield revive(self._inventory, step.conn)
        if step.rule is not None:
            yield self._rule(step.rule)

    def _ask_again(self, conn: PeerConn) -> Iterator[Fix]:
        """A request that failed never comes back: delete it and ask again."""
        step = self._step
        side, beyond = conn.side_in(step.vpc.id), conn.side_beyond(step.vpc.id)
        again = e.CreatePeerConn(
            step.vpc.id,
            step.far.id,
            conn.bandwidth_mbps,
            self._conn_name(conn.name, conn),
            side.interface_name or self._interface_name(),
            beyond.interface_name,
        )
        edits: list[Edit[Any]] = [e.DeletePeerConn(conn.id), again]
        if conn.delete_protect:
            edits.insert(0, e.SetDeleteProtect(conn.id, delete_protect=False))
        yield Fix(
            f"peer connection {conn.name}: the request failed; delete it and ask {step.far.account} again",
            tuple(edits),
            (_command("peer", "delete", _conn_ref(self._inventory, conn)), self._create_command(again)),
        )
        yield from self._accept_new(again.name)

    def _create(self) -> Iterator[Fix]:
        step = self._step
        name = self._conn_name(f"{step.vpc.name}-{step.far.name}"[: MAX_NAME_CHARS - 4].strip(), None)
        edit = e.CreatePeerConn(step.vpc.id, step.far.id, NEW_BANDWIDTH_MBPS, name, self._interface_name())
        yield Fix(
            f"connect {step.vpc.name} and {step.far.name}: nothing leads from one to the other",
            (edit,),
            (self._create_command(edit),),
        )
        yield from self._accept_new(name)

    def _accept_new(self, name: str) -> Iterator[Fix]:
        far = self._step.far
        if far.account != self._step.vpc.account:
            text = f"peer connection {name}: {far.account} must accept the request"
            yield Fix(text, (e.AcceptPeerConn(name),), (_command("peer", "accept", name),))

    def _conn_name(self, wanted: str, but: PeerConn | None) -> str:
        """A name that no connection has, `but` aside, which is going to be deleted."""
        taken = {conn.name for conn in self._inventory.peer_conns.values() if conn is not but}
        return next(name for name in (wanted, *(f"{wanted}-{k}" for k in range(2, 10**6))) if name not in taken)

    def _create_command(self, edit: e.CreatePeerConn) -> str:
        far = _ref(self._inventory, self._step.far)
        return _command(
            "peer", "create", edit.name, local=self._vpc, peer=far, bandwidth=str(edit.bandwidth_mbps),
            local_interface=edit.local_interface, peer_interface=edit.peer_interface,
        )  # fmt: skip

    def _interface_name(self) -> str:
        """A name that no interface of the VPC has."""
        vpc_id = self._step.vpc.id
        taken = {conn.side_in(vpc_id).interface_name for conn in self._inventory.peer_conns_of(vpc_id)}
        wanted = f"to-{self._step.far.name}"[: MAX_NAME_CHARS - 4].strip()
        return next(name for name in (wanted, *(f"{wanted}-{k}" for k in range(2, 1_000))) if name not in taken)

    def _rule(self, rule: RuleChange) -> Fix:
        interface, shown = self._next_hop()
        if rule.instead_of is not None and rule.instead_of.rule is not None:
            changed = rule.instead_of.rule
            pair = f"source {rule.source}, destination {rule.destination}"
            return Fix(
                f"in {self._step.vpc.name}'s route table: rule {changed.id} ({pair}): change its next hop to {shown}",
                (e.UpdateRoute(changed.id, next_hop=interface),),
                (_command("route", "update", changed.id, next_hop=shown),),
            )
        return _new_rule(self._inventory, self._step.vpc, rule.source, rule.destination, interface, shown)

    def _next_hop(self) -> tuple[str, str]:
        """The interface as edits and as people call it."""
        step, vpc_id = self._step, self._step.vpc.id
        if step.conn is None or step.conn.state is PeerConnState.CONSULT_FAILED:
            old = "" if step.conn is None else step.conn.side_in(vpc_id).interface_name
            name = old or self._interface_name()
            return name, name
        return interface_of(self._inventory, vpc_id, step.conn)


def _ref(inventory: Inventory, vpc: Vpc) -> str:
    """The VPC by name, by id where several have the name."""
    names = [other.name for other in inventory.vpcs.values()]
    return vpc.name if names.count(vpc.name) == 1 else vpc.id


def _conn_ref(inventory: Inventory, conn: PeerConn) -> str:
    names = [other.name for other in inventory.peer_conns.values()]
    return conn.name if names.count(conn.name) == 1 else conn.id


def _command(noun: str, verb: str, *things: str, **options: str) -> str:
    words = ["netsim", noun, verb, *things]
    for name, value in options.items():
        if value:
            words += [f"--{name.replace('_', '-')}", value]
    return shlex.join(words)
