"""The life of a peer connection, through the vendor's SDK over a real socket."""

from __future__ import annotations

import pytest
from baidubce.services.vpc import peerconn_model

from netsim.units import NS_PER_DAY
from tests.sdk.cloud import Cloud, Tenant, refused

POSTPAID = peerconn_model.Billing("Postpaid")
PREPAID = peerconn_model.Billing("Prepaid", 1)


@pytest.fixture
def acme(cloud: Cloud) -> Tenant:
    return cloud.tenant("acme")


@pytest.fixture
def data_team(cloud: Cloud) -> Tenant:
    return cloud.tenant("data-team", "gz")


def ask(tenant: Tenant, local: str, peer: str, to: Tenant | None = None, **more: object) -> str:
    billing = more.pop("billing", POSTPAID)
    account = None if to is None or to.account == tenant.account else to.account
    return str(
        tenant.peer.create_peerconn(
            more.pop("bandwidth", 100),
            local,
            peer,
            (to or tenant).region,
            billing=billing,
            peer_account_id=account,
            **more,
        ).peer_conn_id
    )


def test_within_one_account_it_is_active_at_once(acme: Tenant) -> None:
    shop, data = acme.network("shop", "10.0.0.0/16"), acme.network("data", "10.1.0.0/16")
    conn_id = ask(acme, shop, data, local_if_name="to-data", peer_if_name="to-shop", description="first")
    conn = acme.peer.get_peerconn(conn_id, role="initiator")
    assert conn.peer_conn_id == conn_id and conn_id.startswith("peerconn-")
    assert (conn.status, conn.role, conn.bandwidth_in_mbps) == ("active", "initiator", 100)
    assert (conn.local_vpc_id, conn.peer_vpc_id, conn.local_if_name) == (shop, data, "to-data")
    assert (conn.payment_timing, conn.dns_status, conn.expired_time) == ("Postpaid", "close", "")
    other = acme.peer.get_peerconn(conn_id, role="acceptor")
    assert (other.role, other.local_vpc_id, other.local_if_name) == ("acceptor", data, "to-shop")
    assert other.local_if_id != conn.local_if_id and other.local_if_id.startswith("qpif-")


def test_across_accounts_and_regions_the_acceptor_decides(acme: Tenant, data_team: Tenant) -> None:
    shop, data = acme.network("shop", "10.0.0.0/16"), data_team.network("data", "10.1.0.0/16")
    conn_id = ask(acme, shop, data, data_team)
    assert acme.peer.get_peerconn(conn_id).status == "consulting"
    with refused(409, "OperationDenied"):
        acme.peer.handle_peerconn(conn_id, "accept")
    (seen,) = data_team.peer.list_peerconns(data).peer_conns
    assert (seen.peer_conn_id, seen.role, seen.peer_account_id) == (conn_id, "acceptor", "acme")
    data_team.peer.handle_peerconn(conn_id, "accept")
    assert acme.peer.get_peerconn(conn_id).status == "active"
    assert data_team.peer.get_peerconn(conn_id, role="initiator").local_vpc_id == shop


def test_a_rejected_request_is_cleared_up_by_its_initiator(acme: Tenant, data_team: Tenant) -> None:
    shop, data = acme.network("shop", "10.0.0.0/16"), data_team.network("data", "10.1.0.0/16")
    conn_id = ask(acme, shop, data, data_team)
    data_team.peer.handle_peerconn(conn_id, "reject")
    assert acme.peer.get_peerconn(conn_id).status == "consult_failed"
    with refused(409, "OperationDenied"):
        ask(acme, shop, data, data_team)
    with refused(409, "OperationDenied"):
        data_team.peer.delete_peerconn(conn_id)
    acme.peer.delete_peerconn(conn_id)
    with refused(404, "NoSuchObject"):
        acme.peer.get_peerconn(conn_id)
    assert ask(acme, shop, data, data_team) != conn_id


def test_seven_days_without_an_answer_are_a_no(cloud: Cloud, acme: Tenant, data_team: Tenant) -> None:
    shop, data = acme.network("shop", "10.0.0.0/16"), data_team.network("data", "10.1.0.0/16")
    conn_id = ask(acme, shop, data, data_team)
    cloud.service.advance_control_clock(7 * NS_PER_DAY - 60 * 10**9)
    assert acme.peer.get_peerconn(conn_id).status == "consulting"
    cloud.service.advance_control_clock(60 * 10**9)
    assert acme.peer.get_peerconn(conn_id).status == "consult_failed"
    with refused(409, "OperationDenied"):
        data_team.peer.handle_peerconn(conn_id, "accept")


