"""The bytes of what endpoints and routers send because of a packet: replies and ICMP errors.

An endpoint answers an echo request with the same message and type 0, a TCP segment with the
segment RFC 9293 section 3.10.7 calls for. A router or endpoint that drops a packet quotes it.
All of it follows from the packet that was sent and a row's columns, so none of it is kept.
"""

from __future__ import annotations

import struct

from netsim.dataplane.batch import ACK, PROTO_ICMP, PROTO_TCP, PROTO_UDP, RST, SYN
from netsim.dataplane.tcp_numbers import initial_number
from netsim.packet.checksum import checksum, with_pseudo_header
from netsim.packet.header import DF_BIT, MF_BIT, header_of
from netsim.packet.l4 import IcmpError, unpack_tcp
from netsim.packet.parse import ECHO_REPLY, ICMP_HEADER_BYTES, MIN_HEADER_BYTES, TCP_HEADER_BYTES, UDP_HEADER_BYTES
from netsim.packet.sent import Segment, Sent, segment_of

MAX_ERROR_BYTES = 576
"""RFC 1812 section 4.3.2.3: an error quotes as much as fits in 576 bytes of IP packet."""
MAX_QUOTED_BYTES = MAX_ERROR_BYTES - MIN_HEADER_BYTES - ICMP_HEADER_BYTES

ERROR_PRECEDENCE = 0xC0
"""Internetwork control, what RFC 1812 section 4.3.2.5 wants in an error's TOS octet."""
TOS_WITHOUT_PRECEDENCE = 0x1E

WINDOW = 65_535
REPLY_TTL = 64

_TCP = struct.Struct("!HHIIBBHHH")
_UDP = struct.Struct("!HHHH")


def error_tos(tos: int) -> int:
    """The TOS octet of an error about a packet with this one: precedence 6, the same service."""
    return ERROR_PRECEDENCE | tos & TOS_WITHOUT_PRECEDENCE


def error_message(error: IcmpError, quoted: bytes) -> bytes:
    """The ICMP error (without IP header) that quotes a packet as received.

    Unused fields are zero; 3/4 has the next-hop MTU in the low half of the second word.

    Source: RFC 792; RFC 1191 section 4; RFC 1812 section 4.3.2.3.
    """
    body = bytes((error.icmp_type, error.code, 0, 0, 0, 0)) + error.mtu_bytes.to_bytes(2, "big")
    body += quoted[:MAX_QUOTED_BYTES]
    return body[:2] + checksum(body).to_bytes(2, "big") + body[4:]


def error_bytes(quoted_size_bytes: int) -> int:
    """The size of the IP packet of an error about a packet of this size."""
    return MIN_HEADER_BYTES + ICMP_HEADER_BYTES + min(quoted_size_bytes, MAX_QUOTED_BYTES)


def reply_message(sent: Sent, l4: int, size_bytes: int) -> bytes:
    """What an endpoint answers to a packet, without IP header.

    Args:
        sent: the request, whole.
        l4: of the reply; read for TCP (its flags) only.
        size_bytes: of a UDP answer's IP packet; ICMP and TCP answers know their own size.
    """
    if sent.proto == PROTO_ICMP:
        return echo_reply(sent.body)
    if sent.proto == PROTO_TCP:
        return tcp_reply(sent, unpack_tcp(l4).tcp_flags)
    if sent.proto == PROTO_UDP:
        return _udp_reply(sent, size_bytes)
    return b""


def echo_reply(request: bytes) -> bytes:
    """The ICMP message of the reply: the request's identifier, sequence and data (RFC 792)."""
    body = bytes((ECHO_REPLY, 0, 0, 0)) + request[4:].ljust(4, b"\0")
    return body[:2] + checksum(body).to_bytes(2, "big") + body[4:]


def reset_flags(request_flags: int) -> int:
    """The flags of the reset a closed port sends (RFC 9293 section 3.10.7.1)."""
    return RST if request_flags & ACK else RST | ACK


