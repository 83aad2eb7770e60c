"""History: what the monitoring saw, in memory and on disk, as one series.

Once in a while the samples that are complete go to disk and out of memory, so that a server that runs for
weeks needs no more of it, and one that is started anew knows what was.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netsim.emulator import Emulator
from netsim.monitor.metrics import SIDES, Side
from netsim.monitor.series import COUNTERS, Series
from netsim.realtime import RealTime
from netsim.store.database import StoreError
from netsim.store.samples import SampleRow, SampleStore
from netsim.units import NS_PER_S

RETENTION_NS = 40 * 86_400 * NS_PER_S
Ints = NDArray[np.int64]

LOOK_S = 2.0
"""How often it is looked for complete samples (wall time)."""


class History:
    """Samples of a served network.

    Args:
        path: of the file of samples.
        real: the network.
    """

    def __init__(self, path: str | Path, real: RealTime) -> None:
        self._store = SampleStore(path)
        self._lock = threading.Lock()
        self._real = real
        self._is_closing = threading.Event()
        self.failure: StoreError | None = None
        self._thread = threading.Thread(target=self._run, name="netsim-samples", daemon=True)
        self._thread.start()

    def series(self, emulator: Emulator, peer_conn_id: str, side: Side, start_ns: int, end_ns: int) -> Series:
        """The samples of a side that start in the window, control clock; for `RealTime.call`."""
        oldest_ns = emulator.inventory.clock.now_ns - RETENTION_NS
        fresh = emulator.monitor.series(peer_conn_id, side, "control").window(max(start_ns, oldest_ns), end_ns)
        with self._lock:
            kept = self._store.series(
                peer_conn_id, side, max(start_ns, oldest_ns), end_ns, emulator.monitor.base_period_ns
            )
        return _joined(kept, fresh)

    def move_complete(self, *, everything: bool = False) -> None:
        """Put samples that no longer change on disk, and out of memory.

        Raises:
            StoreError: they can't be written; they stay in memory.
        """
        rows, before_ns, oldest_ns = self._real.call(lambda emulator: _complete(emulator, everything=everything))
        with self._lock:
            if rows:
                self._store.add(rows)
            self._store.forget_before(oldest_ns)
        if rows:
            self._real.call(lambda emulator: emulator.monitor.forget_before(before_ns))

    def close(self) -> None:
        """Put what is left on disk; time should stand still."""
        self._is_closing.set()
        self._thread.join()
        try:
            self.move_complete(everything=True)
        except StoreError as failure:
            self.failure = failure
        self._store.close()

    def _run(self) -> None:
        while not self._is_closing.wait(LOOK_S):
            try:
                self.move_complete()
            except StoreError as failure:
                self.failure = failure


def _complete(emulator: Emulator, *, everything: bool) -> tuple[list[SampleRow], int, int]:
    """Rows to keep, the packet time before which samples are complete, and the start of the retention."""
    monitor = emulator.monitor
    before_ns = emulator.now_ns + 1 if everything else monitor.next_boundary_ns - monitor.base_period_ns
    rows: list[SampleRow] = []
    for connection in monitor.connections:
        for side in SIDES:
            packet, control = (monitor.series(connection.id, side, clock) for clock in ("packet", "control"))
            n = int(np.searchsorted(packet.start_ns, before_ns))
            columns = [control.start_ns, control.length_ns, control.cap_bps, *(control.counters[c] for c in COUNTERS)]
            table = np.stack(columns, axis=1)[:n].tolist()
            rows += [SampleRow(connection.id, side, row[0], row[1], row[2], tuple(row[3:])) for row in table]
    return rows, before_ns, emulator.inventory.clock.now_ns - RETENTION_NS


def _joined(kept: Series, fresh: Series) -> Series:
    # A sample that was on its way out when it was read is in both: the one on disk is as good.
    known = np.isin(fresh.start_ns, kept.start_ns)

    def column(old: Ints, new: Ints) -> Ints:
        return np.concatenate([old, new[~known]])

    order = np.argsort(column(kept.start_ns, fresh.start_ns), kind="stable")
    return Series(
        fresh.period_ns,
        column(kept.start_ns, fresh.start_ns)[order],
        column(kept.length_ns, fresh.length_ns)[order],
        column(kept.cap_bps, fresh.cap_bps)[order],
        {name: column(kept.counters[name], fresh.counters[name])[order] for name in COUNTERS},
    )
