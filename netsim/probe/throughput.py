"""Throughput between two instances, measured as iperf3 does: streams, intervals, and what they add up to.

Bytes are payload, above UDP or TCP. Readings are taken of counters that only grow, so intervals
add up to the totals exactly. Both ends are read at the same instants: what is on its way then
counts as sent, not as lost.

UDP streams start at once. TCP streams connect first, and the measurement begins with the first
that is established.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netsim.dataplane import row as rows
from netsim.dataplane import state as m
from netsim.dataplane.batch import ORIGINAL
from netsim.dataplane.tcb import B_MAX_NXT, B_PATH_LIMIT, B_RTTVAR, B_SND_WND
from netsim.emulator import Emulator
from netsim.errors import UsageError
from netsim.probe.limit import Limit, find_limit
from netsim.traffic.flow import FIRST_SOURCE_PORT, LAST_SOURCE_PORT, MAX_PACKET_BYTES, FlowSpec
from netsim.traffic.running import RunningFlow
from netsim.units import BITS_PER_BYTE, NS_PER_MS, NS_PER_S

IPERF_PORT = 5201
UDP_OVERHEAD_BYTES = 28
TCP_OVERHEAD_BYTES = 52
"""IP and TCP header with timestamps."""
DEFAULT_UDP_BPS = 1_048_576
DEFAULT_UDP_BYTES = 1448
"""Of data in a datagram: what iperf3 takes on a path of 1500 bytes, its control connection's MSS."""
MIN_UDP_BYTES = 16
MAX_UDP_BYTES = MAX_PACKET_BYTES - UDP_OVERHEAD_BYTES
MAX_STREAMS = 128
MAX_INTERVALS = 100_000
CONNECT_NS = 10 * NS_PER_S
"""How long a TCP connection may take to come about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThroughputPlan:
    """What is to be measured.

    Attributes:
        kind: `udp` or `tcp`.
        duration_ns: of the measurement.
        interval_ns: between readings; 0: one for the whole.
        omit_ns: before the measurement, with readings that don't count.
        rate_bps: payload bit/s of each stream; None: as fast as TCP goes.
        block_bytes: data in a UDP datagram; TCP packs segments itself.
        segment_bytes: the largest TCP segment, as the MSS option has it.
        streams: how many at once.
        is_reverse: the other end sends.
        port: at the far end.

    Raises:
        UsageError: a value outside what is accepted.
    """

    kind: str = "tcp"
    duration_ns: int = 10 * NS_PER_S
    interval_ns: int = NS_PER_S
    omit_ns: int = 0
    rate_bps: int | None = None
    block_bytes: int = DEFAULT_UDP_BYTES
    segment_bytes: int = 1460
    streams: int = 1
    is_reverse: bool = False
    port: int = IPERF_PORT

    def __post_init__(self) -> None:
        if self.kind == "udp" and self.rate_bps is None:
            raise UsageError("iperf: a UDP stream needs a rate")
        self._in_range("streams", self.streams, 1, MAX_STREAMS)
        self._in_range("port", self.port, 1, 65_535)
        self._in_range("duration in ns", self.duration_ns, 1, 10**9 * NS_PER_S)
        self._in_range("datagram's data in bytes", self.block_bytes, MIN_UDP_BYTES, MAX_UDP_BYTES)
        self._in_range("segment in bytes", self.segment_bytes, 88, MAX_PACKET_BYTES - 40)
        longest = self.duration_ns + self.omit_ns
        if self.interval_ns < 0 or (self.interval_ns and longest // self.interval_ns > MAX_INTERVALS):
            raise UsageError(f"iperf: that would be more than {MAX_INTERVALS:,} intervals; 0 makes one of the whole")

    def _in_range(self, name: str, value: int, low: int, high: int) -> None:
        if not low <= value <= high:
            raise UsageError(f"iperf: {name} is {value}, accepted {low}..{high}")

    @property
    def is_udp(self) -> bool:
        """Whether the streams are UDP."""
        return self.kind == "udp"

    @property
    def packet_bytes(self) -> int:
        """The IP packet of a full datagram or segment."""
        return self.block_bytes + UDP_OVERHEAD_BYTES if self.is_udp else self.segment_bytes + 40

    @property
    def packet_rate_bps(self) -> int | None:
        """The rate of the IP packets that carry `rate_bps`."""
        if self.rate_bps is None:
            return None
        overhead = UDP_OVERHEAD_BYTES if self.is_udp else TCP_OVERHEAD_BYTES
        return max(1, self.rate_bps * self.packet_bytes // (self.packet_bytes - overhead))


class Reading(NamedTuple):
    """What one stream did: cumulative, or during an interval; from `jitter_ns` on, as it is at its end.

    Packets are datagrams of UDP; `retransmits`, and what follows `jitter_ns`, are of TCP: congestion window,
    receiver's window, smoothed round trip and its deviation, and the largest packet the path takes.
    """

    sent_bytes: int = 0
    sent_packets: int = 0
    received_bytes: int = 0
    received_packets: int = 0
    lost_packets: int = 0
    retransmits: int = 0
    jitter_ns: float = 0.0
    cwnd_bytes: int = 0
    window_bytes: int = 0
    rtt_ns: int = 0
    rtt_deviation_ns: int = 0
    path_bytes: int = 0

    def since(self, before: Reading) -> Reading:
        """The difference, with the levels of now."""
        return self._replace(**{name: getattr(self, name) - getattr(before, name) for name in _COUNTED})


_COUNTED = ("sent_bytes", "sent_packets", "received_bytes", "received_packets", "lost_packets", "retransmits")


class Interval(NamedTuple):
    """What each stream did between two instants, ns since the measurement (or what is omitted) began."""

    start_ns: int
    end_ns: int
    is_omitted: bool
    streams: tuple[Reading, ...]


class StreamEnds(NamedTuple):
    """Addresses and ports of a stream: of the instance that measures, and of the other."""

    local_addr: int
    local_port: int
    remote_addr: int
    remote_port: int


@dataclass(frozen=True, slots=True)
class Throughput:
    """What was measured.

    Attributes:
        plan: what was asked for.
        start_ns: packet time at which the measurement began.
        ends: of each stream.
        intervals: in order; the omitted ones first.
        totals: of each stream, without what was omitted: the sum of its intervals.
        limit: what kept it from more.
    """

    plan: ThroughputPlan
    start_ns: int
    ends: tuple[StreamEnds, ...]
    intervals: tuple[Interval, ...]
    totals: tuple[Reading, ...]
    limit: Limit


def measure_throughput(
    emulator: Emulator,
    from_id: str,
    to_id: str,
    plan: ThroughputPlan,
    *,
    connected: Callable[[Sequence[StreamEnds]], None] | None = None,
    told: Callable[[Interval], None] | None = None,
) -> Throughput | None:
    """Let streams run from instance to instance and read them at each interval.

    Args:
        emulator: where; other traffic may be running.
        from_id: the instance that measures; it sends, unless the plan is reverse.
        to_id: the other one.
        plan: what to measure.
        connected: hears of the streams before anything is sent.
        told: hears of each interval when it has passed.

    Returns:
        The figures, or None if no TCP connection came about.
    """
    flows, ends = _start(emulator, from_id, to_id, plan)
    if connected is not None:
        connected(ends)
    start_ns = emulator.now_ns if plan.is_udp else _established(emulator, flows)
    if start_ns is None:
        _stop(emulator, flows)
        return None
    base = last = tuple(Reading() for _ in flows)
    intervals: list[Interval] = []
    before = emulator.engine.counters()
    for from_ns, until_ns, offset_ns in _steps(plan):
        if from_ns == plan.omit_ns:
            base, before = last, emulator.engine.counters()
        emulator.advance(max(start_ns + until_ns, emulator.now_ns))
        now = _readings(emulator, flows, plan)
        interval = Interval(
            from_ns - offset_ns,
            until_ns - offset_ns,
            until_ns <= plan.omit_ns,
            tuple(reading.since(then) for reading, then in zip(now, last, strict=True)),
        )
        intervals.append(interval)
        last = now
        if told is not None:
            told(interval)
    totals = tuple(reading.since(then) for reading, then in zip(last, base, strict=True))
    sender, receiver = (to_id, from_id) if plan.is_reverse else (from_id, to_id)
    limit = find_limit(emulator, sender, receiver, before, plan.duration_ns)
    _stop(emulator, flows)
    return Throughput(plan, start_ns, ends, tuple(intervals), totals, limit)


def _start(
    emulator: Emulator, from_id: str, to_id: str, plan: ThroughputPlan
) -> tuple[list[RunningFlow], tuple[StreamEnds, ...]]:
    instances = emulator.inventory.instances
    # Beyond the ports that the flows of a file have.
    first = FIRST_SOURCE_PORT + len(emulator.flows)
    if first + plan.streams > LAST_SOURCE_PORT:
        raise UsageError("iperf: no source ports are left for so many flows")
    flows: list[RunningFlow] = []
    ends = []
    for k in range(plan.streams):
        here, there = (from_id, first + k), (to_id, plan.port)
        ends.append(StreamEnds(instances[from_id].addr, first + k, instances[to_id].addr, plan.port))
        (src_id, src_port), (dst_id, dst_port) = (there, here) if plan.is_reverse else (here, there)
        spec = FlowSpec(
            name=f"stream {k + 1}",
            from_ref=instances[src_id].name,
            to_ref=instances[dst_id].name,
            kind="udp" if plan.is_udp else "tcp",
            duration_ns=plan.omit_ns + plan.duration_ns if plan.is_udp else None,
            rate_bps=plan.packet_rate_bps,
            packet_bytes=plan.packet_bytes,
            src_port=src_port,
            dst_port=dst_port,
        )
        flows.append(emulator.start_flow(spec, src_id, dst_id))
    return flows, tuple(ends)


def _established(emulator: Emulator, flows: Sequence[RunningFlow]) -> int | None:
    """Let time pass until every connection is there; when the first one was, None if one never is."""
    numbers = [flow.engine_flows.start for flow in flows]
    deadline_ns = emulator.now_ns + CONNECT_NS
    while emulator.now_ns < deadline_ns:
        emulator.advance(emulator.now_ns + NS_PER_MS)
        opened = emulator.engine.measures()[numbers, m.M_OPENED_AT]
        if (opened >= 0).all():
            return int(opened.min())
    return None


def _stop(emulator: Emulator, flows: Sequence[RunningFlow]) -> None:
    for flow in flows:
        flow.stop(emulator.engine)


def _steps(plan: ThroughputPlan) -> Iterator[tuple[int, int, int]]:
    """(from, until, where its times count from) of each interval, ns since the start."""
    for first, last in ((0, plan.omit_ns), (plan.omit_ns, plan.omit_ns + plan.duration_ns)):
        step = plan.interval_ns or last - first
        for from_ns in range(first, last, step or 1):
            yield from_ns, min(from_ns + step, last), first


def _readings(emulator: Emulator, flows: Sequence[RunningFlow], plan: ThroughputPlan) -> tuple[Reading, ...]:
    """What each stream did so far."""
    measures = emulator.engine.measures()
    numbers = [flow.engine_flows.start for flow in flows]
    if plan.is_udp:
        on_way = _on_their_way(emulator, numbers)
        return tuple(
            Reading(
                sent_bytes=int(measures[n, m.M_SENT]) * plan.block_bytes,
                sent_packets=int(measures[n, m.M_SENT]),
                received_bytes=int(measures[n, m.M_RECEIVED_PAYLOAD_BYTES]),
                received_packets=int(measures[n, m.M_RECEIVED]),
                lost_packets=max(0, int(measures[n, m.M_SENT] - measures[n, m.M_RECEIVED]) - on_way.get(n, 0)),
                jitter_ns=float(measures[n, m.M_JITTER_16TH_NS]) / 16,
            )
            for n in numbers
        )
    openers = emulator.engine.memory.flow.reshape(-1, m.FLOW_WORDS)[numbers, m.F_TCB] - 1
    ends = emulator.engine.memory.ends.table[openers]
    return tuple(
        Reading(
            # The SYN has a number, too.
            sent_bytes=max(0, int(end[B_MAX_NXT]) - 1),
            sent_packets=int(measures[n, m.M_SENT]),
            received_bytes=int(measures[n, m.M_RECEIVED_PAYLOAD_BYTES]),
            received_packets=int(measures[n, m.M_RECEIVED]),
            retransmits=int(measures[n, m.M_RETRANSMITS]),
            cwnd_bytes=int(measures[n, m.M_CWND_BYTES]),
            window_bytes=int(end[B_SND_WND]),
            rtt_ns=max(0, int(measures[n, m.M_SRTT_NS])),
            rtt_deviation_ns=int(end[B_RTTVAR]),
            path_bytes=int(end[B_PATH_LIMIT]),
        )
        for n, end in zip(numbers, ends, strict=True)
    )


def _on_their_way(emulator: Emulator, numbers: Sequence[int]) -> dict[int, int]:
    """Datagrams of these flows of which a part is on its way."""
    packets = emulator.engine.packets_in_flight()
    own = packets[(packets[:, rows.ROLE] == ORIGINAL) & np.isin(packets[:, rows.FLOW], numbers)]
    pairs = np.unique(own[:, [rows.FLOW, rows.SEQ]], axis=0)
    found, counts = np.unique(pairs[:, 0], return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def bits_per_second(n_bytes: int, span_ns: int) -> float:
    """The mean rate over a span; 0 over none."""
    return n_bytes * BITS_PER_BYTE * NS_PER_S / span_ns if span_ns else 0.0
