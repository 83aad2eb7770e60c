"""FileNames: all names of one file that its entries refer to, and those lost before anything was built.

Names of instances, VPCs, accounts, connections and flows are unique in the file, those of subnets and
interfaces in their VPC.
"""

from __future__ import annotations

from typing import Any

from netsim.topology_file import schema
from netsim.topology_file.names import Names
from netsim.topology_file.shape import Shape


class FileNames:
    """The tables of names; what the shape took out of the file is lost in them from the start."""

    def __init__(self, shape: Shape, file: schema.TopologyFile) -> None:
        self.accounts = Names("account")
        self.vpcs = Names("vpc")
        self.instances = Names("instance")
        self.peer_connections = Names("peer connection")
        self.flows = Names("flow")
        # By VPC name.
        self._subnets: dict[str, Names] = {}
        self._interfaces: dict[str, Names] = {}
        self._vpc_names = [vpc.name for vpc in file.vpcs or ()]
        self._note_lost(shape)

    def subnets_in(self, vpc_name: object) -> Names:
        """The subnets of a VPC."""
        return self._subnets.setdefault(str(vpc_name), Names("subnet", f"vpc {vpc_name}"))

    def interfaces_in(self, vpc_name: object) -> Names:
        """The interfaces of a VPC's peer connections, by name and by id."""
        return self._interfaces.setdefault(str(vpc_name), Names("interface", f"vpc {vpc_name}"))

    def add_instance(self, vpc_name: str, name: str, id_: str) -> None:
        """The instance exists now: `web-1`, and `shop/web-1`."""
        self.instances.add(name, id_)
        self.instances.add(f"{vpc_name}/{name}", id_, is_alias=True)

    def lose_instance(self, vpc_name: object, name: object) -> None:
        """The instance's entry is wrong, or its VPC's."""
        self.instances.lose(name)
        if isinstance(vpc_name, str) and isinstance(name, str):
            self.instances.lose(f"{vpc_name}/{name}")

    def _note_lost(self, shape: Shape) -> None:
        tops: dict[object, Names] = {
            "accounts": self.accounts,
            "vpcs": self.vpcs,
            "peer_connections": self.peer_connections,
            "traffic": self.flows,
        }
        for path, value in shape.lost.items():
            top = path[0]
            if len(path) == 1 and top in tops:
                tops[top].lose(None)
            elif len(path) == 2 and top in tops:
                tops[top].lose(_key(value, "id" if top == "accounts" else "name"))
            if top == "vpcs" and len(path) <= 2:
                self._lose_vpc(value if len(path) == 2 else None)
            elif top == "vpcs" and path[2] in ("subnets", "instances"):
                vpc_name = _key(shape.tree.root["vpcs"][path[1]], "name")
                name = _key(value, "name") if len(path) == 4 else None
                if path[2] == "instances":
                    self.lose_instance(vpc_name, name)
                else:
                    self.subnets_in(vpc_name).lose(name)
            elif top == "peer_connections":
                self._lose_sides(value)

    def _lose_vpc(self, value: Any) -> None:
        """The instances of a VPC that can't be read are lost with it."""
        vpc_name = _key(value, "name")
        entries = _key(value, "instances")
        for entry in entries if isinstance(entries, list) else (None,):
            self.lose_instance(vpc_name, _key(entry, "name"))

    def _lose_sides(self, value: Any) -> None:
        """The interfaces of a connection that can't be read; an unreadable one may be any of the VPC's."""
        for side in ("local", "peer"):
            end = _key(value, side)
            vpc_name = _key(end, "vpc")
            for name in [vpc_name] if isinstance(vpc_name, str) else self._vpc_names:
                self.interfaces_in(name).lose(_key(end, "interface"))


def _key(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None
