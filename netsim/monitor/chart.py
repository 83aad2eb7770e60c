"""The bandwidth chart: one self-contained SVG, a panel per connection, both directions over time.

Samples are means over their period, so each is drawn as a level stretch, not as a point on a
curve. Panels share the time axis. The cap is a dashed line that steps where it was resized;
below each panel a lane shows what was dropped and when. A gap in the samples is a gap in the
line. No scripts, no fonts, no links; it follows the reader's light or dark scheme.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from netsim.monitor.axis import (
    duration_label,
    format_rate,
    rate_unit,
    round_step,
    three_figures,
    time_step_ns,
    utc_label,
)
from netsim.monitor.axis import time_label as packet_label
from netsim.monitor.monitor import Monitor, TimeBase
from netsim.monitor.series import Series
from netsim.monitor.svg import STYLE, clean, element, fit, path_of
from netsim.monitor.totals import totals_of

WIDTH: Final = 960
_LEFT, _RIGHT = 72, 28
_PLOT_WIDTH: Final = WIDTH - _LEFT - _RIGHT
_HEADER, _FOOTER = 78, 18
_PANEL_TITLE, _PLOT, _LANE, _TIMES, _PANEL_GAP = 76, 168, 20, 30, 24
_PANEL: Final = _PANEL_TITLE + _PLOT + _LANE + _TIMES + _PANEL_GAP
MAX_POINTS: Final = 400
"""Stretches in a line; more samples are rolled up, and the subtitle says so."""
_SCALE_TO_DATA_BELOW: Final = 0.08
"""Below this share of the cap the axis follows the data, and the cap is a note at the top."""


@dataclass(frozen=True, slots=True)
class _Panel:
    title: str
    subtitle: str
    lines: tuple[tuple[str, Series], ...]  # (label, the sending side's series), local first


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a panel's plot lies, and its two scales."""

    top: float
    start_ns: int
    end_ns: int
    max_bps: float

    @property
    def bottom(self) -> float:
        return self.top + _PLOT

    def x(self, at_ns: float) -> float:
        return _LEFT + (at_ns - self.start_ns) / (self.end_ns - self.start_ns) * _PLOT_WIDTH

    def y(self, bps: float) -> float:
        return self.bottom - bps / self.max_bps * _PLOT


