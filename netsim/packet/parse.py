"""IP bytes -> packet columns, one packet: the border where wire bytes become a row.

What is looked at, in this order (RFC 1812 section 5.2.2, the order of Linux's ip_rcv):

1. version: 6 is `NOT_IPV4`, anything but 4 `MALFORMED`;
2. header length: at least 20 bytes and all of them there, else `MALFORMED`;
3. header checksum, else `BAD_CHECKSUM`;
4. total length: at least the header, at most what is there, else `MALFORMED`. What lies behind
   it is Ethernet padding and cut;
5. options: each has a length that stays inside the header, else `MALFORMED`. What an option
   says (a source route, a timestamp) is not obeyed: the emulated routers forward it as it is.

Transport checksums are not looked at: captures taken on a sending host seldom hold right ones.
`parse_many` says the same of many packets at once, bit for bit.
"""

from __future__ import annotations

from typing import NamedTuple

from netsim.dataplane.batch import DF, MF, PROTO_ICMP, PROTO_TCP, PROTO_UDP, SYN, pack_icmp, pack_ports, pack_tcp
from netsim.dataplane.disposition import Disposition
from netsim.packet.checksum import checksum

MIN_HEADER_BYTES = 20
MAX_PACKET_BYTES = 0xFFFF
UDP_HEADER_BYTES = 8
TCP_HEADER_BYTES = 20
ICMP_HEADER_BYTES = 8
ECHO_REPLY, ECHO_REQUEST = 0, 8
END_OF_OPTIONS, NO_OPERATION = 0, 1
MSS_OPTION, MSS_OPTION_BYTES = 2, 4
PARSED_COLUMNS = (
    "src", "dst", "size_bytes", "ttl", "proto", "l4", "flags", "frag_offset", "ident", "header_bytes", "tcp_seq",
    "tcp_ack", "window", "ts_echo",
)  # fmt: skip
"""What the bytes of a packet decide of its row."""


class ParsedPacket(NamedTuple):
    """A packet as its columns.

    `row`: src, dst, size_bytes, ttl, proto, l4, flags (DF, MF), frag_offset, ident,
    header_bytes and, of TCP, tcp_seq, tcp_ack, window and, of a SYN, its MSS option in
    `ts_echo` (0: none); the caller adds the others. Of a `BAD_CHECKSUM` packet the header's own
    columns are as found, l4 is 0 and size_bytes is the number of bytes given; of a `MALFORMED`
    or `NOT_IPV4` one everything but that size is 0 (sizes over 65535 count as 65535).
    `disposition`: `IN_FLIGHT` if it may go on, else what ends it.
    `payload_bytes`: above the UDP or TCP header in this packet, 0 of other protocols. A
    non-first fragment is payload whole, so the fragments' payloads sum to the datagram's.
    """

    row: dict[str, int]
    disposition: Disposition
    payload_bytes: int


def parse_ip(raw: bytes | None) -> ParsedPacket:
    """The columns of one IP packet; never raises, for any bytes.

    Args:
        raw: from the first byte of the IP header on; trailing bytes are cut. None stands for a
            frame that carries something else (ARP): `NOT_IPV4`.
    """
    if raw is None:
        return _refused(0, Disposition.NOT_IPV4)
    n = len(raw)
    version = raw[0] >> 4 if n else 0
    if version == 6:
        return _refused(n, Disposition.NOT_IPV4)
    header_bytes = (raw[0] & 0xF) * 4 if n else 0
    if version != 4 or not MIN_HEADER_BYTES <= header_bytes <= n:
        return _refused(n, Disposition.MALFORMED)
    row = _header_columns(raw, header_bytes)
    if checksum(raw[:header_bytes]):
        row["size_bytes"] = min(n, MAX_PACKET_BYTES)
        return ParsedPacket(row, Disposition.BAD_CHECKSUM, 0)
    if not header_bytes <= row["size_bytes"] <= n or not options_parse(raw[MIN_HEADER_BYTES:header_bytes]):
        return _refused(n, Disposition.MALFORMED)
    body = raw[header_bytes : row["size_bytes"]]
    row["l4"], payload_bytes = _transport(row["proto"], row["frag_offset"], row["flags"] & MF, body)
    if row["proto"] == PROTO_TCP and row["l4"]:
        row["tcp_seq"], row["tcp_ack"] = int.from_bytes(body[4:8], "big"), int.from_bytes(body[8:12], "big")
        row["window"] = int.from_bytes(body[14:16], "big")
        if body[13] & SYN:
            row["ts_echo"] = mss_of(body[TCP_HEADER_BYTES : (body[12] >> 4) * 4])
    return ParsedPacket(row, Disposition.IN_FLIGHT, payload_bytes)


