"""Axis: round steps and labels that people read without counting zeros."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.monitor.axis import (
    duration_label,
    format_rate,
    round_step,
    three_figures,
    time_label,
    time_step_ns,
    utc_label,
)

S = 1_000_000_000


@pytest.mark.parametrize(
    ("bps", "text"),
    [
        (0, "0 bit/s"), (999, "999 bit/s"), (1000, "1 kbit/s"), (94_160_000, "94.2 Mbit/s"), (100e6, "100 Mbit/s"),
        (1e9, "1 Gbit/s"), (2.5e12, "2,500 Gbit/s"),
    ],
)  # fmt: skip
def test_rates_read_in_their_unit(bps: float, text: str) -> None:
    assert format_rate(bps) == text


@pytest.mark.parametrize(("value", "text"), [(0.05, "0.05"), (1234.5, "1,234"), (100, "100"), (0.999, "0.999")])
def test_three_figures(value: float, text: str) -> None:
    assert three_figures(value) == text


@given(st.floats(1e-6, 1e15), st.integers(1, 20))
def test_a_step_is_round_and_covers_the_span(span: float, n: int) -> None:
    step = round_step(span, n)
    assert f"{step:e}"[0] in "125"
    assert step * n >= span * (1 - 1e-6)
    assert step * n <= span * 5 * (1 + 1e-6)


@given(st.integers(1, 2**60))
def test_time_ticks_are_neither_too_many_nor_zero(span_ns: int) -> None:
    step_ns = time_step_ns(span_ns, 9)
    assert step_ns >= 1
    assert span_ns // step_ns <= 9


@pytest.mark.parametrize(
    ("at_ns", "step_ns", "text"),
    [
        (S // 4, S // 20, "250 ms"), (3 * S // 2, S // 2, "1.5 s"), (20 * S, 10 * S, "20 s"),
        (630 * S, 30 * S, "10:30"), (600 * S, 300 * S, "10 min"), (12_600 * S, 1800 * S, "3:30 h"),
        (7200 * S, 3600 * S, "2 h"), (172_800 * S, 86_400 * S, "2 d"),
    ],
)  # fmt: skip
def test_time_labels(at_ns: int, step_ns: int, text: str) -> None:
    assert time_label(at_ns, step_ns) == text


def test_utc_labels_shorten_with_the_step() -> None:
    at_ns = 1_767_225_600 * S + 3_661 * S
    assert [utc_label(at_ns, step) for step in (S, 60 * S, 86_400 * S)] == ["01:01:01", "01:01", "01-01"]


@pytest.mark.parametrize(
    ("length_ns", "text"),
    [(S, "1 s"), (5 * S // 2, "2.5 s"), (300 * S, "5 min"), (3600 * S, "1 h"), (S // 5, "200 ms")],
)
def test_durations(length_ns: int, text: str) -> None:
    assert duration_label(length_ns) == text
