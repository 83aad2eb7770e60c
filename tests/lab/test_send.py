"""Packets of every kind that scapy makes: what arrives is what was sent, but for TTL and checksum."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from scapy.layers.inet import (
    ICMP,
    IP,
    TCP,
    UDP,
    IPOption_EOL,
    IPOption_NOP,
    IPOption_Router_Alert,
    IPOption_RR,
    defragment,
    fragment,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw
from scapy.plist import PacketList

import netsim
from netsim import edit
from netsim.dataplane.disposition import Disposition
from netsim.errors import NotFoundError, UsageError
from netsim.lab import Lab
from netsim.probe.sending import SentPacket
from netsim.units import NS_PER_S
from tests.clouds import DATA_ROUTER, DB_1, WEB_1, WEB_2, two_vpc_lab

OPTIONS = {
    "router alert": [IPOption_Router_Alert()],
    "record route": [IPOption_RR(routers=["10.7.7.7", "10.8.8.8"])],
    "padding": [IPOption_NOP(), IPOption_NOP(), IPOption_EOL()],
}
KINDS: dict[str, Any] = {
    "udp": IP() / UDP(sport=999, dport=53) / b"question",
    "udp without checksum": IP() / UDP(sport=999, dport=53, chksum=0) / b"q",
    "udp empty": IP() / UDP(sport=999, dport=53),
    "tcp with options": IP()
    / TCP(sport=9, dport=5432, flags="A", options=[("MSS", 1460), ("Timestamp", (1, 2))])
    / b"x",
    "icmp reply": IP() / ICMP(type=0, id=5, seq=6) / b"unasked",
    "icmp timestamp": IP() / ICMP(type=13, id=5, seq=6),
    "tos and id": IP(tos=0xB8, id=54_321, flags="DF") / UDP(dport=53) / b"voice",
    "reserved bit": IP(flags="evil") / UDP(dport=53) / b"evil",
    **{f"options: {name}": IP(options=options) / UDP(dport=53) / b"x" for name, options in OPTIONS.items()},
    "sctp": IP(proto=132) / (b"\x00" * 12),
    "only a header": IP(proto=17),
    "1500 bytes": IP(flags="DF") / UDP(dport=53) / (b"m" * 1472),
}


@pytest.fixture
def lab() -> Lab:
    return two_vpc_lab()


def sealed(packet: Any, **changes: Any) -> bytes:
    """The packet with header fields changed and its header checksum made anew by scapy."""
    copy = IP(bytes(packet))
    for name, value in changes.items():
        setattr(copy, name, value)
    del copy.chksum
    return bytes(copy)


def only(lab: Lab, packet: Any, from_: str = "web-1") -> SentPacket:
    sent = lab.send(packet, from_)
    assert len(sent) == 1
    return next(iter(sent))


@pytest.mark.parametrize("kind", KINDS)
def test_a_packet_arrives_as_it_was_sent_two_routers_later(lab: Lab, kind: str) -> None:
    packet = KINDS[kind].copy()
    packet.src, packet.dst = WEB_1, DB_1
    sent = only(lab, packet)
    assert sent.dispositions == (Disposition.DELIVERED,)
    (arrival,) = sent.delivered
    assert arrival.instance == "db-1"
    assert arrival.raw == sealed(packet, ttl=62)
    # 0.5 ms over the connection, 0.1 ms inside the VPC, the interface at 10 Gbit/s.
    assert arrival.at_ns == 600_000 + -(-len(arrival.raw) * 8 // 10)
    assert bytes(arrival.packet) == arrival.raw


def test_inside_a_subnet_nothing_changes_at_all(lab: Lab) -> None:
    packet = IP(src=WEB_1, dst=WEB_2, ttl=1) / UDP(dport=9) / b"x"
    (arrival,) = only(lab, packet).delivered
    assert (arrival.instance, arrival.raw) == ("web-2", bytes(packet))
    assert arrival.at_ns == 100_000 + -(-len(packet) * 8 // 10)


def test_one_router_between_two_subnets(lab: Lab) -> None:
    packet = IP(src=WEB_1, dst="192.168.1.10") / UDP(dport=9) / b"x"
    (arrival,) = only(lab, packet).delivered
    assert (arrival.instance, arrival.raw) == ("desk-1", sealed(packet, ttl=63))


def test_the_source_left_open_is_the_senders_own_and_any_other_is_kept(lab: Lab) -> None:
    (own,) = only(lab, IP(dst=DB_1) / UDP(dport=53)).delivered
    assert own.packet.src == WEB_1
    (spoofed,) = only(lab, IP(src="203.0.113.7", dst=DB_1) / UDP(dport=53)).delivered
    assert spoofed.packet.src == "203.0.113.7"


def test_link_layers_are_stripped_and_bytes_taken_as_they_are(lab: Lab) -> None:
    packet = IP(src=WEB_1, dst=DB_1) / UDP(dport=53) / b"x"
    framed = lab.send(Ether() / packet, "web-1")
    plain = lab.send(bytes(packet), "web-1")
    assert [bytes(p) for p in framed.delivered] == [bytes(p) for p in plain.delivered] == [sealed(packet, ttl=62)]


def test_a_list_is_sent_in_order_and_each_packet_has_its_own_fate(lab: Lab) -> None:
    packets = [IP(dst=DB_1) / UDP(dport=53) / b"1", IP(dst="10.9.9.9") / UDP(), ARP(), IP(dst=DB_1) / ICMP()]
    sent = lab.send(packets, "web-1")
    fates = [packet.disposition.symbol for packet in sent]
    assert fates == ["delivered", "no_route", "not_ipv4", "delivered"]
    assert [len(packet.answers) for packet in sent] == [0, 1, 0, 1]
    assert [p.summary() for p in sent.answers] == [
        "IP / ICMP 192.168.0.1 > 192.168.0.10 dest-unreach network-unreachable / IPerror / UDPerror",
        "IP / ICMP 10.1.0.20 > 192.168.0.10 echo-reply 0",
    ]


def test_a_packet_with_ranges_is_many(lab: Lab) -> None:
    sent = lab.send(IP(dst=DB_1, ttl=(1, 4)) / ICMP(id=3), "web-1")
    assert [packet.disposition.symbol for packet in sent] == ["ttl_expired", "ttl_expired", "delivered", "delivered"]
    assert [answer.ttl for answer in sent.answers] == [64, 63, 62, 62]


@pytest.mark.parametrize("given", ["text", [], [b""], 7, None, [IP() / UDP(), "x"]])
def test_what_is_no_packet_is_refused_or_malformed_but_never_a_crash(lab: Lab, given: Any) -> None:
    if given == [b""]:
        assert only(lab, given).disposition is Disposition.MALFORMED
        return
    with pytest.raises(UsageError):
        lab.send(given, "web-1")


def test_a_sender_that_is_not_there_is_named_with_a_suggestion(lab: Lab) -> None:
    with pytest.raises(NotFoundError, match="web-1"):
        lab.send(IP(dst=DB_1) / ICMP(), "wbe-1")


# ------------------------------------------------------------------------------------- answers


def answer_of(lab: Lab, packet: Any, from_: str = "web-1") -> Any:
    (answer,) = only(lab, packet, from_).answers
    assert answer.instance == from_
    # Dissected and built again by scapy, all checksums made anew.
    again = answer.packet.copy()
    for layer in (IP, TCP, UDP, ICMP):
        if again.haslayer(layer):
            del again[layer].chksum
    assert bytes(again) == answer.raw
    return answer.packet


def test_an_echo_reply_has_the_request_s_identifier_sequence_and_data(lab: Lab) -> None:
    reply = answer_of(lab, IP(dst=DB_1, id=99, tos=0x20) / ICMP(id=7, seq=300) / b"payload of a ping")
    assert (reply.src, reply.dst, reply.ttl, reply.tos) == (DB_1, WEB_1, 62, 0x20)
    assert (reply[ICMP].type, reply[ICMP].id, reply[ICMP].seq, reply[Raw].load) == (0, 7, 300, b"payload of a ping")


@pytest.mark.parametrize("router", [DATA_ROUTER, "10.1.0.2", "192.168.0.1"])
def test_routers_and_resolvers_answer_echo(lab: Lab, router: str) -> None:
    reply = answer_of(lab, IP(dst=router, ttl=64 if router[:2] == "10" else 1) / ICMP(id=7))
    assert (reply.src, reply[ICMP].type, reply.ttl) == (router, 0, 63 if router[:2] == "10" else 64)


def test_a_syn_to_an_open_port_is_acknowledged(lab: Lab) -> None:
    reply = answer_of(lab, IP(dst=DB_1) / TCP(sport=1025, dport=5432, seq=2**32 - 1, flags="S"))
    assert (reply[TCP].sport, reply[TCP].dport, str(reply[TCP].flags)) == (5432, 1025, "SA")
    assert (reply[TCP].ack, reply.ttl) == (0, 62)


def test_the_initial_sequence_number_is_the_four_tuples(lab: Lab) -> None:
    def seq(sport: int) -> int:
        return int(answer_of(lab, IP(dst=DB_1) / TCP(sport=sport, dport=5432)).seq)

    assert seq(1025) == seq(1025) != seq(1026)


def test_a_syn_to_a_closed_port_is_reset_and_acknowledged(lab: Lab) -> None:
    reply = answer_of(lab, IP(dst=DB_1) / TCP(sport=1025, dport=81, seq=41, flags="S"))
    assert (str(reply[TCP].flags), reply[TCP].seq, reply[TCP].ack, reply[TCP].window) == ("RA", 0, 42, 0)


def test_a_reset_of_a_segment_with_ack_starts_where_that_points(lab: Lab) -> None:
    reply = answer_of(lab, IP(dst=DB_1) / TCP(sport=1025, dport=81, seq=41, ack=700, flags="A") / b"abc")
    assert (str(reply[TCP].flags), reply[TCP].seq, reply[TCP].ack) == ("R", 700, 0)


def test_data_to_an_open_port_without_a_conversation_is_reset(lab: Lab) -> None:
    reply = answer_of(lab, IP(dst=DB_1) / TCP(sport=1025, dport=5432, seq=41, ack=700, flags="PA") / b"abc")
    assert (str(reply[TCP].flags), reply[TCP].seq, reply[TCP].ack) == ("R", 700, 0)


def test_a_conversation_with_an_open_port_ends_as_it_should(lab: Lab) -> None:
    """A port that discards acknowledges what it got, and answers the FIN with its own."""
    ports = {"sport": 1025, "dport": 5432}
    syn_ack = answer_of(lab, IP(dst=DB_1) / TCP(**ports, seq=41, flags="S", options=[("MSS", 1000)]))[TCP]
    assert (str(syn_ack.flags), syn_ack.ack, syn_ack.options) == ("SA", 42, [("MSS", 1460)])
    fin = answer_of(lab, IP(dst=DB_1) / TCP(**ports, seq=42, ack=syn_ack.seq + 1, flags="FPA") / b"abc")[TCP]
    assert (str(fin.flags), fin.seq, fin.ack) == ("FA", syn_ack.seq + 1, 46)
    only(lab, IP(dst=DB_1) / TCP(**ports, seq=46, ack=fin.seq + 1, flags="A"))
    again = answer_of(lab, IP(dst=DB_1) / TCP(**ports, seq=46, ack=fin.seq + 1, flags="A"))
    assert str(again[TCP].flags) == "R"  # nobody is there any more


@pytest.mark.parametrize("flags", ["R", "RA"])
def test_resets_are_not_answered(lab: Lab, flags: str) -> None:
    sent = only(lab, IP(dst=DB_1) / TCP(dport=5432, flags=flags))
    assert sent.disposition is Disposition.DELIVERED
    assert not sent.answers


def test_udp_to_an_open_port_is_silent(lab: Lab) -> None:
    assert not only(lab, IP(dst=DB_1) / UDP(dport=53) / b"x").answers


# ----------------------------------------------------------------------------------- fragments


def test_fragments_made_by_scapy_arrive_and_are_answered_as_one(lab: Lab) -> None:
    whole = IP(src=WEB_1, dst=DB_1, id=77) / ICMP(id=1, seq=2) / bytes(range(250)) / (b"z" * 2750)
    pieces = fragment(whole, fragsize=800)
    sent = lab.send(pieces, "web-1")
    assert [bytes(p) for p in sent.delivered] == [sealed(piece, ttl=62) for piece in pieces]
    (put_together,) = defragment(PacketList(sent.delivered))
    assert bytes(put_together[IP].payload) == bytes(whole[IP].payload)
    (reply,) = defragment(PacketList(sent.answers))
    assert bytes(reply[ICMP].payload) == bytes(whole[ICMP].payload)


def test_fragments_out_of_order_are_one_datagram_too_and_a_missing_one_makes_none(lab: Lab) -> None:
    def pieces(ident: int) -> list[Any]:
        return list(fragment(IP(src=WEB_1, dst=DB_1, id=ident) / ICMP(id=1, seq=2) / (b"z" * 2000), fragsize=800))

    assert len(lab.send(pieces(1)[::-1], "web-1").answers) == 2
    assert not lab.send(pieces(2)[1:], "web-1").answers
    assert not lab.send([pieces(3)[0], pieces(4)[1], pieces(5)[2]], "web-1").answers


@pytest.mark.parametrize("mtu", [68, 576, 1280, 1500])
@pytest.mark.parametrize("options", [[], OPTIONS["record route"], OPTIONS["router alert"]], ids=["plain", "rr", "ra"])
def test_a_large_packet_is_cut_at_a_small_mtu(mtu: int, options: list[Any]) -> None:
    lab = two_vpc_lab(mtu_bytes=mtu)
    packet = IP(src=WEB_1, dst=DB_1, id=500, options=options) / UDP(dport=53) / bytes(range(256)) / (b"y" * 1500)
    sent = only(lab, packet)
    arrived = [arrival.packet for arrival in sent.delivered]
    assert len(arrived) > 1
    assert max(len(piece) for piece in arrived) <= mtu
    assert all(len(piece) > mtu - 8 for piece in arrived[:-1]), "each but the last as large as fits"
    assert all(bytes(piece) == sealed(piece) for piece in arrived), "checksums and lengths as scapy makes them"
    assert set(sent.dispositions) == {Disposition.DELIVERED}
    (whole,) = defragment(PacketList(arrived))
    assert bytes(whole[IP].payload) == bytes(packet[IP].payload)
    assert lab.totals().injected == len(arrived)


def test_fragments_are_what_scapy_would_cut() -> None:
    lab = two_vpc_lab(mtu_bytes=820)
    packet = IP(src=WEB_1, dst=DB_1, id=500, tos=8) / UDP(dport=53) / (b"y" * 2000)
    expected = [sealed(piece, ttl=62) for piece in fragment(packet, fragsize=800)]
    assert [arrival.raw for arrival in only(lab, packet).delivered] == expected


def test_fragments_are_cut_again_at_a_smaller_mtu() -> None:
    lab = two_vpc_lab(mtu_bytes=300)
    packet = IP(src=WEB_1, dst=DB_1, id=500) / ICMP(id=1, seq=9) / bytes(range(256)) / (b"y" * 1800)
    sent = lab.send(fragment(packet, fragsize=800), "web-1")
    (whole,) = defragment(PacketList(sent.delivered))
    assert bytes(whole[IP].payload) == bytes(packet[IP].payload)
    (reply,) = defragment(PacketList(sent.answers))
    assert bytes(reply[ICMP].payload) == bytes(packet[ICMP].payload)
    assert max(len(piece) for piece in sent.answers) <= 300


def test_an_identification_that_comes_round_does_not_mix_two_datagrams(lab: Lab) -> None:
    """scapy numbers every packet 1; each is answered with its own data, also when a piece of one before is missing."""
    for fill in (b"a", b"b"):
        sent = lab.send(fragment(IP(src=WEB_1, dst=DB_1) / ICMP(id=2) / (fill * 3000)), "web-1")
        (reply,) = defragment(PacketList(sent.answers))
        assert bytes(reply[ICMP].payload) == fill * 3000
    lab.send(fragment(IP(src=WEB_1, dst=DB_1) / ICMP(id=2) / (b"c" * 3000))[:1], "web-1")
    lab.advance(lab.now_ns + 31 * NS_PER_S)  # the host has given the piece up
    sent = lab.send(fragment(IP(src=WEB_1, dst=DB_1) / ICMP(id=2) / (b"d" * 3000)), "web-1")
    (reply,) = defragment(PacketList(sent.answers))
    assert bytes(reply[ICMP].payload) == b"d" * 3000


def test_fragments_that_come_far_apart_are_all_waited_for() -> None:
    """At 1 Mbit/s and with a burst of one, each leaves 12 ms after the one before."""
    lab = two_vpc_lab(bandwidth_mbps=1, burst_bytes=1500)
    sent = only(lab, IP(dst=DB_1) / ICMP(id=3) / (b"z" * 4400))
    assert sent.dispositions == (Disposition.DELIVERED,) * 3
    assert len(sent.answers) == 3
    assert [after.at_ns - before.at_ns > 11_000_000 for before, after in pairwise(sent.delivered)] == [True, True]


def test_an_echo_port_sends_back_what_it_gets_and_closes_after_that() -> None:
    inventory = netsim.Inventory(seed=1)
    inventory.apply(
        edit.CreateAccount("acme"),
        edit.CreateVpc("shop", "bj", "10.0.0.0/16", "acme"),
        edit.CreateSubnet("shop", "web", "10.0.0.0/24"),
        edit.CreateInstance("one", "shop/web", "10.0.0.10"),
        edit.CreateInstance("two", "shop/web", "10.0.0.11", listen=["tcp/7/echo", "udp/7"]),
    )
    lab = netsim.Lab(inventory)
    assert lab.probe("one", "two", (6, 7)).verdict == "reachable"
    ports = {"sport": 1025, "dport": 7}
    syn_ack = answer_of(lab, IP(dst="10.0.0.11") / TCP(**ports, seq=0, flags="S"), "one")[TCP]
    segment = TCP(**ports, seq=1, ack=syn_ack.seq + 1, flags="FPA") / (b"x" * 300)
    answers = only(lab, IP(dst="10.0.0.11") / segment, "one").answers
    (back,) = (answer.packet for answer in answers)
    assert (str(back[TCP].flags), back[TCP].ack, len(back[TCP].payload)) == ("FPA", 302, 300)
