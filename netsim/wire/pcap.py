"""Classic pcap files read into arrays: microsecond and nanosecond, either byte order.

Format: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/ sections 4 and 5.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim import jit
from netsim.errors import CaptureError
from netsim.jit import i64, kernel
from netsim.packet.packed import stretches
from netsim.units import NS_PER_S, NS_PER_US
from netsim.wire.capture import Capture, Frames, check_link_type, packets_of

Ints = NDArray[np.int64]

FILE_HEADER_BYTES = 24
RECORD_HEADER_BYTES = 16
MAX_RECORD_BYTES = 262_144
"""The largest snapshot length libpcap knows; a longer record is a broken file."""

COMPILE_AT_BYTES = 64 << 20
"""Larger files are walked by a compiled kernel."""

_MAGIC_US, _MAGIC_NS = 0xA1B2C3D4, 0xA1B23C4D


def parse_pcap(data: bytes, name: str) -> Capture:
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


def _file_header(data: bytes, name: str) -> tuple[str, int, int]:
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


def _records(data: bytes, byte_order: str, name: str) -> tuple[Ints, Ints]:
    """Where each record header starts, and the headers as int64[n, 4] of 32-bit words.

    Each record says where the next one is, so this is one step per record; the steps check nothing.
    Lengths only grow, so a wrong one can be found afterwards.
    """
    end = len(data)
    starts, at = _walk_compiled(data, byte_order) if end >= COMPILE_AT_BYTES else _walk(data, byte_order)
    found = np.array(starts, np.int64)
    words = stretches(np.frombuffer(data, np.uint8), found, RECORD_HEADER_BYTES).view(f"{byte_order}u4")
    words = words.astype(np.int64)
    too_long = np.flatnonzero(words[:, 2] > MAX_RECORD_BYTES)
    if len(too_long):
        i = int(too_long[0])
        message = f"record {i + 1} claims {words[i, 2]} captured bytes, at most {MAX_RECORD_BYTES} make sense"
        raise CaptureError(name, int(found[i]) + 8, message)
    if at > end:
        message = f"record {len(starts)} breaks off, its last {at - end} bytes are missing"
        raise CaptureError(name, int(found[-1]), message)
    if at < end:
        raise CaptureError(name, at, f"record {len(starts) + 1} breaks off inside its header")
    return found, words


def _walk(data: bytes, byte_order: str) -> tuple[list[int], int]:
    """Where record headers start, and where the last record would end: in plain Python."""
    starts: list[int] = []
    captured_length = struct.Struct(f"{byte_order}I").unpack_from
    at, last = FILE_HEADER_BYTES, len(data) - RECORD_HEADER_BYTES
    while at <= last:
        starts.append(at)
        at += RECORD_HEADER_BYTES + captured_length(data, at + 8)[0]
    return starts, at


def _walk_compiled(data: bytes, byte_order: str) -> tuple[Ints, int]:
    """The same for large files, where loading the compiler (half a second) pays."""
    starts = np.empty(len(data) // RECORD_HEADER_BYTES + 1, np.int64)
    end = np.zeros(1, np.int64)
    buffer = np.frombuffer(data, np.uint8)
    count = jit.compiled(walk_records)(buffer, int(byte_order == ">"), starts, end)
    return starts[:count], int(end[0])


@kernel(is_inline=False)
def walk_records(data: Any, is_big_endian: int, starts: Any, end: Any) -> int:
    """Write where each record header starts; how many there are. `end[0]` is where the last would end."""
    at = FILE_HEADER_BYTES
    last = len(data) - RECORD_HEADER_BYTES
    count = 0
    while at <= last:
        starts[count] = at
        count += 1
        a = i64(data[at + 8])
        b = i64(data[at + 9])
        c = i64(data[at + 10])
        d = i64(data[at + 11])
        if is_big_endian:
            at += RECORD_HEADER_BYTES + (a << 24 | b << 16 | c << 8 | d)
        else:
            at += RECORD_HEADER_BYTES + (d << 24 | c << 16 | b << 8 | a)
    end[0] = at
    return count
