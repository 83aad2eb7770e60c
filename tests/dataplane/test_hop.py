"""One router hop: lookup, gate, transit, TTL and MTU, in the order of design section 3."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from netsim.dataplane.batch import DF, MF, PROTO_UDP
from netsim.dataplane.hop import is_unforwardable
from netsim.prefix import MAX_ADDR, parse_addr
from tests.dataplane.network import NO_LIMIT, Network
from tests.dataplane.two_vpcs import A1, A_ROUTER, B1, B_ROUTER, End, echo, ends, fates, run, two_vpcs, udp


def chain(n: int, *, relays: str = "", transits: int = 1) -> Network:
    """n VPCs in a row, each with routes to all the others; `relays` by letter."""
    net = Network(transits=transits)
    names = "abcdefgh"[:n]
    for k, name in enumerate(names):
        net.vpc(name, f"10.{k}.0.0/16", [f"10.{k}.0.0/24"], is_relay=name in relays)
        net.instance(f"{name}1", f"10.{k}.0.10", [(PROTO_UDP, 53)])
    for one, other in pairwise(names):
        net.connect(one, other)
    for k, name in enumerate(names):
        for far in range(n):
            if far != k:
                net.route(name, f"10.{far}.0.0/16", names[k + 1 if far > k else k - 1])
    return net


# ---------------------------------------------------------------------------- steps 2 and 4: who has it


def test_the_same_subnet_is_layer_2_and_leaves_the_ttl_alone() -> None:
    net = two_vpcs()
    net.instance("a2", "10.0.0.11", [(PROTO_UDP, 53)], vpc="a")
    (end,) = ends(run(net, udp(dst=parse_addr("10.0.0.11"), ttl=1)))
    assert (end.disposition.symbol, end.ttl, end.at_ns) == ("delivered", 1, 800 + 100_000)


def test_another_subnet_of_the_vpc_is_one_router_away() -> None:
    net = two_vpcs()
    net.vpcs[0].subnets.append(net.vpcs[0].subnets[0]._replace(network=parse_addr("10.0.1.0")))
    net.instance("a2", "10.0.1.10", [(PROTO_UDP, 53)], vpc="a")
    packets = udp(dst=parse_addr("10.0.1.10"), ttl=2), udp(dst=parse_addr("10.0.1.10"), ttl=1)
    first, expired, _ = ends(run(net, *packets))
    assert (first.disposition.symbol, first.ttl) == ("delivered", 1)
    assert expired.disposition.symbol == "ttl_expired"


def test_an_address_nobody_has_in_the_own_subnet_is_told_by_the_sender_itself() -> None:
    dropped, told = ends(run(two_vpcs(), udp(dst=parse_addr("10.0.0.99"))))
    assert dropped.disposition.symbol == "host_unreachable"
    assert (told.icmp, told.src, told.dst, told.disposition.symbol) == ((3, 1), A1, A1, "delivered")
    assert told.at_ns - dropped.at_ns == 100_000


def test_an_address_nobody_has_elsewhere_in_a_vpc_is_told_by_its_router() -> None:
    for dst, router in (("10.0.7.7", A_ROUTER), ("10.1.0.99", B_ROUTER)):
        dropped, told = ends(run(two_vpcs(), udp(dst=parse_addr(dst))))
        assert dropped.disposition.symbol == "host_unreachable"
        assert (told.icmp, told.src, told.dst, told.ttl) == ((3, 1), router, A1, 64 - (router == B_ROUTER))


@pytest.mark.parametrize(
    "dst", ["10.0.0.0", "10.0.0.255", "10.1.0.0", "10.1.0.255", "224.0.0.5", "239.9.9.9", "255.255.255.255",
            "127.0.0.1", "0.0.0.1"],
)  # fmt: skip
def test_what_is_no_single_host_is_dropped_in_silence(dst: str) -> None:
    (end,) = ends(run(two_vpcs(), udp(dst=parse_addr(dst))))
    assert end.disposition.symbol == "bad_destination"


def test_unforwardable_addresses_end_where_they_should() -> None:
    edges = {"0.255.255.255": True, "1.0.0.0": False, "126.255.255.255": False, "127.0.0.0": True, "128.0.0.0": False,
             "223.255.255.255": False, "224.0.0.0": True, "239.255.255.255": True, "240.0.0.0": False}  # fmt: skip
    assert {text: is_unforwardable(parse_addr(text)) for text in edges} == edges
    assert is_unforwardable(MAX_ADDR) and not is_unforwardable(MAX_ADDR - 1)


@pytest.mark.parametrize("ttl", [0, 1, 64])
@pytest.mark.parametrize("host", ["10.0.0.1", "10.0.0.2", "10.1.0.1", "10.1.0.2"])
def test_router_and_resolver_take_what_is_theirs_with_any_ttl(host: str, ttl: int) -> None:
    """TTL untouched; the first router of the two would still have to forward."""
    first = ends(run(two_vpcs(), echo(dst=parse_addr(host), ttl=ttl)))[0]
    if host.startswith("10.1") and ttl < 2:
        assert first.disposition.symbol == "ttl_expired"
    else:
        assert (first.disposition.symbol, first.ttl) == ("delivered", ttl - host.startswith("10.1"))


def test_a_packet_off_a_connection_is_routed_never_delivered_at_layer_2() -> None:
    """b has a's CIDR too: what arrives there for 10.0.0.10 is b's to route, and b's own instance gets it."""
    net = Network()
    net.vpc("a", "10.0.0.0/16", ["10.0.0.0/24"])
    net.vpc("b", "10.0.0.0/16", ["10.0.0.0/24"])
    net.instance("a1", "10.0.0.10", vpc="a")
    net.instance("b1", "10.0.0.20", [(PROTO_UDP, 53)], vpc="b")
    net.connect("a", "b")
    net.route("a", "0.0.0.0/0", "b")
    outcome = run(net, udp(dst=parse_addr("10.0.0.20")), udp(dst=parse_addr("8.8.8.8")))
    assert "host_unreachable@0" in fates(outcome)  # the own subnet comes first
    assert "no_route@1" in fates(outcome)


