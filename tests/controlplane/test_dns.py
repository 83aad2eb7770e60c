"""DNS records, and the sync that lets two VPCs resolve each other's names."""

from __future__ import annotations

import pytest

from netsim.controlplane.edit import (
    AcceptPeerConn,
    CreateDnsRecord,
    CreatePeerConn,
    DeleteDnsRecord,
    SetDnsSync,
)
from netsim.controlplane.inventory import Inventory
from netsim.errors import ConflictError, InvalidError, NotFoundError, StateError
from netsim.prefix import parse_addr


def test_names_are_kept_in_lower_case_without_the_last_dot(cloud: Inventory) -> None:
    record = cloud.apply(CreateDnsRecord("shop", "WWW.Shop.Local.", "192.168.0.10"))
    assert (record.name, record.addr) == ("www.shop.local", parse_addr("192.168.0.10"))
    assert cloud.resolve("shop", "www.SHOP.local.") == record.addr
    assert cloud.resolve("shop", "shop.local") is None
    with pytest.raises(ConflictError, match=r"dns record www\.shop\.local of vpc shop: exists already") as refusal:
        cloud.apply(CreateDnsRecord("shop", "www.shop.local", "10.0.0.1"))
    assert refusal.value.field == "name"


@pytest.mark.parametrize("name", ["", "a..b", "-a.b", "a-.b", "a b", "x" * 64, "ä.b", "a.b\n", "ab." * 85 + "c", 7])
def test_other_names_are_refused(cloud: Inventory, name: str) -> None:
    with pytest.raises(InvalidError, match=r"is not a host name, expected like shop\.local") as refusal:
        cloud.apply(CreateDnsRecord("shop", name, "10.0.0.1"))
    assert refusal.value.field == "name"


def test_records_keep_their_order_when_one_goes(cloud: Inventory) -> None:
    cloud.apply(*(CreateDnsRecord("shop", name, "10.0.0.1") for name in ("c", "a", "b")))
    cloud.apply(DeleteDnsRecord("shop", "A."))
    assert [record.name for record in cloud.dns_records_of("shop")] == ["c", "b"]
    with pytest.raises(NotFoundError, match="dns record bb of vpc shop: not found"):
        cloud.apply(DeleteDnsRecord("shop", "bb"))


def test_one_switch_sets_both_sides_within_an_account(cloud: Inventory) -> None:
    conn = cloud.apply(CreatePeerConn("shop", "stage", 1, "c"))
    assert not (conn.local.dns_sync or conn.peer.dns_sync)
    for side in ("local", "peer", None):
        on = cloud.apply(SetDnsSync("c", True, side), account="acme")
        assert on.local.dns_sync and on.peer.dns_sync and on.has_dns_sync
        off = cloud.apply(SetDnsSync("c", False, side), account="acme")
        assert not (off.local.dns_sync or off.peer.dns_sync or off.has_dns_sync)


def test_across_accounts_each_has_its_own_switch_and_it_takes_both(linked: Inventory) -> None:
    linked.apply(CreateDnsRecord("data", "db.local", "10.1.0.20"))
    half = linked.apply(SetDnsSync("shop-data", True), account="acme")
    assert (half.local.dns_sync, half.peer.dns_sync, half.has_dns_sync) == (True, False, False)
    assert linked.resolve("shop", "db.local") is None
    with pytest.raises(StateError, match="can't switch DNS sync of the peer side of it") as refusal:
        linked.apply(SetDnsSync("shop-data", True, "peer"), account="acme")
    assert refusal.value.field == "peer_conn"
    assert linked.apply(SetDnsSync("shop-data", True, "peer"), account="data-team").has_dns_sync
    assert linked.resolve("shop", "db.local") == parse_addr("10.1.0.20")
    assert linked.visible_to("acme").resolve("shop", "db.local") == parse_addr("10.1.0.20")
    linked.apply(SetDnsSync("shop-data", False, "local"))
    assert linked.resolve("shop", "db.local") is None


def test_the_operator_says_which_side(linked: Inventory) -> None:
    with pytest.raises(InvalidError, match="no side given"):
        linked.apply(SetDnsSync("shop-data", True))
    with pytest.raises(InvalidError, match="accepted local or peer") as refusal:
        linked.apply(SetDnsSync("shop-data", True, "left"))
    assert refusal.value.field == "side"


def test_only_an_active_connection_syncs(cloud: Inventory) -> None:
    conn = cloud.apply(CreatePeerConn("shop", "data", 1))
    with pytest.raises(StateError, match="is consulting, expected active to switch DNS sync of it"):
        cloud.apply(SetDnsSync(conn.id, True), account="acme")
    assert cloud.apply(AcceptPeerConn(conn.id), SetDnsSync(conn.id, True, "local"))[1].local.dns_sync


def test_own_records_come_first_and_sync_reaches_one_connection_far(linked: Inventory) -> None:
    linked.apply(
        CreatePeerConn("shop", "stage", 1, "shop-stage"),
        SetDnsSync("shop-data", True, "local"), SetDnsSync("shop-data", True, "peer"), SetDnsSync("shop-stage", True),
        CreateDnsRecord("shop", "both", "10.0.0.1"), CreateDnsRecord("data", "both", "10.0.0.2"),
        CreateDnsRecord("stage", "both", "10.0.0.3"), CreateDnsRecord("data", "far", "10.0.0.4"),
    )  # fmt: skip
    answers = {vpc: (linked.resolve(vpc, "both"), linked.resolve(vpc, "far")) for vpc in ("shop", "data", "stage")}
    addr = {host: parse_addr(f"10.0.0.{host}") for host in range(1, 5)}
    assert answers == {"shop": (addr[1], addr[4]), "data": (addr[2], addr[4]), "stage": (addr[3], None)}
