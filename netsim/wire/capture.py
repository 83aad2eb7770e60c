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
from netsim.packet.packed import PackedPackets
from netsim.packet.parse import MAX_PACKET_BYTES, MIN_HEADER_BYTES
from netsim.wire.link_type import LINK_TYPES, network_offsets

Ints = NDArray[np.int64]


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


def packets_of(buffer: NDArray[np.uint8], frames: Frames) -> tuple[PackedPackets, NDArray[np.bool_]]:
    """The IP packets in the frames of a file, and which of them were cut; see `Capture`."""
    link_bytes = np.full(len(frames.starts), -1, np.int64)
    for link_type in np.unique(frames.link_types).tolist():
        mine = frames.link_types == link_type
        link_bytes[mine] = network_offsets(link_type, buffer, frames.starts[mine], frames.held[mine])
    is_ip = link_bytes >= 0
    link_bytes = np.maximum(link_bytes, 0)
    starts = frames.starts + link_bytes
    captured = np.where(is_ip, frames.held - link_bytes, 0)
    # Some writers leave the original length at zero or too small; then nothing was cut. A broken
    # file may say anything, but no IP packet is larger than 65535 bytes.
    lengths = np.maximum(np.minimum(frames.on_wire - link_bytes, MAX_PACKET_BYTES), captured)
    cut = is_ip & (lengths > captured)
    # Without a whole IP header there is no telling what the rest was: the packet is what is there.
    has_header = _header_bytes(buffer, starts, captured) <= captured
    lengths = np.where(is_ip, np.where(has_header, lengths, captured), -1)
    return PackedPackets(buffer, starts, captured, lengths), cut


def check_link_type(link_type: int, name: str, offset: int) -> None:
    """Refuse a link layer that can't be read.

    Raises:
        CaptureError: it is none of `LINK_TYPES`.
    """
    if link_type not in LINK_TYPES:
        known = ", ".join(f"{number} {text}" for number, text in LINK_TYPES.items())
        raise CaptureError(name, offset, f"link type {link_type} is not supported, expected one of {known}")


def _header_bytes(buffer: NDArray[np.uint8], offsets: Ints, captured: Ints) -> Ints:
    """How many bytes each packet's IP header says it has; 20 if that can't be read."""
    if not len(buffer):
        return np.full(len(offsets), MIN_HEADER_BYTES, np.int64)
    first = np.where(captured > 0, buffer[np.minimum(offsets, len(buffer) - 1)], 0).astype(np.int64)
    says: Ints = (first & 0xF) * 4
    return np.maximum(says, MIN_HEADER_BYTES)
