"""DNS sync: whose names a VPC resolves besides its own, and until when."""

from __future__ import annotations

from netsim.clock import VirtualClock
from netsim.controlplane.edit import (
    AcceptPeerConn,
    CreateDnsRecord,
    CreatePeerConn,
    CreateVpc,
    DeletePeerConn,
    RejectPeerConn,
    SetDnsSync,
)
from netsim.units import NS_PER_DAY
from tests.hosts.dns_client import DB_1, TEST_1, WEB_1, Client, query, values


def test_one_switch_syncs_vpcs_of_one_account(client: Client) -> None:
    apply = client.inventory.apply
    apply(SetDnsSync("shop-stage", True), account="acme")
    for name in ("test.stage.local", "test-1.stage.internal"):
        assert client.a("shop", name) == [TEST_1]
    for name in ("www.shop.local", "web-1.shop.internal"):
        assert client.a("stage", name) == [WEB_1]
    answer = client.ask("shop", query("10.0.16.172.in-addr.arpa", "PTR"))
    assert values(answer, "PTR") == ["test-1.stage.internal."]
    assert client.a("shop", "test-1") == "NXDOMAIN"  # the short name is the VPC's own
    apply(SetDnsSync("shop-stage", False), account="acme")
    assert client.a("shop", "test.stage.local") == client.a("stage", "www.shop.local") == "NXDOMAIN"
    assert client.a("shop", "stage.internal") == "NXDOMAIN"


def test_across_accounts_names_go_both_ways_once_both_sides_are_on(client: Client) -> None:
    apply = client.inventory.apply

    def both() -> tuple[object, object]:
        return client.a("shop", "db.data.local"), client.a("data", "www.shop.local")

    off, on = ("NXDOMAIN", "NXDOMAIN"), ([DB_1], [WEB_1])
    assert both() == off  # consulting
    apply(AcceptPeerConn("shop-data"), account="data-team")
    assert both() == off
    for first, second in (("acme", "data-team"), ("data-team", "acme")):
        apply(SetDnsSync("shop-data", True), account=first)
        assert both() == off
        apply(SetDnsSync("shop-data", True), account=second)
        assert both() == on
        apply(SetDnsSync("shop-data", False), account=first)
        assert both() == off
        apply(SetDnsSync("shop-data", False), account=second)
        assert both() == off


def test_names_go_with_the_connection(client: Client) -> None:
    apply = client.inventory.apply
    apply(AcceptPeerConn("shop-data"), account="data-team")
    apply(SetDnsSync("shop-data", True, "local"), SetDnsSync("shop-data", True, "peer"))
    assert client.a("shop", "db-1.data.internal") == [DB_1]
    apply(DeletePeerConn("shop-data"), account="acme")
    assert client.a("shop", "db-1.data.internal") == "NXDOMAIN"
    apply(CreatePeerConn("shop", "data", 100, "again"), AcceptPeerConn("again"))
    assert client.a("shop", "db-1.data.internal") == "NXDOMAIN"  # a new connection starts with sync off


def test_a_refused_connection_shares_nothing(client: Client) -> None:
    client.inventory.apply(RejectPeerConn("shop-data"), account="data-team")
    assert client.a("shop", "db.data.local") == "NXDOMAIN"


def test_names_end_when_a_prepaid_period_does(client: Client, clock: VirtualClock) -> None:
    apply = client.inventory.apply
    apply(
        DeletePeerConn("shop-stage"),
        CreateVpc("far", "gz", "10.9.0.0/16", "acme"),
        CreateDnsRecord("far", "far.local", "10.9.0.5"),
        CreatePeerConn("shop", "far", 10, "shop-far", payment="prepaid", months=1),
        SetDnsSync("shop-far", True, "local"),
    )
    assert client.a("shop", "far.local") == ["10.9.0.5"]
    clock.advance_by(32 * NS_PER_DAY)
    client.inventory.tick()
    assert client.a("shop", "far.local") == "NXDOMAIN"


def test_own_names_come_first_then_the_oldest_connections_and_sync_reaches_one_far(client: Client) -> None:
    client.inventory.apply(
        AcceptPeerConn("shop-data"),
        SetDnsSync("shop-stage", True, "local"),
        SetDnsSync("shop-data", True, "local"), SetDnsSync("shop-data", True, "peer"),
        CreateDnsRecord("stage", "both.local", "10.0.0.1"), CreateDnsRecord("data", "both.local", "10.0.0.2"),
        CreateDnsRecord("data", "web-1.shop.internal", "10.0.0.3"),
    )  # fmt: skip
    assert client.a("shop", "both.local") == ["10.0.0.1"]
    assert client.a("shop", "web-1.shop.internal") == [WEB_1]
    assert client.a("stage", "db.data.local") == "NXDOMAIN"
    assert client.a("data", "test.stage.local") == "NXDOMAIN"
