"""Inventory -> Plan: which namespaces, links, caps and delays stand for a topology."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from netsim.controlplane.dns_record import is_host_name
from netsim.controlplane.instance import DEFAULT_NIC_MBPS
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import DEFAULT_MTU_BYTES, PeerConn, Side
from netsim.controlplane.vpc import Vpc
from netsim.hosts.dns_zone import DOMAIN
from netsim.kernel import sysctls
from netsim.kernel.host import DEVICE, host_namespace, instance_mac
from netsim.kernel.naming import WIRE_MAC, NamespaceNames, check_name, mac
from netsim.kernel.plan import Cap, Delay, Device, End, Link, Namespace, Node, Plan
from netsim.kernel.router import RouterPlan, peer_mac, subnet_mac
from netsim.prefix import format_addr
from netsim.units import BPS_PER_MBPS, NS_PER_S

ETHERNET_BYTES = 14
"""What tbf counts of a packet beside its IP length."""

LARGEST_TRAIN_BYTES = 65_535 + 64 * 66
"""A big packet of segmentation offload, with the headers of its segments, as tbf counts it."""

MIN_PACKET_BYTES = 64


def plan(inventory: Inventory, name: str, *, has_delay: bool = False) -> Plan:
    """What a deployment of this inventory consists of.

    Args:
        inventory: read only; connections that are not active get no link.
        name: of the deployment.
        has_delay: whether connections get their propagation delay, which needs netem.

    Raises:
        UsageError: the name can't be one.
    """
    return _Planner(inventory, check_name(name), has_delay=has_delay).plan()


class _Planner:
    def __init__(self, inventory: Inventory, name: str, *, has_delay: bool) -> None:
        self._inventory = inventory
        self._name = name
        self._has_delay = has_delay
        self._names = NamespaceNames(name)
        self._active = [conn for conn in inventory.peer_conns.values() if conn.is_active]
        self._trains = all(_lets_trains_through(conn) for conn in self._active)
        self._numbers = {instance_id: k for k, instance_id in enumerate(inventory.instances)}
        named = Counter(vpc.name for vpc in inventory.vpcs.values())
        self._vpc_refs = {vpc.id: vpc.name if named[vpc.name] == 1 else vpc.id for vpc in inventory.vpcs.values()}
        called = Counter(instance.name for instance in inventory.instances.values())
        self._host_names = {
            i.id: self._names.new(i.name if called[i.name] == 1 else f"{self._vpc_refs[i.vpc_id]}_{i.name}")
            for i in inventory.instances.values()
        }
        self._router_names = {vpc_id: self._names.new(self._vpc_refs[vpc_id], "vpc") for vpc_id in inventory.vpcs}
        # By VPC: the device of each active connection and where its cap is.
        self._peers: dict[str, dict[str, Device]] = {vpc_id: {} for vpc_id in inventory.vpcs}
        self._caps: dict[str, list[Cap]] = {vpc_id: [] for vpc_id in inventory.vpcs}
        self._ends: dict[tuple[str, str], End] = {}
        for k, conn in enumerate(self._active):
            self._add_side(conn, "local", peer_mac(k, 0))
            self._add_side(conn, "peer", peer_mac(k, 1))

    def plan(self) -> Plan:
        inventory = self._inventory
        namespaces = []
        links = []
        for k, vpc in enumerate(inventory.vpcs.values()):
            namespaces.append(self._router(vpc, k))
            for instance in inventory.instances_of(vpc.id):
                namespaces.append(self._host(vpc, k, instance.id))
                port = End(self._router_names[vpc.id], f"inst{self._numbers[instance.id]}")
                links.append(Link(End(self._host_names[instance.id], DEVICE), port))
        if self._has_delay and self._active:
            wires = self._wires()
            namespaces.append(wires)
            for k, conn in enumerate(self._active):
                for letter, side in (("a", "local"), ("b", "peer")):
                    links.append(Link(self._ends[conn.id, side], End(wires.name, f"w{k}{letter}")))
        else:
            links += [Link(self._ends[conn.id, "local"], self._ends[conn.id, "peer"]) for conn in self._active]
        return Plan(
            name=self._name,
            namespaces=tuple(namespaces),
            links=tuple(links),
            nodes=tuple(self._nodes()),
            hosts={vpc_id: self._hosts(vpc_id) for vpc_id in inventory.vpcs},
            notes=tuple(self._notes()),
            peer_devices=self._ends,
        )

    # --------------------------------------------------------------------------- parts

    def _add_side(self, conn: PeerConn, side: Side, address: str) -> None:
        near = conn.side(side)
        known = self._peers[near.vpc_id]
        name = f"peer{len(known)}"
        alias = f"{conn.name or conn.id} {near.interface_name or near.interface_id}"
        known[near.interface_id] = Device(name, address, conn.mtu_bytes, has_arp=False, alias=alias)
        # A policer is a bucket whose queue holds the one packet that is being looked at.
        largest = conn.mtu_bytes + ETHERNET_BYTES
        queue_bytes = largest if conn.police else max(conn.queue_bytes, largest)
        # tbf never lets a packet go that is larger than its burst: the 14 bytes it counts on top have to fit as well.
        burst_bytes = max(conn.burst_bytes, largest)
        self._caps[near.vpc_id].append(Cap(name, conn.bandwidth_mbps * BPS_PER_MBPS, burst_bytes, queue_bytes))
        self._ends[conn.id, side] = End(self._router_names[near.vpc_id], name)

    def _router(self, vpc: Vpc, number: int) -> Namespace:
        inventory = self._inventory
        mtu_bytes = self._mtu_bytes(vpc)
        ports: dict[str, list[tuple[Device, str, int]]] = {}
        subnet_numbers = {subnet.id: k for k, subnet in enumerate(inventory.subnets_of(vpc.id))}
        for instance in inventory.instances_of(vpc.id):
            n = self._numbers[instance.id]
            address = instance_mac(n)
            # The port's own address is never used on a wire; it only must not be the instance's.
            port = Device(f"inst{n}", mac(WIRE_MAC, n), mtu_bytes, master=f"sub{subnet_numbers[instance.subnet_id]}")
            ports.setdefault(instance.subnet_id, []).append((port, address, instance.addr))
        return RouterPlan(
            self._router_names[vpc.id],
            inventory,
            vpc,
            number=number,
            peers=self._peers[vpc.id],
            caps=self._caps[vpc.id],
            ports=ports,
            mtu_bytes=mtu_bytes,
            counts_transits=self._counts_transits(),
        ).namespace()

    def _host(self, vpc: Vpc, vpc_number: int, instance_id: str) -> Namespace:
        inventory = self._inventory
        instance = inventory.instances[instance_id]
        subnets = inventory.subnets_of(vpc.id)
        k = next(k for k, subnet in enumerate(subnets) if subnet.id == instance.subnet_id)
        return host_namespace(
            self._host_names[instance_id],
            f"{self._vpc_refs[vpc.id]}/{instance.name}",
            instance,
            subnets[k],
            number=self._numbers[instance_id],
            mtu_bytes=self._mtu_bytes(vpc),
            router=subnet_mac(vpc_number, k),
            trains=self._trains,
        )

    def _wires(self) -> Namespace:
        """The delays: between the ends of each connection a bridge, so that the delay comes after the cap."""
        devices = []
        delays = []
        for k, conn in enumerate(self._active):
            bridge = f"w{k}"
            devices.append(Device(bridge, mac(WIRE_MAC, 4 * k | 1 << 30), conn.mtu_bytes, is_bridge=True))
            in_flight = conn.bandwidth_mbps * BPS_PER_MBPS * conn.latency_ns // NS_PER_S // (8 * MIN_PACKET_BYTES)
            for n, letter in enumerate("ab", 1):
                address = mac(WIRE_MAC, 4 * k + n | 1 << 30)
                devices.append(Device(f"{bridge}{letter}", address, conn.mtu_bytes, master=bridge, has_arp=False))
                delays.append(Delay(f"{bridge}{letter}", conn.latency_ns, 1000 + in_flight))
        name = self._names.new("wires", "net")
        return Namespace(name, "wires", "", sysctls=sysctls.WIRES, devices=tuple(devices), delays=tuple(delays))

    def _nodes(self) -> Iterator[Node]:
        inventory = self._inventory
        for instance in inventory.instances.values():
            vpc_ref = self._vpc_refs[instance.vpc_id]
            space = self._host_names[instance.id]
            yield Node(f"{vpc_ref}/{instance.name}", space, "instance", instance.vpc_id, instance.addr)
        for vpc_id in inventory.vpcs:
            subnets = inventory.subnets_of(vpc_id)
            addr = subnets[0].router_addr if subnets else 0
            yield Node(self._vpc_refs[vpc_id], self._router_names[vpc_id], "router", vpc_id, addr)

    def _hosts(self, vpc_id: str) -> str:
        """Instances by name, the own VPC's first, and as `web-1.shop.internal`; then what the resolver answers."""
        inventory = self._inventory
        names: dict[str, int] = {}
        for instance in (*inventory.instances_of(vpc_id), *inventory.instances.values()):
            for name in (instance.name, f"{instance.name}.{inventory.vpcs[instance.vpc_id].name}.{DOMAIN}"):
                if is_host_name(name.lower()):
                    names.setdefault(name, instance.addr)
        shared = [conn.side_beyond(vpc_id).vpc_id for conn in inventory.peer_conns_of(vpc_id) if conn.has_dns_sync]
        for zone in (vpc_id, *shared):
            for record in inventory.dns_records_of(zone):
                names[record.name] = inventory.resolve(vpc_id, record.name) or record.addr
        lines = ["127.0.0.1 localhost", *(f"{format_addr(addr)} {name}" for name, addr in names.items())]
        return "\n".join(lines) + "\n"

    # --------------------------------------------------------------------------- facts

    def _mtu_bytes(self, vpc: Vpc) -> int:
        """Of a VPC's instances: no packet that a connection lets through is too big for them."""
        conns = [conn for conn in self._inventory.peer_conns_of(vpc.id) if conn.is_active]
        return max([DEFAULT_MTU_BYTES, *(conn.mtu_bytes for conn in conns)])

    def _counts_transits(self) -> bool:
        """Whether a packet could be in transit more than once: two relays are peered, and there is a limit."""
        inventory = self._inventory
        return inventory.limits.transits is not None and any(
            all(inventory.vpcs[conn.side(side).vpc_id].relay for side in ("local", "peer")) for conn in self._active
        )

    def _notes(self) -> Iterator[str]:
        conns = self._active
        if any(conn.accounting != "l2" for conn in conns):
            yield "caps count layer 2, 14 bytes more than the IP length, as Linux does (accounting: l2 in the file)"
        if conns and not self._has_delay:
            yield "propagation delay is left out: this kernel has no netem"
        if any(conn.police for conn in conns):
            yield "police: a token bucket with room for one packet stands for it"
        if any(instance.nic_mbps != DEFAULT_NIC_MBPS for instance in self._inventory.instances.values()):
            yield "nic_mbps is left out: a cap on the sending host would push back instead of dropping"
        if any(instance.listen for instance in self._inventory.instances.values()):
            yield "nothing listens on the ports of `listen:` until you start it (netsim exec)"


def _lets_trains_through(conn: PeerConn) -> bool:
    """Whether the queue has room for every big packet that the bucket would not cut (it cuts above the burst)."""
    return not conn.police and conn.queue_bytes >= min(conn.burst_bytes, LARGEST_TRAIN_BYTES)
