"""Is a database whole? SQLite's own check, the journal played again, and events compared."""

from __future__ import annotations

from pathlib import Path

from netsim.clock import VirtualClock
from netsim.controlplane.event import Event
from netsim.store.database import Database, StoreError
from netsim.store.journal import Journal


def check_database(path: str | Path) -> list[str]:
    """Every problem, one line each; empty when all is well.

    Raises:
        StoreError: it can't be opened at all.
    """
    if not Path(path).is_file():
        raise StoreError(f"{path}: no such file")
    with Database(path) as database:
        problems = database.integrity()
        if problems:
            return problems
        try:
            inventory = Journal(database).play(VirtualClock(0))
        except StoreError as error:
            return [str(error)]
        stored = [Event(*event) for event in database.events()]
    # What the clock did after the last change is not written down yet.
    if stored != list(inventory.events[: len(stored)]):
        at = next((i for i, (a, b) in enumerate(zip(stored, inventory.events, strict=False)) if a != b), len(stored))
        problems.append(f"{path}: event {at + 1} is not what the changes make of it")
    return problems
