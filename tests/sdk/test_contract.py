"""What the vendor's clients rely on, one by one: listings, pages, filters, empty bodies, names and codes."""

from __future__ import annotations

from typing import Any

import pytest
from baidubce.services.vpc import peerconn_model

from netsim.units import NS_PER_DAY, NS_PER_S
from tests.sdk.cloud import Cloud, Tenant, refused

POSTPAID = peerconn_model.Billing("Postpaid")


@pytest.fixture
def acme(cloud: Cloud) -> Tenant:
    return cloud.tenant("acme")


def pair(acme: Tenant) -> tuple[str, str, str]:
    """Two connected VPCs: their ids, the connection's."""
    shop, data = acme.network("shop", "10.0.0.0/16"), acme.network("data", "10.1.0.0/16")
    return shop, data, acme.peer.create_peerconn(10, shop, data, "bj", billing=POSTPAID).peer_conn_id


# -- VPCs -----------------------------------------------------------------------------------------


def test_a_vpc_is_made_read_changed_and_deleted(acme: Tenant) -> None:
    made = acme.vpc.create_vpc("shop", "10.0.0.0/16", description="first", tags=[{"tagKey": "a", "tagValue": "b"}])
    vpc = acme.vpc.get_vpc(made.vpc_id).vpc
    assert (vpc.vpc_id, vpc.name, vpc.cidr, vpc.description) == (made.vpc_id, "shop", "10.0.0.0/16", "first")
    assert (vpc.is_default, vpc.relay, vpc.secondary_cidr, vpc.subnets) == (False, False, [], [])
    assert vpc.created_time.endswith("Z") and len(vpc.created_time) == 20
    said = acme.vpc.update_vpc(made.vpc_id, "shop-2", enable_ipv6=False)  # Terraform does, after each creation
    assert said.raw_data is None or said.raw_data == ""
    vpc = acme.vpc.get_vpc(made.vpc_id).vpc
    assert (vpc.name, vpc.description) == ("shop-2", "first")
    acme.vpc.delete_vpc(made.vpc_id)
    with refused(404, "NoSuchObject"):
        acme.vpc.get_vpc(made.vpc_id)
    assert acme.vpc.list_vpcs().vpcs == []


def test_lists_are_filtered_as_python_and_go_write_truth(acme: Tenant) -> None:
    ids = [acme.vpc.create_vpc(f"v{n}", f"10.{n}.0.0/16").vpc_id for n in range(4)]
    assert [vpc.vpc_id for vpc in acme.vpc.list_vpcs(vpc_ids=f"{ids[2]},{ids[0]}").vpcs] == [ids[0], ids[2]]
    assert acme.vpc.list_vpcs(is_default=True).vpcs == []
    assert len(acme.vpc.list_vpcs(is_default=False).vpcs) == 4


def test_pages_begin_with_their_marker_and_the_last_names_no_next(acme: Tenant) -> None:
    ids = [acme.vpc.create_vpc(f"v{n}", f"10.{n}.0.0/16").vpc_id for n in range(5)]
    first = acme.vpc.list_vpcs(max_keys=2)
    assert [vpc.vpc_id for vpc in first.vpcs] == ids[:2]
    assert (first.is_truncated, first.max_keys, first.marker, first.next_marker) == (True, 2, ids[0], ids[2])
    last = acme.vpc.list_vpcs(marker=ids[4], max_keys=2)
    assert [vpc.vpc_id for vpc in last.vpcs] == ids[4:]
    assert last.is_truncated is False and "next_marker" not in vars(last)
    seen, marker = [], first.next_marker
    while marker is not None:
        page = acme.vpc.list_vpcs(marker=marker, max_keys=2)
        seen += [vpc.vpc_id for vpc in page.vpcs]
        marker = page.next_marker
    assert seen == ids[2:]
    with refused(400, "BadRequest"):
        acme.vpc.list_vpcs(marker="vpc-unknown")
    for odd in (0, -1):
        with refused(400, "BadRequest"):
            acme.vpc.list_vpcs(max_keys=odd)
    assert acme.vpc.list_vpcs(max_keys=5000).max_keys == 1000
    empty = acme.vpc.list_vpcs(vpc_ids="vpc-none")
    assert empty.vpcs == [] and empty.marker is None


