"""Samples of the monitoring, kept apart from what must not be lost.

A file of its own beside the database (`FILE.samples`), written once a minute without waiting for the disk:
a power cut may take the last minutes, never the network. Times are of the control clock, UTC.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from netsim.monitor.series import COUNTERS, Series
from netsim.store.database import StoreError

SCHEMA = 1
APPLICATION_ID = 0x6E736D70
"""`nsmp`."""
_COLUMNS = ", ".join(f"{name} INTEGER NOT NULL" for name in COUNTERS)
_TABLE = f"""
CREATE TABLE sample (
    peer_conn_id TEXT NOT NULL, side TEXT NOT NULL, start_ns INTEGER NOT NULL, length_ns INTEGER NOT NULL,
    cap_bps INTEGER NOT NULL, {_COLUMNS}, PRIMARY KEY (peer_conn_id, side, start_ns)
) STRICT, WITHOUT ROWID;
CREATE INDEX sample_start ON sample (start_ns);
"""
_INSERT = f"INSERT OR REPLACE INTO sample VALUES ({', '.join('?' * (5 + len(COUNTERS)))})"  # noqa: S608 - our own names
_SELECT = f"SELECT start_ns, length_ns, cap_bps, {', '.join(COUNTERS)} FROM sample"  # noqa: S608


class SampleRow(NamedTuple):
    """One sample of one side: start and length (ns, control clock), cap, and the counters of `COUNTERS`."""

    peer_conn_id: str
    side: str
    start_ns: int
    length_ns: int
    cap_bps: int
    counters: tuple[int, ...]


class SampleStore:
    """The samples of one server. Its owner locks.

    Raises:
        StoreError: the file is something else, newer, or can't be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: can't be opened: {error}") from None
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise StoreError(f"{self.path}: holds no samples, or is damaged: {error}") from None
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        connection = self._connection
        schema = connection.execute("PRAGMA user_version").fetchone()[0]
        has_tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0
        if has_tables and connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StoreError(f"{self.path}: holds no samples of netsim's")
        if schema > SCHEMA:
            raise StoreError(f"{self.path}: has schema {schema}, this netsim knows up to {SCHEMA}: use a newer netsim")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if not has_tables:
            connection.executescript(
                f"BEGIN; {_TABLE} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA}; COMMIT;"
            )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def add(self, rows: Iterable[SampleRow]) -> None:
        """Keep samples; one that is there already is replaced (it has grown).

        Raises:
            StoreError: they can't be written.
        """
        try:
            self._connection.execute("BEGIN")
            self._connection.executemany(_INSERT, ((*row[:5], *row.counters) for row in rows))
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise StoreError(f"{self.path}: can't be written: {error}") from error

    def forget_before(self, start_ns: int) -> None:
        """Drop samples that start before this time (retention)."""
        self._connection.execute("DELETE FROM sample WHERE start_ns < ?", (start_ns,))

    def series(self, peer_conn_id: str, side: str, start_ns: int, end_ns: int, base_period_ns: int) -> Series:
        """The samples of a side that start in [start_ns, end_ns), by start."""
        rows = self._connection.execute(
            f"{_SELECT} WHERE peer_conn_id = ? AND side = ? AND start_ns >= ? AND start_ns < ? ORDER BY start_ns",
            (peer_conn_id, side, start_ns, end_ns),
        ).fetchall()
        table = np.array(rows, np.int64).reshape(-1, 3 + len(COUNTERS))
        counters = {name: table[:, 3 + i] for i, name in enumerate(COUNTERS)}
        return Series(base_period_ns, table[:, 0], table[:, 1], table[:, 2], counters)
