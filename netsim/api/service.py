"""Service: the one door between requests and the running, durable network.

    vpc = service.change(edit.CreateVpc(...), account="acme").result
    names = service.read(lambda emulator: [vpc.name for vpc in emulator.inventory.vpcs.values()])

A change is applied to the emulator and put on disk before `change` returns. The two are apart: applying
takes the network for some microseconds, the disk takes milliseconds and is asked once for all changes
that wait for it. So a reader may see a change that is not on disk yet; `read` then waits for it too, lest
somebody acts on what a crash takes back.

When the disk fails, what is in memory is ahead of it: every later call is refused, and the process should
be started anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from netsim.api.history import History
from netsim.api.writer import Writer
from netsim.clock import VirtualClock
from netsim.controlplane import edit
from netsim.controlplane.edit import Edit
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.view import View
from netsim.emulator import Emulator
from netsim.realtime import RealTime
from netsim.store.database import Answer, Database
from netsim.store.journal import Journal
from netsim.units import NS_PER_S

R = TypeVar("R")

SAMPLE_NS = 60 * NS_PER_S
"""Base period of the monitoring of a server."""
_OFFSET = "control_clock_offset_ns"
TOKEN_LIFE_NS = 86_400 * NS_PER_S
"""How long an answer is kept after the last request with its client token."""


class Start(NamedTuple):
    """What a new database is made with."""

    seed: int = 0
    profile: str = "product"
    limits: dict[str, int | None] | None = None
    edits: tuple[Edit[Any], ...] = ()


class Changed(NamedTuple):
    """What a change came to: the result of `Inventory.apply`, or the answer remembered for its token."""

    result: Any
    answer: Answer | None


class Service:
    """A network that is served; see the module. Safe for threads.

    Args:
        path: of the database; made if it is not there.
        wall_utc_ns: the wall clock, ns since 1970 UTC.
        start: for a database that is new.
        speed: packet time per wall time.

    Raises:
        StoreError: the database can't be used.
    """

    def __init__(
        self, path: str | Path, wall_utc_ns: Callable[[], int], start: Start | None = None, speed: float = 1.0
    ) -> None:
        self.database = Database(path)
        try:
            self._wall_utc_ns = wall_utc_ns
            self._open(start or Start(), speed)
        except BaseException:
            self.database.close()
            raise

    def _open(self, start: Start, speed: float) -> None:
        journal = self._journal = Journal(self.database)
        journal.start(seed=start.seed, profile=start.profile, limits=start.limits)
        clock = VirtualClock(0)
        inventory = journal.play(clock)
        offset_ns = int(self.database.setting(_OFFSET) or 0)
        clock.advance_to(max(clock.now_ns, self._wall_utc_ns() + offset_ns))
        inventory.tick()
        self._answers: dict[tuple[str, str], Answer] = self.database.answers()
        self.keys = self.database.keys()
        self._events_recorded = len(self.database.events())
        self._hurried = 0
        """The thread that must not wait, while it is in `without_waiting`."""
        self._owed = 0
        if journal.version == 0 and start.edits:
            inventory.apply(*start.edits)
            self._record(inventory, start.edits, clock.now_ns, None)
            journal.flush()
        self.real = RealTime(Emulator(inventory, seed=start.seed, sample_period_ns=SAMPLE_NS), speed=speed)
        self.history = History(f"{self.database.path}.samples", self.real)
        self.writer = Writer(journal, self.real.hold)
        self.real.start()

    def close(self) -> None:
        """Stop time, write what is left, close the files."""
        self.real.stop()
        self.history.close()
        self.writer.close()
        self.database.close()

    # -- requests ---------------------------------------------------------------------------

    def read(self, look: Callable[[Emulator], R]) -> R:
        """What `look` finds in the network as it is now.

        Raises:
            StoreError: the disk failed.
        """

        def look_settled(emulator: Emulator) -> R:
            emulator.settle()
            return look(emulator)

        return self._read(look_settled)

    def view(self, account: str, look: Callable[[View], R]) -> R:
        """What `look` finds in the resources that an account sees; as `read`, and cheaper.

        Raises:
            StoreError: the disk failed.
        """
        return self._read(lambda emulator: look(emulator.inventory.visible_to(account)))

    def _read(self, look: Callable[[Emulator], R]) -> R:
        def do(emulator: Emulator) -> tuple[R, int]:
            return look(emulator), self._journal.recorded

        found, recorded = self._call(do)
        self._wait_for(recorded)
        return found

    def change(
        self,
        *edits: Edit[Any],
        account: str | None,
        token: str = "",
        request_hash: str = "",
        answer: Callable[[Any], tuple[int, str]] | None = None,
        plan: Callable[[Emulator], tuple[Edit[Any], ...]] | None = None,
    ) -> Changed:
        """Make a change, durably.

        Args:
            edits: committed together.
            account: who asks; None is the operator.
            token: the request's client token. If a request with this token was answered, that answer is given
                again and nothing happens; the caller compares `request_hash`.
            answer: makes (status, body) of the result, to be remembered for the token.
            plan: makes the edits from the network as it is, in the same turn, instead of `edits`.

        Raises:
            RefusedError: a rule says no; nothing has changed, and nothing is remembered.
            StoreError: the disk failed.
        """

        def do(emulator: Emulator) -> tuple[Changed, int]:
            journal = self._journal
            now_ns = emulator.inventory.clock.now_ns
            if token and (known := self._known_answer(account, token, now_ns)) is not None:
                journal.remember(account or "", token, known)  # seen just now: it is kept for another day
                return Changed(None, known), journal.recorded
            made = edits if plan is None else plan(emulator)
            result = emulator.commit(*made, account=account)  # several changes may share what is compiled for packets
            if made:
                self._record(emulator.inventory, made, now_ns, account)
            kept = None
            if token and answer is not None:
                status, body = answer(result)
                kept = Answer(request_hash, status, body, now_ns)
                self._answers[account or "", token] = kept
                journal.remember(account or "", token, kept)
            return Changed(result, None), journal.recorded

        self.writer.check()
        changed, recorded = self._call(do)
        self._wait_for(recorded)
        return changed

    def without_waiting(self, do: Callable[[], R]) -> tuple[R, int]:
        """Run `do`, which makes one read or change, on this thread, and wait neither for others nor for the disk.

        Its result, and what `writer.durable` must be awaited with before anybody is told.

        Raises:
            BusyError: it would have to wait for others; nothing was done.
        """
        self._hurried, self._owed = threading.get_ident(), 0
        try:
            return do(), self._owed
        finally:
            self._hurried = 0

    def put_key(self, access_key: str, secret_key: str, account: str) -> None:
        """Let an account in with a key, durably; a new account is made.

        Raises:
            RefusedError: the account's id is no id.
            StoreError: the disk failed.
        """

        def do(emulator: Emulator) -> int:
            inventory = emulator.inventory
            if account not in inventory.accounts:
                made = (edit.CreateAccount(account),)
                emulator.apply(*made)
                self._record(inventory, made, inventory.clock.now_ns, None)
            self._journal.put_key(access_key, secret_key, account)
            return self._journal.recorded

        self.writer.check()
        self._wait_for(self.real.call(do))
        self.keys[access_key] = (secret_key, account)

    def drop_key(self, access_key: str) -> None:
        """Let nobody in with this key any more, durably.

        Raises:
            StoreError: the disk failed.
        """

        def do(_: Emulator) -> int:
            self._journal.drop_key(access_key)
            return self._journal.recorded

        self.writer.check()
        self.keys.pop(access_key, None)
        self._wait_for(self.real.call(do))

    def advance_control_clock(self, delta_ns: int) -> None:
        """Let control time pass, for good: after a restart it is as late.

        Raises:
            ClockError: negative.
            StoreError: the disk failed.
        """

        def do(emulator: Emulator) -> int:
            emulator.advance_control_clock(delta_ns)
            offset_ns = emulator.inventory.clock.now_ns - self._wall_utc_ns()
            self._journal.put_setting(_OFFSET, str(offset_ns))
            return self._journal.recorded

        self.writer.check()
        self._wait_for(self.real.call(do))

    def _known_answer(self, account: str | None, token: str, now_ns: int) -> Answer | None:
        """The answer for a token, as seen now; those that nobody asked for in a day are forgotten."""
        answers = self._answers  # in order of when they were last seen
        while answers and now_ns - next(iter(answers.values())).seen_ns > TOKEN_LIFE_NS:
            del answers[next(iter(answers))]
            self._journal.forget_answers(now_ns - TOKEN_LIFE_NS)
        known = answers.pop((account or "", token), None)
        if known is not None:
            known = answers[account or "", token] = known._replace(seen_ns=now_ns)
        return known

    # -- disk -------------------------------------------------------------------------------

    def _record(self, inventory: Inventory, edits: tuple[Edit[Any], ...], at_ns: int, account: str | None) -> None:
        new = inventory.events_since(self._events_recorded)
        self._events_recorded += len(new)
        self._journal.record(edits, at_ns=at_ns, account=account, events=new)

    def _call(self, do: Callable[[Emulator], R]) -> R:
        is_hurried = threading.get_ident() == self._hurried
        return self.real.try_call(do) if is_hurried else self.real.call(do)

    def _wait_for(self, recorded: int) -> None:
        """Until so many records are on disk; who does not wait is told how many."""
        if threading.get_ident() == self._hurried:
            self._owed = recorded
        else:
            self.writer.wait_for(recorded)
