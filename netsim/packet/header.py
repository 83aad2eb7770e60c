"""The IPv4 header: written from its fields, and its options carried into fragments."""

from __future__ import annotations

import struct

from netsim.packet.checksum import checksum
from netsim.packet.parse import END_OF_OPTIONS, MIN_HEADER_BYTES, NO_OPERATION

RESERVED_BIT, DF_BIT, MF_BIT = 0x8000, 0x4000, 0x2000
COPIED = 0x80  # the copy flag in an option's type

_BEFORE_CHECKSUM = struct.Struct("!BBHHHBB")
_ADDRESSES = struct.Struct("!II")


def header_of(
    *,
    tos: int = 0,
    size_bytes: int,
    ident: int,
    flag_bits: int = 0,
    frag_offset: int = 0,
    ttl: int,
    proto: int,
    src: int,
    dst: int,
    options: bytes = b"",
) -> bytes:
    """An IPv4 header with its checksum right.

    `tos` is the whole octet (DSCP and ECN), `size_bytes` that of the whole packet; `flag_bits`
    are `DF_BIT`, `MF_BIT`, `RESERVED_BIT` in place, as in the header's fourth word;
    `frag_offset` is in bytes, a multiple of 8; `options` are a multiple of 4 bytes, at most 40.

    Source: RFC 791 section 3.1.
    """
    version_and_length = 0x40 | (MIN_HEADER_BYTES + len(options)) // 4
    fragment = flag_bits | frag_offset // 8
    fields = (version_and_length, tos, size_bytes, ident, fragment, ttl, proto)
    ahead, behind = _BEFORE_CHECKSUM.pack(*fields), _ADDRESSES.pack(src, dst) + options
    return ahead + checksum(ahead + behind).to_bytes(2, "big") + behind


def options_of_fragment(options: bytes, room_bytes: int, *, is_first: bool) -> bytes:
    """The options of a fragment of a packet with these options, exactly `room_bytes` of them.

    The first fragment keeps all. Later ones keep those with the copy flag (RFC 791 section 3.1);
    the engine gives every fragment the header length of the packet, so no-operation octets
    stand where an option was left out. A fragment whose own header is shorter (the sender made
    it) gets the copied ones packed together.
    """
    if is_first and len(options) == room_bytes:
        return options
    kept = bytearray()
    packs = len(options) != room_bytes
    i = 0
    while i < len(options) and options[i] != END_OF_OPTIONS:
        length = 1 if options[i] == NO_OPERATION or i + 1 >= len(options) else max(options[i + 1], 1)
        if options[i] & COPIED:
            kept += options[i : i + length]
        elif not packs:
            kept += bytes([NO_OPERATION]) * length
        i += length
    return bytes(kept[:room_bytes]).ljust(room_bytes, bytes([END_OF_OPTIONS]))
