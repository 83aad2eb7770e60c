"""Shares: one kernel call for each share of the nodes, at the same time, in threads that are kept.

Compiled kernels let go of the interpreter; where they wait for each other they do it themselves
(`jit.together`). A call that fails must not leave the others waiting: it says so in `sync`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim import jit
from netsim.dataplane import cache_lines, drop_tail, state, window
from netsim.dataplane.fib import Fib
from netsim.dataplane.memory import Memory
from netsim.jit.together import Y_ABORT, Y_STOP, sync_words

Ints = NDArray[np.int64]

LEAST_EVENTS = 2000
"""Events of an average window from which on threads are worth their two meetings: some 0.1 ms of work."""


class Shares:
    """Runs `window.run_until` over the nodes of one engine."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._workers = 0, 0
        self._done = 0, 0
        self._events_per_window = LEAST_EVENTS  # who does not know tries
        self.used = 1
        """How many the last call had."""

    def run(
        self, memory: Memory, fib: Fib, *, is_compiled: bool, threads: int, until_ns: int, window_ns: int
    ) -> list[int]:
        """What each share's call says. The number of threads changes between windows only."""
        if not any(hands.control[state.C_CURSOR] >= 0 for hands in memory.hands):
            self.used = min(threads, max(fib.n_nodes, 1)) if is_compiled and self._is_worth_it(memory) else 1
            if not self._has_workers(self.used - 1):
                self.used = 1
            memory.lend_hands(self.used)
        sync = cache_lines.zeros(sync_words(self.used))
        borders = memory.layout(fib.n_nodes).borders(self.used)
        if not is_compiled:
            fib_view, st_view = memory.views(fib, is_compiled)
            alone = memoryview(sync)
            return [window.run_until(fib_view, st_view, alone, 0, 1, 0, fib.n_nodes, until_ns, window_ns)]
        run = jit.compiled(window.run_until)
        return self._together(
            run,
            [
                (*memory.views(fib, is_compiled, share), sync, share, self.used, first, end, until_ns, window_ns)
                for share, (first, end) in enumerate(pairwise(borders))
            ],
            sync,
        )

    def _is_worth_it(self, memory: Memory) -> bool:
        done = memory.sum_of(state.C_EVENTS), int(memory.hands[0].control[state.C_WINDOWS])
        events, windows = (now - before for now, before in zip(done, self._done, strict=True))
        self._done = done
        if windows:
            self._events_per_window = events // windows
        return self._events_per_window >= LEAST_EVENTS and not _is_recorded(memory)

    def _has_workers(self, n: int) -> bool:
        """Whether so many threads beside this one are there, all of them started."""
        if n == 0 or self._workers == (os.getpid(), n):
            return True
        self._pool = ThreadPoolExecutor(n, "netsim-engine")
        all_here = threading.Barrier(n + 1)
        try:
            for _ in range(n):
                self._pool.submit(all_here.wait)
            all_here.wait()
        except (RuntimeError, threading.BrokenBarrierError):  # the system has no more threads for us
            all_here.abort()
            return False
        self._workers = os.getpid(), n  # threads don't follow into a forked process
        return True

    def _together(self, run: Callable[..., int], calls: Sequence[tuple[Any, ...]], sync: Ints) -> list[int]:
        if len(calls) == 1:
            return [run(*calls[0])]

        def call(arguments: tuple[Any, ...]) -> int:
            try:
                return run(*arguments)
            except BaseException:
                _let_go(sync)
                raise

        assert self._pool is not None
        others: list[Future[int]] = []
        try:
            others.extend(self._pool.submit(call, arguments) for arguments in calls[1:])
            return [call(calls[0]), *(other.result() for other in others)]
        except BaseException:
            _let_go(sync)
            wait(others)  # nobody writes any more when the caller hears of it
            raise


def _let_go(sync: Ints) -> None:
    """Let nobody wait for a thread that will not come."""
    sync[Y_STOP] = 1
    sync[Y_ABORT] = 1


def _is_recorded(memory: Memory) -> bool:
    """Whether anything is watched or tapped: the journal has one writer."""
    taps = memory.link[drop_tail.S_TAP :: drop_tail.STATE_WORDS], memory.inst[state.X_TAP :: state.INST_STATE_WORDS]
    return memory.is_watched or any(bool(tap.any()) for tap in taps)
