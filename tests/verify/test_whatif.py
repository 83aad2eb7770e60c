"""What would happen if a connection failed, a rule or a VPC went."""

from __future__ import annotations

import pytest

from netsim.controlplane.edit import CreatePeerConn, CreateRoute, DeletePeerConn, DeleteRoute
from netsim.errors import NotFoundError, StateError
from netsim.verify.diff import diff
from netsim.verify.network import Network
from netsim.verify.pairs import all_pairs
from netsim.verify.reach import reach
from netsim.verify.whatif import connections_down, each_connection_down, vpc_gone, what_if
from tests.clouds import chain, two_vpcs
from tests.verify.random_network import RandomNetwork
from tests.verify.test_fix import cross_account


def test_the_original_stays_as_it_is() -> None:
    network = Network.of(two_vpcs())
    rule = next(iter(network.inventory.rules))
    other = what_if(network, DeleteRoute(rule))
    assert rule in network.inventory.rules and rule not in other.inventory.rules
    assert all_pairs(network).counts()["reachable"] == 12
    assert all_pairs(other).counts() == {"reachable": 6, "one_way": 3, "not_reachable": 3}


def test_a_connection_down_is_one_that_is_gone() -> None:
    """The same for every packet, on random networks: down in the Fib, or deleted through the control plane."""
    for seed in range(20):
        network = Network.of(RandomNetwork(seed).inventory)
        for conn in list(network.inventory.peer_conns.values())[:2]:
            if conn.payment == "postpaid":
                down = connections_down(network, [conn.id])
                assert diff(down, what_if(network, DeletePeerConn(conn.id))).is_same
    assert network.fib.link is not down.fib.link


def test_single_walks_see_the_connection_down_too() -> None:
    network = Network.of(two_vpcs())
    assert reach(network, "web-1", "db-1").is_reachable
    assert reach(connections_down(network, ["shop-data"]), "web-1", "db-1").reason == "bad_state_route"
    assert reach(network, "web-1", "db-1").is_reachable


def test_single_points_of_failure_are_ranked() -> None:
    found = each_connection_down(Network.of(chain(4)))
    assert [(failure.name, failure.lost) for failure in found] == [("c1", 8), ("c0", 6), ("c2", 6)]
    assert found[0].witness == ("i0", "i2")
    assert found[0].to_dict()["pairs_lost"] == 8


def test_a_connection_that_carries_nothing_is_no_loss() -> None:
    inventory = two_vpcs()
    inventory.apply(DeleteRoute(inventory.rules_of("shop")[0].id))
    (failure,) = each_connection_down(Network.of(inventory))
    assert (failure.lost, failure.witness) == (0, None)


def test_a_vpc_that_is_gone() -> None:
    inventory = chain(3)
    network = Network.of(inventory)
    found = diff(network, what_if(network, *vpc_gone(inventory, "v1")))
    assert found.vpcs_removed == ("v1",)
    assert {(change.source, change.target) for change in found.lost if change.after[0] != "absent"} == {
        ("v0/i0", "v2/i2"), ("v2/i2", "v0/i0"),
    }  # fmt: skip


def test_what_the_product_refuses_is_refused_here_too() -> None:
    network = Network.of(two_vpcs())
    with pytest.raises(NotFoundError):
        connections_down(network, ["no-such"])
    inventory = cross_account("consulting")
    inventory.apply(DeletePeerConn("shop-data"), CreatePeerConn("shop", "data", 10, "paid", payment="prepaid"))
    with pytest.raises(StateError, match="submit a ticket"):
        what_if(Network.of(inventory), *vpc_gone(inventory, "shop"))


def test_rules_added() -> None:
    network = Network.of(two_vpcs())
    found = diff(network, what_if(network, CreateRoute("shop", "0.0.0.0/0", "10.1.0.20/32", "blackhole")))
    assert len(found.lost) == 6
