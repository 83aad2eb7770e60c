"""The captures that ship with the topologies: sound, small, and ready to be replayed."""

from __future__ import annotations

from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP

from netsim.packet.reassembly import Reassembler
from netsim.prefix import format_addr, parse_addr
from netsim.wire.capture_file import read_capture
from netsim.wire.replay import plan_replay

FOLDER = Path(__file__).parents[2] / "topologies" / "captures"
NAMES = sorted(path.name for path in FOLDER.glob("*.pcap"))
WEB, DB = parse_addr("10.0.0.10"), parse_addr("10.1.0.20")


def test_the_readme_lists_them() -> None:
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert NAMES == ["dns.pcap", "ping.pcap", "web-session.pcap"]
    assert all(f"`{name}`" in listed for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_replay_sends_every_packet_with_right_checksums(name: str) -> None:
    capture = read_capture(FOLDER / name)
    replay = plan_replay(capture, WEB, DB)
    assert (FOLDER / name).stat().st_size < 60_000
    assert (replay.refused, replay.unmapped) == ({}, 0)
    assert [format_addr(side.captured_addr) for side in replay.sides] == ["192.0.2.10", "192.0.2.20"]
    assert sum(len(side.packets) for side in replay.sides) == len(capture.packets)
    assert all(len(side.packets) > 5 for side in replay.sides)
    for side in replay.sides:
        reassembler = Reassembler()
        for raw in side.packets:
            whole = reassembler.add(raw)
            if whole is not None:
                assert_checksums(whole)
        assert len(reassembler) == 0


def assert_checksums(raw: bytes) -> None:
    packet = IP(raw)
    transport = next(kind for kind in (TCP, UDP, ICMP) if kind in packet)
    written = packet.chksum, packet[transport].chksum
    packet.chksum = packet[transport].chksum = None
    again = IP(bytes(packet))
    assert (again.chksum, again[transport].chksum) == written
