from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.errors import CaptureError
from netsim.packet.flow_packets import FlowPackets
from netsim.packet.packed import PackedPackets
from netsim.wire import pcapng_writer
from netsim.wire.capture_file import parse_capture, read_capture
from netsim.wire.link_type import RAW
from netsim.wire.pcapng_writer import INBOUND, OUTBOUND, SeenAt, SeenPackets, pcapng_bytes, write_pcapng

FLOW = FlowPackets(flow=1, src=0x0A000001, dst=0x0A010002, src_port=7, dst_port=9, packet_bytes=300)
PLACES = [SeenAt("web-1", "instance in shop", 10**10), SeenAt("shop-data:local"), SeenAt("ü-2", "é" * 40_000)]
COMMENTS = ["dropped: queue_full at the cap of shop-data, from shop to data", "", "ö"]
START_NS = 1_767_225_600 * 10**9


def seen(at_ns: list[int], packets: PackedPackets, *, comment: list[int] | None = None) -> SeenPackets:
    n = np.arange(len(at_ns))
    comments = np.full(len(n), -1) if comment is None else np.array(comment, np.int64)
    return SeenPackets(np.array(at_ns, np.int64), n % 3, 1 + n % 2, comments, packets, comments >= 0)


def blocks_of(data: bytes) -> list[tuple[int, bytes]]:
    """(type, body) of every block; the two lengths of each agree and are multiples of four."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0 and struct.unpack_from("<I", data, at + length - 4) == (length,)
        found.append((kind, data[at + 8 : at + length - 4]))
        at += length
    assert at == len(data)
    return found


def options_of(body: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    at = 0
    while True:
        code, size = struct.unpack_from("<HH", body, at)
        if code == 0:
            assert size == 0 and at + 4 == len(body)
            return found
        found.append((code, body[at + 4 : at + 4 + size]))
        at += 4 + size + -size % 4


SMALL = st.sampled_from([b"", b"x", b"abcd"]) | st.binary(max_size=70)


@given(st.lists(st.tuples(st.integers(0, 2**63 - 1), SMALL, st.integers(-1, 2)), max_size=12))
def test_what_is_written_is_read_again(records: list[tuple[int, bytes, int]]) -> None:
    packets = PackedPackets.of([packet for _, packet, _ in records])
    written = seen([at for at, _, _ in records], packets, comment=[comment for *_, comment in records])
    data = b"".join(pcapng_bytes(PLACES, written, COMMENTS))
    capture = parse_capture(data, "a.pcapng")
    assert capture.at_ns.tolist() == written.at_ns.tolist()
    assert list(capture.packets) == list(packets)
    enhanced = [body for kind, body in blocks_of(data) if kind == 6]
    for i, (body, (_, packet, comment)) in enumerate(zip(enhanced, records, strict=True)):
        options = options_of(body[20 + len(packet) + -len(packet) % 4 :])
        assert struct.unpack_from("<I", body) == (i % 3,)
        assert options[0] == (2, struct.pack("<I", 1 + i % 2))
        assert options[1:] == ([] if comment < 0 else [(1, COMMENTS[comment].encode())])


def test_many_blocks_of_equal_and_of_different_sizes() -> None:
    seqs = np.arange(3 * pcapng_writer.BLOCK // 2)
    equal = FLOW.packets(seqs)
    different = PackedPackets(equal.buffer, equal.offsets, equal.captured - seqs % 200)
    for packets in (equal, different):
        data = b"".join(pcapng_bytes(PLACES, seen((seqs * 1000).tolist(), packets)))
        capture = parse_capture(data, "a.pcapng")
        assert capture.at_ns.tolist() == (seqs * 1000).tolist()
        assert list(capture.packets) == list(packets)


def test_packets_held_in_part_and_frames_without_ipv4() -> None:
    whole = FLOW.packets(np.arange(3))
    held = PackedPackets(whole.buffer, whole.offsets, np.array([300, 63, 300]), np.array([300, 300, -1]))
    capture = parse_capture(b"".join(pcapng_bytes(PLACES, seen([0, 1, 2], held))), "a.pcapng")
    assert capture.cut.tolist() == [False, True, False]
    assert capture.packets[1] == FLOW.packet(1)[:63] + bytes(237)
    assert capture.packets[2] == b""


def test_the_file_says_who_wrote_it_and_what_its_interfaces_are() -> None:
    packets = FLOW.packets(np.arange(5))
    data = b"".join(
        pcapng_bytes(PLACES, seen([5] * 5, packets, comment=[-1, 0, -1, -1, 0]), COMMENTS, epoch_ns=START_NS)
    )
    blocks = blocks_of(data)
    assert [kind for kind, _ in blocks] == [0x0A0D0D0A, 1, 1, 1, 6, 6, 6, 6, 6, 5, 5, 5]
    ((code, application),) = options_of(blocks[0][1][16:])
    assert code == 4 and application.startswith(b"netsim ")
    assert struct.unpack_from("<HHI", blocks[1][1]) == (RAW, 0, 0)
    assert options_of(blocks[1][1][8:]) == [
        (2, b"web-1"), (3, b"instance in shop"), (8, struct.pack("<Q", 10**10)), (9, b"\x09"),
    ]  # fmt: skip
    assert options_of(blocks[2][1][8:]) == [(2, b"shop-data:local"), (9, b"\x09")]
    described = dict(options_of(blocks[3][1][8:]))
    assert described[2] == "ü-2".encode()
    assert described[3] == "é".encode() * 32_767, "cut to what an option holds, not inside a character"
    counts = [
        [int.from_bytes(value, "little") for _, value in options_of(body[12:])] for kind, body in blocks if kind == 5
    ]
    assert counts == [[2, 0], [2, 2], [1, 0]]
    high, low = struct.unpack_from("<II", blocks[-1][1], 4)
    assert high << 32 | low == START_NS + 5


def test_a_file_without_packets_or_places() -> None:
    nothing = seen([], PackedPackets.of([]))
    for places in (PLACES, []):
        assert len(parse_capture(b"".join(pcapng_bytes(places, nothing)), "a.pcapng").packets) == 0


FIELDS = [
    "frame.interface_name", "frame.interface_description", "frame.time_epoch", "frame.comment",
    "frame.packet_flags_direction", "ip.dst", "_ws.expert.message",
]  # fmt: skip


def test_tshark_reads_it_without_a_warning(tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("no tshark")
    path = tmp_path / "a.pcapng"
    at_ns = [k * 1_000_001 for k in range(6)]
    written = seen(at_ns, FLOW.packets(np.arange(6)), comment=[-1, 0, -1, 2, -1, 1])
    write_pcapng(path, [*PLACES[:2], SeenAt("ü-2")], written, COMMENTS, epoch_ns=START_NS)
    command = ["tshark", "-n", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-T", "fields"]
    for field in FIELDS:
        command += ["-e", field]
    environment = {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run([*command, "-r", str(path)], capture_output=True, text=True, check=True, env=environment)
    assert warnings_of(done.stderr) == []
    shown = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[0] for line in shown] == ["web-1", "shop-data:local", "ü-2"] * 2
    assert [line[1] for line in shown[:2]] == ["instance in shop", ""]
    assert [line[2] for line in shown[:2]] == ["1767225600.000000000", "1767225600.001000001"]
    assert [line[3] for line in shown] == ["", COMMENTS[0], "", "ö", "", ""]
    assert [int(line[4], 0) for line in shown[:2]] == [INBOUND, OUTBOUND]
    assert all(line[5] == "10.1.0.2" for line in shown)
    # Wireshark notes every comment as an expert message of its own; nothing else may be there.
    assert [line[6] for line in shown] == ["", COMMENTS[0], "", "ö", "", ""]


def warnings_of(stderr: str) -> list[str]:
    """What tshark complains about, but for being run as root."""
    return [
        line for line in stderr.splitlines() if line and not re.search("as user .root.|This could be dangerous", line)
    ]


def test_capinfos_finds_the_interfaces_and_their_drops(tmp_path: Path) -> None:
    if shutil.which("capinfos") is None:
        pytest.skip("no capinfos, which comes with tshark")
    path = tmp_path / "a.pcapng"
    write_pcapng(path, PLACES[:2], seen([0, 1], FLOW.packets(np.arange(2)), comment=[-1, 0]), COMMENTS)
    done = subprocess.run(["capinfos", str(path)], capture_output=True, text=True, check=True)
    assert warnings_of(done.stderr) == []
    for text in (
        "Wireshark/... - pcapng",
        "nanoseconds (9)",
        "Number of packets:   2",
        "Name = web-1",
        "Speed = 10000000000",
    ):
        assert text in done.stdout, text
    assert "Capture application: netsim" in done.stdout


def test_scapy_reads_it(tmp_path: Path) -> None:
    from scapy.layers.inet import IP
    from scapy.utils import rdpcap

    write_pcapng(
        tmp_path / "a.pcapng", PLACES, seen([1_500_000_001], FLOW.packets(np.array([8])), comment=[0]), COMMENTS
    )
    (packet,) = rdpcap(str(tmp_path / "a.pcapng"))
    assert isinstance(packet, IP)
    assert bytes(packet) == FLOW.packet(8)
    assert int(packet.time * 10**9) == 1_500_000_001
    assert packet.comments == [COMMENTS[0].encode()]
    assert (packet.sniffed_on, packet.direction) == ("web-1", 1)


def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(b"before")

    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(pcapng_writer, "_packets", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_pcapng(path, PLACES, seen([0], FLOW.packets(np.arange(1))))
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pcapng"]


def test_where_it_can_t_be_written(tmp_path: Path) -> None:
    one = seen([0], FLOW.packets(np.arange(1)))
    with pytest.raises(CaptureError, match="can't be written"):
        write_pcapng(tmp_path / "absent" / "a.pcapng", PLACES, one)
    with pytest.raises(CaptureError, match="before the year 1970"):
        write_pcapng(tmp_path / "a.pcapng", PLACES, seen([-1], FLOW.packets(np.arange(1))))
    write_pcapng("/dev/null", PLACES, one)
    assert list(tmp_path.iterdir()) == []


def test_read_capture_knows_it(tmp_path: Path) -> None:
    write_pcapng(tmp_path / "a", PLACES, seen([3], FLOW.packets(np.arange(1))))
    assert read_capture(tmp_path / "a").link_type == RAW
