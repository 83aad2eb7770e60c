"""Recorded traffic sent again: the same packets, at the same moments, between other hosts."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from netsim.dataplane.state import M_REPLIES
from netsim.errors import CaptureError, NotFoundError
from netsim.lab import Lab
from netsim.traffic.flow import FlowSpec
from netsim.units import NS_PER_S
from netsim.wire.capture import Capture
from netsim.wire.capture_file import read_capture
from tests.cli_process import ROOT
from tests.clouds import DB_1, WEB_1, two_vpc_lab

CAPTURES = ROOT / "topologies" / "captures"
NAMES = ["dns", "ping", "web-session"]
CLIENT, SERVER = "192.0.2.10", "192.0.2.20"


def original(name: str) -> Capture:
    return read_capture(CAPTURES / f"{name}.pcap")


def packets_of(capture: Capture) -> list[Any]:
    return [IP(bytes(capture.packets[k])) for k in range(len(capture.packets))]


def send_times(captured: Capture, addr: str) -> list[int]:
    """When each packet of this sender was handed to its interface: before its bytes at 10 Gbit/s."""
    return [
        int(at_ns) - -(-len(packet) * 8 // 10)
        for at_ns, packet in zip(captured.at_ns.tolist(), packets_of(captured), strict=True)
        if packet.src == addr
    ]


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def replayed(name: str, tmp_path: Path) -> tuple[Lab, Path]:
    """A lab after the replay, and a folder with web.pcap, db.pcap and link.pcap."""
    lab = two_vpc_lab()
    for ref, file in (("web-1", "web"), ("db-1", "db"), ("shop-data", "link")):
        lab.capture(ref, tmp_path / f"{file}.pcap")
    lab.replay(CAPTURES / f"{name}.pcap", "web-1", "db-1")
    lab.advance(20 * NS_PER_S)
    lab.write_captures()
    return lab, tmp_path


def test_every_packet_arrives(replayed: tuple[Lab, Path], name: str) -> None:
    lab, _ = replayed
    totals = lab.totals()
    assert totals.injected == totals.delivered == len(original(name).packets)


def test_packets_leave_at_the_recorded_moments_to_the_ns(replayed: tuple[Lab, Path], name: str) -> None:
    recorded = original(name)
    since = recorded.at_ns - recorded.at_ns[0]
    for here, there, file in ((WEB_1, CLIENT, "web"), (DB_1, SERVER, "db")):
        mine = [packet.src == there for packet in packets_of(recorded)]
        start_ns = 1_767_225_600 * NS_PER_S  # a file run begins with 2026
        sent = np.array(send_times(read_capture(replayed[1] / f"{file}.pcap"), here)) - start_ns
        assert sent.tolist() == since[np.array(mine)].tolist()


def test_what_arrives_is_what_was_recorded_under_other_addresses(replayed: tuple[Lab, Path], name: str) -> None:
    """Payloads are the same bytes; scapy finds every checksum right."""
    names = {CLIENT: WEB_1, SERVER: DB_1}
    for addr, file in ((CLIENT, "db"), (SERVER, "web")):
        arrived = [p for p in packets_of(read_capture(replayed[1] / f"{file}.pcap")) if p.src == names[addr]]
        recorded = [p for p in packets_of(original(name)) if p.src == addr]
        assert len(arrived) == len(recorded)
        for ours, theirs in zip(arrived, recorded, strict=True):
            expected = theirs.copy()
            expected.src, expected.dst = names[theirs.src], names[theirs.dst]
            expected.ttl = theirs.ttl - 2
            for layer in (IP, TCP, UDP):
                if expected.haslayer(layer):
                    del expected[layer].chksum
            assert bytes(ours) == bytes(expected)


def test_a_link_capture_has_both_directions_in_order(replayed: tuple[Lab, Path], name: str) -> None:
    link = read_capture(replayed[1] / "link.pcap")
    assert (np.diff(link.at_ns) >= 0).all()
    packets = packets_of(link)
    assert {packet.src for packet in packets} == {WEB_1, DB_1}
    assert len(packets) == len(original(name).packets)
    assert all(packet.ttl == theirs.ttl - 1 for packet, theirs in zip(packets, packets_of(original(name)), strict=True))


def test_instances_do_not_answer_what_the_capture_answers(replayed: tuple[Lab, Path], name: str) -> None:
    """db-1 has no port 80 open, and sends no reset; it echoes nothing either."""
    lab, folder = replayed
    count = {"dns": UDP, "ping": ICMP, "web-session": TCP}[name]
    packets = packets_of(read_capture(folder / "link.pcap"))
    recorded = packets_of(original(name))
    assert sum(p.haslayer(count) for p in packets) == sum(p.haslayer(count) for p in recorded)
    assert int(lab.engine.measures()[:, M_REPLIES].sum()) == 0


@pytest.mark.parametrize("scale", [2, Fraction(1, 3), Fraction(1, 1000)])
def test_a_scaled_replay_keeps_its_proportions(tmp_path: Path, scale: Fraction | int) -> None:
    lab = two_vpc_lab(bandwidth_mbps=1000)
    lab.capture("web-1", tmp_path / "web.pcap")
    lab.advance(7_000)
    lab.replay(CAPTURES / "dns.pcap", "web-1", "db-1", time_scale=scale)
    lab.advance(20 * NS_PER_S)
    lab.write_captures()
    recorded = original("dns")
    mine = np.array([packet.src == CLIENT for packet in packets_of(recorded)])
    since = (recorded.at_ns - recorded.at_ns[0])[mine].tolist()
    sent = send_times(read_capture(tmp_path / "web.pcap"), WEB_1)
    assert [at - sent[0] for at in sent] == [ns * Fraction(scale) // 1 for ns in since]
    assert sent[0] == 1_767_225_600 * NS_PER_S + 7_000


def test_a_mapping_chooses_who_plays_whom(tmp_path: Path) -> None:
    lab = two_vpc_lab()
    lab.capture("shop-data", tmp_path / "link.pcap")
    lab.replay(CAPTURES / "ping.pcap", "web-1", "db-1", mapping={SERVER: "web-1", CLIENT: "db-1"})
    lab.advance(20 * NS_PER_S)
    lab.write_captures()
    packets = packets_of(read_capture(tmp_path / "link.pcap"))
    assert len(packets) == len(original("ping").packets)
    assert {(p.src, p[ICMP].type) for p in packets if p.haslayer(ICMP)} == {(DB_1, 8), (WEB_1, 0)}


def test_three_hosts_play_and_each_receives_its_own(tmp_path: Path) -> None:
    hosts = {"198.51.100.1": "web-1", "198.51.100.2": "web-2", "198.51.100.3": "db-1"}
    frames = [
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src=a, dst=b) / UDP(sport=7, dport=7) / f"{a}{b}"
        for a in hosts
        for b in hosts
        if a != b
    ]
    for k, frame in enumerate(frames):
        frame.time = 1000 + k / 1000
    wrpcap(str(tmp_path / "three.pcap"), frames)
    lab = two_vpc_lab()
    flow = lab.replay(tmp_path / "three.pcap", "web-1", "db-1", mapping=hosts, name="three")
    lab.capture("db-1", tmp_path / "db.pcap")
    lab.advance(20 * NS_PER_S)
    lab.write_captures()
    figures = lab.result().flow("three")
    assert (figures["packets_sent"], figures["packets_received"], figures["loss_ratio"]) == (6, 6, 0)
    assert len(flow.engine_flows) == 6
    got = [p.src for p in packets_of(read_capture(tmp_path / "db.pcap")) if p.dst == DB_1]
    assert got == [WEB_1, "192.168.0.11"]


def test_the_figures_of_a_replay_count_both_directions() -> None:
    lab = two_vpc_lab()
    lab.replay(CAPTURES / "web-session.pcap", "web-1", "db-1", name="session")
    lab.advance(20 * NS_PER_S)
    flow = lab.result().flow("session")
    packets = packets_of(original("web-session"))
    assert (flow["kind"], flow["packets_sent"], flow["packets_received"]) == ("replay", len(packets), len(packets))
    assert flow["bytes_received"] == sum(len(packet) for packet in packets)
    payload_bytes = sum(len(packet[TCP].payload) for packet in packets)
    assert flow["goodput_bps"] == pytest.approx(payload_bytes * 8 / flow["duration_s"])
    assert flow["loss_ratio"] == 0


def test_a_replay_of_fragments_that_all_arrive_has_no_loss() -> None:
    lab = two_vpc_lab()
    lab.replay(CAPTURES / "ping.pcap", "web-1", "db-1", name="ping")
    lab.advance(20 * NS_PER_S)
    assert lab.result().flow("ping")["loss_ratio"] == 0


def test_a_duration_cuts_a_replay_short() -> None:
    lab = two_vpc_lab()
    spec = FlowSpec(
        name="half", from_ref="web-1", to_ref="db-1", kind="replay", start_ns=5_000, duration_ns=100_000_000,
        pcap=str(CAPTURES / "dns.pcap"),
    )  # fmt: skip
    lab.start_traffic([spec])
    lab.advance(20 * NS_PER_S)
    recorded = original("dns")
    within = int((recorded.at_ns - recorded.at_ns[0] < 100_000_000).sum())
    assert 0 < within < len(recorded.packets)
    assert lab.totals().injected == within


def test_two_replays_at_once_do_not_mix(tmp_path: Path) -> None:
    lab = two_vpc_lab()
    lab.capture("db-1", tmp_path / "db.pcap")
    lab.replay(CAPTURES / "dns.pcap", "web-1", "db-1", name="a")
    lab.replay(CAPTURES / "web-session.pcap", "web-2", "db-1", name="b")
    lab.advance(20 * NS_PER_S)
    lab.write_captures()
    flows = {flow["name"]: flow for flow in lab.result().to_dict()["flows"]}
    assert (flows["a"]["packets_received"], flows["b"]["packets_received"]) == (20, 56)
    packets = packets_of(read_capture(tmp_path / "db.pcap"))
    assert {(p.src, p.dst) for p in packets if p.haslayer(UDP)} == {(WEB_1, DB_1), (DB_1, WEB_1)}
    assert {(p.src, p.dst) for p in packets if p.haslayer(TCP)} == {("192.168.0.11", DB_1), (DB_1, "192.168.0.11")}


def test_what_can_not_be_replayed_is_refused_and_nothing_is_sent(tmp_path: Path) -> None:
    lab = two_vpc_lab()
    (tmp_path / "text.pcap").write_text("not a capture")
    with pytest.raises(CaptureError):
        lab.replay(tmp_path / "text.pcap", "web-1", "db-1")
    with pytest.raises(CaptureError):
        lab.replay(tmp_path / "missing.pcap", "web-1", "db-1")
    with pytest.raises(NotFoundError):
        lab.replay(CAPTURES / "dns.pcap", "web-1", "db-9")
    lab.advance(NS_PER_S)
    assert lab.totals().injected == 0
    assert lab.flows == []
