"""Ticks of a pcapng interface's clock to nanoseconds, in exact integers.

A resolution is one byte: with its highest bit clear, ticks of 10^-n s; with it set, of 2^-n s.

Source: draft-ietf-opsawg-pcapng section 4.2, options if_tsresol and if_tsoffset.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netsim.units import NS_PER_S

MAX_NS = 2**63 - 1
_BINARY = 0x80
_NANOSECONDS = 9
# Up to here the part of a second, times 10^9, stays below 2^63.
_MAX_BITS = 33


class TickError(ValueError):
    """Tick number `index` is a time that int64 nanoseconds since 1970 can't say."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


def ticks_to_ns(ticks: NDArray[np.uint64], resolution: int, offset_s: int = 0) -> NDArray[np.int64]:
    """Nanoseconds since 1970, rounded down.

    Args:
        ticks: uint64[n].
        resolution: the byte of if_tsresol.
        offset_s: seconds to be added.

    Raises:
        TickError: before 1970 or after 2262.
    """
    offset_ns = offset_s * NS_PER_S
    if not len(ticks):
        return np.zeros(0, np.int64)
    # Time grows with ticks: if the least and the greatest fit, all do, and nothing below overflows.
    for extreme in (int(ticks.argmin()), int(ticks.argmax())):
        if not 0 <= _exact_ns(int(ticks[extreme]), resolution) + offset_ns <= MAX_NS:
            raise TickError(extreme)
        if _exact_ns(int(ticks[extreme]), resolution) > MAX_NS:
            return np.array([_exact_ns(tick, resolution) + offset_ns for tick in ticks.tolist()], np.int64)
    since: NDArray[np.uint64]
    exponent = resolution & ~_BINARY
    if not resolution & _BINARY:
        if exponent <= _NANOSECONDS:
            since = ticks * np.uint64(10 ** (_NANOSECONDS - exponent))
        else:
            divisor = 10 ** (exponent - _NANOSECONDS)
            since = ticks // np.uint64(divisor) if divisor < 2**64 else np.zeros_like(ticks)
    elif exponent <= _MAX_BITS:
        bits = np.uint64(exponent)
        parts = ticks & np.uint64((1 << exponent) - 1)
        since = (ticks >> bits) * np.uint64(NS_PER_S) + (parts * np.uint64(NS_PER_S) >> bits)
    else:
        since = np.array([_exact_ns(tick, resolution) for tick in ticks.tolist()], np.uint64)
    return since.astype(np.int64) + offset_ns


def _exact_ns(ticks: int, resolution: int) -> int:
    exponent = resolution & ~_BINARY
    return ticks * NS_PER_S >> exponent if resolution & _BINARY else ticks * NS_PER_S // 10**exponent
