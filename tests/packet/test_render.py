"""Rows rendered to bytes, read back by scapy and by our own parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.dataplane.batch import (
    ACK,
    DF,
    ERROR,
    FIN,
    MF,
    ORIGINAL,
    PROTO_ICMP,
    PROTO_TCP,
    REPLY,
    RST,
    SYN,
    pack_error,
    pack_icmp,
    pack_tcp,
)
from netsim.packet.answer import error_bytes, reset_flags
from netsim.packet.checksum import checksum
from netsim.packet.parse import parse_ip
from netsim.packet.render import render
from netsim.packet.sent import take_apart
from netsim.prefix import parse_addr
from tests.packet.sample_packets import random_packets, random_scapy_packets

ROUTER = parse_addr("10.0.0.1")


def original_row(raw: bytes, **changes: int) -> dict[str, int]:
    return {**parse_ip(raw).row, "flow": 0, "seq": 0, "role": ORIGINAL, **changes}


def rendered(row: dict[str, int], raw: bytes) -> bytes:
    packet = render(row, lambda _flow, _seq: raw)
    assert len(packet) == row["size_bytes"]
    parsed = parse_ip(packet)
    for name in ("src", "dst", "ttl", "ident", "flags", "frag_offset", "header_bytes", "proto", "size_bytes"):
        assert parsed.row[name] == row[name], name
    return packet


def ip(body: object, **fields: object) -> bytes:
    from scapy.layers.inet import IP

    return bytes(IP(**{"src": "10.0.0.10", "dst": "10.1.0.20", "id": 99, **fields}) / body)


def echo_request(data: bytes = b"0123456789", **fields: object) -> bytes:
    from scapy.layers.inet import ICMP

    return ip(ICMP(id=7, seq=3) / data, **fields)


def udp(data: bytes, **fields: object) -> bytes:
    from scapy.layers.inet import UDP

    return ip(UDP(sport=4000, dport=53) / data, **fields)


def tcp(flags: str, data: bytes = b"", **fields: object) -> bytes:
    from scapy.layers.inet import TCP

    return ip(TCP(sport=4000, dport=80, seq=1000, ack=5000, flags=flags) / data, **fields)


def answer_row(raw: bytes, role: int, l4: int, size_bytes: int, **changes: int) -> dict[str, int]:
    sent = parse_ip(raw).row
    answer = {
        "src": sent["dst"], "dst": sent["src"], "size_bytes": size_bytes, "ttl": 64, "proto": PROTO_ICMP, "l4": l4,
        "flags": 0, "frag_offset": 0, "ident": 500, "header_bytes": 20, "flow": 0, "seq": 0, "role": role,
    }  # fmt: skip
    return {**answer, **changes}


def test_an_untouched_packet_is_its_own_bytes() -> None:
    for raw in random_packets(200, 7):
        assert rendered(original_row(raw), raw) == raw


@pytest.mark.slow
def test_ttl_and_checksum_as_scapy_would_write_them() -> None:
    from scapy.layers.inet import IP

    for packet in random_scapy_packets(2000, seed=6):
        raw = bytes(packet)
        hopped = IP(raw)
        hopped.ttl = max(hopped.ttl - 1, 0)
        hopped.chksum = None
        assert rendered(original_row(raw, ttl=hopped.ttl), raw) == bytes(hopped)


@pytest.mark.parametrize("mtu_bytes", [68, 576, 1500])
def test_fragments_are_those_scapy_cuts(mtu_bytes: int) -> None:
    from scapy.layers.inet import IP, fragment

    raw = udp(bytes(range(256)) * 12)
    room = (mtu_bytes - 20) // 8 * 8
    body_bytes = len(raw) - 20
    ours = [
        rendered(
            original_row(
                raw,
                frag_offset=at,
                size_bytes=20 + min(room, body_bytes - at),
                flags=MF if at + room < body_bytes else 0,
            ),
            raw,
        )
        for at in range(0, body_bytes, room)
    ]
    assert ours == [bytes(piece) for piece in fragment(IP(raw), fragsize=room)]


def test_later_fragments_keep_only_options_with_the_copy_flag() -> None:
    """RFC 791 section 3.1; the header keeps its length, so no-operations fill the gaps."""
    from scapy.layers.inet import IPOption_Router_Alert, IPOption_RR

    raw = udp(bytes(64), options=[IPOption_RR(routers=["10.9.9.9"]), IPOption_Router_Alert()])
    sent = take_apart(raw)
    assert sent is not None
    header_bytes = len(raw) - len(sent.body)
    first = rendered(original_row(raw, size_bytes=header_bytes + 16, flags=MF), raw)
    later = rendered(original_row(raw, size_bytes=header_bytes + 16, frag_offset=16, flags=MF), raw)
    assert first[20:header_bytes] == sent.options
    assert later[20:header_bytes] == b"\1" * 7 + bytes.fromhex("94040000") + b"\0"
    assert later[header_bytes:] == sent.body[16:32]


def test_a_fragment_the_sender_made_is_cut_further_from_its_own_offset() -> None:
    raw = ip(b"x" * 40, proto=17, frag=10, flags="MF")
    piece = rendered(original_row(raw, frag_offset=96, size_bytes=36), raw)
    assert piece[20:] == take_apart(raw).body[16:32]  # type: ignore[union-attr]


def test_echo_reply_is_the_request_with_type_0() -> None:
    from scapy.layers.inet import ICMP, IP

    raw = echo_request(tos=0x28, options=[])
    reply = rendered(answer_row(raw, REPLY, pack_icmp(0, 0, 7, 3), len(raw)), raw)
    expected = (
        IP(src="10.1.0.20", dst="10.0.0.10", id=500, ttl=64, tos=0x28) / ICMP(type=0, id=7, seq=3) / b"0123456789"
    )
    assert reply == bytes(expected)


def test_echo_reply_drops_the_request_s_options() -> None:
    from scapy.layers.inet import IPOption_Router_Alert

    raw = echo_request(options=[IPOption_Router_Alert()])
    reply = rendered(answer_row(raw, REPLY, pack_icmp(0, 0, 7, 3), len(raw) - 4), raw)
    assert reply[20] == 0 and reply[28:] == b"0123456789"


def test_fragments_of_an_echo_reply_join_to_the_whole_reply() -> None:
    raw = echo_request(bytes(range(200)))
    whole = rendered(answer_row(raw, REPLY, pack_icmp(0, 0, 7, 3), len(raw)), raw)
    pieces = [
        rendered(
            answer_row(raw, REPLY, 0, 20 + min(64, 208 - at), frag_offset=at, flags=MF if at + 64 < 208 else 0), raw
        )
        for at in range(0, 208, 64)
    ]
    assert b"".join(piece[20:] for piece in pieces) == whole[20:]
    assert checksum(whole[20:]) == 0


@pytest.mark.parametrize(
    ("request_flags", "data", "answer_flags", "sequence", "acknowledged"),
    [
        ("S", b"", RST | ACK, 0, 1001),
        ("S", b"abc", RST | ACK, 0, 1004),
        ("FPU", b"abc", RST | ACK, 0, 1004),
        ("A", b"abc", RST, 5000, 0),
        ("SA", b"", RST, 5000, 0),
        ("S", b"", SYN | ACK, None, 1001),
        ("A", b"abc", ACK, 5000, 1003),
        ("FA", b"", FIN | ACK, 5000, 1001),
    ],
)
def test_tcp_answers_number_themselves_as_rfc_9293_says(
    request_flags: str, data: bytes, answer_flags: int, sequence: int | None, acknowledged: int
) -> None:
    from scapy.layers.inet import IP, TCP

    raw = tcp(request_flags, data)
    row = answer_row(raw, REPLY, pack_tcp(80, 4000, answer_flags), 40, proto=PROTO_TCP)
    answer = IP(rendered(row, raw))
    segment = answer[TCP]
    assert (segment.sport, segment.dport, int(segment.flags)) == (80, 4000, answer_flags)
    assert segment.ack == acknowledged
    assert sequence is None or segment.seq == sequence
    written = segment.chksum
    del answer[TCP].chksum
    assert IP(bytes(answer))[TCP].chksum == written


def test_syn_ack_starts_at_a_number_that_only_the_four_tuple_decides() -> None:
    from scapy.layers.inet import IP, TCP

    def start_of(raw: bytes) -> int:
        row = answer_row(raw, REPLY, pack_tcp(80, 4000, SYN | ACK), 40, proto=PROTO_TCP)
        return int(IP(rendered(row, raw))[TCP].seq)

    assert start_of(tcp("S")) == start_of(tcp("S", b"data", id=1)) != start_of(tcp("S", src="10.0.0.11"))


@pytest.mark.parametrize("flags", range(64))
def test_reset_answers_ack_with_plain_rst(flags: int) -> None:
    """RFC 9293 section 3.10.7.1."""
    assert reset_flags(flags) == (RST if flags & ACK else RST | ACK)


def test_time_exceeded_quotes_the_packet_as_received() -> None:
    raw = udp(b"payload", ttl=3, tos=0x2E)
    l4 = pack_error(11, 0, 0, 1, len(raw), 0)
    error = rendered(answer_row(raw, ERROR, l4, error_bytes(len(raw)), src=ROUTER), raw)
    assert error[1] == 0xC0 | 0x0E
    assert error[20:22] == b"\x0b\0" and error[24:28] == bytes(4)
    assert checksum(error[20:]) == 0
    assert error[28:] == rendered(original_row(raw, ttl=1), raw)


def test_fragmentation_needed_names_the_mtu_and_stops_at_576_bytes() -> None:
    """RFC 1191 section 4; RFC 1812 section 4.3.2.3."""
    raw = udp(bytes(1400), flags="DF")
    l4 = pack_error(3, 4, 1280, 64, len(raw), 0)
    assert error_bytes(len(raw)) == 576
    error = rendered(answer_row(raw, ERROR, l4, 576, src=ROUTER), raw)
    assert error[20:22] == b"\3\4" and error[24:28] == (1280).to_bytes(4, "big")
    assert error[28:] == raw[:548]


def test_an_error_about_a_first_fragment_quotes_that_fragment() -> None:
    raw = udp(bytes(range(200)))
    l4 = pack_error(11, 0, 0, 1, 20 + 104, 1)
    error = rendered(answer_row(raw, ERROR, l4, error_bytes(124), src=ROUTER), raw)
    assert error[28:] == rendered(original_row(raw, ttl=1, size_bytes=124, flags=MF), raw)


def test_an_error_about_a_reply_quotes_the_reply() -> None:
    raw = echo_request(b"ping" * 20)
    reply = rendered(answer_row(raw, REPLY, pack_icmp(0, 0, 7, 3), len(raw), ttl=1), raw)
    l4 = pack_error(11, 0, 0, 1, len(raw), 0)
    error = rendered(
        answer_row(raw, ERROR | REPLY, l4, error_bytes(len(raw)), src=ROUTER, dst=parse_addr("10.1.0.20")), raw
    )
    assert error[28:] == reply


@pytest.mark.parametrize(("answer_flags", "df"), [(SYN | ACK, 0), (RST | ACK, 1)])
def test_an_error_about_a_tcp_answer_quotes_that_answer(answer_flags: int, df: int) -> None:
    raw = tcp("S")
    row = answer_row(raw, REPLY, pack_tcp(80, 4000, answer_flags), 40, proto=PROTO_TCP, ttl=9, flags=DF * df)
    l4 = pack_error(3, 0, 0, 9, 40, 0, df, answer_flags)
    error = rendered(answer_row(raw, ERROR | REPLY, l4, error_bytes(40), src=ROUTER), raw)
    assert error[28:] == rendered(row, raw)


def test_an_error_in_fragments_joins_to_the_whole_error() -> None:
    raw = udp(bytes(range(250)))
    l4, size_bytes = pack_error(11, 0, 0, 1, len(raw), 0), error_bytes(len(raw))
    whole = rendered(answer_row(raw, ERROR, l4, size_bytes, src=ROUTER), raw)
    first = rendered(answer_row(raw, ERROR, l4, 20 + 48, flags=MF, src=ROUTER), raw)
    rest = rendered(answer_row(raw, ERROR, l4, size_bytes - 48, frag_offset=48, src=ROUTER), raw)
    assert first[20:] + rest[20:] == whole[20:]


def test_a_malformed_packet_is_rendered_as_it_came() -> None:
    raw = bytes.fromhex("4f00")
    assert render(original_row(raw), lambda _flow, _seq: raw) == raw


@given(
    raw=st.sampled_from(random_packets(200, 7)) | st.binary(max_size=60),
    role=st.integers(0, 3),
    l4=st.integers(0, 2**63 - 1),
    size_bytes=st.integers(60, 2000),
    frag_offset=st.integers(0, 8191).map(lambda units: units * 8),
)
def test_any_row_renders_to_its_own_size(raw: bytes, role: int, l4: int, size_bytes: int, frag_offset: int) -> None:
    """Also where columns and bytes contradict each other: never an exception."""
    row = original_row(raw, role=role, l4=l4, size_bytes=size_bytes, frag_offset=frag_offset)
    packet = render(row, lambda _flow, _seq: raw)
    assert packet == raw if take_apart(raw) is None else len(packet) == size_bytes
