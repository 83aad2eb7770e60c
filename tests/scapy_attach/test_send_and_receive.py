"""scapy's own functions, imported from scapy and not changed, over the emulated network."""

from __future__ import annotations

import time

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, traceroute
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether, arping
from scapy.packet import Raw
from scapy.sendrecv import send, sendp, sr, sr1, sr1flood, srloop, srp1
from scapy.volatile import RandShort

import netsim
from netsim.clock import FILE_RUN_START_NS
from netsim.lab import Lab
from netsim.units import NS_PER_S
from tests.clouds import DATA_ROUTER, DB_1, DESK_1, SHOP_ROUTER, WEB_1, WEB_2, chain, two_vpc_lab


@pytest.fixture
def lab() -> Lab:
    return two_vpc_lab()


def test_ping_is_answered_and_times_are_packet_time(lab: Lab) -> None:
    request = IP(dst=DB_1) / ICMP(id=7, seq=1) / b"abcdefgh"
    with netsim.scapy.attach(lab, "web-1"):
        answer = sr1(request, timeout=2, verbose=0)
    assert (answer.src, answer.dst, answer[ICMP].type, answer[Raw].load) == (DB_1, WEB_1, 0, b"abcdefgh")
    assert answer.ttl == 62
    expected = two_vpc_lab().ping("web-1", "db-1", size_bytes=36)
    (reply,) = expected.replies
    assert round((answer.time - request.sent_time) * NS_PER_S) == reply.rtt_ns
    assert int(answer.time * NS_PER_S) == FILE_RUN_START_NS + reply.rtt_ns


