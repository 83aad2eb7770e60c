"""Sent: the bytes of a packet as its sender made them, taken apart for whoever answers them."""

from __future__ import annotations

from typing import NamedTuple

from netsim.dataplane.batch import FIN, PROTO_TCP, SYN
from netsim.packet.parse import MIN_HEADER_BYTES


class Sent(NamedTuple):
    """An IP packet whose header parses: the fields an answer or a fragment of it needs.

    `flag_bits`: reserved, DF and MF where the header has them; `frag_offset` in bytes (0 unless
    the sender fragmented); `body`: all behind the header, trailing padding cut.
    """

    tos: int
    ident: int
    flag_bits: int
    frag_offset: int
    proto: int
    src: int
    dst: int
    options: bytes
    body: bytes


def take_apart(raw: bytes) -> Sent | None:
    """The parts of an IP packet, None if its header or total length does not hold."""
    header_bytes = (raw[0] & 0xF) * 4 if raw else 0
    if header_bytes < MIN_HEADER_BYTES or len(raw) < header_bytes or raw[0] >> 4 != 4:
        return None
    size_bytes = int.from_bytes(raw[2:4], "big")
    if not header_bytes <= size_bytes <= len(raw):
        return None
    fragment = int.from_bytes(raw[6:8], "big")
    return Sent(
        tos=raw[1],
        ident=int.from_bytes(raw[4:6], "big"),
        flag_bits=fragment & 0xE000,
        frag_offset=(fragment & 0x1FFF) * 8,
        proto=raw[9],
        src=int.from_bytes(raw[12:16], "big"),
        dst=int.from_bytes(raw[16:20], "big"),
        options=raw[MIN_HEADER_BYTES:header_bytes],
        body=raw[header_bytes:size_bytes],
    )


class Segment(NamedTuple):
    """What a TCP answer looks at: SEG.SEQ, SEG.ACK, SEG.LEN (SYN and FIN count) and the flags."""

    src_port: int
    dst_port: int
    sequence: int
    acknowledged: int
    length: int
    tcp_flags: int


def segment_of(sent: Sent) -> Segment:
    """The TCP segment in a packet; what is not there reads as zero."""
    head = sent.body[:20].ljust(20, b"\0") if sent.proto == PROTO_TCP else bytes(20)
    tcp_flags = head[13]
    data_bytes = max(len(sent.body) - (head[12] >> 4) * 4, 0)
    return Segment(
        int.from_bytes(head[0:2], "big"),
        int.from_bytes(head[2:4], "big"),
        int.from_bytes(head[4:8], "big"),
        int.from_bytes(head[8:12], "big"),
        data_bytes + (1 if tcp_flags & SYN else 0) + (1 if tcp_flags & FIN else 0),
        tcp_flags,
    )
