"""What comes back: ICMP errors and whom they spare (RFC 1812 section 4.3), echo, resets, the small listener."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netsim.dataplane.answer import error_code
from netsim.dataplane.batch import (
    ACK,
    ERROR,
    FIN,
    ORIGINAL,
    PROTO_ICMP,
    PROTO_TCP,
    PSH,
    REPLY,
    RST,
    SYN,
    pack_error,
    pack_icmp,
    pack_tcp,
)  # fmt: skip
from netsim.dataplane.disposition import FATES, Disposition
from netsim.prefix import Prefix, parse_addr
from tests.dataplane.two_vpcs import A1, A_ROUTER, B1, B_ROUTER, echo, ends, fates, run, tcp, two_vpcs, udp
from tests.reference.scalar_forward import Packet

NO_HOST = [parse_addr(text) for text in ("0.0.0.1", "127.0.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255")]


def test_the_kernels_know_the_errors_of_the_one_table() -> None:
    for fate in FATES:
        icmp_type, code = fate.icmp
        assert error_code(fate.disposition) == (-1 if icmp_type < 0 else icmp_type | code << 8), fate.disposition.symbol


# -------------------------------------------------------------------------------------- ICMP errors


def test_an_error_starts_fresh_and_quotes_the_packet_as_received() -> None:
    dropped, told = ends(run(two_vpcs(), udp(size=200, ttl=2)))
    assert (dropped.disposition.symbol, dropped.node, dropped.ttl) == ("ttl_expired", 1, 1)
    assert (told.role, told.proto, told.flow, told.seq) == (ERROR, PROTO_ICMP, dropped.flow, dropped.seq)
    assert (told.src, told.dst, told.ttl, told.size) == (B_ROUTER, A1, 63, 20 + 8 + 200)
    assert told.l4 == pack_error(11, 0, 0, quoted_ttl=1, quoted_size_bytes=200, quoted_mf=0)


@pytest.mark.parametrize(("size", "error"), [(28, 56), (547, 575), (548, 576), (549, 576), (1500, 576)])
def test_an_error_has_576_bytes_at_most(size: int, error: int) -> None:
    assert ends(run(two_vpcs(), udp(size=size, ttl=1)))[1].size == error


def test_an_error_comes_from_the_subnet_it_is_sent_into_else_from_the_first() -> None:
    net = two_vpcs()
    second = Prefix(parse_addr("10.0.1.0"), 24)
    net.vpcs[0].subnets.append(second)
    net.instance("a2", "10.0.1.10", vpc="a")
    for inst, source in ((0, A_ROUTER), (2, second.first + 1)):
        packet = udp(src=net.instances[inst].addr, dst=8 << 24)
        assert ends(run(net, packet, inst=inst))[1].src == source
    (_, from_first) = ends(run(net, udp(src=parse_addr("10.0.9.9"), dst=8 << 24)))
    assert from_first.src == A_ROUTER


def test_an_error_meets_its_own_fate_on_the_way_back() -> None:
    net = two_vpcs()
    net.vpcs[1].rules.clear()
    assert fates(run(net, udp(ttl=2))) == ["ttl_expired@1", "no_route@1"]
    slow = two_vpcs(burst_bytes=1500, queue_bytes=0)
    slow.links[1].rate_bps = 1_000_000
    assert fates(run(slow, *[udp(ttl=2)] * 40)).count("queue_full@1") > 20


@pytest.mark.parametrize("icmp_type", [3, 4, 5, 11, 12])
def test_no_error_about_an_icmp_error(icmp_type: int) -> None:
    assert fates(run(two_vpcs(), echo(icmp_type=icmp_type, ttl=1))) == ["ttl_expired@0"]


@pytest.mark.parametrize("icmp_type", [0, 8, 13, 17])
def test_errors_about_the_other_icmp_messages(icmp_type: int) -> None:
    assert fates(run(two_vpcs(), echo(icmp_type=icmp_type, ttl=1))) == ["ttl_expired@0", "delivered@0"]


def test_no_error_about_a_fragment_that_is_not_the_first() -> None:
    assert fates(run(two_vpcs(), udp(ttl=1, frag_offset=1480, l4=0))) == ["ttl_expired@0"]
    first = udp(ttl=1, mf=1)
    assert ends(run(two_vpcs(), first))[1].l4 == pack_error(11, 0, 0, 1, 1000, quoted_mf=1)


@pytest.mark.parametrize("src", NO_HOST)
@pytest.mark.parametrize(
    "packet", [udp(ttl=1), udp(dst=8 << 24), udp(port=9), tcp(SYN, 81), echo(), replace(udp(), proto=47)]
)
def test_no_answer_of_any_kind_to_what_is_no_single_host(src: int, packet: Packet) -> None:
    assert len(ends(run(two_vpcs(), replace(packet, src=src)))) == 1


@pytest.mark.parametrize(
    "disposition", ["bad_state_route", "transit_denied", "blackhole", "queue_full", "policed", "bad_destination"]
)
def test_the_silent_drops_are_silent(disposition: str) -> None:
    assert FATES[Disposition[disposition.upper()]].icmp == (-1, -1)


# ---------------------------------------------------------------------------------------- instances


@pytest.mark.parametrize("dst", [B1, B_ROUTER, B_ROUTER + 1])
def test_instance_router_and_resolver_answer_echo(dst: int) -> None:
    request, reply = ends(run(two_vpcs(), echo(dst=dst, ttl=9, header=24, df=1)))
    assert request.disposition.symbol == reply.disposition.symbol == "delivered"
    assert (reply.src, reply.dst, reply.role, reply.node) == (dst, A1, REPLY, 0)
    assert (reply.ttl, reply.size, reply.header, reply.flags & 1) == (64 - 1 - (dst == B1), 80, 20, 0)
    assert reply.l4 == pack_icmp(0, 0, 7)
    assert reply.sent_at == request.sent_at


@pytest.mark.parametrize("dst", [B1, B_ROUTER, B_ROUTER + 1])
def test_a_closed_udp_port_is_told(dst: int) -> None:
    _, told = ends(run(two_vpcs(), udp(port=54, dst=dst)))
    assert (told.icmp, told.src, told.role) == ((3, 3), dst, ERROR)


def test_an_open_udp_port_takes_it_in_silence() -> None:
    assert fates(run(two_vpcs(), udp(port=53))) == ["delivered@1"]


def test_a_protocol_nobody_speaks_is_told() -> None:
    assert ends(run(two_vpcs(), replace(udp(), proto=47, l4=0)))[1].icmp == (3, 2)


def test_an_instance_without_ports_is_closed() -> None:
    net = two_vpcs()
    net.instances[1].ports = []
    assert ends(run(net, udp()))[1].icmp == (3, 3)
    assert ends(run(net, tcp(SYN)))[1].l4 >> 32 == RST | ACK


@pytest.mark.parametrize(
    ("port", "flags", "says"),
    [
        (81, SYN, RST | ACK), (81, ACK, RST), (81, SYN | ACK, RST), (81, FIN, RST | ACK), (81, RST, 0),
        (81, RST | ACK, 0), (80, SYN, SYN | ACK), (80, ACK, RST), (80, PSH | ACK, RST), (80, FIN | ACK, RST),
        (80, RST, 0), (80, SYN | ACK, RST), (80, SYN | RST, 0), (80, FIN, RST | ACK),
    ],
)  # fmt: skip
def test_tcp_ports_answer_as_rfc_9293_has_it(port: int, flags: int, says: int) -> None:
    """An open port converses with who says SYN first, and refuses the rest as a closed one does."""
    answers = ends(run(two_vpcs(), tcp(flags, port)))[1:]
    size = 44 if says & SYN else 40
    assert [(a.l4, a.role, a.size) for a in answers] == ([(pack_tcp(port, 4000, says), REPLY, size)] if says else [])


def test_answers_are_not_answered_and_quiet_packets_neither() -> None:
    assert len(ends(run(two_vpcs(), tcp(SYN)))) == 2
    for packet in (tcp(SYN, quiet=1), echo(quiet=1), udp(port=9, quiet=1)):
        assert fates(run(two_vpcs(), packet)) == ["delivered@1"]


def test_an_error_about_an_answer_says_which_answer() -> None:
    """The SYN-ACK of a spoofed SYN finds no way: nobody keeps its bytes, so its flags go into the error."""
    told = ends(run(two_vpcs(), tcp(SYN, src=8 << 24)))[-1]
    assert (told.role, told.icmp, told.dst) == (ERROR | REPLY, (3, 0), B1)
    assert told.l4 == pack_error(3, 0, 0, 64, 44, 0, quoted_df=1, quoted_tcp_flags=SYN | ACK)


def test_what_did_not_parse_ends_at_the_sender() -> None:
    from tests.dataplane.experiment import Experiment, Traffic
    from tests.dataplane.two_vpcs import both

    fated = [Disposition.MALFORMED, Disposition.BAD_CHECKSUM, Disposition.NOT_IPV4]
    stored = [(udp(), 0, int(fate)) for fate in fated]
    traffic = Traffic(0, 1, None, [0, 1, 2], rows=[0, 1, 2])
    outcome = both(Experiment(two_vpcs(), [traffic], 10**6, stored))
    assert [end.disposition for end in ends(outcome)] == fated
    assert all(end.node == 0 and end.role == ORIGINAL for end in ends(outcome))


def test_a_deleted_instance_sends_and_receives_nothing_more() -> None:
    net, without = two_vpcs(), two_vpcs()
    without.instances[0].is_alive = False
    outcome = run(net, echo(), echo(), edits=[(1_000_000, without)])
    assert fates(outcome) == ["delivered@1", "host_unreachable@0", "delivered@1"]
    assert PROTO_TCP == 6 and outcome.measures[0][1] == 1


@pytest.mark.parametrize("dst", ["10.0.0.99", "10.9.9.9", "10.0.0.1"])
def test_a_subnets_broadcast_address_as_source_is_answered_by_nobody(dst: str) -> None:
    """RFC 1812 section 4.3.2.7: the source must be one host; layer 2, no route and the router itself."""
    out = run(two_vpcs(), udp(port=9, src=parse_addr("10.0.0.255"), dst=parse_addr(dst)))
    assert out.injected == [1, 0]