def bandwidth_chart(
    monitor: Monitor,
    connections: Sequence[str] | None = None,
    *,
    title: str = "Peer connection bandwidth",
    clock: TimeBase = "packet",
) -> str:
    """The SVG text.

    Args:
        monitor: holds the samples.
        connections: ids or names, in order of the panels; None = all.
        title: heading; any text.
        clock: what the time axis shows: packet time, or the control clock (UTC).

    Raises:
        NotFoundError: a connection that is not monitored.
    """
    asked = [known.id for known in monitor.connections] if connections is None else list(connections)
    panels = [_panel_of(monitor, connection, clock) for connection in asked]
    spans = [
        (int(series.start_ns[0]), int((series.start_ns + series.length_ns).max()))
        for panel in panels
        for _, series in panel.lines
        if len(series)
    ]
    start_ns = min((span[0] for span in spans), default=0)
    end_ns = max((span[1] for span in spans), default=start_ns)
    end_ns = max(end_ns, start_ns + 1)
    period_ns = _period_for(monitor.base_period_ns, end_ns - start_ns)
    height = _HEADER + max(1, len(panels)) * _PANEL + _FOOTER
    noun = "connection" if len(panels) == 1 else "connections"
    subtitle = f"{len(panels)} {noun} · mean over {duration_label(period_ns)}"
    if clock == "control":
        subtitle += " · UTC"
    body = [
        element("rect", cls="bg", width=WIDTH, height=height, rx=10),
        element("text", fit(title, 70), cls="h1", x=_LEFT, y=36),
        element("text", subtitle, cls="muted", x=_LEFT, y=57),
    ]
    for k, panel in enumerate(panels):
        body.append(_draw_panel(panel, _HEADER + k * _PANEL, (start_ns, end_ns), period_ns, clock))
    if not spans:
        body.append(element("text", "no samples yet", cls="muted", x=WIDTH / 2, y=height / 2, anchor="middle"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' role="img" aria-labelledby="netsim-title netsim-desc" class="netsim-chart">\n'
        f'<title id="netsim-title">{clean(title)}</title>\n'
        f'<desc id="netsim-desc">{clean(_description(panels))}</desc>\n'
        f"<style>{STYLE}</style>\n" + "\n".join(body) + "\n</svg>\n"
    )


def _panel_of(monitor: Monitor, connection: str, clock: TimeBase) -> _Panel:
    found = monitor.find(connection)
    there, back = found.local.vpc, found.peer.vpc
    return _Panel(
        monitor.label(found),
        f"{found.id} · {format_rate(found.cap_bps)}"
        if monitor.label(found) != found.id
        else format_rate(found.cap_bps),
        (
            (f"{there} → {back}", monitor.series(found.id, "local", clock)),
            (f"{back} → {there}", monitor.series(found.id, "peer", clock)),
        ),
    )


def _period_for(base_ns: int, span_ns: int) -> int:
    """The smallest round multiple of the base period that needs at most `MAX_POINTS` of them."""
    samples = math.ceil(span_ns / base_ns)
    if samples <= MAX_POINTS:
        return base_ns
    return base_ns * max(1, round(round_step(samples, MAX_POINTS)))


def _description(panels: Sequence[_Panel]) -> str:
    """The chart in words, for those who can't see it."""
    sentences = []
    for panel in panels:
        for label, series in panel.lines:
            totals = totals_of(series, "egress")
            sentences.append(
                f"{panel.title}, {label}: mean {format_rate(totals.mean_bps)}, peak {format_rate(totals.peak_bps)},"
                f" {totals.utilization_ratio:.0%} of the cap, {totals.dropped_packets:,} packets dropped."
            )
    return " ".join(sentences) or "No connections."


def _draw_panel(panel: _Panel, top: float, span_ns: tuple[int, int], period_ns: int, clock: TimeBase) -> str:
    rolled = [
        (label, series if period_ns == series.period_ns else series.roll_up(period_ns), series)
        for label, series in panel.lines
    ]
    peak = max((float(short.values("egress_bps").max()) for _, short, _ in rolled if len(short)), default=0.0)
    cap = max((float(short.cap_bps.max()) for _, short, _ in rolled if len(short)), default=0.0)
    shows_cap = peak >= _SCALE_TO_DATA_BELOW * cap or peak == 0
    highest = max(peak, cap) if shows_cap else peak
    size, unit = rate_unit(highest)
    step = round_step(highest * 1.02 / size, 4) * size if highest else 1.0
    max_bps = max(step * math.ceil(highest * 1.02 / step), step)
    frame = _Frame(top + _PANEL_TITLE, *span_ns, max_bps)
    parts = [
        element("text", fit(panel.title, 40), cls="h2", x=_LEFT, y=top + 16),
        element("text", panel.subtitle, cls="muted", x=WIDTH - _RIGHT, y=top + 16, anchor="end"),
        _draw_grid(frame, step, size, unit),
        _draw_times(frame, clock),
        *(_draw_line(frame, series, k) for k, (_, series, _) in enumerate(rolled)),
        _draw_cap(frame, rolled[0][1]) if shows_cap else _cap_note(frame, cap),
        _draw_drops(frame, [(label, series) for label, series, _ in rolled]),
        *(_draw_legend(top + 37 + 19 * k, k, label, series) for k, (label, _, series) in enumerate(rolled)),
    ]
    return "<g>\n" + "\n".join(parts) + "\n</g>"


def _draw_grid(frame: _Frame, step: float, size: int, unit: str) -> str:
    parts = []
    for k in range(round(frame.max_bps / step) + 1):
        y = frame.y(k * step)
        parts.append(element("line", cls="axis" if k == 0 else "grid", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y))
        parts.append(element("text", three_figures(k * step / size), cls="tick", x=_LEFT - 10, y=y + 4, anchor="end"))
    parts.append(element("text", unit, cls="tick", x=_LEFT - 10, y=frame.top - 12, anchor="end"))
    return "\n".join(parts)


def _draw_times(frame: _Frame, clock: TimeBase) -> str:
    step_ns = time_step_ns(frame.end_ns - frame.start_ns, 9)
    y = frame.bottom + _LANE
    parts = []
    for at_ns in range(-(-frame.start_ns // step_ns) * step_ns, frame.end_ns + 1, step_ns):
        label = utc_label(at_ns, step_ns) if clock == "control" else packet_label(at_ns, step_ns)
        parts.append(element("line", cls="axis", x1=frame.x(at_ns), x2=frame.x(at_ns), y1=y, y2=y + 5))
        parts.append(element("text", label, cls="tick", x=frame.x(at_ns), y=y + 19, anchor="middle"))
    return "\n".join(parts)


def _draw_line(frame: _Frame, series: Series, k: int) -> str:
    """The samples as level stretches: a filled area with its upper edge drawn."""
    edges: list[list[tuple[float, float]]] = []
    last_end_ns = None
    bps = series.values("egress_bps").tolist()
    ends_ns = _ends_of(series)
    for start_ns, end_ns, value in zip(series.start_ns.tolist(), ends_ns, bps, strict=True):
        x0, x1, y = frame.x(start_ns), frame.x(end_ns), frame.y(value)
        if start_ns != last_end_ns:
            edges.append([(x0, y), (x1, y)])
        else:
            edges[-1] += [(x0, y), (x1, y)]
        last_end_ns = end_ns
    areas = [[(run[0][0], frame.bottom), *run, (run[-1][0], frame.bottom)] for run in edges]
    return "\n".join(
        (
            element("path", cls=f"area{k}", d=path_of(areas, closed=True)),
            element("path", cls=f"line{k}", d=path_of(edges), data_points=len(series)),
        )
    )


def _draw_cap(frame: _Frame, series: Series) -> str:
    """The cap in force, as a dashed line with its value at its right end."""
    runs: list[list[tuple[float, float]]] = []
    last_end_ns, last_cap = None, None
    for start_ns, end_ns, cap in zip(series.start_ns.tolist(), _ends_of(series), series.cap_bps.tolist(), strict=True):
        y = frame.y(cap)
        if start_ns != last_end_ns:
            runs.append([(frame.x(start_ns), y)])
        elif cap != last_cap:
            runs[-1] += [(frame.x(start_ns), frame.y(last_cap or 0)), (frame.x(start_ns), y)]
        last_end_ns, last_cap = end_ns, cap
        # A straight run is one segment, however many samples it spans.
        if len(runs[-1]) > 1 and runs[-1][-1][1] == y and runs[-1][-2][1] == y:
            runs[-1][-1] = (frame.x(end_ns), y)
        else:
            runs[-1].append((frame.x(end_ns), y))
    if not runs or last_cap is None:
        return ""
    label = element(
        "text",
        f"cap {format_rate(last_cap)}",
        cls="caplabel",
        x=runs[-1][-1][0] - 4,
        y=frame.y(last_cap) - 6,
        anchor="end",
    )
    return element("path", cls="cap", d=path_of(runs)) + "\n" + label


def _cap_note(frame: _Frame, cap_bps: float) -> str:
    text = f"↑ cap {format_rate(cap_bps)}, far above this scale"
    return element("text", text, cls="caplabel", x=WIDTH - _RIGHT - 4, y=frame.top + 14, anchor="end")


def _draw_drops(frame: _Frame, lines: Sequence[tuple[str, Series]]) -> str:
    """The lane below the plot: a bar where packets were dropped, as high as its share of the worst one."""
    y = frame.bottom + _LANE
    parts = [element("line", cls="axis", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y)]
    worst = max((int(s.counters["egress_dropped_packets"].max()) for _, s in lines if len(s)), default=0)
    text = "drops" if worst else "no drops"
    parts.append(element("text", text, cls="droplabel" if worst else "tick", x=_LEFT - 10, y=y - 3, anchor="end"))
    for k, (label, series) in enumerate(lines):
        dropped = series.counters["egress_dropped_packets"].tolist()
        for start_ns, end_ns, n in zip(series.start_ns.tolist(), _ends_of(series), dropped, strict=True):
            if not n:
                continue
            # The two directions share a period's width: local first.
            full = max(frame.x(end_ns) - frame.x(start_ns), 1.6)
            high = 3 + (_LANE - 6) * n / worst
            parts.append(
                element(
                    "rect",
                    cls=f"drop{k}",
                    x=frame.x(start_ns) + k * full / 2,
                    y=y - high,
                    width=max(full / 2 - 0.4, 0.8),
                    height=high,
                    hint=f"{label}: {n:,} packets dropped",
                )
            )
    return "\n".join(parts)


def _draw_legend(y: float, k: int, label: str, series: Series) -> str:
    totals = totals_of(series, "egress")
    figures = f"mean {format_rate(totals.mean_bps)} · peak {format_rate(totals.peak_bps)}"
    if totals.dropped_packets:
        figures += f" · {totals.dropped_packets:,} dropped"
    x = float(_LEFT)
    name = element("tspan", fit(label, 64), cls="label")
    return "\n".join(
        (
            element("line", cls=f"line{k}", x1=x, x2=x + 18, y1=y - 4, y2=y - 4),
            f'<text x="{x + 25:g}" y="{y:g}">{name}{element("tspan", figures, cls="muted", dx=10)}</text>',
        )
    )


def _ends_of(series: Series) -> list[int]:
    """Where each stretch ends: with its sample, but at the next one if less than a period away.

    A roll-up with gaps inside still spans its period; only the last may end early, where the run did.
    """
    ends = series.start_ns + series.length_ns
    following = series.start_ns[1:]
    is_near = following - series.start_ns[:-1] <= series.period_ns
    ends[:-1][is_near] = following[is_near]
    listed: list[int] = ends.tolist()
    return listed
