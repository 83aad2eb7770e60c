"""Subnets: inside the VPC, disjoint, and not pulled from under what needs them."""

from __future__ import annotations

import pytest

from netsim.controlplane.edit import (
    CreateInstance,
    CreateRoute,
    CreateSubnet,
    DeleteInstance,
    DeleteRoute,
    DeleteSubnet,
    SetRelay,
    UpdateSubnet,
)
from netsim.controlplane.inventory import Inventory
from netsim.errors import ConflictError, InvalidError, NotFoundError, QuotaError
from netsim.prefix import format_addr


def test_the_first_addresses_are_the_routers_and_the_resolvers(cloud: Inventory) -> None:
    subnet = cloud.subnet("web")
    assert [format_addr(a) for a in (subnet.router_addr, subnet.resolver_addr, subnet.broadcast)] == [
        "192.168.0.1", "192.168.0.2", "192.168.0.255",
    ]  # fmt: skip
    assert subnet.zone == "cn-bj-a"


@pytest.mark.parametrize(
    ("cidr", "words"),
    [
        ("10.1.0.0/24", "accepted inside the VPC's 192.168.0.0/16"),
        ("192.0.0.0/8", "accepted inside the VPC's"),
        ("192.168.1.0/30", "too small, accepted up to /29"),
        ("192.168.1.1/24", "did you mean 192.168.1.0/24"),
    ],
)
def test_a_subnet_lies_inside_its_vpc_and_has_room(cloud: Inventory, cidr: str, words: str) -> None:
    with pytest.raises(InvalidError, match=words) as refusal:
        cloud.apply(CreateSubnet("shop", "new", cidr))
    assert refusal.value.field == "cidr"


@pytest.mark.parametrize("cidr", ["192.168.0.0/24", "192.168.0.0/25", "192.168.0.248/29", "192.168.0.0/16"])
def test_overlaps_are_refused_and_the_sibling_named(cloud: Inventory, cidr: str) -> None:
    with pytest.raises(ConflictError, match=f"cidr {cidr} overlaps 192.168.0.0/24 of subnet web") as refusal:
        cloud.apply(CreateSubnet("shop", "new", cidr))
    assert refusal.value.field == "cidr"


def test_neighbours_on_both_sides_are_no_overlap(cloud: Inventory) -> None:
    cloud.apply(CreateSubnet("shop", "far", "192.168.4.0/22"))
    cloud.apply(CreateSubnet("shop", "between", "192.168.1.0/24"), CreateSubnet("shop", "next", "192.168.2.0/23"))
    with pytest.raises(ConflictError, match=r"overlaps 192.168.4.0/22"):
        cloud.apply(CreateSubnet("shop", "inner", "192.168.7.0/24"))
    assert [subnet.name for subnet in cloud.subnets_of("shop")] == ["web", "far", "between", "next"]


def test_a_subnet_may_not_swallow_the_ones_inside_it(cloud: Inventory) -> None:
    cloud.apply(CreateSubnet("shop", "low", "192.168.16.0/24"), CreateSubnet("shop", "high", "192.168.31.0/24"))
    with pytest.raises(ConflictError, match=r"overlaps 192.168.31.0/24 of subnet high"):
        cloud.apply(CreateSubnet("shop", "around", "192.168.24.0/21"))


@pytest.mark.parametrize("zone", ["cn-gz-a", "cn-bj-", "cn-bj-A", "cn-bj-ab", "bj-a", None])
def test_a_zone_is_of_the_vpcs_region(cloud: Inventory, zone: str) -> None:
    with pytest.raises(InvalidError, match="accepted cn-bj-a to cn-bj-z") as refusal:
        cloud.apply(CreateSubnet("shop", "new", "192.168.1.0/24", zone))
    assert refusal.value.field == "zone"


def test_ten_subnets_per_vpc(cloud: Inventory) -> None:
    for number in range(1, 10):
        cloud.apply(CreateSubnet("shop", f"s{number}", f"192.168.{number}.0/24"))
    with pytest.raises(QuotaError, match="the VPC has 10 subnets, accepted 10"):
        cloud.apply(CreateSubnet("shop", "s10", "192.168.10.0/24"))


def test_a_subnet_with_instances_stays(cloud: Inventory) -> None:
    with pytest.raises(ConflictError, match=r"subnet web of vpc shop: holds 1 instance \(web-1\)"):
        cloud.apply(DeleteSubnet("web"))
    cloud.apply(DeleteInstance("web-1"), DeleteSubnet("web"))
    with pytest.raises(NotFoundError, match='subnet "web": not found'):
        cloud.subnet("web")
    cloud.apply(CreateSubnet("shop", "web", "192.168.0.128/25"))


def test_a_subnet_that_is_the_source_of_a_rule_stays_unless_the_vpc_relays(cloud: Inventory) -> None:
    cloud.apply(DeleteInstance("web-1"))
    rule = cloud.apply(CreateRoute("shop", "192.168.0.64/26", "8.8.8.0/24", "blackhole"))
    everywhere = cloud.apply(CreateRoute("shop", "0.0.0.0/0", "8.8.8.0/24", "blackhole"))
    with pytest.raises(ConflictError, match=f"rule {rule.id} has source 192.168.0.64/26"):
        cloud.apply(DeleteSubnet("web"))
    with pytest.raises(ConflictError):
        cloud.apply(DeleteRoute(everywhere.id), DeleteSubnet("web"))
    cloud.apply(SetRelay("shop", True), DeleteSubnet("web"))
    with pytest.raises(ConflictError, match="relay can't be turned off"):
        cloud.apply(SetRelay("shop", False))


def test_names_are_found_in_their_vpc_and_by_vpc_slash_name(cloud: Inventory) -> None:
    other = cloud.apply(CreateSubnet("data", "web", "10.1.1.0/24"))
    with pytest.raises(InvalidError, match='subnet "web": 2 have this name'):
        cloud.subnet("web")
    assert cloud.subnet("data/web") == cloud.subnet("web", "data") == cloud.subnet(other.id) == other
    with pytest.raises(NotFoundError, match='vpc shop: subnet "wbe": not found, did you mean "web"'):
        cloud.subnet("shop/wbe")
    renamed = cloud.apply(UpdateSubnet("data/web", name="front", description="new"))
    assert cloud.subnet("front") == renamed and cloud.subnet("web").vpc_id == cloud.vpc("shop").id
    assert cloud.apply(CreateInstance("w", "front")).addr == renamed.cidr.first + 3
