"""What `iperf3 -J` prints, with its names: start, intervals, end; and what kept it from more, under names of our own.

Time of processors is zero: nothing here takes any. Times are packet time, from the start of the
measurement; `timestamp` is the run's, which begins with the year 2026.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from netsim.cli.iperf_text import stream_id, summed
from netsim.clock import FILE_RUN_START_NS
from netsim.prefix import format_addr
from netsim.units import BITS_PER_BYTE, NS_PER_MS, NS_PER_S, NS_PER_US
from netsim.version import __version__

if TYPE_CHECKING:
    from netsim.probe.limit import CrossedCap
    from netsim.probe.throughput import Interval, Reading, Throughput, ThroughputPlan

Facts = dict[str, Any]

NO_CPU = dict.fromkeys(("host_total", "host_user", "host_system", "remote_total", "remote_user", "remote_system"), 0)
CONGESTION = "reno"
TCP_BLOCK_BYTES = 131_072
"""What iperf3 hands to TCP at once; a TCP that is emulated never waits for more."""


def to_json(result: Throughput, target: str) -> Facts:
    """The document."""
    plan = result.plan
    end = _end_udp(result) if plan.is_udp else _end_tcp(result)
    limit = result.limit
    end["limited_by"] = None if limit.by is None else limit.by.name
    end["caps"] = [_cap(crossed) for crossed in limit.crossed]
    return {
        "start": start_json(plan, target, result.start_ns, result),
        "intervals": [_interval(plan, interval) for interval in result.intervals],
        "end": end,
    }


def start_json(plan: ThroughputPlan, target: str, start_ns: int, result: Throughput | None = None) -> Facts:
    """The test as it was asked for."""
    at = datetime.fromtimestamp((FILE_RUN_START_NS + start_ns) // NS_PER_S, UTC)
    connected = [] if result is None else result.ends
    facts: Facts = {
        "connected": [
            {
                "socket": stream_id(k),
                "local_host": format_addr(end.local_addr),
                "local_port": end.local_port,
                "remote_host": format_addr(end.remote_addr),
                "remote_port": end.remote_port,
            }
            for k, end in enumerate(connected)
        ],
        "version": f"netsim {__version__}",
        "system_info": "netsim",
        "timestamp": {"time": at.strftime("%a, %d %b %Y %H:%M:%S GMT"), "timesecs": int(at.timestamp())},
        "connecting_to": {"host": target, "port": plan.port},
        "cookie": "",
    }
    if not plan.is_udp:
        facts["tcp_mss_default"] = plan.segment_bytes
    facts["target_bitrate"] = plan.rate_bps or 0
    facts["test_start"] = {
        "protocol": "UDP" if plan.is_udp else "TCP",
        "num_streams": plan.streams,
        "blksize": plan.block_bytes if plan.is_udp else TCP_BLOCK_BYTES,
        "omit": _seconds(plan.omit_ns),
        "duration": _seconds(plan.duration_ns),
        "bytes": 0,
        "blocks": 0,
        "reverse": int(plan.is_reverse),
        "tos": 0,
        "target_bitrate": plan.rate_bps or 0,
    }
    return facts


def _interval(plan: ThroughputPlan, interval: Interval) -> Facts:
    def entry(reading: Reading, *, is_sum: bool) -> Facts:
        n_bytes = reading.received_bytes if plan.is_reverse else reading.sent_bytes
        facts = _span(interval.start_ns, interval.end_ns, n_bytes)
        if plan.is_udp:
            facts |= _losses(reading) if plan.is_reverse else {"packets": reading.sent_packets}
        elif not plan.is_reverse:
            facts["retransmits"] = reading.retransmits
            if not is_sum:
                rtt_us = reading.rtt_ns // NS_PER_US
                facts |= {"snd_cwnd": reading.cwnd_bytes, "snd_wnd": reading.window_bytes, "rtt": rtt_us}
                facts |= {"rttvar": reading.rtt_deviation_ns // NS_PER_US, "pmtu": reading.path_bytes}
        return facts | {"omitted": interval.is_omitted, "sender": not plan.is_reverse}

    streams = [{"socket": stream_id(k), **entry(reading, is_sum=False)} for k, reading in enumerate(interval.streams)]
    return {"streams": streams, "sum": entry(summed(interval.streams), is_sum=True)}


def _end_udp(result: Throughput) -> Facts:
    plan, total = result.plan, summed(result.totals)
    is_sender = not plan.is_reverse

    def both(reading: Reading) -> Facts:
        return _span(0, plan.duration_ns, reading.sent_bytes) | _losses(reading)

    nothing_lost = {"jitter_ms": 0, "lost_packets": 0, "packets": total.sent_packets, "lost_percent": 0}
    return {
        "streams": [
            {"udp": {"socket": stream_id(k), **both(reading), "out_of_order": 0, "sender": is_sender}}
            for k, reading in enumerate(result.totals)
        ],
        "sum": both(total) | {"sender": is_sender},
        "sum_sent": _span(0, plan.duration_ns, total.sent_bytes) | nothing_lost | {"sender": True},
        "sum_received": _span(0, plan.duration_ns, total.received_bytes) | _losses(total) | {"sender": False},
        "cpu_utilization_percent": dict(NO_CPU),
    }


def _end_tcp(result: Throughput) -> Facts:
    plan, total = result.plan, summed(result.totals)
    is_sender = not plan.is_reverse
    streams = []
    for k, reading in enumerate(result.totals):
        seen = [interval.streams[k] for interval in result.intervals if not interval.is_omitted]
        sender = {"socket": stream_id(k), **_span(0, plan.duration_ns, reading.sent_bytes)}
        sender |= {"retransmits": reading.retransmits, **_levels(seen), "sender": is_sender}
        receiver = {"socket": stream_id(k), **_span(0, plan.duration_ns, reading.received_bytes), "sender": is_sender}
        streams.append({"sender": sender, "receiver": receiver})
    return {
        "streams": streams,
        "sum_sent": {
            **_span(0, plan.duration_ns, total.sent_bytes),
            "retransmits": total.retransmits,
            "sender": is_sender,
        },
        "sum_received": _span(0, plan.duration_ns, total.received_bytes) | {"sender": is_sender},
        "cpu_utilization_percent": dict(NO_CPU),
        "sender_tcp_congestion": CONGESTION,
        "receiver_tcp_congestion": CONGESTION,
    }


def _levels(seen: Sequence[Reading]) -> Facts:
    """Window and round trip at the ends of the intervals; µs, as iperf3 has them."""
    rtts = [reading.rtt_ns // NS_PER_US for reading in seen]
    return {
        "max_snd_cwnd": max(reading.cwnd_bytes for reading in seen),
        "max_snd_wnd": max(reading.window_bytes for reading in seen),
        "max_rtt": max(rtts),
        "min_rtt": min(rtts),
        "mean_rtt": sum(rtts) // len(rtts),
    }


def _span(start_ns: int, end_ns: int, n_bytes: int) -> Facts:
    span_ns = end_ns - start_ns
    return {
        "start": _seconds(start_ns),
        "end": _seconds(end_ns),
        "seconds": _seconds(span_ns),
        "bytes": n_bytes,
        "bits_per_second": n_bytes * BITS_PER_BYTE * NS_PER_S / span_ns,
    }


def _losses(reading: Reading) -> Facts:
    packets = reading.received_packets + reading.lost_packets
    return {
        "jitter_ms": reading.jitter_ns / NS_PER_MS,
        "lost_packets": reading.lost_packets,
        "packets": packets,
        "lost_percent": 100 * reading.lost_packets / packets if packets else 0,
    }


def _cap(cap: CrossedCap) -> Facts:
    return {
        "peer_connection": cap.peer_connection,
        "side": cap.side,
        "from": cap.from_vpc,
        "to": cap.to_vpc,
        "cap_bps": cap.cap_bps,
        "utilization_ratio": cap.utilization_ratio,
        "dropped_packets": cap.dropped_packets,
    }


def _seconds(ns: int) -> float:
    whole, rest = divmod(ns, NS_PER_S)
    return ns / NS_PER_S if rest else whole
