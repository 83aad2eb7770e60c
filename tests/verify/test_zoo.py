"""Real networks, and generated ones of their shape: long paths, high degrees, some routes missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

from netsim.dataplane.disposition import Disposition
from netsim.lab import Lab
from netsim.probe.expectations import probe_pair
from netsim.verify.endpoint import instance_endpoint
from netsim.verify.network import Network
from netsim.verify.pairs import all_pairs
from netsim.verify.reach import judge
from tests.reference.plain_walk import PlainWalk
from tests.verify.zoo import cloud_of

PROBED = 40
WALKED, WALKED_TIMES_VPCS = 3_000, 60_000
"""Pairs that the plain walk is asked for, and less in large networks: it looks at every rule of every hop."""

NAMES = ("Abilene", "AttMpls", "Cogentco", "Geant2012", "Kdl", "Sprint")


def check(graph: Any, percent_removed: int) -> None:
    """All pairs at once, against the graph, a plain walk, single walks and packets."""
    graph = nx.Graph(graph)
    graph.remove_edges_from(nx.selfloop_edges(graph))
    inventory = cloud_of(graph, 1, percent_removed)
    lab = Lab(inventory)
    network = Network(lab.fib, lab.compiler, inventory)
    table = all_pairs(network)
    n = len(table.instance_ids)
    instances = [inventory.instances[i] for i in table.instance_ids]
    plain = PlainWalk(inventory)
    if not percent_removed:
        connected = sum(len(part) * (len(part) - 1) for part in nx.connected_components(graph))
        long_ones = int((table.end == int(Disposition.TTL_EXPIRED)).sum())
        assert table.counts()["reachable"] == connected - long_ones
    else:
        assert 0 < table.counts()["reachable"] < n * (n - 1)
    rng = np.random.Generator(np.random.PCG64(2))
    pairs = [(int(a), int(b)) for a, b in rng.integers(n, size=(min(WALKED, WALKED_TIMES_VPCS // n), 2)) if a != b]
    for k, (a, b) in enumerate(pairs):
        assert table.answer(a, b) == plain.verdict(instances[a], instances[b]), (a, b)
        if k < PROBED:
            source, target = (instance_endpoint(network, instances[x].id) for x in (a, b))
            proven = judge(network, source, target)
            sent = probe_pair(lab, instances[a], instances[b])
            assert table.answer(a, b) == (proven.verdict, proven.reason) == (sent.verdict, sent.reason), (a, b)


@pytest.mark.slow
@pytest.mark.parametrize("percent_removed", [0, 2])
@pytest.mark.parametrize("name", NAMES)
def test_real_networks(shared_data: Path, name: str, percent_removed: int) -> None:
    check(nx.read_graphml(shared_data / "topology-zoo" / f"{name}.graphml"), percent_removed)


def test_every_graph_of_the_folder_is_tested(shared_data: Path) -> None:
    assert sorted(path.stem for path in (shared_data / "topology-zoo").glob("*.graphml")) == list(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("percent_removed", [0, 2])
@pytest.mark.parametrize("shape", ["ring", "tree", "scale-free", "grid"])
def test_generated_networks_of_such_shapes(shape: str, percent_removed: int) -> None:
    graphs = {
        "ring": lambda: nx.cycle_graph(40),
        "tree": lambda: nx.balanced_tree(3, 3),
        "scale-free": lambda: nx.barabasi_albert_graph(60, 2, seed=3),
        "grid": lambda: nx.convert_node_labels_to_integers(nx.grid_2d_graph(5, 8)),
    }
    check(graphs[shape](), percent_removed)
