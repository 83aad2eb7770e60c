from __future__ import annotations

import pytest

from netsim.dataplane.batch import COLUMNS, DF, MF, pack_icmp, pack_ports, pack_tcp
from netsim.dataplane.disposition import Disposition
from netsim.packet.checksum import checksum
from netsim.packet.packed import PackedPackets
from netsim.packet.parse import PARSED_COLUMNS, parse_ip
from netsim.packet.parse_many import parse_many
from netsim.prefix import parse_addr
from tests.packet.sample_packets import mutated, random_packets, random_scapy_packets


def ip_packet(body: bytes = b"", *, proto: int = 17, options: bytes = b"", fragment: int = 0, **bad: int) -> bytes:
    """An IP packet written by hand; `bad` replaces version, ihl, total or checksum."""
    ihl = bad.get("ihl", 5 + len(options) // 4)
    total = bad.get("total", 20 + len(options) + len(body))
    head = bytes([bad.get("version", 4) << 4 | ihl, 0]) + total.to_bytes(2, "big") + b"\0\7"
    head += fragment.to_bytes(2, "big") + bytes([64, proto, 0, 0, 10, 0, 0, 1, 10, 1, 0, 2]) + options
    covered = (head + body)[: ihl * 4]
    return head[:10] + bad.get("checksum", checksum(covered)).to_bytes(2, "big") + head[12:] + body


UDP = bytes.fromhex("0035 1f90 000c 0000") + b"data"
TCP = bytes.fromhex("0050 1f90 00000001 00000002 5012 ffff 0000 0000") + b"xyz"


def test_udp_packet_fills_every_column() -> None:
    row, disposition, payload_bytes = parse_ip(ip_packet(UDP, fragment=0x4000))
    assert disposition is Disposition.IN_FLIGHT
    assert row == {
        "src": parse_addr("10.0.0.1"),
        "dst": parse_addr("10.1.0.2"),
        "size_bytes": 32,
        "ttl": 64,
        "proto": 17,
        "l4": pack_ports(53, 8080),
        "flags": DF,
        "frag_offset": 0,
        "ident": 7,
        "header_bytes": 20,
        "tcp_seq": 0,
        "tcp_ack": 0,
        "window": 0,
        "ts_echo": 0,
    }
    assert payload_bytes == 4
    assert set(row) <= set(COLUMNS)


def test_tcp_ports_flags_and_payload() -> None:
    parsed = parse_ip(ip_packet(TCP, proto=6))
    assert parsed.row["l4"] == pack_tcp(80, 8080, 0x12)
    assert parsed.payload_bytes == 3


def test_tcp_numbers_and_window_are_those_of_the_header() -> None:
    row = parse_ip(ip_packet(TCP[:4] + bytes.fromhex("fffffffe 80000001") + TCP[12:], proto=6)).row
    assert (row["tcp_seq"], row["tcp_ack"], row["window"]) == (2**32 - 2, 2**31 + 1, 65_535)
    assert set(row) == set(PARSED_COLUMNS)


@pytest.mark.parametrize(
    ("options", "mss"),
    [
        ("", 0), ("020405b4", 1460), ("0101 0204ffff 0000", 65_535), ("0303 0701 0204 0218", 536),
        ("00 020405b4 0000 00", 0), ("02 0305 00", 0), ("0800 0000 020405b4", 0), ("0101 0102", 0),
        ("0101 0204", 0), ("0204 0010 0204 0020", 16),
    ],
)  # fmt: skip
def test_a_syn_says_its_mss_in_the_echo_column(options: str, mss: int) -> None:
    raw_options = bytes.fromhex(options)
    head = TCP[:12] + bytes([(20 + len(raw_options)) // 4 << 4, 2]) + TCP[14:20] + raw_options
    packet = ip_packet(head + b"data", proto=6)
    assert parse_ip(packet).row["ts_echo"] == mss
    assert parse_many(PackedPackets.of([packet])).batch["ts_echo"].tolist() == [mss]
    without_syn = ip_packet(head[:13] + b"\x10" + head[14:] + b"data", proto=6)
    assert parse_ip(without_syn).row["ts_echo"] == 0


def test_echo_has_identifier_and_sequence_and_other_icmp_has_not() -> None:
    echo, unreachable = bytes.fromhex("0800000000070001"), bytes.fromhex("0301000000070001")
    assert parse_ip(ip_packet(echo, proto=1)).row["l4"] == pack_icmp(8, 0, 7, 1)
    assert parse_ip(ip_packet(unreachable, proto=1)).row["l4"] == pack_icmp(3, 1)


def test_later_fragment_has_no_ports_and_is_payload_whole() -> None:
    row, disposition, payload_bytes = parse_ip(ip_packet(UDP, fragment=0x2000 | 185))
    assert (row["frag_offset"], row["flags"], row["l4"]) == (1480, MF, 0)
    assert (disposition, payload_bytes) == (Disposition.IN_FLIGHT, 12)


def test_first_fragment_has_ports_though_the_datagram_is_longer() -> None:
    parsed = parse_ip(ip_packet(bytes.fromhex("0035 1f90 0400 0000") + bytes(8), fragment=0x2000))
    assert parsed.row["l4"] == pack_ports(53, 8080)
    assert parsed.payload_bytes == 8


def test_trailing_bytes_are_cut() -> None:
    assert parse_ip(ip_packet(UDP) + bytes(14)) == parse_ip(ip_packet(UDP))


@pytest.mark.parametrize(
    ("body", "proto"),
    [
        (UDP[:7], 17),
        (UDP[:4] + b"\0\7" + UDP[6:], 17),
        (UDP[:4] + b"\0\xff" + UDP[6:], 17),
        (TCP[:19], 6),
        (TCP[:12] + b"\x40" + TCP[13:], 6),
        (TCP[:12] + b"\xf0" + TCP[13:], 6),
        (bytes(7), 1),
        (b"", 17),
        (UDP, 47),
    ],
)
def test_a_transport_header_that_does_not_hold_gives_no_ports(body: bytes, proto: int) -> None:
    parsed = parse_ip(ip_packet(body, proto=proto))
    assert (parsed.row["l4"], parsed.payload_bytes, parsed.disposition) == (0, 0, Disposition.IN_FLIGHT)


@pytest.mark.parametrize(
    ("raw", "disposition"),
    [
        (b"", Disposition.MALFORMED),
        (b"\x45", Disposition.MALFORMED),
        (ip_packet(UDP)[:19], Disposition.MALFORMED),
        (ip_packet(UDP)[:31], Disposition.MALFORMED),
        (ip_packet(UDP, version=5), Disposition.MALFORMED),
        (ip_packet(UDP, version=6), Disposition.NOT_IPV4),
        (None, Disposition.NOT_IPV4),
        (ip_packet(UDP, ihl=4), Disposition.MALFORMED),
        (ip_packet(b"", ihl=6), Disposition.MALFORMED),
        (ip_packet(UDP, total=19), Disposition.MALFORMED),
        (ip_packet(UDP, total=0), Disposition.MALFORMED),
        (ip_packet(UDP, total=33), Disposition.MALFORMED),
        (ip_packet(UDP, checksum=0), Disposition.BAD_CHECKSUM),
        (ip_packet(UDP, total=19, checksum=0), Disposition.BAD_CHECKSUM),
        (ip_packet(UDP, options=b"\x07\x00\x00\x00"), Disposition.MALFORMED),
        (ip_packet(UDP, options=b"\x07\x01\x00\x00"), Disposition.MALFORMED),
        (ip_packet(UDP, options=b"\x07\x05\x00\x00"), Disposition.MALFORMED),
        (ip_packet(UDP, options=b"\x01\x01\x01\x07"), Disposition.MALFORMED),
        (ip_packet(UDP, options=b"\x01\x01\x01\x00"), Disposition.IN_FLIGHT),
        (ip_packet(UDP, options=b"\x00\x07\x00\x00"), Disposition.IN_FLIGHT),
        (ip_packet(UDP, options=b"\x94\x04\x00\x00"), Disposition.IN_FLIGHT),
    ],
)
def test_disposition_of_what_may_be_wrong(raw: bytes | None, disposition: Disposition) -> None:
    assert parse_ip(raw).disposition is disposition
    if raw is not None:
        assert parse_many(PackedPackets.of([raw])).dispositions.tolist() == [disposition]


def test_a_refused_packet_keeps_its_size_and_nothing_else() -> None:
    row, _, payload_bytes = parse_ip(bytes(70_000))
    assert row.pop("size_bytes") == 65_535
    assert set(row.values()) == {0}
    assert payload_bytes == 0


@pytest.mark.slow
def test_agrees_with_scapy_on_20000_random_packets() -> None:
    from scapy.layers.inet import ICMP, IP, TCP
    from scapy.layers.inet import UDP as SCAPY_UDP

    seen = set()
    for packet in random_scapy_packets(20_000, seed=1):
        raw = bytes(packet)
        row, disposition, payload_bytes = parse_ip(raw)
        other = IP(raw)
        assert disposition is Disposition.IN_FLIGHT
        assert row["src"] == parse_addr(other.src) and row["dst"] == parse_addr(other.dst)
        assert (row["size_bytes"], row["ttl"], row["proto"]) == (other.len, other.ttl, other.proto)
        assert (row["ident"], row["frag_offset"], row["header_bytes"]) == (other.id, other.frag * 8, other.ihl * 4)
        assert row["flags"] == (DF if other.flags.DF else 0) | (MF if other.flags.MF else 0)
        if other.frag:
            assert row["l4"] == 0
        elif other.proto == 17:
            assert row["l4"] == pack_ports(other[SCAPY_UDP].sport, other[SCAPY_UDP].dport)
            assert payload_bytes == len(other[SCAPY_UDP].payload)
        elif other.proto == 6:
            assert row["l4"] == pack_tcp(other[TCP].sport, other[TCP].dport, int(other[TCP].flags) & 0xFF)
            assert payload_bytes == len(other[TCP].payload)
        elif other.proto == 1:
            echo = (other[ICMP].id, other[ICMP].seq) if other[ICMP].type in {0, 8} else (0, 0)
            assert row["l4"] == pack_icmp(other[ICMP].type, other[ICMP].code, *echo)
        else:
            assert row["l4"] == 0
        seen.add((other.proto, bool(other.frag), other.ihl > 5))
    assert {(proto, frag, opts) for proto in (1, 6, 17) for frag in (True, False) for opts in (True, False)} <= seen


@pytest.mark.slow
def test_200000_damaged_packets_never_raise_and_both_parsers_agree_on_each() -> None:
    packets = list(mutated(random_packets(3000, 2), 200_000, seed=3))
    scalar = [parse_ip(packet) for packet in packets]
    batch, payload_bytes, dispositions = parse_many(PackedPackets.of(packets))
    assert dispositions.tolist() == [parsed.disposition for parsed in scalar]
    assert payload_bytes.tolist() == [parsed.payload_bytes for parsed in scalar]
    for name in scalar[0].row:
        assert batch[name].tolist() == [parsed.row[name] for parsed in scalar], name
    counts = {disposition: dispositions.tolist().count(disposition) for disposition in Disposition}
    for disposition in (Disposition.IN_FLIGHT, Disposition.MALFORMED, Disposition.BAD_CHECKSUM, Disposition.NOT_IPV4):
        assert counts[disposition] > 500


def test_no_packets_at_all() -> None:
    batch, payload_bytes, dispositions = parse_many(PackedPackets.of([]))
    assert len(batch) == len(payload_bytes) == len(dispositions) == 0


def test_packets_held_in_part_parse_as_their_zero_padded_bytes() -> None:
    """What a capture's snapshot length cut off reads as zeros, never as the next packet."""
    import numpy as np

    packets = random_packets(300, 4)
    packed = PackedPackets.of(packets)
    kept = np.minimum(packed.captured, 24)
    cut = PackedPackets(packed.buffer, packed.offsets, kept, packed.lengths)
    assert cut[0] == packets[0][:24].ljust(len(packets[0]), b"\0")
    batch, payload_bytes, dispositions = parse_many(cut)
    for i, padded in enumerate(cut):
        row, disposition, payload = parse_ip(padded)
        assert {name: int(batch[name][i]) for name in row} == row
        assert (dispositions[i], payload_bytes[i]) == (disposition, payload)


def test_a_negative_length_is_a_frame_without_ipv4() -> None:
    import numpy as np

    frame = PackedPackets(np.zeros(4, np.uint8), np.zeros(1, np.int64), np.array([4]), np.array([-1]))
    assert parse_many(frame).dispositions.tolist() == [Disposition.NOT_IPV4]
    assert frame[0] == b""
