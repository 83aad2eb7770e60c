"""Resources of a topology as rows: what `show` prints, with keys that are the same in every format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import PeerConn, PeerSide
from netsim.controlplane.route_table import NextHop
from netsim.controlplane.vpc import Vpc
from netsim.prefix import ANY, format_addr
from netsim.topology_file import Topology
from netsim.traffic.expectation import format_port
from netsim.units import BPS_PER_MBPS, NS_PER_MS, NS_PER_S


class Rows(NamedTuple):
    """Rows of one kind; `columns` are the keys that a table shows."""

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]


def rows_of(noun: str, topology: Topology, vpc: Vpc | None = None) -> Rows:
    """The rows of a kind of thing, in order of creation; of one VPC if it is given."""
    return _MAKERS[noun](topology, vpc)


def next_hop_text(inventory: Inventory, next_hop: NextHop) -> str:
    """`int-1 (shop-data)`, `gateway:nat` or `blackhole`, as people named it."""
    if next_hop.kind != "peer":
        return str(next_hop)
    conn = inventory.conn_of_interface(next_hop.target)
    if conn is None:
        return f"{next_hop.target} (gone)"
    side = conn.local if conn.local.interface_id == next_hop.target else conn.peer
    state = "" if conn.is_active else f", {conn.state}"
    return f"{interface_text(side)} ({conn.name or conn.id}{state})"


def interface_text(side: PeerSide) -> str:
    """The interface's name, its id if it has none."""
    return side.interface_name or side.interface_id


def _vpcs(topology: Topology, vpc: Vpc | None) -> Rows:
    inventory = topology.inventory
    rows = [
        {
            "name": known.name,
            "account": known.account,
            "region": known.region,
            "cidr": str(known.cidr),
            "relay": known.relay,
            "subnets": len(inventory.subnets_of(known.id)),
            "instances": len(inventory.instances_of(known.id)),
            "routes": len(inventory.rules_of(known.id)),
            "peers": len(inventory.peer_conns_of(known.id)),
            "id": known.id,
        }
        for known in _chosen(inventory, vpc)
    ]
    return Rows(("name", "account", "region", "cidr", "relay", "subnets", "instances", "routes", "peers", "id"), rows)


def _subnets(topology: Topology, vpc: Vpc | None) -> Rows:
    rows = [
        {
            "vpc": known.name,
            "name": subnet.name,
            "cidr": str(subnet.cidr),
            "zone": subnet.zone,
            "router": format_addr(subnet.router_addr),
            "resolver": format_addr(subnet.resolver_addr),
            "id": subnet.id,
        }
        for known in _chosen(topology.inventory, vpc)
        for subnet in topology.inventory.subnets_of(known.id)
    ]
    return Rows(("vpc", "name", "cidr", "zone", "router", "resolver", "id"), rows)


def _instances(topology: Topology, vpc: Vpc | None) -> Rows:
    inventory = topology.inventory
    rows = [
        {
            "vpc": known.name,
            "name": instance.name,
            "ip": format_addr(instance.addr),
            "subnet": inventory.subnets[instance.subnet_id].name,
            "listen": [format_port(port) for port in instance.listen],
            "nic_mbps": instance.nic_mbps,
            "id": instance.id,
        }
        for known in _chosen(inventory, vpc)
        for instance in inventory.instances_of(known.id)
    ]
    return Rows(("vpc", "name", "ip", "subnet", "listen", "nic_mbps", "id"), rows)


def _routes(topology: Topology, vpc: Vpc | None) -> Rows:
    inventory = topology.inventory
    rows: list[dict[str, Any]] = []
    for known in _chosen(inventory, vpc):
        local = {"source": str(ANY), "destination": str(known.cidr), "next_hop": "local", "kind": "system"}
        rows.append({"vpc": known.name, **local, "description": "", "id": None})
        rows += [
            {
                "vpc": known.name,
                "source": str(rule.source),
                "destination": str(rule.destination),
                "next_hop": next_hop_text(inventory, rule.next_hop),
                "kind": "custom",
                "description": rule.description,
                "id": rule.id,
            }
            for rule in inventory.rules_of(known.id)
        ]
    return Rows(("vpc", "source", "destination", "next_hop", "kind", "description"), rows)


def _peers(topology: Topology, vpc: Vpc | None) -> Rows:
    inventory = topology.inventory
    conns = inventory.peer_conns.values() if vpc is None else inventory.peer_conns_of(vpc.id)
    columns = ("name", "local", "peer", "bandwidth_mbps", "latency_ms", "state", "payment", "dns_sync", "id")
    return Rows(columns, [_peer(inventory, conn) for conn in conns])


def _peer(inventory: Inventory, conn: PeerConn) -> dict[str, Any]:
    sides = {
        name: f"{inventory.vpcs[side.vpc_id].name}:{interface_text(side)}"
        for name, side in (("local", conn.local), ("peer", conn.peer))
    }
    return {
        "name": conn.name,
        **sides,
        "bandwidth_mbps": conn.bandwidth_mbps,
        "latency_ms": conn.latency_ns / NS_PER_MS,
        "burst_bytes": conn.burst_bytes,
        "queue_bytes": conn.queue_bytes,
        "mtu_bytes": conn.mtu_bytes,
        "accounting": conn.accounting,
        "police": conn.police,
        "state": str(conn.state),
        "payment": conn.payment,
        "dns_sync": conn.has_dns_sync,
        "id": conn.id,
    }


def _traffic(topology: Topology, vpc: Vpc | None) -> Rows:
    inventory = topology.inventory
    rows = [
        {
            "name": flow.name,
            "from": flow.from_ref,
            "to": flow.to_ref,
            "kind": flow.kind,
            "start_s": flow.start_ns / NS_PER_S,
            "duration_s": None if flow.duration_ns is None else flow.duration_ns / NS_PER_S,
            "rate_mbps": None if flow.rate_bps is None else flow.rate_bps / BPS_PER_MBPS,
            "packet_bytes": flow.packet_bytes,
            "arrivals": flow.arrivals,
            "dst_port": flow.dst_port,
            "pcap": flow.pcap,
        }
        for flow in topology.traffic
        if vpc is None or vpc.id in {inventory.instance(ref).vpc_id for ref in (flow.from_ref, flow.to_ref)}
    ]
    return Rows(
        ("name", "from", "to", "kind", "start_s", "duration_s", "rate_mbps", "packet_bytes", "arrivals", "pcap"), rows
    )


def _expect(topology: Topology, vpc: Vpc | None) -> Rows:
    rows = [
        {"line": place.line, "expectation": str(expectation), "about": "flow" if expectation.is_about_flow else "path"}
        for expectation, place in zip(topology.expect, topology.expect_places, strict=True)
        if vpc is None
    ]
    return Rows(("line", "expectation"), rows)


def _chosen(inventory: Inventory, vpc: Vpc | None) -> Iterable[Vpc]:
    return inventory.vpcs.values() if vpc is None else (vpc,)


_MAKERS = {
    "vpcs": _vpcs,
    "subnets": _subnets,
    "instances": _instances,
    "routes": _routes,
    "peers": _peers,
    "traffic": _traffic,
    "expect": _expect,
}
