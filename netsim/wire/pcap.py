"""Classic pcap files read into arrays: microsecond and nanosecond, either byte order, gzip too.

Whatever the link layer (Ethernet with VLAN tags, raw IP, BSD loopback, Linux cooked), a reader
gets IP packets: `Capture.packets` starts at the IP header, and a frame with something else in it
(ARP, IPv6) has length -1. A packet cut by the snapshot length keeps its length on the wire and
reads as padded with zeros, as long as its IP header is whole; `Capture.cut` says which.

A file that breaks off or makes no sense is refused whole, with the byte where it goes wrong:
half a capture would look like a network that lost packets.

Format: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/ sections 4 and 5.
"""

from __future__ import annotations

import gzip
import os
import stat
import struct
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.errors import CaptureError
from netsim.packet.packed import PackedPackets, stretches
from netsim.packet.parse import MAX_PACKET_BYTES, MIN_HEADER_BYTES
from netsim.units import NS_PER_S, NS_PER_US
from netsim.wire.link_type import LINK_TYPES, network_offsets

Ints = NDArray[np.int64]

FILE_HEADER_BYTES = 24
RECORD_HEADER_BYTES = 16
MAX_RECORD_BYTES = 262_144
"""The largest snapshot length libpcap knows; a longer record is a broken file."""
MAX_FILE_BYTES = 2**31
"""What is read into memory at most, after gzip."""

_MAGIC_US, _MAGIC_NS = 0xA1B2C3D4, 0xA1B23C4D
_MAGIC_PCAPNG = bytes.fromhex("0a0d0d0a")
_MAGIC_GZIP = bytes.fromhex("1f8b")
_READ_BYTES = 1 << 20


class Capture(NamedTuple):
    """What a capture file holds.

    Attributes:
        name: of the file, for messages.
        link_type: as in the file (1 is Ethernet, 101 raw IP).
        at_ns: int64[n], when each frame was captured, ns since 1970, in the order of the file.
        packets: n IP packets; length -1 for a frame without IPv4.
        cut: bool[n], the packet lost its end to the snapshot length.
    """

    name: str
    link_type: int
    at_ns: Ints
    packets: PackedPackets
    cut: NDArray[np.bool_]


def read_capture(path: str | os.PathLike[str], *, max_bytes: int = MAX_FILE_BYTES) -> Capture:
    """Read a capture file whole.

    Args:
        path: a regular file.
        max_bytes: refuse a file that holds more, after decompression.

    Raises:
        CaptureError: no such file, not a regular file, too large, not a capture, a link layer
            without IP, or a file that breaks off; with the byte offset (of the decompressed
            file).
    """
    name = os.fspath(path)
    return parse_capture(_content(name, max_bytes), name)


def parse_capture(data: bytes, name: str) -> Capture:
    """The capture in these bytes; `name` is what messages call it. See `read_capture`."""
    byte_order, ns_per_tick, link_type = _file_header(data, name)
    starts, words = _records(data, byte_order, name)
    buffer = np.frombuffer(data, np.uint8)
    seconds, ticks, held, on_wire = words[:, 0], words[:, 1], words[:, 2], words[:, 3]
    frames = starts + RECORD_HEADER_BYTES
    link_bytes = network_offsets(link_type, buffer, frames, held)
    is_ip = link_bytes >= 0
    link_bytes = np.maximum(link_bytes, 0)
    captured = np.where(is_ip, held - link_bytes, 0)
    # Some writers leave the original length at zero or too small; then nothing was cut. A broken
    # file may say anything, but no IP packet is larger than 65535 bytes.
    lengths = np.maximum(np.minimum(on_wire - link_bytes, MAX_PACKET_BYTES), captured)
    cut = is_ip & (lengths > captured)
    # Without a whole IP header there is no telling what the rest was: the packet is what is there.
    has_header = _header_bytes(buffer, frames + link_bytes, captured) <= captured
    lengths = np.where(is_ip, np.where(has_header, lengths, captured), -1)
    packets = PackedPackets(buffer, frames + link_bytes, captured, lengths)
    return Capture(name, link_type, seconds * NS_PER_S + ticks * ns_per_tick, packets, cut)


