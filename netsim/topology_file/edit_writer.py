"""EditWriter: an edit of the control plane as changes of the entries of a topology file.

Edits may build on each other: what one makes a later one may name. They are looked up in the inventory
as the file loads it, before any of them.
"""

from __future__ import annotations

from typing import Any

from netsim.controlplane.edit import (
    AcceptPeerConn,
    CreateInstance,
    CreatePeerConn,
    CreateRoute,
    DeletePeerConn,
    DeleteRoute,
    Edit,
    RejectPeerConn,
    RenewPeerConn,
    ResizePeerConn,
    SetDeleteProtect,
    SetRelay,
    UpdateInstance,
    UpdateRoute,
)
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import DEFAULT_MTU_BYTES
from netsim.controlplane.route_table import BLACKHOLE_WORD, NextHop
from netsim.errors import InvalidError, NotFoundError
from netsim.prefix import format_addr
from netsim.topology_file.edit_text import TextChanges
from netsim.topology_file.tree import Path
from netsim.traffic.expectation import format_port

_Entry = dict[str, Any]


class EditWriter:
    """Writes edits as changes of a text.

    Args:
        changes: grow.
        inventory: what the file loads to; read only.
    """

    def __init__(self, changes: TextChanges, inventory: Inventory) -> None:
        self._changes = changes
        self._inventory = inventory
        # A file that loads makes everything it lists, in its order.
        self._vpcs = {vpc_id: k for k, vpc_id in enumerate(inventory.vpcs)}
        self._conns = {conn.name: k for k, conn in enumerate(inventory.peer_conns.values())}
        self._new_conns: dict[str, _Entry] = {}
        self._deleted: dict[str, str] = {}  # connections: name -> id
        self._turned: set[str] = set()  # rules whose next hop is changed, or that are gone

    def write(self, edit: Edit[Any]) -> None:
        """Note what one edit changes.

        Raises:
            InvalidError: a file can't say it.
            NotFoundError: it names what is not there.
        """
        if isinstance(edit, CreateRoute):
            self._create_route(edit)
        elif isinstance(edit, UpdateRoute | DeleteRoute):
            self._change_route(edit)
        elif isinstance(edit, SetRelay):
            self._changes.set((*self._vpc(edit.vpc), "relay"), edit.relay, after="cidr")
        elif isinstance(edit, AcceptPeerConn | RenewPeerConn):
            self._set_of_conn(edit.peer_conn, "state", "active")
        elif isinstance(edit, RejectPeerConn):
            self._set_of_conn(edit.peer_conn, "state", "consult_failed")
        elif isinstance(edit, ResizePeerConn):
            self._set_of_conn(edit.peer_conn, "bandwidth_mbps", edit.bandwidth_mbps)
        elif isinstance(edit, UpdateInstance):
            self._update_instance(edit)
        elif isinstance(edit, CreateInstance):
            self._create_instance(edit)
        elif isinstance(edit, CreatePeerConn):
            self._create_peer_conn(edit)
        elif isinstance(edit, DeletePeerConn):
            self._delete_peer_conn(edit)
        elif not isinstance(edit, SetDeleteProtect):  # which files don't know
            raise InvalidError(f"{type(edit).__name__}: a change that can't be written into a file, make it by hand")

    def finish(self) -> None:
        """Note what follows from all edits together."""
        for entry in self._new_conns.values():
            self._changes.append(("peer_connections",), entry)
        gone = set()
        for name, conn_id in self._deleted.items():
            self._changes.remove(("peer_connections", self._conns[name]))
            conn = self._inventory.peer_conns[conn_id]
            gone |= {conn.local.interface_id, conn.peer.interface_id}
        for rule in self._inventory.rules.values() if gone else ():
            # Rules outlive their connection and discard; a file can't name an interface that is gone.
            if rule.next_hop.target in gone and rule.id not in self._turned:
                self._changes.set((*self._rule(rule.id), "next_hop"), BLACKHOLE_WORD)

    # -------------------------------------------------------------------------------- places

    def _vpc(self, ref: str) -> Path:
        return ("vpcs", self._vpcs[self._inventory.vpc(ref).id])

    def _rule(self, rule_id: str) -> Path:
        rule = self._inventory.rule(rule_id)
        ids = [each.id for each in self._inventory.rules_of(rule.vpc_id)]
        return (*self._vpc(rule.vpc_id), "routes", ids.index(rule.id))

    def _conn_name(self, ref: str) -> str:
        """The name in the file; a connection that was just made has no other."""
        return ref if ref in self._conns or ref in self._new_conns else self._inventory.peer_conn(ref).name

    def _set_of_conn(self, ref: str, key: str, value: str | int) -> None:
        name = self._conn_name(ref)
        if name in self._new_conns:
            self._new_conns[name][key] = value
            return
        if name in self._deleted:
            raise NotFoundError(f"peer connection {name}: deleted already")
        self._changes.set(("peer_connections", self._conns[name], key), value)

    def _instance(self, ref: str) -> Path:
        found = self._inventory.instance(ref)
        members = [member.id for member in self._inventory.instances_of(found.vpc_id)]
        return (*self._vpc(found.vpc_id), "instances", members.index(found.id))

    def _hop(self, vpc_id: str, next_hop: str | NextHop) -> str:
        """A next hop as files write it: an interface by its name, if it has one."""
        kind, target = (next_hop.kind, next_hop.target) if isinstance(next_hop, NextHop) else ("peer", next_hop)
        if kind != "peer":
            return str(next_hop)
        conn = self._inventory.conn_of_interface(target)
        if conn is None:
            return target
        side = conn.side_in(vpc_id)
        return side.interface_name or side.interface_id

    # -------------------------------------------------------------------------------- entries

    def _create_route(self, edit: CreateRoute) -> None:
        vpc_id = self._inventory.vpc(edit.vpc).id
        entry = {
            "source": str(edit.source),
            "destination": str(edit.destination),
            "next_hop": self._hop(vpc_id, edit.next_hop),
        }
        if edit.description:
            entry["description"] = edit.description
        self._changes.append((*self._vpc(vpc_id), "routes"), entry)

    def _change_route(self, edit: UpdateRoute | DeleteRoute) -> None:
        path, rule = self._rule(edit.rule), self._inventory.rule(edit.rule)
        if isinstance(edit, DeleteRoute):
            self._changes.remove(path)
            self._turned.add(rule.id)
            return
        for key in ("source", "destination", "description"):
            if (value := getattr(edit, key)) is not None:
                self._changes.set((*path, key), str(value))
        if edit.next_hop is not None:
            self._changes.set((*path, "next_hop"), self._hop(rule.vpc_id, edit.next_hop))
            self._turned.add(rule.id)

    def _update_instance(self, edit: UpdateInstance) -> None:
        path, now = self._instance(edit.instance), self._inventory.instance(edit.instance)
        if edit.name is not None:
            self._changes.set((*path, "name"), edit.name)
        if edit.nic_mbps is not None:
            self._changes.set((*path, "nic_mbps"), edit.nic_mbps)
        if edit.listen is None:
            return
        wanted = [port if isinstance(port, str) else format_port(port) for port in edit.listen]
        listed = [format_port(port) for port in now.listen]
        if set(listed) - set(wanted):
            raise InvalidError(f"instance {now.name}: closing a port can't be written into a file, make it by hand")
        for port in wanted:
            if port not in listed:
                self._changes.append((*path, "listen"), port)

    def _create_instance(self, edit: CreateInstance) -> None:
        subnet = self._inventory.subnet(edit.subnet, edit.vpc)
        if edit.addr is None:
            raise InvalidError(f"instance {edit.name}: a file needs its address")
        addr = edit.addr if isinstance(edit.addr, str) else format_addr(edit.addr)
        entry: _Entry = {"name": edit.name, "subnet": subnet.name, "ip": addr}
        if ports := [port if isinstance(port, str) else format_port(port) for port in edit.listen]:
            entry["listen"] = ports
        self._changes.append((*self._vpc(subnet.vpc_id), "instances"), entry)

    def _create_peer_conn(self, edit: CreatePeerConn) -> None:
        local, peer = self._inventory.vpc(edit.local_vpc), self._inventory.vpc(edit.peer_vpc)
        is_request = local.account != peer.account
        sides = (("local", local, edit.local_interface), ("peer", peer, edit.peer_interface))
        if edit.name in self._deleted:
            self._ask_again(edit, "consulting" if is_request else "active")
            return
        entry: _Entry = {"name": edit.name}
        for key, vpc, interface in sides:
            entry[key] = {"vpc": vpc.name, **({"interface": interface} if interface else {})}
        entry["bandwidth_mbps"] = edit.bandwidth_mbps
        if edit.payment != "postpaid":
            entry["payment"] = edit.payment
        for key in ("latency_ms", "burst_bytes", "queue_bytes"):
            if (value := getattr(edit, key)) is not None:
                entry[key] = value
        if edit.mtu_bytes != DEFAULT_MTU_BYTES:
            entry["mtu_bytes"] = edit.mtu_bytes
        if is_request:
            entry["state"] = "consulting"
        self._new_conns[edit.name] = entry

    def _ask_again(self, edit: CreatePeerConn, state: str) -> None:
        """Delete and make anew, the same connection: its entry in another state, comments and all."""
        conn = self._inventory.peer_conns[self._deleted.pop(edit.name)]
        path: Path = ("peer_connections", self._conns[edit.name])
        self._changes.set((*path, "state"), state)
        is_turned = self._inventory.vpc(edit.local_vpc).id != conn.local.vpc_id
        names = (
            (edit.peer_interface, edit.local_interface) if is_turned else (edit.local_interface, edit.peer_interface)
        )
        for key, side, name in zip(("local", "peer"), (conn.local, conn.peer), names, strict=True):
            if name and name != side.interface_name:
                self._changes.set((*path, key, "interface"), name)
        if edit.bandwidth_mbps != conn.bandwidth_mbps:
            self._changes.set((*path, "bandwidth_mbps"), edit.bandwidth_mbps)

    def _delete_peer_conn(self, edit: DeletePeerConn) -> None:
        name = self._conn_name(edit.peer_conn)
        if name in self._new_conns:
            del self._new_conns[name]
        else:
            self._deleted[name] = self._inventory.peer_conn(edit.peer_conn).id
