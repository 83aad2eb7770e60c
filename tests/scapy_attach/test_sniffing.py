"""sniff and AsyncSniffer: what passes the instance's interface, both ways, when it passed."""

from __future__ import annotations

import threading
import time

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.sendrecv import AsyncSniffer, send, sniff, sr1
from scapy.utils import rdpcap, wrpcap

import netsim
from netsim.errors import UsageError
from netsim.lab import Lab
from netsim.traffic.flow import FlowSpec
from netsim.units import NS_PER_MS, NS_PER_S
from tests.clouds import DB_1, WEB_1, two_vpc_lab


@pytest.fixture
def lab() -> Lab:
    return two_vpc_lab()


def start_pings(lab: Lab, to: str = "web-1", mbps: float = 0.0672) -> None:
    """db-1 pings 100 times a second from now on."""
    spec = FlowSpec(name="pings", from_ref="db-1", to_ref=to, kind="icmp", rate_bps=int(mbps * 1e6), packet_bytes=84)
    lab.start_traffic([spec])


def test_an_asynchronous_sniffer_sees_what_was_sent_and_what_came(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        sniffer = AsyncSniffer()
        sniffer.start()
        send(IP(dst=DB_1) / ICMP(id=1), count=3, inter=0.01, verbose=0)
        seen = sniffer.stop()
    assert [(frame[IP].src, frame[ICMP].type) for frame in seen] == [(WEB_1, 8), (DB_1, 0)] * 3
    assert all(type(frame) is Ether for frame in seen)
    times = [float(frame.time) for frame in seen]
    assert times == sorted(times)


def test_it_sees_the_packets_of_other_scapy_functions_and_of_the_lab(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        sniffer = AsyncSniffer(filter="icmp[0] = 0")
        sniffer.start()
        sr1(IP(dst=DB_1) / ICMP(id=1), timeout=1, verbose=0)
        lab.ping("web-1", "db-1", count=2)
        sr1(IP(dst=DB_1) / TCP(dport=5432), timeout=1, verbose=0)
        seen = sniffer.stop()
    assert [frame[ICMP].id for frame in seen] == [1, 0x6E73, 0x6E73]


@pytest.mark.slow
def test_sniff_lets_time_pass_as_long_as_it_is_told(lab: Lab) -> None:
    start_pings(lab)
    with netsim.scapy.attach(lab, "web-1"):
        began = time.monotonic()
        seen = sniff(timeout=1)
        assert time.monotonic() - began < 10
    assert lab.now_ns == NS_PER_S
    requests = [frame for frame in seen if frame[ICMP].type == 8]
    assert len(requests) == 100 and len(seen) == 200


@pytest.mark.slow
def test_count_stop_filter_and_lfilter_stop_it(lab: Lab) -> None:
    start_pings(lab)
    with netsim.scapy.attach(lab, "web-1"):
        assert len(sniff(count=5)) == 5
        assert lab.now_ns < 50 * NS_PER_MS
        last = sniff(stop_filter=lambda frame: frame[ICMP].type == 0 and frame[ICMP].seq == 40)[-1]
        assert last[ICMP].seq == 40
        assert len(sniff(count=3, lfilter=lambda frame: frame[IP].src == WEB_1)) == 3
        printed = []
        sniff(count=2, prn=lambda frame: printed.append(frame.summary()), store=False)
    assert len(printed) == 2


def test_sniff_ends_by_itself_when_nothing_can_come(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        assert len(sniff()) == 0
        assert len(sniff(count=3, filter="tcp")) == 0


@pytest.mark.slow
def test_sniff_gives_up_on_a_filter_that_nothing_passes(lab: Lab) -> None:
    start_pings(lab, mbps=0.00672)
    with netsim.scapy.attach(lab, "web-1"):
        assert len(sniff(filter="tcp port 1", count=1)) == 0
    assert 9 * NS_PER_S < lab.now_ns <= 10 * NS_PER_S


@pytest.mark.slow
def test_sniff_waits_for_a_thread_that_will_send(lab: Lab) -> None:
    def late() -> None:
        time.sleep(0.3)
        send(IP(dst=DB_1) / UDP(sport=9, dport=53), verbose=0)

    with netsim.scapy.attach(lab, "web-1"):
        thread = threading.Thread(target=late)
        thread.start()
        assert [frame[UDP].sport for frame in sniff(count=1, filter="udp")] == [9]
        thread.join()
        thread = threading.Thread(target=late)
        thread.start()
        assert [frame[UDP].sport for frame in sniff(timeout=1, filter="udp")] == [9]
        thread.join()


@pytest.mark.slow
def test_a_sniffer_in_a_thread_waits_in_wall_time(lab: Lab) -> None:
    seen: list[int] = []
    with netsim.scapy.attach(lab, "web-1"):
        thread = threading.Thread(
            target=lambda: seen.extend(frame[UDP].sport for frame in sniff(timeout=1, filter="udp"))
        )
        thread.start()
        time.sleep(0.2)
        send(IP(dst=DB_1) / UDP(sport=9, dport=53), verbose=0)
        thread.join(5)
    assert seen == [9]


def test_a_sniffer_may_answer_what_it_sees(lab: Lab) -> None:
    """An answering machine: the answer is sent by the sniffing thread."""
    start_pings(lab, mbps=0.00672)
    answered: list[int] = []

    def answer(frame: Ether) -> None:
        send(IP(dst=frame[IP].src) / UDP(sport=frame[ICMP].seq + 1000, dport=53), verbose=0)
        answered.append(frame[ICMP].seq)

    with netsim.scapy.attach(lab, "web-1"):
        sniffer = AsyncSniffer(filter="icmp[0] = 8 and inbound", prn=answer)
        sniffer.start()
        sent = sniff(filter="udp and outbound", timeout=0.35)
        sniffer.stop()
    assert answered == [0, 1, 2, 3]
    assert [frame[UDP].sport - 1000 for frame in sent] == answered[: len(sent)] and len(sent) >= 3


def test_leaving_the_block_ends_sniffers_that_were_left(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"):
        sniffer = AsyncSniffer()
        sniffer.start()
        send(IP(dst=DB_1) / ICMP(), verbose=0)
    sniffer.join(5)
    assert not sniffer.running
    assert len(sniffer.results) == 2


def test_a_filter_that_can_not_be_read_is_refused(lab: Lab) -> None:
    with netsim.scapy.attach(lab, "web-1"), pytest.raises(UsageError, match="can't read"):
        sniff(filter="no such thing", timeout=1)


def test_what_was_sniffed_is_a_capture_with_packet_time(lab: Lab, tmp_path: object) -> None:
    path = f"{tmp_path}/sniffed.pcap"
    with netsim.scapy.attach(lab, "web-1"):
        sniffer = AsyncSniffer()
        sniffer.start()
        send(IP(dst=DB_1) / ICMP(id=1), verbose=0)
        wrpcap(path, sniffer.stop(), nano=True)
    request, reply = rdpcap(path)
    (expected,) = two_vpc_lab().ping("web-1", "db-1", size_bytes=28).replies
    # 28 bytes leave the interface 23 ns after they were handed to it.
    assert round((reply.time - request.time) * NS_PER_S) == expected.rtt_ns - 23


def test_wire_sleep_lets_time_pass(lab: Lab) -> None:
    start_pings(lab)
    with netsim.scapy.attach(lab, "web-1") as wire:
        sniffer = AsyncSniffer(filter="icmp[0] = 8")
        sniffer.start()
        send(IP(dst=DB_1) / UDP(sport=9, dport=53), verbose=0)
        wire.sleep(0.5)
        assert 500 * NS_PER_MS <= wire.now_ns < 510 * NS_PER_MS
        send(IP(dst=DB_1) / UDP(sport=9, dport=53), verbose=0)
        assert len(sniffer.stop()) >= 50
    with pytest.raises(UsageError, match="not attached"):
        wire.sleep(1)