def test_prepaid_connections_expire_and_are_renewed(cloud: Cloud, acme: Tenant) -> None:
    far = cloud.tenant("acme", "gz")
    shop, data = acme.network("shop", "10.0.0.0/16"), far.network("data", "10.1.0.0/16")
    conn_id = ask(acme, shop, data, far, billing=PREPAID)
    assert acme.peer.get_peerconn(conn_id).expired_time.endswith("Z")
    with refused(409, "OperationDenied") as ticket:
        acme.peer.delete_peerconn(conn_id)
    assert "ticket" in ticket.message
    with refused(409, "OperationDenied"):
        acme.peer.resize_peerconn(conn_id, 50)
    acme.peer.resize_peerconn(conn_id, 200)
    cloud.service.advance_control_clock(31 * NS_PER_DAY)
    assert acme.peer.get_peerconn(conn_id).status == "expired"
    acme.peer.purchase_reserved_peerconn(conn_id, billing=PREPAID)
    assert acme.peer.get_peerconn(conn_id).status == "active"
    cloud.service.advance_control_clock(31 * NS_PER_DAY)
    acme.peer.delete_peerconn(conn_id)


def test_prepaid_is_for_two_regions(acme: Tenant) -> None:
    shop, data = acme.network("shop", "10.0.0.0/16"), acme.network("data", "10.1.0.0/16")
    with refused(400, "BadRequest"):
        ask(acme, shop, data, billing=PREPAID)


def test_the_other_vpc_is_where_it_is_said_to_be(acme: Tenant, data_team: Tenant) -> None:
    shop, data = acme.network("shop", "10.0.0.0/16"), data_team.network("data", "10.1.0.0/16")
    for account in (None, "data-team"):
        with refused(400, "BadRequest") as answer:
            acme.peer.create_peerconn(1, shop, data, "nowhere", billing=POSTPAID, peer_account_id=account)
        assert "peerRegion" in answer.message
        with refused(404, "NoSuchObject"):
            acme.peer.create_peerconn(1, shop, data, "bj", billing=POSTPAID, peer_account_id=account)
    with refused(404, "NoSuchObject"):
        acme.peer.create_peerconn(1, shop, data, "gz", billing=POSTPAID)  # it is not acme's
    with refused(400, "BadRequest"):
        acme.peer.create_peerconn(1, shop, shop, "bj", billing=POSTPAID)
    with refused(400, "BadRequest"):  # the acceptor names its own interface
        acme.peer.create_peerconn(
            1, shop, data, "gz", billing=POSTPAID, peer_account_id="data-team", peer_if_name="theirs"
        )


@pytest.mark.parametrize("bandwidth", [0, -1, 1001])
def test_bandwidth_is_1_to_1000(acme: Tenant, bandwidth: int) -> None:
    shop, data = acme.network("shop", "10.0.0.0/16"), acme.network("data", "10.1.0.0/16")
    with refused(400, "BadRequest"):
        ask(acme, shop, data, bandwidth=bandwidth)


def test_ten_connections_for_an_account_one_for_a_pair(acme: Tenant, cloud: Cloud) -> None:
    far = cloud.tenant("acme", "gz")
    hub = acme.network("hub", "10.0.0.0/16")
    spokes = [acme.network(f"v{n}", f"10.{n}.0.0/16") for n in range(1, 10)]
    spokes += [far.network(f"w{n}", f"10.{n}.0.0/16") for n in range(10, 12)]
    for n, spoke in enumerate(spokes[:10]):
        ask(acme, hub, spoke, far if n == 9 else None)
    with refused(413, "LimitExceeded"):
        ask(acme, hub, spokes[10], far)
    with refused(409, "OperationDenied"):
        ask(acme, spokes[0], hub)


