"""Writer: one thread that puts the journal on disk, for all who wait for it.

The disk takes milliseconds however much it is given. So whatever was recorded while it was busy goes along with
the next visit, and a server of one loop asks for it only after all requests that have arrived had their turn.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, NamedTuple

from netsim.store.database import StoreError
from netsim.store.journal import Journal


class _Waiter(NamedTuple):
    """Who awaits that so many records are on disk."""

    recorded: int
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


class Writer:
    """Who waits for the disk asks here; see the module.

    Args:
        journal: what is written.
        hold: runs a function while nobody records.
    """

    def __init__(self, journal: Journal, hold: Callable[[Callable[[], Any]], Any]) -> None:
        self._journal = journal
        self._hold = hold
        self.failure: BaseException | None = None
        """What went wrong with the disk; nothing more is written then."""
        self._progress = threading.Condition()
        self._wanted: SimpleQueue[None] = SimpleQueue()
        self._asking: asyncio.AbstractEventLoop | None = None
        self._waiting: list[_Waiter] = []
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="netsim-journal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is left; nobody may record any more."""
        self._is_closing = True
        self._wanted.put(None)
        self._thread.join()

    def check(self) -> None:
        """Refuse to go on after a failure.

        Raises:
            StoreError: the disk failed.
        """
        if self.failure is not None:
            raise StoreError(f"the database failed, start the server anew: {self.failure}")

    def wait_for(self, recorded: int) -> None:
        """Until so many records are on disk.

        Raises:
            StoreError: the disk failed.
        """
        if self._is_owed(recorded):
            self._wanted.put(None)
            with self._progress:
                while self._is_owed(recorded):
                    self._progress.wait()
        self.check()

    async def durable(self, recorded: int) -> None:
        """As `wait_for`, for a loop."""
        if self._is_owed(recorded):
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            with self._progress:
                if self._is_owed(recorded):
                    self._waiting.append(_Waiter(recorded, loop, future))
                    if self._asking is not loop:
                        self._asking = loop
                        loop.call_soon(self._ask)
                else:
                    future.set_result(None)
            await future
        self.check()

    def _is_owed(self, recorded: int) -> bool:
        return self.failure is None and self._journal.written < recorded

    def _ask(self) -> None:
        self._asking = None
        self._wanted.put(None)

    def _run(self) -> None:
        is_last = False
        while not is_last and self.failure is None:
            self._wanted.get()
            is_last = self._is_closing
            if self._journal.written == self._journal.recorded:
                continue  # an earlier visit took along what was asked for
            records = self._hold(self._journal.take_pending)
            try:
                self._journal.write(records)
            except BaseException as failure:  # noqa: BLE001 - told to everybody who waits
                self.failure = failure
            self._tell()

    def _tell(self) -> None:
        """Wake those whose records are on disk; after a failure, all."""
        written = math.inf if self.failure is not None else self._journal.written
        with self._progress:
            self._progress.notify_all()
            done = [waiter for waiter in self._waiting if waiter.recorded <= written]
            self._waiting = [waiter for waiter in self._waiting if waiter.recorded > written]
        for loop in {waiter.loop for waiter in done}:
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody is there to be told
                loop.call_soon_threadsafe(_wake, [waiter.future for waiter in done if waiter.loop is loop])


def _wake(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
