"""Resolvers over TCP: streams cut as one likes, answers in order, and dig's way there."""

from __future__ import annotations

import random  # noqa: TID251 - seeded below
from pathlib import Path
from typing import Any

import dns.message
import pytest
from scapy.layers.inet import IP, TCP
from scapy.utils import rdpcap

from netsim.controlplane.edit import CreateDnsRecord, SetDnsSync
from netsim.hosts.dns_stream import DnsStream, framed
from netsim.lab import Lab
from netsim.packet.checksum import checksum, with_pseudo_header
from netsim.packet.sent import take_apart
from netsim.prefix import parse_addr
from netsim.traffic.flow import FlowSpec
from netsim.units import NS_PER_S
from tests.clouds import DB_1, WEB_1, two_vpc_lab
from tests.hosts.dns_client import query, rcode, read, values

SHOP, DATA = "192.168.0.2", "10.1.0.2"


@pytest.fixture
def lab() -> Lab:
    made = two_vpc_lab()
    made.apply(CreateDnsRecord("shop", "www.shop.local", WEB_1), CreateDnsRecord("data", "db.data.local", DB_1))
    return made


class Talk:
    """A conversation of hand-made segments with a resolver; acknowledges what comes."""

    def __init__(self, lab: Lab, to: str = SHOP, port: int = 4053) -> None:
        self.lab, self.to, self.port = lab, to, port
        self.seq = 7_000
        (syn_ack,) = self.send(flags="S")
        assert syn_ack[TCP].flags == "SA" and syn_ack[TCP].ack == self.seq + 1
        self.seq += 1
        self.first = self.ack = syn_ack[TCP].seq + 1
        self.heard: dict[int, bytes] = {}

    def send(self, data: bytes = b"", *, flags: str = "PA", ahead: int = 0) -> list[Any]:
        tcp = TCP(sport=self.port, dport=53, flags=flags, seq=self.seq + ahead, ack=getattr(self, "ack", 0))
        if flags != "S":
            assert data or flags != "PA"
        answers = self.lab.send(IP(dst=self.to) / tcp / data, "web-1").answers
        assert all(answer[IP].src == self.to and answer[TCP].dport == self.port for answer in answers)
        return answers

    def say(self, data: bytes, ahead: int = 0) -> list[Any]:
        """Send data; take in and acknowledge what comes back."""
        answers = self.send(data, ahead=ahead)
        if ahead == 0:
            self.seq = max(self.seq + len(data), max((answer[TCP].ack for answer in answers), default=0))
        self.take(answers)
        return answers

    def take(self, answers: list[Any]) -> None:
        for answer in answers:
            payload = bytes(answer[TCP].payload)
            if payload:
                self.heard[answer[TCP].seq] = payload
        ack = self.first + len(self.stream)
        if ack > self.ack:
            self.ack = ack
            self.take(self.send(flags="A"))

    @property
    def stream(self) -> bytes:
        """What was heard from the first byte on, without a gap."""
        stream = b""
        while self.first + len(stream) in self.heard:
            stream += self.heard[self.first + len(stream)]
        return stream

    @property
    def answers(self) -> list[bytes]:
        return DnsStream().take(self.stream)


def test_a_question_and_its_answer(lab: Lab) -> None:
    talk = Talk(lab)
    asked = query("www.shop.local")
    talk.say(framed(asked.to_wire()))
    (answer,) = talk.answers
    assert values(read(answer, asked), "A") == [WEB_1]
    fin_ack = talk.send(flags="FA")
    assert fin_ack[-1][TCP].flags == "FA" and fin_ack[-1][TCP].ack == talk.seq + 1
    talk.seq, talk.ack = talk.seq + 1, talk.ack + 1
    assert talk.send(flags="A") == []
    assert lab.totals().in_flight == 0


def test_questions_in_one_segment_are_answered_in_order(lab: Lab) -> None:
    talk = Talk(lab)
    asked = [query(name, ident=k) for k, name in enumerate(("www.shop.local", "nowhere", "web-2", "x." * 100 + "y"))]
    talk.say(b"".join(framed(one.to_wire()) for one in asked))
    assert [rcode(read(raw, one)) for raw, one in zip(talk.answers, asked, strict=True)] == [
        "NOERROR", "NXDOMAIN", "NOERROR", "NXDOMAIN",
    ]  # fmt: skip


def test_a_question_byte_by_byte_is_answered_once_it_is_whole(lab: Lab) -> None:
    talk = Talk(lab)
    asked = query("www.shop.local")
    stream = framed(asked.to_wire())
    for k in range(len(stream)):
        assert talk.answers == []
        talk.say(stream[k : k + 1])
    (answer,) = talk.answers
    assert values(read(answer, asked), "A") == [WEB_1]


def test_a_question_whose_end_comes_first_is_answered_when_the_gap_is_filled(lab: Lab) -> None:
    talk = Talk(lab)
    asked = query("www.shop.local")
    stream = framed(asked.to_wire())
    talk.say(stream[20:], ahead=20)
    assert talk.answers == []
    talk.say(stream[:20])
    (answer,) = talk.answers
    assert values(read(answer, asked), "A") == [WEB_1]


def test_a_second_conversation_of_the_same_ports_starts_anew(lab: Lab) -> None:
    for _ in range(2):
        talk = Talk(lab)
        asked = query("www.shop.local")
        talk.say(b"\0")  # half a length, that nobody may take for the next one's
        assert talk.send(flags="RA") == []
        talk = Talk(lab)
        talk.say(framed(asked.to_wire()))
        assert len(talk.answers) == 1
        talk.send(flags="R")


