"""Monitor: what the emulator feeds and everyone else asks.

The emulator says which connections there are (`describe`, at the start and after each edit of
one), shows the counters at each boundary of the base period and at the end (`observe`), and in
a server how the control clock stands (`clock.mark`). Readers get samples, series, queries and
totals. A connection is named by id or by name, a side is `local` or `peer`.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product, repeat
from typing import TYPE_CHECKING, Literal

import numpy as np

from netsim.errors import NotFoundError
from netsim.monitor import sampler as rows
from netsim.monitor.clock_map import ClockMap
from netsim.monitor.connection import LINK_FIELDS, MonitoredConnection
from netsim.monitor.metrics import DIRECTIONS, SIDES, STATISTICS, Direction, Side, check_side
from netsim.monitor.sampler import Counters, Sampler
from netsim.monitor.series import COUNTERS, Point, Series
from netsim.monitor.totals import Totals, totals_of, totals_of_stack

if TYPE_CHECKING:
    from numpy.typing import NDArray

TimeBase = Literal["packet", "control"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One side of a connection over one base period (a short one at the edges).

    `connection` is its name, or its id where the name is empty or shared. Times are packet time.
    """

    connection: str
    side: Side
    start_ns: int
    period_ns: int
    cap_bps: int
    egress_bytes: int
    egress_packets: int
    egress_dropped_bytes: int
    egress_dropped_packets: int
    ingress_bytes: int
    ingress_packets: int
    ingress_dropped_bytes: int
    ingress_dropped_packets: int


