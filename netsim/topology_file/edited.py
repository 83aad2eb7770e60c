"""Edits of the control plane, written into the topology file that the network came from.

An edit names things by id; here they become the entries of the file that made them. What a file can't
say is refused: the file stays as it is. The result has been loaded once, so it is a topology file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from netsim.controlplane.edit import (
    AcceptPeerConn,
    CreateInstance,
    CreatePeerConn,
    CreateRoute,
    DeletePeerConn,
    DeleteRoute,
    Edit,
    RenewPeerConn,
    ResizePeerConn,
    SetDeleteProtect,
    SetRelay,
    UpdateInstance,
    UpdateRoute,
)
from netsim.controlplane.route_table import NextHop
from netsim.errors import InvalidError, NotFoundError, TopologyError
from netsim.prefix import format_addr
from netsim.topology_file.edit_text import append_item, remove_item, set_value
from netsim.topology_file.loader import Topology, read_topology
from netsim.topology_file.tree import Path
from netsim.traffic.expectation import format_port

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def edited_file(source: bytes, topology: Topology, edits: Iterable[Edit[Any]], file_name: str = "file") -> bytes:
    """The bytes of the file with the edits made, every other byte as it was.

    Args:
        source: the file.
        topology: what it loads to; not changed.
        edits: in order; what they name is looked up in the topology's inventory.
        file_name: for messages.

    Raises:
        InvalidError: a change that a file can't say, or that can't be made without changing more.
        NotFoundError: an edit names what is not there.
    """
    bom, encoding = next((pair for pair in _BOMS if source.startswith(pair[0])), (b"", "utf-8"))
    text = source[len(bom) :].decode(encoding)
    writer = _Writer(text, topology)
    for edit in edits:
        writer.write(edit)
    new = writer.finish()
    try:
        read_topology(new, file_name)
        if _is_json(text):
            json.loads(new)
    except TopologyError as error:
        raise InvalidError(
            f"the change can't be written, the file would be wrong: {str(error).splitlines()[0]}"
        ) from None
    except ValueError:
        raise InvalidError(f"{file_name}: the change can't be written as JSON, edit the file by hand") from None
    return bom + new.encode(encoding)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


class _Writer:
    """A text on its way, and where in it the things stand."""

    def __init__(self, text: str, topology: Topology) -> None:
        self._text = text
        self._inventory = inventory = topology.inventory
        # A file that loads makes everything it lists, in its order.
        self._vpcs = list(inventory.vpcs)
        self._conns = [conn.name for conn in inventory.peer_conns.values()]
        self._rules = {vpc_id: [rule.id for rule in inventory.rules_of(vpc_id)] for vpc_id in inventory.vpcs}
        self._deleted: list[str] = []

    def write(self, edit: Edit[Any]) -> None:
        """Make one edit."""
        if isinstance(edit, CreateRoute):
            self._create_route(edit)
        elif isinstance(edit, UpdateRoute | DeleteRoute):
            self._change_route(edit)
        elif isinstance(edit, SetRelay):
            self._set((*self._vpc(edit.vpc), "relay"), edit.relay, after="cidr")
        elif isinstance(edit, AcceptPeerConn | RenewPeerConn):
            self._set((*self._conn(edit.peer_conn), "state"), "active")
        elif isinstance(edit, ResizePeerConn):
            self._set((*self._conn(edit.peer_conn), "bandwidth_mbps"), edit.bandwidth_mbps)
        elif isinstance(edit, UpdateInstance):
            self._update_instance(edit)
        elif isinstance(edit, CreateInstance):
            self._create_instance(edit)
        elif isinstance(edit, CreatePeerConn):
            self._create_peer_conn(edit)
        elif isinstance(edit, DeletePeerConn):
            self._deleted.append(self._conn_name(edit.peer_conn))
        elif not isinstance(edit, SetDeleteProtect):  # which files don't know
            raise InvalidError(f"{type(edit).__name__}: a change that can't be written into a file, make it by hand")

    def finish(self) -> str:
        """The text, once all edits are made."""
        for name in self._deleted:
            self._text = remove_item(self._text, ("peer_connections", self._conns.index(name)))
            self._conns.remove(name)
        return self._text

    def _set(self, path: Path, value: str | int | bool, after: str = "") -> None:
        self._text = set_value(self._text, path, value, after=after)

    def _append(self, path: Path, item: Any) -> None:
        self._text = append_item(self._text, path, item)

    # -------------------------------------------------------------------------------- places

    def _vpc(self, ref: str) -> Path:
        return ("vpcs", self._vpcs.index(self._inventory.vpc(ref).id))

    def _conn_name(self, ref: str) -> str:
        """The name in the file; a connection that was just made has no other."""
        return ref if ref in self._conns else self._inventory.peer_conn(ref).name

    def _conn(self, ref: str) -> Path:
        return ("peer_connections", self._conns.index(self._conn_name(ref)))

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
        self._append((*self._vpc(vpc_id), "routes"), entry)

    def _change_route(self, edit: UpdateRoute | DeleteRoute) -> None:
        rule = self._inventory.rule(edit.rule)
        rules = self._rules[rule.vpc_id]
        if rule.id not in rules:
            raise NotFoundError(f"route rule {rule.id}: deleted already")
        path: Path = (*self._vpc(rule.vpc_id), "routes", rules.index(rule.id))
        if isinstance(edit, DeleteRoute):
            self._text = remove_item(self._text, path)
            rules.remove(rule.id)
            return
        for key in ("source", "destination", "description"):
            if (value := getattr(edit, key)) is not None:
                self._set((*path, key), str(value))
        if edit.next_hop is not None:
            self._set((*path, "next_hop"), self._hop(rule.vpc_id, edit.next_hop))

    def _update_instance(self, edit: UpdateInstance) -> None:
        path, now = self._instance(edit.instance), self._inventory.instance(edit.instance)
        if edit.name is not None:
            self._set((*path, "name"), edit.name)
        if edit.nic_mbps is not None:
            self._set((*path, "nic_mbps"), edit.nic_mbps)
        if edit.listen is None:
            return
        wanted = [port if isinstance(port, str) else format_port(port) for port in edit.listen]
        listed = [format_port(port) for port in now.listen]
        if set(listed) - set(wanted):
            raise InvalidError(f"instance {now.name}: closing a port can't be written into a file, make it by hand")
        for port in wanted:
            if port not in listed:
                self._append((*path, "listen"), port)

    def _create_instance(self, edit: CreateInstance) -> None:
        subnet = self._inventory.subnet(edit.subnet, edit.vpc)
        if edit.addr is None:
            raise InvalidError(f"instance {edit.name}: a file needs its address")
        addr = edit.addr if isinstance(edit.addr, str) else format_addr(edit.addr)
        entry: dict[str, Any] = {"name": edit.name, "subnet": subnet.name, "ip": addr}
        if ports := [port if isinstance(port, str) else format_port(port) for port in edit.listen]:
            entry["listen"] = ports
        self._append((*self._vpc(subnet.vpc_id), "instances"), entry)

    def _create_peer_conn(self, edit: CreatePeerConn) -> None:
        local, peer = self._inventory.vpc(edit.local_vpc), self._inventory.vpc(edit.peer_vpc)
        is_request = local.account != peer.account
        if edit.name in self._deleted:
            # Asked for again: the same entry in another state, comments and all.
            self._deleted.remove(edit.name)
            self._set((*self._conn(edit.name), "state"), "consulting" if is_request else "active")
            return
        entry: dict[str, Any] = {"name": edit.name}
        for key, vpc, interface in (("local", local, edit.local_interface), ("peer", peer, edit.peer_interface)):
            entry[key] = {"vpc": vpc.name, **({"interface": interface} if interface else {})}
        entry["bandwidth_mbps"] = edit.bandwidth_mbps
        if is_request:
            entry["state"] = "consulting"
        self._append(("peer_connections",), entry)
        self._conns.append(edit.name)
