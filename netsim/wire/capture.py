"""Capture: the IP packets of a capture file, whatever the format of the file and its link layers.

Whatever the link layer (Ethernet with VLAN tags, raw IP, BSD loopback, Linux cooked), a reader
gets IP packets: `Capture.packets` starts at the IP header, and a frame with something else in it
(ARP, IPv6) has length -1. A packet cut by the snapshot length keeps its length on the wire and
reads as padded with zeros, as long as its IP header is whole; `Capture.cut` says which.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.errors import CaptureError
from netsim.packet.packed import PackedPackets, heads, only_held
from netsim.packet.parse import MAX_PACKET_BYTES, MIN_HEADER_BYTES
from netsim.wire.link_type import HEAD_BYTES, LINK_TYPES, network_offsets

Ints = NDArray[np.int64]
Bytes = bytes | memoryview

BLOCK = 1 << 12
"""Frames looked at in one go: what is made on the way stays in the cache's reach."""


class Capture(NamedTuple):
    """What a capture file holds.

    Attributes:
        name: of the file, for messages.
        link_type: as in the file (1 is Ethernet, 101 raw IP); of several interfaces, the first packet's.
        at_ns: int64[n], when each frame was captured, ns since 1970, in the order of the file.
        packets: n IP packets; length -1 for a frame without IPv4.
        cut: bool[n], the packet lost its end to the snapshot length.
    """

    name: str
    link_type: int
    at_ns: Ints
    packets: PackedPackets
    cut: NDArray[np.bool_]


class Frames(NamedTuple):
    """Where the n frames of a file are: they start at `starts`, `held` bytes of each are there, and
    it had `on_wire` bytes; int64[n] each, as is `link_types`.
    """

    link_types: Ints
    starts: Ints
    held: Ints
    on_wire: Ints


class Found:
    """The packets of n frames, block by block."""

    def __init__(self, n: int) -> None:
        self.offsets, self.captured, self.lengths = (np.empty(n, np.int64) for _ in range(3))
        self.cut = np.empty(n, np.bool_)

    def put(self, rows: slice, frames: Frames, first_bytes: NDArray[np.uint8]) -> None:
        """Find the packets in some frames, given `HEAD_BYTES` of each, zeros behind those held; see `Capture`."""
        link_bytes = _link_bytes(frames, first_bytes)
        is_ip = link_bytes >= 0
        link_bytes = np.maximum(link_bytes, 0)
        captured = np.where(is_ip, frames.held - link_bytes, 0)
        # Some writers leave the original length at zero or too small; then nothing was cut. A broken
        # file may say anything, but no IP packet is larger than 65535 bytes.
        lengths = np.maximum(np.minimum(frames.on_wire - link_bytes, MAX_PACKET_BYTES), captured)
        self.cut[rows] = is_ip & (lengths > captured)
        # Without a whole IP header there is no telling what the rest was: the packet is what is there.
        says = (first_bytes[np.arange(len(link_bytes)), link_bytes] & np.uint8(0xF)).astype(np.int64) * 4
        has_header = np.maximum(says, MIN_HEADER_BYTES) <= captured
        self.lengths[rows] = np.where(is_ip, np.where(has_header, lengths, captured), -1)
        self.offsets[rows], self.captured[rows] = frames.starts + link_bytes, captured

    def packets(self, buffer: NDArray[np.uint8]) -> PackedPackets:
        """All of them."""
        return PackedPackets(buffer, self.offsets, self.captured, self.lengths)


def packets_of(buffer: NDArray[np.uint8], frames: Frames) -> Found:
    """The IP packets in the frames of a file."""
    found = Found(len(frames.starts))
    for start in range(0, len(frames.starts), BLOCK):
        rows = slice(start, start + BLOCK)
        some = Frames(*(column[rows] for column in frames))
        found.put(rows, some, only_held(heads(buffer, some.starts, HEAD_BYTES), some.held))
    return found


def _link_bytes(frames: Frames, first_bytes: NDArray[np.uint8]) -> Ints:
    """`network_offsets` of frames of any link layers."""
    first = int(frames.link_types[0])
    if (frames.link_types == first).all():
        return network_offsets(first, first_bytes, frames.held)
    link_bytes = np.empty(len(frames.starts), np.int64)
    for link_type in np.unique(frames.link_types).tolist():
        mine = frames.link_types == link_type
        link_bytes[mine] = network_offsets(link_type, first_bytes[mine], frames.held[mine])
    return link_bytes


def check_link_type(link_type: int, name: str, offset: int) -> None:
    """Refuse a link layer that can't be read.

    Raises:
        CaptureError: it is none of `LINK_TYPES`.
    """
    if link_type not in LINK_TYPES:
        known = ", ".join(f"{number} {text}" for number, text in LINK_TYPES.items())
        raise CaptureError(name, offset, f"link type {link_type} is not supported, expected one of {known}")