class Monitor:
    """Samples and series of all connections.

    Args:
        base_period_ns: length of a sample: 1 s in a run, 60 s in a server.
        start_ns: packet time of the first sample.
    """

    def __init__(self, base_period_ns: int, start_ns: int = 0) -> None:
        self._sampler = Sampler(base_period_ns, start_ns)
        self._labels: list[str] | None = None
        self.clock = ClockMap()

    @property
    def base_period_ns(self) -> int:
        """Length of a full sample."""
        return self._sampler.base_period_ns

    @property
    def next_boundary_ns(self) -> int:
        """The packet time at which `observe` is due next."""
        return self._sampler.next_boundary_ns

    @property
    def connections(self) -> tuple[MonitoredConnection, ...]:
        """All connections ever described, in that order, each as described last."""
        return tuple(self._sampler.connections)

    def describe(self, now_ns: int, connections: Sequence[MonitoredConnection], counters: Counters) -> None:
        """Say which connections there are from now on; see `Sampler.describe`."""
        self._labels = None
        self._sampler.describe(now_ns, connections, counters)

    def observe(self, now_ns: int, counters: Counters) -> None:
        """Take the counters at `now_ns`; see `Sampler.observe`."""
        self._sampler.observe(now_ns, counters)

    def forget_before(self, start_ns: int) -> None:
        """Drop samples that start before this packet time (retention)."""
        self._sampler.forget_before(start_ns)

    def label(self, connection: MonitoredConnection) -> str:
        """What reports call it: its name, or its id where the name is empty or shared."""
        return self._all_labels()[self._index(connection)]

    def find(self, connection: str) -> MonitoredConnection:
        """The connection of this id, or the last described of this name.

        Raises:
            NotFoundError: none; the message suggests the nearest.
        """
        known = self._sampler.connections
        index = self._sampler.index_of(connection)
        if index is not None:
            return known[index]
        for found in reversed(known):
            if found.name == connection:
                return found
        near = difflib.get_close_matches(connection, [found.name for found in known], n=1)
        hint = f' - did you mean "{near[0]}"?' if near else ""
        raise NotFoundError(f"peer connection {connection!r} is not monitored{hint}", field="connection")

    def samples(self) -> Iterator[Sample]:
        """All samples, by start, then connection, then side (local first)."""
        table = self._sampler.rows()
        table = table[np.lexsort((table[:, rows.CONNECTION], table[:, rows.START]))]
        labels = self._all_labels()
        names = [labels[i] for i in table[:, rows.CONNECTION].tolist()]
        heads = [table[:, column].tolist() for column in (rows.START, rows.PERIOD, rows.CAP)]
        by_side = []
        for side in SIDES:
            counters = _counters_of(table, side)
            columns = (counters[name].tolist() for name in COUNTERS)
            by_side.append(map(Sample, names, repeat(side), *heads, *columns))
        for of_both_sides in zip(*by_side, strict=True):
            yield from of_both_sides

    def series(self, connection: str, side: str, clock: TimeBase = "packet") -> Series:
        """The samples of one side, in packet time or in the control clock's.

        Raises:
            NotFoundError: no such connection.
            InvalidError: no such side.
        """
        found, of_side = self.find(connection), check_side(side)
        table, firsts = self._sampler.rows_by_connection()
        index = self._index(found)
        series = self._series_of(table[firsts[index] : firsts[index + 1]], of_side)
        return series.at_times(self.clock.utc_of(series.start_ns)) if clock == "control" else series

    def query(
        self,
        connection: str,
        side: str,
        metric: str,
        start_ns: int,
        end_ns: int,
        period_ns: int,
        statistics: tuple[str, ...] = STATISTICS,
        clock: TimeBase = "packet",
    ) -> tuple[Point, ...]:
        """Statistics per period over the window [start_ns, end_ns); see `Series.query`.

        `clock` says what the window and the points' starts are in: packet time, or UTC ns.

        Raises:
            NotFoundError: no such connection.
            InvalidError: no such side, metric or statistic; a period that does not fit; a window
                that ends before it starts.
        """
        return self.series(connection, side, clock).query(metric, start_ns, end_ns, period_ns, statistics)

    def totals(self, connection: str, side: str) -> dict[str, Totals]:
        """By direction, `egress` and `ingress`: the figures of a run's report.

        Raises:
            NotFoundError, InvalidError: as `series`.
        """
        series = self.series(connection, side)
        return {direction: totals_of(series, direction) for direction in DIRECTIONS}

    def all_totals(self) -> list[dict[Side, dict[Direction, Totals]]]:
        """`totals` of both sides of each of `connections`; linear in samples and connections."""
        table, firsts = self._sampler.rows_by_connection()
        n_samples = np.diff(firsts)
        every: list[dict[Side, dict[Direction, Totals]]] = [{side: {} for side in SIDES} for _ in n_samples]
        for n in np.unique(n_samples).tolist():
            alike = np.flatnonzero(n_samples == n)
            stack = table[firsts[alike, np.newaxis] + np.arange(n)]
            for side, direction in product(SIDES, DIRECTIONS):
                figures = totals_of_stack(self._series_of(stack, side), direction)
                for i, totals in zip(alike.tolist(), figures, strict=True):
                    every[i][side][direction] = totals
        return every

    def _series_of(self, table: NDArray[np.int64], side: Side) -> Series:
        times = table[..., rows.START], table[..., rows.PERIOD], table[..., rows.CAP]
        return Series(self.base_period_ns, *times, _counters_of(table, side))

    def _index(self, connection: MonitoredConnection) -> int:
        index = self._sampler.index_of(connection.id)
        if index is None:
            raise NotFoundError(f"peer connection {connection.id!r} is not monitored", field="connection")
        return index

    def _all_labels(self) -> list[str]:
        if self._labels is None:
            known = self._sampler.connections
            names = Counter(connection.name for connection in known)
            self._labels = [found.name if found.name and names[found.name] == 1 else found.id for found in known]
        return self._labels


def _counters_of(table: NDArray[np.int64], side: Side) -> dict[str, NDArray[np.int64]]:
    """The counters of a side: it sends on one link, and receives from the other.

    What the sending end of the other link dropped is this side's ingress dropped.
    """
    near = rows.COUNTERS if side == "local" else rows.COUNTERS + rows.N_FIELDS
    far = rows.COUNTERS + rows.N_FIELDS if side == "local" else rows.COUNTERS
    at = {field: column for column, field in enumerate(LINK_FIELDS)}
    return {
        "egress_bytes": table[..., near + at["egress_bytes"]],
        "egress_packets": table[..., near + at["egress_packets"]],
        "egress_dropped_bytes": table[..., near + at["dropped_bytes"]],
        "egress_dropped_packets": table[..., near + at["dropped_packets"]],
        "ingress_bytes": table[..., far + at["ingress_bytes"]],
        "ingress_packets": table[..., far + at["ingress_packets"]],
        "ingress_dropped_bytes": table[..., far + at["dropped_bytes"]],
        "ingress_dropped_packets": table[..., far + at["dropped_packets"]],
    }
