"""Where in a topology file the things of its inventory stand: a file that loads makes all it lists, in its order."""

from __future__ import annotations

from netsim.controlplane.inventory import Inventory
from netsim.topology_file.tree import Path


class Places:
    """Paths of entries, by the names and ids of what they made.

    Args:
        inventory: what the file loads to; read only.
    """

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self._vpcs = {vpc_id: k for k, vpc_id in enumerate(inventory.vpcs)}
        self._conns = {conn.name: k for k, conn in enumerate(inventory.peer_conns.values())}

    def vpc(self, ref: str) -> Path:
        """A VPC's entry."""
        return ("vpcs", self._vpcs[self.inventory.vpc(ref).id])

    def subnet(self, ref: str, vpc: str | None = None) -> Path:
        """A subnet's."""
        found = self.inventory.subnet(ref, vpc)
        members = [member.id for member in self.inventory.subnets_of(found.vpc_id)]
        return (*self.vpc(found.vpc_id), "subnets", members.index(found.id))

    def instance(self, ref: str) -> Path:
        """An instance's."""
        found = self.inventory.instance(ref)
        members = [member.id for member in self.inventory.instances_of(found.vpc_id)]
        return (*self.vpc(found.vpc_id), "instances", members.index(found.id))

    def rule(self, rule_id: str) -> Path:
        """A rule's."""
        rule = self.inventory.rule(rule_id)
        ids = [each.id for each in self.inventory.rules_of(rule.vpc_id)]
        return (*self.vpc(rule.vpc_id), "routes", ids.index(rule.id))

    def record(self, vpc: str, name: str) -> Path | None:
        """A DNS record's, None if there is none."""
        names = [record.name for record in self.inventory.dns_records_of(vpc)]
        key = name.removesuffix(".").lower()
        return (*self.vpc(vpc), "dns", names.index(key)) if key in names else None

    def has_conn(self, name: str) -> bool:
        """Whether the file has a connection of this name."""
        return name in self._conns

    def conn(self, name: str) -> Path:
        """A connection's, by its name."""
        return ("peer_connections", self._conns[name])
