from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.dataplane.batch import pack_ports
from netsim.dataplane.disposition import Disposition
from netsim.errors import CaptureError
from netsim.packet.flow_packets import FlowPackets
from netsim.packet.parse import parse_ip
from netsim.packet.parse_many import parse_many
from netsim.wire import capture_file
from netsim.wire.capture_file import parse_capture, read_capture
from tests.wire.capture_files import ethernet, file_header, record

PACKET = FlowPackets(flow=1, src=0x0A000001, dst=0x0A010002, src_port=7, dst_port=9, packet_bytes=60).packet(4)
NS, US = 0xA1B23C4D, 0xA1B2C3D4


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("magic", "fraction_ns"), [(US, 5000), (NS, 5)])
def test_either_byte_order_and_either_resolution(order: str, magic: int, fraction_ns: int) -> None:
    data = file_header(order=order, magic=magic) + 3 * record(ethernet(PACKET), order=order)
    capture = parse_capture(data, "a.pcap")
    assert capture.at_ns.tolist() == [10_000_000_000 + fraction_ns] * 3
    assert list(capture.packets) == [PACKET] * 3
    assert not capture.cut.any()


@pytest.mark.parametrize(
    ("link_type", "frame"),
    [
        (1, ethernet(PACKET)),
        (1, ethernet(PACKET, tags=(0x8100,))),
        (1, ethernet(PACKET, tags=(0x88A8, 0x8100))),
        (101, PACKET),
        (12, PACKET),
        (228, PACKET),
        (0, b"\2\0\0\0" + PACKET),
        (0, b"\0\0\0\2" + PACKET),
        (108, b"\0\0\0\2" + PACKET),
        (113, bytes(14) + b"\x08\0" + PACKET),
        (276, b"\x08\0" + bytes(18) + PACKET),
    ],
)
def test_every_link_layer_gives_the_ip_packet(link_type: int, frame: bytes) -> None:
    assert list(parse_capture(file_header(link_type=link_type) + record(frame), "a.pcap").packets) == [PACKET]


@pytest.mark.parametrize(
    ("link_type", "frame"),
    [
        (1, ethernet(bytes(28), 0x0806)),
        (1, ethernet(PACKET, 0x86DD)),
        (1, ethernet(PACKET)[:13]),
        (1, ethernet(PACKET, tags=(0x8100,))[:17]),
        (1, ethernet(PACKET, tags=(0x8100,) * 5)),
        (1, b""),
        (0, b"\x1e\0\0\0" + PACKET),
        (0, b"\2\0\0"),
        (113, bytes(14) + b"\x86\xdd" + PACKET),
    ],
)
def test_a_frame_with_something_else_is_not_ipv4(link_type: int, frame: bytes) -> None:
    capture = parse_capture(file_header(link_type=link_type) + record(frame) + record(frame), "a.pcap")
    assert capture.packets.lengths.tolist() == [-1, -1]
    assert set(parse_many(capture.packets).dispositions) == {Disposition.NOT_IPV4}


def test_ethernet_padding_is_cut_by_the_parser() -> None:
    short = FlowPackets(flow=1, src=1, dst=2, packet_bytes=28).packet(0)
    capture = parse_capture(file_header() + record(ethernet(short) + bytes(18)), "a.pcap")
    assert parse_many(capture.packets).batch["size_bytes"].tolist() == [28]


def test_a_packet_cut_by_the_snapshot_length_keeps_its_size_and_reads_as_zeros() -> None:
    frame = ethernet(PACKET)
    data = file_header() + record(frame[:44], length=len(frame)) + record(frame)
    capture = parse_capture(data, "a.pcap")
    assert capture.cut.tolist() == [True, False]
    assert capture.packets[0] == PACKET[:30] + bytes(30)
    batch, payload_bytes, dispositions = parse_many(capture.packets)
    assert not dispositions.any()
    assert batch["size_bytes"].tolist() == [60, 60]
    assert batch["l4"][0] == pack_ports(7, 9)
    assert payload_bytes.tolist() == [32, 32]


def test_a_packet_cut_inside_its_ip_header_is_malformed() -> None:
    frame = ethernet(PACKET)
    capture = parse_capture(file_header() + record(frame[:33], length=len(frame)), "a.pcap")
    assert capture.packets[0] == PACKET[:19]
    assert parse_many(capture.packets).dispositions.tolist() == [Disposition.MALFORMED]


@pytest.mark.parametrize("length", [0, 10, 2**32 - 1])
def test_an_absurd_original_length_is_bounded(length: int) -> None:
    capture = parse_capture(file_header() + record(ethernet(PACKET), length=length), "a.pcap")
    assert len(capture.packets[0]) in {len(PACKET), 65_535}
    assert parse_ip(capture.packets[0]).row["size_bytes"] == len(PACKET)


def test_a_capture_of_nothing() -> None:
    capture = parse_capture(file_header(), "a.pcap")
    assert len(capture.packets) == len(capture.at_ns) == len(parse_many(capture.packets).dispositions) == 0


@pytest.mark.parametrize(
    ("data", "offset", "text"),
    [
        (b"", 0, "ends inside its header"),
        (file_header()[:23], 23, "ends inside its header"),
        (bytes(24), 0, "magic number 00000000"),
        (file_header(version=(1, 0)), 4, "version 1.0"),
        (file_header(link_type=105), 20, "link type 105 is not supported"),
        (file_header() + record(PACKET)[:15], 24, "record 1 breaks off inside its header"),
        (file_header() + record(PACKET) + record(PACKET)[:-1], 100, "record 2 breaks off, its last 1 bytes"),
        (file_header() + b"\0" * 8 + b"\xff" * 8, 32, "claims 4294967295 captured bytes"),
        (file_header() + b"\0" * 8 + b"\1\0\4\0" * 2 + bytes(262_145), 32, "claims 262145 captured bytes"),
    ],
)
def test_a_broken_file_is_refused_with_the_byte_where_it_breaks(data: bytes, offset: int, text: str) -> None:
    with pytest.raises(CaptureError, match=text) as refused:
        parse_capture(data, "a.pcap")
    assert refused.value.offset == offset
    assert str(refused.value).startswith(f"a.pcap: at byte {offset}: ")
    assert "\n" not in str(refused.value)


