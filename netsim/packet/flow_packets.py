"""The bytes of the packets a generated flow sends: packet `seq` is a function of the flow and seq.

Payload: the flow number (4 bytes), the packet's seq (8 bytes), both big-endian, then the
counting bytes 0, 1, .. 255, 0 .., cut at the packet's end. So a capture says which packet it
shows, and a packet mixed up with another never passes for it.

`frames_of` builds many at once: one template, with the columns that differ patched in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane.batch import PROTO_ICMP, PROTO_UDP
from netsim.errors import InvalidError
from netsim.packet.answer import udp_datagram
from netsim.packet.checksum import checksum, patched_many
from netsim.packet.header import DF_BIT, header_of
from netsim.packet.packed import PackedPackets
from netsim.packet.parse import (
    ECHO_REQUEST,
    MAX_PACKET_BYTES,
    MIN_HEADER_BYTES,
    UDP_HEADER_BYTES,
)

NUMBERS_BYTES = 12
_COUNTING = bytes(range(256)) * (MAX_PACKET_BYTES // 256 + 1)

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPackets:
    """The packets of one generated UDP or ICMP echo flow.

    Attributes:
        flow: number of the flow, 0..2^32-1.
        src: address of the sender.
        dst: address of the receiver.
        proto: `PROTO_UDP` or `PROTO_ICMP` (echo requests).
        src_port: UDP source port; the echo identifier of ICMP.
        dst_port: UDP destination port; ICMP: unused.
        packet_bytes: of the whole IP packet, 28..65535.
        df: the don't-fragment bit.
        ttl: as sent.
        tos: the whole octet.

    Raises:
        InvalidError: another protocol, or a size outside 28..65535.
    """

    flow: int
    src: int
    dst: int
    proto: int = PROTO_UDP
    src_port: int = 0
    dst_port: int = 0
    packet_bytes: int = 1500
    df: bool = False
    ttl: int = 64
    tos: int = 0

    def __post_init__(self) -> None:
        if self.proto not in (PROTO_UDP, PROTO_ICMP):
            raise InvalidError(
                f"flow {self.flow}: proto is {self.proto}, accepted 17 (UDP) and 1 (ICMP)", field="proto"
            )
        low = MIN_HEADER_BYTES + UDP_HEADER_BYTES
        if not low <= self.packet_bytes <= MAX_PACKET_BYTES:
            given = f"flow {self.flow}: packet_bytes is {self.packet_bytes}"
            raise InvalidError(f"{given}, accepted {low}..{MAX_PACKET_BYTES}", field="packet_bytes")

    def packet(self, seq: int) -> bytes:
        """The IP packet number `seq` (0..2^63-1) as sent; its ident is `ident_of(seq)`."""
        body = self._message(seq)
        head = header_of(
            tos=self.tos,
            size_bytes=MIN_HEADER_BYTES + len(body),
            ident=ident_of(seq),
            flag_bits=DF_BIT if self.df else 0,
            ttl=self.ttl,
            proto=self.proto,
            src=self.src,
            dst=self.dst,
        )
        return head + body

    def packets(self, seqs: Ints, ttls: Ints | None = None) -> PackedPackets:
        """The packets with these numbers (int64[n]), each with its TTL (None: as sent)."""
        return frames_of(
            self.packet(0),
            idents=seqs & 0xFFFF,
            ttls=np.full(len(seqs), self.ttl, np.int64) if ttls is None else ttls,
            seqs=seqs,
        )

    def _message(self, seq: int) -> bytes:
        numbers = self.flow.to_bytes(4, "big") + seq.to_bytes(8, "big")
        data_bytes = self.packet_bytes - MIN_HEADER_BYTES - UDP_HEADER_BYTES
        data = (numbers + _COUNTING[: max(data_bytes - NUMBERS_BYTES, 0)])[:data_bytes]
        if self.proto == PROTO_UDP:
            return udp_datagram(self.src, self.dst, self.src_port, self.dst_port, data)
        body = bytes((ECHO_REQUEST, 0, 0, 0)) + self.src_port.to_bytes(2, "big") + (seq & 0xFFFF).to_bytes(2, "big")
        body += data
        return body[:2] + checksum(body).to_bytes(2, "big") + body[4:]


def ident_of(seq: int) -> int:
    """The IP identification of packet `seq` of a flow: the low 16 bits of its number."""
    return seq & 0xFFFF


def frames_of(template: bytes, *, idents: Ints, ttls: Ints, seqs: Ints | None = None) -> PackedPackets:
    """n copies of an IP packet, each with its own ident and TTL, checksums right.

    The checksums are patched from the template's (RFC 1624), so the cost per packet is the copy
    and a few columns, whatever the packet's length.

    Args:
        template: a whole IP packet. With `seqs` it is `FlowPackets.packet` of some number.
        idents: int64[n], 0..65535.
        ttls: int64[n], 0..255.
        seqs: int64[n]; the number written into the payload, the echo sequence and the transport
            checksum. None: the payload stays the template's.

    Returns:
        n packets of len(template) bytes, one behind the other.
    """
    n, size = len(idents), len(template)
    frames = np.empty((n, size), np.uint8)
    frames[:] = np.frombuffer(template, np.uint8)
    words = _Words(frames, template)
    old_header = words.at(4) + words.at(8)
    new_header = idents + (ttls << 8 | template[9])
    words.put(4, idents)
    frames[:, 8] = ttls
    words.patch_checksum(10, old_header, new_header)
    if seqs is not None:
        _number(words, seqs, (template[0] & 0xF) * 4, template[9])
    return PackedPackets(frames.reshape(-1), np.arange(n, dtype=np.int64) * size, np.full(n, size, np.int64))


class _Words:
    """Frames of one size, their 16-bit big-endian words read from the template and written to all."""

    def __init__(self, frames: NDArray[np.uint8], template: bytes) -> None:
        self.frames = frames
        self.template = template

    def at(self, place: int) -> int:
        return int.from_bytes(self.template[place : place + 2].ljust(2, b"\0"), "big")

    def put(self, place: int, words: Ints) -> None:
        self.frames[:, place] = words >> 8
        if place + 1 < self.frames.shape[1]:
            self.frames[:, place + 1] = words & 0xFF

    def patch_checksum(self, place: int, old: int, new: Ints) -> None:
        n = len(new)
        old_sums = np.full(n, old, np.int64)
        self.put(place, patched_many(np.full(n, self.at(place), np.int64), old_sums, new))


def _number(words: _Words, seqs: Ints, at: int, proto: int) -> None:
    """Write `seqs` into the payload of frames whose transport header starts at `at`."""
    size = words.frames.shape[1]
    first = at + UDP_HEADER_BYTES + 4
    places = [(place, 48 - 8 * (place - first)) for place in range(first, min(first + 8, size), 2)]
    old, new = 0, np.zeros(len(seqs), np.int64)
    for place, shift in places:
        # A last byte alone is the high half of a word padded with zero.
        mask = 0xFFFF if place + 1 < size else 0xFF00
        column = seqs >> shift & mask
        old, new = old + words.at(place), new + column
        words.put(place, column)
    if proto == PROTO_UDP:
        words.patch_checksum(at + 6, old, new)
        # 0 would say "no checksum" (RFC 768); in one's complement ffff is the same sum.
        none = (words.frames[:, at + 6] == 0) & (words.frames[:, at + 7] == 0)
        words.frames[none, at + 6 : at + 8] = 0xFF
    elif proto == PROTO_ICMP:
        old, new = old + words.at(at + 6), new + (seqs & 0xFFFF)
        words.put(at + 6, seqs & 0xFFFF)
        words.patch_checksum(at + 2, old, new)
