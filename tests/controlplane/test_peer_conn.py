"""The life of a connection: answers, deadlines to the nanosecond, payment, resizing, deletion."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from netsim.clock import FILE_RUN_START_NS, VirtualClock, format_utc
from netsim.controlplane.edit import (
    AcceptPeerConn,
    CreatePeerConn,
    DeletePeerConn,
    Edit,
    RefundPeerConn,
    RejectPeerConn,
    RenewPeerConn,
    ResizePeerConn,
    SetDeleteProtect,
    SetDnsSync,
    UpdatePeerConn,
)
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import PeerConn, add_months
from netsim.errors import InvalidError, NotFoundError, StateError
from netsim.units import NS_PER_DAY, NS_PER_S

WEEK_NS = 7 * NS_PER_DAY


@pytest.fixture
def asked(cloud: Inventory) -> PeerConn:
    """acme's request to data-team."""
    return cloud.apply(CreatePeerConn("shop", "data", 100, "shop-data"))


def test_the_acceptor_accepts(cloud: Inventory, asked: PeerConn, clock: VirtualClock) -> None:
    clock.advance_by(NS_PER_DAY)
    conn = cloud.apply(AcceptPeerConn(asked.id), account="data-team")
    assert (conn.state, conn.state_since_ns, conn.deadline_ns) == ("active", clock.now_ns, None)
    assert cloud.peer_conns_of("shop") == cloud.peer_conns_of("data") == (conn,)
    for again in (AcceptPeerConn(asked.id), RejectPeerConn(asked.id)):
        with pytest.raises(StateError, match="peer connection shop-data: is active, expected consulting to"):
            cloud.apply(again, account="data-team")


def test_the_acceptor_rejects_and_the_initiator_clears_up(cloud: Inventory, asked: PeerConn) -> None:
    assert cloud.apply(RejectPeerConn(asked.id), account="data-team").state == "consult_failed"
    with pytest.raises(StateError, match="is consult_failed, expected consulting"):
        cloud.apply(AcceptPeerConn(asked.id), account="data-team")
    with pytest.raises(StateError, match="account data-team can't delete it, expected its initiator acme"):
        cloud.apply(DeletePeerConn(asked.id), account="data-team")
    cloud.apply(DeletePeerConn(asked.id), account="acme")
    assert not cloud.peer_conns
    cloud.apply(CreatePeerConn("shop", "data", 100))


@pytest.mark.parametrize("edit", [AcceptPeerConn, RejectPeerConn])
def test_the_initiator_does_not_answer_itself(cloud: Inventory, asked: PeerConn, edit: type[Edit[PeerConn]]) -> None:
    with pytest.raises(StateError, match=r"account acme can't \w+ it, expected its acceptor data-team") as refusal:
        cloud.apply(edit(asked.id), account="acme")  # type: ignore[call-arg]
    assert refusal.value.field == "peer_conn"


def test_a_nanosecond_before_the_deadline_yes_is_still_yes(
    cloud: Inventory, asked: PeerConn, clock: VirtualClock
) -> None:
    clock.advance_by(WEEK_NS - 1)
    assert cloud.tick() == ()
    assert cloud.apply(AcceptPeerConn(asked.id)).is_active


def test_at_the_deadline_it_has_failed(cloud: Inventory, asked: PeerConn, clock: VirtualClock) -> None:
    clock.advance_by(WEEK_NS)
    with pytest.raises(StateError, match="is consult_failed, expected consulting to accept it"):
        cloud.apply(AcceptPeerConn(asked.id), account="data-team")
    conn = cloud.peer_conns[asked.id]
    assert (conn.state, conn.state_since_ns) == ("consult_failed", asked.created_at_ns + WEEK_NS)


def test_a_deadline_noticed_late_carries_its_own_time(cloud: Inventory, asked: PeerConn, clock: VirtualClock) -> None:
    version, vpc_version = cloud.version, cloud.vpc_version("shop")
    assert cloud.next_deadline_ns == asked.created_at_ns + WEEK_NS
    clock.advance_by(30 * NS_PER_DAY)
    (failed,) = cloud.tick()
    assert failed.state_since_ns == asked.created_at_ns + WEEK_NS
    assert cloud.events[-1] == (asked.created_at_ns + WEEK_NS, asked.id, "timed_out")
    assert cloud.version == version + 1 and cloud.vpc_version("shop") > vpc_version
    assert cloud.tick() == () and cloud.version == version + 1