def test_what_is_no_question_is_answered_as_over_udp(lab: Lab) -> None:
    talk = Talk(lab)
    asked = query("a.b", ident=9)
    talk.say(framed(b"") + framed(b"short") + framed(asked.to_wire()[:-1]) + framed(asked.to_wire()))
    assert [rcode(dns.message.from_wire(raw)) for raw in talk.answers] == ["FORMERR", "NXDOMAIN"]


def test_random_streams_never_break_anything(lab: Lab) -> None:
    numbers = random.Random(12)
    for k in range(25):
        talk = Talk(lab, port=5_000 + k)
        for _ in range(4):
            size = numbers.randrange(1, 200)
            message = numbers.randbytes(size)
            talk.say(
                framed(message) if numbers.random() < 0.7 else numbers.randbytes(numbers.randrange(1, 3)) + message
            )
        for raw in talk.answers:
            dns.message.from_wire(raw, ignore_trailing=False)
        talk.send(flags="R")
    totals = lab.totals()
    assert (totals.dropped, totals.in_flight) == (0, 0)


def test_who_is_not_of_the_vpc_is_refused_over_tcp_too(lab: Lab) -> None:
    talk = Talk(lab, to=DATA)
    asked = query("db.data.local")
    talk.say(framed(asked.to_wire()))
    assert rcode(read(talk.answers[0], asked)) == "REFUSED"


# --------------------------------------------------------------------------------------- dig


def many(lab: Lab, n: int) -> list[str]:
    names = [f"name-{k}.zone-{k}.shop.local" for k in range(n)]
    lab.apply(*(CreateDnsRecord("shop", name, "192.168.0.99") for name in names))
    return sorted(f"{name}." for name in names)


def test_dig_over_tcp(lab: Lab) -> None:
    lab.apply(SetDnsSync("shop-data", True), account="acme")
    found = lab.dig("web-1", "db.data.local", is_tcp=True)
    assert (found.transport, found.failures, found.addrs) == ("tcp", (), (parse_addr(DB_1),))
    assert found.rtt_ns == 100_100  # an ACK of 40 bytes and the question, 84, at 10 Gbit/s, and one delivery
    far = lab.dig("web-1", "db.data.local", server=DATA, is_tcp=True)
    assert far.rcode == "REFUSED" and far.rtt_ns is not None and 1_100_000 < far.rtt_ns < 1_200_000
    assert lab.totals().dropped == 0


def test_what_is_truncated_is_asked_for_over_tcp(lab: Lab) -> None:
    names = many(lab, 700)
    found = lab.dig("web-1", "99.0.168.192.in-addr.arpa", "PTR")
    assert (found.transport, found.was_truncated, found.failures) == ("tcp", True, ())
    assert sorted(record.data for record in found.answers) == names
    assert found.raw is not None and len(found.raw) > 20_000
    ignored = lab.dig("web-1", "99.0.168.192.in-addr.arpa", "PTR", may_retry_in_tcp=False)
    assert (ignored.transport, ignored.was_truncated, ignored.answers) == ("udp", False, ())
    assert ignored.message is not None and "tc" in ignored.message.flags


def test_a_long_answer_is_sound_segments_in_a_capture(lab: Lab, tmp_path: Path) -> None:
    names = many(lab, 300)
    lab.capture("web-1", tmp_path / "long.pcap")
    lab.dig("web-1", "99.0.168.192.in-addr.arpa", "PTR", is_tcp=True)
    lab.advance(lab.now_ns + 1)
    lab.write_captures()
    heard: dict[int, bytes] = {}
    for packet in rdpcap(str(tmp_path / "long.pcap")):
        raw = bytes(packet[IP])
        parts = take_apart(raw)
        assert parts is not None and checksum(raw[:20]) == 0
        assert with_pseudo_header(parts.src, parts.dst, parts.proto, parts.body) == 0
        if packet[IP].src == SHOP:
            heard[packet[TCP].seq] = bytes(packet[TCP].payload)
    (answer,) = DnsStream().take(b"".join(heard[seq] for seq in sorted(heard)))
    assert values(dns.message.from_wire(answer), "PTR") == names


@pytest.mark.slow
def test_dig_over_tcp_gets_through_a_cap_that_drops() -> None:
    """A third of the packets is dropped, the first SYN among them; what was lost is said again."""
    lab = two_vpc_lab(bandwidth_mbps=1, burst_bytes=3_000, queue_bytes=3_000)
    crowds = {"there": ("web-2", "db-1"), "back": ("db-1", "web-2")}
    lab.start_traffic(
        FlowSpec(
            name=name, from_ref=src, to_ref=dst, kind="udp", rate_bps=1_500_000, packet_bytes=200, arrivals="poisson"
        )
        for name, (src, dst) in crowds.items()
    )
    lab.advance(NS_PER_S)
    found = lab.dig("web-1", "x", server=DATA, is_tcp=True, timeout_s=60, tries=1)
    assert (found.rcode, found.failures) == ("REFUSED", ())
    assert found.answered_at_ns is not None and found.answered_at_ns > 2 * NS_PER_S


@pytest.mark.parametrize(
    ("server", "failure"),
    [("web-2", "connection refused"), ("192.168.0.99", "host unreachable"), ("10.9.9.9", "network unreachable")],
)
def test_who_is_not_there_over_tcp(lab: Lab, server: str, failure: str) -> None:
    assert lab.dig("web-1", "x", server=server, is_tcp=True, tries=2).failures == (failure, failure)


def test_nobody_at_all_over_tcp() -> None:
    lab = two_vpc_lab(latency_ms=5_000)
    assert lab.dig("web-1", "x", server=DATA, is_tcp=True, tries=2, timeout_s=3).failures == ("timed out",) * 2