# -------------------------------------------------------------------------------- steps 3, 4 and 5: rules


def test_no_rule_no_way_and_the_router_says_so() -> None:
    dropped, told = ends(run(two_vpcs(), udp(dst=parse_addr("8.8.8.8"))))
    assert dropped.disposition.symbol == "no_route"
    assert (told.icmp, told.src) == ((3, 0), A_ROUTER)


@pytest.mark.parametrize(
    ("next_hop", "symbol"),
    [("gateway:3", "exits_network"), ("blackhole", "blackhole"), ("gone", "bad_state_route")],
)
def test_a_rule_ends_a_packet_as_it_says_and_without_a_word(next_hop: str, symbol: str) -> None:
    net = two_vpcs()
    net.route("a", "8.0.0.0/8", next_hop)
    assert fates(run(net, udp(dst=parse_addr("8.8.8.8")))) == [f"{symbol}@0"]


def test_a_rule_over_a_connection_that_is_not_active_is_a_silent_blackhole() -> None:
    net = two_vpcs()
    net.links[0].is_active = False
    assert fates(run(net, udp())) == ["bad_state_route@0"]


def test_a_source_segment_sends_two_subnets_different_ways() -> None:
    net = two_vpcs()
    net.route("a", "10.1.0.0/16", "blackhole", source="10.0.0.0/28")
    outcome = run(net, udp(), udp(src=A1 + 100))
    assert fates(outcome) == ["blackhole@0", "delivered@1"]


# ------------------------------------------------------------------------------------ step 6: transit


def test_only_a_relay_carries_between_peers() -> None:
    assert fates(run(chain(3), udp(dst=parse_addr("10.2.0.10")))) == ["transit_denied@1"]
    assert fates(run(chain(3, relays="b"), udp(dst=parse_addr("10.2.0.10")))) == ["delivered@2"]


def test_one_transit_per_packet_and_the_counter_travels_with_it() -> None:
    (end,) = ends(run(chain(4, relays="bc"), udp(dst=parse_addr("10.3.0.10"))))
    assert (end.disposition.symbol, end.node, end.transits) == ("transit_denied", 2, 1)


@pytest.mark.parametrize(("transits", "reaches"), [(0, 1), (1, 2), (2, 3), (5, 6), (NO_LIMIT, 7)])
def test_the_limit_of_transits_is_data(transits: int, reaches: int) -> None:
    net = chain(8, relays="bcdefg", transits=transits)
    dst = [f"10.{k}.0.10" for k in range(1, 8)]
    outcome = run(net, *(udp(dst=parse_addr(text)) for text in dst))
    assert fates(outcome).count("transit_denied@" + str(reaches)) == 7 - reaches
    assert len([end for end in ends(outcome) if end.disposition.symbol == "delivered"]) == reaches


def test_back_over_the_link_it_came_is_a_transit_too() -> None:
    net = two_vpcs()
    net.route("b", "9.0.0.0/8", "a")
    net.route("a", "9.0.0.0/8", "b")
    assert fates(run(net, udp(dst=9 << 24))) == ["transit_denied@1"]


@pytest.mark.parametrize("is_relay", [False, True])
def test_a_gateway_behind_a_connection_is_a_transit(is_relay: bool) -> None:
    net = two_vpcs()
    net.vpcs[1].is_relay = is_relay
    net.route("a", "8.0.0.0/8", "b")
    net.route("b", "8.0.0.0/8", "gateway:0")
    assert fates(run(net, udp(dst=8 << 24))) == ["exits_network@1" if is_relay else "transit_denied@1"]


