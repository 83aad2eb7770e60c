"""Route rules: which sources, destinations and next hops a VPC may use."""

from __future__ import annotations

import pytest

from netsim.controlplane.edit import (
    CreatePeerConn,
    CreateRoute,
    CreateSubnet,
    DeletePeerConn,
    DeleteRoute,
    RejectPeerConn,
    SetRelay,
    UpdateRoute,
)
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.route_table import BLACKHOLE, NextHop
from netsim.errors import ConflictError, InvalidError, NotFoundError, QuotaError, RefusedError


def test_a_next_hop_is_a_local_interface_by_name_or_id(linked: Inventory) -> None:
    conn = linked.peer_conn("shop-data")
    by_name = linked.apply(CreateRoute("shop", "192.168.0.0/24", "10.1.0.0/16", "int-1", "to data"))
    by_id = linked.apply(CreateRoute("data", "0.0.0.0/0", "192.168.0.0/16", conn.peer.interface_id))
    assert by_name.next_hop == NextHop("peer", conn.local.interface_id)
    assert by_id.next_hop == NextHop("peer", conn.peer.interface_id)
    assert linked.route_table("shop").rules == (by_name,) == linked.rules_of("shop")
    assert by_name.description == "to data"


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ("blackhole", "blackhole", "blackhole"),
        (BLACKHOLE, "blackhole", "blackhole"),
        ("gateway:nat-1", "gateway", "gateway:nat-1"),
        (NextHop("gateway", "nat-1"), "gateway", "gateway:nat-1"),
    ],
)
def test_gateways_and_blackholes(cloud: Inventory, given: str | NextHop, kind: str, text: str) -> None:
    rule = cloud.apply(CreateRoute("shop", "0.0.0.0/0", "0.0.0.0/0", given))
    assert (rule.next_hop.kind, str(rule.next_hop)) == (kind, text)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ("int-2", NotFoundError, 'next hop "int-2": not found, expected a peer .*did you mean "int-1"'),
        ("qpif-000000000000", NotFoundError, "expected a peer connection interface of this VPC"),
        ("gateway:", InvalidError, 'next hop "gateway:", expected gateway:NAME'),
        ("gateway:a b", InvalidError, "expected gateway:NAME"),
        ("local", NotFoundError, "not found"),
        ("", NotFoundError, "not found"),
        (None, NotFoundError, "next hop None: not found"),
        (NextHop("peer", "nowhere"), NotFoundError, "not found"),
    ],
)
def test_other_next_hops_are_refused(linked: Inventory, given: str, kind: type[RefusedError], words: str) -> None:
    with pytest.raises(kind, match=words) as refusal:
        linked.apply(CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", given))
    assert refusal.value.field == "next_hop"


def test_the_other_sides_interface_reads_like_none(linked: Inventory) -> None:
    def refusal_of(next_hop: str) -> str:
        with pytest.raises(NotFoundError) as refusal:
            linked.apply(CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", next_hop), account="acme")
        return str(refusal.value).replace(next_hop, "X")

    foreign = linked.peer_conn("shop-data").peer.interface_id
    assert refusal_of(foreign) == refusal_of("qpif-000000000000")


def test_a_connection_id_gets_the_interface_suggested(linked: Inventory) -> None:
    conn = linked.peer_conn("shop-data")
    with pytest.raises(NotFoundError, match=f'did you mean "{conn.local.interface_id}"'):
        linked.apply(CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", conn.id))


@pytest.mark.parametrize("source", ["0.0.0.0/0", "192.168.0.0/24", "192.168.0.128/25", "192.168.0.7/32"])
def test_a_source_is_everything_or_inside_a_subnet(cloud: Inventory, source: str) -> None:
    cloud.apply(CreateSubnet("shop", "app", "192.168.8.0/24"))
    assert str(cloud.apply(CreateRoute("shop", source, "8.8.8.0/24", "blackhole")).source) == source


@pytest.mark.parametrize("source", ["192.168.0.0/16", "192.168.0.0/23", "192.168.1.0/24", "10.0.0.0/8", "0.0.0.0/1"])
def test_other_sources_are_a_relay_vpcs_alone(cloud: Inventory, source: str) -> None:
    edit = CreateRoute("shop", source, "8.8.8.0/24", "blackhole")
    with pytest.raises(InvalidError, match=f"source {source}, accepted 0.0.0.0/0 or inside a subnet") as refusal:
        cloud.apply(edit)
    assert refusal.value.field == "source"
    assert str(cloud.apply(SetRelay("shop", True), edit)[1].source) == source


@pytest.mark.parametrize("destination", ["192.168.0.0/16", "192.168.3.0/24", "192.0.0.0/8", "128.0.0.0/1"])
def test_a_destination_stays_off_the_vpcs_own_addresses(cloud: Inventory, destination: str) -> None:
    with pytest.raises(InvalidError, match=r"destination overlaps the VPC's own 192.168.0.0/16") as refusal:
        cloud.apply(CreateRoute("shop", "0.0.0.0/0", destination, "blackhole"))
    assert refusal.value.field == "destination"


def test_source_and_destination_are_a_unique_pair(cloud: Inventory) -> None:
    first = cloud.apply(CreateRoute("shop", "0.0.0.0/0", "8.8.8.0/24", "blackhole"))
    with pytest.raises(ConflictError, match=f"rule {first.id} has source 0.0.0.0/0 and this destination already"):
        cloud.apply(CreateRoute("shop", "0.0.0.0/0", "8.8.8.0/24", "gateway:x"))
    cloud.apply(CreateRoute("shop", "192.168.0.0/24", "8.8.8.0/24", "gateway:x"))
    cloud.apply(CreateRoute("shop", "0.0.0.0/0", "8.8.0.0/16", "gateway:x"))
    cloud.apply(CreateRoute("data", "0.0.0.0/0", "8.8.8.0/24", "gateway:x"))
    cloud.apply(DeleteRoute(first.id), CreateRoute("shop", "0.0.0.0/0", "8.8.8.0/24", "gateway:x"))


def test_fifty_rules_per_vpc(cloud: Inventory) -> None:
    cloud.apply(*(CreateRoute("shop", "0.0.0.0/0", f"8.8.{number}.0/24", "blackhole") for number in range(50)))
    with pytest.raises(QuotaError, match=r"the VPC has 50 rules, accepted 50 \(routes_per_vpc\)"):
        cloud.apply(CreateRoute("shop", "0.0.0.0/0", "8.9.0.0/24", "blackhole"))
    assert len(cloud.rules_of("shop")) == 50


def test_deleting_the_connection_leaves_the_rule_as_a_blackhole(linked: Inventory) -> None:
    rule = linked.apply(CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "int-1"))
    before = linked.vpc_version("shop")
    linked.apply(DeletePeerConn("shop-data"))
    assert linked.rules[rule.id] == rule
    assert linked.conn_of_interface(rule.next_hop.target) is None
    assert linked.vpc_version("shop") > before
    for next_hop in ("int-1", rule.next_hop.target):
        with pytest.raises(NotFoundError):
            linked.apply(CreateRoute("shop", "0.0.0.0/0", "10.2.0.0/16", next_hop))
    assert linked.apply(UpdateRoute(rule.id, description="dangling")).next_hop == rule.next_hop


def test_a_connection_that_comes_back_is_another_one(linked: Inventory) -> None:
    rule = linked.apply(CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "int-1"))
    linked.apply(
        DeletePeerConn("shop-data"),
        CreatePeerConn("shop", "data", 100, "shop-data", "int-1", "int-2", state="active"),
    )
    assert linked.conn_of_interface(rule.next_hop.target) is None
    updated = linked.apply(UpdateRoute(rule.id, next_hop="int-1"))
    assert linked.conn_of_interface(updated.next_hop.target) == linked.peer_conn("shop-data")


def test_a_rule_may_point_to_a_connection_in_any_state(cloud: Inventory) -> None:
    conn = cloud.apply(CreatePeerConn("shop", "data", 1, local_interface="int-1"))
    cloud.apply(CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "int-1"))
    before = cloud.vpc_version("shop"), cloud.vpc_version("data")
    cloud.apply(RejectPeerConn(conn.id))
    assert cloud.vpc_version("shop") > before[0] and cloud.vpc_version("data") > before[1]
    cloud.apply(CreateRoute("shop", "0.0.0.0/0", "10.2.0.0/16", "int-1"))


