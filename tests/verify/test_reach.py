"""One pair: the verdict, the reason, both paths, in words and as JSON."""

from __future__ import annotations

import pytest

from netsim.controlplane.edit import (
    CreateInstance,
    CreateRoute,
    CreateSubnet,
    CreateVpc,
    DeleteRoute,
    UpdateInstance,
)
from netsim.controlplane.inventory import Inventory
from netsim.errors import InvalidError, NotFoundError, UsageError
from netsim.verify.network import Network
from netsim.verify.pairs import all_pairs
from netsim.verify.reach import Port, Reach, reach, reach_all
from tests.clouds import two_vpcs


def ask(inventory: Inventory, source: str, target: str, port: Port | None = None) -> Reach:
    return reach(Network.of(inventory), source, target, port)


def without_return_route() -> Inventory:
    inventory = two_vpcs()
    inventory.apply(DeleteRoute(inventory.rules_of("data")[0].id))
    return inventory


def answer(inventory: Inventory, source: str, target: str, port: Port | None = None) -> tuple[str, str]:
    found = ask(inventory, source, target, port)
    return found.verdict, found.reason


def test_both_ways_is_reachable() -> None:
    found = ask(two_vpcs(), "web-1", "db-1")
    assert found.is_reachable and found.reason == ""
    assert found.back is not None
    assert [hop.vpc for hop in found.forward.hops] == ["shop", "data"]
    assert [hop.vpc for hop in found.back.hops] == ["data", "shop"]


def test_a_missing_way_back_is_one_way() -> None:
    inventory = without_return_route()
    assert answer(inventory, "web-1", "db-1") == ("one_way", "no_return_route")
    assert answer(inventory, "db-1", "web-1") == ("not_reachable", "no_route")


def test_other_ends_of_the_way_back_keep_their_name() -> None:
    inventory = two_vpcs()
    inventory.apply(CreateRoute("data", "0.0.0.0/0", "192.168.0.10/32", "blackhole"))
    assert answer(inventory, "web-1", "db-1") == ("one_way", "blackhole")


def test_the_json_is_the_contract() -> None:
    found = ask(without_return_route(), "web-1", "db-1").to_dict()
    assert list(found)[:7] == ["from", "to", "verdict", "reason", "forward", "return", "fix"]
    assert (found["from"], found["to"], found["verdict"]) == ("web-1", "db-1", "one_way")
    assert found["forward"]["disposition"] == "delivered"
    assert found["forward"]["delivered_to"] == "db-1"
    assert {"node", "vpc", "rule", "next_hop", "ttl"} <= set(found["forward"]["hops"][0])
    assert "delivered_to" not in found["return"]
    assert found["return"]["hops"][0]["rule"] is None
    assert ask(two_vpcs(), "web-1", "db-1").to_dict()["reason"] is None


@pytest.mark.parametrize("proto", [6, 17])
def test_a_closed_port_is_not_reachable(proto: int) -> None:
    inventory = two_vpcs()
    assert answer(inventory, "web-1", "db-1", (proto, 9)) == ("not_reachable", "port_closed")
    inventory.apply(UpdateInstance("db-1", listen=["tcp/9", "udp/9"]))
    assert answer(inventory, "web-1", "db-1", (proto, 9)) == ("reachable", "")
    assert answer(inventory, "web-1", "192.168.0.1", (proto, 9)) == ("not_reachable", "port_closed")


def test_a_refusal_that_gets_lost_is_a_way_back_that_is_missing() -> None:
    """A TCP reset takes the way back, so that is what fails first; of UDP's error nobody speaks."""
    inventory = without_return_route()
    assert answer(inventory, "web-1", "db-1", (6, 9)) == ("one_way", "no_return_route")
    assert answer(inventory, "web-1", "db-1", (17, 9)) == ("not_reachable", "port_closed")


def test_an_address_is_whoever_has_it() -> None:
    inventory = two_vpcs()
    assert answer(inventory, "web-1", "10.1.0.20") == ("reachable", "")
    assert answer(inventory, "web-1", "10.1.0.1") == ("reachable", "")
    assert answer(inventory, "192.168.0.10", "10.1.0.99") == ("not_reachable", "host_unreachable")
    assert ask(inventory, "web-1", "10.1.0.99").back is None
    assert answer(inventory, "web-1", "198.51.100.1") == ("not_reachable", "no_route")


def test_a_door_out_of_the_emulated_world_proves_no_answer() -> None:
    inventory = two_vpcs()
    inventory.apply(CreateRoute("shop", "0.0.0.0/0", "0.0.0.0/0", "gateway:internet"))
    assert answer(inventory, "web-1", "198.51.100.1") == ("not_reachable", "exits_network")


def test_subnets_and_vpcs_stand_for_their_instances() -> None:
    network = Network.of(two_vpcs())
    pairs = [(found.source.name, found.target.name) for found in reach_all(network, "web", "data")]
    assert pairs == [("web-1", "db-1"), ("web-2", "db-1")]
    assert [found.target.name for found in reach_all(network, "web-1", "shop")] == ["web-2", "desk-1"]


def test_a_subnet_without_instances_is_asked_through_its_router() -> None:
    inventory = two_vpcs()
    inventory.apply(CreateSubnet("data", "spare", "10.1.9.0/24"))
    assert ask(inventory, "web-1", "spare").target.name == "10.1.9.1"
    assert answer(inventory, "web-1", "spare") == ("reachable", "")


def test_names_that_mean_nothing_are_refused() -> None:
    inventory = two_vpcs()
    inventory.apply(CreateVpc("empty", "bj", "10.7.0.0/16", "acme"), CreateSubnet("data", "spare", "10.1.9.0/24"))
    with pytest.raises(NotFoundError, match='"desk-l": not found, did you mean "desk-1"'):
        ask(inventory, "desk-l", "db-1")
    with pytest.raises(UsageError, match="spare: has no instance, expected one to send from"):
        ask(inventory, "spare", "db-1")
    with pytest.raises(UsageError, match="empty: has no subnet"):
        ask(inventory, "web-1", "empty")
    with pytest.raises(NotFoundError, match="no instance has it"):
        ask(inventory, "10.1.0.99", "db-1")


def test_an_address_that_two_have_is_no_source() -> None:
    inventory = two_vpcs()
    inventory.apply(
        CreateVpc("twin", "bj", "10.1.0.0/16", "acme"), CreateSubnet("twin", "s", "10.1.0.0/24"),
    )  # fmt: skip
    inventory.apply(CreateInstance("twin-1", "twin/s", "10.1.0.20"))
    with pytest.raises(InvalidError, match="2 instances have it, expected one of db-1, twin-1"):
        ask(inventory, "10.1.0.20", "web-1")


def test_a_name_that_two_vpcs_use_is_told_with_its_vpc() -> None:
    inventory = two_vpcs()
    inventory.apply(CreateInstance("web-1", "data/db", "10.1.0.30"))
    told = ask(inventory, "shop/web-1", "data/web-1").to_dict()
    assert (told["from"], told["to"]) == ("shop/web-1", "data/web-1")
    assert (told["forward"]["delivered_to"], told["return"]["delivered_to"]) == ("data/web-1", "shop/web-1")
    assert {pair.source for pair in all_pairs(Network.of(inventory))} == {
        "shop/web-1", "data/web-1", "web-2", "desk-1", "db-1"
    }  # fmt: skip
