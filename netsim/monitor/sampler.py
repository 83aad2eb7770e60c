"""Sampler: cumulative counters in, samples out; a sample is a difference of counters.

The rules readers may rely on:

- Samples of a connection sum to its counters exactly, at every moment.
- Samples lie on the grid of the base period. One that is short is either the first of a
  connection that came in mid-period, or the last one. An observation in mid-period shows the
  open sample as it is; the next observation replaces it. So where a run is cut changes nothing.
- A connection that is gone keeps being sampled only in the periods in which packets it had
  already accepted still moved its counters: gaps stay gaps, and nothing is lost.

One row of the table is one connection in one period, both directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from netsim.errors import ClockError, NetsimError, UsageError
from netsim.monitor.connection import LINK_FIELDS, MonitoredConnection

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Columns of a row. The counters of the two links follow: local -> peer, then peer -> local.
CONNECTION, START, PERIOD, CAP = range(4)
COUNTERS: Final = 4
N_FIELDS: Final = len(LINK_FIELDS)
N_COLUMNS: Final = COUNTERS + 2 * N_FIELDS

Counters = Mapping[str, "NDArray[np.int64]"]


class Sampler:
    """Turns observations of counters into rows.

    Args:
        base_period_ns: length of a sample, 1 ns or more.
        start_ns: packet time of the first sample; the grid starts here.

    Raises:
        UsageError: a base period below 1 ns.
    """

    def __init__(self, base_period_ns: int, start_ns: int = 0) -> None:
        if base_period_ns < 1:
            raise UsageError(f"monitor: base period is {base_period_ns} ns, must be 1 ns or more")
        self.base_period_ns = base_period_ns
        self.connections: list[MonitoredConnection] = []  # all ever known; the index is the row's CONNECTION
        self._index_of: dict[str, int] = {}
        self._origin_ns = start_ns
        self._now_ns = start_ns
        self._table = np.empty((0, N_COLUMNS), np.int64)
        self._n_rows = 0
        self._open = np.empty((0, N_COLUMNS), np.int64)
        self._grouped: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
        # Of each connection, in order of index:
        self._links = np.empty((0, 2), np.int64)
        self._is_live = np.empty(0, np.bool_)
        self._since_ns = np.empty(0, np.int64)  # start of its open sample
        self._base = np.empty((0, 2 * N_FIELDS), np.int64)  # counters then
        self._cap_bps = np.empty(0, np.int64)
        self._cap_since_ns = np.empty(0, np.int64)
        self._cap_area = np.empty(0, np.float64)  # bit/s x ns of caps that no longer hold, in the open sample

    @property
    def now_ns(self) -> int:
        """Packet time of the last observation."""
        return self._now_ns

    @property
    def next_boundary_ns(self) -> int:
        """Where the open samples end: observe there, at the latest when something moved."""
        periods = (self._now_ns - self._origin_ns) // self.base_period_ns + 1
        return self._origin_ns + periods * self.base_period_ns

    def rows(self) -> NDArray[np.int64]:
        """All samples, int64[n, N_COLUMNS], by time, then connection; the open ones last."""
        if not len(self._open):
            return self._table[: self._n_rows]
        return np.concatenate((self._table[: self._n_rows], self._open))

    def rows_by_connection(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All samples, int64[n, N_COLUMNS], by connection, then time; and where each connection's begin.

        The second array is int64[connections + 1]: connection i has the rows from element i up to
        element i + 1. Grouped once between two observations, however many connections are asked for.
        """
        if self._grouped is None:
            rows = self.rows()
            rows = rows[np.argsort(rows[:, CONNECTION], kind="stable")]
            rows.flags.writeable = False  # readers get slices of it
            places = np.arange(len(self.connections) + 1)
            self._grouped = rows, np.searchsorted(rows[:, CONNECTION], places).astype(np.int64)
        return self._grouped

    def index_of(self, connection_id: str) -> int | None:
        """The index of a connection, None if it was never described."""
        return self._index_of.get(connection_id)

    def describe(self, now_ns: int, connections: Sequence[MonitoredConnection], counters: Counters) -> None:
        """Say which connections there are from now on; call it at the start and after each edit of one.

        New ones start to be sampled, absent ones stop, changed caps count from now. A link id
        that served an ended connection may serve a new one: what it counted before is not the new one's.

        Raises:
            ClockError: `now_ns` lies before the last observation.
            NetsimError: a counter fell, or moved across a boundary that was not observed; or a
                connection has other links than before.
        """
        self.observe(now_ns, counters)
        # The gone ones first: an edit may delete a connection and give its links to another.
        self._is_live[:] = False
        known = [connection for connection in connections if connection.id in self._index_of]
        self._update(now_ns, known)
        if len(known) < len(connections):
            self._add(
                now_ns, [connection for connection in connections if connection.id not in self._index_of], counters
            )
        self._open = self._rows_until(now_ns, self._gather(counters))
        self._grouped = None

    def observe(self, now_ns: int, counters: Counters) -> None:
        """Take the counters at `now_ns`; at a boundary the samples become final.

        Boundaries in between may be left out only if no counter moved meanwhile.

        Args:
            now_ns: packet time, not before the last observation.
            counters: `LINK_FIELDS`, each int64[n], n above the link ids it knows; absent links read 0.

        Raises:
            ClockError: `now_ns` lies before the last observation.
            NetsimError: a counter fell, or moved across a boundary that was not observed.
        """
        if now_ns < self._now_ns:
            raise ClockError(f"monitor: asked to observe {now_ns} ns after {self._now_ns} ns")
        present = self._gather(counters)
        if now_ns > self.next_boundary_ns and self._moved_since_last(present):
            raise NetsimError(
                f"monitor: counters moved between {self._now_ns} ns and {now_ns} ns, past the boundary at"
                f" {self.next_boundary_ns} ns"
            )
        while (boundary_ns := self.next_boundary_ns) <= now_ns:
            self._close(boundary_ns, present)
        self._now_ns = now_ns
        self._open = self._rows_until(now_ns, present)
        self._grouped = None

    def forget_before(self, start_ns: int) -> None:
        """Drop final samples that start before `start_ns` (retention); their sums go with them."""
        kept = self._table[: self._n_rows]
        kept = kept[kept[:, START] >= start_ns].copy()
        self._table, self._n_rows = kept, len(kept)
        self._grouped = None

    def _update(self, now_ns: int, connections: Sequence[MonitoredConnection]) -> None:
        """Connections known before: they live, and may have another cap or name."""
        at = np.array([self._index_of[connection.id] for connection in connections], np.intp)
        links = _links_of(connections)
        for k in np.flatnonzero((self._links[at] != links).any(axis=1))[:1].tolist():
            kept = self._links[at[k]].tolist()
            raise NetsimError(f"monitor: the links of {connections[k].id} are {kept}, can't change")
        cap_bps = np.array([connection.cap_bps for connection in connections], np.int64)
        resized = self._cap_bps[at] != cap_bps
        i = at[resized]
        self._cap_area[i] += self._cap_bps[i].astype(np.float64) * (now_ns - self._cap_since_ns[i])
        self._cap_since_ns[i] = now_ns
        self._cap_bps[at] = cap_bps
        self._is_live[at] = True
        for place, connection in zip(at.tolist(), connections, strict=True):
            self.connections[place] = connection

    def _add(self, now_ns: int, connections: Sequence[MonitoredConnection], counters: Counters) -> None:
        links, n = _links_of(connections), len(connections)
        self._retire_links(links)
        for connection in connections:
            self._index_of[connection.id] = len(self.connections)
            self.connections.append(connection)
        caps_bps = [connection.cap_bps for connection in connections]
        self._links = np.concatenate((self._links, links))
        self._is_live = np.concatenate((self._is_live, np.ones(n, np.bool_)))
        self._since_ns = np.concatenate((self._since_ns, np.full(n, now_ns, np.int64)))
        self._cap_bps = np.concatenate((self._cap_bps, np.array(caps_bps, np.int64)))
        self._cap_since_ns = np.concatenate((self._cap_since_ns, np.full(n, now_ns, np.int64)))
        self._cap_area = np.concatenate((self._cap_area, np.zeros(n)))
        self._base = np.concatenate((self._base, self._gather(counters)[-n:]))

    def _retire_links(self, links: NDArray[np.int64]) -> None:
        """Point ended connections away from link ids that new ones take over."""
        gone = np.flatnonzero(~self._is_live & np.isin(self._links, links).any(axis=1))
        if not len(gone):
            return
        # What they still owe to the open sample becomes final rows: nobody will count it again.
        owed = np.isin(self._open[:, CONNECTION], gone)
        self._append(self._open[owed])
        self._open = self._open[~owed]
        self._links[gone] = -1
        self._base[gone] = 0

    def _gather(self, counters: Counters) -> NDArray[np.int64]:
        """Int64[connections, 2 * N_FIELDS]: the counters of each connection's two links."""
        gathered = np.zeros((len(self._links), 2, N_FIELDS), np.int64)
        for column, field in enumerate(LINK_FIELDS):
            values = counters[field]
            known = (self._links >= 0) & (self._links < len(values))
            gathered[:, :, column][known] = values[self._links[known]]
        return gathered.reshape(len(self._links), 2 * N_FIELDS)

    def _moved_since_last(self, present: NDArray[np.int64]) -> bool:
        last = self._base.copy()
        last[self._open[:, CONNECTION]] += self._open[:, COUNTERS:]
        return bool((present != last).any())

    def _rows_until(self, end_ns: int, present: NDArray[np.int64]) -> NDArray[np.int64]:
        """The samples from each connection's start of period to `end_ns`."""
        deltas = present - self._base
        if (deltas < 0).any():
            i, column = (int(place) for place in np.argwhere(deltas < 0)[0])
            raise NetsimError(
                f"monitor: counter {LINK_FIELDS[column % N_FIELDS]} of link {self._links[i, column // N_FIELDS]} fell"
                f" from {self._base[i, column]} to {present[i, column]}"
            )
        shown = np.flatnonzero((self._is_live & (self._since_ns < end_ns)) | deltas.any(axis=1))
        rows = np.empty((len(shown), N_COLUMNS), np.int64)
        rows[:, CONNECTION] = shown
        rows[:, START] = self._since_ns[shown]
        rows[:, PERIOD] = end_ns - self._since_ns[shown]
        rows[:, CAP] = self._mean_caps(end_ns)[shown]
        rows[:, COUNTERS:] = deltas[shown]
        return rows

    def _mean_caps(self, end_ns: int) -> NDArray[np.int64]:
        """The cap of each connection's open sample: the mean over its time, if it was resized."""
        # A connection that is gone has the cap it had: its last packets passed under it.
        area = self._cap_area + self._cap_bps.astype(np.float64) * (end_ns - self._cap_since_ns)
        length = end_ns - self._since_ns
        # Integers below 2^53 come back from this unharmed: a cap that did not change is exact.
        return np.where(length > 0, np.rint(area / np.maximum(length, 1)), self._cap_bps).astype(np.int64)

    def _close(self, boundary_ns: int, present: NDArray[np.int64]) -> None:
        self._append(self._rows_until(boundary_ns, present))
        self._open = self._open[:0]
        self._base = present.copy()
        self._since_ns[:] = boundary_ns
        self._cap_since_ns[:] = boundary_ns
        self._cap_area[:] = 0.0
        self._now_ns = boundary_ns

    def _append(self, rows: NDArray[np.int64]) -> None:
        needed = self._n_rows + len(rows)
        if needed > len(self._table):
            # Doubling: each row is moved a constant number of times.
            grown = np.empty((max(needed, 2 * len(self._table), 64), N_COLUMNS), np.int64)
            grown[: self._n_rows] = self._table[: self._n_rows]
            self._table = grown
        self._table[self._n_rows : needed] = rows
        self._n_rows = needed


def _links_of(connections: Sequence[MonitoredConnection]) -> NDArray[np.int64]:
    """Int64[n, 2]: the link ids of each, local -> peer first."""
    pairs = [(connection.local_link, connection.peer_link) for connection in connections]
    return np.array(pairs, np.int64).reshape(-1, 2)
