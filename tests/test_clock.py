"""Clocks are values: they move when told, and never back."""

from __future__ import annotations

import pytest

from netsim.clock import FILE_RUN_START_NS, Clock, VirtualClock, format_utc
from netsim.errors import ClockError
from netsim.units import NS_PER_DAY, NS_PER_S


def test_a_virtual_clock_stands_still_until_told_otherwise() -> None:
    clock = VirtualClock(5)
    assert (clock.now_ns, clock.now_ns) == (5, 5)
    clock.advance_to(7)
    clock.advance_by(3)
    assert clock.now_ns == 10
    as_protocol: Clock = clock
    assert as_protocol.now_ns == 10


def test_standing_still_is_no_step_back() -> None:
    clock = VirtualClock(5)
    clock.advance_to(5)
    clock.advance_by(0)
    assert clock.now_ns == 5


def test_a_clock_never_runs_backwards_and_stays_where_it_was() -> None:
    clock = VirtualClock(5)
    with pytest.raises(ClockError, match="from 5 ns back to 4 ns"):
        clock.advance_to(4)
    with pytest.raises(ClockError, match="from 5 ns back to 4 ns"):
        clock.advance_by(-1)
    assert clock.now_ns == 5


@pytest.mark.parametrize(
    ("utc_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (FILE_RUN_START_NS, "2026-01-01T00:00:00Z"),
        (FILE_RUN_START_NS - 1, "2025-12-31T23:59:59Z"),
        (FILE_RUN_START_NS + 7 * NS_PER_DAY + NS_PER_S - 1, "2026-01-08T00:00:00Z"),
        (951_782_400 * NS_PER_S, "2000-02-29T00:00:00Z"),
    ],
)
def test_times_are_written_in_utc_without_fractions(utc_ns: int, text: str) -> None:
    assert format_utc(utc_ns) == text
