"""A series in one line of a terminal, scaled to the cap: `▁▂▅▇█▇▅`.

A space is a gap, the lowest mark is nothing at all, and whatever is more than nothing stands
higher: a trickle is never drawn as silence. Values at or above the cap fill the cell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from netsim.monitor.axis import format_rate
from netsim.monitor.series import Series

BLOCKS: Final = "▁▂▃▄▅▆▇█"
ASCII: Final = "_.:-=+*#"


def can_print_blocks(encoding: str | None) -> bool:
    """Whether an output of this encoding can show the blocks."""
    try:
        BLOCKS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def sparkline(
    values: Sequence[float | None], width: int, ceiling: float | None = None, *, ascii_only: bool = False
) -> str:
    """At most `width` marks, one per value, or one per run of values where there are more.

    A mark of several values shows the largest: a peak is never averaged away.

    Args:
        values: 0 or more each; None (or NaN) is a gap.
        width: columns of the terminal to use; below 1 gives "".
        ceiling: the value that fills a cell, such as the cap; None = the largest value.
        ascii_only: for terminals that can't show the blocks.
    """
    marks = ASCII if ascii_only else BLOCKS
    cells = _squeeze([None if value is None or math.isnan(value) else value for value in values], width)
    top = ceiling if ceiling is not None else max((cell for cell in cells if cell is not None), default=0.0)
    return "".join(" " if cell is None else marks[_level(cell, top, len(marks))] for cell in cells)


def bandwidth_line(label: str, series: Series, direction: str, width: int, *, ascii_only: bool = False) -> str:
    """One direction of a side in one line of `width` columns: label, sparkline to the cap, figures.

    Gaps between samples show as spaces. With too little room the sparkline goes first.
    """
    bps = series.values(f"{direction}_bps")
    now = float(bps[-1]) if len(bps) else 0.0
    cap = int(series.cap_bps[-1]) if len(bps) else 0
    share = f"{round(100 * now / cap)} %" if cap else "no cap"
    figures = f"{format_rate(now):>12} {share:>6} of {format_rate(cap)}"
    shown = sparkline(
        _with_gaps(series, bps.tolist()), width - len(label) - len(figures) - 4, cap, ascii_only=ascii_only
    )
    return f"{label}  {shown}  {figures}" if shown else f"{label}  {figures}"


def _with_gaps(series: Series, values: list[float]) -> list[float | None]:
    """The values on the grid of the base period, None where there is no sample."""
    if not values:
        return []
    slots = (series.start_ns // series.period_ns).tolist()
    present = dict(zip(slots, values, strict=True))
    # A gap of a week is no line of a million spaces: what is squeezed afterwards may be cut here.
    if slots[-1] - slots[0] > 100 * len(slots):
        return list(values)
    return [present.get(slot) for slot in range(slots[0], slots[-1] + 1)]


def _squeeze(values: list[float | None], width: int) -> list[float | None]:
    if width < 1:
        return []
    if len(values) <= width:
        return values
    edges = [k * len(values) // width for k in range(width + 1)]
    return [
        max((value for value in values[low:high] if value is not None), default=None) for low, high in pairwise(edges)
    ]


def _level(value: float, top: float, n_levels: int) -> int:
    if value <= 0 or top <= 0:
        return 0
    return min(n_levels - 1, max(1, round(value / top * (n_levels - 1))))
