from __future__ import annotations

import pytest

from netsim.controlplane.edit import DeletePeerConn, DeleteRoute
from netsim.dataplane.disposition import Disposition
from netsim.errors import InvalidError, NotFoundError, UsageError
from netsim.lab import Lab
from netsim.prefix import parse_addr
from netsim.probe.echo import EchoError, EchoReply
from netsim.units import NS_PER_S
from tests.clouds import DATA_ROUTER, DB_1, SHOP_ROUTER, WEB_1, chain, two_vpc_lab


@pytest.fixture
def lab() -> Lab:
    return two_vpc_lab()


def test_a_round_trip_is_delays_and_serialization(lab: Lab) -> None:
    result = lab.ping("web-1", "db-1", 3)
    # Twice: 0.5 ms, 0.1 ms, and 84 bytes at 10 Gbit/s rounded up to a ns.
    rtt_ns = 2 * (500_000 + 100_000 + 68)
    db = parse_addr(DB_1)
    assert result.outcomes == tuple(EchoReply(k, 84, 62, rtt_ns, db) for k in (1, 2, 3))
    assert (result.sent, result.received, result.src_addr, result.dst_addr) == (3, 3, parse_addr(WEB_1), db)
    assert result.fates == ((Disposition.DELIVERED, Disposition.DELIVERED),) * 3
    assert 2 * NS_PER_S < result.duration_ns < 2.1 * NS_PER_S


def test_names_with_vpc_addresses_and_routers_are_destinations(lab: Lab) -> None:
    assert lab.ping("shop/web-1", "data/db-1").received == 1
    assert lab.ping("web-1", DB_1).received == 1
    assert lab.ping("web-1", DATA_ROUTER).replies[0].ttl == 63
    assert lab.ping("web-1", SHOP_ROUTER).replies[0].ttl == 64
    assert lab.ping("web-1", "web-1").replies[0].ttl == 64


@pytest.mark.parametrize("size", [28, 84, 1500, 1501, 4000, 65_535])
def test_sizes_up_to_the_largest_come_back_whole(lab: Lab, size: int) -> None:
    (reply,) = lab.ping("web-1", "db-1", size_bytes=size).replies
    assert reply.size_bytes == size


def test_too_large_with_df_is_told_the_mtu(lab: Lab) -> None:
    result = lab.ping("web-1", "db-1", size_bytes=1501, df=True)
    assert result.outcomes == (EchoError(1, parse_addr(SHOP_ROUTER), 3, 4, 1500),)
    assert result.fates == ((Disposition.MTU_EXCEEDED, None),)
    assert lab.ping("web-1", "db-1", size_bytes=1500, df=True).received == 1


@pytest.mark.parametrize(
    ("dst", "ttl", "router", "kind"),
    [
        ("10.9.9.9", 64, SHOP_ROUTER, (3, 0)),
        ("10.1.0.99", 64, DATA_ROUTER, (3, 1)),
        ("192.168.0.99", 64, WEB_1, (3, 1)),
        (DB_1, 1, SHOP_ROUTER, (11, 0)),
        (DB_1, 2, DATA_ROUTER, (11, 0)),
    ],
)
def test_errors_are_outcomes(lab: Lab, dst: str, ttl: int, router: str, kind: tuple[int, int]) -> None:
    result = lab.ping("web-1", dst, ttl=ttl)
    assert result.errors == (EchoError(1, parse_addr(router), *kind, 0),)
    assert result.received == 0


def test_silence_is_none_and_the_fates_say_where_it_went(lab: Lab) -> None:
    (back,) = lab.inventory.rules_of(lab.inventory.vpc("data").id)
    lab.apply(DeleteRoute(back.id))
    one_way = lab.ping("web-1", "db-1")
    assert one_way.outcomes == (None,)
    assert one_way.fates == ((Disposition.DELIVERED, Disposition.NO_ROUTE),)
    lab.apply(DeletePeerConn("shop-data"))
    assert lab.ping("web-1", "db-1").fates == ((Disposition.BAD_STATE_ROUTE, None),)


def test_a_reply_after_the_time_out_does_not_count() -> None:
    lab = two_vpc_lab(latency_ms=300)
    late = lab.ping("web-1", "db-1", timeout_s=0.5)
    assert (late.received, late.duration_ns) == (0, 500_000_000)
    assert lab.ping("web-1", "db-1", timeout_s=0.7).received == 1
    # The first reply comes 0.6 s after its request, while the second is still waited for.
    assert lab.ping("web-1", "db-1", 2, interval_s=0.3, timeout_s=0.5).outcomes == (None, None)


def test_a_slow_reply_of_an_earlier_request_finds_its_place() -> None:
    lab = two_vpc_lab(latency_ms=300)
    result = lab.ping("web-1", "db-1", 5, interval_s=0.1)
    assert [reply.sequence for reply in result.replies] == [1, 2, 3, 4, 5]


def test_a_flood_at_one_instant_is_answered_in_order(lab: Lab) -> None:
    result = lab.ping("web-1", "db-1", 50, interval_s=0)
    rtts = [reply.rtt_ns for reply in result.replies]
    assert len(rtts) == 50
    assert rtts == sorted(rtts)


def test_the_ttl_tells_the_number_of_routers() -> None:
    lab = Lab(chain(6))
    for far in range(1, 6):
        assert lab.ping("i0", f"i{far}").replies[0].ttl == 64 - far - 1


@pytest.mark.parametrize(
    "wrong",
    [{"count": 0}, {"count": 65_536}, {"ttl": 0}, {"ttl": 256}, {"interval_s": -1}, {"timeout_s": -0.5}],
)
def test_arguments_out_of_range_are_refused(lab: Lab, wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="ping: "):
        lab.ping("web-1", "db-1", **wrong)  # type: ignore[arg-type]


def test_sizes_out_of_range_and_unknown_names_are_refused(lab: Lab) -> None:
    for size in (27, 65_536):
        with pytest.raises(InvalidError):
            lab.ping("web-1", "db-1", size_bytes=size)
    with pytest.raises(NotFoundError, match="did you mean"):
        lab.ping("wbe-1", "db-1")
    with pytest.raises(InvalidError, match="is not an IPv4 address"):
        lab.ping("web-1", "10.1.0.256")
    assert lab.totals().injected == 0
