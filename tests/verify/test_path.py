"""One packet's path: which routers, which rules, which TTL, and how it ends."""

from __future__ import annotations

from netsim.controlplane.edit import (
    CreateAccount,
    CreateInstance,
    CreatePeerConn,
    CreateRoute,
    CreateSubnet,
    CreateVpc,
    DeletePeerConn,
    SetRelay,
)
from netsim.controlplane.inventory import Inventory
from netsim.dataplane.disposition import Disposition
from netsim.prefix import parse_addr
from netsim.verify.network import Network
from netsim.verify.path import Path, Start, start_at, walk
from tests.clouds import chain, two_vpcs


def path(inventory: Inventory, name: str, dst: str, src: str | None = None) -> Path:
    network = Network.of(inventory)
    instance = inventory.instance(name)
    start = start_at(network, network.inst_of[instance.id])
    return walk(network, start, instance.addr if src is None else parse_addr(src), parse_addr(dst), has_beaten=True)


def test_each_router_takes_one_off_the_ttl() -> None:
    found = path(two_vpcs(), "web-1", "10.1.0.20")
    assert found.disposition is Disposition.DELIVERED
    assert found.delivered_to == "db-1"
    assert [(hop.vpc, hop.ttl, hop.next_hop) for hop in found.hops] == [("shop", 64, "int-shop"), ("data", 63, "local")]


def test_a_hop_tells_the_rule_that_won_and_those_it_beat() -> None:
    inventory = two_vpcs()
    narrow = inventory.apply(CreateRoute("shop", "192.168.0.0/24", "10.1.0.0/24", "int-shop"))
    inventory.apply(CreateRoute("shop", "0.0.0.0/0", "0.0.0.0/0", "blackhole"))
    hop = path(inventory, "web-1", "10.1.0.20").hops[0]
    assert hop.rule == narrow.id
    assert hop.rule_text == "from 192.168.0.0/24 to 10.1.0.0/24 via int-shop (shop-data)"
    assert hop.beaten == ("10.1.0.0/16 via int-shop (shop-data)", "0.0.0.0/0 via blackhole")


def test_the_same_subnet_needs_no_router() -> None:
    found = path(two_vpcs(), "web-1", "192.168.0.11")
    assert (found.delivered_to, found.hops) == ("web-2", ())


def test_addresses_of_the_own_subnet_that_nobody_can_have() -> None:
    inventory = two_vpcs()
    assert path(inventory, "web-1", "192.168.0.77").disposition is Disposition.HOST_UNREACHABLE
    assert path(inventory, "web-1", "192.168.0.255").disposition is Disposition.BAD_DESTINATION
    assert path(inventory, "web-1", "192.168.0.77").hops == ()


def test_another_subnet_of_the_vpc_is_one_router_away() -> None:
    found = path(two_vpcs(), "web-1", "192.168.1.10")
    assert [(hop.vpc, hop.rule, hop.next_hop) for hop in found.hops] == [("shop", "local", "local")]
    assert found.delivered_to == "desk-1"


def test_routers_take_packets_for_their_own_addresses() -> None:
    inventory = two_vpcs()
    assert path(inventory, "web-1", "192.168.0.1").delivered_to == "router of shop"
    assert path(inventory, "web-1", "10.1.0.2").delivered_to == "router of data"


def test_multicast_goes_nowhere() -> None:
    assert path(two_vpcs(), "web-1", "224.0.0.5").disposition is Disposition.BAD_DESTINATION


def test_without_a_rule_there_is_no_route() -> None:
    found = path(two_vpcs(), "web-1", "172.16.0.1")
    assert found.disposition is Disposition.NO_ROUTE
    assert found.hops[0].to_dict()["rule"] is None


