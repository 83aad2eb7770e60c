"""Latency histogram of a flow in constant memory, integers only.

Log-linear bins: 64 to each doubling, in units of 1.024 us, so that a percentile is within 0.8 %
of the truth above 66 us and within 1 us below; latencies beyond 130 s share the last bin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim.jit import kernel

UNIT_BITS = 10
SUB_BITS = 6
SUB_BINS = 1 << SUB_BITS
OCTAVES = 20
BINS = (OCTAVES + 2) * SUB_BINS


@kernel
def bit_length(value: int) -> int:
    """Number of bits of a non-negative int64 (0 has none)."""
    bits = 0
    for step in (32, 16, 8, 4, 2, 1):
        if value >> step:
            value = value >> step
            bits += step
    if value:
        bits += 1
    return bits


@kernel
def bin_of(latency_ns: int) -> int:
    """The bin of a latency."""
    value = latency_ns >> UNIT_BITS
    if value < SUB_BINS:
        return value
    octave = bit_length(value) - SUB_BITS - 1
    at = (octave << SUB_BITS) + (value >> octave)
    if at >= BINS:
        return BINS - 1
    return at


@kernel
def count(histogram: Any, flow: int, latency_ns: int) -> None:
    """Count one latency of the flow."""
    histogram[flow * BINS + bin_of(latency_ns)] += 1


def percentile_ns(bins: NDArray[np.int32], percent: float) -> int:
    """The latency below which `percent` of the counted ones lie (nearest rank), at the middle of
    its bin; 0 when nothing was counted.
    """
    total = int(bins.sum())
    if total == 0:
        return 0
    rank = max(1, -(-total * round(percent * 1000) // 100_000))
    at = int(np.searchsorted(np.cumsum(bins, dtype=np.int64), rank))
    if at < SUB_BINS:
        return (2 * at + 1) << UNIT_BITS >> 1
    octave = (at >> SUB_BITS) - 1
    low = at - (octave << SUB_BITS) << octave
    return (2 * low + (1 << octave)) << UNIT_BITS >> 1
