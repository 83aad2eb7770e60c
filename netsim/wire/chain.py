"""Chains of records, each of which says where the next one starts: the backbone of a capture file.

Following one is a read for each record, every read waiting for the one before it. So a long chain is
walked from many places at once, in step: the file is cut into lanes, the first record behind each cut
is guessed from what follows it, and all lanes go one record further with each handful of numpy calls.

A guess needs no trust. The first lane starts on a record that is known; if every lane ends where the next
one started, all are right, by induction. A lane whose guess was wrong is walked again, one record after the
other, from where the lane before it ended.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.packet.packed import stretches
from netsim.wire.capture import Bytes

Ints = NDArray[np.int64]
Buffer = NDArray[np.uint8]

LANES = 512
LEAST_LANES = 32
"""A step in step costs as much as some thirty records one after the other."""
LANE_BYTES = 1 << 15
"""The least a lane is made for."""
WINDOW_BYTES = 1 << 11
"""How far behind a cut its record is looked for."""
PROOF_STEPS = 6
"""So many records must follow a place before it is taken for one."""


class Link(NamedTuple):
    """How a record says where the next one is: max(its 32-bit word at `length_at`, `least`) + `fixed` bytes on.

    `most`: longer ones are not guessed at.
    """

    byte_order: str
    length_at: int
    header_bytes: int
    fixed: int
    least: int
    most: int


def walk(data: Bytes, first: int, link: Link) -> tuple[Ints, int]:
    """Where records start, and where the last one would end; a header that is not whole is none.

    Lengths are taken as they are: only the first senseless one, by place, says something.
    """
    cuts = _cuts(len(data) - first) + first
    if not len(cuts):
        return _walk_alone(data, first, len(data), link)
    buffer = np.frombuffer(data, np.uint8)
    firsts = np.append(first, _guesses(buffer, cuts, link))
    starts, ends = _walk_in_step(buffer, firsts, link)
    if (ends[:-1] != firsts[1:]).any():
        starts, ends = _mended(data, starts, ends, firsts, link)
    return starts, int(ends[-1])


def _cuts(size: int) -> Ints:
    lanes = min(LANES, size // LANE_BYTES)
    return np.arange(1, lanes) * (size // lanes) if lanes >= LEAST_LANES else np.zeros(0, np.int64)


def _walk_alone(data: Bytes, at: int, bound: int, link: Link) -> tuple[Ints, int]:
    """One record after the other, up to the first at or behind `bound`."""
    starts: list[int] = []
    length_of = struct.Struct(f"{link.byte_order}I").unpack_from
    length_at, fixed, least = link.length_at, link.fixed, link.least
    bound = min(bound, len(data) - link.header_bytes + 1)
    while at < bound:
        starts.append(at)
        length = length_of(data, at + length_at)[0]
        at += fixed + (max(least, length))
    return np.array(starts, np.int64), at


def _walk_in_step(buffer: Buffer, firsts: Ints, link: Link) -> tuple[Ints, Ints]:
    """The records of all lanes in order of place, and where each lane ended: where the next one starts, or behind."""
    words = _words_at(buffer, link)
    last = len(buffer) - link.header_bytes + 1
    bounds = np.minimum(np.append(firsts[1:], last), last)
    ends = firsts.copy()
    lanes = np.flatnonzero(firsts < bounds)
    at, bound = firsts[lanes], bounds[lanes]
    steps = []
    counts = np.zeros_like(firsts)
    while len(lanes):
        steps.append((lanes, at))
        at = at + (np.maximum(words[at].view(f"{link.byte_order}u4").astype(np.int64), link.least) + link.fixed)
        goes_on = at < bound
        if np.count_nonzero(goes_on) < len(lanes):
            stopped = lanes[~goes_on]
            ends[stopped], counts[stopped] = at[~goes_on], len(steps)
            lanes, at, bound = lanes[goes_on], at[goes_on], bound[goes_on]
    places = np.cumsum(counts) - counts
    starts = np.empty(counts.sum(), np.int64)
    for k, (lanes, at) in enumerate(steps):
        starts[places[lanes] + k] = at
    return starts, ends


def _words_at(buffer: Buffer, link: Link) -> NDArray[np.void]:
    """The length field of a record at every place there is, overlapping."""
    return np.ndarray((len(buffer) - link.length_at - 3,), "V4", buffer, offset=link.length_at, strides=(1,))


def _guesses(buffer: Buffer, cuts: Ints, link: Link) -> Ints:
    """Places that look like records, growing, at most one for each cut, somewhere behind it.

    `PROOF_STEPS` records behind the first place that is followed by so many: from a wrong place, chances are
    that one of these steps hit the chain.
    """
    size = WINDOW_BYTES + link.length_at + 4
    cuts_inside = cuts[cuts + size <= len(buffer)]
    windows = stretches(buffer, cuts_inside, size)
    # Lengths are short of 2^24: their high byte and the one below it sort out nearly everything.
    high, below = (3, 2) if link.byte_order == "<" else (0, 1)
    high, below = link.length_at + high, link.length_at + below
    likely = windows[:, high : high + WINDOW_BYTES] == 0
    likely &= windows[:, below : below + WINDOW_BYTES] <= link.most >> 16
    place = np.flatnonzero(likely)
    lane = place // WINDOW_BYTES
    at = cuts_inside[lane] + place % WINDOW_BYTES
    words = _words_at(buffer, link)
    last = len(buffer) - link.header_bytes
    for _ in range(PROOF_STEPS):
        length = words[at].view(f"{link.byte_order}u4").astype(np.int64)
        at += link.fixed + length
        good = (length > link.least) & (length <= link.most) & (at <= last)
        at, lane = at[good], lane[good]
    is_first = np.append(True, lane[1:] != lane[:-1])[: len(lane)]
    found = at[is_first]
    # A wrong step leads far ahead, never back: what lies behind a later cut's find is dropped.
    least_later = np.minimum.accumulate(np.append(found, len(buffer))[::-1])[::-1]
    ordered: Ints = found[found < least_later[1:]]
    return ordered


def _mended(data: Bytes, starts: Ints, ends: Ints, firsts: Ints, link: Link) -> tuple[Ints, Ints]:
    """The same with every lane that started in the wrong place walked again."""
    bounds = np.append(firsts[1:], len(data))
    edges = np.searchsorted(starts, np.append(firsts[0], bounds))
    pieces = []
    at = int(firsts[0])
    for k in range(len(firsts)):
        piece = starts[edges[k] : edges[k + 1]]
        if at != firsts[k]:
            piece, ends[k] = _walk_alone(data, at, int(bounds[k]), link)
        pieces.append(piece)
        at = int(ends[k])
    return np.concatenate(pieces), ends