def test_what_the_clock_did_stays_when_the_edit_is_refused(
    cloud: Inventory, asked: PeerConn, clock: VirtualClock
) -> None:
    clock.advance_by(WEEK_NS)
    with pytest.raises(NotFoundError):
        cloud.apply(DeletePeerConn("nobody"))
    assert cloud.peer_conns[asked.id].state == "consult_failed"


def test_deadlines_pass_in_order_of_time(cloud: Inventory, clock: VirtualClock) -> None:
    first = cloud.apply(CreatePeerConn("shop", "data", 1))
    clock.advance_by(5)
    second = cloud.apply(CreatePeerConn("stage", "data", 1))
    clock.advance_by(WEEK_NS)
    assert [conn.id for conn in cloud.tick()] == [first.id, second.id]
    assert [event.at_ns - FILE_RUN_START_NS for event in cloud.events] == [0, 5, WEEK_NS, WEEK_NS + 5]


def test_a_refused_request_leaves_no_deadline_behind(cloud: Inventory, clock: VirtualClock) -> None:
    with pytest.raises(NotFoundError):
        cloud.apply(CreatePeerConn("shop", "data", 1), DeletePeerConn("nobody"))
    assert cloud.next_deadline_ns is None
    clock.advance_by(3)
    asked = cloud.apply(CreatePeerConn("shop", "data", 1))
    clock.advance_by(WEEK_NS - 1)
    assert cloud.tick() == ()
    clock.advance_by(1)
    assert [conn.id for conn in cloud.tick()] == [asked.id]


# ---------------------------------------------------------------------- payment


@pytest.fixture
def prepaid(cloud: Inventory, clock: VirtualClock) -> PeerConn:
    """A month of shop-data, paid on 2026-01-03, so until 2026-02-03."""
    cloud.apply(CreatePeerConn("shop", "data", 100, "shop-data", payment="prepaid"))
    clock.advance_by(2 * NS_PER_DAY)
    return cloud.apply(AcceptPeerConn("shop-data"))


def test_the_period_starts_with_the_yes(prepaid: PeerConn) -> None:
    assert format_utc(prepaid.expires_at_ns or 0) == "2026-02-03T00:00:00Z"


def test_a_prepaid_connection_expires_at_its_end_and_may_then_go(
    cloud: Inventory, prepaid: PeerConn, clock: VirtualClock
) -> None:
    with pytest.raises(StateError, match=r"prepaid and active, expected .* \(submit a ticket\)"):
        cloud.apply(DeletePeerConn("shop-data"))
    end_ns = prepaid.expires_at_ns or 0
    clock.advance_to(end_ns - 1)
    assert cloud.tick() == ()
    clock.advance_to(end_ns)
    (expired,) = cloud.tick()
    assert (expired.state, expired.state_since_ns, expired.is_active) == ("expired", end_ns, False)
    cloud.apply(DeletePeerConn("shop-data"))


def test_a_refund_takes_a_prepaid_connection_away(cloud: Inventory, prepaid: PeerConn) -> None:
    with pytest.raises(StateError, match="expected its initiator"):
        cloud.apply(RefundPeerConn(prepaid.id), account="data-team")
    cloud.apply(RefundPeerConn(prepaid.id))
    assert prepaid.id not in cloud.peer_conns
    assert cloud.events[-1].what == "refunded"
    postpaid = cloud.apply(CreatePeerConn("shop", "stage", 1, "free"))
    with pytest.raises(StateError, match="postpaid, expected prepaid to be refunded"):
        cloud.apply(RefundPeerConn(postpaid.id))


def test_a_prepaid_request_that_waits_is_paid_for(cloud: Inventory) -> None:
    cloud.apply(CreatePeerConn("shop", "data", 100, "shop-data", payment="prepaid"))
    with pytest.raises(StateError, match="prepaid and consulting"):
        cloud.apply(DeletePeerConn("shop-data"))
    cloud.apply(RejectPeerConn("shop-data"))
    cloud.apply(DeletePeerConn("shop-data"))


