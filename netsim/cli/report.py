"""The report of a run: one HTML page that needs nothing else - no network, no scripts, no fonts.

Pictures are SVG inside the page; the same run gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netsim.cli.report_style import STYLE, embedded
from netsim.monitor.axis import format_rate
from netsim.monitor.svg import clean

if TYPE_CHECKING:
    from netsim.probe.expectations import Verdict

Facts = dict[str, Any]
Cell = tuple[str, str]
"""Text, and the class of its cell: `n` for what stands right."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Whoever opens the page is asked to load nothing: nothing is meant to be."""


def report_html(facts: Facts, *, topology_svg: str, bandwidth_svg: str, verdicts: Sequence[Verdict] = ()) -> str:
    """The page.

    Args:
        facts: what the run's JSON says.
        topology_svg: picture of the network.
        bandwidth_svg: chart of its connections.
        verdicts: the file's expectations, checked; none if it has none.
    """
    name = clean(str(facts["topology"]))
    sections = [
        ("packets", "Packets", _packets(facts)),
        ("expectations", "Expectations", _expectations(verdicts)),
        ("network", "Network", _picture(topology_svg, "topology")),
        ("bandwidth", "Bandwidth", _picture(bandwidth_svg, "chart")),
        ("connections", "Connections", _connections(facts)),
        ("flows", "Flows", _flows(facts)),
        ("drops", "Drops", _drops(facts)),
    ]
    shown = [section for section in sections if section[2]]
    links = "".join(f'<li><a href="#{key}">{title}</a></li>' for key, title, _ in shown)
    body = "\n".join(
        f'<section aria-labelledby="{key}"><h2 id="{key}">{title}</h2>\n{content}\n</section>'
        for key, title, content in shown
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="generator" content="netsim {clean(str(facts["netsim"]))}">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{name}: report of a run</title>
<style>
{STYLE}
</style>
</head>
<body>
<a class="skip" href="#main">To the figures</a>
<header>
<h1>{name}</h1>
<p class="muted">{facts["duration_s"]:g} s of traffic, seed {facts["seed"]}</p>
<nav aria-label="Sections"><ul>{links}</ul></nav>
</header>
<main id="main">
{body}
</main>
<footer>netsim {clean(str(facts["netsim"]))}. The figures are those of result.json, over the whole run.</footer>
</body>
</html>
"""


def _packets(facts: Facts) -> str:
    """The account of all packets: what came to be is what became of it."""
    packets = facts["packets"]
    dropped = sum(packets["dropped"].values())
    return (
        f'<p class="account"><strong>{packets["injected"]:,}</strong> injected = {packets["delivered"]:,} delivered'
        f" + {dropped:,} dropped + {packets['in_flight']:,} in flight</p>"
    )


def _picture(svg: str, name: str) -> str:
    return f"<figure>{embedded(svg, name)}</figure>"


def _expectations(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return ""
    failed = sum(not verdict.holds for verdict in verdicts)
    rows = [
        [
            (str(verdict.expectation), "wrap"),
            ("holds", "holds") if verdict.holds else ("fails", "fails"),
            (verdict.found, "wrap"),
        ]
        for verdict in verdicts
    ]
    caption = f"{len(verdicts) - failed} hold, {failed} fail. Paths were probed after the run."
    return _table("expectations", caption, ("Expected", "Result", "Found"), rows)


FLOW_HEADS = (
    "Flow", "From", "To", "Kind", "Sent", "Received", "Lost", "Offered", "Throughput", "Goodput", "Latency", "p99",
    "Jitter",
)  # fmt: skip
TCP_HEADS = ("Flow", "From", "To", "Goodput", "Retransmits", "Timeouts", "Smoothed RTT", "Window")


def _flows(facts: Facts) -> str:
    flows = facts["flows"]
    if not flows:
        return ""
    rows = [
        [
            (flow["name"], ""),
            (flow["from"], ""),
            (flow["to"], ""),
            (flow["kind"], ""),
            (f"{flow['packets_sent']:,}", "n"),
            (f"{flow['packets_received']:,}", "n"),
            (_percent(flow["loss_ratio"]), "n"),
            (format_rate(flow["offered_bps"]), "n"),
            (format_rate(flow["throughput_bps"]), "n"),
            (format_rate(flow["goodput_bps"]), "n"),
            (_ms(flow["latency_ms"]["mean"]), "n"),
            (_ms(flow["latency_ms"]["p99"]), "n"),
            (_ms(flow["jitter_ms"]), "n"),
        ]
        for flow in flows
    ]
    caption = "Rates count whole IP packets over the flow's own time; goodput only what is above UDP or TCP."
    return _table("flows", caption, FLOW_HEADS, rows) + _tcp(flows) + _shares(flows)


def _tcp(flows: Sequence[Facts]) -> str:
    rows = [
        [
            (flow["name"], ""),
            (flow["from"], ""),
            (flow["to"], ""),
            (format_rate(flow["goodput_bps"]), "n"),
            (f"{flow['retransmits']:,}", "n"),
            (f"{flow['timeouts']:,}", "n"),
            (_ms(flow["srtt_ms"]), "n"),
            (f"{flow['cwnd_bytes']:,} bytes", "n"),
        ]
        for flow in flows
        if flow["kind"] == "tcp"
    ]
    return "\n" + _table("tcp", "TCP: round trip and window as they were at the end.", TCP_HEADS, rows) if rows else ""


def _shares(flows: Sequence[Facts]) -> str:
    """What flows could get that did not get all they offer, beside what they got."""
    rows = [
        [
            (flow["name"], ""),
            (format_rate(flow["fair_share_bps"]), "n"),
            (format_rate(flow["throughput_bps"]), "n"),
            (flow["bottleneck"]["text"], ""),
        ]
        for flow in flows
        if flow.get("bottleneck")
    ]
    if not rows:
        return ""
    caption = "Flows that a cap keeps from more: the max-min fair share if all send at once, and what they got."
    return "\n" + _table("shares", caption, ("Flow", "Fair share", "Throughput", "Set by"), rows)


CONNECTION_HEADS = ("Connection", "State", "Side", "Egress of", "Cap", "Mean", "Peak", "Used", "Packets", "Dropped")


def _connections(facts: Facts) -> str:
    rows = [
        [
            (conn["name"], ""),
            (conn["state"], ""),
            (side["side"], ""),
            (f"{side['vpc']}:{side['interface']}", ""),
            (f"{conn['bandwidth_mbps']} Mbit/s", "n"),
            (format_rate(side["egress"]["mean_bps"]), "n"),
            (format_rate(side["egress"]["peak_bps"]), "n"),
            (_percent(side["egress"]["utilization_ratio"]), "n"),
            (f"{side['egress']['packets']:,}", "n"),
            (f"{side['egress']['dropped_packets']:,}", "n"),
        ]
        for conn in facts["peer_connections"]
        for side in conn["sides"]
    ]
    caption = "Each direction by itself: what left the side's VPC over the connection."
    return _table("connections", caption, CONNECTION_HEADS, rows) if rows else ""


def _drops(facts: Facts) -> str:
    rows = [[(drop["reason"], ""), (drop["vpc"], ""), (f"{drop['packets']:,}", "n")] for drop in facts["drops"]]
    if not rows:
        return "<p>No packet was dropped.</p>"
    return _table("drops", "By reason and VPC, most first.", ("Reason", "In", "Packets"), rows)


def _table(key: str, caption: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table that can be scrolled by keyboard where it is wider than the page."""
    rows = list(rows)
    classes = [cls if cls == "n" else "" for _, cls in rows[0]]
    head = "".join(f'<th scope="col"{_class(cls)}>{text}</th>' for text, cls in zip(heads, classes, strict=True))
    return (
        f'<div class="scroll" role="region" aria-labelledby="{key}-table" tabindex="0">\n'
        f'<table><caption id="{key}-table">{clean(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n'
        + "\n".join(_row(row) for row in rows)
        + "\n</tbody></table></div>"
    )


def _row(row: Sequence[Cell]) -> str:
    (first, cls), *rest = row
    return f'<tr><th scope="row"{_class(cls)}>{clean(first)}</th>{"".join(_cells(rest))}</tr>'


def _cells(cells: Iterable[Cell]) -> Iterator[str]:
    for text, cls in cells:
        yield f"<td{_class(cls)}>{clean(text)}</td>"


def _class(cls: str) -> str:
    return f' class="{cls}"' if cls else ""


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.4g} %"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}".rstrip("0").rstrip(".") + " ms"
