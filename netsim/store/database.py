"""Database: the journal of changes of a server's control plane, and what belongs to a change.

The control plane is deterministic: the same edits at the same times of the control clock make the
same resources, ids and deadlines. So what is kept is each committed group of edits, with its time and
account; opening plays them again. A change, the answer remembered for its client token, and the events
it caused are one transaction, synced to disk before anybody is told.

One process writes. It holds a lock on `FILE.lock` for as long as it lives; the operating system gives
the lock back when it dies, however it dies.

Source: SQLite, "Write-Ahead Logging" (sqlite.org/wal.html) and "PRAGMA synchronous": in WAL mode FULL
syncs the log at each commit.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from netsim.errors import NetsimError

SCHEMA = 1
APPLICATION_ID = 0x6E657473
"""`nets`: marks the file as one of netsim's (sqlite.org/fileformat.html, offset 68)."""

_TABLES = """
CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE change (
    version INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, account TEXT, edits TEXT NOT NULL
) STRICT;
CREATE TABLE event (
    seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, peer_conn_id TEXT NOT NULL, what TEXT NOT NULL
) STRICT;
CREATE TABLE answer (
    account TEXT NOT NULL, token TEXT NOT NULL, request_hash TEXT NOT NULL, status INTEGER NOT NULL,
    body TEXT NOT NULL, seen_ns INTEGER NOT NULL, PRIMARY KEY (account, token)
) STRICT, WITHOUT ROWID;
CREATE TABLE access_key (
    access_key TEXT PRIMARY KEY, secret_key TEXT NOT NULL, account TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

MAX_ROWS = 1000
"""Of one statement; SQLite takes 32,766 values."""


class StoreError(NetsimError):
    """A database that can't be used; one line says which and why."""

    exit_code = 5


class Change(NamedTuple):
    """A committed group of edits: its number from 1, control time, who asked (None: the operator), JSON text."""

    version: int
    at_ns: int
    account: str | None
    edits: str


class Answer(NamedTuple):
    """What a request with a client token was answered, and when it was last asked for (control time)."""

    request_hash: str
    status: int
    body: str
    seen_ns: int


class Transaction:
    """What goes to disk together. Nothing is there before the `with` block of `Database.transaction` ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add_changes(self, changes: Sequence[Change]) -> None:
        """Append to the journal; versions follow each other without a gap."""
        self._insert("INSERT INTO change", changes)

    def add_events(self, events: Sequence[tuple[int, str, str]]) -> None:
        """Append to the log of what happened to connections: (control time, connection, what)."""
        self._insert("INSERT INTO event (at_ns, peer_conn_id, what)", events)

    def remember(self, answers: Sequence[tuple[str, str, Answer]]) -> None:
        """Keep the answers to requests with a client token: (account, token, answer)."""
        self._insert("INSERT OR REPLACE INTO answer", [(account, token, *rest) for account, token, rest in answers])

    def forget_answers(self, before_ns: int) -> None:
        """Drop answers nobody asked for since."""
        self._connection.execute("DELETE FROM answer WHERE seen_ns < ?", (before_ns,))

    def put_setting(self, key: str, value: str) -> None:
        """Set a setting."""
        self._connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, value))

    def put_key(self, access_key: str, secret_key: str, account: str) -> None:
        """Add an access key, or give one another secret."""
        self._connection.execute(
            "INSERT OR REPLACE INTO access_key VALUES (?, ?, ?)", (access_key, secret_key, account)
        )

    def drop_key(self, access_key: str) -> None:
        """Remove an access key."""
        self._connection.execute("DELETE FROM access_key WHERE access_key = ?", (access_key,))

    def _insert(self, into: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Many rows with one statement: each lets other threads run, and waits until they let us run again."""
        for some in (rows[at : at + MAX_ROWS] for at in range(0, len(rows), MAX_ROWS)):
            places = ", ".join([f"({', '.join('?' * len(some[0]))})"] * len(some))
            self._connection.execute(f"{into} VALUES {places}", [value for row in some for value in row])


