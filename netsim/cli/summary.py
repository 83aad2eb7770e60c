"""A run's figures for people: flows, connections against their caps, what was dropped and where."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from netsim.cli.output import safe, table
from netsim.monitor.axis import format_rate
from netsim.monitor.monitor import Monitor
from netsim.monitor.sparkline import can_print_blocks, sparkline

SPARK_COLUMNS = 24

Facts = dict[str, Any]


def summary_lines(facts: Facts, monitor: Monitor) -> Iterator[str]:
    """The report of a run, without trailing newlines; `facts` are what its JSON says."""
    packets = facts["packets"]
    dropped = sum(packets["dropped"].values())
    yield f"{safe(facts['topology'])}: {facts['duration_s']:g} s, seed {facts['seed']}"
    yield (
        f"packets: {packets['injected']:,} injected = {packets['delivered']:,} delivered"
        f" + {dropped:,} dropped + {packets['in_flight']:,} in flight"
    )
    if facts["flows"]:
        yield ""
        yield table([_flow_cells(flow) for flow in facts["flows"]], FLOW_HEADERS)
        limited = [flow for flow in facts["flows"] if flow["bottleneck"]]
        yield from ("", table([_share_cells(flow) for flow in limited], SHARE_HEADERS)) if limited else ()
    rows = [_link_cells(conn, side, monitor) for conn in facts["peer_connections"] for side in conn["sides"]]
    if rows:
        yield ""
        yield table(rows, LINK_HEADERS)
    if facts["drops"]:
        yield ""
        yield table([(drop["reason"], drop["vpc"], drop["packets"]) for drop in facts["drops"]], DROP_HEADERS)


FLOW_HEADERS = (
    "flow", "from", "to", "kind", "sent", "received", "lost %", "offered", "throughput", "latency ms", "p99 ms",
    "jitter ms",
)  # fmt: skip
SHARE_HEADERS = ("limited flow", "fair share", "throughput", "set by")
LINK_HEADERS = ("connection", "egress of", "cap", "mean", "peak", "used %", "dropped", "to the cap")
DROP_HEADERS = ("dropped because", "in", "packets")


def _flow_cells(flow: Facts) -> tuple[Any, ...]:
    latency = flow["latency_ms"]
    return (
        flow["name"],
        flow["from"],
        flow["to"],
        flow["kind"],
        flow["packets_sent"],
        flow["packets_received"],
        round(100 * flow["loss_ratio"], 2),
        format_rate(flow["offered_bps"]),
        format_rate(flow["throughput_bps"]),
        latency["mean"],
        latency["p99"],
        flow["jitter_ms"],
    )


def _share_cells(flow: Facts) -> tuple[Any, ...]:
    """What a flow could get if all send at once, beside what it got."""
    return (
        flow["name"], format_rate(flow["fair_share_bps"]), format_rate(flow["throughput_bps"]),
        flow["bottleneck"]["text"],
    )  # fmt: skip


def _link_cells(conn: Facts, side: Facts, monitor: Monitor) -> tuple[Any, ...]:
    """One direction: what left this side."""
    egress = side["egress"]
    series = monitor.series(conn["id"], side["side"])
    spark = sparkline(
        series.values("egress_bps").tolist(),
        SPARK_COLUMNS,
        conn["bandwidth_mbps"] * 1_000_000,
        ascii_only=not can_print_blocks(sys.stdout.encoding),
    )
    state = "" if conn["state"] == "active" else f" ({conn['state']})"
    return (
        conn["name"] + state,
        f"{side['vpc']}:{side['interface']}",
        f"{conn['bandwidth_mbps']} Mbit/s",
        format_rate(egress["mean_bps"]),
        format_rate(egress["peak_bps"]),
        round(100 * egress["utilization_ratio"], 1),
        egress["dropped_packets"],
        spark,
    )