def test_renewal_adds_to_the_end(cloud: Inventory, prepaid: PeerConn, clock: VirtualClock) -> None:
    renewed = cloud.apply(RenewPeerConn("shop-data", 2), account="acme")
    assert format_utc(renewed.expires_at_ns or 0) == "2026-04-03T00:00:00Z"
    clock.advance_to(prepaid.expires_at_ns or 0)  # the old end means nothing any more
    assert cloud.tick() == ()
    clock.advance_to(renewed.expires_at_ns or 0)
    assert [conn.state for conn in cloud.tick()] == ["expired"]


def test_an_expired_connection_starts_anew(cloud: Inventory, prepaid: PeerConn, clock: VirtualClock) -> None:
    clock.advance_to((prepaid.expires_at_ns or 0) + NS_PER_DAY)
    assert cloud.tick()[0].state == "expired"
    back = cloud.apply(RenewPeerConn("shop-data", 1))
    assert (back.state, format_utc(back.expires_at_ns or 0)) == ("active", "2026-03-04T00:00:00Z")


def test_dns_sync_rests_while_expired_and_works_again_after(
    cloud: Inventory, prepaid: PeerConn, clock: VirtualClock
) -> None:
    cloud.apply(SetDnsSync(prepaid.id, True, "local"), SetDnsSync(prepaid.id, True, "peer"))
    assert cloud.peer_conns[prepaid.id].has_dns_sync
    clock.advance_to(prepaid.expires_at_ns or 0)
    (expired,) = cloud.tick()
    assert expired.local.dns_sync and expired.peer.dns_sync and not expired.has_dns_sync
    assert cloud.apply(RenewPeerConn(prepaid.id)).has_dns_sync


def test_renewal_is_the_initiators_and_of_prepaid_ones(cloud: Inventory, prepaid: PeerConn) -> None:
    with pytest.raises(StateError, match="account data-team can't renew it, expected its initiator acme"):
        cloud.apply(RenewPeerConn(prepaid.id), account="data-team")
    with pytest.raises(InvalidError, match=r"accepted 1..9, 12, 24 or 36"):
        cloud.apply(RenewPeerConn(prepaid.id, 10))
    cloud.apply(
        CreatePeerConn("stage", "data", 1, "later", payment="prepaid"), CreatePeerConn("shop", "stage", 1, "free")
    )
    with pytest.raises(StateError, match="is consulting, expected active or expired to renew it"):
        cloud.apply(RenewPeerConn("later"))
    with pytest.raises(StateError, match="postpaid, expected prepaid to be renewed"):
        cloud.apply(RenewPeerConn("free"))


def test_an_end_beyond_the_clock_is_refused(cloud: Inventory, prepaid: PeerConn) -> None:
    cloud.apply(*[RenewPeerConn(prepaid.id, 36)] * 78)
    with pytest.raises(InvalidError, match="end after the year 2262"):
        cloud.apply(RenewPeerConn(prepaid.id, 36))
    assert cloud.peer_conns[prepaid.id].is_active


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-01-31T12:00:01", 1, "2026-02-28T12:00:01Z"),
        ("2028-01-31T00:00:00", 1, "2028-02-29T00:00:00Z"),
        ("2026-12-05T00:00:00", 1, "2027-01-05T00:00:00Z"),
        ("2026-03-31T00:00:00", 36, "2029-03-31T00:00:00Z"),
        ("2026-11-30T23:59:59", 3, "2027-02-28T23:59:59Z"),
    ],
)
def test_months_are_calendar_months(start: str, months: int, end: str) -> None:
    start_ns = int(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp()) * NS_PER_S + 7
    assert format_utc(add_months(start_ns, months)) == end
    assert add_months(start_ns, months) % NS_PER_S == 7


# ---------------------------------------------------------------------- changes


