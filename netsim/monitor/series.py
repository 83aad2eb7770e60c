"""Series: the samples of one side of one connection, in order; rolled up and queried.

A roll-up groups samples by the period their start lies in, on a grid from time 0. Counters
add up, so nothing is gained or lost. A period without samples has no point: gaps stay gaps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from netsim.errors import InvalidError
from netsim.monitor.metrics import STATISTICS, Direction, Metric, check_statistics, metric_named
from netsim.units import BITS_PER_BYTE, NS_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

Number = TypeVar("Number", np.int64, np.float64)

COUNTERS: Final = tuple(
    f"{direction}_{counter}"
    for direction in ("egress", "ingress")
    for counter in ("bytes", "packets", "dropped_bytes", "dropped_packets")
)
"""The columns of a series that add up."""


@dataclass(frozen=True, slots=True)
class Point:
    """One period of a query.

    Attributes:
        start_ns: where the period starts, in the clock of the query.
        statistics: by name, those that were asked for. `average` is what one sample over the
            period's samples would show (time-weighted for rates; of the sums for ratios; per
            sample for bytes); `sum`, `maximum`, `minimum` are over the samples' values.
    """

    start_ns: int
    statistics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Series:
    """Samples of one side, as columns of equal length, ascending by start.

    Attributes:
        period_ns: base period; single samples may be shorter.
        start_ns: int64[n], start of each sample.
        length_ns: int64[n], its length.
        cap_bps: int64[n], the cap in force (the mean over the sample if it was resized).
        counters: `COUNTERS`, each int64[n].
    """

    period_ns: int
    start_ns: NDArray[np.int64]
    length_ns: NDArray[np.int64]
    cap_bps: NDArray[np.int64]
    counters: Mapping[str, NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.start_ns)

    def values(self, name: str) -> NDArray[np.float64]:
        """The metric of each sample, float64[n].

        Raises:
            InvalidError: no such metric.
        """
        metric = metric_named(name)
        return ratio(*_parts(self, metric))

    def total(self, counter: str) -> int:
        """The sum of a counter over all samples, exact."""
        return int(self.counters[counter].sum())

    def window(self, start_ns: int, end_ns: int) -> Series:
        """The samples that start in [start_ns, end_ns)."""
        low, high = (int(place) for place in np.searchsorted(self.start_ns, (start_ns, end_ns)))
        return self._take(slice(low, high))

    def at_times(self, start_ns: NDArray[np.int64]) -> Series:
        """The same samples with other (ascending) starts: the packet times in another clock."""
        return Series(self.period_ns, start_ns, self.length_ns, self.cap_bps, self.counters)

    def roll_up(self, period_ns: int) -> Series:
        """Samples of a longer period; starts move to the grid, lengths and counters add up.

        Raises:
            InvalidError: `period_ns` is no multiple of the base period.
        """
        starts, firsts = _groups(self, period_ns)
        length_ns = _sums(self.length_ns, firsts)
        # In floats: the product of a cap and a day passes int64.
        area = _sums(self.cap_bps.astype(np.float64) * self.length_ns, firsts)
        cap_bps = np.where(length_ns > 0, np.rint(area / np.maximum(length_ns, 1)), self.cap_bps[firsts])
        counters = {name: _sums(column, firsts) for name, column in self.counters.items()}
        return Series(period_ns, starts, length_ns, cap_bps.astype(np.int64), counters)

    def query(
        self,
        metric: str,
        start_ns: int,
        end_ns: int,
        period_ns: int,
        statistics: tuple[str, ...] = STATISTICS,
    ) -> tuple[Point, ...]:
        """Statistics of a metric per period, over the samples that start in [start_ns, end_ns).

        Raises:
            InvalidError: no such metric or statistic, a period that is no multiple of the base
                period, a window that ends before it starts.
        """
        described = metric_named(metric)
        check_statistics(statistics)
        if end_ns < start_ns:
            raise InvalidError(f"window ends at {end_ns} ns, before its start, {start_ns} ns", field="end_ns")
        inside = self.window(start_ns, end_ns)
        starts, firsts = _groups(inside, period_ns)
        if not len(starts):
            return ()
        values = inside.values(metric)
        numerator, denominator = _parts(inside, described)
        columns: dict[str, NDArray[np.float64]] = {
            "average": ratio(_sums(numerator, firsts), _sums(denominator, firsts)),
            "sum": _sums(values, firsts),
            "maximum": np.maximum.reduceat(values, firsts),
            "minimum": np.minimum.reduceat(values, firsts),
            "sample_count": np.diff(np.append(firsts, len(inside))).astype(np.float64),
        }
        return tuple(
            Point(int(start), {name: _number(columns[name][k]) for name in statistics})
            for k, start in enumerate(starts)
        )

    def _take(self, rows: slice) -> Series:
        return Series(
            self.period_ns,
            self.start_ns[rows],
            self.length_ns[rows],
            self.cap_bps[rows],
            {name: column[rows] for name, column in self.counters.items()},
        )


def _parts(series: Series, metric: Metric) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numerator and denominator of the metric; their sums make the metric of a longer period."""
    direction: Direction = metric.direction
    n_bytes = series.counters[f"{direction}_bytes"].astype(np.float64)
    n_packets = series.counters[f"{direction}_packets"].astype(np.float64)
    seconds = series.length_ns / NS_PER_S
    if metric.quantity == "bytes":
        return n_bytes, np.ones(len(series))
    if metric.quantity == "bps":
        return n_bytes * BITS_PER_BYTE, seconds
    if metric.quantity == "pps":
        return n_packets, seconds
    if metric.quantity == "drop_percent":
        n_dropped = series.counters[f"{direction}_dropped_packets"].astype(np.float64)
        return n_dropped * 100, n_packets + n_dropped
    return n_bytes * BITS_PER_BYTE * 100, series.cap_bps * seconds


def _groups(series: Series, period_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The starts of the periods that have samples, and the row of the first sample in each."""
    if period_ns < series.period_ns or period_ns % series.period_ns:
        raise InvalidError(
            f"period is {period_ns} ns, must be a multiple of the base period, {series.period_ns} ns",
            field="period_ns",
        )
    starts, firsts = np.unique(series.start_ns // period_ns * period_ns, return_index=True)
    return starts, firsts.astype(np.int64)


def ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quotient of each; 0 over nothing."""
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator > 0)


def _sums(column: NDArray[Number], firsts: NDArray[np.int64]) -> NDArray[Number]:
    """The sum of each group of rows; `reduceat` refuses an empty column."""
    return np.add.reduceat(column, firsts) if len(firsts) else column[:0]


def _number(value: np.float64) -> float:
    """A plain number for people and JSON: whole ones as int."""
    return int(value) if value == int(value) else float(value)
