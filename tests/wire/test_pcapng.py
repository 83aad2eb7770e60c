from __future__ import annotations

import gzip
import shutil
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.errors import CaptureError
from netsim.packet.flow_packets import FlowPackets
from netsim.packet.parse_many import parse_many
from netsim.wire.capture import Capture
from netsim.wire.capture_file import parse_capture, read_capture
from tests.wire.capture_files import ethernet
from tests.wire.pcapng_files import Blocks

FLOW = FlowPackets(flow=1, src=0x0A000001, dst=0x0A010002, src_port=7, dst_port=9, packet_bytes=61)
PACKET = FLOW.packet(4)
LE = Blocks("<")
US = 1_000_000


def read(data: bytes) -> Capture:
    return parse_capture(data, "a.pcapng")


@pytest.mark.parametrize("order", "<>")
def test_every_kind_of_packet_block_in_either_byte_order(order: str) -> None:
    b = Blocks(order)
    data = b.section() + b.interface() + b.interface(1)
    data += b.enhanced(PACKET, 7 * US) + b.simple(PACKET) + b.old(ethernet(PACKET), 2**32 + 1, interface=1)
    capture = read(data)
    assert list(capture.packets) == [PACKET] * 3
    assert capture.at_ns.tolist() == [7 * 10**9, 7 * 10**9, (2**32 + 1) * 1000]
    assert capture.link_type == 101
    assert not capture.cut.any()


def test_blocks_that_hold_no_packet_are_stepped_over() -> None:
    others = b"".join(LE.block(kind, bytes(20)) for kind in (4, 5, 0xA, 0xBAD, 0x40000BAD, 0x80000001, 0xFFFFFFFF))
    data = LE.section(LE.option(4, b"dumpcap")) + others + LE.interface() + others + LE.enhanced(PACKET) + others
    assert list(read(data).packets) == [PACKET]


def test_options_of_packets_and_interfaces_are_stepped_over_unless_they_tell_the_time() -> None:
    text = LE.option(1, "né".encode()) + LE.option(2988, b"\0\0\0\1custom")
    end = LE.option(0, b"")
    interface = LE.interface(options=LE.option(2, b"eth0") + text, resolution=9, offset_s=3)
    data = LE.section(text + end) + interface + LE.enhanced(PACKET, 5, options=LE.option(2, bytes(4)) + text + end)
    capture = read(data)
    assert capture.at_ns.tolist() == [3 * 10**9 + 5]
    assert list(capture.packets) == [PACKET]


def test_options_behind_the_end_of_options_mean_nothing() -> None:
    data = LE.section() + LE.interface(options=LE.option(0, b""), resolution=0) + LE.enhanced(PACKET, US)
    assert read(data).at_ns.tolist() == [10**9]


@pytest.mark.parametrize(
    ("resolution", "offset_s", "ticks", "at_ns"),
    [
        (None, None, 1_234_567, 1_234_567_000),
        (6, 0, 1_234_567, 1_234_567_000),
        (9, None, 2**62 + 1, 2**62 + 1),
        (0, None, 12, 12 * 10**9),
        (3, 5, 12, 5_012_000_000),
        (12, None, 1_999, 1),
        (127, None, 2**64 - 1, 0),
        (0x80, None, 12, 12 * 10**9),
        (0x80 | 10, None, 1024 + 1, 10**9 + 976_562),
        (0x80 | 32, None, (7 << 32) + 2**31, 7_500_000_000),
        (0x80 | 60, None, 2**60 + 2**59, 1_500_000_000),
        (9, -10, 10 * 10**9 + 3, 3),
        (9, -(2**33), 2**33 * 10**9 + 3, 3),
    ],
)
def test_time_is_exact_in_every_resolution(
    resolution: int | None, offset_s: int | None, ticks: int, at_ns: int
) -> None:
    data = LE.section() + LE.interface(resolution=resolution, offset_s=offset_s) + LE.enhanced(PACKET, ticks)
    assert read(data).at_ns.tolist() == [at_ns]


@pytest.mark.parametrize(
    ("resolution", "offset_s", "ticks"),
    [(9, None, 2**63), (0, None, 2**40), (9, -1, 5), (0x80, 2**62, 1), (6, 0, 2**64 - 1)],
)
def test_a_time_that_nanoseconds_can_t_say_is_refused(resolution: int, offset_s: int | None, ticks: int) -> None:
    data = LE.section() + LE.interface(resolution=resolution, offset_s=offset_s)
    with pytest.raises(CaptureError, match="outside the years 1970 to 2262") as refused:
        read(data + LE.enhanced(PACKET, ticks))
    assert refused.value.offset == len(data) + 12


