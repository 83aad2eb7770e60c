"""Resolvers in a running network: real packets, asked and read by dnspython."""

from __future__ import annotations

import random  # noqa: TID251 - seeded below
from pathlib import Path

import dns.message
import pytest
from dnslib import DNSRecord
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, UDP, fragment
from scapy.packet import Raw
from scapy.sendrecv import sr1
from scapy.utils import rdpcap

import netsim.scapy
from netsim.controlplane.edit import CreateDnsRecord, DeleteRoute, SetDnsSync
from netsim.dataplane.batch import ERROR, REPLY
from netsim.lab import Lab
from netsim.packet.checksum import checksum, with_pseudo_header
from netsim.packet.sent import take_apart
from netsim.prefix import format_addr, parse_addr
from netsim.probe.journal import Probe
from tests.clouds import DB_1, DESK_1, WEB_1, chain, two_vpc_lab
from tests.hosts.dns_client import query, rcode, read, values

SHOP, OFFICE, DATA = "192.168.0.2", "192.168.1.2", "10.1.0.2"
"""Resolvers."""


@pytest.fixture
def lab() -> Lab:
    made = two_vpc_lab()
    made.apply(CreateDnsRecord("shop", "www.shop.local", WEB_1), CreateDnsRecord("data", "db.data.local", DB_1))
    return made


def packet(asked: dns.message.Message | bytes, to: str = SHOP, **ip: int | str) -> IP:
    message = asked if isinstance(asked, bytes) else asked.to_wire()
    return IP(dst=to, **ip) / UDP(sport=4053, dport=53) / Raw(message)


def ask(lab: Lab, name: str, rtype: str = "A", *, to: str = SHOP, src: str = "web-1") -> dns.message.Message:
    asked = query(name, rtype)
    (answer,) = lab.send(packet(asked, to), src).answers
    assert (answer[IP].src, answer[UDP].sport, answer[UDP].dport) == (to, 53, 4053)
    return read(bytes(answer[UDP].payload), asked)


# -------------------------------------------------------------------------------- as packets


@pytest.mark.parametrize(
    ("src", "to", "ttl"), [("web-1", SHOP, 64), ("desk-1", OFFICE, 64), ("web-1", OFFICE, 64), ("db-1", DATA, 64)]
)
def test_each_subnet_has_its_vpcs_resolver(lab: Lab, src: str, to: str, ttl: int) -> None:
    name, addr = ("db.data.local", DB_1) if src == "db-1" else ("www.shop.local", WEB_1)
    asked = query(name)
    sent = lab.send(packet(asked, to), src)
    assert sent.disposition.symbol == "delivered"
    (answer,) = sent.answers
    assert values(read(bytes(answer[UDP].payload), asked), "A") == [addr]
    assert (answer.ttl, answer.tos, answer[IP].flags.value) == (ttl, 0, 0)


def test_the_answer_is_a_sound_packet_to_the_byte(lab: Lab) -> None:
    (sent,) = lab.send(packet(query("www.shop.local"), tos=0x28, id=777), "web-1")
    (arrival,) = sent.answers
    parts = take_apart(arrival.raw)
    assert parts is not None and checksum(arrival.raw[:20]) == 0
    assert with_pseudo_header(parts.src, parts.dst, parts.proto, parts.body) == 0
    assert (parts.tos, parts.ident, len(parts.body)) == (0x28, 777, int.from_bytes(parts.body[4:6], "big"))
    assert arrival.at_ns == 100_000 + 48  # one delivery inside the VPC, and 60 bytes of question at 10 Gbit/s


