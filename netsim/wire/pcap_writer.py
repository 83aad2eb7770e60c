"""Classic pcap files written from arrays: nanoseconds, raw IP, whole or not at all.

Link type 101 (raw IP) and no made-up Ethernet: the emulated network has no layer 2 to show, and
tcpdump, Wireshark and scapy read raw IP as well.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from netsim.errors import CaptureError
from netsim.packet.packed import PackedPackets, stretches
from netsim.units import NS_PER_S
from netsim.wire.link_type import RAW
from netsim.wire.whole_file import write_whole

SNAPSHOT_BYTES = 262_144
# Packets turned into records at once: some 25 MB of temporaries with full-sized packets.
BLOCK = 1 << 13

_MAGIC_NS = 0xA1B23C4D
_HEADER = struct.Struct("<IHHiIII")
_RECORD_BYTES = 16


def write_capture(
    path: str | os.PathLike[str],
    at_ns: NDArray[np.int64],
    packets: PackedPackets,
    *,
    epoch_ns: int = 0,
) -> None:
    """Write n IP packets as a capture file.

    A packet held in part is written in part, with its full length beside it.

    Args:
        path: where; a file that exists is replaced. A pipe or device is written to directly.
        at_ns: int64[n], the time of each packet; written in the order given.
        packets: n packets.
        epoch_ns: the moment of at_ns = 0, in ns since 1970.

    Raises:
        CaptureError: it can't be written there, or a time lies outside 1970..2106, all a
            pcap file can say.
    """
    name = os.fspath(path)
    times = at_ns + epoch_ns
    if len(times) and not 0 <= times.min() <= times.max() < NS_PER_S << 32:
        raise CaptureError(name, 0, "a packet's time lies outside the years 1970 to 2106 of a pcap file")
    write_whole(name, capture_bytes(times, packets))


def capture_bytes(at_ns: NDArray[np.int64], packets: PackedPackets) -> Iterator[bytes]:
    """The file in pieces: its header, then the records of one block of packets after another."""
    yield _HEADER.pack(_MAGIC_NS, 2, 4, 0, 0, SNAPSHOT_BYTES, RAW)
    for start in range(0, len(packets), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(packets)))
        yield _records(at_ns[rows], packets.take(rows))


def _records(at_ns: NDArray[np.int64], packets: PackedPackets) -> bytes:
    held = np.where(packets.lengths < 0, 0, packets.captured)
    words = np.stack([at_ns // NS_PER_S, at_ns % NS_PER_S, held, np.maximum(packets.lengths, 0)], axis=1)
    headers = words.astype("<u4").view(np.uint8).reshape(-1, _RECORD_BYTES)
    size = int(held[0])
    if (held == size).all():
        # Packets of one size: two rectangles, several times as fast as piece by piece.
        return np.hstack([headers, stretches(packets.buffer, packets.offsets, size)]).tobytes()
    header_view, packet_view = memoryview(headers.tobytes()), packets.buffer.data
    pieces: list[memoryview] = []
    for i, (start, end) in enumerate(zip(packets.offsets.tolist(), (packets.offsets + held).tolist(), strict=True)):
        pieces.append(header_view[i * _RECORD_BYTES : (i + 1) * _RECORD_BYTES])
        pieces.append(packet_view[start:end])
    return b"".join(pieces)
