"""Sparklines: to scale, honest about gaps and trickles, never wider than asked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.monitor.monitor import Monitor
from netsim.monitor.sparkline import ASCII, BLOCKS, bandwidth_line, can_print_blocks, sparkline

S = 1_000_000_000


def test_marks_rise_with_the_value_to_the_ceiling() -> None:
    assert sparkline([0, 25, 50, 75, 100, 130], 10, 100) == "▁▃▅▆██"
    assert sparkline([0, 25, 50, 75, 100, 130], 10, 100, ascii_only=True) == "_:=+##"


def test_without_a_ceiling_the_largest_fills_the_cell() -> None:
    assert sparkline([1, 2, 4], 10)[-1] == "█"


def test_a_gap_a_silence_and_a_trickle_differ() -> None:
    assert sparkline([None, 0, 0.001, float("nan")], 10, 100) == " ▁▂ "


def test_a_peak_survives_squeezing() -> None:
    values: list[float | None] = [1.0] * 1000
    values[123] = 100.0
    assert sparkline(values, 10, 100).count("█") == 1
    assert len(sparkline(values, 10, 100)) == 10


@given(st.lists(st.none() | st.floats(0, 1e12), max_size=300), st.integers(-3, 120), st.booleans())
def test_it_is_never_wider_than_asked(values: list[float | None], width: int, ascii_only: bool) -> None:
    text = sparkline(values, width, ascii_only=ascii_only)
    assert len(text) == max(0, min(width, len(values)))
    assert set(text) <= set(" " + (ASCII if ascii_only else BLOCKS))


@pytest.mark.parametrize(
    ("encoding", "yes"), [("utf-8", True), ("ascii", False), ("latin-1", False), (None, False), ("no-such", False)]
)
def test_what_an_output_can_show_follows_from_its_encoding(encoding: str | None, yes: bool) -> None:
    assert can_print_blocks(encoding) is yes


def test_a_line_fits_its_width_and_reads_in_figures(world: Any, monitor: Monitor) -> None:
    for second in range(100):
        world.send(0, n_bytes=second * 125_000)
        monitor.observe((second + 1) * S, world.counters)
    line = bandwidth_line("c0 egress", monitor.series("c0", "local"), "egress", 80)
    assert len(line) == 80
    assert line.startswith("c0 egress  ▂▂")
    assert line.endswith("█     99 Mbit/s   99 % of 100 Mbit/s")
    # Too narrow for a sparkline: the figures stay.
    assert bandwidth_line("c0", monitor.series("c0", "local"), "egress", 10).endswith("of 100 Mbit/s")


def test_a_line_shows_gaps_as_spaces(world: Any, monitor: Monitor, make_connection: Any) -> None:
    monitor.observe(2 * S, world.counters)
    monitor.describe(2 * S, [], world.counters)
    monitor.observe(5 * S, world.counters)
    monitor.describe(5 * S, [make_connection()], world.counters)
    monitor.observe(6 * S, world.counters)
    assert "c0  ▁▁   ▁  " in bandwidth_line("c0", monitor.series("c0", "local"), "egress", 80)