def test_what_is_captured_is_what_was_answered(lab: Lab, tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.pcap" for name in ("web-1", "shop-data")}
    for name, path in paths.items():
        lab.capture(name, path)
    asked = query("www.shop.local", use_edns=0)
    (near,) = lab.send(packet(asked), "web-1").answers
    (far,) = lab.send(packet(asked, DATA), "web-1").answers
    lab.advance(lab.now_ns + 1)
    lab.write_captures()
    seen = {name: [bytes(one[UDP].payload) for one in rdpcap(str(path))] for name, path in paths.items()}
    answers = [bytes(one[UDP].payload) for one in (near, far)]
    assert seen == {
        "web-1": [asked.to_wire(), answers[0], asked.to_wire(), answers[1]],
        "shop-data": [asked.to_wire(), answers[1]],
    }
    assert DNSRecord.parse(answers[0]).a.rdata.toZone() == WEB_1
    assert rcode(read(answers[1], asked)) == "REFUSED"


def test_every_question_and_answer_is_accounted_for(lab: Lab) -> None:
    lab.send([bytes(packet(query("www.shop.local"), DATA, src=WEB_1))] * 50, "web-1")
    totals = lab.totals()
    assert (totals.injected, totals.delivered, totals.dropped, totals.in_flight) == (100, 100, 0, 0)
    counters = lab.engine.counters()
    out, back = lab.links_of(lab.inventory.peer_conn("shop-data").id)
    assert (counters.egress_packets[out], counters.egress_packets[back]) == (50, 50)
    size = len(packet(query("www.shop.local")))
    assert counters.egress_bytes[back] == 50 * size  # REFUSED is as long as the question


def test_a_cap_drops_answers_like_anything_else() -> None:
    lab = two_vpc_lab(bandwidth_mbps=1, queue_bytes=1_500, burst_bytes=3_000)
    raw = bytes(packet(query("a." * 120 + "b"), DATA, src=WEB_1))
    sent = lab.send([raw] * 60, "web-1")
    answered = sum(bool(one.answers) for one in sent)
    totals = lab.totals()
    assert 0 < answered < 60 and totals.dropped > 0
    assert totals.injected == totals.delivered + totals.dropped + totals.in_flight


def test_a_question_in_fragments_is_answered_and_so_is_one_that_asks_for_fragments() -> None:
    lab = two_vpc_lab(mtu_bytes=68)
    asked = query("label." * 40 + "x")
    pieces = [bytes(piece) for piece in fragment(packet(asked, src=WEB_1, id=9), 64)]
    assert len(pieces) > 3
    sent = lab.send(pieces[::-1], "web-1")
    (answer,) = [one for one in sent.packets if one.answers]
    assert rcode(read(answer.answers[0].raw[28:], asked)) == "NXDOMAIN"
    (far,) = lab.send(packet(asked, DATA), "web-1")  # the cap cuts the question, then the answer
    assert len(far.dispositions) > 3 and len(far.answers) > 3
    assert lab.dig("web-1", "label." * 40 + "x", server=DATA).rcode == "REFUSED"


def test_an_error_about_an_answer_quotes_the_answer() -> None:
    """The way back is gone half way: the router there says so to the resolver, and quotes its answer."""
    lab = Lab(chain(3))
    (rule,) = [rule for rule in lab.inventory.rules_of("v1") if str(rule.destination) == "10.0.0.0/16"]
    lab.apply(DeleteRoute(rule.id))
    asked = query("www.shop.local", ident=0x5151)
    probe = Probe(lab, [bytes(packet(asked, "10.2.0.2", src="10.0.0.10"))], lab.instance("i0").id)
    probe.wait()
    (error,) = probe.fates(probe.seqs[0], ERROR | REPLY)
    told = IP(lab.bytes_of(error.row))
    assert (told.src, told.dst, told[ICMP].type, told[ICMP].code) == ("10.1.0.1", "10.2.0.2", 3, 0)
    quoted = bytes(told[ICMP].payload)
    assert (format_addr(int.from_bytes(quoted[12:16], "big")), quoted[8:10]) == ("10.2.0.2", b"\x40\x11")
    assert rcode(read(quoted[28:], asked)) == "REFUSED"
    assert lab.totals().in_flight == 0


def test_port_0_as_source_wants_no_answer(lab: Lab) -> None:
    sent = lab.send(IP(dst=SHOP) / UDP(sport=0, dport=53) / Raw(query("www.shop.local").to_wire()), "web-1")
    assert (sent.disposition.symbol, sent.answers) == ("delivered", [])


def test_a_resolver_is_no_host_for_other_ports(lab: Lab) -> None:
    (error,) = lab.send(IP(dst=SHOP) / UDP(sport=4053, dport=54), "web-1").answers
    assert (error.src, error[ICMP].type, error[ICMP].code) == (SHOP, 3, 3)
    assert lab.ping("web-1", SHOP).received == 1
    assert not lab.send(IP(dst="192.168.0.1") / UDP(sport=4053, dport=53), "web-1").answers[0].haslayer("DNS")


def test_thousands_of_mutated_questions_in_one_run(lab: Lab) -> None:
    """Each is delivered; each gets an answer that dnspython reads, or none for a documented reason."""
    numbers = random.Random(8)
    seed = query("www.shop.local", use_edns=0, want_dnssec=True).to_wire()
    raws = []
    for _ in range(2_000):
        mutated = bytearray(seed)
        for _ in range(numbers.randrange(1, 8)):
            mutated[numbers.randrange(len(seed))] = numbers.randrange(256)
        del mutated[numbers.choice([len(seed), len(seed), numbers.randrange(len(seed))]) :]
        raws.append(bytes(mutated))
    sent = lab.send([bytes(packet(raw, src=WEB_1)) for raw in raws], "web-1")
    assert {one.disposition.symbol for one in sent} == {"delivered"}
    for raw, one in zip(raws, sent, strict=True):
        if len(raw) < 12 or raw[2] & 0x80:
            assert one.answers == ()
            continue
        (answer,) = one.answers
        assert dns.message.from_wire(answer.raw[28:], ignore_trailing=False).id == int.from_bytes(raw[:2], "big")
    totals = lab.totals()
    assert (totals.dropped, totals.in_flight) == (0, 0)


def test_the_same_questions_get_the_same_bytes_at_the_same_times() -> None:
    def run() -> list[tuple[int, bytes]]:
        lab = two_vpc_lab()
        sent = lab.send([bytes(packet(query(f"n{k}"), src=WEB_1)) for k in range(20)], "web-1")
        return [(one.answers[0].at_ns, one.answers[0].raw) for one in sent]

    assert run() == run()


@pytest.mark.slow
def test_compiled_kernels_call_the_resolver_too(lab: Lab) -> None:
    lab.engine.is_compiled = True
    assert values(ask(lab, "www.shop.local"), "A") == [WEB_1]
    assert lab.dig("web-1", "www.shop.local", is_tcp=True).addrs == (parse_addr(WEB_1),)


# -------------------------------------------------------------------------------------- sync


def test_sync_takes_effect_and_ends_between_two_packets(lab: Lab) -> None:
    assert rcode(ask(lab, "db.data.local")) == "NXDOMAIN"
    lab.apply(SetDnsSync("shop-data", True), account="acme")
    assert values(ask(lab, "db.data.local"), "A") == [DB_1]
    assert values(ask(lab, "www.shop.local", to=DATA, src="db-1"), "A") == [WEB_1]
    assert values(ask(lab, "20.0.1.10.in-addr.arpa", "PTR", to=OFFICE, src="desk-1"), "PTR") == ["db-1.data.internal."]
    assert rcode(ask(lab, "db.data.local", to=DATA)) == "REFUSED"  # sync or not, one asks one's own
    lab.apply(SetDnsSync("shop-data", False), account="acme")
    assert rcode(ask(lab, "db.data.local")) == "NXDOMAIN"


def test_a_question_under_way_is_answered_by_what_is_true_when_it_arrives(lab: Lab) -> None:
    """50 us after it was sent, sync goes on; the question takes 100 us to the resolver."""
    asked = query("db.data.local")
    probe = Probe(lab, [bytes(packet(asked, src=DESK_1, to=OFFICE))], lab.instance("desk-1").id)
    lab.advance(lab.now_ns + 10)
    lab.apply(SetDnsSync("shop-data", True), account="acme")
    probe.wait()
    (end,) = probe.fates(probe.seqs[0], REPLY)
    assert values(read(lab.bytes_of(end.row)[28:], asked), "A") == [DB_1]
    assert end.row["src"] == parse_addr(OFFICE)


# ------------------------------------------------------------------------------------- scapy


def test_scapys_own_functions_ask_a_resolver(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        answer = sr1(IP(dst=SHOP) / UDP() / DNS(qd=DNSQR(qname="www.shop.local")), verbose=0, timeout=5)
    assert (answer[DNS].rcode, answer[DNS].an[0].rdata) == (0, WEB_1)
