"""RealTime: an Emulator that runs by the wall clock, shared by threads.

Packet time follows the wall: `speed` ns of packet time to each ns of wall time. A thread of its own moves
it ahead in small steps; `call` runs a function on the emulator between two steps, first bringing it to the
present where that is cheap, so that what is done now happens now. A network with more traffic than the machine
can move falls behind the wall (`lag_ns`); requests and packets then take turns of the same length.

The control clock follows packet time, and may be moved ahead alone (`advance_control_clock`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from netsim.emulator import Emulator
from netsim.errors import NetsimError, UsageError
from netsim.units import NS_PER_MS, NS_PER_S

R = TypeVar("R")

STEP_NS = 20 * NS_PER_MS
"""Longest stretch moved at once, of packet time or, where that runs faster, of wall time; less when it takes long."""
STEP_WALL_NS = 10 * NS_PER_MS
"""About as long should a step take at most: so long requests wait."""
LEAST_STEP_NS = NS_PER_MS
IDLE_S = 0.01
"""How often a running network is brought up to the wall when nobody asks, at most."""
YIELD_S = 0.001
"""The least time that is left to callers between two steps, while there are some."""
FRESH_NS = 5 * NS_PER_MS
"""Least wall time for which a call takes the present as it was found last: finding it costs more than most calls."""
FRESH_SHARE = 20
"""How many times as long as it took to find it."""
MAX_SPEED = 1_000_000.0


class BusyError(NetsimError):
    """Whoever must not wait would have to; ask again from a thread that may."""


def check_speed(speed: float) -> None:
    """Refuse a speed that can't be.

    Raises:
        UsageError: not 0..1,000,000.
    """
    if not 0 <= speed <= MAX_SPEED:
        raise UsageError(f"speed is {speed:g}, accepted 0..{MAX_SPEED:,.0f}")


class RealTime:
    """Owner of a running emulator.

    Args:
        emulator: from here on reached through `call` only.
        speed: packet time per wall time, 0 or more: 0 stands still until `step`.
        wall: a monotonic clock, ns.
    """

    def __init__(self, emulator: Emulator, speed: float = 1.0, wall: Callable[[], int] = time.monotonic_ns) -> None:
        self._emulator = emulator
        self._wall = wall
        self._lock = threading.Lock()
        self._callers: deque[None] = deque()  # how many want the emulator: appending and popping need no lock
        self._is_stopped = threading.Event()
        self._caught_up_wall_ns = 0
        self._step_ns = STEP_NS
        self._took_ns = 0
        self._speed = 0.0
        self._base_packet_ns = emulator.now_ns
        self._base_wall_ns = wall()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._set_speed(speed)

    # -- for everybody ----------------------------------------------------------------------

    def call(self, do: Callable[[Emulator], R]) -> R:
        """Run `do` on the emulator as of now, alone; its result. Exceptions come through.

        Keep it short, and keep nothing of the emulator that changes.
        """
        with self._held():
            self._freshen()
            return do(self._emulator)

    def try_call(self, do: Callable[[Emulator], R]) -> R:
        """Like `call`, for who must not wait.

        Raises:
            BusyError: the emulator is at work for somebody else; nothing was done.
        """
        if not self._lock.acquire(blocking=False):
            raise BusyError("the network is at work")
        try:
            self._freshen()
            return do(self._emulator)
        finally:
            self._lock.release()

    def hold(self, do: Callable[[], R]) -> R:
        """Run `do` between two calls, without looking at the time; its result."""
        with self._held():
            return do()

    @property
    def speed(self) -> float:
        """Packet time per wall time."""
        return self._speed

    @property
    def lag_ns(self) -> int:
        """How far packet time is behind where it should be."""
        return max(0, self._due_ns() - self._emulator.now_ns)

    @property
    def failure(self) -> BaseException | None:
        """What ended the thread, None as long as all is well."""
        return self._failure

    def set_speed(self, speed: float) -> None:
        """Go on at another speed from now; what was behind is forgiven.

        Raises:
            UsageError: not 0..1,000,000.
        """
        with self._held():
            self._catch_up()
            self._set_speed(speed)

    def step(self, delta_ns: int) -> None:
        """Move packets `delta_ns` ahead at once, whatever the wall says.

        Raises:
            ClockError: negative.
        """
        with self._held():
            self._emulator.advance(self._emulator.now_ns + delta_ns)
            self._rebase()

    def advance_control_clock(self, delta_ns: int) -> None:
        """Let control time pass, packets pause.

        Raises:
            ClockError: negative.
        """
        self.call(lambda emulator: emulator.advance_control_clock(delta_ns))

    # -- life -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to follow the wall."""
        with self._held():
            self._rebase()
        self._thread = threading.Thread(target=self._run, name="netsim-realtime", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop following the wall; the emulator stays where it is."""
        self._is_stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        try:
            while not self._is_stopped.is_set():
                is_behind = self._due_ns() - self._emulator.now_ns >= self._longest_step_ns
                if not is_behind:
                    self._is_stopped.wait(max(IDLE_S, min(self._fresh_ns, STEP_NS) / NS_PER_S))
                elif self._callers:
                    self._is_stopped.wait(max(YIELD_S, self._took_ns / NS_PER_S))
                if is_behind or not self._is_fresh():
                    with self._lock:
                        self._catch_up()
        except BaseException as failure:
            self._failure = failure
            raise

    # -- inside -----------------------------------------------------------------------------

    @contextmanager
    def _held(self) -> Iterator[None]:
        """The emulator for this caller alone."""
        self._callers.append(None)
        try:
            self._lock.acquire()
        finally:
            self._callers.pop()
        try:
            yield
        finally:
            self._lock.release()

    def _due_ns(self) -> int:
        """Where packet time should be."""
        return self._base_packet_ns + int((self._wall() - self._base_wall_ns) * self._speed)

    @property
    def _longest_step_ns(self) -> int:
        return int(STEP_NS * max(1.0, self._speed))

    @property
    def _fresh_ns(self) -> int:
        return max(FRESH_NS, FRESH_SHARE * self._took_ns)

    def _is_fresh(self) -> bool:
        return self._wall() - self._caught_up_wall_ns < self._fresh_ns

    def _freshen(self) -> None:
        # Only one step at a time: far behind the wall, now is where packets are.
        if not self._is_fresh():
            self._catch_up()

    def _catch_up(self) -> None:
        began_ns = self._caught_up_wall_ns = self._wall()
        now_ns = self._emulator.now_ns
        due_ns = min(self._due_ns(), now_ns + self._step_ns)
        if due_ns > now_ns:
            self._emulator.advance(due_ns)
        self._took_ns = self._wall() - began_ns
        if self._took_ns > STEP_WALL_NS:
            self._step_ns = max(LEAST_STEP_NS, (due_ns - now_ns) * STEP_WALL_NS // self._took_ns)
        else:
            self._step_ns = min(self._longest_step_ns, 2 * self._step_ns)

    def _rebase(self) -> None:
        self._base_packet_ns = self._emulator.now_ns
        self._base_wall_ns = self._wall()

    def _set_speed(self, speed: float) -> None:
        check_speed(speed)
        self._speed = speed
        self._rebase()