def test_sections_have_their_own_byte_order_and_their_own_interfaces() -> None:
    big = Blocks(">")
    data = LE.section() + LE.interface() + LE.enhanced(PACKET, US)
    data += big.section() + big.interface(1, resolution=9) + big.enhanced(ethernet(PACKET), 2_000_000_000)
    data += LE.section()
    capture = read(data)
    assert list(capture.packets) == [PACKET, PACKET]
    assert capture.at_ns.tolist() == [10**9, 2 * 10**9]


def test_a_packet_without_a_time_has_that_of_the_one_before() -> None:
    data = LE.section() + LE.interface() + LE.simple(PACKET) * 2 + LE.enhanced(PACKET, 5 * US) + LE.simple(PACKET)
    assert read(data).at_ns.tolist() == [5 * 10**9] * 4
    assert read(LE.section() + LE.interface() + LE.simple(PACKET)).at_ns.tolist() == [0]


def test_what_the_snapshot_length_cut_keeps_its_length() -> None:
    data = LE.section() + LE.interface(1, snapshot=44)
    data += LE.enhanced(ethernet(PACKET)[:44], length=75) + LE.simple(ethernet(PACKET)[:44], 75)
    capture = read(data)
    assert capture.cut.tolist() == [True, True]
    assert list(capture.packets) == [PACKET[:30] + bytes(31)] * 2


def test_a_capture_of_nothing() -> None:
    for data in (LE.section(), LE.section() + LE.interface(147)):
        capture = read(data)
        assert len(capture.packets) == len(capture.at_ns) == len(parse_many(capture.packets).dispositions) == 0


HEAD = LE.section() + LE.interface()
ONE = LE.enhanced(PACKET)


@pytest.mark.parametrize(
    ("data", "offset", "text"),
    [
        (HEAD[:27], 0, "ends inside a section header"),
        (HEAD[:8] + b"nope" + HEAD[12:], 8, "byte-order magic 6e6f7065"),
        (LE.section(version=(2, 0)), 12, "version 2.0"),
        (HEAD + LE.section()[:20], len(HEAD), "ends inside a section header"),
        (HEAD + ONE[:-5], len(HEAD), "breaks off, its last 5 bytes"),
        (HEAD + ONE + ONE[:11], len(HEAD + ONE), "breaks off inside its header"),
        (HEAD + b"\6\0\0\0\0\0\0\0" + bytes(60), len(HEAD) + 4, "a block of 0 bytes"),
        (HEAD + b"\6\0\0\0\x0d\0\0\0" + bytes(60), len(HEAD) + 4, "a block of 13 bytes"),
        (HEAD + b"\6\0\0\0\xfc\xff\xff\xff" + bytes(60), len(HEAD), "its last 4294967224 bytes"),
        (HEAD + LE.block(6, bytes(16)), len(HEAD), "shorter than a packet block"),
        (HEAD + LE.block(3, b""), len(HEAD), "shorter than a packet block"),
        (LE.section() + LE.block(1, b""), 28, "shorter than an interface description"),
        (LE.section() + LE.interface(options=LE.pack("HH", 2, 99)), 44, "longer than its block"),
        (HEAD + ONE[:-4] + b"\1\0\0\0", len(HEAD), "two lengths differ"),
        (HEAD + LE.enhanced(PACKET, interface=1) + LE.interface(), len(HEAD), "has not been described"),
        (LE.section() + LE.simple(PACKET), 28, "has not been described"),
        (HEAD + LE.section() + ONE, len(HEAD) + 28, "has not been described"),
        (LE.section() + LE.interface(147) + ONE, 36, "link type 147 is not supported"),
        (HEAD + LE.simple(PACKET, 65), len(HEAD), "more captured bytes than its block has"),
        (HEAD + ONE[:20] + b"\x41\0\0\0" + ONE[24:], len(HEAD), "more captured bytes than its block has"),
        (HEAD + ONE[:20] + b"\xff\xff\xff\xff" + ONE[24:], len(HEAD), "more captured bytes than its block has"),
        (LE.section() * 1001, 28_000, "more than 1000 sections"),
    ],
)
def test_a_broken_file_is_refused_with_the_byte_where_it_breaks(data: bytes, offset: int, text: str) -> None:
    with pytest.raises(CaptureError, match=text) as refused:
        read(data)
    assert refused.value.offset == offset
    assert str(refused.value).startswith(f"a.pcapng: at byte {offset}: ")
    assert "\n" not in str(refused.value)


