"""A topology as YAML text that loads to the same inventory; comments are not kept.

One line an entry, keys in the order of the contract, defaults left out. What a file can't say is
decided here: a rule whose connection is gone becomes `blackhole` (it discards either way), and
descriptions of subnets and connections, months paid, delete protection and dates are not written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from netsim.controlplane.instance import DEFAULT_NIC_MBPS, Instance
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import DEFAULT_MTU_BYTES, PeerConn
from netsim.controlplane.region import delay_ns
from netsim.controlplane.route_table import BLACKHOLE_WORD, RouteRule
from netsim.errors import ConflictError
from netsim.prefix import format_addr
from netsim.topology_file.flow_style import flow_text, scalar_text
from netsim.topology_file.loader import Topology
from netsim.topology_file.text import quoted
from netsim.traffic.expectation import Bounds, Expectation, format_port
from netsim.traffic.flow import DEFAULT_PACKET_BYTES, DEFAULT_PORT, FlowSpec
from netsim.units import BITS_PER_BYTE, BPS_PER_MBPS, NS_PER_MS, NS_PER_S


def dump_topology(topology: Topology) -> str:
    """The text of the topology as it is now, edits included.

    Raises:
        ConflictError: two VPCs, connections or instances have the same name, or two interfaces of a VPC:
            a file names things, so it can't tell them apart.
    """
    return "".join(f"{line}\n" for line in _lines(topology))


def _lines(topology: Topology) -> Iterator[str]:
    inventory = topology.inventory
    _check_names(inventory)
    yield "netsim: 1"
    yield f"name: {scalar_text(topology.name)}"
    if topology.seed:
        yield f"seed: {topology.seed}"
    if topology.profile != "product":
        yield f"profile: {topology.profile}"
    if topology.limits:
        yield f"limits: {flow_text(topology.limits)}"
    yield from _section("accounts", ({"id": account} for account in inventory.accounts))
    if inventory.vpcs:
        yield ""
        yield "vpcs:"
    for vpc_id in inventory.vpcs:
        yield from _vpc_lines(inventory, vpc_id)
    yield from _section("peer_connections", (_peer_entry(inventory, conn) for conn in inventory.peer_conns.values()))
    yield from _section("traffic", map(_traffic_entry, topology.traffic))
    yield from _section("expect", map(_expect_entry, topology.expect))


def _section(name: str, entries: Iterable[Mapping[str, Any]], indent: str = "") -> Iterator[str]:
    lines = [f"{indent}  - {flow_text(entry)}" for entry in entries]
    if lines:
        if not indent:
            yield ""
        yield f"{indent}{name}:"
        yield from lines


def _vpc_lines(inventory: Inventory, vpc_id: str) -> Iterator[str]:
    vpc = inventory.vpcs[vpc_id]
    yield f"  - name: {scalar_text(vpc.name)}"
    yield f"    account: {scalar_text(vpc.account)}"
    yield f"    region: {vpc.region}"
    yield f"    cidr: {vpc.cidr}"
    if vpc.relay:
        yield "    relay: true"
    if vpc.description:
        yield f"    description: {scalar_text(vpc.description)}"
    names = {subnet.id: subnet.name for subnet in inventory.subnets_of(vpc_id)}
    subnets = (
        {"name": subnet.name, "cidr": str(subnet.cidr), "zone": subnet.zone} for subnet in inventory.subnets_of(vpc_id)
    )
    yield from _section("subnets", subnets, "    ")
    instances = (_instance_entry(instance, names) for instance in inventory.instances_of(vpc_id))
    yield from _section("instances", instances, "    ")
    hops = {conn.side_in(vpc_id).interface_id: _interface(conn, vpc_id) for conn in inventory.peer_conns_of(vpc_id)}
    yield from _section("routes", (_route_entry(rule, hops) for rule in inventory.rules_of(vpc_id)), "    ")
    records = ({"name": record.name, "a": format_addr(record.addr)} for record in inventory.dns_records_of(vpc_id))
    yield from _section("dns", records, "    ")


def _instance_entry(instance: Instance, subnet_names: Mapping[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": instance.name,
        "subnet": subnet_names[instance.subnet_id],
        "ip": format_addr(instance.addr),
    }
    if instance.listen:
        entry["listen"] = [format_port(port) for port in instance.listen]
    if instance.nic_mbps != DEFAULT_NIC_MBPS:
        entry["nic_mbps"] = instance.nic_mbps
    return entry


def _route_entry(rule: RouteRule, hops: Mapping[str, str]) -> dict[str, Any]:
    is_gone = rule.next_hop.kind == "peer" and rule.next_hop.target not in hops
    next_hop = BLACKHOLE_WORD if is_gone else hops.get(rule.next_hop.target, str(rule.next_hop))
    entry = {"source": str(rule.source), "destination": str(rule.destination), "next_hop": next_hop}
    if rule.description:
        entry["description"] = rule.description
    return entry


def _interface(conn: PeerConn, vpc_id: str) -> str:
    """The name of a side's interface; one without a name gets its id as a name, so that routes find it."""
    side = conn.side_in(vpc_id)
    return side.interface_name or side.interface_id