def test_a_gateway_is_where_the_emulated_world_ends() -> None:
    inventory = two_vpcs()
    inventory.apply(CreateRoute("shop", "0.0.0.0/0", "0.0.0.0/0", "gateway:internet"))
    found = path(inventory, "web-1", "198.51.100.7")
    assert (found.disposition, found.delivered_to) == (Disposition.EXITS_NETWORK, "gateway:internet")


def test_a_rule_outlives_its_connection_and_discards() -> None:
    inventory = two_vpcs()
    inventory.apply(DeletePeerConn("shop-data"))
    found = path(inventory, "web-1", "10.1.0.20")
    assert found.disposition is Disposition.BAD_STATE_ROUTE
    assert found.hops[0].rule_text.endswith("(gone)")


def test_transit_needs_a_relay() -> None:
    inventory = chain(3)
    assert [hop.transits for hop in path(inventory, "i0", "10.2.0.10").hops] == [0, 0, 1]
    inventory.apply(SetRelay("v1", relay=False))
    assert path(inventory, "i0", "10.2.0.10").disposition is Disposition.TRANSIT_DENIED


def loop() -> Inventory:
    """Two relays that send 10.99.0.0/16 to each other."""
    inventory = chain(2)
    inventory.apply(
        CreateRoute("v0", "0.0.0.0/0", "10.99.0.0/16", "right"), CreateRoute("v1", "0.0.0.0/0", "10.99.0.0/16", "left")
    )
    return inventory


def test_a_loop_ends_with_the_ttl() -> None:
    found = path(loop(), "i0", "10.99.0.1")
    assert found.disposition is Disposition.TTL_EXPIRED
    assert [hop.ttl for hop in found.hops] == list(range(64, 0, -1))


def test_a_chain_longer_than_the_ttl() -> None:
    """The last router takes one off, too, unless the packet is for itself: 64 VPCs, but not their last instance."""
    inventory = chain(65)
    assert path(inventory, "i0", "10.62.0.10").disposition is Disposition.DELIVERED
    assert path(inventory, "i0", "10.63.0.10").disposition is Disposition.TTL_EXPIRED
    assert path(inventory, "i0", "10.63.0.1").disposition is Disposition.DELIVERED
    assert path(inventory, "i0", "10.64.0.1").disposition is Disposition.TTL_EXPIRED


def test_source_segments_decide_after_the_destination() -> None:
    inventory = two_vpcs()
    inventory.apply(CreateRoute("shop", "192.168.0.10/32", "10.1.0.0/16", "blackhole"))
    assert path(inventory, "web-1", "10.1.0.20").disposition is Disposition.BLACKHOLE
    assert path(inventory, "web-2", "10.1.0.20").disposition is Disposition.DELIVERED
    assert path(inventory, "web-1", "10.1.0.20", src="203.0.113.1").disposition is Disposition.DELIVERED


def test_what_a_router_itself_makes_is_not_in_transit_and_keeps_its_ttl() -> None:
    inventory = two_vpcs()
    network = Network.of(inventory)
    start = Start(network.node_of[inventory.vpc("data").id], -1)
    found = walk(network, start, parse_addr("10.1.0.1"), parse_addr("192.168.0.10"))
    assert [hop.ttl for hop in found.hops] == [64, 64]
    assert found.delivered_to == "web-1"


def test_overlapping_cidrs_never_turn_routing_into_layer_2() -> None:
    """A packet that comes in over a connection is routed, also into a subnet equal to the sender's."""
    inventory = Inventory()
    inventory.apply(CreateAccount("acme"))
    for name in ("a", "b"):
        inventory.apply(
            CreateVpc(name, "bj", "10.1.0.0/16", "acme"),
            CreateSubnet(name, "s", "10.1.0.0/24"),
            CreateInstance(f"{name}-1", f"{name}/s", "10.1.0.10"),
        )
    inventory.apply(CreatePeerConn("a", "b", 10, "a-b", "right", "left"))
    assert path(inventory, "a-1", "10.1.0.10").delivered_to == "a-1"