@pytest.mark.parametrize("cidr", ["10.0.0.1/16", "10.0.0.0/7", "10.0.0.0/29", "8.8.0.0/16", "10.0.0.0", "x", ""])
def test_a_prefix_that_can_not_be_is_refused(acme: Tenant, cidr: str) -> None:
    with refused(400, "BadRequest") as answer:
        acme.vpc.create_vpc("v", cidr)
    if cidr == "10.0.0.1/16":
        assert "10.0.0.0/16" in answer.message


def test_ten_vpcs_in_a_region(acme: Tenant, cloud: Cloud) -> None:
    for n in range(10):
        acme.vpc.create_vpc(f"v{n}", "10.0.0.0/16")
    with refused(413, "LimitExceeded"):
        acme.vpc.create_vpc("one more", "10.0.0.0/16")
    assert cloud.tenant("acme", "gz").vpc.create_vpc("elsewhere", "10.0.0.0/16").vpc_id
    assert cloud.tenant("third").vpc.create_vpc("another's", "10.0.0.0/16").vpc_id


def test_a_vpc_with_something_in_it_is_kept(acme: Tenant) -> None:
    shop = acme.network("shop", "10.0.0.0/16")
    with refused(409, "ResourceNeedRelease"):
        acme.vpc.delete_vpc(shop)
    subnet = acme.subnet.list_subnets(vpc_id=shop).subnets[0].subnet_id
    acme.subnet.delete_subnet(subnet)
    acme.vpc.delete_vpc(shop)


def test_relays_are_switched_and_two_of_them_not_connected(acme: Tenant) -> None:
    shop, data, conn_id = pair(acme)
    acme.vpc.open_relay(shop)
    assert acme.vpc.get_vpc(shop).vpc.relay is True
    with refused(409, "OperationDenied"):
        acme.vpc.open_relay(data)
    acme.vpc.shutdown_relay(shop)
    assert acme.vpc.get_vpc(shop).vpc.relay is False
    acme.peer.delete_peerconn(conn_id)
    for vpc in (shop, data):
        acme.vpc.open_relay(vpc)
    with refused(409, "OperationDenied"):
        acme.peer.create_peerconn(10, shop, data, "bj", billing=POSTPAID)


def test_addresses_in_use_are_listed(cloud: Cloud, acme: Tenant) -> None:
    from netsim.api.client import Client

    shop = acme.network("shop", "10.0.0.0/16")
    subnet = acme.subnet.list_subnets(vpc_id=shop).subnets[0]
    own = Client(f"http://127.0.0.1:{cloud.port}", "ak-acme", "sk-acme")
    addrs = ["10.0.0.10", "10.0.0.20", "10.0.0.200"]
    for addr in addrs:
        own.call("POST", "/netsim/v1/instance", body={"name": addr, "subnetId": subnet.subnet_id, "ip": addr})

    def used(**query: Any) -> list[str]:
        found = acme.vpc.get_private_ip_address_info(shop, **query).vpc_private_ip_addresses
        return [each.private_ip_address for each in found]

    assert used() == addrs
    assert used(private_ip_addresses=["10.0.0.20", "10.0.0.30"]) == ["10.0.0.20"]
    assert used(private_ip_range="10.0.0.10-10.0.0.20") == addrs[:2]
    for odd in ("some", "10.0.0.1", "10.0.0.9-10.0.0.1", "10.0.0.1-x"):
        with refused(400, "BadRequest"):
            used(private_ip_range=odd)
    found = acme.vpc.get_resource_ip(shop, subnet_id=subnet.subnet_id)
    assert [(each.ip, each.resource_type) for each in found.result] == [(addr, "bcc") for addr in addrs]
    assert (found.page_no, found.page_size, found.total_count) == (1, 100, 3)
    second = acme.vpc.get_resource_ip(shop, resource_type="bcc", page_no=2, page_size=2)
    assert ([each.ip for each in second.result], second.page_no, second.total_count) == (addrs[2:], 2, 3)
    assert acme.vpc.get_resource_ip(shop, resource_type="blb").result == []
    assert acme.vpc.get_resource_ip(shop, page_no=9).result == []
    for odd_page in ({"page_no": 0}, {"page_size": 1001}, {"page_size": -1}):
        with refused(400, "BadRequest"):
            acme.vpc.get_resource_ip(shop, **odd_page)
    after = acme.subnet.get_subnet(subnet.subnet_id).subnet
    assert subnet.available_ip - after.available_ip == 3


