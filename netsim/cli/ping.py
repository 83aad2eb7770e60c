"""`netsim ping`: ICMP echo from an instance, in the words of iputils' ping."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from netsim.cli.frame import subcommand
from netsim.cli.loading import open_lab
from netsim.cli.output import print_json, print_line, print_now, safe
from netsim.cli.server_access import server_url
from netsim.cli.settings import Settings
from netsim.cli.values import DURATION_OR_ZERO
from netsim.prefix import format_addr
from netsim.units import NS_PER_MS

if TYPE_CHECKING:
    from netsim.probe.echo import EchoError, EchoReply, PingResult

HEADERS_BYTES = 28
"""IP and ICMP: what the packet has beside the data that -s counts."""
IP_HEADER_BYTES = 20
DEFAULT_TTL = 64
MAX_DATA_BYTES = 65_535 - HEADERS_BYTES

ERRORS = {
    (3, 0): "Destination Net Unreachable",
    (3, 1): "Destination Host Unreachable",
    (3, 2): "Destination Protocol Unreachable",
    (3, 3): "Destination Port Unreachable",
    (11, 0): "Time to live exceeded",
    (11, 1): "Frag reassembly time exceeded",
}
"""(type, code) in the words of iputils' ping; 3/4 is made with its MTU."""


@subcommand("ping", example="netsim ping web-1 db-1 -c 3 -t shop.netsim.yaml", takes_server=True)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("-c", "count", type=click.IntRange(1, 65_535), default=4, show_default=True, help="Requests to send.")
@click.option(
    "-i", "interval_s", type=DURATION_OR_ZERO, metavar="S", default=1, show_default=True, help="Seconds between them."
)
@click.option(
    "-s", "size", type=click.IntRange(0, MAX_DATA_BYTES), default=56, show_default=True, help="Bytes of data in each."
)
@click.option("--ttl", type=click.IntRange(1, 255), default=DEFAULT_TTL, show_default=True, help="TTL they start with.")
@click.option(
    "-W", "timeout_s", type=DURATION_OR_ZERO, metavar="S", default=10, show_default=True, help="Wait this long."
)
@click.option(
    "-M", "fragmentation", type=click.Choice(("do", "dont")), default="dont", help="do: don't fragment; dont: may be."
)
@click.option("--with-traffic", is_flag=True, help="While the file's own traffic runs.")
def command(
    settings: Settings,
    source: str,
    target: str,
    count: int,
    interval_s: float,
    size: int,
    ttl: int,
    timeout_s: float,
    fragmentation: str,
    with_traffic: bool,
) -> int:
    """Send echo requests from the instance FROM to TO, an instance or an address.

    Time is emulated: a thousand requests take no longer than they need to be computed, and each line appears
    when its answer has come. On a server time is the wall's, and the statistics come at the end. Exits 0 if
    a reply came, 1 if none did.
    """
    if (url := server_url(settings)) is not None:
        if ttl != DEFAULT_TTL or fragmentation == "do" or with_traffic:
            raise click.UsageError("--ttl, -M do and --with-traffic are of files, not of servers")
        from netsim.cli.ping_live import ping_live

        return ping_live(settings, url, source, target, count, interval_s, size + HEADERS_BYTES, timeout_s)
    lab = open_lab(settings)
    lab.instance(source)
    dst = format_addr(lab.resolve(source, target))
    is_text = not settings.is_json
    if is_text:
        print_now(f"PING {safe(target)} ({dst}) {size}({size + HEADERS_BYTES}) bytes of data.")
    if with_traffic:
        lab.start_traffic(lab.topology.traffic)
    result = lab.ping(
        source,
        dst,
        count,
        size_bytes=size + HEADERS_BYTES,
        interval_s=interval_s,
        ttl=ttl,
        df=fragmentation == "do",
        timeout_s=timeout_s,
        told=_print_outcome if is_text and not settings.is_quiet else None,
    )
    if is_text:
        for line in _statistics(result, target, round(interval_s * 1000)):
            print_line(line)
    else:
        print_json(_as_json(result, source, target))
    for line in _why(result):
        settings.note(line)
    return 0 if result.received else 1


def error_text(icmp_type: int, code: int, mtu_bytes: int) -> str:
    """An ICMP error in the words of iputils' ping."""
    if (icmp_type, code) == (3, 4):
        return f"Frag needed and DF set (mtu = {mtu_bytes})"
    if icmp_type == 3:
        return ERRORS.get((3, code), f"Destination Unreachable, Bad Code: {code}")
    return ERRORS.get((icmp_type, code), f"ICMP type {icmp_type}, code {code}")


