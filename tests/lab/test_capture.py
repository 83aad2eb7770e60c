"""Capture files: every packet that passes, when it passed, as other tools read them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.utils import rdpcap

from netsim.clock import FILE_RUN_START_NS
from netsim.controlplane.edit import DeleteInstance
from netsim.errors import CaptureError, NotFoundError, UsageError
from netsim.lab import Lab
from netsim.probe.journal import records_of
from netsim.units import NS_PER_S
from netsim.wire.capture_file import read_capture
from tests.cli_process import ROOT
from tests.clouds import DB_1, two_vpc_lab


def busy(lab: Lab) -> None:
    """One of each kind: whole, answered, cut, dropped, in error."""
    lab.send(
        [
            IP(dst=DB_1) / UDP(sport=4000, dport=53) / DNS(qd=DNSQR(qname="db.local")),
            IP(dst=DB_1) / UDP(sport=4000, dport=54) / b"nobody",
            IP(dst=DB_1) / TCP(dport=5432),
            IP(dst=DB_1) / ICMP(id=4) / (b"m" * 4000),
            IP(dst="10.9.9.9") / UDP(dport=9),
            IP(dst=DB_1, ttl=2) / UDP(dport=9),
        ],
        "web-1",
    )


def test_an_instance_capture_has_what_it_sent_and_got(tmp_path: Path) -> None:
    lab = two_vpc_lab()
    lab.capture("web-1", tmp_path / "web.pcap")
    busy(lab)
    assert lab.write_captures() == [tmp_path / "web.pcap"]
    packets = [IP(bytes(p)) for p in rdpcap(str(tmp_path / "web.pcap"))]
    sent = [p for p in packets if p.src == "192.168.0.10"]
    got = [p for p in packets if p.dst == "192.168.0.10"]
    assert len(sent) == 6
    assert sorted(str(p[ICMP].type) if p.haslayer(ICMP) else str(p[TCP].flags) for p in got if p.frag == 0) == [
        "0", "11", "3", "3", "SA",
    ]  # fmt: skip
    assert len(packets) == len(sent) + len(got)


def test_a_connection_capture_has_what_departs_on_it_either_way(tmp_path: Path) -> None:
    lab = two_vpc_lab()
    lab.capture("shop-data", tmp_path / "link.pcap")
    busy(lab)
    lab.write_captures()
    packets = [IP(bytes(p)) for p in rdpcap(str(tmp_path / "link.pcap"))]
    counters = lab.engine.counters()
    assert len(packets) == int(counters.egress_packets.sum())
    assert sum(len(p) for p in packets) == int(counters.egress_bytes.sum())
    assert {p.ttl for p in packets if p.src == "192.168.0.10"} == {63, 1}


def test_times_are_the_run_s_from_2026_on_to_the_ns(tmp_path: Path) -> None:
    lab = two_vpc_lab()
    lab.advance(123_456_789)
    lab.capture("db-1", tmp_path / "db.pcap")
    (sent,) = lab.send(IP(dst=DB_1) / UDP(dport=53), "web-1")
    lab.write_captures()
    capture = read_capture(tmp_path / "db.pcap")
    assert capture.at_ns.tolist() == [FILE_RUN_START_NS + sent.delivered[0].at_ns]
    assert bytes(capture.packets[0]) == sent.delivered[0].raw


def test_what_has_not_departed_yet_is_not_in_the_file(tmp_path: Path) -> None:
    """1500 bytes at 1 Mbit/s take 12 ms each, after a burst of two."""
    lab = two_vpc_lab(bandwidth_mbps=1, burst_bytes=3000)
    lab.capture("shop-data", tmp_path / "link.pcap")
    raws: list[bytes | None] = [bytes(IP(src="192.168.0.10", dst=DB_1) / UDP(dport=53) / (b"x" * 1472))] * 10
    lab.inject(raws, lab.instance("web-1").id, [0] * 10)
    lab.advance(13_000_000)
    lab.write_captures()
    assert len(read_capture(tmp_path / "link.pcap").packets) == 3
    lab.advance(NS_PER_S)
    lab.write_captures()
    assert len(read_capture(tmp_path / "link.pcap").packets) == 10


def test_a_capture_begins_when_it_is_asked_for(tmp_path: Path) -> None:
    lab = two_vpc_lab()
    lab.ping("web-1", "db-1")
    lab.capture("web-1", tmp_path / "web.pcap")
    lab.ping("web-1", "db-1", 2)
    lab.write_captures()
    assert len(read_capture(tmp_path / "web.pcap").packets) == 4


def test_several_captures_at_once_each_have_their_own(tmp_path: Path) -> None:
    lab = two_vpc_lab()
    for ref in ("web-1", "web-2", "shop-data"):
        lab.capture(ref, tmp_path / f"{ref}.pcap")
    lab.ping("web-1", "web-2")
    lab.ping("web-2", "db-1")
    lab.write_captures()
    counts = [len(read_capture(tmp_path / f"{ref}.pcap").packets) for ref in ("web-1", "web-2", "shop-data")]
    assert counts == [2, 4, 2]


def test_a_generated_flow_is_captured_too(tmp_path: Path) -> None:
    lab = Lab.load(str(ROOT / "topologies" / "consulting-request.netsim.yaml"))
    lab.capture("web-2", tmp_path / "web-2.pcap")
    result = lab.run()
    lab.write_captures()
    packets = [IP(bytes(p)) for p in rdpcap(str(tmp_path / "web-2.pcap"))]
    udp = [p for p in packets if p.haslayer(UDP)]
    assert len(udp) == result.flow("inside")["packets_received"] == 1500
    numbers = [int.from_bytes(bytes(p[UDP].payload)[4:12], "big") for p in udp]
    assert numbers == list(range(1500))
    for packet in udp[::100]:
        again = packet.copy()
        del again[IP].chksum, again[UDP].chksum
        assert bytes(again) == bytes(packet)


def test_a_capture_outlives_the_instance(tmp_path: Path) -> None:
    lab = two_vpc_lab()
    lab.capture("db-1", tmp_path / "db.pcap")
    lab.ping("web-1", "db-1")
    lab.apply(DeleteInstance("db-1"))
    lab.ping("web-1", DB_1)
    lab.write_captures()
    assert len(read_capture(tmp_path / "db.pcap").packets) == 2


def test_a_pcapng_file_has_an_interface_for_each_direction_and_says_what_the_cap_dropped(tmp_path: Path) -> None:
    """1500 bytes at 1 Mbit/s: a burst of two, a queue of one, the other seven find it full."""
    lab = two_vpc_lab(bandwidth_mbps=1, burst_bytes=3000, queue_bytes=1500)
    for suffix in ("pcapng", "pcap"):
        lab.capture("shop-data", tmp_path / f"link.{suffix}")
    packet = IP(src="192.168.0.10", dst=DB_1) / UDP(dport=9) / (b"x" * 1472)
    raws: list[bytes | None] = []
    for packet.id in range(10):
        raws.append(bytes(packet))
    lab.inject(raws, lab.instance("web-1").id, [0] * 10)
    lab.advance(NS_PER_S)
    lab.write_captures()
    packets = list(rdpcap(str(tmp_path / "link.pcapng")))
    dropped = [p for p in packets if p.comments]
    assert {p.sniffed_on for p in packets if p[IP].src == "192.168.0.10"} == {"shop-data:local"}
    assert {p.sniffed_on for p in packets if p[IP].src == DB_1} == {"shop-data:peer"}
    assert [p[IP].id for p in dropped] == [3, 4, 5, 6, 7, 8, 9]
    (said,) = {tuple(p.comments) for p in dropped}
    assert said == (b"dropped: queue_full at the cap of shop-data, from shop to data",)
    assert len(dropped) == int(lab.engine.counters().dropped_packets.sum())
    passed = [bytes(p) for p in packets if not p.comments]
    assert passed == [bytes(p) for p in rdpcap(str(tmp_path / "link.pcap"))], "classic pcap has what passed"


def test_what_an_interface_drops_is_said_too(tmp_path: Path) -> None:
    """At 10 Mbit/s 1500 bytes take 1.2 ms, and an interface holds 50 ms: 42 packets with the one on the wire."""
    lab = two_vpc_lab(nic_mbps=10)
    lab.capture("web-1", tmp_path / "web.pcapng")
    raw = bytes(IP(src="192.168.0.10", dst=DB_1) / UDP(dport=9) / (b"x" * 1472))
    lab.inject([raw] * 250, lab.instance("web-1").id, [0] * 250)
    lab.advance(NS_PER_S // 2)
    lab.write_captures()
    dropped = [p for p in rdpcap(str(tmp_path / "web.pcapng")) if p.comments]
    assert {tuple(p.comments) for p in dropped} == {(b"dropped: queue_full at the interface of web-1",)}
    assert len(dropped) == 250 - 42


def test_all_means_every_place_in_one_file(tmp_path: Path) -> None:
    lab = two_vpc_lab()
    lab.capture("all", tmp_path / "all.pcapng")
    lab.ping("web-1", "db-1")
    lab.write_captures()
    packets = list(rdpcap(str(tmp_path / "all.pcapng")))
    assert [(p.sniffed_on, p.direction, p[IP].ttl) for p in packets] == [
        ("web-1", 2, 64), ("shop-data:local", 2, 63), ("db-1", 1, 62),
        ("db-1", 2, 64), ("shop-data:peer", 2, 63), ("web-1", 1, 62),
    ]  # fmt: skip
    assert [int(p.time * 10**9) for p in packets] == sorted(int(p.time * 10**9) for p in packets)
    with pytest.raises(UsageError, match=r"can't hold all places, expected a file that ends in \.pcapng"):
        lab.capture("all", tmp_path / "all.pcap")


def test_many_packets_are_made_as_single_ones_are(tmp_path: Path) -> None:
    """Whole and cut, generated and answered, in a flow larger than the MTU."""
    lab = Lab.load(str(ROOT / "topologies" / "consulting-request.netsim.yaml"))
    lab.capture("all", tmp_path / "all.pcapng")
    busy_lab = two_vpc_lab(mtu_bytes=1000)
    busy_lab.capture("all", tmp_path / "busy.pcapng")
    lab.run(0.2)
    busy(busy_lab)
    for one in (lab, busy_lab):
        rows = one.tapped()
        singly = [one.bytes_of(record.row) for record in records_of(rows)]
        assert len(singly) > 20 and list(one.packets.packed(rows)) == singly


def test_who_can_not_be_captured_is_said(tmp_path: Path) -> None:
    lab = two_vpc_lab()
    with pytest.raises(NotFoundError, match="nor is there a peer connection"):
        lab.capture("web-9", tmp_path / "x.pcap")
    with pytest.raises(CaptureError, match="is no folder"):
        lab.capture("web-1", tmp_path / "no" / "folder" / "x.pcap")


@pytest.mark.parametrize("tool", [["tcpdump", "-vvnr"], ["tshark", "-o", "ip.check_checksum:TRUE", "-nr"]])
def test_other_tools_read_it_without_complaint(tmp_path: Path, tool: list[str]) -> None:
    if shutil.which(tool[0]) is None:
        pytest.skip(f"no {tool[0]}")
    lab = two_vpc_lab(mtu_bytes=1000)
    lab.capture("shop-data", tmp_path / "link.pcap")
    busy(lab)
    lab.write_captures()
    done = subprocess.run([*tool, str(tmp_path / "link.pcap")], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    # tshark warns those who run it as root.
    said = done.stdout.lower()
    assert said.count("192.168.0.10") >= len(read_capture(tmp_path / "link.pcap").packets)
    for complaint in ("malformed", "bad", "incorrect", "truncated", "cut short", "error:", "wrong"):
        assert complaint not in said, complaint
