"""A VPC's router as a namespace: a bridge for each subnet, the rules as policy routing, the filter, the caps.

    sub0 sub1 ..      bridges, one for each subnet, with the router's and the resolver's address; instances are ports
    peer0 peer1 ..    active peer connections, unnumbered: the far router is a permanent neighbour
    gate0 ..          gateways: what leaves there is lost, as behind any door
    nonet nohost      where routes lead that the filter refuses

Looked up in this order: the router's own addresses; the VPC's CIDR, which beats every rule (no destination of a rule
lies inside); the table of the source's longest segment; `nonet`.

Each instance is a /32 route, and the rest of the CIDR leads to `nohost`: with one route for the subnet, an address that
nobody has would be asked for by ARP, and refused only after seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netsim.controlplane.inventory import Inventory
from netsim.controlplane.route_table import NextHop
from netsim.controlplane.vpc import Vpc
from netsim.kernel import sysctls
from netsim.kernel.filters import MAX_COUNT, NO_HOST, NO_NET, router_filters
from netsim.kernel.naming import PAIR_MAC, PEER_MAC, SUBNET_MAC, mac
from netsim.kernel.plan import Address, Cap, Device, Namespace, Neighbour, PolicyRule, Route
from netsim.kernel.policy_routing import segment_of, segment_tables
from netsim.prefix import ANY, Prefix

# Table numbers; 253..255 are the kernel's. Segments take the numbers from FIRST_SEGMENT on.
VPC_TABLE, LAST_TABLE, FIRST_SEGMENT = 100, 101, 1000

VPC_PRIORITY, OWN_PRIORITY, FIRST_PRIORITY, LAST_PRIORITY = 10, 20, 1000, 32_000

UNSET = Prefix(0, 32)
"""The source of a packet that has none yet: an ICMP error that the router is about to send."""

FAR_ROUTER = (169 << 24) | (254 << 16) | 1
"""169.254.0.1, the far end of every peer connection: link-local, in no VPC (RFC 3927 section 2.1)."""


class RouterPlan:
    """Makes the namespace of one router.

    Args:
        name: of the namespace.
        inventory, vpc: what it is.
        number: of the VPC in the deployment.
        peers: by interface id, the device of each active connection of this VPC.
        ports: by subnet id, (device, MAC, address) of each instance.
        mtu_bytes: of the subnets.
        counts_transits: whether packets carry how often they were in transit.
    """

    def __init__(
        self,
        name: str,
        inventory: Inventory,
        vpc: Vpc,
        *,
        number: int,
        peers: Mapping[str, Device],
        caps: Sequence[Cap],
        ports: Mapping[str, Sequence[tuple[Device, str, int]]],
        mtu_bytes: int,
        counts_transits: bool,
    ) -> None:
        self._name = name
        self._inventory = inventory
        self._vpc = vpc
        self._number = number
        self._peers = peers
        self._caps = caps
        self._ports = ports
        self._mtu_bytes = mtu_bytes
        self._counts = counts_transits
        self._subnets = inventory.subnets_of(vpc.id)
        rules = inventory.rules_of(vpc.id)
        names = dict.fromkeys(rule.next_hop.target for rule in rules if rule.next_hop.kind == "gateway")
        self._gates = {gateway: f"gate{k}" for k, gateway in enumerate(names)}
        self._tables = segment_tables((rule.source, rule.destination, rule.next_hop) for rule in rules)
        # Errors come from the first subnet's router, unless they go into another subnet.
        self._src = self._subnets[0].router_addr if self._subnets else 0

    def namespace(self) -> Namespace:
        """The namespace."""
        numbers = {source: FIRST_SEGMENT + k for k, source in enumerate(self._tables)}
        outs = [device.name for device in self._peers.values()] + list(self._gates.values())
        transits = self._inventory.limits.transits
        counted = transits if self._counts and transits is not None and transits <= MAX_COUNT else None
        return Namespace(
            name=self._name,
            kind="router",
            node=self._vpc.name,
            sysctls=sysctls.ROUTER,
            devices=tuple(self._devices()),
            addresses=tuple(
                Address(f"sub{k}", addr, 32)
                for k, subnet in enumerate(self._subnets)
                for addr in (subnet.router_addr, subnet.resolver_addr)
            ),
            neighbours=tuple(self._neighbours()),
            rules=tuple(self._rules(numbers)),
            routes=(*self._own_routes(), *self._tenant_routes(numbers)),
            caps=tuple(self._caps),
            filters=router_filters(
                outs,
                may_transit=self._vpc.relay and transits != 0,
                limit=counted,
                has_address=bool(self._subnets),
            ),
        )

    def subnet_mac(self, k: int) -> str:
        """The router's MAC address in its k-th subnet."""
        return subnet_mac(self._number, k)

    def _devices(self) -> list[Device]:
        devices = []
        for k, subnet in enumerate(self._subnets):
            bridge = f"sub{k}"
            # Same subnet is layer 2: a bridge, so the TTL stays and the router is not asked.
            devices.append(
                Device(bridge, self.subnet_mac(k), self._mtu_bytes, is_bridge=True, alias=f"subnet {subnet.name}")
            )
            devices += [port for port, _, _ in self._ports.get(subnet.id, ())]
        devices += self._peers.values()
        pairs = [(NO_NET, NO_HOST, "")]
        pairs += [(gate, f"out{k}", f"gateway {name}") for k, (name, gate) in enumerate(self._gates.items())]
        for k, (name, twin, alias) in enumerate(pairs):
            devices.append(
                Device(name, mac(PAIR_MAC, 2 * k), self._mtu_bytes, has_arp=False, twin=twin, alias=alias),
            )
        return devices

    def _neighbours(self) -> list[Neighbour]:
        known = [
            Neighbour(f"sub{k}", addr, address)
            for k, subnet in enumerate(self._subnets)
            for _, address, addr in self._ports.get(subnet.id, ())
        ]
        known += [Neighbour(device.name, FAR_ROUTER, far_mac(device.mac)) for device in self._peers.values()]
        return known

    def _rules(self, numbers: Mapping[Prefix, int]) -> list[PolicyRule]:
        rules = [PolicyRule(VPC_PRIORITY, ANY, VPC_TABLE)]
        # An error's source is chosen by its route, so it is looked up without one. `from` rules of segments don't
        # match that; the table of the address it is going to have is the right one.
        segment = segment_of(self._src, self._tables)
        if segment is not None and segment != ANY:
            rules.append(PolicyRule(OWN_PRIORITY, UNSET, numbers[segment]))
        # Longest segment first: its table has all that the shorter ones around it say.
        for k, (source, number) in enumerate(numbers.items()):
            rules.append(PolicyRule(FIRST_PRIORITY + k, source, number))
        rules.append(PolicyRule(max(LAST_PRIORITY, FIRST_PRIORITY + len(numbers)), ANY, LAST_TABLE))
        return rules

    def _own_routes(self) -> list[Route]:
        routes = []
        for k, subnet in enumerate(self._subnets):
            routes += [
                Route(VPC_TABLE, Prefix(addr, 32), f"sub{k}", src=subnet.router_addr)
                for _, _, addr in self._ports.get(subnet.id, ())
            ]
            routes += [Route(VPC_TABLE, Prefix(addr, 32), "") for addr in (subnet.cidr.first, subnet.cidr.last)]
        routes.append(Route(VPC_TABLE, self._vpc.cidr, NO_HOST))
        routes.append(Route(LAST_TABLE, ANY, NO_NET))
        return routes

    def _tenant_routes(self, numbers: Mapping[Prefix, int]) -> list[Route]:
        return [
            self._route(numbers[source], destination, next_hop)
            for source, table in self._tables.items()
            for destination, next_hop in table.items()
        ]

    def _route(self, table: int, destination: Prefix, next_hop: NextHop) -> Route:
        if next_hop.kind == "gateway":
            return Route(table, destination, self._gates[next_hop.target], src=self._src)
        device = self._peers.get(next_hop.target) if next_hop.kind == "peer" else None
        # A connection that is gone or not active is a silent blackhole, as the rule that says blackhole.
        if device is None:
            return Route(table, destination, "")
        return Route(table, destination, device.name, via=FAR_ROUTER, src=self._src)


def subnet_mac(vpc_number: int, k: int) -> str:
    """The MAC address of a VPC's router in its k-th subnet."""
    return mac(SUBNET_MAC, vpc_number << 12 | k)


def peer_mac(connection_number: int, side: int) -> str:
    """The MAC address of a connection's end: side 0 the initiator's, 1 the acceptor's."""
    return mac(PEER_MAC, connection_number << 1 | side)


def far_mac(address: str) -> str:
    """The other end's MAC address: ends differ in the lowest bit."""
    return address[:-2] + f"{int(address[-2:], 16) ^ 1:02x}"