def tcp_reply(sent: Sent, tcp_flags: int) -> bytes:
    """The segment with these flags that answers `sent`: 20 bytes, no data, no options.

    A reset of a segment with ACK takes its sequence number from there, else it is 0 and the
    segment is acknowledged; a SYN-ACK starts at `initial_sequence` and acknowledges the SYN
    alone; anything else continues where the segment's ACK says.

    Source: RFC 9293 sections 3.10.7.1 (closed) and 3.10.7.2 (listen).
    """
    segment = segment_of(sent)
    after = (segment.sequence + segment.length) & 0xFFFF_FFFF
    if tcp_flags & RST:
        sequence, acknowledged = (0, after) if tcp_flags & ACK else (segment.acknowledged, 0)
    elif tcp_flags & SYN:
        sequence, acknowledged = initial_sequence(sent, segment), (segment.sequence + 1) & 0xFFFF_FFFF
    else:
        sequence, acknowledged = segment.acknowledged, after
    window = 0 if tcp_flags & RST else WINDOW
    return tcp_segment(
        src=sent.dst,
        dst=sent.src,
        src_port=segment.dst_port,
        dst_port=segment.src_port,
        sequence=sequence,
        acknowledged=acknowledged,
        tcp_flags=tcp_flags,
        window=window,
    )


def tcp_segment(
    *,
    src: int,
    dst: int,
    src_port: int,
    dst_port: int,
    sequence: int,
    acknowledged: int,
    tcp_flags: int,
    window: int = WINDOW,
    data: bytes = b"",
) -> bytes:
    """A TCP segment without options, its checksum right (RFC 9293 section 3.1)."""
    fields = [src_port, dst_port, sequence, acknowledged, TCP_HEADER_BYTES // 4 << 4, tcp_flags, window, 0, 0]
    fields[7] = with_pseudo_header(src, dst, PROTO_TCP, _TCP.pack(*fields) + data)
    return _TCP.pack(*fields) + data


def udp_datagram(src: int, dst: int, src_port: int, dst_port: int, data: bytes) -> bytes:
    """A UDP datagram, its checksum right (never 0, which would mean none; RFC 768)."""
    length = UDP_HEADER_BYTES + len(data)
    total = with_pseudo_header(src, dst, PROTO_UDP, _UDP.pack(src_port, dst_port, length, 0) + data)
    return _UDP.pack(src_port, dst_port, length, total or 0xFFFF) + data


def initial_sequence(sent: Sent, segment: Segment) -> int:
    """Where a listener's sequence numbers start: a function of the four-tuple alone.

    RFC 9293 section 3.4.1 adds a clock and a secret against guessing; here the same run must
    give the same bytes.
    """
    return initial_number(sent.dst, sent.src, segment.dst_port, segment.src_port)


def reply_as_received(sent: Sent, error: IcmpError, ident: int) -> bytes:
    """The reply to `sent` as whoever sends `error` about it received it.

    A reply is not kept, so its header comes from the error's columns; `ident` is the one the
    reply has, which the error carries on.
    """
    tcp_flags = error.quoted_tcp_flags or reset_flags(segment_of(sent).tcp_flags)
    body = reply_message(sent, tcp_flags << 32, error.quoted_size_bytes)
    head = header_of(
        tos=sent.tos,
        size_bytes=error.quoted_size_bytes,
        ident=ident,
        flag_bits=(DF_BIT if error.quoted_df else 0) | (MF_BIT if error.quoted_mf else 0),
        ttl=error.quoted_ttl,
        proto=sent.proto,
        src=sent.dst,
        dst=sent.src,
    )
    return (head + body).ljust(error.quoted_size_bytes, b"\0")[: error.quoted_size_bytes]


def sent_as_received(sent: Sent, error: IcmpError) -> bytes:
    """The packet that was sent as whoever sends `error` about it received it (a first fragment
    of it, perhaps).
    """
    flag_bits = sent.flag_bits | (MF_BIT if error.quoted_mf else 0)
    head = header_of(
        tos=sent.tos,
        size_bytes=error.quoted_size_bytes,
        ident=sent.ident,
        flag_bits=flag_bits,
        frag_offset=sent.frag_offset,
        ttl=error.quoted_ttl,
        proto=sent.proto,
        src=sent.src,
        dst=sent.dst,
        options=sent.options,
    )
    return (head + sent.body).ljust(error.quoted_size_bytes, b"\0")[: error.quoted_size_bytes]


def _udp_reply(sent: Sent, size_bytes: int) -> bytes:
    """A datagram back to where this one came from, zeros inside."""
    head = sent.body[:4].ljust(4, b"\0")
    ports = int.from_bytes(head[2:4], "big"), int.from_bytes(head[0:2], "big")
    data_bytes = max(size_bytes - MIN_HEADER_BYTES - UDP_HEADER_BYTES, 0)
    return udp_datagram(sent.dst, sent.src, *ports, bytes(data_bytes))
