"""The networkx view of an inventory: for pictures, and for what graphs are good at.

Nodes are resource ids with `kind` vpc | subnet | instance; edges are `kind` contains (VPC to subnet,
subnet to instance) or peer (VPC to VPC, keyed by the connection's id). Everything is in order of
creation, so equal inventories give equal pictures.

The questions below ask about VPCs and active peer connections alone. They know neither routes nor the
transit rule: what they call connected may still lack a route (`netsim.verify` proves such things), but
what they call apart no route can bring together, and no traffic beats `max_flow_mbps`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from netsim.controlplane.peer_conn import PeerConn, PeerConnState, PeerSide
from netsim.controlplane.view import View
from netsim.errors import NotFoundError
from netsim.prefix import format_addr
from netsim.units import NS_PER_MS

if TYPE_CHECKING:  # half a second that only who asks for a graph should pay
    import networkx as nx


def build_graph(view: View) -> nx.MultiGraph:
    """All that the view shows, as a multigraph; O(resources).

    Every node has `kind`, `id`, `name`, `label` (name and address range, for pictures), `account`, `region`;
    VPCs `cidr` and `relay`, subnets `cidr` and `zone`, instances `addr`. Peer edges have `id`, `name`, `label`,
    `state`, `bandwidth_mbps`, `latency_ms`, and `local_vpc`, `peer_vpc`, `local_interface`, `peer_interface`
    (name, or id if it has none). Of another's VPC a tenant's graph has the id, account and region.
    """
    import networkx as nx

    graph = nx.MultiGraph()
    for vpc in view.vpcs.values():
        graph.add_node(
            vpc.id,
            kind="vpc",
            id=vpc.id,
            name=vpc.name,
            label=f"{vpc.name}\n{vpc.cidr}",
            cidr=str(vpc.cidr),
            account=vpc.account,
            region=vpc.region,
            relay=vpc.relay,
        )
    for subnet in view.subnets.values():
        vpc = view.vpc(subnet.vpc_id)
        graph.add_node(
            subnet.id,
            kind="subnet",
            id=subnet.id,
            name=subnet.name,
            label=f"{subnet.name}\n{subnet.cidr}",
            cidr=str(subnet.cidr),
            account=vpc.account,
            region=vpc.region,
            zone=subnet.zone,
        )
        graph.add_edge(vpc.id, subnet.id, key="contains", kind="contains")
    for instance in view.instances.values():
        vpc, addr = view.vpc(instance.vpc_id), format_addr(instance.addr)
        graph.add_node(
            instance.id,
            kind="instance",
            id=instance.id,
            name=instance.name,
            label=f"{instance.name}\n{addr}",
            addr=addr,
            account=vpc.account,
            region=vpc.region,
        )
        graph.add_edge(instance.subnet_id, instance.id, key="contains", kind="contains")
    for conn in view.peer_conns.values():
        for side in (conn.local, conn.peer):
            if side.vpc_id not in graph:
                graph.add_node(side.vpc_id, **_foreign(side))
        graph.add_edge(conn.local.vpc_id, conn.peer.vpc_id, key=conn.id, **_peer_edge(conn))
    return graph


def _foreign(side: PeerSide) -> dict[str, Any]:
    label = f"{side.vpc_id}\n({side.account})"
    return {
        "kind": "vpc",
        "id": side.vpc_id,
        "name": side.vpc_id,
        "label": label,
        "account": side.account,
        "region": side.region,
    }


def _peer_edge(conn: PeerConn) -> dict[str, Any]:
    label = f"{conn.name}\n{conn.bandwidth_mbps} Mbps"
    if not conn.is_active:
        label += f" ({conn.state})"
    return {
        "kind": "peer",
        "id": conn.id,
        "name": conn.name,
        "label": label,
        "state": str(conn.state),
        "bandwidth_mbps": conn.bandwidth_mbps,
        "latency_ms": conn.latency_ns / NS_PER_MS,
        "latency_ns": conn.latency_ns,
        "local_vpc": conn.local.vpc_id,
        "peer_vpc": conn.peer.vpc_id,
        "local_interface": conn.local.interface_name or conn.local.interface_id,
        "peer_interface": conn.peer.interface_name or conn.peer.interface_id,
    }


def peer_graph(graph: nx.MultiGraph) -> nx.Graph:
    """VPCs and active connections alone, of what `build_graph` made.

    Edges have `ids` (list of connection ids; the product has one per pair), `bandwidth_mbps` (their sum) and
    `latency_ns` (the least).
    """
    import networkx as nx

    peers = nx.Graph()
    peers.add_nodes_from((node, data) for node, data in graph.nodes(data=True) if data["kind"] == "vpc")
    for a, b, data in graph.edges(data=True):
        if data["kind"] != "peer" or data["state"] != PeerConnState.ACTIVE:
            continue
        if not peers.has_edge(a, b):
            peers.add_edge(a, b, ids=[], bandwidth_mbps=0, latency_ns=data["latency_ns"])
        edge = peers.edges[a, b]
        edge["ids"].append(data["id"])
        edge["bandwidth_mbps"] += data["bandwidth_mbps"]
        edge["latency_ns"] = min(edge["latency_ns"], data["latency_ns"])
    return peers


def components(graph: nx.MultiGraph) -> list[list[str]]:
    """VPC ids that active connections hold together; groups and members in order of creation."""
    import networkx as nx

    peers = peer_graph(graph)
    rank = {node: number for number, node in enumerate(peers)}
    groups = [sorted(group, key=rank.__getitem__) for group in nx.connected_components(peers)]
    return sorted(groups, key=lambda group: rank[group[0]])


def cut_links(graph: nx.MultiGraph) -> list[str]:
    """Ids of the active connections without which a component falls apart, in order of creation."""
    import networkx as nx

    peers = peer_graph(graph)
    bridges = {frozenset(bridge) for bridge in nx.bridges(peers)}
    return [ids[0] for a, b, ids in peers.edges(data="ids") if frozenset((a, b)) in bridges and len(ids) == 1]


def cut_vpcs(graph: nx.MultiGraph) -> list[str]:
    """Ids of the VPCs without which a component falls apart, in order of creation."""
    import networkx as nx

    peers = peer_graph(graph)
    cuts = set(nx.articulation_points(peers))
    return [node for node in peers if node in cuts]


def max_flow_mbps(graph: nx.MultiGraph, source: str, target: str) -> int:
    """The most that active connections could carry from one VPC to another, over all ways at once, in Mbps.

    An upper bound by the caps (each direction of a connection has its own): a cloud that routes by
    destination uses one way, and the transit rule may forbid it.

    Raises:
        NotFoundError: no such VPC id in the graph.
    """
    import networkx as nx

    peers = peer_graph(graph)
    _check_nodes(peers, (source, target))
    if source == target:
        return 0
    return int(nx.maximum_flow_value(peers, source, target, capacity="bandwidth_mbps"))


def hop_counts(graph: nx.MultiGraph, source: str) -> dict[str, int]:
    """How many connections away each VPC is that can be reached at all, nearest first; the source is 0.

    Raises:
        NotFoundError: no such VPC id in the graph.
    """
    import networkx as nx

    peers = peer_graph(graph)
    _check_nodes(peers, (source,))
    return dict(nx.single_source_shortest_path_length(peers, source))


def delays_ns(graph: nx.MultiGraph, source: str) -> dict[str, int]:
    """The least one-way propagation delay to each VPC that can be reached, nearest first, ns.

    Raises:
        NotFoundError: no such VPC id in the graph.
    """
    import networkx as nx

    peers = peer_graph(graph)
    _check_nodes(peers, (source,))
    return dict(nx.single_source_dijkstra_path_length(peers, source, weight="latency_ns"))


def _check_nodes(peers: nx.Graph, nodes: Iterable[str]) -> None:
    for node in nodes:
        if node not in peers:
            raise NotFoundError(f'graph: vpc "{node}": not found, expected the id of a VPC')