@given(st.binary(max_size=120), st.sampled_from([0, 1, 101, 113, 276]), st.integers(0, 60))
def test_any_bytes_are_a_capture_or_refused(data: bytes, link_type: int, kept: int) -> None:
    whole = (file_header(link_type=link_type) + record(PACKET))[: 24 + kept] + data
    try:
        capture = parse_capture(whole, "a.pcap")
    except CaptureError:
        return
    parse_many(capture.packets)


def test_gzip_is_read_transparently(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap.gz"
    path.write_bytes(gzip.compress(file_header() + record(ethernet(PACKET))))
    assert list(read_capture(path).packets) == [PACKET]


def test_a_mapped_file_is_read_as_any_other_and_outlives_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(file_header() + record(ethernet(PACKET)) * 3)
    read = read_capture(path)
    monkeypatch.setattr(capture_file, "MAP_FROM_BYTES", 1)
    mapped = read_capture(path)
    path.unlink()
    assert list(mapped.packets) == list(read.packets) == [PACKET] * 3
    path.write_bytes(b"")
    with pytest.raises(CaptureError, match="ends inside its header"):
        read_capture(path)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_damaged_gzip_is_refused(tmp_path: Path, damage: str) -> None:
    content = bytearray(gzip.compress(file_header() + record(ethernet(PACKET)) * 50, mtime=0))
    if damage == "cut":
        del content[-12:]
    elif damage == "flipped":
        content[-6] ^= 0xFF
    else:
        del content[2:]
    path = tmp_path / "a.pcap.gz"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match="gzip data is damaged"):
        read_capture(path)


@pytest.mark.parametrize("compress", [False, True])
def test_size_is_bounded_before_and_after_inflation(tmp_path: Path, compress: bool) -> None:
    content = file_header() + record(ethernet(PACKET) + bytes(10_000)) * 100
    path = tmp_path / "big.pcap"
    path.write_bytes(gzip.compress(content) if compress else content)
    with pytest.raises(CaptureError, match="larger than 500000 bytes"):
        read_capture(path, max_bytes=500_000)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    refusals: list[tuple[str | Path, str]] = [
        (tmp_path, "is not a regular file"),
        (tmp_path / "fifo", "is not a regular file"),
        (tmp_path / "absent", "can't be opened: No such file"),
        (Path("/dev/zero"), "is not a regular file"),
        ("a\0b", "null byte"),
    ]
    for path, text in refusals:
        with pytest.raises(CaptureError, match=text):
            read_capture(path)


@pytest.mark.parametrize(
    ("name", "frames", "dispositions"),
    [
        ("dns_tcp.pcap", 11, {Disposition.IN_FLIGHT}),
        ("dns_udp.pcap", 2, {Disposition.IN_FLIGHT}),
        ("icmp-rfc8335.pcap", 10, {Disposition.IN_FLIGHT}),
        ("ip_printroute_asan.pcap", 1, {Disposition.MALFORMED}),
        ("ipv4_invalid_hdr_length.pcap", 1, {Disposition.MALFORMED}),
        ("ipv4_invalid_length.pcap", 1, {Disposition.MALFORMED}),
        ("ipv4_invalid_total_length.pcap", 1, {Disposition.MALFORMED}),
        ("ipv4_tcp_http_xml.pcap", 1, {Disposition.IN_FLIGHT}),
        ("print-flags.pcap", 10, {Disposition.IN_FLIGHT}),
        ("tcp-handshake-nano.pcap", 3, {Disposition.IN_FLIGHT}),
    ],
)
def test_captures_of_other_people(shared_data: Path, name: str, frames: int, dispositions: set[Disposition]) -> None:
    """Frames, bytes and times as scapy's own reader has them; the malformed ones malformed."""
    from scapy.utils import RawPcapReader

    capture = read_capture(shared_data / "pcaps" / name)
    parsed = parse_many(capture.packets)
    assert len(capture.packets) == frames
    assert {Disposition(value) for value in parsed.dispositions} == dispositions
    with RawPcapReader(str(shared_data / "pcaps" / name)) as reader:
        for i, (frame, meta) in enumerate(reader):
            scale = 1 if reader.nano else 1000
            assert capture.at_ns[i] == meta.sec * 10**9 + meta.usec * scale
            held = capture.packets[i][: int(capture.packets.captured[i])]
            assert frame.endswith(held)
            assert parse_ip(capture.packets[i]).disposition == parsed.dispositions[i]


def test_reading_is_the_same_however_many_packets_there_are() -> None:
    """Beyond one block of the vectorised parser, packets of many sizes."""
    packets = [FlowPackets(flow=1, src=1, dst=2, packet_bytes=28 + i % 90).packet(i) for i in range(20_000)]
    capture = parse_capture(file_header() + b"".join(record(ethernet(packet)) for packet in packets), "a.pcap")
    parsed = parse_many(capture.packets)
    assert list(capture.packets) == packets
    assert parsed.batch["ident"].tolist() == list(range(20_000))
    assert np.array_equal(parsed.batch["size_bytes"], [len(packet) for packet in packets])