def test_an_error_from_a_relay_is_not_in_transit_where_it_starts() -> None:
    """TTL runs out in c: its error goes back over the relay b, one transit of its own."""
    outcome = run(chain(3, relays="b"), udp(dst=parse_addr("10.2.0.10"), ttl=3))
    assert fates(outcome) == ["ttl_expired@2", "delivered@0"]
    assert ends(outcome)[1].transits == 1


# --------------------------------------------------------------------------------- steps 7 and 8: TTL, MTU


def test_each_router_takes_one_off_the_last_one_too() -> None:
    ttls = {}
    for far in range(4):
        net = chain(4, relays="bc", transits=3)
        net.instance("a2", "10.0.0.11", [(PROTO_UDP, 53)], vpc="a")
        dst = "10.0.0.11" if far == 0 else f"10.{far}.0.10"
        ttls[far] = ends(run(net, udp(dst=parse_addr(dst))))[0].ttl
    assert ttls == {0: 64, 1: 62, 2: 61, 3: 60}


@pytest.mark.parametrize("ttl", range(6))
def test_a_ttl_never_underflows_and_ends_at_the_right_router(ttl: int) -> None:
    first: End = ends(run(chain(4, relays="bc", transits=3), udp(dst=parse_addr("10.3.0.10"), ttl=ttl)))[0]
    if ttl >= 5:
        assert (first.disposition.symbol, first.node, first.ttl) == ("delivered", 3, ttl - 4)
    else:
        assert (first.disposition.symbol, first.node) == ("ttl_expired", max(ttl - 1, 0))
        assert first.ttl == min(ttl, 1)


def test_permission_comes_before_ttl_and_ttl_before_mtu() -> None:
    """RFC 1812 section 5.2.1.2: TTL 1 towards no route is told 3/0; TTL 1 and too large is 11/0."""
    net = two_vpcs(mtu_bytes=576)
    net.route("a", "9.0.0.0/8", "blackhole")
    packets = udp(dst=8 << 24, ttl=1), udp(dst=9 << 24, ttl=1), udp(ttl=1, df=1)
    symbols = [end.disposition.symbol for end in ends(run(net, *packets)) if end.role == 0]
    assert symbols == ["no_route", "blackhole", "ttl_expired"]


def test_too_large_with_df_is_told_the_mtu() -> None:
    dropped, told = ends(run(two_vpcs(mtu_bytes=999), udp(df=1)))
    assert dropped.disposition.symbol == "mtu_exceeded"
    assert (told.icmp, told.l4 >> 16 & 0xFFFF) == ((3, 4), 999)
    assert fates(run(two_vpcs(mtu_bytes=1000), udp(df=1))) == ["delivered@1"]


def test_fragments_carry_a_multiple_of_eight_and_add_up() -> None:
    pieces = ends(run(two_vpcs(mtu_bytes=577), udp(size=1500)))
    assert [(p.frag_offset, p.size, p.flags & (MF | DF)) for p in pieces] == [
        (0, 572, MF), (552, 572, MF), (1104, 396, 0),
    ]  # fmt: skip
    assert [p.l4 != 0 for p in pieces] == [True, False, False]


def test_fragments_of_a_fragment_keep_its_place_and_its_more() -> None:
    middle = udp(size=820, frag_offset=1600, mf=1, l4=0)
    pieces = ends(run(two_vpcs(mtu_bytes=420), middle))
    assert [(p.frag_offset, p.size, p.flags & MF) for p in pieces] == [(1600, 420, MF), (2000, 420, MF)]


def test_the_smallest_mtu_and_the_largest_header_still_get_through() -> None:
    pieces = ends(run(two_vpcs(mtu_bytes=68, queue_bytes=10**6), udp(size=65_535, header=60)))
    assert len([p for p in pieces if p.role == 0]) == -(-(65_535 - 60) // 8)


def test_offsets_past_the_end_wrap_and_touch_nothing_else() -> None:
    far = replace(echo(), size=65_535, frag_offset=65_528, l4=0, ttl=64)
    pieces = ends(run(two_vpcs(queue_bytes=10**6), far))
    assert {p.proto for p in pieces} == {1}
    assert [p.frag_offset for p in pieces[:2]] == [65_528, (65_528 + 1480) & 0xFFFF]


def test_a_vpc_without_subnets_has_no_address_to_send_errors_from() -> None:
    net, without = two_vpcs(), two_vpcs()
    without.vpcs[1].subnets = []
    without.instances[1].is_alive = False
    assert fates(run(net, udp(), edits=[(100_000, without)])) == ["host_unreachable@1"]
    assert fates(run(net, udp(dst=B1), edits=[(600_000, without)])) == ["host_unreachable@1"]
