"""Classic pcap files read into arrays: microsecond and nanosecond, either byte order.

Format: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/ sections 4 and 5.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from netsim.errors import CaptureError
from netsim.packet.packed import heads, only_held
from netsim.units import NS_PER_S, NS_PER_US
from netsim.wire.capture import BLOCK, Bytes, Capture, Found, Frames, check_link_type
from netsim.wire.chain import Link, walk
from netsim.wire.link_type import HEAD_BYTES

Ints = NDArray[np.int64]

FILE_HEADER_BYTES = 24
RECORD_HEADER_BYTES = 16
MAX_RECORD_BYTES = 262_144
"""The largest snapshot length libpcap knows; a longer record is a broken file."""

_MAGIC_US, _MAGIC_NS = 0xA1B2C3D4, 0xA1B23C4D
_LINK = Link("<", 8, RECORD_HEADER_BYTES, fixed=RECORD_HEADER_BYTES, least=0, most=MAX_RECORD_BYTES)


def parse_pcap(data: Bytes, name: str) -> Capture:
    """The capture in these bytes; `name` is what messages call it.

    Raises:
        CaptureError: not a pcap file, a link layer without IP, or a file that breaks off.
    """
    byte_order, ns_per_tick, link_type = _file_header(data, name)
    starts, end = walk(data, FILE_HEADER_BYTES, _LINK._replace(byte_order=byte_order))
    buffer = np.frombuffer(data, np.uint8)
    at_ns, found = np.empty(len(starts), np.int64), Found(len(starts))
    for k in range(0, len(starts), BLOCK):
        rows = slice(k, k + BLOCK)
        # A record's header and the first bytes of its frame in one go: the file is larger than the cache.
        both = heads(buffer, starts[rows], RECORD_HEADER_BYTES + HEAD_BYTES)
        words = both[:, :RECORD_HEADER_BYTES].copy().view(f"{byte_order}u4").astype(np.int64)
        seconds, ticks, held, on_wire = words.T
        _check_lengths(held, starts[rows], k, name)
        at_ns[rows] = seconds * NS_PER_S + ticks * ns_per_tick
        frames = Frames(np.full(len(held), link_type), starts[rows] + RECORD_HEADER_BYTES, held, on_wire)
        found.put(rows, frames, only_held(both[:, RECORD_HEADER_BYTES:], held))
    _check_end(starts, end, len(data), name)
    return Capture(name, link_type, at_ns, found.packets(buffer), found.cut)


def _file_header(data: Bytes, name: str) -> tuple[str, int, int]:
    """(byte order as numpy and struct write it, ns per tick of the fraction, link type)."""
    if len(data) < FILE_HEADER_BYTES:
        raise CaptureError(name, len(data), f"the file ends inside its header of {FILE_HEADER_BYTES} bytes")
    for byte_order in "<>":
        magic, major, minor = struct.unpack_from(f"{byte_order}IHH", data)
        if magic in (_MAGIC_US, _MAGIC_NS):
            break
    else:
        raise CaptureError(name, 0, f"magic number {data[:4].hex()} is no pcap file's")
    if major != 2:
        raise CaptureError(name, 4, f"pcap version {major}.{minor}, expected 2.4")
    (network,) = struct.unpack_from(f"{byte_order}I", data, 20)
    link_type = network & 0x03FF_FFFF  # above: whether a frame check sequence follows
    check_link_type(link_type, name, 20)
    return byte_order, 1 if magic == _MAGIC_NS else NS_PER_US, link_type


def _check_lengths(held: Ints, starts: Ints, before: int, name: str) -> None:
    """Refuse a senseless length: walking checks nothing, but places only grow, so the first is where it went wrong."""
    too_long = np.flatnonzero(held > MAX_RECORD_BYTES)
    if len(too_long):
        i = int(too_long[0])
        message = f"record {before + i + 1} claims {held[i]} captured bytes, at most {MAX_RECORD_BYTES} make sense"
        raise CaptureError(name, int(starts[i]) + 8, message)


def _check_end(starts: Ints, at: int, end: int, name: str) -> None:
    """Refuse a file that does not end where its last record does."""
    if at > end:
        message = f"record {len(starts)} breaks off, its last {at - end} bytes are missing"
        raise CaptureError(name, int(starts[-1]), message)
    if at < end:
        raise CaptureError(name, at, f"record {len(starts) + 1} breaks off inside its header")
