"""A rebuilt inventory is the same one, ids included."""

from __future__ import annotations

from pathlib import Path

import pytest

from netsim.controlplane.inventory import Inventory
from netsim.controlplane.rebuild import edits_of
from netsim.topology_file import load_topology, read_topology

TOPOLOGIES = sorted((Path(__file__).parents[2] / "topologies").glob("*.netsim.yaml"))


def rebuilt(inventory: Inventory, limits: dict[str, int | None]) -> Inventory:
    again = Inventory(profile=inventory.profile, limits=limits, seed=inventory.seed)
    again.apply(*edits_of(inventory))
    return again


@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.name.removesuffix(".netsim.yaml"))
def test_a_file_becomes_edits_and_the_same_cloud(path: Path) -> None:
    topology = load_topology(path)
    ours, again = topology.inventory, rebuilt(topology.inventory, topology.limits)
    for kind in ("accounts", "vpcs", "subnets", "instances", "rules", "peer_conns"):
        assert list(getattr(again, kind).values()) == list(getattr(ours, kind).values()), kind
    for vpc in ours.vpcs:
        assert again.dns_records_of(vpc) == ours.dns_records_of(vpc)


@pytest.mark.parametrize("state", ["consulting", "consult_failed", "active", "expired"])
def test_every_state_and_setting_comes_again(state: str) -> None:
    topology = read_topology(
        f"""
netsim: 1
name: states
accounts: [{{id: acme}}, {{id: other}}]
vpcs:
  - {{name: a, account: acme, region: bj, cidr: 10.0.0.0/16, relay: true, subnets: [{{name: s, cidr: 10.0.0.0/24}}],
     instances: [{{name: a-1, subnet: s, ip: 10.0.0.9, listen: [tcp/80, udp/53]}}],
     routes: [{{source: 0.0.0.0/0, destination: 10.1.0.0/16, next_hop: i1}},
              {{source: 0.0.0.0/0, destination: 10.2.0.0/16, next_hop: "gateway:nat"}},
              {{source: 0.0.0.0/0, destination: 10.3.0.0/16, next_hop: blackhole}}],
     dns: [{{name: x.local, a: 10.0.0.9}}]}}
  - {{name: b, account: other, region: gz, cidr: 10.1.0.0/16}}
peer_connections:
  - {{name: c, local: {{vpc: a, interface: i1}}, peer: {{vpc: b, interface: i2}}, bandwidth_mbps: 7, latency_ms: 3.5,
     burst_bytes: 20000, mtu_bytes: 1400, accounting: l2, police: true, payment: prepaid, state: {state}}}
"""
    )
    again = rebuilt(topology.inventory, topology.limits)
    assert list(again.peer_conns.values()) == list(topology.inventory.peer_conns.values())
    assert list(again.rules.values()) == list(topology.inventory.rules.values())