def _peer_entry(inventory: Inventory, conn: PeerConn) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": conn.name}
    for key, side in (("local", conn.local), ("peer", conn.peer)):
        entry[key] = {"vpc": inventory.vpcs[side.vpc_id].name, "interface": _interface(conn, side.vpc_id)}
    entry["bandwidth_mbps"] = conn.bandwidth_mbps
    if conn.latency_ns != delay_ns(conn.local.region, conn.peer.region):
        entry["latency_ms"] = _number(conn.latency_ns, NS_PER_MS)
    if conn.burst_given:
        entry["burst_bytes"] = conn.burst_bytes
    if conn.queue_given:
        entry["queue_bytes"] = conn.queue_bytes
    if conn.mtu_bytes != DEFAULT_MTU_BYTES:
        entry["mtu_bytes"] = conn.mtu_bytes
    if conn.accounting != "l3":
        entry["accounting"] = conn.accounting
    if conn.police:
        entry["police"] = True
    if conn.payment != "postpaid":
        entry["payment"] = conn.payment
    if not conn.is_active:
        entry["state"] = conn.state.value
    # Only an active connection's switches can be set; an expired one that is renewed has to be asked again.
    if conn.is_active and (conn.local.dns_sync or conn.peer.dns_sync):
        entry["dns_sync"] = {"local": conn.local.dns_sync, "peer": conn.peer.dns_sync}
    return entry


def _traffic_entry(flow: FlowSpec) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": flow.name, "from": flow.from_ref, "to": flow.to_ref}
    if flow.kind == "replay":
        entry["pcap"] = flow.pcap
        if flow.time_scale != 1.0:
            entry["time_scale"] = flow.time_scale
    else:
        entry["kind"] = flow.kind
        is_default_rate = flow.kind == "icmp" and flow.rate_bps == flow.packet_bytes * BITS_PER_BYTE
        if flow.rate_bps is not None and not is_default_rate:
            entry["rate_mbps"] = _number(flow.rate_bps, BPS_PER_MBPS)
        if flow.packet_bytes != DEFAULT_PACKET_BYTES[flow.kind]:
            entry["packet_bytes"] = flow.packet_bytes
        if flow.arrivals != "cbr":
            entry["arrivals"] = flow.arrivals
        if flow.arrivals == "on_off":
            entry["on_ms"] = _number(flow.on_ns, NS_PER_MS)
            entry["off_ms"] = _number(flow.off_ns, NS_PER_MS)
        if flow.dst_port not in (None, DEFAULT_PORT):
            entry["dst_port"] = flow.dst_port
        if flow.src_port is not None:
            entry["src_port"] = flow.src_port
    if flow.df:
        entry["df"] = True
    if flow.start_ns:
        entry["start_s"] = _number(flow.start_ns, NS_PER_S)
    if flow.duration_ns is not None:
        entry["duration_s"] = _number(flow.duration_ns, NS_PER_S)
    return entry


def _expect_entry(expectation: Expectation) -> dict[str, Any]:
    if expectation.flow is not None:
        return {"flow": expectation.flow, **{name: _bounds(bounds) for name, bounds in expectation.bounds}}
    entry: dict[str, Any] = {"from": expectation.from_ref, "to": expectation.to_ref}
    if expectation.port is not None:
        entry["port"] = format_port(expectation.port)
    entry["reachable"] = expectation.reachable
    if expectation.because is not None:
        entry["because"] = expectation.because
    return entry


def _bounds(bounds: Bounds) -> dict[str, float]:
    ends = (("at_least", bounds.at_least), ("at_most", bounds.at_most))
    return {name: value for name, value in ends if value is not None}


def _number(value: int, unit: int) -> int | float:
    """`value` in a unit `unit` times as large; a float that rounds back to it."""
    return value // unit if value % unit == 0 else value / unit


def _check_names(inventory: Inventory) -> None:
    for kind, names in (
        ("vpc", [vpc.name for vpc in inventory.vpcs.values()]),
        ("peer connection", [conn.name for conn in inventory.peer_conns.values()]),
        ("instance", [instance.name for instance in inventory.instances.values()]),
    ):
        _check_unique(kind, names)
    for vpc in inventory.vpcs.values():
        interfaces = [_interface(conn, vpc.id) for conn in inventory.peer_conns_of(vpc.id)]
        _check_unique(f"interface in vpc {vpc.name}", interfaces)
        _check_unique(f"subnet in vpc {vpc.name}", [subnet.name for subnet in inventory.subnets_of(vpc.id)])


def _check_unique(kind: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ConflictError(f"{kind} {quoted(name)}: two have this name, a topology file needs different ones")
        seen.add(name)
