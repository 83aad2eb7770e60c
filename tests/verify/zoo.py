"""Graphs as clouds: each node a VPC that is a relay, each edge a connection, routes along shortest paths."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np

from netsim.controlplane import edit as e
from netsim.controlplane.inventory import Inventory


def cloud_of(graph: Any, seed: int, percent_removed: int) -> Inventory:
    """A research network over a simple graph; of its rules `percent_removed` are taken away at random."""
    rng = np.random.Generator(np.random.PCG64(seed))
    nodes = sorted(graph.nodes, key=str)
    number = {node: k for k, node in enumerate(nodes)}
    inventory = Inventory("research", seed=seed)
    edits: list[e.Edit[Any]] = [e.CreateAccount("acme")]
    for k in range(len(nodes)):
        base = f"10.{k >> 6}.{(k & 63) << 2}"
        edits += [
            e.CreateVpc(f"v{k}", "bj", f"{base}.0/22", "acme", relay=True),
            e.CreateSubnet(f"v{k}", "a", f"{base}.0/24"),
            e.CreateInstance(f"i{k}", f"v{k}/a", f"{base}.10"),
        ]
    for a, b in sorted((number[a], number[b]) for a, b in graph.edges if a != b):
        edits.append(e.CreatePeerConn(f"v{a}", f"v{b}", 100, f"c{a}-{b}", f"to-{b}", f"to-{a}"))
    for far, k in number.items():
        cidr = f"10.{k >> 6}.{(k & 63) << 2}.0/22"
        towards = nx.predecessor(graph, far)
        for node, nearer in towards.items():
            if nearer and rng.integers(100) >= percent_removed:
                next_hop = min(number[each] for each in nearer)
                edits.append(e.CreateRoute(f"v{number[node]}", "0.0.0.0/0", cidr, f"to-{next_hop}"))
    inventory.apply(*edits)
    return inventory
