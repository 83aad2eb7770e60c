"""Edits of accounts, VPCs, subnets, instances and DNS records as changes of the entries of a topology file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netsim.controlplane.edit import (
    CreateAccount,
    CreateDnsRecord,
    CreateInstance,
    CreateSubnet,
    CreateVpc,
    DeleteDnsRecord,
    DeleteInstance,
    DeleteSubnet,
    DeleteVpc,
    Edit,
    SetRelay,
    UpdateInstance,
    UpdateSubnet,
    UpdateVpc,
)
from netsim.controlplane.instance import DEFAULT_NIC_MBPS
from netsim.errors import InvalidError
from netsim.prefix import format_addr
from netsim.topology_file.edit_places import Places
from netsim.topology_file.edit_text import TextChanges
from netsim.topology_file.tree import Path
from netsim.traffic.expectation import format_port

_Entry = dict[str, Any]


class VpcEdits:
    """Writes what belongs to VPCs, their route tables apart.

    Args:
        changes: grow.
        places: of the file.
    """

    def __init__(self, changes: TextChanges, places: Places) -> None:
        self._changes = changes
        self._places = places
        self._inventory = places.inventory
        self._gone_records: dict[Path, None] = {}
        self._writers: dict[type[Edit[Any]], Callable[[Any], None]] = {
            CreateAccount: lambda edit: changes.append(("accounts",), {"id": edit.id}),
            CreateVpc: self._create_vpc,
            UpdateVpc: self._update_vpc,
            SetRelay: lambda edit: changes.set((*places.vpc(edit.vpc), "relay"), edit.relay, after="cidr"),
            DeleteVpc: lambda edit: changes.remove(places.vpc(edit.vpc)),
            CreateSubnet: self._create_subnet,
            UpdateSubnet: self._update_subnet,
            DeleteSubnet: lambda edit: changes.remove(places.subnet(edit.subnet, edit.vpc)),
            CreateInstance: self._create_instance,
            UpdateInstance: self._update_instance,
            DeleteInstance: lambda edit: changes.remove(places.instance(edit.instance)),
            CreateDnsRecord: self._create_record,
            DeleteDnsRecord: self._delete_record,
        }

    def write(self, edit: Edit[Any]) -> bool:
        """Note what one edit changes; False for one of another kind.

        Raises:
            InvalidError: a file can't say it.
            NotFoundError: it names what is not there.
        """
        writer = self._writers.get(type(edit))
        if writer is None:
            return False
        writer(edit)
        return True

    def finish(self) -> None:
        """Note what follows from all edits together."""
        for path in self._gone_records:
            self._changes.remove(path)

    def _create_vpc(self, edit: CreateVpc) -> None:
        entry: _Entry = {"name": edit.name, "account": edit.account, "region": edit.region, "cidr": str(edit.cidr)}
        if edit.relay:
            entry["relay"] = True
        if edit.description:
            entry["description"] = edit.description
        self._changes.append(("vpcs",), entry)

    def _update_vpc(self, edit: UpdateVpc) -> None:
        path, vpc = self._places.vpc(edit.vpc), self._inventory.vpc(edit.vpc)
        if edit.description is not None:
            self._changes.set((*path, "description"), edit.description, after="cidr")
        if edit.name is None or edit.name == vpc.name:
            return
        self._changes.set((*path, "name"), edit.name)
        for conn in self._inventory.peer_conns_of(vpc.id):
            side = "local" if conn.local.vpc_id == vpc.id else "peer"
            self._changes.set((*self._places.conn(conn.name), side, "vpc"), edit.name)

    def _create_subnet(self, edit: CreateSubnet) -> None:
        if edit.description:
            raise InvalidError(f"subnet {edit.name}: a file keeps no description of subnets")
        entry: _Entry = {"name": edit.name, "cidr": str(edit.cidr)}
        if edit.zone:
            entry["zone"] = edit.zone
        self._changes.append((*self._places.vpc(edit.vpc), "subnets"), entry)

    def _update_subnet(self, edit: UpdateSubnet) -> None:
        path, subnet = self._places.subnet(edit.subnet, edit.vpc), self._inventory.subnet(edit.subnet, edit.vpc)
        if edit.description is not None:
            raise InvalidError(f"subnet {subnet.name}: a file keeps no description of subnets")
        if edit.name is None or edit.name == subnet.name:
            return
        self._changes.set((*path, "name"), edit.name)
        for inst in self._inventory.instances_of(subnet.vpc_id):
            if inst.subnet_id == subnet.id:
                self._changes.set((*self._places.instance(inst.id), "subnet"), edit.name)

    def _create_instance(self, edit: CreateInstance) -> None:
        subnet = self._inventory.subnet(edit.subnet, edit.vpc)
        if edit.addr is None:
            raise InvalidError(f"instance {edit.name}: a file needs its address")
        addr = edit.addr if isinstance(edit.addr, str) else format_addr(edit.addr)
        entry: _Entry = {"name": edit.name, "subnet": subnet.name, "ip": addr}
        if ports := [port if isinstance(port, str) else format_port(port) for port in edit.listen]:
            entry["listen"] = ports
        if edit.nic_mbps != DEFAULT_NIC_MBPS:
            entry["nic_mbps"] = edit.nic_mbps
        self._changes.append((*self._places.vpc(subnet.vpc_id), "instances"), entry)

    def _update_instance(self, edit: UpdateInstance) -> None:
        path, now = self._places.instance(edit.instance), self._inventory.instance(edit.instance)
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

    def _create_record(self, edit: CreateDnsRecord) -> None:
        addr = edit.addr if isinstance(edit.addr, str) else format_addr(edit.addr)
        path = self._places.record(edit.vpc, edit.name)
        if path in self._gone_records:
            del self._gone_records[path]
            self._changes.set((*path, "a"), addr)
        else:
            self._changes.append((*self._places.vpc(edit.vpc), "dns"), {"name": edit.name, "a": addr})

    def _delete_record(self, edit: DeleteDnsRecord) -> None:
        path = self._places.record(edit.vpc, edit.name)
        if path is not None:  # else it was made by an edit before this one
            self._gone_records[path] = None
