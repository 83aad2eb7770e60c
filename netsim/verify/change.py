"""Single changes as fixes: a sentence, edits and commands for each.

Edits and commands name things by name, where names are clear: what one makes another may use.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from netsim.controlplane import edit as e
from netsim.controlplane.edit import Edit
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import PeerConn, PeerConnState
from netsim.controlplane.route_table import RouteRule
from netsim.controlplane.values import MAX_NAME_CHARS
from netsim.controlplane.vpc import Vpc
from netsim.prefix import Prefix
from netsim.verify.repair import RuleChange, Step

NEW_BANDWIDTH_MBPS = 100
"""Of a connection that a fix makes."""

SURE = " --yes"
"""Ends the commands that delete: whoever runs a printed fix has decided."""


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


def revive(inventory: Inventory, conn: PeerConn) -> Fix:
    """What makes a consulting or expired connection active."""
    name = _conn_ref(inventory, conn)
    if conn.state is PeerConnState.CONSULTING:
        text = f"peer connection {conn.name}: {conn.peer.account} must accept the request"
        return Fix(text, (e.AcceptPeerConn(conn.id),), (command("peer", "accept", name),))
    text = f"peer connection {conn.name}: its prepaid period is over, renew it"
    return Fix(text, (e.RenewPeerConn(conn.id),), (command("peer", "renew", name),))


def delete_rule(inventory: Inventory, rule: RouteRule) -> Fix:
    """Take a rule away."""
    place = f"in {inventory.vpcs[rule.vpc_id].name}'s route table"
    pair = f"source {rule.source}, destination {rule.destination}"
    return Fix(
        f"{place}: delete rule {rule.id} ({pair})",
        (e.DeleteRoute(rule.id),),
        (command("route", "delete", **_rule_ref(inventory, rule)) + SURE,),
    )


def set_relay(inventory: Inventory, vpc: Vpc) -> Fix:
    """Let packets pass through a VPC."""
    return Fix(
        f"{vpc.name}: turn the relay role on, so that packets may pass through",
        (e.SetRelay(vpc.id, relay=True),),
        (command("vpc", "update", vpc_ref(inventory, vpc), relay="on"),),
    )


def create_rule(inventory: Inventory, vpc: Vpc, source: Prefix, destination: Prefix, conn: PeerConn) -> Fix:
    """Add a rule over a connection of the VPC."""
    return _new_rule(inventory, vpc, source, destination, interface_of(inventory, vpc.id, conn))


def interface_of(inventory: Inventory, vpc_id: str, conn: PeerConn) -> str:
    """The interface of a connection in a VPC: by name where that is clear, else by id."""
    side = conn.side_in(vpc_id)
    names = [other.side_in(vpc_id).interface_name for other in inventory.peer_conns_of(vpc_id)]
    is_clear = side.interface_name and names.count(side.interface_name) == 1
    return side.interface_name if is_clear else side.interface_id


def _new_rule(inventory: Inventory, vpc: Vpc, source: Prefix, destination: Prefix, next_hop: str) -> Fix:
    return Fix(
        f"in {vpc.name}'s route table: source {source}, destination {destination}, next hop {next_hop}",
        (e.CreateRoute(vpc.id, source, destination, next_hop),),
        (
            command(
                "route", "create", vpc=vpc_ref(inventory, vpc), source=str(source), destination=str(destination),
                next_hop=next_hop,
            ),
        ),
    )  # fmt: skip


class StepFixes:
    """The changes of one step of a repair."""

    def __init__(self, inventory: Inventory, step: Step) -> None:
        self._inventory = inventory
        self._step = step
        self._vpc = vpc_ref(inventory, step.vpc)

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
            side.interface_name or self._interface_name(step.vpc, step.far),
            beyond.interface_name or self._interface_name(step.far, step.vpc),
        )
        edits: list[Edit[Any]] = [e.DeletePeerConn(conn.id), again]
        if conn.delete_protect:
            edits.insert(0, e.SetDeleteProtect(conn.id, delete_protect=False))
        yield Fix(
            f"peer connection {conn.name}: the request failed; delete it and ask {step.far.account} again",
            tuple(edits),
            (command("peer", "delete", _conn_ref(self._inventory, conn)) + SURE, self._create_command(again)),
        )
        yield from self._accept_new(again.name)

    def _create(self) -> Iterator[Fix]:
        step = self._step
        name = self._conn_name(f"{step.vpc.name}-{step.far.name}"[: MAX_NAME_CHARS - 4].strip(), None)
        interfaces = self._interface_name(step.vpc, step.far), self._interface_name(step.far, step.vpc)
        edit = e.CreatePeerConn(step.vpc.id, step.far.id, NEW_BANDWIDTH_MBPS, name, *interfaces)
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
            yield Fix(text, (e.AcceptPeerConn(name),), (command("peer", "accept", name),))

    def _conn_name(self, wanted: str, but: PeerConn | None) -> str:
        """A name that no connection has, `but` aside, which is going to be deleted."""
        taken = {conn.name for conn in self._inventory.peer_conns.values() if conn is not but}
        return next(name for name in (wanted, *(f"{wanted}-{k}" for k in range(2, 10**6))) if name not in taken)

    def _create_command(self, edit: e.CreatePeerConn) -> str:
        far = vpc_ref(self._inventory, self._step.far)
        return command(
            "peer", "create", edit.name, local=self._vpc, peer=far, bandwidth=str(edit.bandwidth_mbps),
            local_interface=edit.local_interface, peer_interface=edit.peer_interface,
        )  # fmt: skip

    def _interface_name(self, vpc: Vpc, far: Vpc) -> str:
        """A name that no interface of the VPC has."""
        taken = {conn.side_in(vpc.id).interface_name for conn in self._inventory.peer_conns_of(vpc.id)}
        wanted = f"to-{far.name}"[: MAX_NAME_CHARS - 4].strip()
        return next(name for name in (wanted, *(f"{wanted}-{k}" for k in range(2, 1_000))) if name not in taken)

    def _rule(self, rule: RuleChange) -> Fix:
        next_hop = self._next_hop()
        if rule.instead_of is not None and rule.instead_of.rule is not None:
            changed = rule.instead_of.rule
            pair = f"source {rule.source}, destination {rule.destination}"
            place = f"in {self._step.vpc.name}'s route table"
            return Fix(
                f"{place}: rule {changed.id} ({pair}): change its next hop to {next_hop}",
                (e.UpdateRoute(changed.id, next_hop=next_hop),),
                (command("route", "update", **_rule_ref(self._inventory, changed), next_hop=next_hop),),
            )
        return _new_rule(self._inventory, self._step.vpc, rule.source, rule.destination, next_hop)

    def _next_hop(self) -> str:
        """The interface by name, also of a connection that is still to be made."""
        step, vpc = self._step, self._step.vpc
        if step.conn is None or step.conn.state is PeerConnState.CONSULT_FAILED:
            old = "" if step.conn is None else step.conn.side_in(vpc.id).interface_name
            return old or self._interface_name(vpc, step.far)
        return interface_of(self._inventory, vpc.id, step.conn)


def vpc_ref(inventory: Inventory, vpc: Vpc) -> str:
    """The VPC by name, by id where several have the name."""
    names = [other.name for other in inventory.vpcs.values()]
    return vpc.name if names.count(vpc.name) == 1 else vpc.id


def _rule_ref(inventory: Inventory, rule: RouteRule) -> dict[str, str]:
    """The options that name a rule: ids may change with the file they come from."""
    owner = inventory.vpcs[rule.vpc_id]
    return {"vpc": vpc_ref(inventory, owner), "source": str(rule.source), "destination": str(rule.destination)}


def _conn_ref(inventory: Inventory, conn: PeerConn) -> str:
    names = [other.name for other in inventory.peer_conns.values()]
    return conn.name if names.count(conn.name) == 1 else conn.id


def command(noun: str, verb: str, *things: str, **options: str) -> str:
    """A netsim command as it is typed; options without a value are left out."""
    words = ["netsim", noun, verb, *things]
    for name, value in options.items():
        if value:
            words += [f"--{name.replace('_', '-')}", value]
    return shlex.join(words)
