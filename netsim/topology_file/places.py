"""Where a topology's resources stand in its file: lines for messages about a network that was loaded from it."""

from __future__ import annotations

from functools import cached_property

from netsim.topology_file.compose import parse_tree
from netsim.topology_file.loader import Topology
from netsim.topology_file.source import as_utf8
from netsim.topology_file.tree import Path


class Places:
    """Lines of the entries of one file.

    Args:
        source: the file, as it was when the topology was loaded.
        topology: what it loaded to; the inventory is unchanged since.
    """

    def __init__(self, source: bytes, topology: Topology) -> None:
        name = str(topology.path)
        self._tree = parse_tree(as_utf8(source, name), name)
        self._inventory = inventory = topology.inventory
        # A file that loads makes everything it lists, in its order.
        self._vpcs = {vpc_id: k for k, vpc_id in enumerate(inventory.vpcs)}
        self._conns = {conn_id: k for k, conn_id in enumerate(inventory.peer_conns)}

    def vpc(self, vpc_id: str) -> int:
        """The line of a VPC's entry."""
        return self._line(("vpcs", self._vpcs[vpc_id]))

    def rule(self, rule_id: str) -> int:
        """The line of a rule."""
        vpc_id, k = self._rules[rule_id]
        return self._line(("vpcs", self._vpcs[vpc_id], "routes", k))

    def peer_conn(self, conn_id: str) -> int:
        """The line of a peer connection's entry."""
        return self._line(("peer_connections", self._conns[conn_id]))

    @cached_property
    def _rules(self) -> dict[str, tuple[str, int]]:
        inventory = self._inventory
        return {rule.id: (vpc_id, k) for vpc_id in inventory.vpcs for k, rule in enumerate(inventory.rules_of(vpc_id))}

    def _line(self, path: Path) -> int:
        return self._tree.place(path).line
