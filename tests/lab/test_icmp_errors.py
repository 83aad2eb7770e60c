"""ICMP errors, to the byte, against packets that scapy builds from the RFCs' words."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert, fragment
from scapy.packet import Raw

from netsim.controlplane.edit import CreateRoute, DeletePeerConn, DeleteRoute
from netsim.dataplane.disposition import Disposition
from netsim.lab import Lab
from tests.clouds import DATA_ROUTER, DB_1, SHOP_ROUTER, WEB_1, WEB_2, chain, two_vpc_lab

UDP_DATA = UDP(sport=4000, dport=9) / b"probe"


@pytest.fixture
def lab() -> Lab:
    return two_vpc_lab()


def packet(dst: str, body: Any, **fields: Any) -> Any:
    return IP(**{"src": WEB_1, "dst": dst, "id": 4242, **fields}) / body


def error(sent: Any, src: str, icmp_type: int, code: int, *, quoted_ttl: int, ttl: int, mtu: int = 0) -> bytes:
    """RFC 792, RFC 1812 section 4.3.2: precedence 6, 576 bytes at most, the packet as it came in quoted."""
    quoted = IP(bytes(sent))
    quoted.ttl = quoted_ttl
    del quoted.chksum
    head = IP(src=src, dst=sent.src, ttl=ttl, id=sent.id, tos=0xC0 | sent.tos & 0x1E)
    message = ICMP(type=icmp_type, code=code)
    if mtu:
        message.nexthopmtu = mtu
    return bytes(head / message / Raw(bytes(quoted)[: 576 - 28]))


def answers(lab: Lab, sent: Any, from_: str = "web-1") -> list[bytes]:
    return [answer.raw for packet in lab.send(sent, from_) for answer in packet.answers]


def test_ttl_expires_at_the_first_router_and_at_the_second(lab: Lab) -> None:
    one, two = packet(DB_1, UDP_DATA, ttl=1), packet(DB_1, UDP_DATA, ttl=2, tos=0x2A)
    assert answers(lab, one) == [error(one, SHOP_ROUTER, 11, 0, quoted_ttl=1, ttl=64)]
    assert answers(lab, two) == [error(two, DATA_ROUTER, 11, 0, quoted_ttl=1, ttl=63)]


@pytest.mark.parametrize("ttl", [1, 64])
def test_no_route(lab: Lab, ttl: int) -> None:
    """The lookup comes before the TTL (RFC 1812 section 5.2.1.2)."""
    sent = packet("203.0.113.9", TCP(dport=80, seq=5), ttl=ttl)
    assert answers(lab, sent) == [error(sent, SHOP_ROUTER, 3, 0, quoted_ttl=ttl, ttl=64)]


def test_no_host_in_the_far_vpc_nor_in_the_own(lab: Lab) -> None:
    far, near = packet("10.1.0.99", UDP_DATA), packet("192.168.1.99", UDP_DATA)
    assert answers(lab, far) == [error(far, DATA_ROUTER, 3, 1, quoted_ttl=63, ttl=63)]
    assert answers(lab, near) == [error(near, SHOP_ROUTER, 3, 1, quoted_ttl=64, ttl=64)]


def test_no_host_in_the_own_subnet_is_the_senders_own_discovery(lab: Lab) -> None:
    sent = packet("192.168.0.99", UDP_DATA)
    assert answers(lab, sent) == [error(sent, WEB_1, 3, 1, quoted_ttl=64, ttl=64)]


def test_closed_udp_port_and_unknown_protocol(lab: Lab) -> None:
    closed = packet(DB_1, UDP_DATA, flags="DF")
    unknown = packet(DB_1, Raw(b"whatever"), proto=253)
    assert answers(lab, closed) == [error(closed, DB_1, 3, 3, quoted_ttl=62, ttl=62)]
    assert answers(lab, unknown) == [error(unknown, DB_1, 3, 2, quoted_ttl=62, ttl=62)]


def test_too_large_and_not_to_be_cut() -> None:
    lab = two_vpc_lab(mtu_bytes=1000)
    sent = packet(DB_1, UDP(dport=53) / (b"m" * 1200), flags="DF")
    expected = error(sent, SHOP_ROUTER, 3, 4, quoted_ttl=64, ttl=64, mtu=1000)
    assert len(expected) == 576
    assert answers(lab, sent) == [expected]


def test_a_path_mtu_is_found_at_the_second_connection() -> None:
    inventory = chain(3, mtu_bytes=1400)
    lab = Lab(inventory)
    sent = IP(src="10.0.0.10", dst="10.2.0.10", id=4242, flags="DF") / ICMP() / (b"m" * 1400)
    (found,) = answers(lab, sent, "i0")
    assert found == error(sent, "10.0.0.1", 3, 4, quoted_ttl=64, ttl=64, mtu=1400)


def test_a_long_packet_is_quoted_up_to_576_bytes_and_one_with_options_with_them(lab: Lab) -> None:
    long = packet("203.0.113.9", UDP(dport=9) / bytes(range(256)) / (b"z" * 1000))
    (found,) = answers(lab, long)
    assert (found, len(found)) == (error(long, SHOP_ROUTER, 3, 0, quoted_ttl=64, ttl=64), 576)
    optional = packet("203.0.113.9", UDP_DATA, options=[IPOption_Router_Alert()])
    assert answers(lab, optional) == [error(optional, SHOP_ROUTER, 3, 0, quoted_ttl=64, ttl=64)]


def test_of_fragments_only_the_first_is_answered(lab: Lab) -> None:
    pieces = fragment(packet(DB_1, UDP(dport=9) / (b"z" * 2000), ttl=1), fragsize=800)
    assert len(pieces) == 3
    assert answers(lab, pieces) == [error(pieces[0], SHOP_ROUTER, 11, 0, quoted_ttl=1, ttl=64)]


@pytest.mark.parametrize("icmp_type", [3, 4, 5, 11, 12])
def test_errors_are_not_answered(lab: Lab, icmp_type: int) -> None:
    sent = lab.send(packet("203.0.113.9", ICMP(type=icmp_type) / b"quoted"), "web-1")
    assert sent.disposition is Disposition.NO_ROUTE
    assert not sent.answers


def test_echo_requests_and_replies_may_be(lab: Lab) -> None:
    for icmp_type in (0, 8):
        sent = packet("203.0.113.9", ICMP(type=icmp_type, id=4))
        assert answers(lab, sent) == [error(sent, SHOP_ROUTER, 3, 0, quoted_ttl=64, ttl=64)]


@pytest.mark.parametrize("source", ["224.0.0.5", "0.1.2.3", "255.255.255.255", "127.0.0.1"])
def test_a_source_that_is_no_host_gets_nothing(lab: Lab, source: str) -> None:
    assert not answers(lab, packet("203.0.113.9", UDP_DATA, src=source))


def test_silent_drops(lab: Lab) -> None:
    lab.apply(CreateRoute("shop", "0.0.0.0/0", "10.9.0.0/16", "blackhole"))
    fates = {}
    for dst in ("10.9.0.1", "10.1.0.255", "10.1.0.0", "192.168.0.255", "224.0.0.251", "255.255.255.255"):
        sent = lab.send(packet(dst, UDP_DATA), "web-1")
        assert not sent.answers, dst
        fates[dst] = sent.disposition.symbol
    assert fates.pop("10.9.0.1") == "blackhole"
    assert set(fates.values()) == {"bad_destination"}
    lab.apply(DeletePeerConn("shop-data"))
    sent = lab.send(packet(DB_1, UDP_DATA), "web-1")
    assert (sent.disposition, sent.answers) == (Disposition.BAD_STATE_ROUTE, [])


def test_an_error_about_a_reply_goes_to_whoever_replied(lab: Lab) -> None:
    """The reply has no way back, and data's router says so to db-1: no answer for web-1."""
    (back,) = lab.inventory.rules_of(lab.inventory.vpc("data").id)
    lab.apply(DeleteRoute(back.id))
    (sent,) = lab.send(packet(DB_1, ICMP(id=3, seq=4) / b"are you there"), "web-1")
    assert sent.disposition is Disposition.DELIVERED
    assert sent.answers == ()
    (found,) = sent.elsewhere
    reply = IP(src=DB_1, dst=WEB_1, id=4242) / ICMP(type=0, id=3, seq=4) / b"are you there"
    assert (found.instance, found.raw) == ("db-1", error(reply, DATA_ROUTER, 3, 0, quoted_ttl=64, ttl=64))


def test_answers_to_a_borrowed_source_address_go_to_its_owner(lab: Lab) -> None:
    (sent,) = lab.send(packet(DB_1, ICMP(id=3), src=WEB_2), "web-1")
    assert sent.answers == ()
    assert [(other.instance, other.packet[ICMP].type) for other in sent.elsewhere] == [("web-2", 0)]