class Database:
    """An open database; see the module. Use it from one thread at a time.

    Raises:
        StoreError: no such folder, not writable, not a netsim database, of a newer netsim, damaged,
            or in use by another server.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = self._take_lock()
        try:
            self._connection = self._open()
        except BaseException:
            self._lock.close()
            raise

    def close(self) -> None:
        """Close the file and give the lock back."""
        self._connection.close()
        self._lock.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """What is done inside is on disk when the block ends without an exception, else nothing of it.

        Raises:
            StoreError: it could not be written; nothing was.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._connection)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: can't be written: {error}") from error

    def changes(self) -> Iterator[Change]:
        """The journal, from the first change on."""
        for row in self._read("SELECT version, at_ns, account, edits FROM change ORDER BY version"):
            yield Change(*row)

    def answer(self, account: str, token: str) -> Answer | None:
        """The remembered answer for a client token of an account."""
        sql = "SELECT request_hash, status, body, seen_ns FROM answer WHERE account = ? AND token = ?"
        return next((Answer(*row) for row in self._read(sql, (account, token))), None)

    def answers(self) -> dict[tuple[str, str], Answer]:
        """All remembered answers by (account, token), the longest unseen first."""
        rows = self._read("SELECT account, token, request_hash, status, body, seen_ns FROM answer ORDER BY seen_ns")
        return {(account, token): Answer(*rest) for account, token, *rest in rows}

    def events(self) -> list[tuple[int, str, str]]:
        """What happened to connections: (control time, connection, what), in order."""
        return [(at_ns, conn, what) for at_ns, conn, what in self._read("SELECT at_ns, peer_conn_id, what FROM event")]

    def setting(self, key: str) -> str | None:
        """A setting, None if it was never set."""
        return next((value for (value,) in self._read("SELECT value FROM setting WHERE key = ?", (key,))), None)

    def keys(self) -> dict[str, tuple[str, str]]:
        """Access key -> (secret key, account)."""
        rows = self._read("SELECT access_key, secret_key, account FROM access_key")
        return {access_key: (secret_key, account) for access_key, secret_key, account in rows}

    def integrity(self) -> list[str]:
        """What SQLite's own check complains about, line by line; empty if all is well."""
        return [text for (text,) in self._read("PRAGMA integrity_check") if text != "ok"]

    def _read(self, sql: str, values: tuple[object, ...] = ()) -> Iterator[Any]:
        try:
            yield from self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: can't be read: {error}") from error

    def _take_lock(self) -> IO[str]:
        lock_path = self.path.with_name(self.path.name + ".lock")
        try:
            # Never deleted: a server that opens it while another removes it would lock a file nobody sees.
            lock = os.fdopen(os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
        except OSError as error:
            raise StoreError(f"{self.path}: can't be opened for writing: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = lock.read(20).strip()
            lock.close()
            who = f" (process {holder})" if holder.isdecimal() else ""
            raise StoreError(f"{self.path}: another server uses this file{who}") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        return lock

    def _open(self) -> sqlite3.Connection:
        try:
            is_new = not self.path.exists() or self.path.stat().st_size == 0
            if is_new:
                self.path.touch(mode=0o600)  # it holds secret keys
            connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise StoreError(f"{self.path}: can't be opened: {reason}") from None
        try:
            self._prepare(connection, is_new=is_new)
        except sqlite3.DatabaseError as error:
            connection.close()
            raise StoreError(f"{self.path}: is no netsim database, or damaged: {error}") from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection, *, is_new: bool) -> None:
        ours = connection.execute("PRAGMA application_id").fetchone()[0]
        schema = connection.execute("PRAGMA user_version").fetchone()[0]
        has_tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0
        if has_tables and ours != APPLICATION_ID:
            raise StoreError(f"{self.path}: is no netsim database")
        if schema > SCHEMA:
            raise StoreError(f"{self.path}: has schema {schema}, this netsim knows up to {SCHEMA}: use a newer netsim")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")
        if is_new or not has_tables:
            # In one transaction: a crash between leaves an empty file, which is a new one again.
            connection.executescript(
                f"BEGIN; {_TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA}; COMMIT;"
            )
