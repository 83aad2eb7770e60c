"""Cross-check: engine, verifier and kernel agree; and a mapping that is wrong anywhere is found."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from netsim.controlplane import edit as e
from netsim.controlplane.inventory import Inventory
from netsim.dataplane.disposition import Disposition
from netsim.kernel import batch, crosscheck, filters, planner, router
from netsim.kernel.crosscheck import MOST_PAIRS, CrossCheck, check_random, check_topology
from netsim.kernel.journal import Journal
from netsim.kernel.plan import Namespace, Plan
from netsim.kernel.questions import pairs
from netsim.kernel.random_topology import random_topology
from netsim.prefix import Prefix
from netsim.topology_file import Topology, read_topology
from netsim.topology_file.dump import dump_topology
from netsim.verify.network import Network
from netsim.verify.path import start_at, walk

IS_LONG = os.environ.get("NETSIM_LONG") == "1"
AT_ONCE = 10
NETWORKS = 2000 if IS_LONG else 100
"""A network takes a second; the command's own default is 100."""
FIRST_SEED = 5000


@pytest.mark.netns
@pytest.mark.slow
@pytest.mark.usefixtures("real_kernel")
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + NETWORKS, AT_ONCE))
def test_engine_verifier_and_kernel_agree_on_random_networks(journal: Journal, seed: int) -> None:
    """A failure prints the pairs, what each side says, and the seed that makes the network again."""
    total = CrossCheck()
    for _, found in check_random(AT_ONCE, seed, journal=journal):
        total += found
    assert not total.differences, "\n".join(map(str, total.differences[:20]))
    assert total.topologies == AT_ONCE
    # Every verdict and every kind of answer is there, else agreeing would mean little.
    assert set(total.verdicts) == {"reachable", "one_way", "not_reachable"}
    kinds = {"echo reply", "syn-ack", "rst", "3/0", "3/1", "3/3", "3/4", "11/0", "silence"}
    assert set(total.answers) == kinds
    assert not journal.all()


@pytest.mark.netns
@pytest.mark.slow
@pytest.mark.usefixtures("real_kernel")
def test_they_agree_on_packets_that_go_in_circles(journal: Journal) -> None:
    """Research relays that point to each other: each packet ends after 64 routers, at the right one."""
    ((topology, found),) = check_random(1, 129, journal=journal)
    network = Network.of(topology.inventory)
    circling = [
        (source, dst)
        for source, dst in pairs(topology.inventory, MOST_PAIRS, 0)
        if walk(
            network, start_at(network, network.inst_of[source]), topology.inventory.instances[source].addr, dst
        ).disposition
        is Disposition.TTL_EXPIRED
    ]
    assert circling and not found.differences


def test_a_random_topology_is_a_function_of_its_seed_and_fits_a_file() -> None:
    texts = [dump_topology(random_topology(seed)) for seed in range(8)]
    assert texts == [dump_topology(random_topology(seed)) for seed in range(8)]
    assert len(set(texts)) == 8
    for text in texts:
        assert dump_topology(read_topology(text)) == text


def test_random_topologies_have_every_trap() -> None:
    inventories = [random_topology(seed).inventory for seed in range(100)]
    vpcs = {len(inventory.vpcs) for inventory in inventories}
    rules = [rule for inventory in inventories for rule in inventory.rules.values()]
    conns = [conn for inventory in inventories for conn in inventory.peer_conns.values()]
    assert vpcs == {2, 3, 4, 5, 6, 7, 8}
    assert {rule.next_hop.kind for rule in rules} == {"peer", "gateway", "blackhole"}
    assert {0, 32} <= {rule.destination.prefix_len for rule in rules}
    assert len({rule.source.prefix_len for rule in rules}) > 5
    assert {conn.state for conn in conns} >= {"active", "expired", "consulting", "consult_failed"}
    assert {conn.mtu_bytes for conn in conns} == {600, 1280, 1400, 1500, 9000}
    assert {vpc.relay for inventory in inventories for vpc in inventory.vpcs.values()} == {True, False}


