"""Random topologies for cross-checks, made from a seed: everything that decides about a packet, in odd combinations.

A connected graph of VPCs gets the routes that would make everything reachable that may be; then some are taken away,
turned or covered by others. So most packets get somewhere, and every way to fail occurs: nested and equal prefixes, /0
and /32, source segments, connections in every state and gone ones, relays, overlapping CIDRs, MTUs, gateways and
blackholes.
"""

from __future__ import annotations

import itertools
from typing import Any

import networkx as nx
import numpy as np

from netsim.controlplane import edit as e
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.vpc import Vpc
from netsim.errors import RefusedError
from netsim.prefix import ANY, Prefix, parse_prefix, prefix_of
from netsim.topology_file import Topology

ACCOUNTS = ("acme", "data-team")
MTUS = (1500, 1500, 1500, 1400, 1280, 600, 9000)
SHARED_CIDR = parse_prefix("10.200.0.0/16")


def random_topology(seed: int) -> Topology:
    """The topology of a seed: 2 to 8 VPCs."""
    made = RandomTopology(seed)
    return Topology(made.inventory, f"random-{seed}", seed, made.profile, made.limits)


class RandomTopology:
    """Makes an inventory; even seeds make product networks, odd ones research networks.

    Every other research network has a limit of one or two transits after all: where relays are peered, as in
    research, the limit is what stops a packet. Sizes and shapes are methods: who wants others overrides them.
    """

    bandwidth_mbps = 1000

    def __init__(self, seed: int) -> None:
        self.rng = np.random.Generator(np.random.PCG64(seed))
        limits: dict[str, int | None] | None = {"transits": 1 + seed // 4 % 2} if seed % 4 == 3 else None
        self.profile, self.limits = "research" if seed % 2 else "product", limits or {}
        self.inventory = Inventory(self.profile, limits, seed=seed)
        self.inventory.apply(*(e.CreateAccount(name) for name in ACCOUNTS))
        self._vpcs()
        self._connections()
        self._routes()
        self._mutations()
        self._deletions()

    def _number(self, n: int) -> int:
        return int(self.rng.integers(n))

    def _chance(self, percent: int) -> bool:
        return self._number(100) < percent

    def _try(self, *edits: e.Edit[Any]) -> bool:
        try:
            self.inventory.apply(*edits)
        except RefusedError:
            return False
        return True

    def n_vpcs(self) -> int:
        """How many VPCs there are."""
        return 2 + self._number(7)

    def n_instances(self, subnet: int) -> int:
        """How many instances the subnet of this number in its VPC has."""
        return self._number(3) if subnet else 1

    def mtu_bytes(self) -> int:
        """What a connection takes."""
        return MTUS[self._number(len(MTUS))]

    def _vpcs(self) -> None:
        for k in range(self.n_vpcs()):
            cidr = SHARED_CIDR if self._chance(15) else parse_prefix(f"10.{k}.0.0/16")
            name, account = f"v{k}", ACCOUNTS[self._number(2)]
            relay = self._chance(45)
            self._try(e.CreateVpc(name, ("bj", "gz")[self._number(2)], cidr, account, relay=relay))
            for s in range(1 + self._number(2)):
                subnet = prefix_of(cidr.network | s << 8, int(self.rng.choice([24, 25, 29])))
                self._try(e.CreateSubnet(name, f"s{s}", subnet))
                for i in range(self.n_instances(s)):
                    self._try(e.CreateInstance(f"{name}-{s}-{i}", f"{name}/s{s}", subnet.network + 3 + i))

    def _connections(self) -> None:
        vpcs = list(self.inventory.vpcs.values())
        pairs = [(k, self._number(k)) for k in range(1, len(vpcs))]
        pairs += [(self._number(len(vpcs)), self._number(len(vpcs))) for _ in range(self._number(4))]
        for a, b in pairs:
            if a != b:
                self._connect(vpcs[a], vpcs[b])

    def _connect(self, a: Vpc, b: Vpc) -> None:
        kind = self._number(100)
        name = f"{a.name}-{b.name}"
        payment, state = "postpaid", "active"
        if kind >= 94 and a.account != b.account:
            state = "consulting" if kind >= 97 else "consult_failed"
        elif kind >= 91:
            payment, state = "prepaid", "expired"
        mtu_bytes = self.mtu_bytes()
        self._try(
            e.CreatePeerConn(
                a.id,
                b.id,
                self.bandwidth_mbps,
                name,
                f"to-{b.name}",
                f"to-{a.name}",
                state=state,
                payment=payment,
                mtu_bytes=mtu_bytes,
            )
        )

    def _routes(self) -> None:
        """For each VPC the shortest way to each other that transit allows, as a rule for its CIDR or subnets."""
        inventory = self.inventory
        limit = inventory.limits.transits
        graph = nx.Graph()
        for conn in inventory.peer_conns.values():
            graph.add_edge(conn.local.vpc_id, conn.peer.vpc_id, conn=conn)
        for vpc, far in itertools.permutations(inventory.vpcs.values(), 2):
            if vpc.id not in graph or far.id not in graph or not nx.has_path(graph, vpc.id, far.id):
                continue
            for path in nx.all_shortest_paths(graph, vpc.id, far.id):
                middle = path[1:-1]
                if (limit is None or len(middle) <= limit) and all(inventory.vpcs[m].relay for m in middle):
                    self._route(vpc, far, graph.edges[path[0], path[1]]["conn"].side_in(vpc.id).interface_id)
                    break

    def _route(self, vpc: Vpc, far: Vpc, interface: str) -> None:
        kind = self._number(100)
        if kind < 8:
            return
        if kind < 70:
            self._try(e.CreateRoute(vpc.id, ANY, far.cidr, interface))
            return
        for subnet in self.inventory.subnets_of(far.id):
            if kind < 85:
                self._try(e.CreateRoute(vpc.id, ANY, subnet.cidr, interface))
            for own in self.inventory.subnets_of(vpc.id) if kind >= 85 else ():
                self._try(e.CreateRoute(vpc.id, own.cidr, subnet.cidr, interface))

    def _mutations(self) -> None:
        """Rules on top: longer, equal or shorter prefixes towards anywhere, for anyone or a segment."""
        vpcs = list(self.inventory.vpcs.values())
        for _ in range(2 + self._number(3)):
            vpc = vpcs[self._number(len(vpcs))]
            self._try(e.CreateRoute(vpc.id, self._source(vpc), self._destination(), self._next_hop(vpc)))

    def _destination(self) -> Prefix:
        instances = list(self.inventory.instances.values())
        addr = instances[self._number(len(instances))].addr
        return prefix_of(addr, int(self.rng.choice([0, 0, 8, 16, 20, 24, 28, 30, 32])))

    def _source(self, vpc: Vpc) -> Prefix:
        subnets = self.inventory.subnets_of(vpc.id)
        if vpc.relay and self._chance(40):
            return self._destination()
        if self._chance(50) or not subnets:
            return ANY
        cidr = subnets[self._number(len(subnets))].cidr
        return prefix_of(
            cidr.first + self._number(min(cidr.size, 6)), cidr.prefix_len + self._number(33 - cidr.prefix_len)
        )

    def _next_hop(self, vpc: Vpc) -> str:
        interfaces = [conn.side_in(vpc.id).interface_id for conn in self.inventory.peer_conns_of(vpc.id)]
        if interfaces and self._chance(75):
            return interfaces[self._number(len(interfaces))]
        return "blackhole" if self._chance(50) else "gateway:internet"

    def _deletions(self) -> None:
        rules = list(self.inventory.rules)
        for _ in range(self._number(3)):
            if rules:
                self._try(e.DeleteRoute(rules[self._number(len(rules))]))
        conns = list(self.inventory.peer_conns)
        if conns and self._chance(12):
            self._try(e.DeletePeerConn(conns[self._number(len(conns))]))