def test_resize_takes_the_defaults_along(linked: Inventory) -> None:
    conn = linked.apply(ResizePeerConn("shop-data", 400), account="acme")
    assert (conn.bandwidth_mbps, conn.burst_bytes, conn.queue_bytes) == (400, 500_000, 2_500_000)
    assert linked.apply(ResizePeerConn("shop-data", 1)).queue_bytes == 65_536


def test_resize_leaves_given_numbers_alone(cloud: Inventory) -> None:
    cloud.apply(CreatePeerConn("shop", "stage", 100, "c", burst_bytes=5000, queue_bytes=70_000))
    conn = cloud.apply(ResizePeerConn("c", 1000))
    assert (conn.burst_bytes, conn.queue_bytes) == (5000, 70_000)


def test_prepaid_only_goes_up(cloud: Inventory, prepaid: PeerConn) -> None:
    with pytest.raises(StateError, match="bandwidth_mbps 99, accepted 100 or more") as refusal:
        cloud.apply(ResizePeerConn(prepaid.id, 99))
    assert refusal.value.field == "bandwidth_mbps"
    assert cloud.apply(ResizePeerConn(prepaid.id, 100)) == prepaid
    assert cloud.apply(ResizePeerConn(prepaid.id, 101)).bandwidth_mbps == 101


def test_resize_is_the_initiators_while_it_lives(cloud: Inventory, asked: PeerConn) -> None:
    with pytest.raises(StateError, match="can't resize it, expected its initiator acme"):
        cloud.apply(ResizePeerConn(asked.id, 5), account="data-team")
    assert cloud.apply(ResizePeerConn(asked.id, 5)).bandwidth_mbps == 5
    with pytest.raises(InvalidError, match="accepted an integer"):
        cloud.apply(ResizePeerConn(asked.id, True))
    cloud.apply(RejectPeerConn(asked.id))
    with pytest.raises(StateError, match="is consult_failed, expected active or consulting"):
        cloud.apply(ResizePeerConn(asked.id, 6))


def test_a_protected_connection_stays(linked: Inventory) -> None:
    with pytest.raises(StateError, match="can't protect it"):
        linked.apply(SetDeleteProtect("shop-data", True), account="data-team")
    linked.apply(SetDeleteProtect("shop-data", True), account="acme")
    with pytest.raises(StateError, match="delete protection is on"):
        linked.apply(DeletePeerConn("shop-data"))
    linked.apply(SetDeleteProtect("shop-data", False), DeletePeerConn("shop-data"))


def test_each_owner_names_its_side(linked: Inventory) -> None:
    conn = linked.apply(UpdatePeerConn("shop-data", interface_name="up", description="to acme"), account="data-team")
    assert (conn.peer.interface_name, conn.peer.description) == ("up", "to acme")
    assert conn.local.interface_name == "int-1"
    assert linked.interface("data/up") == (conn, "peer")
    with pytest.raises(NotFoundError, match='vpc data: interface "int-2": not found'):
        linked.interface("int-2", "data")
    with pytest.raises(StateError, match="can't update the local side of it"):
        linked.apply(UpdatePeerConn("shop-data", "local", "x"), account="data-team")
    with pytest.raises(StateError, match="can't rename it"):
        linked.apply(UpdatePeerConn("shop-data", name="x"), account="data-team")
    with pytest.raises(InvalidError, match="no side given, accepted local or peer"):
        linked.apply(UpdatePeerConn("shop-data", interface_name="x"))
    assert linked.apply(UpdatePeerConn("shop-data", name="link"), account="acme") == linked.peer_conn("link")
    assert linked.apply(UpdatePeerConn("link", "peer", "")).peer.interface_name == ""


def test_deleting_frees_names_and_pair(linked: Inventory) -> None:
    conn = linked.apply(DeletePeerConn("shop-data"), account="acme")
    for ref in (conn.id, "shop-data"):
        with pytest.raises(NotFoundError):
            linked.peer_conn(ref)
    for interface in (conn.local.interface_id, "int-1", "shop/int-1"):
        with pytest.raises(NotFoundError):
            linked.interface(interface)
    assert linked.peer_conns_of("shop") == () == linked.peer_conns_of("data")
    assert linked.events[-1].what == "deleted"