def everything() -> bytes:
    """Two sections, every kind of block, options of every kind."""
    data = b""
    for b in (LE, Blocks(">")):
        text = b.option(1, b"said") + b.option(0, b"")
        data += b.section(b.option(4, b"tests") + text) + b.interface(1, resolution=9, offset_s=2)
        data += b.interface(options=b.option(2, b"tun0")) + b.block(0xBAD, bytes(12)) + b.block(4, bytes(8))
        data += b.enhanced(ethernet(PACKET), 2**40, options=text) + b.enhanced(PACKET, US, interface=1)
        data += b.old(PACKET, US, interface=1) + b.simple(ethernet(PACKET)) + b.block(5, bytes(20) + text)
    return data


def mutated(data: bytes, seed: int) -> bytes:
    """The bytes with one to four of them changed, perhaps cut off, a stretch doubled or taken out."""
    rng = np.random.default_rng(seed)
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        changed[int(rng.integers(len(changed)))] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(256))]))
    first, last = sorted(rng.integers(0, len(changed), 2).tolist())
    match int(rng.integers(6)):
        case 0:
            del changed[last:]
        case 1:
            del changed[first:last]
        case 2:
            changed[last:last] = changed[first:last]
    return bytes(changed)


def survives(seeds: range) -> int:
    """How many of the mutated files are still read; the others are refused in one line."""
    whole, refusals = everything(), []
    for seed in seeds:
        try:
            parse_many(read(mutated(whole, seed)).packets)
        except CaptureError as refused:
            refusals.append(str(refused))
    assert not any("\n" in refusal for refusal in refusals)
    return len(seeds) - len(refusals)


def test_mutated_files_are_read_or_refused() -> None:
    assert 20 < survives(range(150)) < 130


@pytest.mark.slow
def test_ten_thousand_mutated_files_are_read_or_refused() -> None:
    assert 1_000 < survives(range(10_000)) < 9_000


@given(st.binary(max_size=200))
def test_any_bytes_behind_a_section_header_are_read_or_refused(data: bytes) -> None:
    try:
        capture = read(HEAD + data)
    except CaptureError:
        return
    parse_many(capture.packets)


def test_huge_claims_cost_no_memory() -> None:
    claims = HEAD + LE.pack("II", 6, 2**32 - 4) + LE.pack("IIIII", 0, 0, 0, 2**32 - 1, 2**32 - 1) + bytes(100)
    tracemalloc.start()
    try:
        with pytest.raises(CaptureError):
            read(claims)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_gzip_is_read_transparently(tmp_path: Path) -> None:
    (tmp_path / "a.pcapng.gz").write_bytes(gzip.compress(HEAD + ONE))
    assert list(read_capture(tmp_path / "a.pcapng.gz").packets) == [PACKET]


CAPTURES = [
    "dns_tcp.pcap", "dns_udp.pcap", "icmp-rfc8335.pcap", "ipv4_tcp_http_xml.pcap", "print-flags.pcap",
    "tcp-handshake-nano.pcap",
]  # fmt: skip


@pytest.mark.parametrize("name", CAPTURES)
def test_real_captures_that_wireshark_converted_hold_the_same(tmp_path: Path, shared_data: Path, name: str) -> None:
    if shutil.which("editcap") is None:
        pytest.skip("no editcap, which comes with tshark")
    converted = tmp_path / "converted.pcapng"
    subprocess.run(["editcap", "-F", "pcapng", str(shared_data / "pcaps" / name), str(converted)], check=True)
    ours, theirs = read_capture(converted), read_capture(shared_data / "pcaps" / name)
    assert list(ours.packets) == list(theirs.packets)
    assert ours.at_ns.tolist() == theirs.at_ns.tolist()
    assert ours.cut.tolist() == theirs.cut.tolist()


def test_real_captures_of_several_link_layers_merged_into_one(tmp_path: Path, shared_data: Path) -> None:
    """mergecap keeps an interface for each input."""
    if shutil.which("mergecap") is None:
        pytest.skip("no mergecap, which comes with tshark")
    files = [shared_data / "pcaps" / name for name in CAPTURES]
    merged = tmp_path / "merged.pcapng"
    subprocess.run(["mergecap", "-a", "-F", "pcapng", "-w", str(merged), *map(str, files)], check=True)
    expected = [packet for file in files for packet in read_capture(file).packets]
    assert list(read_capture(merged).packets) == expected