def test_a_time_out_is_packet_time_to_the_nanosecond_and_no_wall_time(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        began = time.monotonic()
        assert sr1(IP(dst="192.168.0.255") / ICMP(), timeout=50, verbose=0) is None
        assert time.monotonic() - began < 5
    assert lab.now_ns == 50 * NS_PER_S


def test_without_a_time_out_it_ends_when_nothing_can_come(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        assert sr1(IP(dst="192.168.0.255") / ICMP(), verbose=0) is None
        assert lab.now_ns < NS_PER_S


def test_an_icmp_error_is_an_answer(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        closed = sr1(IP(dst=DB_1) / UDP(sport=4000, dport=54) / b"?", timeout=2, verbose=0)
        nowhere = sr1(IP(dst="10.9.9.9") / UDP(sport=4000, dport=54), timeout=2, verbose=0)
    assert (closed.src, closed[ICMP].type, closed[ICMP].code) == (DB_1, 3, 3)
    assert (nowhere.src, nowhere[ICMP].type, nowhere[ICMP].code, nowhere[IPerror].dst) == (
        SHOP_ROUTER,
        3,
        0,
        "10.9.9.9",
    )


def test_a_syn_scan_tells_open_from_closed(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        answered, unanswered = sr(IP(dst=DB_1) / TCP(sport=RandShort(), dport=[5432, 80, 443]), timeout=2, verbose=0)
    assert {sent.dport: str(got[TCP].flags) for sent, got in answered} == {5432: "SA", 80: "RA", 443: "RA"}
    assert not unanswered


@pytest.mark.slow
def test_a_scan_of_many_ports_comes_back_whole(lab: Lab) -> None:
    """All at one instant they would overflow the queue of the 100 Mbit/s connection; they are sent 0.1 ms apart."""
    with netsim.scapy.attach(lab, "web-1"):
        answered, _ = sr(IP(dst=DB_1) / TCP(sport=4000, dport=(1, 300)), timeout=2, verbose=0)
    assert len(answered) == 300


def test_sends_keep_their_interval_in_packet_time(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        answered, _ = sr([IP(dst=DB_1) / ICMP(seq=k) for k in range(4)], inter=0.25, timeout=1, verbose=0)
    times = [float(sent.sent_time - answered[0][0].sent_time) for sent, _ in answered]
    assert times == pytest.approx([0, 0.25, 0.5, 0.75], abs=1e-6)


def test_srloop_asks_again_every_second(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        began = time.monotonic()
        answered, unanswered = srloop(IP(dst=DB_1) / ICMP(), count=4, verbose=0)
        assert time.monotonic() - began < 3
    assert len(answered) == 4 and not unanswered
    assert 3 * NS_PER_S < lab.now_ns < 5 * NS_PER_S


def test_a_flood_ends(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        answer = sr1flood(IP(dst=DB_1) / ICMP(), maxretries=5, timeout=1, verbose=0)
    assert answer.src == DB_1


@pytest.mark.parametrize("kind", ["tcp", "udp", "icmp"])
def test_traceroute_across_a_relay(kind: str) -> None:
    lab = Lab(chain(3))
    last = {"tcp": None, "udp": UDP(sport=RandShort(), dport=33434), "icmp": ICMP()}[kind]
    with netsim.scapy.attach(lab, "i0"):
        result, _ = traceroute("10.2.0.10", maxttl=6, dport=80, l4=last, verbose=0)
    hops = {ttl: where for ttl, (where, _) in result.get_trace()["10.2.0.10"].items() if ttl < 5}
    assert hops == {1: "10.0.0.1", 2: "10.1.0.1", 3: "10.2.0.1", 4: "10.2.0.10"}


def test_layer_two_works_as_well_and_arp_finds_neighbours(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        near = srp1(Ether() / IP(dst=WEB_2) / ICMP(), timeout=2, verbose=0)
        far = srp1(Ether() / IP(dst=DB_1) / ICMP(), timeout=2, verbose=0)
        who = srp1(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst=SHOP_ROUTER), timeout=2, verbose=0)
        found, _ = arping("192.168.0.0/27", verbose=0)
    assert (near.src, near[IP].src) == ("02:00:c0:a8:00:0b", WEB_2)
    assert (far.src, far[IP].src) == (who[ARP].hwsrc, DB_1), "what comes from elsewhere comes from the router"
    assert sorted(got.psrc for _, got in found) == [SHOP_ROUTER, WEB_2, "192.168.0.2"]


def test_send_lets_what_it_sent_arrive(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        send(IP(dst=DB_1) / UDP(sport=1, dport=53) / b"x", count=3, verbose=0)
        assert lab.totals().in_flight == 0
        sendp(Ether() / IP(dst=WEB_2) / UDP(sport=1, dport=9), verbose=0)
    assert lab.totals().in_flight == 0
    assert lab.totals().injected == 5  # four sent, and what the closed port said


def test_the_resolver_answers_a_query(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        answer = sr1(
            IP(dst="192.168.0.2") / UDP(sport=5353) / DNS(rd=1, qd=DNSQR(qname="web-2.shop.internal")),
            timeout=2,
            verbose=0,
        )
    assert answer.src == "192.168.0.2" and answer[DNS].qr == 1


def test_addresses_names_and_routes_are_the_instance_s(lab: Lab) -> None:
    from scapy.config import conf

    with netsim.scapy.attach(lab, "web-1"):
        assert IP(dst=DB_1).src == WEB_1 == IP(dst=WEB_1).src == IP().src
        assert (Ether() / IP(dst=DB_1)).src == "02:00:c0:a8:00:0a"
        assert conf.route.route(DB_1) == ("eth0", WEB_1, SHOP_ROUTER)
        assert conf.route.route(WEB_2) == ("eth0", WEB_1, "0.0.0.0")  # noqa: S104 - scapy's "no gateway"
        assert conf.route.route(DESK_1)[2] == SHOP_ROUTER
        assert str(conf.iface) == "eth0" and conf.iface.ip == WEB_1
        assert sr1(IP(dst="db-1") / ICMP(), timeout=1, verbose=0).src == DB_1
        assert sr1(IP(dst="web-2.shop.internal") / ICMP(), timeout=1, verbose=0).src == WEB_2
        for name in ("nobody.example", "nobody", "10.1.0.256", "db-1.data.internal"):
            with pytest.raises(OSError, match=name):
                IP(dst=name)


def test_one_s_own_and_the_router_s_address_answer(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        assert sr1(IP(dst=SHOP_ROUTER) / ICMP(), timeout=1, verbose=0).src == SHOP_ROUTER
        assert sr1(IP(dst=WEB_1) / ICMP(), timeout=1, verbose=0).src == WEB_1


def test_other_protocols_reach_nobody(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        assert sr1(IPv6(src="fd00::1", dst="fd00::2") / ICMP(), timeout=1, verbose=0) is None
    assert lab.totals().dropped == 1


def test_a_socket_of_scapy_can_be_used_by_hand(lab: Lab) -> None:
    from scapy.config import conf

    with netsim.scapy.attach(lab, "web-1"), conf.L3socket(filter="icmp") as wire:
        wire.send(IP(dst=DB_1) / ICMP(id=3))
        assert wire.recv()[ICMP].id == 3
        assert wire.sr1(IP(dst=DATA_ROUTER) / ICMP(id=4), verbose=0)[ICMP].id == 4
        with pytest.raises(EOFError):
            wire.recv()


def test_the_same_script_gives_the_same_packets_and_times() -> None:
    def script() -> list[tuple[bytes, int]]:
        lab = two_vpc_lab()
        with netsim.scapy.attach(lab, "web-1"):
            answered, _ = sr(IP(dst=[DB_1, WEB_2, "10.9.9.9"], ttl=(1, 4)) / ICMP(id=1), timeout=1, verbose=0)
            sr1(IP(dst="192.168.0.255") / ICMP(), timeout=0.3, verbose=0)
        return [(bytes(got), int(got.time * NS_PER_S)) for _, got in answered] + [(b"", lab.now_ns)]

    assert script() == script()