# -- subnets --------------------------------------------------------------------------------------


def test_a_subnet_is_made_read_changed_filtered_and_deleted(acme: Tenant) -> None:
    shop = acme.vpc.create_vpc("shop", "10.0.0.0/16").vpc_id
    ids = [
        acme.subnet.create_subnet(f"s{n}", f"cn-bj-{zone}", f"10.0.{n}.0/24", shop, description="d").subnet_id
        for n, zone in enumerate("adz")
    ]
    subnet = acme.subnet.get_subnet(ids[1]).subnet
    assert (subnet.name, subnet.zone_name, subnet.cidr, subnet.vpc_id) == ("s1", "cn-bj-d", "10.0.1.0/24", shop)
    assert (subnet.subnet_type, subnet.description, subnet.ipv6_cidr, subnet.tags) == ("BCC", "d", "", [])
    assert [s.subnet_id for s in acme.vpc.get_vpc(shop).vpc.subnets] == ids

    def listed(**query: str) -> list[str]:
        return [each.subnet_id for each in acme.subnet.list_subnets(**query).subnets]

    assert listed() == listed(vpc_id=shop) == listed(subnet_type="BCC") == ids
    assert listed(zone_name="cn-bj-z") == ids[2:] and listed(subnet_type="BBC") == []
    assert listed(subnet_ids=f"{ids[0]},{ids[2]}") == [ids[0], ids[2]]
    acme.subnet.update_subnet(ids[0], "renamed")
    subnet = acme.subnet.get_subnet(ids[0]).subnet
    assert (subnet.name, subnet.description) == ("renamed", "d")
    acme.subnet.delete_subnet(ids[0])
    assert listed() == ids[1:]


def test_subnets_lie_inside_beside_each_other_and_in_a_zone_of_the_region(acme: Tenant) -> None:
    shop = acme.vpc.create_vpc("shop", "10.0.0.0/16").vpc_id
    acme.subnet.create_subnet("a", "cn-bj-a", "10.0.0.0/24", shop)
    with refused(409, "CidrConflict"):
        acme.subnet.create_subnet("b", "cn-bj-a", "10.0.0.128/25", shop)
    for cidr in ("10.1.0.0/24", "10.0.1.1/24", "10.0.1.0/30"):
        with refused(400, "BadRequest"):
            acme.subnet.create_subnet("c", "cn-bj-a", cidr, shop)
    for zone in ("cn-gz-a", "bj-a", "cn-bj-", "zone"):
        with refused(400, "BadRequest"):
            acme.subnet.create_subnet("d", zone, "10.0.1.0/24", shop)
    for n in range(1, 10):
        acme.subnet.create_subnet(f"n{n}", "cn-bj-a", f"10.0.{n}.0/24", shop)
    with refused(413, "LimitExceeded"):
        acme.subnet.create_subnet("last", "cn-bj-a", "10.0.10.0/24", shop)


# -- routes ---------------------------------------------------------------------------------------


