"""`netsim iperf`: throughput between two instances, with iperf3's flags and in its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from netsim.cli.frame import subcommand
from netsim.cli.loading import open_lab
from netsim.cli.output import print_json, print_line, print_now, safe
from netsim.cli.settings import Settings
from netsim.cli.values import DURATION, DURATION_OR_ZERO, RATE, SIZE
from netsim.errors import UsageError
from netsim.units import s_to_ns

if TYPE_CHECKING:
    from netsim.lab import Lab
    from netsim.probe.throughput import Interval, StreamEnds, ThroughputPlan

DEFAULT_DURATION_S = 10.0


@subcommand(
    "iperf",
    example="netsim iperf web-1 db-1 -u -b 20M -t 5 --topology shop.netsim.yaml",
    topology_names=("--topology",),
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("-u", "--udp", "is_udp", is_flag=True, help="UDP instead of TCP.")
@click.option("-b", "--bitrate", "rate", type=RATE, help="Payload bit/s of a stream, K M G (default: UDP 1M, TCP all).")
@click.option("-t", "--time", "times", multiple=True, metavar="S", help="Seconds [default: 10]. A FILE: the topology.")
@click.option("-i", "--interval", type=DURATION_OR_ZERO, default=1, show_default=True, metavar="S", help="0: one.")
@click.option("-P", "--parallel", type=click.IntRange(1, 128), default=1, show_default=True, help="Streams at once.")
@click.option("-R", "--reverse", is_flag=True, help="TO sends.")
@click.option("-l", "--length", type=SIZE, metavar="N", help="Bytes of data in a UDP datagram [default: 1448].")
@click.option("-M", "--set-mss", "mss", type=click.IntRange(88, 65_495), metavar="N", help="Largest TCP segment.")
@click.option("-O", "--omit", type=DURATION_OR_ZERO, default=0, metavar="S", help="Leave out the first seconds.")
@click.option("-p", "--port", type=click.IntRange(1, 65_535), default=5201, show_default=True, help="At TO.")
@click.option("-J", "is_json", is_flag=True, help="As --json.")
@click.option("--with-traffic", is_flag=True, help="While the file's own traffic runs.")
def command(
    settings: Settings,
    source: str,
    target: str,
    is_udp: bool,
    rate: int | None,
    times: tuple[str, ...],
    interval: float,
    parallel: int,
    reverse: bool,
    length: int | None,
    mss: int | None,
    omit: float,
    port: int,
    is_json: bool,
    with_traffic: bool,
) -> int:
    """Measure what the instances FROM and TO get between them, as iperf3 does, and which cap set it.

    TO listens by itself. Time is emulated; both ends are read at the same moments, so what is on its way is not
    lost. TCP packs segments itself: -l means UDP. Exits 0, or 1 if TO can't be reached.
    """
    from netsim.probe.throughput import DEFAULT_UDP_BPS, DEFAULT_UDP_BYTES, ThroughputPlan

    if is_json:
        settings.format = "json"
    duration_s = _times(settings, times)
    if rate is None and is_udp:
        rate = DEFAULT_UDP_BPS
    plan = ThroughputPlan(
        kind="udp" if is_udp else "tcp",
        duration_ns=s_to_ns(duration_s),
        interval_ns=s_to_ns(interval),
        omit_ns=s_to_ns(omit),
        rate_bps=rate or None,
        block_bytes=length if is_udp and length is not None else DEFAULT_UDP_BYTES,
        streams=parallel,
        is_reverse=reverse,
        port=port,
    )
    if mss is not None:
        plan = replace(plan, segment_bytes=mss)
    lab = open_lab(settings)
    source_id, target_id = lab.instance(source).id, lab.instance(target).id
    found = lab.reach(source_id, target_id)
    if not found.is_reachable:
        return _refused(settings, lab, plan, target, f"{found.reason} (netsim reach {source} {target} says more)")
    if with_traffic:
        lab.start_traffic(lab.topology.traffic)
    return _measure(settings, lab, plan, source_id, target_id, target)


def _measure(settings: Settings, lab: Lab, plan: ThroughputPlan, source_id: str, target_id: str, target: str) -> int:
    from netsim.cli import iperf_json, iperf_text
    from netsim.probe.throughput import measure_throughput

    is_first = True

    def connected(ends: Sequence[StreamEnds]) -> None:
        for line in iperf_text.connection_lines(plan, ends, safe(target)):
            print_line(line)

    def passed(interval: Interval) -> None:
        nonlocal is_first
        if plan.streams > 1 and not is_first:
            print_line(iperf_text.SEPARATOR)
        is_first = False
        *lines, last = iperf_text.interval_lines(plan, interval)
        for line in lines:
            print_line(line)
        print_now(last)

    result = (
        measure_throughput(lab, source_id, target_id, plan)
        if settings.is_json
        else measure_throughput(lab, source_id, target_id, plan, connected=connected, told=passed)
    )
    if result is None:
        return _refused(settings, lab, plan, target, "Connection timed out")
    if settings.is_json:
        print_json(iperf_json.to_json(result, target))
        return 0
    for line in iperf_text.summary_lines(result):
        print_line(line)
    print_line()
    print_line("iperf Done.")
    for line in iperf_text.limit_lines(result):
        print_line(line)
    return 0


def _refused(settings: Settings, lab: Lab, plan: ThroughputPlan, target: str, reason: str) -> int:
    """No connection came about: iperf3's line, and its document."""
    from netsim.cli.iperf_json import start_json

    message = f"unable to connect to server: {reason}"
    if settings.is_json:
        facts = start_json(plan, target, lab.now_ns)
        print_json({"start": facts, "intervals": [], "end": {}, "error": message})
    else:
        settings.note(f"iperf: error - {message}")
    return 1


def _times(settings: Settings, given: Sequence[str]) -> float:
    """What -t says: seconds here, a topology file everywhere else; so whatever is no time is a file."""
    duration_s = DEFAULT_DURATION_S
    for word in given:
        try:
            duration_s = DURATION.convert(word, None, None)
        except click.UsageError:
            if word.replace(".", "").replace("-", "").isdigit():
                raise UsageError(
                    f"iperf: -t {word} is no time, accepted more than 0 up to 10^9 s, like 10 or 0.5"
                ) from None
            settings.file = word
    return duration_s
