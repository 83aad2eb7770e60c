"""What a topology holds as rows: its resources, its traffic and what it expects."""

from __future__ import annotations

from netsim.controlplane.vpc import Vpc
from netsim.resource_rows import Rows
from netsim.resource_rows import rows_of as resources_of
from netsim.topology_file import Topology
from netsim.units import BPS_PER_MBPS, NS_PER_S


def rows_of(noun: str, topology: Topology, vpc: Vpc | None = None) -> Rows:
    """The rows of a kind of thing, in order of the file; of one VPC if it is given."""
    if noun == "traffic":
        return _traffic(topology, vpc)
    if noun == "expect":
        return _expect(topology, vpc)
    return resources_of(noun, topology.inventory, vpc)


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
