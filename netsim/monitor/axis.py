"""Rates and times as people read them: units, round ticks, labels. Shared by chart and sparkline."""

from __future__ import annotations

import math
from typing import Final

from netsim.clock import format_utc
from netsim.units import NS_PER_MS, NS_PER_S, S_PER_DAY

_RATE_UNITS: Final = ((10**9, "Gbit/s"), (10**6, "Mbit/s"), (10**3, "kbit/s"), (1, "bit/s"))
_TIME_STEPS_S: Final = (
    *(1, 2, 5, 10, 15, 20, 30),
    *(minutes * 60 for minutes in (1, 2, 5, 10, 15, 20, 30)),
    *(hours * 3600 for hours in (1, 2, 3, 6, 12)),
)


def rate_unit(bps: float) -> tuple[int, str]:
    """The unit a rate is read in: how many bit/s it is, and its name."""
    for size, name in _RATE_UNITS:
        if bps >= size:
            return size, name
    return 1, "bit/s"


def format_rate(bps: float) -> str:
    """`94.2 Mbit/s`: three figures, no trailing zeros."""
    size, unit = rate_unit(bps)
    return f"{three_figures(bps / size)} {unit}"


def three_figures(value: float) -> str:
    """`94.2`, `100`, `1,000`, `0.05`: three figures or all whole digits, whichever are more."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value)) + 1e-9))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def round_step(span: float, n_steps: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten that covers `span` in at most `n_steps` steps."""
    if span <= 0:
        return 1.0
    raw = span / n_steps
    power = 10.0 ** math.floor(math.log10(raw))
    # A hair of tolerance: 0.3 / 3 is above 0.1 in floats.
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))


def time_step_ns(span_ns: int, n_steps: int) -> int:
    """The distance of time ticks, ns: what clocks and people count in; at least 1 ns."""
    if span_ns < n_steps * NS_PER_S:
        return max(1, round(round_step(span_ns, n_steps)))
    for step_s in _TIME_STEPS_S:
        if step_s * NS_PER_S * n_steps >= span_ns:
            return step_s * NS_PER_S
    return max(1, round(round_step(span_ns / (S_PER_DAY * NS_PER_S), n_steps))) * S_PER_DAY * NS_PER_S


def time_label(at_ns: int, step_ns: int) -> str:
    """A packet time on an axis with ticks `step_ns` apart: `250 ms`, `20 s`, `12:30`, `6 h`, `2 d`."""
    if step_ns < NS_PER_S:
        return f"{at_ns / NS_PER_MS:g} ms" if at_ns < NS_PER_S else f"{at_ns / NS_PER_S:g} s"
    seconds = at_ns // NS_PER_S
    if step_ns < 60 * NS_PER_S:
        return f"{seconds} s" if seconds < 600 else f"{seconds // 60}:{seconds % 60:02d}"
    if step_ns < 3600 * NS_PER_S:
        minutes = seconds // 60
        return f"{minutes} min" if minutes < 180 else f"{minutes // 60}:{minutes % 60:02d} h"
    return f"{seconds // 3600} h" if step_ns < S_PER_DAY * NS_PER_S else f"{seconds // S_PER_DAY} d"


def utc_label(utc_ns: int, step_ns: int) -> str:
    """A time of the control clock on an axis: `12:30:05`, `12:30`, `01-08`."""
    text = format_utc(utc_ns)
    if step_ns >= S_PER_DAY * NS_PER_S:
        return text[5:10]
    return text[11:16] if step_ns >= 60 * NS_PER_S else text[11:19]


def duration_label(length_ns: int) -> str:
    """`1 s`, `5 min`, `2.5 s`, `200 ms`."""
    for size_ns, unit in ((S_PER_DAY * NS_PER_S, "d"), (3600 * NS_PER_S, "h"), (60 * NS_PER_S, "min")):
        if length_ns >= size_ns and length_ns % size_ns == 0:
            return f"{length_ns // size_ns} {unit}"
    if length_ns >= NS_PER_S:
        return f"{three_figures(length_ns / NS_PER_S)} s"
    return f"{three_figures(length_ns / NS_PER_MS)} ms"
