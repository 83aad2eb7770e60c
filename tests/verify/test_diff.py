"""What changed between two networks, and the proof that nothing did."""

from __future__ import annotations

import itertools

import pytest

from netsim.controlplane.edit import (
    CreateInstance,
    CreateRoute,
    CreateSubnet,
    CreateVpc,
    DeleteInstance,
    DeleteRoute,
    UpdateInstance,
)
from netsim.controlplane.inventory import Inventory
from netsim.prefix import format_addr
from netsim.verify.diff import Diff, PortChange, diff
from netsim.verify.network import Network
from netsim.verify.whatif import what_if
from tests.clouds import chain, two_vpcs
from tests.reference.plain_walk import PlainWalk
from tests.verify.random_network import RandomNetwork


def after(inventory: Inventory, *edits: object) -> Diff:
    network = Network.of(inventory)
    return diff(network, what_if(network, *edits))  # type: ignore[arg-type]


def test_a_network_is_the_same_as_itself() -> None:
    found = diff(Network.of(two_vpcs()), Network.of(two_vpcs()))
    assert found.is_same
    assert found.to_dict()["same"] is True


def test_other_rules_to_the_same_effect_change_nothing() -> None:
    """Halves instead of the whole, and a rule that loses everywhere: proven the same for all packets."""
    inventory = two_vpcs()
    whole = inventory.rules_of("shop")[0].id
    assert after(
        inventory,
        CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/17", "int-shop"),
        CreateRoute("shop", "0.0.0.0/0", "10.1.128.0/17", "int-shop"),
        DeleteRoute(whole),
        CreateRoute("shop", "192.168.0.0/24", "224.0.0.0/4", "int-shop"),
    ).is_same


def test_a_rule_less_loses_pairs_and_packets() -> None:
    inventory = two_vpcs()
    found = after(inventory, DeleteRoute(inventory.rules_of("data")[0].id))
    assert not found.is_same
    assert {(change.source, change.target) for change in found.lost} == {
        pair
        for name in ("web-1", "web-2", "desk-1")
        for pair in ((f"shop/{name}", "data/db-1"), ("data/db-1", f"shop/{name}"))
    }
    change = next(change for change in found.pairs if change.source == "shop/web-1")
    assert (change.before, change.after) == (("reachable", ""), ("one_way", "no_return_route"))
    (piece,) = found.pieces
    assert (piece.vpc, piece.before, piece.after) == ("data", "delivered in shop", "no_route")
    assert [format_addr(addr) for addr in piece.dst] == ["192.168.0.0", "192.168.255.255"]
    assert str(piece.witness) == "10.1.0.0 → 192.168.0.0 from data"
    assert found.gained == ()


def test_the_other_way_round_gains_them() -> None:
    inventory = two_vpcs()
    network = Network.of(inventory)
    less = what_if(network, DeleteRoute(inventory.rules_of("data")[0].id))
    found = diff(less, network)
    assert len(found.gained) == 6 and found.lost == ()


def test_a_segment_is_told_apart() -> None:
    found = after(two_vpcs(), CreateRoute("shop", "192.168.0.10/32", "10.1.0.0/24", "blackhole"))
    (piece,) = found.pieces
    assert [format_addr(addr) for addr in piece.src] == ["192.168.0.10", "192.168.0.10"]
    assert piece.after == "blackhole"


def test_who_has_an_address_and_what_listens_count_too() -> None:
    inventory = two_vpcs()
    found = after(inventory, DeleteInstance("db-1"), CreateInstance("db-2", "data/db", "10.1.0.20"))
    (owner,) = found.owners
    assert (owner.before, owner.after) == ("db-1", "db-2")
    assert found.pieces == ()
    assert {change.before[0] for change in found.pairs} == {"reachable", "absent"}
    assert after(inventory, UpdateInstance("db-1", listen=["tcp/1"])).ports == (
        PortChange("data/db-1", ("tcp/1",), ("tcp/5432", "udp/53")),
    )


def test_vpcs_that_come_and_go() -> None:
    found = after(two_vpcs(), CreateVpc("new", "bj", "10.9.0.0/16", "acme"), CreateSubnet("new", "s", "10.9.0.0/24"))
    assert (found.vpcs_added, found.vpcs_removed, found.is_same) == (("new",), (), False)


def test_ids_do_not_matter() -> None:
    one, two = Network.of(chain(4)), Network.of(chain(4))
    reseeded = Inventory("research", seed=99)
    assert diff(one, two).is_same
    assert not diff(one, Network.of(reseeded)).is_same


@pytest.mark.parametrize("seed", range(30))
def test_random_rules_changed(seed: int) -> None:
    """Pairs and pieces change exactly where a plain walk ends differently; where it says the same, all is the same."""
    inventory = RandomNetwork(seed).inventory
    network = Network.of(inventory)
    rules = list(inventory.rules)
    other = what_if(network, *(DeleteRoute(rule) for rule in rules[seed % 3 :: 5]))
    found = diff(network, other)
    plain = PlainWalk(inventory), PlainWalk(other.inventory)
    changed = set()
    for a, b in itertools.permutations(inventory.instances.values(), 2):
        if plain[0].verdict(a, b) != plain[1].verdict(a, b):
            changed.add((a.name, b.name))
    assert {(c.source.split("/")[1], c.target.split("/")[1]) for c in found.pairs} == changed
    for piece in found.pieces:
        vpc = inventory.vpc(piece.vpc).id
        ends = [walk.fate_of_router(vpc, piece.witness.src, piece.witness.dst) for walk in plain]
        if "delivered in" not in piece.before + piece.after:
            assert [end for end, _ in ends] == [piece.before, piece.after]
    if found.is_same:
        assert not changed
