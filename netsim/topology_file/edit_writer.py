"""EditWriter: an edit of the control plane as changes of the entries of a topology file.

Edits may build on each other: what one makes a later one may name. They are looked up in the inventory
as the file loads it, before any of them.
"""

from __future__ import annotations

from typing import Any

from netsim.controlplane.edit import (
    AcceptPeerConn,
    CreatePeerConn,
    CreateRoute,
    DeletePeerConn,
    DeleteRoute,
    Edit,
    RejectPeerConn,
    RenewPeerConn,
    ResizePeerConn,
    SetDeleteProtect,
    SetDnsSync,
    UpdatePeerConn,
    UpdateRoute,
)
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import DEFAULT_MTU_BYTES, SIDES
from netsim.controlplane.route_table import BLACKHOLE_WORD, NextHop
from netsim.errors import InvalidError, NotFoundError
from netsim.topology_file.edit_places import Places
from netsim.topology_file.edit_text import TextChanges
from netsim.topology_file.edit_vpc import VpcEdits
from netsim.topology_file.tree import Path

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
        self._places = Places(inventory)
        self._vpc_edits = VpcEdits(changes, self._places)
        self._new_conns: dict[str, _Entry] = {}
        self._switches: dict[str, dict[str, bool]] = {}  # of DNS sync, by connection
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
        elif isinstance(edit, AcceptPeerConn | RenewPeerConn):
            self._set_of_conn(edit.peer_conn, "state", "active")
        elif isinstance(edit, RejectPeerConn):
            self._set_of_conn(edit.peer_conn, "state", "consult_failed")
        elif isinstance(edit, ResizePeerConn):
            self._set_of_conn(edit.peer_conn, "bandwidth_mbps", edit.bandwidth_mbps)
        elif isinstance(edit, CreatePeerConn):
            self._create_peer_conn(edit)
        elif isinstance(edit, UpdatePeerConn):
            self._update_peer_conn(edit)
        elif isinstance(edit, SetDnsSync):
            self._set_dns_sync(edit)
        elif isinstance(edit, DeletePeerConn):
            self._delete_peer_conn(edit)
        elif not self._vpc_edits.write(edit) and not isinstance(edit, SetDeleteProtect):  # which files don't know
            raise InvalidError(f"{type(edit).__name__}: a change that can't be written into a file, make it by hand")

    def finish(self) -> None:
        """Note what follows from all edits together."""
        self._vpc_edits.finish()
        for entry in self._new_conns.values():
            self._changes.append(("peer_connections",), entry)
        gone = set()
        for name, conn_id in self._deleted.items():
            self._changes.remove(self._places.conn(name))
            conn = self._inventory.peer_conns[conn_id]
            gone |= {conn.local.interface_id, conn.peer.interface_id}
        for rule in self._inventory.rules.values() if gone else ():
            # Rules outlive their connection and discard; a file can't name an interface that is gone.
            if rule.next_hop.target in gone and rule.id not in self._turned:
                self._changes.set((*self._places.rule(rule.id), "next_hop"), BLACKHOLE_WORD)

    # -------------------------------------------------------------------------------- places

    def _conn_name(self, ref: str) -> str:
        """The name in the file; a connection that was just made has no other."""
        return ref if self._places.has_conn(ref) or ref in self._new_conns else self._inventory.peer_conn(ref).name

    def _set_of_conn(self, ref: str, key: str, value: str | int) -> None:
        name = self._conn_name(ref)
        if name in self._new_conns:
            self._new_conns[name][key] = value
            return
        if name in self._deleted:
            raise NotFoundError(f"peer connection {name}: deleted already")
        self._changes.set((*self._places.conn(name), key), value)

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
        self._changes.append((*self._places.vpc(vpc_id), "routes"), entry)

    def _change_route(self, edit: UpdateRoute | DeleteRoute) -> None:
        path, rule = self._places.rule(edit.rule), self._inventory.rule(edit.rule)
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
        if edit.accounting != "l3":
            entry["accounting"] = edit.accounting
        if edit.police:
            entry["police"] = True
        if is_request:
            entry["state"] = "consulting"
        self._new_conns[edit.name] = entry

    def _ask_again(self, edit: CreatePeerConn, state: str) -> None:
        """Delete and make anew, the same connection: its entry in another state, comments and all."""
        conn = self._inventory.peer_conns[self._deleted.pop(edit.name)]
        path: Path = self._places.conn(edit.name)
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

    def _update_peer_conn(self, edit: UpdatePeerConn) -> None:
        conn = self._inventory.peer_conn(edit.peer_conn)
        path = self._places.conn(conn.name)
        if edit.description is not None:
            raise InvalidError(f"peer connection {conn.name}: a file keeps no description of connections")
        if edit.name is not None:
            self._changes.set((*path, "name"), edit.name)
        if edit.interface_name is None:
            return
        key = edit.side or "local"
        side = conn.local if key == "local" else conn.peer
        if not edit.interface_name:
            raise InvalidError(f"peer connection {conn.name}: an interface's name can't be taken away in a file")
        self._changes.set((*path, key, "interface"), edit.interface_name, after="vpc")
        for rule in self._inventory.rules_of(side.vpc_id):
            if rule.next_hop.target == side.interface_id:
                self._changes.set((*self._places.rule(rule.id), "next_hop"), edit.interface_name)

    def _set_dns_sync(self, edit: SetDnsSync) -> None:
        conn = self._inventory.peer_conn(edit.peer_conn)
        path = (*self._places.conn(conn.name), "dns_sync")
        changed = SIDES if conn.is_same_account else (edit.side,)
        switches = self._switches.setdefault(conn.id, {side: conn.side(side).dns_sync for side in SIDES})
        switches |= {side: edit.enabled for side in changed if side is not None}
        if not self._changes.has(path):
            self._changes.set(path, switches)
            return
        for side, is_on in switches.items():
            self._changes.set((*path, side), is_on)
