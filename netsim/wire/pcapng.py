"""pcapng files read into arrays: any number of sections and interfaces, either byte order.

Enhanced, simple and (obsolete) packet blocks are packets; interface blocks say their link layer
and clock; every other block - statistics, names, secrets, custom ones - is stepped over. Comments
stay unread: a packet that says it was dropped was on its way all the same.

    file     = sections one behind the other, each begun by a section header (which has the byte order)
    section  = blocks of type, length, body, length again; interfaces are numbered from 0 in each
    time     = ticks of the interface's own resolution, plus its own offset in seconds

Format: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/ sections 3 and 4.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.errors import CaptureError
from netsim.packet.packed import stretches
from netsim.wire.capture import Bytes, Capture, Frames, check_link_type, packets_of
from netsim.wire.chain import Link, walk
from netsim.wire.ticks import TickError, ticks_to_ns

Ints = NDArray[np.int64]

PCAPNG_MAGIC = bytes.fromhex("0a0d0d0a")
BYTE_ORDER_MAGIC = 0x1A2B3C4D
SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
IF_TSRESOL, IF_TSOFFSET = 9, 14
MICROSECONDS = 6
"""The resolution of an interface that names none."""
MAX_SECTIONS = 1_000
MAX_INTERFACES = 100_000
FIRST_PIECE_BYTES = 1 << 16
MAX_GUESSED_BYTES = 1 << 18
"""A block may be longer; the walk only starts at none that is."""

_PACKETS = (OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET)
_MIN_BLOCK_BYTES = 12
_MIN_SECTION_BYTES = 28
_MIN_INTERFACE_BYTES = 20
_PACKET_HEADER_BYTES = 28  # of an enhanced and of an old packet block; four bytes of length follow the body
_SIMPLE_HEADER_BYTES = 12
_UNTIMED = -1


class Interface(NamedTuple):
    """What an interface description says; `resolution` and `offset_s` as the options have them."""

    at: int
    link_type: int
    snapshot_bytes: int
    resolution: int = MICROSECONDS
    offset_s: int = 0


class Section(NamedTuple):
    """The packets of one section: their time (-1: the block has none) and their frames."""

    at_ns: Ints
    frames: Frames


def parse_pcapng(data: Bytes, name: str) -> Capture:
    """The capture in these bytes; `name` is what messages call it.

    A simple packet block has no time: the packet was captured when the one before it was.

    Raises:
        CaptureError: not a pcapng file, one that breaks off or contradicts itself, a packet of a
            link layer without IP, or a time outside the years 1970 to 2262.
    """
    buffer = np.frombuffer(data, np.uint8)
    sections: list[Section] = []
    at = 0
    while at < len(data):
        if len(sections) == MAX_SECTIONS:
            raise CaptureError(name, at, f"there are more than {MAX_SECTIONS} sections")
        section, at = _section(data, buffer, at, name)
        sections.append(section)
    at_ns = np.concatenate([section.at_ns for section in sections])
    frames = Frames(*(np.concatenate(columns) for columns in zip(*(s.frames for s in sections), strict=True)))
    found = packets_of(buffer, frames)
    link_type = int(frames.link_types[0]) if len(frames.link_types) else 0
    return Capture(name, link_type, _filled_in(at_ns), found.packets(buffer), found.cut)


def _filled_in(at_ns: Ints) -> Ints:
    """Each packet without a time gets that of the one before it, the first ones the first there is."""
    timed = np.flatnonzero(at_ns != _UNTIMED)
    if not len(timed):
        return np.zeros_like(at_ns)
    before = np.searchsorted(timed, np.arange(len(at_ns)), side="right") - 1
    filled: Ints = at_ns[timed[np.maximum(before, 0)]]
    return filled


def _section(data: Bytes, buffer: NDArray[np.uint8], start: int, name: str) -> tuple[Section, int]:
    """The section that begins at `start`, and where the next one does."""
    byte_order = _byte_order(data, start, name)
    starts, interfaces, end = _blocks(data, start, byte_order, name)
    described = [_interface(data, at, byte_order, name) for at in interfaces]
    # (type, length) of each packet block; the length stands at its end once more.
    kinds, lengths = _words(buffer, starts, 2, byte_order)
    (again,) = _words(buffer, starts + lengths - 4, 1, byte_order)
    _refuse(again != lengths, starts, name, "the block's two lengths differ")
    is_simple = kinds == SIMPLE_PACKET
    _refuse(
        lengths < np.where(is_simple, _SIMPLE_HEADER_BYTES, _PACKET_HEADER_BYTES) + 4,
        starts,
        name,
        "the block is shorter than a packet block can be",
    )
    number = np.zeros(len(starts), np.int64)
    ticks = np.zeros(len(starts), np.uint64)
    held, on_wire = np.zeros_like(number), np.zeros_like(number)

    rows = np.flatnonzero(~is_simple)
    which, high, low, held[rows], on_wire[rows] = _words(buffer, starts[rows] + 8, 5, byte_order)
    # The obsolete block has a 16-bit number and a drop count in the same word.
    is_old = kinds[rows] == OLD_PACKET
    number[rows] = np.where(is_old, which & 0xFFFF if byte_order == "<" else which >> 16, which)
    ticks[rows] = high.astype(np.uint64) << np.uint64(32) | low.astype(np.uint64)

    simple = np.flatnonzero(is_simple)
    (on_wire[simple],) = _words(buffer, starts[simple] + 8, 1, byte_order)

    known = np.searchsorted(np.array(interfaces, np.int64), starts)
    _refuse(number >= known, starts, name, "the packet's interface has not been described before it")
    if len(simple):
        held[simple] = np.minimum(on_wire[simple], described[0].snapshot_bytes or 2**32)
    headers = np.where(is_simple, _SIMPLE_HEADER_BYTES, _PACKET_HEADER_BYTES)
    _refuse(held > lengths - headers - 4, starts, name, "the packet claims more captured bytes than its block has")

    at_ns = np.full(len(starts), _UNTIMED, np.int64)
    link_types = np.zeros(len(starts), np.int64)
    for k in np.unique(number).tolist():
        interface = described[k]
        check_link_type(interface.link_type, name, interface.at + 8)
        mine = number == k
        link_types[mine] = interface.link_type
        timed = np.flatnonzero(mine & ~is_simple)
        try:
            at_ns[timed] = ticks_to_ns(ticks[timed], interface.resolution, interface.offset_s)
        except TickError as error:
            where = int(starts[timed[error.index]]) + 12
            raise CaptureError(name, where, "the packet's time lies outside the years 1970 to 2262") from None
    return Section(at_ns, Frames(link_types, starts + headers, held, on_wire)), end


def _byte_order(data: Bytes, at: int, name: str) -> str:
    """How the section at `at` writes numbers, as numpy and struct spell it."""
    if len(data) - at < _MIN_SECTION_BYTES:
        raise CaptureError(name, at, "the file ends inside a section header")
    for byte_order in "<>":
        magic, major, minor = struct.unpack_from(f"{byte_order}IHH", data, at + 8)
        if magic == BYTE_ORDER_MAGIC:
            break
    else:
        raise CaptureError(name, at + 8, f"byte-order magic {data[at + 8 : at + 12].hex()} is no pcapng section's")
    if major != 1:
        raise CaptureError(name, at + 12, f"pcapng version {major}.{minor}, expected 1.0")
    return byte_order


def _blocks(data: Bytes, start: int, byte_order: str, name: str) -> tuple[Ints, list[int], int]:
    """Where the packet blocks and the interface blocks of a section start, and where it ends."""
    starts, kinds, lengths, at = _chain(data, start, byte_order)
    end = len(data)
    is_odd = (lengths < _MIN_BLOCK_BYTES) | (lengths % 4 > 0)
    wrong = np.flatnonzero(is_odd | (lengths > end - starts))
    if len(wrong):
        i = int(wrong[0])
        block, length = int(starts[i]), int(lengths[i])
        if is_odd[i]:
            message = f"a block of {length} bytes, expected 12 or more and a multiple of 4"
            raise CaptureError(name, block + 4, message)
        raise CaptureError(name, block, f"a block breaks off, its last {length - end + block} bytes are missing")
    if end - _MIN_BLOCK_BYTES < at < end:
        raise CaptureError(name, at, "a block breaks off inside its header")
    interfaces = starts[kinds == INTERFACE].tolist()
    if len(interfaces) > MAX_INTERFACES:
        raise CaptureError(name, start, f"there are more than {MAX_INTERFACES} interfaces")
    return starts[np.isin(kinds, _PACKETS)], interfaces, at


def _chain(data: Bytes, start: int, byte_order: str) -> tuple[Ints, Ints, Ints, int]:
    """Where the blocks of a section start, their types, their lengths unchecked, and where the last one ends."""
    buffer = np.frombuffer(data, np.uint8)
    link = Link(byte_order, 4, _MIN_BLOCK_BYTES, fixed=0, least=_MIN_BLOCK_BYTES, most=MAX_GUESSED_BYTES)
    pieces = []
    # Nothing says how long a section is: in growing pieces, so that many small ones are not walked many times.
    at, bound, piece_bytes = start, 0, FIRST_PIECE_BYTES
    while bound < len(data):
        bound = min(len(data), at + piece_bytes)
        starts, at = walk(memoryview(data)[:bound], at, link)
        kinds, lengths = _words(buffer, starts, 2, byte_order)
        others = np.flatnonzero((kinds == SECTION) & (starts > start))
        if len(others):
            n = int(others[0])
            pieces.append((starts[:n], kinds[:n], lengths[:n]))
            at = int(starts[n])
            break
        pieces.append((starts, kinds, lengths))
        piece_bytes *= 4
    starts, kinds, lengths = (np.concatenate(columns) for columns in zip(*pieces, strict=True))
    return starts, kinds, lengths, at


def _interface(data: Bytes, at: int, byte_order: str, name: str) -> Interface:
    (length,) = struct.unpack_from(f"{byte_order}I", data, at + 4)
    if length < _MIN_INTERFACE_BYTES:
        raise CaptureError(name, at, "the block is shorter than an interface description can be")
    link_type, _, snapshot_bytes = struct.unpack_from(f"{byte_order}HHI", data, at + 8)
    interface = Interface(at, link_type, snapshot_bytes)
    option, end = at + 16, at + length - 4
    while option + 4 <= end:
        code, size = struct.unpack_from(f"{byte_order}HH", data, option)
        value = option + 4
        if code == 0:
            break
        if size > end - value:
            raise CaptureError(name, option, "an option of the interface is longer than its block")
        if code == IF_TSRESOL and size >= 1:
            interface = interface._replace(resolution=data[value])
        elif code == IF_TSOFFSET and size >= 8:
            interface = interface._replace(offset_s=struct.unpack_from(f"{byte_order}q", data, value)[0])
        option = value + size + -size % 4
    return interface


def _words(buffer: NDArray[np.uint8], starts: Ints, n: int, byte_order: str) -> NDArray[np.int64]:
    """The n 32-bit words at each start, as int64[n, len(starts)]."""
    return stretches(buffer, starts, 4 * n).view(f"{byte_order}u4").astype(np.int64).reshape(-1, n).T


def _refuse(is_wrong: NDArray[np.bool_], starts: Ints, name: str, message: str) -> None:
    wrong = np.flatnonzero(is_wrong)
    if len(wrong):
        raise CaptureError(name, int(starts[wrong[0]]), message)