def test_dns_sync_is_one_switch_within_an_account(acme: Tenant) -> None:
    shop, data = acme.network("shop", "10.0.0.0/16"), acme.network("data", "10.1.0.0/16")
    conn_id = ask(acme, shop, data)
    acme.peer.open_peerconn_dns_sync(conn_id, "initiator")
    assert [acme.peer.get_peerconn(conn_id, role=role).dns_status for role in ("initiator", "acceptor")] == ["open"] * 2
    acme.peer.close_peerconn_dns_sync(conn_id, "acceptor")
    assert [acme.peer.get_peerconn(conn_id, role=role).dns_status for role in ("initiator", "acceptor")] == [
        "close"
    ] * 2


def test_dns_sync_is_each_sides_own_across_accounts(acme: Tenant, data_team: Tenant) -> None:
    shop, data = acme.network("shop", "10.0.0.0/16"), data_team.network("data", "10.1.0.0/16")
    conn_id = ask(acme, shop, data, data_team)
    with refused(409, "OperationDenied"):
        acme.peer.open_peerconn_dns_sync(conn_id, "initiator")
    data_team.peer.handle_peerconn(conn_id, "accept")
    acme.peer.open_peerconn_dns_sync(conn_id, "initiator")
    assert acme.peer.get_peerconn(conn_id, role="initiator").dns_status == "open"
    assert acme.peer.get_peerconn(conn_id, role="acceptor").dns_status == "close"
    with refused(409, "OperationDenied"):
        acme.peer.open_peerconn_dns_sync(conn_id, "acceptor")


def test_names_belong_to_the_side_with_the_interface(acme: Tenant) -> None:
    shop, data = acme.network("shop", "10.0.0.0/16"), acme.network("data", "10.1.0.0/16")
    conn_id = ask(acme, shop, data, local_if_name="old")
    acceptor = acme.peer.get_peerconn(conn_id, role="acceptor")
    acme.peer.update_peerconn(conn_id, acceptor.local_if_id, local_if_name="new", description="théâtre")
    assert acme.peer.get_peerconn(conn_id, role="acceptor").local_if_name == "new"
    assert acme.peer.get_peerconn(conn_id, role="acceptor").description == "théâtre"
    assert acme.peer.get_peerconn(conn_id, role="initiator").local_if_name == "old"


def test_a_route_goes_to_the_interface_of_its_side(acme: Tenant) -> None:
    shop, data = acme.network("shop", "10.0.0.0/16"), acme.network("data", "10.1.0.0/16")
    conn_id = ask(acme, shop, data)
    conn = acme.peer.get_peerconn(conn_id, role="initiator")
    table = acme.table_of(shop)
    rule_id = acme.route.create_route(
        table, "0.0.0.0/0", "10.1.0.0/16", "peerConn", "to data", conn.local_if_id
    ).route_rule_id
    with refused(404, "NoSuchObject"):
        acme.route.create_route(table, "0.0.0.0/0", "10.2.0.0/16", "peerConn", next_hop_id=conn_id)
    with refused(409, "OperationDenied"):
        acme.route.create_route(table, "0.0.0.0/0", "10.1.0.0/16", "peerConn", next_hop_id=conn.local_if_id)
    rules = acme.route.get_route(route_table_id=table).route_rules
    assert [(rule.nexthop_type, rule.destination_address) for rule in rules] == [
        ("sys", "10.0.0.0/16"),
        ("peerConn", "10.1.0.0/16"),
    ]
    acme.peer.delete_peerconn(conn_id)
    assert len(acme.route.get_route(vpc_id=shop).route_rules) == 2  # it stays behind, and discards
    acme.route.delete_route(rule_id)
    assert len(acme.route.get_route(vpc_id=shop).route_rules) == 1


def test_a_wrong_secret_and_an_unknown_key(cloud: Cloud) -> None:
    with refused(400, "SignatureDoesNotMatch"):
        Tenant(cloud.port, "acme", "bj", secret="wrong").vpc.list_vpcs()
    with refused(403, "InvalidAccessKeyId"):
        Tenant(cloud.port, "nobody", "bj").vpc.list_vpcs()


def test_a_client_token_makes_one_vpc(acme: Tenant) -> None:
    first = acme.vpc.create_vpc("shop", "10.0.0.0/16", client_token="t-1")
    again = acme.vpc.create_vpc("shop", "10.0.0.0/16", client_token="t-1")
    assert first.vpc_id == again.vpc_id
    with refused(403, "IdempotentParameterMismatch"):
        acme.vpc.create_vpc("data", "10.1.0.0/16", client_token="t-1")
    assert len(acme.vpc.list_vpcs().vpcs) == 1
