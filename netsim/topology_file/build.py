"""A file's models to an inventory, through the operations the API uses; every refusal is a problem with a place.

Order: accounts; VPCs, each with its subnets, instances and DNS records; connections; routes. Loading
goes on after a refusal. What was not made is lost (`names`), and gives no further problems.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from netsim.clock import FILE_RUN_START_NS, VirtualClock
from netsim.controlplane.edit import (
    CreateAccount,
    CreateDnsRecord,
    CreateInstance,
    CreatePeerConn,
    CreateRoute,
    CreateSubnet,
    CreateVpc,
    Edit,
    SetDnsSync,
)
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import DEFAULT_MTU_BYTES, PeerConn
from netsim.controlplane.route_table import BLACKHOLE_WORD, GATEWAY_SCHEME, NextHop
from netsim.errors import Problem, QuotaError, RefusedError
from netsim.topology_file import schema
from netsim.topology_file.file_names import FileNames
from netsim.topology_file.names import Names
from netsim.topology_file.shape import Shape
from netsim.topology_file.tree import Path

T = TypeVar("T")

_VPC_ID = re.compile(r"\bvpc-[0-9a-z]+")

# Fields of edits to keys of the file, where the two differ.
_INSTANCE_KEYS: Mapping[str, Path] = {"addr": ("ip",), "vpc": ("subnet",)}
_DNS_KEYS: Mapping[str, Path] = {"addr": ("a",)}
_ROUTE_KEYS: Mapping[str, Path] = {"vpc": ()}
_PEER_KEYS: Mapping[str, Path] = {
    "local_vpc": ("local", "vpc"),
    "peer_vpc": ("peer", "vpc"),
    "local_interface": ("local", "interface"),
    "peer_interface": ("peer", "interface"),
    "peer_account": ("peer", "vpc"),
    "peer_region": ("peer", "vpc"),
    "months": ("payment",),
    "enabled": ("dns_sync",),
    "side": ("dns_sync",),
    "peer_conn": ("dns_sync",),
}


MAX_PROBLEMS = 1_000
"""A longer list is read by nobody: reading stops there."""


class EnoughProblemsError(Exception):
    """The list is full; nothing is lost by not looking further."""


class Builder:
    """Makes the inventory; `problems` grows, `names` tell what references may name."""

    def __init__(self, shape: Shape, file: schema.TopologyFile, seed: int) -> None:
        self.shape = shape
        self.file = file
        self.problems: list[Problem] = []
        self.names = FileNames(shape, file)
        limits = file.limits.model_dump(exclude_unset=True) if file.limits else {}
        clock = VirtualClock(FILE_RUN_START_NS)
        self.inventory = Inventory(profile=file.profile, limits=limits, clock=clock, seed=seed)

    def build(self) -> None:
        """Everything but traffic and expectations."""
        for i, account in enumerate(self.file.accounts or ()):
            path = self.at(("accounts",), i)
            if self.claim(self.names.accounts, account.id, (*path, "id")):
                self._make(CreateAccount(account.id), path, self.names.accounts, account.id)
        for i, vpc in enumerate(self.file.vpcs or ()):
            self._build_vpc(vpc, self.at(("vpcs",), i))
        for i, conn in enumerate(self.file.peer_connections or ()):
            self._build_peer_connection(conn, self.at(("peer_connections",), i))
        for i, vpc in enumerate(self.file.vpcs or ()):
            self._build_routes(vpc, self.at(("vpcs",), i))

    # ------------------------------------------------------------------ VPCs

    def _build_vpc(self, vpc: schema.Vpc, path: Path) -> None:
        is_new = self.claim(self.names.vpcs, vpc.name, (*path, "name"))
        owner = self.find(self.names.accounts, vpc.account, (*path, "account"))
        made = None
        if is_new and owner is not None:
            edit = CreateVpc(vpc.name, vpc.region, vpc.cidr, owner, vpc.relay, vpc.description)
            made = self._make(edit, path, self.names.vpcs, vpc.name)
        if made is None:
            self.names.vpcs.lose(vpc.name)
            for instance in vpc.instances or ():
                self.names.lose_instance(vpc.name, instance.name)
            return
        subnets = self.names.subnets_in(vpc.name)
        for i, subnet in enumerate(vpc.subnets or ()):
            at = self.at((*path, "subnets"), i)
            if self.claim(subnets, subnet.name, (*at, "name")):
                self._make(CreateSubnet(made.id, subnet.name, subnet.cidr, subnet.zone), at, subnets, subnet.name)
        for i, instance in enumerate(vpc.instances or ()):
            self._build_instance(instance, vpc, made.id, self.at((*path, "instances"), i))
        for i, record in enumerate(vpc.dns or ()):
            self._try(CreateDnsRecord(made.id, record.name, record.a), self.at((*path, "dns"), i), _DNS_KEYS)

    def _build_instance(self, instance: schema.Instance, vpc: schema.Vpc, vpc_id: str, path: Path) -> None:
        name = instance.name
        is_new = self.claim(self.names.instances, name, (*path, "name"))
        subnet = self.find(self.names.subnets_in(vpc.name), instance.subnet, (*path, "subnet"))
        made = None
        if is_new and subnet is not None:
            edit = CreateInstance(name, subnet, instance.ip, vpc_id, tuple(instance.listen or ()), instance.nic_mbps)
            made = self._try(edit, path, _INSTANCE_KEYS)
        if made is None:
            self.names.lose_instance(vpc.name, name)
        else:
            self.names.add_instance(vpc.name, name, made.id)

    # ------------------------------------------------------------------ peer connections

    def _build_peer_connection(self, conn: schema.PeerConnection, path: Path) -> None:
        is_new = self.claim(self.names.peer_connections, conn.name, (*path, "name"))
        local = self.find(self.names.vpcs, conn.local.vpc, (*path, "local", "vpc"))
        peer = self.find(self.names.vpcs, conn.peer.vpc, (*path, "peer", "vpc"))
        made = None
        if is_new and local is not None and peer is not None and self._interfaces_are_new(conn, path):
            made = self._try(_create_peer_conn(conn, local, peer), path, _PEER_KEYS)
        if made is None:
            for side in (conn.local, conn.peer):
                self.names.interfaces_in(side.vpc).lose(side.interface)
            return
        for side, end in ((conn.local, made.local), (conn.peer, made.peer)):
            interfaces = self.names.interfaces_in(side.vpc)
            interfaces.add(end.interface_id, end.interface_id, is_alias=True)
            if end.interface_name:
                interfaces.add(end.interface_name, end.interface_id)
        if conn.dns_sync is not None:
            self._set_dns_sync(conn.dns_sync, made, path)

    def _interfaces_are_new(self, conn: schema.PeerConnection, path: Path) -> bool:
        """Routes name interfaces, so two of one VPC can't share a name."""
        is_new = True
        for key, side in (("local", conn.local), ("peer", conn.peer)):
            if side.interface is not None:
                interfaces = self.names.interfaces_in(side.vpc)
                is_new &= self.claim(interfaces, side.interface, (*path, key, "interface"))
        return is_new

    def _set_dns_sync(self, sync: schema.DnsSync, made: PeerConn, path: Path) -> None:
        if sync.local and sync.peer:
            edits = [SetDnsSync(made.id, enabled=True, side="local"), SetDnsSync(made.id, enabled=True, side="peer")]
        elif made.is_same_account and (sync.local or sync.peer):
            message = "one account owns both sides and one switch sets both, accepted: local and peer the same"
            self.note((*path, "dns_sync"), message)
            return
        else:
            edits = [SetDnsSync(made.id, enabled=True, side="local")] if sync.local else []
            edits += [SetDnsSync(made.id, enabled=True, side="peer")] if sync.peer else []
        for edit in edits:
            if self._try(edit, path, _PEER_KEYS) is None:
                return

    # ------------------------------------------------------------------ routes

    def _build_routes(self, vpc: schema.Vpc, path: Path) -> None:
        vpc_id = self.names.vpcs.find(vpc.name)
        list_path = (*path, "routes")
        if vpc_id is None or not vpc.routes or self.shape.place_line((*path, "name")) != self.names.vpcs.line(vpc.name):
            return
        interfaces = self.names.interfaces_in(vpc.name)
        hops: dict[str, NextHop | str | None] = {}
        edits: list[CreateRoute] = []
        places: list[int] = []
        for i, route in enumerate(vpc.routes):
            text = route.next_hop
            hop = hops[text] if text in hops else hops.setdefault(text, _next_hop(text, interfaces))
            if hop is None:
                if not interfaces.may_be_lost(text):
                    self.note((*self.at(list_path, i), "next_hop"), _unknown_hop(text, interfaces))
                continue
            edits.append(CreateRoute(vpc_id, route.source, route.destination, hop, route.description))
            places.append(i)
        try:
            # All at once is quicker, and the usual case.
            self.inventory.apply(*edits)
        except RefusedError:
            self._build_one_by_one(edits, [self.at(list_path, i) for i in places], self.names.subnets_in(vpc.name))

    def _build_one_by_one(self, edits: list[CreateRoute], paths: list[Path], subnets: Names) -> None:
        is_full = False
        lines: dict[Any, int] = {}
        for edit, path in zip(edits, paths, strict=True):
            pair = (edit.source, edit.destination)
            if pair in lines:
                message = f"{edit.destination} from {edit.source} is given twice, first in line {lines[pair]}"
                self.note((*path, "destination"), message)
                continue
            lines[pair] = self.shape.place_line(path)
            try:
                self.inventory.apply(edit)
            except QuotaError as error:
                # One too many and a thousand too many are one mistake.
                if not is_full:
                    self.note(path, str(error))
                is_full = True
            except RefusedError as error:
                if error.field == "source" and subnets.has_lost:
                    continue
                self._refuse(error, path, _ROUTE_KEYS)

    # ------------------------------------------------------------------ shared

    def at(self, list_path: Path, i: int) -> Path:
        """The path in the file of the i-th entry of a list."""
        return (*list_path, self.shape.index(list_path, i))

    def note(self, path: Path, message: str) -> None:
        """Add a problem at a path of the file."""
        self.problems.append(self.shape.place_problem(path, message))
        if len(self.problems) >= MAX_PROBLEMS:
            raise EnoughProblemsError

    def _refuse(self, error: RefusedError, path: Path, keys: Mapping[str, Path]) -> None:
        key = keys.get(error.field, (error.field,) if error.field else ())
        # The file knows names; ids are made while it is read.
        message = _VPC_ID.sub(lambda found: self._vpc_name(found[0]), str(error))
        self.note((*path, *key), message)

    def _vpc_name(self, vpc_id: str) -> str:
        vpc = self.inventory.vpcs.get(vpc_id)
        return vpc_id if vpc is None else vpc.name

    def _try(self, edit: Edit[T], path: Path, keys: Mapping[str, Path] | None = None) -> T | None:
        """Apply one edit; None and a problem if it is refused."""
        try:
            return self.inventory.apply(edit)
        except RefusedError as error:
            self._refuse(error, path, keys or {})
            return None

    def _make(self, edit: Edit[T], path: Path, names: Names, name: str) -> T | None:
        made = self._try(edit, path)
        if made is None:
            names.lose(name)
        else:
            names.add(name, getattr(made, "id"))  # noqa: B009 - T has an id, which Edit can't say
        return made

    def claim(self, names: Names, name: str, path: Path) -> bool:
        """Take a name that must be unique; False and a problem if it is taken."""
        message = names.claim(name, self.shape.place_line(path))
        if message:
            self.note(path, message)
        return not message

    def find(self, names: Names, name: str, path: Path) -> str | None:
        """The id a reference means; None and a problem, or None because of an earlier one."""
        found = names.find(name)
        if found is None and not names.may_be_lost(name):
            self.note(path, names.unknown(name))
        return found


def _create_peer_conn(conn: schema.PeerConnection, local_id: str, peer_id: str) -> CreatePeerConn:
    return CreatePeerConn(
        local_vpc=local_id,
        peer_vpc=peer_id,
        bandwidth_mbps=conn.bandwidth_mbps,
        name=conn.name,
        local_interface=conn.local.interface or "",
        peer_interface=conn.peer.interface or "",
        payment=conn.payment,
        latency_ms=conn.latency_ms,
        burst_bytes=conn.burst_bytes,
        queue_bytes=conn.queue_bytes,
        mtu_bytes=DEFAULT_MTU_BYTES if conn.mtu_bytes is None else conn.mtu_bytes,
        accounting=conn.accounting,
        police=conn.police,
        state=conn.state or "active",
    )


def _next_hop(text: str, interfaces: Names) -> NextHop | str | None:
    if text == BLACKHOLE_WORD or text.startswith(GATEWAY_SCHEME):
        return text
    interface_id = interfaces.find(text)
    return None if interface_id is None else NextHop("peer", interface_id)


def _unknown_hop(text: str, interfaces: Names) -> str:
    return interfaces.unknown(text, extra=("gateway:NAME", BLACKHOLE_WORD))