@pytest.mark.netns
@pytest.mark.slow
@pytest.mark.usefixtures("real_kernel")
def test_how_many_are_asked_at_once_changes_nothing(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = check_topology(small(), journal=journal)
    monkeypatch.setattr(crosscheck, "MAX_QUESTIONS", 100)
    parts = check_topology(small(), journal=journal)
    assert not whole.differences
    assert parts == whole
    some = check_topology(small(), most_pairs=10, journal=journal)
    assert some.pairs == 10 and not some.differences


# ------------------------------------------------------------------------- it finds what is wrong


def small() -> Topology:
    """shop - hub (relay) - data - end, with a trap for each part of the mapping."""
    inventory = Inventory()
    inventory.apply(
        e.CreateAccount("acme"),
        e.CreateVpc("shop", "bj", "192.168.0.0/16", "acme"),
        e.CreateVpc("hub", "bj", "10.1.0.0/16", "acme", relay=True),
        e.CreateVpc("data", "bj", "10.2.0.0/16", "acme"),
        e.CreateVpc("end", "gz", "10.3.0.0/16", "acme"),
        e.CreateSubnet("shop", "web", "192.168.0.0/24"),
        e.CreateSubnet("shop", "desk", "192.168.1.0/24"),
        e.CreateSubnet("hub", "a", "10.1.0.0/24"),
        e.CreateSubnet("data", "db", "10.2.0.0/24"),
        e.CreateSubnet("end", "z", "10.3.0.0/24"),
        e.CreateInstance("web-1", "shop/web", "192.168.0.10"),
        e.CreateInstance("desk-1", "shop/desk", "192.168.1.10"),
        e.CreateInstance("h-1", "hub/a", "10.1.0.10"),
        e.CreateInstance("db-1", "data/db", "10.2.0.20"),
        e.CreateInstance("z-1", "end/z", "10.3.0.30"),
        e.CreatePeerConn("shop", "hub", 100, "shop-hub", "to-hub", "to-shop", mtu_bytes=1400),
        e.CreatePeerConn("hub", "data", 100, "hub-data", "to-data", "to-hub"),
        e.CreatePeerConn("data", "end", 100, "data-end", "to-end", "to-data"),
        e.CreateVpc("far", "gz", "10.9.0.0/16", "acme"),
        e.CreateSubnet("far", "y", "10.9.0.0/24"),
        e.CreatePeerConn("shop", "far", 100, "shop-far", "to-far", "to-shop", state="expired", payment="prepaid"),
        e.CreateRoute("shop", "0.0.0.0/0", "10.9.0.0/16", "to-far"),
        e.CreateRoute("far", "0.0.0.0/0", "192.168.0.0/16", "to-shop"),
        e.CreateRoute("shop", "0.0.0.0/0", "10.0.0.0/8", "to-hub"),
        e.CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "to-hub"),
        e.CreateRoute("shop", "192.168.1.0/24", "10.0.0.0/8", "blackhole"),
        e.CreateRoute("shop", "0.0.0.0/0", "172.16.0.0/12", "gateway:internet"),
        e.CreateRoute("hub", "0.0.0.0/0", "192.168.0.0/16", "to-shop"),
        e.CreateRoute("hub", "0.0.0.0/0", "10.2.0.0/15", "to-data"),
        e.CreateRoute("data", "0.0.0.0/0", "192.168.0.0/16", "to-hub"),
        e.CreateRoute("data", "0.0.0.0/0", "10.1.0.0/16", "to-hub"),
        e.CreateRoute("data", "0.0.0.0/0", "10.3.0.0/16", "to-end"),
        e.CreateRoute("end", "0.0.0.0/0", "10.1.0.0/16", "to-data"),
        e.CreateRoute("end", "0.0.0.0/0", "192.168.0.0/16", "to-data"),
    )
    return Topology(inventory, "small")


Break = Callable[[pytest.MonkeyPatch], None]


