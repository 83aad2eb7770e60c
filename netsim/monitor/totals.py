"""Totals: the figures of a run's report for one direction of a side, over all of its samples.

Sides with equally many samples are computed together, stacked as rows of one array; each sum
runs along a row, so a side's figures do not depend on what else is in the stack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netsim.monitor.series import Series, ratio
from netsim.units import BITS_PER_BYTE, NS_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Totals:
    """One direction of a side over a series.

    `peak_bps` is the largest of the full samples (of all, if none is full: a short one holds
    a burst and would show more than the cap). `utilization_ratio` is of the caps in force.
    """

    bytes: int
    packets: int
    dropped_packets: int
    mean_bps: float
    peak_bps: float
    utilization_ratio: float


def totals_of(series: Series, direction: str) -> Totals:
    """The figures of one direction over all samples of a series; zeros over nothing."""
    return totals_of_stack(_stacked(series), direction)[0]


def _stacked(series: Series) -> Series:
    """A stack of this series alone."""
    counters = {name: column[np.newaxis] for name, column in series.counters.items()}
    times = series.start_ns[np.newaxis], series.length_ns[np.newaxis], series.cap_bps[np.newaxis]
    return Series(series.period_ns, *times, counters)


def totals_of_stack(stack: Series, direction: str) -> list[Totals]:
    """`totals_of` of each of k series with n samples: the columns of the stack are int64[k, n]."""
    counters = [stack.counters[f"{direction}_{name}"].sum(axis=1) for name in ("bytes", "packets", "dropped_packets")]
    bits = (counters[0] * BITS_PER_BYTE).astype(np.float64)
    seconds = stack.length_ns.sum(axis=1) / NS_PER_S
    capacity_bits = (stack.cap_bps * (stack.length_ns / NS_PER_S)).sum(axis=1)
    columns = (*counters, ratio(bits, seconds), _peak_bps(stack, direction), ratio(bits, capacity_bits))
    return [Totals(*figures) for figures in zip(*(column.tolist() for column in columns), strict=True)]


def _peak_bps(stack: Series, direction: str) -> NDArray[np.float64]:
    bps = stack.values(f"{direction}_bps")
    full = stack.length_ns >= stack.period_ns
    counted = full | ~full.any(axis=1, keepdims=True)
    peaks: NDArray[np.float64] = np.max(bps, axis=1, initial=0.0, where=counted)
    return peaks
