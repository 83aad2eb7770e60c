"""Fragments back to the datagram they were cut from, in bytes.

The rules are RFC 791 section 3.2's, and for fragments that overlap Linux's: an exact duplicate
is ignored, a partial overlap spoils the datagram (it is an attack or damage, RFC 5722 section 1).
"""

from __future__ import annotations

from collections.abc import Iterable

from netsim.packet.header import MF_BIT, header_of
from netsim.packet.parse import MAX_PACKET_BYTES, MIN_HEADER_BYTES
from netsim.packet.sent import Sent, take_apart

MAX_UNFINISHED = 1024

Key = tuple[int, int, int, int]


def reassemble(fragments: Iterable[bytes]) -> bytes | None:
    """The datagram that these fragments, in any order, are the pieces of.

    Args:
        fragments: IP packets of one datagram (same source, destination, protocol and ident).

    Returns:
        The whole packet: the first fragment's header with its total length, offset and
        more-fragments bit set right, and all data. None if a piece is missing, two overlap in
        part, or the whole would exceed 65535 bytes. A packet that is no fragment is returned
        as it is.
    """
    pieces: dict[int, tuple[bytes, Sent]] = {}
    for raw in fragments:
        sent = take_apart(raw)
        if sent is None:
            return None
        held = pieces.setdefault(sent.frag_offset, (raw, sent))
        if held[1].body != sent.body:
            return None
    end = 0
    last = None
    for offset in sorted(pieces):
        last = pieces[offset][1]
        if offset != end:
            return None
        end += len(last.body)
    if last is None or last.flag_bits & MF_BIT:
        return None
    return _joined(pieces[0], b"".join(pieces[offset][1].body for offset in sorted(pieces)))


def _joined(first: tuple[bytes, Sent], body: bytes) -> bytes | None:
    raw, sent = first
    size_bytes = MIN_HEADER_BYTES + len(sent.options) + len(body)
    if size_bytes > MAX_PACKET_BYTES:
        return None
    head = header_of(
        tos=sent.tos,
        size_bytes=size_bytes,
        ident=sent.ident,
        flag_bits=sent.flag_bits & ~MF_BIT,
        ttl=raw[8],
        proto=sent.proto,
        src=sent.src,
        dst=sent.dst,
        options=sent.options,
    )
    return head + body


class KeptFragments:
    """Of packets kept by number, which ones are pieces of one datagram.

    Identifications come round: a fragment begins another datagram when its own is whole already,
    or has a piece with other data in its place.
    """

    def __init__(self) -> None:
        self._unfinished: dict[Key, list[bytes]] = {}
        self._pieces_of: dict[int, list[bytes]] = {}

    def add(self, number: int, raw: bytes) -> None:
        """Packet `number` is kept; what is no fragment is passed over."""
        sent = take_apart(raw)
        if sent is None or not (sent.frag_offset or sent.flag_bits & MF_BIT):
            return
        key = _key(sent)
        pieces = self._unfinished.get(key)
        if pieces is None or _contradicts(pieces, sent):
            pieces = self._unfinished[key] = []
        pieces.append(raw)
        self._pieces_of[number] = pieces
        if any(_is_last(piece) for piece in pieces) and reassemble(pieces) is not None:
            del self._unfinished[key]

    def whole_of(self, number: int, raw: bytes) -> bytes:
        """The datagram that packet `number` is a piece of; `raw`, which is the packet itself, when it is
        no fragment or pieces are missing.
        """
        return reassemble(self._pieces_of.get(number, [])) or raw


class Reassembler:
    """Takes packets one by one and gives back whole ones.

    Holds the pieces of at most `MAX_UNFINISHED` datagrams; beyond that the one begun first is
    given up, as a host's memory limit would have it. Has no clock: it never times out.
    """

    def __init__(self) -> None:
        self._pieces: dict[Key, list[bytes]] = {}

    def __len__(self) -> int:
        """Datagrams begun and not whole."""
        return len(self._pieces)

    def add(self, raw: bytes) -> bytes | None:
        """The packet, if it is whole or makes a datagram whole; else None.

        What does not parse is whole for this purpose: it is handed on as it came.
        """
        sent = take_apart(raw)
        if sent is None or not (sent.frag_offset or sent.flag_bits & MF_BIT):
            return raw
        key = _key(sent)
        pieces = self._pieces.setdefault(key, [])
        pieces.append(raw)
        # Whole at the earliest when a last fragment is there; only then is it worth a try.
        whole = reassemble(pieces) if any(_is_last(piece) for piece in pieces) else None
        if whole is not None:
            del self._pieces[key]
        elif len(self._pieces) > MAX_UNFINISHED:
            del self._pieces[next(iter(self._pieces))]
        return whole


def _key(sent: Sent) -> Key:
    return sent.src, sent.dst, sent.proto, sent.ident


def _contradicts(pieces: Iterable[bytes], other: Sent) -> bool:
    held = (take_apart(piece) for piece in pieces)
    return any(sent is not None and sent.frag_offset == other.frag_offset and sent.body != other.body for sent in held)


def _is_last(raw: bytes) -> bool:
    return not raw[6] & MF_BIT >> 8
