"""Clocks are values: the core never asks the machine what time it is.

Two clocks run in an emulator, both `VirtualClock`: *packet time* (ns since the start of the
run, moves packets) and the *control clock* (ns since 1970 UTC, drives life cycle and
deadlines). Advancing one does not move the other.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from netsim.errors import ClockError
from netsim.units import NS_PER_S

FILE_RUN_START_NS = 1_767_225_600 * NS_PER_S
"""2026-01-01T00:00:00Z: where the control clock of a file run starts."""


class Clock(Protocol):
    """Something that knows the time as int64 ns."""

    @property
    def now_ns(self) -> int:
        """The present, ns."""
        ...


class VirtualClock:
    """A clock that stands still until told otherwise."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    @property
    def now_ns(self) -> int:
        """The present, ns."""
        return self._now_ns

    def advance_to(self, now_ns: int) -> None:
        """Move to `now_ns`.

        Raises:
            ClockError: that lies in the past.
        """
        if now_ns < self._now_ns:
            raise ClockError(f"clock: asked to go from {self._now_ns} ns back to {now_ns} ns")
        self._now_ns = now_ns

    def advance_by(self, delta_ns: int) -> None:
        """Move `delta_ns` ahead.

        Raises:
            ClockError: `delta_ns` is negative.
        """
        self.advance_to(self._now_ns + delta_ns)


def format_utc(utc_ns: int) -> str:
    """`2026-01-01T00:00:00Z`; fractions of a second are cut off."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=utc_ns // NS_PER_S)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
