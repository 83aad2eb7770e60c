"""Journal: an inventory that outlives its process.

    inventory = journal.play(clock)              # everything that was ever recorded, again
    inventory.apply(edit, account="acme")
    journal.record(edits=(edit,), at_ns=..., account="acme", events=...)
    journal.flush()                              # on disk; only now may anybody be told

Playing sets the control clock to the time of each change, so deadlines that passed in between - also
while no server ran - are met exactly when they were due, before the change that came after them.

Many records may share one flush: the disk is asked once for all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from netsim.clock import VirtualClock
from netsim.controlplane.edit import Edit
from netsim.controlplane.event import Event
from netsim.controlplane.inventory import Inventory
from netsim.errors import NetsimError
from netsim.store.database import Answer, Change, Database, StoreError
from netsim.store.edit_codec import of_json, to_json

_SEED, _PROFILE, _LIMITS = "seed", "profile", "limits"


class _Record(NamedTuple):
    change: Change | None
    events: tuple[Event, ...] = ()
    answers: tuple[tuple[str, str, Answer], ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    keys: tuple[tuple[str, str | None, str], ...] = ()
    forget_before_ns: int = 0


class Journal:
    """The changes of one database, in order. Not safe for threads: its owner locks.

    Args:
        database: where.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.version = 0
        """Number of the last change recorded."""
        self.recorded = 0
        """How many records there were since it was opened: changes, answers and settings."""
        self.written = 0
        """How many of these are on disk."""
        self._pending: list[_Record] = []

    def start(self, *, seed: int, profile: str, limits: Mapping[str, int | None] | None = None) -> None:
        """Say what inventory a new database is of; does nothing to one that knows."""
        if self.database.setting(_SEED) is None:
            with self.database.transaction() as transaction:
                transaction.put_setting(_SEED, str(seed))
                transaction.put_setting(_PROFILE, profile)
                transaction.put_setting(_LIMITS, json.dumps(dict(limits or {})))

    def play(self, clock: VirtualClock) -> Inventory:
        """The inventory as the last change left it, with `clock` at the time of that change.

        Raises:
            StoreError: a change can't be made again: the journal is damaged, or another netsim wrote it.
        """
        database = self.database
        inventory = Inventory(
            profile=database.setting(_PROFILE) or "product",
            limits=json.loads(database.setting(_LIMITS) or "{}"),
            clock=clock,
            seed=int(database.setting(_SEED) or 0),
        )
        for change in database.changes():
            if change.version != self.version + 1:
                raise StoreError(f"{database.path}: change {self.version + 1} is missing")
            try:
                clock.advance_to(change.at_ns)
                edits = [of_json(written) for written in json.loads(change.edits)]
                inventory.apply(*edits, account=change.account)
            except (NetsimError, ValueError, TypeError, KeyError) as error:
                raise StoreError(f"{database.path}: change {change.version} can't be made again: {error}") from error
            self.version = change.version
        return inventory

    def record(
        self, edits: Iterable[Edit[Any]], *, at_ns: int, account: str | None, events: Iterable[Event] = ()
    ) -> int:
        """Take a group of edits that was applied, at the control time `at_ns`; its version.

        `events` are those that are new since the last record, what the clock did included.
        """
        self.version += 1
        written = json.dumps([to_json(edit) for edit in edits], separators=(",", ":"), ensure_ascii=False)
        self._add(_Record(Change(self.version, at_ns, account, written), tuple(events)))
        return self.version

    def remember(self, account: str, token: str, answer: Answer) -> None:
        """Keep an answer with the last change recorded: they reach the disk together."""
        if self._pending:
            last = self._pending[-1]
            self._pending[-1] = last._replace(answers=(*last.answers, (account, token, answer)))
        else:
            self._add(_Record(None, answers=((account, token, answer),)))

    def forget_answers(self, before_ns: int) -> None:
        """Drop answers that nobody asked for since `before_ns`, with the next flush."""
        if self._pending and self._pending[-1].forget_before_ns:
            self._pending[-1] = self._pending[-1]._replace(forget_before_ns=before_ns)
        else:
            self._add(_Record(None, forget_before_ns=before_ns))

    def put_setting(self, key: str, value: str) -> None:
        """Set a setting with the next flush."""
        self._add(_Record(None, settings=((key, value),)))

    def put_key(self, access_key: str, secret_key: str, account: str) -> None:
        """Add an access key with the next flush."""
        self._add(_Record(None, keys=((access_key, secret_key, account),)))

    def drop_key(self, access_key: str) -> None:
        """Remove an access key with the next flush."""
        self._add(_Record(None, keys=((access_key, None, ""),)))

    def _add(self, record: _Record) -> None:
        self._pending.append(record)
        self.recorded += 1

    def take_pending(self) -> list[_Record]:
        """What is to be written next; `write` it, from any one thread."""
        pending, self._pending = self._pending, []
        return pending

    def write(self, records: list[_Record]) -> None:
        """Put records on disk, in one transaction.

        Raises:
            StoreError: nothing was written. The inventory is ahead of its journal now: stop.
        """
        if not records:
            return
        with self.database.transaction() as transaction:
            transaction.add_changes([record.change for record in records if record.change is not None])
            transaction.add_events([event for record in records for event in record.events])
            before_ns = max(record.forget_before_ns for record in records)
            if before_ns:  # what is remembered here was seen later
                transaction.forget_answers(before_ns)
            transaction.remember([answer for record in records for answer in record.answers])
            for record in records:
                for access_key, secret_key, account in record.keys:
                    if secret_key is None:
                        transaction.drop_key(access_key)
                    else:
                        transaction.put_key(access_key, secret_key, account)
                for key, value in record.settings:
                    transaction.put_setting(key, value)
        self.written += len(records)

    def flush(self) -> None:
        """Put everything recorded on disk."""
        self.write(self.take_pending())