def summary(target: str, sent: int, received: int, n_errors: int, interval_ms: int) -> Iterator[str]:
    """The first lines of ping's statistics."""
    errors = f", +{n_errors} errors" if n_errors else ""
    loss = 100 * (sent - received) / sent if sent else 0
    yield ""
    yield f"--- {safe(target)} ping statistics ---"
    time_ms = max(0, sent - 1) * interval_ms
    yield f"{sent} packets transmitted, {received} received{errors}, {loss:g}% packet loss, time {time_ms}ms"


def _print_outcome(outcome: EchoReply | EchoError) -> None:
    print_now(_outcome_line(outcome))


def _outcome_line(outcome: EchoReply | EchoError) -> str:
    from netsim.probe.echo import EchoReply

    sender = format_addr(outcome.from_addr)
    if isinstance(outcome, EchoReply):
        size = outcome.size_bytes - IP_HEADER_BYTES
        time = _time_text(outcome.rtt_ns)
        return f"{size} bytes from {sender}: icmp_seq={outcome.sequence} ttl={outcome.ttl} time={time} ms"
    text = error_text(outcome.icmp_type, outcome.code, outcome.mtu_bytes)
    return f"From {sender} icmp_seq={outcome.sequence} {text}"


def _time_text(rtt_ns: int) -> str:
    """Three figures, as ping has them: `0.200`, `6.02`, `60.2`, `602`."""
    ms = rtt_ns / NS_PER_MS
    decimals = 3 if ms < 1 else 2 if ms < 10 else 1 if ms < 100 else 0
    return f"{ms:.{decimals}f}"


def _statistics(result: PingResult, target: str, interval_ms: int) -> Iterator[str]:
    yield from summary(target, result.sent, result.received, len(result.errors), interval_ms)
    if result.received:
        figures = "/".join(f"{value:.3f}" for value in _rtt_ms(result).values())
        yield f"rtt min/avg/max/mdev = {figures} ms"
    else:
        yield ""


def _rtt_ms(result: PingResult) -> dict[str, float | None]:
    """min, mean, max and mdev (the standard deviation, as iputils computes it), ms."""
    rtts = [reply.rtt_ns for reply in result.replies]
    if not rtts:
        return dict.fromkeys(("min", "mean", "max", "mdev"))
    mean = sum(rtts) / len(rtts)
    deviation = math.sqrt(sum((rtt - mean) ** 2 for rtt in rtts) / len(rtts))
    values = (min(rtts), mean, max(rtts), deviation)
    return {name: value / NS_PER_MS for name, value in zip(("min", "mean", "max", "mdev"), values, strict=True)}


def _why(result: PingResult) -> Iterator[str]:
    """For each way a request or a reply was lost, one line that says so; out there, nobody answers."""
    from netsim.dataplane.disposition import FATES, Disposition

    lost: dict[tuple[str, Disposition], int] = {}
    for fates in result.fates:
        for what, fate in zip(("request", "reply"), fates, strict=True):
            if fate is Disposition.EXITS_NETWORK or (fate is not None and not FATES[fate].ok):
                lost[what, fate] = lost.get((what, fate), 0) + 1
    for (what, fate), n in lost.items():
        subject = f"{n} {what if n == 1 else 'replies' if what == 'reply' else 'requests'}"
        lost_how = "went out" if FATES[fate].ok else "lost"
        yield f"{subject} {lost_how}: {fate.symbol}. {FATES[fate].condition} (netsim trace shows where)"


def _as_json(result: PingResult, source: str, target: str) -> dict[str, Any]:
    return {
        "from": source,
        "to": target,
        "src": format_addr(result.src_addr),
        "dst": format_addr(result.dst_addr),
        "size_bytes": result.size_bytes,
        "sent": result.sent,
        "received": result.received,
        "loss_ratio": (result.sent - result.received) / result.sent,
        "rtt_ms": _rtt_ms(result),
        "replies": [
            {
                "sequence": reply.sequence,
                "from": format_addr(reply.from_addr),
                "size_bytes": reply.size_bytes,
                "ttl": reply.ttl,
                "rtt_ms": reply.rtt_ns / NS_PER_MS,
            }
            for reply in result.replies
        ],
        "errors": [
            {
                "sequence": error.sequence,
                "from": format_addr(error.from_addr),
                "type": error.icmp_type,
                "code": error.code,
                "text": error_text(error.icmp_type, error.code, error.mtu_bytes),
            }
            for error in result.errors
        ],
        "fates": [
            {
                "sequence": k,
                "request": None if request is None else request.symbol,
                "reply": None if reply is None else reply.symbol,
            }
            for k, (request, reply) in enumerate(result.fates, 1)
        ],
    }