def own_rules_only(patch: pytest.MonkeyPatch) -> None:
    """Source segments as separate tables: the trap of source-first lookup."""

    def tables(rules: Any) -> dict[Prefix, dict[Prefix, Any]]:
        found: dict[Prefix, dict[Prefix, Any]] = {Prefix(0, 0): {}}
        for source, destination, what in rules:
            found.setdefault(source, {})[destination] = what
        return dict(sorted(found.items(), key=lambda each: -each[0].prefix_len))

    patch.setattr(router, "segment_tables", tables)


def everyone_relays(patch: pytest.MonkeyPatch) -> None:
    real = filters.router_filters
    patch.setattr(router, "router_filters", lambda outs, **known: real(outs, **{**known, "may_transit": True}))


def nobody_relays(patch: pytest.MonkeyPatch) -> None:
    real = filters.router_filters
    patch.setattr(router, "router_filters", lambda outs, **known: real(outs, **{**known, "may_transit": False}))


def replaced(change: Callable[[Namespace], Namespace]) -> Break:
    """Each router's namespace is another than it should be."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        real = planner.plan

        def plan(inventory: Inventory, name: str) -> Plan:
            made = real(inventory, name)
            spaces = (change(space) if space.kind == "router" else space for space in made.namespaces)
            return replace(made, namespaces=tuple(spaces))

        patch.setattr("netsim.kernel.crosscheck.plan", plan)

    return apply


def in_lines(old: str, new: str) -> Break:
    """The input of `ip` says another thing."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        real = batch.link_lines
        patch.setattr(batch, "link_lines", lambda plan: (line.replace(old, new) for line in real(plan)))

    return apply


def without_sysctl(name: str, value: str) -> Break:
    def change(space: Namespace) -> Namespace:
        return replace(space, sysctls=tuple((key, value if key == name else was) for key, was in space.sysctls))

    return replaced(change)


BREAKS: dict[str, tuple[Break, str]] = {
    "segments that hold their own rules only": (own_rules_only, "shop/desk-1 -> 10.1.0.10"),
    "a VPC that is no relay passes packets on": (everyone_relays, "shop/web-1 -> 10.3.0.30"),
    "a relay that does not": (nobody_relays, "shop/web-1 -> 10.2.0.20"),
    "no MTU": (in_lines("mtu 1400", "mtu 1500"), "1500 bytes DF"),
    "no refusals": (replaced(lambda space: replace(space, filters="")), "icmp echo"),
    "another first TTL": (without_sysctl("ipv4/ip_default_ttl", "63"), "icmp echo"),
    "routers that don't forward": (without_sysctl("ipv4/ip_forward", "0"), "verdict"),
    "no blackholes": (
        replaced(lambda space: replace(space, routes=tuple(r for r in space.routes if r.device))),
        "shop/desk-1 -> 10.2.0.20",
    ),
    "one route less": (
        replaced(
            lambda space: replace(space, routes=tuple(r for r in space.routes if str(r.destination) != "10.2.0.0/15"))
        ),
        "hop list",
    ),
    "errors from the resolver's address": (
        replaced(lambda space: replace(space, routes=tuple(replace(r, src=r.src and r.src + 1) for r in space.routes))),
        "hop list",
    ),
}


@pytest.fixture(scope="module")
def _as_it_is(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing differs when nothing is wrong."""
    request.getfixturevalue("real_kernel")
    found = check_topology(small(), journal=Journal(tmp_path_factory.mktemp("journal") / "run"))
    assert not found.differences, "\n".join(map(str, found.differences))


@pytest.mark.netns
@pytest.mark.slow
@pytest.mark.usefixtures("_as_it_is")
@pytest.mark.parametrize("name", BREAKS)
def test_what_is_wrong_on_the_kernel_is_found(journal: Journal, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for patience in ("PATIENCE_S", "PATIENCE_AGAIN_S"):
        monkeypatch.setattr(crosscheck, patience, 1.0)
    apply, shows = BREAKS[name]
    apply(monkeypatch)
    found = check_topology(small(), seed=7, journal=journal)
    assert found.differences
    assert any(shows in str(each) for each in found.differences), "\n".join(map(str, found.differences[:20]))
    for each in found.differences:
        engine, verifier, kernel = each.answers
        assert engine == verifier != kernel, "only the kernel was wrong"
    assert not journal.all()
