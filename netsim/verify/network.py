"""Network: what is verified. A Fib, and the inventory and numbers that turn it back into names.

A network is one state: after an edit, make a new one. `Network.of(inventory)` compiles; an emulator's
own is `Network(emulator.fib, emulator.compiler, emulator.inventory)`, the very arrays its packets meet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from netsim import jit
from netsim.controlplane.fib_compiler import SYSTEM_RULE, FibCompiler, LinkName
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.route_choice import Candidate
from netsim.dataplane.fib import I_PORT, I_PORT_COUNT, INST_WORDS, Fib, table_of
from netsim.prefix import ANY

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OpenPorts = Mapping[str, frozenset[tuple[int, int]]]


class Network:
    """One state of a network.

    Args:
        fib: the forwarding state.
        index: the compiler that made it; its numbers only grow, so a network stays right when it compiles on.
        inventory: what the Fib was compiled from, unchanged since.
    """

    def __init__(self, fib: Fib, index: FibCompiler, inventory: Inventory) -> None:
        self.fib = fib
        self.inventory = inventory
        self.node_of: Mapping[str, int] = index.node_of
        self.inst_of: Mapping[str, int] = index.inst_of
        self.link_of: Mapping[LinkName, int] = index.link_of
        self.vpc_ids = index.vpc_ids
        self.instance_ids = index.instance_ids
        self.link_names = index.link_names
        self.gateways = index.gateways
        self.rule_ids = index.rule_ids  # each compile makes a new list

    @classmethod
    def of(cls, inventory: Inventory, open_ports: OpenPorts | None = None) -> Network:
        """The network of an inventory as it is now; `open_ports` as `FibCompiler.compile` takes them."""
        index = FibCompiler()
        return cls(index.compile(inventory, open_ports), index, inventory)

    @cached_property
    def view(self) -> Fib:
        """The Fib for plain kernels: three times as fast to index, one element at a time."""
        view: Fib = jit.plain_view(self.fib)
        return view

    @cached_property
    def instances(self) -> NDArray[np.int64]:
        """The instance records as [n, INST_WORDS]."""
        table: NDArray[np.int64] = table_of(self.fib.inst, INST_WORDS)
        return table

    def open_ports(self, instance_id: str) -> set[tuple[int, int]]:
        """(protocol, port) of all that is open at an instance, also what flows have opened."""
        record = self.instances[self.inst_of[instance_id]]
        first, count = int(record[I_PORT]), int(record[I_PORT_COUNT])
        return {(port >> 16, port & 0xFFFF) for port in self.fib.port[first : first + count].tolist()}

    def vpc_name(self, node: int) -> str:
        """The name of the VPC with this number."""
        return self.inventory.vpcs[self.vpc_ids[node]].name

    @cached_property
    def _shared_names(self) -> frozenset[str]:
        """Instance names that several VPCs have, which a file can't hold, but an inventory can."""
        counts = Counter(instance.name for instance in self.inventory.instances.values())
        return frozenset(name for name, count in counts.items() if count > 1)

    def instance_name(self, instance_id: str) -> str:
        """The instance as questions name it: `web-1`, or `shop/web-1` where other VPCs have one of that name."""
        instance = self.inventory.instances[instance_id]
        if instance.name not in self._shared_names:
            return instance.name
        return f"{self.inventory.vpcs[instance.vpc_id].name}/{instance.name}"

    def candidate(self, node: int, rule: int) -> Candidate:
        """The tenant's rule behind rule row `rule` of the Fib."""
        rule_id = self.rule_ids[rule]
        if rule_id == SYSTEM_RULE:
            return Candidate(ANY, self.inventory.vpcs[self.vpc_ids[node]].cidr, None)
        found = self.inventory.rules[rule_id]
        return Candidate(found.source, found.destination, found)