def options_parse(options: bytes) -> bool:
    """Whether every option up to the end-of-list one has a length and lies inside (RFC 791 3.1)."""
    i = 0
    while i < len(options) and options[i] != END_OF_OPTIONS:
        if options[i] == NO_OPERATION:
            i += 1
            continue
        if i + 1 >= len(options) or options[i + 1] < 2:
            return False
        i += options[i + 1]
    return i <= len(options)


def mss_of(options: bytes) -> int:
    """What the MSS option of a TCP header says, 0 without one (RFC 9293 section 3.2)."""
    i = 0
    while i + 1 < len(options) and options[i] != END_OF_OPTIONS:
        length = 1 if options[i] == NO_OPERATION else options[i + 1]
        if length < 1 or i + length > len(options):
            break
        if options[i] == MSS_OPTION and length == MSS_OPTION_BYTES:
            return int.from_bytes(options[i + 2 : i + 4], "big")
        i += length
    return 0


def _refused(n: int, disposition: Disposition) -> ParsedPacket:
    row = dict.fromkeys(PARSED_COLUMNS, 0)
    row["size_bytes"] = min(n, MAX_PACKET_BYTES)
    return ParsedPacket(row, disposition, 0)


def _header_columns(raw: bytes, header_bytes: int) -> dict[str, int]:
    fragment = int.from_bytes(raw[6:8], "big")
    return {
        "src": int.from_bytes(raw[12:16], "big"),
        "dst": int.from_bytes(raw[16:20], "big"),
        "size_bytes": int.from_bytes(raw[2:4], "big"),
        "ttl": raw[8],
        "proto": raw[9],
        "l4": 0,
        "flags": (DF if fragment & 0x4000 else 0) | (MF if fragment & 0x2000 else 0),
        "frag_offset": (fragment & 0x1FFF) * 8,
        "ident": int.from_bytes(raw[4:6], "big"),
        "header_bytes": header_bytes,
        "tcp_seq": 0,
        "tcp_ack": 0,
        "window": 0,
        "ts_echo": 0,
    }


def _transport(proto: int, frag_offset: int, more: int, body: bytes) -> tuple[int, int]:
    """(l4, payload_bytes) of what follows the IP header.

    A header that is not all there, or lies about its length as no sender would, gives l4 = 0:
    nobody could answer it.
    """
    n = len(body)
    if frag_offset:
        return 0, n if proto in (PROTO_UDP, PROTO_TCP) else 0
    if proto == PROTO_UDP and n >= UDP_HEADER_BYTES:
        udp_bytes = int.from_bytes(body[4:6], "big")
        if udp_bytes < UDP_HEADER_BYTES or (udp_bytes > n and not more):
            return 0, 0
        ports = pack_ports(int.from_bytes(body[0:2], "big"), int.from_bytes(body[2:4], "big"))
        return ports, min(udp_bytes, n) - UDP_HEADER_BYTES
    if proto == PROTO_TCP and n >= TCP_HEADER_BYTES:
        tcp_header_bytes = (body[12] >> 4) * 4
        if not TCP_HEADER_BYTES <= tcp_header_bytes <= n:
            return 0, 0
        l4 = pack_tcp(int.from_bytes(body[0:2], "big"), int.from_bytes(body[2:4], "big"), body[13])
        return l4, n - tcp_header_bytes
    if proto == PROTO_ICMP and n >= ICMP_HEADER_BYTES:
        if body[0] not in (ECHO_REPLY, ECHO_REQUEST):
            return pack_icmp(body[0], body[1]), 0
        return pack_icmp(body[0], body[1], int.from_bytes(body[4:6], "big"), int.from_bytes(body[6:8], "big")), 0
    return 0, 0