def test_a_rule_is_made_listed_changed_and_deleted(acme: Tenant) -> None:
    shop, _, conn_id = pair(acme)
    hop = acme.peer.get_peerconn(conn_id, role="initiator").local_if_id
    table = acme.table_of(shop)
    rule = acme.route.create_route(table, "0.0.0.0/0", "10.1.0.0/16", "peerConn", "why", hop).route_rule_id

    def shown() -> Any:
        return acme.route.get_route_rule(routeTableId=table).route_rules[1]

    assert (shown().route_rule_id, shown().nexthop_id, shown().nexthop_type) == (rule, hop, "peerConn")
    assert (shown().description, shown().route_table_id, shown().path_type) == ("why", table, "normal")
    acme.route.update_route(rule, destination_address="10.1.0.0/24", description="kept")
    assert (shown().destination_address, shown().source_address, shown().nexthop_id) == (
        "10.1.0.0/24", "0.0.0.0/0", hop,
    )  # fmt: skip
    acme.route.update_route(rule)  # without a description it sends an empty one
    assert shown().description == ""
    acme.route.update_route(rule, source_address="", destination_address="", description="x")  # as the Go SDK does
    assert (shown().destination_address, shown().description) == ("10.1.0.0/24", "x")
    with refused(409, "OperationDenied"):
        acme.route.switch_route(rule)
    with refused(400, "BadRequest"):
        acme.route.create_route(table, "0.0.0.0/0", "10.0.5.0/24", "peerConn", "", hop)  # inside the VPC
    with refused(400, "BadRequest"):
        acme.route.create_route(table, "9.9.9.0/24", "10.2.0.0/16", "peerConn", "", hop)  # no subnet's source
    with refused(400, "BadRequest"):
        acme.route.create_route(table, "0.0.0.0/0", "10.2.0.0/16", "nat", "", "nat-1")
    with refused(400, "BadRequest"):
        acme.route.get_route()
    pages = acme.route.get_route_rule(vpcId=shop, maxKeys=1)
    assert (pages.is_truncated, pages.next_marker) == (True, rule)
    assert acme.route.get_route_rule(vpcId=shop, marker=rule).is_truncated is False
    acme.route.delete_route(rule)
    assert len(acme.route.get_route_rule(routeTableId=table).route_rules) == 1


def test_fifty_rules_in_a_table(acme: Tenant) -> None:
    shop, _, conn_id = pair(acme)
    hop = acme.peer.get_peerconn(conn_id, role="initiator").local_if_id
    table = acme.table_of(shop)
    for n in range(50):
        acme.route.create_route(table, "0.0.0.0/0", f"172.16.{n}.0/24", "peerConn", "", hop)
    with refused(413, "LimitExceeded"):
        acme.route.create_route(table, "0.0.0.0/0", "172.16.50.0/24", "peerConn", "", hop)


# -- peer connections -----------------------------------------------------------------------------


def test_what_python_always_sends_is_taken(acme: Tenant) -> None:
    shop, data = acme.network("shop", "10.0.0.0/16"), acme.network("data", "10.1.0.0/16")
    billing = peerconn_model.Billing("Postpaid", 7, "Month")
    conn_id = acme.peer.create_peerconn(10, shop, data, "bj", billing=billing).peer_conn_id
    conn = acme.peer.get_peerconn(conn_id)
    assert (conn.payment_timing, conn.expired_time, conn.delete_protect, conn.tags) == ("Postpaid", "", False, [])
    with refused(400, "InappropriateJSON"):
        acme.peer.resize_peerconn(conn_id, True)
    assert [side.role for side in acme.peer.list_peerconns("").peer_conns] == ["initiator", "acceptor"]
    (side,) = acme.peer.list_peerconns(data).peer_conns
    assert (side.role, side.local_vpc_id, side.peer_account_id) == ("acceptor", data, "acme")
    page = acme.peer.list_peerconns("", max_keys=1)
    rest = acme.peer.list_peerconns("", marker=page.next_marker)
    assert [each.role for each in (*page.peer_conns, *rest.peer_conns)] == ["initiator", "acceptor"]
    with refused(409, "OperationDenied"):
        acme.peer.purchase_reserved_peerconn(conn_id, billing=peerconn_model.Billing("Prepaid", 1))
    with refused(409, "OperationDenied"):
        acme.peer.refund_peerconn(conn_id)


@pytest.mark.parametrize(("unit", "length"), [("year", 1), ("Month", 0), ("Month", 10), ("month", 37), ("day", 1)])
def test_a_reservation_of_a_prepaid_one_is_checked(cloud: Cloud, acme: Tenant, unit: str, length: int) -> None:
    far = cloud.tenant("acme", "gz")
    shop, data = acme.network("shop", "10.0.0.0/16"), far.network("data", "10.1.0.0/16")
    with refused(400, "BadRequest"):
        acme.peer.create_peerconn(10, shop, data, "gz", billing=peerconn_model.Billing("Prepaid", length, unit))


