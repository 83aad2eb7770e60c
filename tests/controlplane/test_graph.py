"""The networkx view, and the questions a graph answers."""

from __future__ import annotations

from itertools import pairwise

import pytest

from netsim.controlplane.edit import CreateAccount, CreatePeerConn, CreateVpc, DeletePeerConn
from netsim.controlplane.graph import (
    build_graph,
    components,
    cut_links,
    cut_vpcs,
    delays_ns,
    hop_counts,
    max_flow_mbps,
    peer_graph,
)
from netsim.controlplane.inventory import Inventory
from netsim.errors import NotFoundError


def _network(names: str, links: list[tuple[str, int, float]], state: str = "active") -> Inventory:
    """VPCs by letter; links like ("ab", Mbps, one-way ms)."""
    inventory = Inventory("research")
    inventory.apply(CreateAccount("x"), *(CreateVpc(name, "bj", "10.0.0.0/16", "x") for name in names))
    for link, mbps, latency_ms in links:
        inventory.apply(CreatePeerConn(link[0], link[1], mbps, link, latency_ms=latency_ms, state=state))
    return inventory


def _names(inventory: Inventory, ids: list[str]) -> str:
    return "".join(inventory.vpc(i).name for i in ids)


def test_nodes_and_edges_carry_what_pictures_need(linked: Inventory) -> None:
    graph = build_graph(linked)
    shop, web, web_1 = linked.vpc("shop"), linked.subnet("web"), linked.instance("web-1")
    conn = linked.peer_conn("shop-data")
    assert graph.nodes[shop.id] == {
        "kind": "vpc", "id": shop.id, "name": "shop", "label": "shop\n192.168.0.0/16", "cidr": "192.168.0.0/16",
        "account": "acme", "region": "bj", "relay": False,
    }  # fmt: skip
    assert graph.nodes[web_1.id]["label"] == "web-1\n192.168.0.10"
    assert graph.nodes[web.id]["zone"] == "cn-bj-a"
    assert graph.edges[shop.id, web.id, "contains"] == {"kind": "contains"}
    assert graph.has_edge(web.id, web_1.id, "contains")
    edge = graph.edges[conn.local.vpc_id, conn.peer.vpc_id, conn.id]
    assert edge["label"] == "shop-data\n100 Mbps"
    assert (edge["state"], edge["bandwidth_mbps"], edge["local_interface"]) == ("active", 100, "int-1")
    assert edge["latency_ns"] == conn.latency_ns == edge["latency_ms"] * 1e6
    assert [data["name"] for _, data in graph.nodes(data=True)] == [
        "shop", "data", "stage", "web", "db", "web-1", "db-1",
    ]  # fmt: skip


def test_a_tenants_graph_shows_the_far_end_as_a_name_tag(linked: Inventory) -> None:
    graph = build_graph(linked.visible_to("acme"))
    data = linked.vpc("data")
    assert set(graph.nodes[data.id]) == {"kind", "id", "name", "label", "account", "region"}
    assert graph.nodes[data.id]["name"] == data.id
    assert {n["name"] for _, n in graph.nodes(data=True)} == {"shop", "stage", "web", "web-1", data.id}


def test_components_are_held_together_by_active_connections() -> None:
    inventory = _network("abcde", [("db", 1, 1), ("ea", 1, 1)])
    inventory.apply(CreateAccount("y"), CreateVpc("f", "bj", "10.0.0.0/16", "y"), CreatePeerConn("c", "f", 1))
    graph = build_graph(inventory)
    assert [_names(inventory, group) for group in components(graph)] == ["ae", "bd", "c", "f"]
    assert peer_graph(graph).number_of_edges() == 2


def test_cut_links_and_cut_vpcs_are_those_without_a_way_round() -> None:
    inventory = _network("abcde", [("ab", 1, 1), ("bc", 1, 1), ("ca", 1, 1), ("cd", 1, 1), ("de", 1, 1)])
    graph = build_graph(inventory)
    assert [inventory.peer_conn(i).name for i in cut_links(graph)] == ["cd", "de"]
    assert _names(inventory, cut_vpcs(graph)) == "cd"


def test_the_flow_bound_adds_ways_and_stops_at_the_narrowest() -> None:
    links = [("ab", 100, 1.0), ("bd", 30, 1.0), ("ac", 20, 1.0), ("cd", 500, 1.0), ("bc", 5, 1.0)]
    inventory = _network("abcde", links)
    graph = build_graph(inventory)
    ids = {name: inventory.vpc(name).id for name in "abcde"}
    assert max_flow_mbps(graph, ids["a"], ids["d"]) == 30 + 20 + 5
    assert max_flow_mbps(graph, ids["d"], ids["a"]) == 30 + 20 + 5
    assert max_flow_mbps(graph, ids["a"], ids["e"]) == max_flow_mbps(graph, ids["a"], ids["a"]) == 0


def test_distances_count_connections_and_delays() -> None:
    inventory = _network("abcd", [("ab", 1, 1.0), ("bc", 1, 1.0), ("ac", 1, 5.0)])
    graph = build_graph(inventory)
    a, b, c = (inventory.vpc(name).id for name in "abc")
    assert hop_counts(graph, a) == {a: 0, b: 1, c: 1}
    assert delays_ns(graph, a) == {a: 0, b: 1_000_000, c: 2_000_000}
    assert list(delays_ns(graph, a)) == [a, b, c]


def test_a_link_that_goes_is_gone_from_the_next_graph() -> None:
    names = "abcdef"
    inventory = _network(names, [("".join(pair), 1, 1.0) for pair in pairwise(names)])
    assert len(components(build_graph(inventory))) == 1
    inventory.apply(DeletePeerConn("cd"))
    assert [_names(inventory, group) for group in components(build_graph(inventory))] == ["abc", "def"]


def test_unknown_vpcs_are_refused(cloud: Inventory) -> None:
    graph = build_graph(cloud)
    for question in (hop_counts, delays_ns):
        with pytest.raises(NotFoundError, match='vpc "nowhere": not found'):
            question(graph, "nowhere")
    with pytest.raises(NotFoundError):
        max_flow_mbps(graph, cloud.vpc("shop").id, cloud.instance("web-1").id)