def test_an_ambiguous_interface_name_needs_an_id(linked: Inventory) -> None:
    other = linked.apply(CreatePeerConn("shop", "stage", 1, local_interface="int-1"))
    with pytest.raises(InvalidError, match='vpc shop: interface "int-1": 2 have this name') as refusal:
        linked.apply(CreateRoute("shop", "0.0.0.0/0", "172.16.0.0/12", "int-1"))
    assert refusal.value.field == "next_hop"
    linked.apply(CreateRoute("shop", "0.0.0.0/0", "172.16.0.0/12", other.local.interface_id))


def test_an_update_passes_the_same_checks_and_keeps_id_and_place(linked: Inventory) -> None:
    first = linked.apply(CreateRoute("shop", "0.0.0.0/0", "8.8.8.0/24", "blackhole"))
    second = linked.apply(CreateRoute("shop", "0.0.0.0/0", "8.8.9.0/24", "blackhole"))
    changed = linked.apply(UpdateRoute(first.id, "192.168.0.0/24", "10.1.0.0/16", "int-1", "moved"))
    assert [rule.id for rule in linked.rules_of("shop")] == [first.id, second.id]
    assert linked.rule(first.id) == changed
    for edit, kind in (
        (UpdateRoute(first.id, source="10.0.0.0/8"), InvalidError),
        (UpdateRoute(first.id, destination="192.168.0.0/24"), InvalidError),
        (UpdateRoute(first.id, "0.0.0.0/0", "8.8.9.0/24"), ConflictError),
        (UpdateRoute(first.id, next_hop="nowhere"), NotFoundError),
        (UpdateRoute("rr-00000000"), NotFoundError),
    ):
        with pytest.raises(kind):
            linked.apply(edit)
    assert linked.rule(first.id) == changed
    linked.apply(CreateRoute("shop", "0.0.0.0/0", "8.8.8.0/24", "blackhole"))  # its old pair is free again
