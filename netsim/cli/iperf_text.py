"""The lines of iperf3: intervals as they pass, and the summary of both ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from netsim.prefix import format_addr
from netsim.units import BITS_PER_BYTE, NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from netsim.probe.throughput import Interval, Reading, StreamEnds, Throughput, ThroughputPlan

FIRST_ID = 5
"""Number of the first stream; each has one more than two before: iperf3 shows its sockets."""
SEPARATOR = "- - - - - - - - - - - - - - - - - - - - - - - - -"
HEADER = "[ ID] Interval           Transfer     Bitrate"
_SUM = "SUM"


def stream_id(k: int) -> int:
    """The number that stream k goes by."""
    return FIRST_ID + 2 * k


def connection_lines(plan: ThroughputPlan, ends: Sequence[StreamEnds], target: str) -> Iterator[str]:
    """Who is connected to whom, and the header of the intervals."""
    yield f"Connecting to host {target}, port {plan.port}"
    if plan.is_reverse:
        yield f"Reverse mode, remote host {target} is sending"
    for k, end in enumerate(ends):
        local, remote = format_addr(end.local_addr), format_addr(end.remote_addr)
        yield (f"[{stream_id(k):3}] local {local} port {end.local_port} connected to {remote} port {end.remote_port}")
    yield HEADER + _columns(plan)


def _columns(plan: ThroughputPlan) -> str:
    if plan.is_udp:
        return "         Jitter    Lost/Total Datagrams" if plan.is_reverse else "         Total Datagrams"
    return "" if plan.is_reverse else "         Retr  Cwnd"


def interval_lines(plan: ThroughputPlan, interval: Interval) -> Iterator[str]:
    """An interval: a line for each stream, and their sum if there are several."""
    mark = "(omitted)" if interval.is_omitted else ""
    span = interval.start_ns, interval.end_ns
    for k, reading in enumerate(interval.streams):
        yield _interval_line(plan, f"{stream_id(k):3}", span, reading, mark, is_sum=False)
    if plan.streams > 1:
        yield _interval_line(plan, _SUM, span, summed(interval.streams), mark, is_sum=True)


def _interval_line(
    plan: ThroughputPlan, name: str, span: tuple[int, int], reading: Reading, mark: str, *, is_sum: bool
) -> str:
    if plan.is_reverse:
        head = _head(name, span, reading.received_bytes)
        return f"{head}  {_losses(reading)}  {mark}" if plan.is_udp else f"{head}                  {mark}"
    head = _head(name, span, reading.sent_bytes)
    if plan.is_udp:
        return f"{head}  {reading.sent_packets}  {mark}"
    window = f"             {mark}" if is_sum else f"   {quantity(reading.cwnd_bytes, 1024)}Bytes       {mark}"
    return f"{head}  {reading.retransmits:3}{window}"


def summary_lines(result: Throughput) -> Iterator[str]:
    """What each stream sent and received in all, and all of them together."""
    plan = result.plan
    yield SEPARATOR
    yield HEADER + ("         Jitter    Lost/Total Datagrams" if plan.is_udp else "         Retr")
    rows = [(f"{stream_id(k):3}", reading) for k, reading in enumerate(result.totals)]
    if plan.streams > 1:
        rows.append((_SUM, summed(result.totals)))
    span = 0, plan.duration_ns
    for name, reading in rows:
        sent, received = _head(name, span, reading.sent_bytes), _head(name, span, reading.received_bytes)
        if plan.is_udp:
            yield f"{sent}  0.000 ms  0/{reading.sent_packets} (0%)  sender"
            yield f"{received}  {_losses(reading)}  receiver"
        else:
            yield f"{sent}  {reading.retransmits:3}             sender"
            yield f"{received}                  receiver"


def limit_lines(result: Throughput) -> Iterator[str]:
    """What kept it from more, in a line of our own."""
    plan, limit = result.plan, result.limit
    if limit.by is not None:
        dropped = f", {limit.by.dropped_packets:,} packets dropped there" if limit.by.dropped_packets else ""
        cap = f"{quantity(limit.by.cap_bps, 1000).strip()}bit/s"
        yield f"Limited by {limit.by.name}: {100 * limit.by.utilization_ratio:.1f} % of {cap} used{dropped}"
    elif plan.rate_bps is not None:
        yield "Limited by the rate asked for (-b): no cap on the way was full"
    else:
        yield "Limited by the connection itself, its window or its losses: no cap on the way was full"


def summed(readings: Sequence[Reading]) -> Reading:
    """All streams together: sums of what counts, the mean jitter."""
    first = readings[0]
    totals = {
        name: sum(getattr(reading, name) for reading in readings)
        for name in ("sent_bytes", "sent_packets", "received_bytes", "received_packets", "lost_packets", "retransmits")
    }
    return first._replace(**totals, jitter_ns=sum(reading.jitter_ns for reading in readings) / len(readings))


def _head(name: str, span: tuple[int, int], n_bytes: int) -> str:
    start_s, end_s = span[0] / NS_PER_S, span[1] / NS_PER_S
    rate = n_bytes * BITS_PER_BYTE * NS_PER_S / (span[1] - span[0])
    moved, speed = quantity(n_bytes, 1024), quantity(rate, 1000)
    return f"[{name}] {start_s:6.2f}-{end_s:<6.2f} sec  {moved}Bytes  {speed}bits/sec"


def _losses(reading: Reading) -> str:
    total = reading.received_packets + reading.lost_packets
    percent = 100 * reading.lost_packets / total if total else 0.0
    shown = f"{percent:.0f}" if percent >= 99.5 else f"{percent:.2g}"  # iperf3 writes 1e+02
    return f"{reading.jitter_ns / NS_PER_MS:5.3f} ms  {reading.lost_packets}/{total} ({shown}%)"


def quantity(value: float, base: int) -> str:
    """Four places and a prefix, as iperf3 has them: `1.12 M`, ` 101 M`, `12.0 K`."""
    prefixes = ("", "K", "M", "G", "T")
    k = 0
    while value >= base and k < len(prefixes) - 1:
        value /= base
        k += 1
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:4.{decimals}f} {prefixes[k]}"
