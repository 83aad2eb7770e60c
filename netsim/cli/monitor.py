"""`netsim monitor`: what a peer connection's monitoring shows after a run."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from netsim.cli.frame import subcommand
from netsim.cli.loading import open_lab
from netsim.cli.output import print_json, print_line, print_rows, safe, table
from netsim.cli.progress import Progress
from netsim.cli.settings import Settings
from netsim.cli.values import DURATION
from netsim.errors import InvalidError, UsageError
from netsim.units import NS_PER_S, s_to_ns

if TYPE_CHECKING:
    from netsim.lab import Lab
    from netsim.monitor.series import Point, Series

GROUPS = {
    "traffic": ("egress_bytes", "ingress_bytes"),
    "bandwidth": ("egress_bps", "ingress_bps"),
    "packets": ("egress_pps", "ingress_pps"),
    "drops": ("egress_drop_percent", "ingress_drop_percent"),
    "utilization": ("egress_utilization_percent", "ingress_utilization_percent"),
}
"""Short names of pairs of metrics; a single metric's own name works too."""
STATISTICS = ("average", "sum", "maximum", "minimum", "sample_count")
MAX_WIDTH = 100


@subcommand(
    "monitor",
    example="netsim monitor shop-data --metric bandwidth --period 5 -t shop.netsim.yaml",
    formats=("table", "json", "csv"),
)
@click.argument("peer", metavar="[PEER]", required=False)
@click.option(
    "--metric",
    "metrics",
    metavar="NAME",
    multiple=True,
    help=f"{', '.join(GROUPS)}, or one such as egress_bps; may be repeated (default: bandwidth).",
)
@click.option(
    "--side", type=click.Choice(("local", "peer")), default="local", show_default=True, help="Seen from here."
)
@click.option("--period", type=DURATION, metavar="S", help="Roll samples up to this (default: 1 s, as sampled).")
@click.option("--last", type=DURATION, metavar="S", help="Only the last part of the run.")
@click.option("--duration", type=DURATION, metavar="S", help="Length of the run (default: until the last flow ends).")
def command(
    settings: Settings,
    peer: str | None,
    metrics: tuple[str, ...],
    side: str,
    period: float | None,
    last: float | None,
    duration: float | None,
) -> None:
    """Run a topology's traffic and show the monitoring of one peer connection, as the cloud's console does.

    Egress leaves the VPC of the side, ingress enters it. PEER may be left out where there is only one.
    """
    from netsim.monitor.metrics import metric_named

    names = _metric_names(metrics)
    try:
        for name in names:
            metric_named(name)
    except InvalidError as error:
        raise click.UsageError(str(error)) from None
    lab = open_lab(settings)
    conn = lab.inventory.peer_conn(_peer(lab, peer))
    with Progress(settings, f"run {lab.topology.name}") as progress:
        lab.run(duration, progress=progress, notice=settings.note)
    series = lab.monitor.series(conn.id, side)
    end_ns = lab.now_ns
    start_ns = 0 if last is None else max(0, end_ns - s_to_ns(last))
    period_ns = lab.monitor.base_period_ns if period is None else s_to_ns(period)
    points = {name: series.query(name, start_ns, end_ns, period_ns) for name in names}
    about = {"peer_connection": conn.name or conn.id, "side": side, "period_s": _seconds(period_ns)}
    if settings.is_json:
        listed = [{"name": name, "unit": metric_named(name).unit, "points": _rows(points[name])} for name in names]
        print_json(about | {"metrics": listed})
    elif settings.format == "csv":
        rows = [{"metric": name, **row} for name in names for row in _rows(points[name])]
        print_rows(settings, rows, ("metric", "start_s", *STATISTICS))
    else:
        _print_table(about, series.window(start_ns, end_ns), points)


def _metric_names(given: Sequence[str]) -> list[str]:
    names = [name for word in given or ("bandwidth",) for name in GROUPS.get(word, (word,))]
    return list(dict.fromkeys(names))


def _peer(lab: Lab, peer: str | None) -> str:
    if peer is not None:
        return peer
    conns = list(lab.inventory.peer_conns.values())
    if len(conns) == 1:
        return conns[0].id
    known = ", ".join(conn.name or conn.id for conn in conns[:8]) or "none"
    raise UsageError(f"monitor: which peer connection? There are: {known}{', …' if len(conns) > 8 else ''}")


def _rows(points: Sequence[Point]) -> list[dict[str, Any]]:
    return [{"start_s": _seconds(point.start_ns), **point.statistics} for point in points]


def _seconds(ns: int) -> float:
    whole, rest = divmod(ns, NS_PER_S)
    return ns / NS_PER_S if rest else whole


def _print_table(about: dict[str, Any], series: Series, points: dict[str, tuple[Point, ...]]) -> None:
    from netsim.monitor.metrics import metric_named
    from netsim.monitor.sparkline import bandwidth_line, can_print_blocks

    print_line(f"{safe(about['peer_connection'])}, {about['side']} side, every {about['period_s']:g} s")
    width = min(shutil.get_terminal_size((MAX_WIDTH, 24)).columns, MAX_WIDTH)
    ascii_only = not can_print_blocks(sys.stdout.encoding)
    for direction in ("egress", "ingress"):
        print_line(bandwidth_line(f"{direction:<7}", series, direction, width, ascii_only=ascii_only))
    names = list(points)
    headers = ["start s", *(f"{name} ({metric_named(name).unit})" for name in names)]
    rows = [
        [_seconds(moment[0].start_ns), *(_rounded(point.statistics["average"]) for point in moment)]
        for moment in zip(*points.values(), strict=True)
    ]
    print_line()
    print_line(table(rows, headers) if rows else "no samples")
    if rows:
        print_line()
        summary = [[name, *_summary(points[name])] for name in names]
        print_line(table(summary, ["over all", "average", "maximum", "minimum", "samples"]))


def _summary(points: Sequence[Point]) -> list[float]:
    """Average (weighted by samples), maximum, minimum, and how many samples there are."""
    counts = [point.statistics["sample_count"] for point in points]
    mean = sum(point.statistics["average"] * n for point, n in zip(points, counts, strict=True)) / sum(counts)
    high = max(point.statistics["maximum"] for point in points)
    low = min(point.statistics["minimum"] for point in points)
    return [_rounded(mean), _rounded(high), _rounded(low), int(sum(counts))]


def _rounded(value: float) -> float:
    rounded = round(value, 2)
    return int(rounded) if rounded == int(rounded) else rounded