def test_deletion_is_protected_and_prepaid_is_given_back(cloud: Cloud, acme: Tenant) -> None:
    far = cloud.tenant("acme", "gz")
    shop, data = acme.network("shop", "10.0.0.0/16"), far.network("data", "10.1.0.0/16")
    prepaid = peerconn_model.Billing("Prepaid", 1, "month")
    conn_id = acme.peer.create_peerconn(10, shop, data, "gz", billing=prepaid).peer_conn_id
    acme.peer.update_peerconn_delete_protect(conn_id, True)
    assert acme.peer.get_peerconn(conn_id).delete_protect is True
    with refused(409, "OperationDenied"):
        acme.peer.refund_peerconn(conn_id)
    acme.peer.update_peerconn_delete_protect(conn_id, False)
    acme.peer.refund_peerconn(conn_id)
    with refused(404, "NoSuchObject"):
        acme.peer.get_peerconn(conn_id)


def test_both_accounts_read_both_roles_as_terraform_does(cloud: Cloud, acme: Tenant) -> None:
    other = cloud.tenant("data-team", "gz")
    shop, data = acme.network("shop", "10.0.0.0/16"), other.network("data", "10.1.0.0/16")
    conn_id = acme.peer.create_peerconn(
        10, shop, data, "gz", billing=POSTPAID, peer_account_id="data-team"
    ).peer_conn_id
    for tenant in (acme, other):
        assert tenant.peer.get_peerconn(conn_id, role="initiator").local_vpc_id == shop
        assert tenant.peer.get_peerconn(conn_id, role="acceptor").local_vpc_id == data
        with refused(400, "BadRequest"):
            tenant.peer.get_peerconn(conn_id, role="owner")
    with refused(404, "NoSuchObject"):
        cloud.tenant("third").peer.get_peerconn(conn_id)
    for action in (other.peer.delete_peerconn, lambda each: other.peer.resize_peerconn(each, 20)):
        with refused(409, "OperationDenied"):
            action(conn_id)


# -- client tokens --------------------------------------------------------------------------------


def test_a_token_lives_a_day_from_when_it_was_last_seen(cloud: Cloud, acme: Tenant) -> None:
    def made() -> str:
        return str(acme.vpc.create_vpc("shop", "10.0.0.0/16", client_token="t").vpc_id)

    first = made()
    for _ in range(3):
        cloud.service.advance_control_clock(NS_PER_DAY - 60 * NS_PER_S)
        assert made() == first
    cloud.service.advance_control_clock(NS_PER_DAY + 60 * NS_PER_S)
    assert made() != first
    assert len(acme.vpc.list_vpcs().vpcs) == 2


def test_a_token_is_each_accounts_own_and_for_one_request(cloud: Cloud, acme: Tenant) -> None:
    third = cloud.tenant("third")
    first = acme.vpc.create_vpc("shop", "10.0.0.0/16", client_token="t").vpc_id
    assert third.vpc.create_vpc("shop", "10.0.0.0/16", client_token="t").vpc_id != first
    with refused(403, "IdempotentParameterMismatch"):
        acme.vpc.update_vpc(first, "shop", client_token="t")
    acme.vpc.update_vpc(first, "renamed", client_token="u")
    acme.vpc.update_vpc(first, "again", client_token="v")
    acme.vpc.update_vpc(first, "renamed", client_token="u")  # seen before: nothing happens
    assert acme.vpc.get_vpc(first).vpc.name == "again"
    acme.vpc.delete_vpc(first, client_token="w")
    acme.vpc.delete_vpc(first, client_token="w")
    with refused(404, "NoSuchObject"):
        acme.vpc.delete_vpc(first, client_token="x")


def test_a_refused_request_may_be_repeated_with_its_token(acme: Tenant) -> None:
    shop = acme.network("shop", "10.0.0.0/16")
    with refused(409, "ResourceNeedRelease"):
        acme.vpc.delete_vpc(shop, client_token="t")
    acme.subnet.delete_subnet(acme.subnet.list_subnets(vpc_id=shop).subnets[0].subnet_id)
    acme.vpc.delete_vpc(shop, client_token="t")
    assert acme.vpc.list_vpcs().vpcs == []
