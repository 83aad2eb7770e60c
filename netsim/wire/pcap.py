"""Classic pcap files read into arrays: microsecond and nanosecond, either byte order.

Format: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/ sections 4 and 5.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from netsim.errors import CaptureError
from netsim.packet.packed import stretches
from netsim.units import NS_PER_S, NS_PER_US
from netsim.wire.capture import Bytes, Capture, Frames, check_link_type, packets_of
from netsim.wire.chain import Link, walk

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
    starts, words = _records(data, byte_order, name)
    buffer = np.frombuffer(data, np.uint8)
    seconds, ticks, held, on_wire = words[:, 0], words[:, 1], words[:, 2], words[:, 3]
    frames = Frames(np.full(len(starts), link_type), starts + RECORD_HEADER_BYTES, held, on_wire)
    packets, cut = packets_of(buffer, frames)
    return Capture(name, link_type, seconds * NS_PER_S + ticks * ns_per_tick, packets, cut)


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


def _records(data: Bytes, byte_order: str, name: str) -> tuple[Ints, Ints]:
    """Where each record header starts, and the headers as int64[n, 4] of 32-bit words.

    Walking checks nothing. Lengths only grow, so a wrong one can be found afterwards.
    """
    end = len(data)
    found, at = walk(data, FILE_HEADER_BYTES, _LINK._replace(byte_order=byte_order))
    words = stretches(np.frombuffer(data, np.uint8), found, RECORD_HEADER_BYTES).view(f"{byte_order}u4")
    words = words.astype(np.int64)
    too_long = np.flatnonzero(words[:, 2] > MAX_RECORD_BYTES)
    if len(too_long):
        i = int(too_long[0])
        message = f"record {i + 1} claims {words[i, 2]} captured bytes, at most {MAX_RECORD_BYTES} make sense"
        raise CaptureError(name, int(found[i]) + 8, message)
    if at > end:
        message = f"record {len(found)} breaks off, its last {at - end} bytes are missing"
        raise CaptureError(name, int(found[-1]), message)
    if at < end:
        raise CaptureError(name, at, f"record {len(found) + 1} breaks off inside its header")
    return found, words
