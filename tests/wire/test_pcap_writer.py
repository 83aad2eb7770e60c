from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.errors import CaptureError
from netsim.packet.flow_packets import FlowPackets
from netsim.packet.packed import PackedPackets
from netsim.wire import pcap_writer
from netsim.wire.capture_file import parse_capture, read_capture
from netsim.wire.link_type import RAW
from netsim.wire.pcap_writer import capture_bytes, write_capture

FLOW = FlowPackets(flow=1, src=0x0A000001, dst=0x0A010002, src_port=7, dst_port=9, packet_bytes=300)


@given(st.lists(st.tuples(st.integers(0, 2**32 * 10**9 - 1), st.binary(max_size=80)), max_size=12))
def test_what_is_written_is_read_again(records: list[tuple[int, bytes]]) -> None:
    at_ns = np.array([at for at, _ in records], np.int64)
    packets = [packet for _, packet in records]
    capture = parse_capture(b"".join(capture_bytes(at_ns, PackedPackets.of(packets))), "a.pcap")
    assert capture.at_ns.tolist() == at_ns.tolist()
    assert list(capture.packets) == packets
    assert capture.link_type == RAW


def test_many_blocks_of_equal_and_of_different_sizes() -> None:
    seqs = np.arange(3 * pcap_writer.BLOCK // 2)
    equal = FLOW.packets(seqs)
    different = PackedPackets(equal.buffer, equal.offsets, equal.captured - seqs % 200)
    for packets in (equal, different):
        capture = parse_capture(b"".join(capture_bytes(seqs * 1000, packets)), "a.pcap")
        assert capture.at_ns.tolist() == (seqs * 1000).tolist()
        assert list(capture.packets) == list(packets)


def test_packets_held_in_part_and_frames_without_ipv4(tmp_path: Path) -> None:
    whole = FLOW.packets(np.arange(3))
    held = PackedPackets(whole.buffer, whole.offsets, np.array([300, 64, 300]), np.array([300, 300, -1]))
    write_capture(tmp_path / "a.pcap", np.arange(3), held)
    capture = read_capture(tmp_path / "a.pcap")
    assert capture.cut.tolist() == [False, True, False]
    assert capture.packets[1] == FLOW.packet(1)[:64] + bytes(236)
    assert capture.packets[2] == b""


READERS = {
    "tcpdump": ["tcpdump", "-n", "-tt", "-v", "--nano", "-r"],  # -v checks the checksums
    "tshark": ["tshark", "-n", "-V", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-r"],
}


def test_other_tools_read_it_without_complaint(tmp_path: Path) -> None:
    present = [command for tool, command in READERS.items() if shutil.which(tool)]
    if not present:
        pytest.skip("neither tcpdump nor tshark is installed")
    path = tmp_path / "a.pcap"
    write_capture(path, np.arange(5) * 1_000_001, FLOW.packets(np.arange(5)), epoch_ns=1_767_225_600 * 10**9)
    for command in present:
        done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
        shown = done.stdout.lower()
        assert shown.count("10.1.0.2") >= 5
        assert not any(word in shown for word in ("bad cksum", "incorrect", "malformed", "[bad", "truncated"))
        assert "1767225600.004000004" in shown or "00:00:00.004000004" in shown


def test_scapy_reads_it(tmp_path: Path) -> None:
    from scapy.layers.inet import IP
    from scapy.utils import rdpcap

    write_capture(tmp_path / "a.pcap", np.array([1_500_000_001]), FLOW.packets(np.array([8])))
    (packet,) = rdpcap(str(tmp_path / "a.pcap"))
    assert isinstance(packet, IP)
    assert bytes(packet) == FLOW.packet(8)
    assert int(packet.time * 10**9) == 1_500_000_001


def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(b"before")

    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(pcap_writer, "_records", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_capture(path, np.arange(5), FLOW.packets(np.arange(5)))
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pcap"]


def test_the_file_has_the_permissions_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_capture(tmp_path / "a.pcap", np.arange(1), FLOW.packets(np.arange(1)))
    finally:
        os.umask(before)
    assert (tmp_path / "a.pcap").stat().st_mode & 0o777 == 0o640


def test_devices_are_written_to_not_replaced() -> None:
    write_capture("/dev/null", np.arange(1), FLOW.packets(np.arange(1)))
    assert Path("/dev/null").is_char_device()


def test_where_it_can_t_be_written(tmp_path: Path) -> None:
    one = FLOW.packets(np.arange(1))
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path, tmp_path / "absent" / "a.pcap", tmp_path / "file" / "a.pcap"):
        with pytest.raises(CaptureError, match="can't be written"):
            write_capture(path, np.arange(1), one)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("at_ns", [-1, 2**32 * 10**9])
def test_a_time_no_pcap_file_can_hold(tmp_path: Path, at_ns: int) -> None:
    with pytest.raises(CaptureError, match="outside the years"):
        write_capture(tmp_path / "a.pcap", np.array([at_ns]), FLOW.packets(np.arange(1)))
