"""A cloud that changes at random: VPCs, nested routes, connections in every state, and what deleting leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from netsim.clock import VirtualClock
from netsim.controlplane import edit as e
from netsim.controlplane.edit import Edit
from netsim.controlplane.inventory import Inventory
from netsim.errors import RefusedError
from netsim.prefix import ANY, Prefix, parse_addr, prefix_of
from netsim.units import NS_PER_DAY

ACCOUNTS = ("acme", "data-team")
ANCHORS = tuple(
    parse_addr(text)
    for text in ("10.0.0.0", "10.0.64.77", "10.1.2.3", "172.16.5.9", "192.168.7.7", "198.51.100.4", "255.255.255.255")
)
"""Destinations are prefixes of these few addresses, so that most of them nest."""


class RandomCloud:
    """An inventory and a seeded source of edits for it; edits that a rule refuses are left out.

    Args:
        seed: of the edits and of the ids.
        profile: of the inventory.
    """

    def __init__(self, seed: int, profile: str = "research") -> None:
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.inventory = Inventory(profile, seed=seed)
        self.inventory.apply(*(e.CreateAccount(name) for name in ACCOUNTS))
        self.made = 0
        self.refused = 0
        self._makers: tuple[tuple[int, Callable[[], Edit[Any] | None]], ...] = (
            (3, self._vpc), (6, self._subnet), (8, self._instance), (24, self._route), (8, self._peer_conn),
            (3, self._accept), (2, self._reject), (3, self._delete_conn), (2, self._resize), (3, self._update_route),
            (3, self._delete_route), (2, self._delete_instance), (1, self._delete_subnet), (1, self._delete_vpc),
            (2, self._relay), (2, self._listen),
        )  # fmt: skip

    def grow(self, n: int) -> None:
        """Try n edits."""
        for _ in range(n):
            self.change()

    def change(self) -> bool:
        """Try one edit; whether it was done."""
        if self.rng.integers(60) == 0:
            clock = self.inventory.clock
            assert isinstance(clock, VirtualClock)
            clock.advance_by(3 * NS_PER_DAY)
            self.inventory.tick()
        weights = np.array([weight for weight, _ in self._makers])
        maker = self._makers[int(self.rng.choice(len(weights), p=weights / weights.sum()))][1]
        edit = maker()
        if edit is None:
            return False
        try:
            self.inventory.apply(edit)
        except RefusedError:
            self.refused += 1
            return False
        self.made += 1
        return True

    def addresses(self, vpc_id: str, n: int) -> list[int]:
        """Addresses where something may change: edges of prefixes, next to them, and any."""
        inventory = self.inventory
        prefixes = [inventory.vpcs[vpc_id].cidr, *(subnet.cidr for subnet in inventory.subnets_of(vpc_id))]
        for rule in inventory.rules_of(vpc_id):
            prefixes += [rule.source, rule.destination]
        edges = {addr for prefix in prefixes for end in (prefix.first, prefix.last) for addr in (end - 1, end, end + 1)}
        edges |= {instance.addr for instance in inventory.instances_of(vpc_id)} | set(ANCHORS)
        near = sorted(addr for addr in edges if 0 <= addr < 2**32)
        return [
            near[int(self.rng.integers(len(near)))] if self.rng.integers(5) else int(self.rng.integers(2**32))
            for _ in range(n)
        ]

    def _one(self, things: list[str]) -> str | None:
        return things[int(self.rng.integers(len(things)))] if things else None

    def _number(self, n: int) -> int:
        return int(self.rng.integers(n))

    def _vpc(self) -> Edit[Any] | None:
        k = self._number(250)
        account = ACCOUNTS[self._number(2)]
        return e.CreateVpc(f"vpc-{self.made}", "bj", f"10.{k}.0.0/16", account, relay=not self._number(3))

    def _subnet(self) -> Edit[Any] | None:
        vpc = self._one(list(self.inventory.vpcs))
        if vpc is None:
            return None
        network = self.inventory.vpcs[vpc].cidr.network | self._number(256) << 8
        return e.CreateSubnet(vpc, f"s-{self.made}", prefix_of(network, 20 + self._number(9)))

    def _instance(self) -> Edit[Any] | None:
        subnet = self._one(list(self.inventory.subnets))
        ports = [f"{('tcp', 'udp')[self._number(2)]}/{self._number(65_535) + 1}" for _ in range(self._number(4))]
        return None if subnet is None else e.CreateInstance(f"i-{self.made}", subnet, listen=sorted(set(ports)))

    def _prefix(self) -> Prefix:
        length = int(self.rng.choice([0, 1, 4, 8, 8, 9, 12, 15, 16, 16, 20, 24, 25, 31, 32]))
        return prefix_of(ANCHORS[self._number(len(ANCHORS))], length)

    def _source(self, vpc: str) -> Prefix:
        subnets = self.inventory.subnets_of(vpc)
        if not self._number(2) or not subnets:
            return self._prefix() if self.inventory.vpcs[vpc].relay and self._number(2) else ANY
        cidr = subnets[self._number(len(subnets))].cidr
        length = cidr.prefix_len + self._number(33 - cidr.prefix_len)
        return prefix_of(cidr.first + self._number(cidr.size), length)

    def _next_hop(self, vpc: str) -> str:
        kind = self._number(6)
        interfaces = [conn.side_in(vpc).interface_id for conn in self.inventory.peer_conns_of(vpc)]
        if kind < 4 and interfaces:
            return interfaces[self._number(len(interfaces))]
        return "blackhole" if kind == 4 else f"gateway:door-{self._number(3)}"

    def _route(self) -> Edit[Any] | None:
        vpc = self._one(list(self.inventory.vpcs))
        return None if vpc is None else e.CreateRoute(vpc, self._source(vpc), self._prefix(), self._next_hop(vpc))

    def _update_route(self) -> Edit[Any] | None:
        rule = self._one(list(self.inventory.rules))
        if rule is None:
            return None
        vpc = self.inventory.rules[rule].vpc_id
        return e.UpdateRoute(rule, self._source(vpc), self._prefix(), self._next_hop(vpc))

    def _delete_route(self) -> Edit[Any] | None:
        rule = self._one(list(self.inventory.rules))
        return None if rule is None else e.DeleteRoute(rule)

    def _peer_conn(self) -> Edit[Any] | None:
        ends = [self._one(list(self.inventory.vpcs)) for _ in range(2)]
        if ends[0] is None or ends[1] is None or ends[0] == ends[1]:
            return None
        name = f"c-{self.made}"
        return e.CreatePeerConn(ends[0], ends[1], 1 + self._number(1000), name, f"{name}-a", f"{name}-b")

    def _conn(self) -> str | None:
        return self._one(list(self.inventory.peer_conns))

    def _accept(self) -> Edit[Any] | None:
        conn = self._conn()
        return None if conn is None else e.AcceptPeerConn(conn)

    def _reject(self) -> Edit[Any] | None:
        conn = self._conn()
        return None if conn is None else e.RejectPeerConn(conn)

    def _delete_conn(self) -> Edit[Any] | None:
        conn = self._conn()
        return None if conn is None else e.DeletePeerConn(conn)

    def _resize(self) -> Edit[Any] | None:
        conn = self._conn()
        return None if conn is None else e.ResizePeerConn(conn, 1 + self._number(1000))

    def _delete_instance(self) -> Edit[Any] | None:
        instance = self._one(list(self.inventory.instances))
        return None if instance is None else e.DeleteInstance(instance)

    def _delete_subnet(self) -> Edit[Any] | None:
        subnet = self._one(list(self.inventory.subnets))
        return None if subnet is None else e.DeleteSubnet(subnet)

    def _delete_vpc(self) -> Edit[Any] | None:
        vpc = self._one(list(self.inventory.vpcs))
        return None if vpc is None else e.DeleteVpc(vpc)

    def _relay(self) -> Edit[Any] | None:
        vpc = self._one(list(self.inventory.vpcs))
        return None if vpc is None else e.SetRelay(vpc, relay=bool(self._number(2)))

    def _listen(self) -> Edit[Any] | None:
        instance = self._one(list(self.inventory.instances))
        ports = [("tcp", "udp")[self._number(2)] + f"/{1 + self._number(9)}"]
        return None if instance is None else e.UpdateInstance(instance, listen=ports)