def _header_bytes(buffer: NDArray[np.uint8], offsets: Ints, captured: Ints) -> Ints:
    """How many bytes each packet's IP header says it has; 20 if that can't be read."""
    if not len(buffer):
        return np.full(len(offsets), MIN_HEADER_BYTES, np.int64)
    first = np.where(captured > 0, buffer[np.minimum(offsets, len(buffer) - 1)], 0).astype(np.int64)
    says: Ints = (first & 0xF) * 4
    return np.maximum(says, MIN_HEADER_BYTES)


def _file_header(data: bytes, name: str) -> tuple[str, int, int]:
    """(byte order as numpy and struct write it, ns per tick of the fraction, link type)."""
    if data[:4] == _MAGIC_PCAPNG:
        message = "this is a pcapng file, expected classic pcap; editcap -F pcap IN OUT converts it"
        raise CaptureError(name, 0, message)
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
    if link_type not in LINK_TYPES:
        known = ", ".join(f"{number} {text}" for number, text in LINK_TYPES.items())
        raise CaptureError(name, 20, f"link type {link_type} is not supported, expected one of {known}")
    return byte_order, 1 if magic == _MAGIC_NS else NS_PER_US, link_type


def _records(data: bytes, byte_order: str, name: str) -> tuple[Ints, Ints]:
    """Where each record header starts, and the headers as int64[n, 4] of 32-bit words.

    Each record says where the next one is, so this is one step per record in plain Python; the
    steps check nothing. Lengths only grow, so a wrong one can be found afterwards.
    """
    starts: list[int] = []
    captured_length = struct.Struct(f"{byte_order}I").unpack_from
    at, end = FILE_HEADER_BYTES, len(data)
    last = end - RECORD_HEADER_BYTES
    while at <= last:
        starts.append(at)
        at += RECORD_HEADER_BYTES + captured_length(data, at + 8)[0]
    found = np.array(starts, np.int64)
    words = stretches(np.frombuffer(data, np.uint8), found, RECORD_HEADER_BYTES).view(f"{byte_order}u4")
    words = words.astype(np.int64)
    too_long = np.flatnonzero(words[:, 2] > MAX_RECORD_BYTES)
    if len(too_long):
        i = int(too_long[0])
        message = f"record {i + 1} claims {words[i, 2]} captured bytes, at most {MAX_RECORD_BYTES} make sense"
        raise CaptureError(name, starts[i] + 8, message)
    if at > end:
        message = f"record {len(starts)} breaks off, its last {at - end} bytes are missing"
        raise CaptureError(name, starts[-1], message)
    if at < end:
        raise CaptureError(name, at, f"record {len(starts) + 1} breaks off inside its header")
    return found, words


def _content(name: str, max_bytes: int) -> bytes:
    """The file's bytes, decompressed if they are gzip."""
    try:
        # Non-blocking: opening a FIFO nobody writes to would wait for ever.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise CaptureError(name, 0, f"can't be opened: {error.strerror}") from None
    except ValueError:
        raise CaptureError(name, 0, "can't be opened: the name holds a null byte") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise CaptureError(name, 0, "is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        is_gzip = file.read(2) == _MAGIC_GZIP
        file.seek(0)
        if not is_gzip and status.st_size > max_bytes:
            raise _too_large(name, max_bytes)
        try:
            return _inflated(file, name, max_bytes) if is_gzip else file.read(max_bytes)
        except OSError as error:
            raise CaptureError(name, 0, f"can't be read: {error.strerror or error}") from None


def _inflated(file: object, name: str, max_bytes: int) -> bytes:
    """The decompressed content; reads in pieces, for a small file may inflate to any size."""
    content = bytearray()
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as source:  # type: ignore[call-overload]
            while piece := source.read(_READ_BYTES):
                content += piece
                if len(content) > max_bytes:
                    raise _too_large(name, max_bytes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CaptureError(name, len(content), f"gzip data is damaged: {error}") from None
    return bytes(content)


def _too_large(name: str, max_bytes: int) -> CaptureError:
    return CaptureError(name, max_bytes, f"the capture is larger than {max_bytes} bytes")
