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
        present = {connection.id for connection in connections}
        # The gone ones first: an edit may delete a connection and give its links to another.
        for connection_id, i in self._index_of.items():
            if connection_id not in present and self._is_live[i]:
                self._is_live[i] = False
        for connection in connections:
            self._describe_one(now_ns, connection, counters)
        self._open = self._rows_until(now_ns, self._gather(counters))

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

    def forget_before(self, start_ns: int) -> None:
        """Drop final samples that start before `start_ns` (retention); their sums go with them."""
        kept = self._table[: self._n_rows]
        kept = kept[kept[:, START] >= start_ns].copy()
        self._table, self._n_rows = kept, len(kept)

    def _describe_one(self, now_ns: int, connection: MonitoredConnection, counters: Counters) -> None:
        i = self._index_of.get(connection.id)
        if i is None:
            self._retire_links({connection.local_link, connection.peer_link})
            self._index_of[connection.id] = len(self.connections)
            self.connections.append(connection)
            self._links = np.concatenate((self._links, [[connection.local_link, connection.peer_link]]))
            self._is_live = np.append(self._is_live, True)
            self._since_ns = np.append(self._since_ns, np.int64(now_ns))
            self._cap_bps = np.append(self._cap_bps, np.int64(connection.cap_bps))
            self._cap_since_ns = np.append(self._cap_since_ns, np.int64(now_ns))
            self._cap_area = np.append(self._cap_area, 0.0)
            self._base = np.concatenate((self._base, self._gather(counters)[-1:]))
            return
        if self._links[i].tolist() != [connection.local_link, connection.peer_link]:
            raise NetsimError(f"monitor: the links of {connection.id} are {self._links[i].tolist()}, can't change")
        if self._cap_bps[i] != connection.cap_bps:
            self._cap_area[i] += float(self._cap_bps[i]) * float(now_ns - self._cap_since_ns[i])
            self._cap_since_ns[i] = now_ns
            self._cap_bps[i] = connection.cap_bps
        self.connections[i] = connection
        self._is_live[i] = True

    def _retire_links(self, links: set[int]) -> None:
        """Point ended connections away from link ids that a new one takes over."""
        for i in np.flatnonzero(~self._is_live & np.isin(self._links, list(links)).any(axis=1)):
            # What it still owes to the open sample becomes a final row: nobody will count it again.
            self._append(self._open[self._open[:, CONNECTION] == i])
            self._open = self._open[self._open[:, CONNECTION] != i]
            self._links[i] = -1
            self._base[i] = 0

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
