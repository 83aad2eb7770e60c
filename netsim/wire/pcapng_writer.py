"""pcapng files written from arrays: interfaces with names, nanoseconds, comments; raw IP, whole or not at all.

An interface is a place where packets were seen. Each has a description block, each packet an
enhanced packet block, and at the end each interface its statistics: how many packets came, and
how many of them the network dropped there.

Format: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/ section 4.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.errors import CaptureError
from netsim.packet.packed import PackedPackets, stretches
from netsim.version import __version__
from netsim.wire.link_type import RAW
from netsim.wire.whole_file import write_whole

Ints = NDArray[np.int64]

# Packets turned into blocks at once: some 25 MB of temporaries with full-sized packets.
BLOCK = 1 << 13

_SECTION, _INTERFACE, _STATISTICS, _ENHANCED_PACKET = 0x0A0D0D0A, 1, 5, 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_LENGTH_UNKNOWN = -1
_NANOSECONDS = b"\x09"
_COMMENT, _PACKET_FLAGS = 1, 2
_USER_APPLICATION = 4
_IF_NAME, _IF_DESCRIPTION, _IF_SPEED, _IF_TSRESOL = 2, 3, 8, 9
_RECEIVED, _DROPPED = 4, 5
_HEADER_BYTES = 28
_FLAGS_BYTES = 8
MAX_TEXT_BYTES = 65_535

UNKNOWN, INBOUND, OUTBOUND = range(3)
"""Which way a packet goes where it is seen."""


class SeenAt(NamedTuple):
    """A place where packets are seen.

    Attributes:
        name: as an interface's: `web-1`, `shop-data:local`.
        description: for people; "" for none.
        speed_bps: what it can carry, 0 when nothing says.
    """

    name: str
    description: str = ""
    speed_bps: int = 0


@dataclass(frozen=True, slots=True)
class SeenPackets:
    """n packets, and where and how each was seen.

    Attributes:
        at_ns: int64[n].
        place: int64[n], which of the places.
        direction: int64[n], `UNKNOWN`, `INBOUND` or `OUTBOUND`.
        comment: int64[n], which of the comments, -1 for none.
        packets: n packets; one held in part is written in part, with its full length beside it.
        is_dropped: bool[n], it got no further.
    """

    at_ns: Ints
    place: Ints
    direction: Ints
    comment: Ints
    packets: PackedPackets
    is_dropped: NDArray[np.bool_]


def write_pcapng(
    path: str | os.PathLike[str],
    places: Sequence[SeenAt],
    seen: SeenPackets,
    comments: Sequence[str] = (),
    *,
    epoch_ns: int = 0,
) -> None:
    """Write a capture file with an interface for each place, packets in the order given.

    Args:
        path: where; a file that exists is replaced. A pipe or device is written to directly.
        places: the interfaces, at least one if there are packets.
        seen: the packets.
        comments: that packets may have.
        epoch_ns: the moment of at_ns = 0, in ns since 1970.

    Raises:
        CaptureError: it can't be written there, or a time lies before 1970.
    """
    name = os.fspath(path)
    if len(seen.at_ns) and int(seen.at_ns.min()) + epoch_ns < 0:
        raise CaptureError(name, 0, "a packet's time lies before the year 1970")
    write_whole(name, pcapng_bytes(places, seen, comments, epoch_ns=epoch_ns))


def pcapng_bytes(
    places: Sequence[SeenAt], seen: SeenPackets, comments: Sequence[str] = (), *, epoch_ns: int = 0
) -> Iterator[bytes]:
    """The file in pieces: its header, the interfaces, the packets block after block, the statistics."""
    yield _block(
        _SECTION,
        struct.pack("<IHHq", _BYTE_ORDER_MAGIC, 1, 0, _LENGTH_UNKNOWN)
        + _options((_USER_APPLICATION, _text(f"netsim {__version__}"))),
    )
    for place in places:
        yield _interface(place)
    tails = [_options((_COMMENT, _text(comment))) for comment in comments]
    for start in range(0, len(seen.at_ns), BLOCK):
        yield _packets(seen, slice(start, start + BLOCK), tails, epoch_ns)
    last_ns = int(seen.at_ns.max()) + epoch_ns if len(seen.at_ns) else epoch_ns
    came = np.bincount(seen.place, minlength=len(places))
    lost = np.bincount(seen.place[seen.is_dropped], minlength=len(places))
    for number in range(len(places)):
        body = struct.pack("<III", number, last_ns >> 32, last_ns & 0xFFFF_FFFF)
        counts = (_RECEIVED, struct.pack("<Q", came[number])), (_DROPPED, struct.pack("<Q", lost[number]))
        yield _block(_STATISTICS, body + _options(*counts))


def _interface(place: SeenAt) -> bytes:
    options = [(_IF_NAME, _text(place.name))]
    if place.description:
        options.append((_IF_DESCRIPTION, _text(place.description)))
    if place.speed_bps:
        options.append((_IF_SPEED, struct.pack("<Q", place.speed_bps)))
    options.append((_IF_TSRESOL, _NANOSECONDS))
    return _block(_INTERFACE, struct.pack("<HHI", RAW, 0, 0) + _options(*options))


def _packets(seen: SeenPackets, rows: slice, tails: Sequence[bytes], epoch_ns: int) -> bytes:
    """The blocks of some packets; those of one size and comment are laid out together."""
    at_ns, comment = seen.at_ns[rows] + epoch_ns, seen.comment[rows]
    packets = seen.packets.take(np.arange(*rows.indices(len(seen.at_ns))))
    held = np.where(packets.lengths < 0, 0, packets.captured)
    tail_bytes = np.array([*(len(tail) for tail in tails), 4], np.int64)[comment]  # -1, no comment, is the last
    sizes = _HEADER_BYTES + held + -held % 4 + _FLAGS_BYTES + tail_bytes + 4
    starts = np.cumsum(sizes) - sizes
    out = np.zeros(int(sizes.sum()), np.uint8)
    heads = np.stack(
        [
            np.full(len(held), _ENHANCED_PACKET),
            sizes,
            seen.place[rows],
            at_ns >> 32,
            at_ns & 0xFFFF_FFFF,
            held,
            np.maximum(packets.lengths, 0),
        ],
        axis=1,
    ).astype("<u4")
    direction = np.zeros((len(held), 2), "<u4")
    direction[:, 0] = _PACKET_FLAGS | 4 << 16  # the option's code and its length
    direction[:, 1] = seen.direction[rows]
    _, kind = np.unique(held * (len(tails) + 1) + comment, return_inverse=True)
    order = np.argsort(kind, kind="stable")
    for mine in np.split(order, np.flatnonzero(np.diff(kind[order])) + 1):
        first = int(mine[0])
        size, n_held = int(sizes[first]), int(held[first])
        tail = tails[comment[first]] if comment[first] >= 0 else _options()
        block = np.zeros((len(mine), size), np.uint8)
        block[:, :_HEADER_BYTES] = heads[mine].view(np.uint8)
        block[:, _HEADER_BYTES : _HEADER_BYTES + n_held] = stretches(packets.buffer, packets.offsets[mine], n_held)
        flags_at = _HEADER_BYTES + n_held + -n_held % 4
        block[:, flags_at : flags_at + _FLAGS_BYTES] = direction[mine].view(np.uint8)
        block[:, flags_at + _FLAGS_BYTES : -4] = np.frombuffer(tail, np.uint8)
        block[:, -4:] = heads[mine, 1:2].view(np.uint8)
        # All stretches of this size there are in the file, overlapping; ours are then written whole.
        every = np.ndarray((len(out) - size + 1,), f"V{size}", out, strides=(1,))
        every[starts[mine]] = block.view(f"V{size}")[:, 0]
    return out.tobytes()


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def _options(*options: tuple[int, bytes]) -> bytes:
    """Options one behind the other, and their end."""
    listed = [struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in options]
    return b"".join(listed) + bytes(4)


def _text(text: str) -> bytes:
    """UTF-8, cut to what an option holds, never inside a character."""
    return text.encode("utf-8", "replace")[:MAX_TEXT_BYTES].decode("utf-8", "ignore").encode()
