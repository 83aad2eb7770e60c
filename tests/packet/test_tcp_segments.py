"""Segments of TCP ends as bytes: other tools read in them what the engine moved."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, TCPerror
from scapy.layers.l2 import Ether
from scapy.utils import rdpcap

from netsim.dataplane.batch import COLUMNS
from netsim.lab import Lab
from netsim.packet.tcp_segments import flow_bytes
from netsim.traffic.flow import FlowSpec
from netsim.units import NS_PER_S
from tests.clouds import DB_1, two_vpc_lab

CHECKS = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]


def captured_flow(folder: Path, place: str, seconds: int = 1, **connection: Any) -> tuple[Lab, Path]:
    """A TCP flow of a second from web-1 to db-1, and what passed there."""
    lab = two_vpc_lab(**{"bandwidth_mbps": 10, "latency_ms": 10, **connection})
    path = folder / "flow.pcap"
    lab.capture(place, path)
    spec = FlowSpec(name="backup", from_ref="web-1", to_ref="db-1", kind="tcp", duration_ns=seconds * NS_PER_S)
    lab.start_traffic([spec])
    lab.advance((seconds + 2) * NS_PER_S)
    lab.write_captures()
    return lab, path


def packets_of(path: Path) -> list[Any]:
    """What a capture holds, from the IP header on."""
    return [packet[IP] if Ether in packet else IP(bytes(packet)) for packet in rdpcap(str(path))]


@pytest.mark.slow
def test_options_are_those_of_a_modern_host_and_checksums_hold(tmp_path: Path) -> None:
    _, path = captured_flow(tmp_path, "web-1")
    packets = packets_of(path)
    syn, syn_ack, first = packets[:3]
    assert [name for name, _ in syn[TCP].options] == ["MSS", "NOP", "WScale", "NOP", "NOP", "Timestamp"]
    assert dict(syn[TCP].options)["MSS"] == 1460 and dict(syn[TCP].options)["WScale"] == 7
    assert syn_ack[TCP].ack == syn[TCP].seq + 1 and str(syn_ack[TCP].flags) == "SA"
    assert dict(syn[TCP].options)["Timestamp"] == (0, 0) and dict(syn_ack[TCP].options)["Timestamp"][1] == 0
    assert [name for name, _ in first[TCP].options] == ["NOP", "NOP", "Timestamp"]
    assert dict(first[TCP].options)["Timestamp"][1] == dict(syn_ack[TCP].options)["Timestamp"][0]
    assert len(first[TCP].payload) == 1448
    for packet in packets:
        again = IP(bytes(packet))
        del again.chksum, again[TCP].chksum
        assert bytes(again) == bytes(packet), packet.summary()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["web-1", "db-1"])
def test_tshark_finds_no_fault_in_a_flow(tmp_path: Path, place: str) -> None:
    """Notes and warnings it has: the flow loses packets; an error would be a malformed segment."""
    if shutil.which("tshark") is None:
        pytest.skip("no tshark")
    lab, path = captured_flow(tmp_path, place, seconds=2)
    run = ["tshark", *CHECKS, "-r", str(path)]
    expert = subprocess.run([*run, "-q", "-z", "expert"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "Errors" not in expert and "hecksum" not in expert and "alformed" not in expert
    assert "etransmission" in expert or place == "db-1", "the flow lost something"
    followed = subprocess.run(
        [*run, "-q", "-z", "follow,tcp,raw,0"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    said = bytes.fromhex(
        "".join(line.strip() for line in followed.splitlines() if line.strip().isalnum() and "=" not in line)
    )
    figures = lab.result(0).to_dict()["flows"][0]
    if place == "db-1":
        assert said == flow_bytes(lab.flows[0].engine_flows.start, 0, len(said))
        assert len(said) > 2_000_000
        assert figures["packets_received"] > 1000


def test_the_stream_says_where_it_is() -> None:
    assert flow_bytes(7, 0, 16).hex() == "0000000700000000" + "0000000700000008"
    assert flow_bytes(7, 5, 7) == flow_bytes(7, 0, 16)[5:12]
    assert flow_bytes(7, 2**32 - 8, 16).hex() == "00000007fffffff8" + "0000000700000000"
    assert flow_bytes(7, 3, 0) == b""


@pytest.mark.slow
def test_an_error_quotes_the_segment(tmp_path: Path) -> None:
    """The path is narrower than the flow's packets: ICMP 3/4, and the flow goes on with smaller ones."""
    lab, path = captured_flow(tmp_path, "web-1", mtu_bytes=1000)
    packets = packets_of(path)
    errors = [packet for packet in packets if ICMP in packet]
    assert errors and {(error[ICMP].type, error[ICMP].code, error[ICMP].nexthopmtu) for error in errors} == {
        (3, 4, 1000)
    }
    sent = {bytes(packet)[20:548] for packet in packets if TCP in packet and ICMP not in packet}
    for error in errors:
        quoted = bytes(error)[28:]
        assert len(quoted) == 548 and quoted[20:] in sent, "the segment's own bytes"
        assert error[TCPerror].dport == 5201 and quoted[6] & 0x40, "DF is what made it too big"
    assert max(packet.len for packet in packets[-20:]) <= 1000
    assert lab.result(0).to_dict()["flows"][0]["packets_received"] > 100


def test_resets_of_closed_ports_answer_hand_made_segments() -> None:
    lab = two_vpc_lab()
    (reset,) = lab.send(IP(dst=DB_1, tos=8) / TCP(sport=9, dport=81, flags="S", seq=5) / b"xyz", "web-1").answers
    assert (str(reset[TCP].flags), reset[TCP].seq, reset[TCP].ack, reset[TCP].window) == ("RA", 0, 9, 0)
    (reset,) = lab.send(IP(dst=DB_1) / TCP(sport=9, dport=81, flags="A", seq=5, ack=77), "web-1").answers
    assert (str(reset[TCP].flags), reset[TCP].seq, reset[TCP].ack, len(reset)) == ("R", 77, 0, 40)


@pytest.mark.slow
def test_many_at_once_are_what_they_are_one_by_one() -> None:
    """Odd sizes too: the packets hold 1461 bytes of data, so that the stream is cut everywhere."""
    lab = two_vpc_lab(bandwidth_mbps=20, latency_ms=5)
    for name in ("web-1", "db-1"):
        lab.engine.tap_instance(lab.compiler.inst_of[lab.instance(name).id])
    common = {"from_ref": "web-1", "to_ref": "db-1", "kind": "tcp", "duration_ns": NS_PER_S // 4}
    sizes = (1500, 1513, 600)
    specs = [FlowSpec(name=f"f{n}", packet_bytes=n, src_port=n, **common) for n in sizes]  # type: ignore[arg-type]
    lab.start_traffic(specs)
    lab.ping("db-1", "web-1", count=2)
    lab.advance(lab.now_ns + NS_PER_S // 2)
    rows = lab.tapped()
    packed = lab.packets.packed(rows)
    assert len(rows) > 1000
    singly = [lab.bytes_of(dict(zip(COLUMNS, row, strict=False))) for row in rows.tolist()]
    assert [bytes(packet) for packet in packed] == singly
