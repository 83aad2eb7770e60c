"""RunningFlow: a flow that has met an engine; feeds it send times block by block.

A generated flow (udp, icmp, tcp) is one engine flow, built from a template; a TCP flow's engine
flow has two ends and is told when to open, write and close. A replay is one engine flow per host
of the capture, sending from the store. What a running flow has sent and got is
read from the engine by those numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane import state
from netsim.dataplane.answer import START_TTL
from netsim.dataplane.batch import DF, PROTO_ICMP, PROTO_TCP, PROTO_UDP, pack_icmp, pack_ports
from netsim.dataplane.engine import Engine
from netsim.dataplane.tcb import BULK, FED
from netsim.dataplane.tcp_app import SAYS_CLOSE, SAYS_DATA, SAYS_OPEN
from netsim.packet.flow_packets import FlowPackets
from netsim.packet.parse import ECHO_REQUEST
from netsim.packet.tcp_segments import TcpFlow
from netsim.traffic.arrivals import ArrivalSource
from netsim.traffic.flow import FlowSpec
from netsim.units import BITS_PER_BYTE, MAX_TIME_NS, NS_PER_S

EVENTS_PER_PACKET = 8
"""Typical cost of a packet in engine events: sent, serialized, two VPCs, delivered, a bit of answering."""

UDP_OVERHEAD_BYTES = 28
"""IP and UDP header."""

_PROTO = {"udp": PROTO_UDP, "icmp": PROTO_ICMP, "tcp": PROTO_TCP}

Ints = NDArray[np.int64]


@dataclass(slots=True, eq=False)
class RunningFlow:
    """A flow in an engine.

    Attributes:
        spec: what was asked for; its times are relative to `base_ns`.
        base_ns: packet time of the start of the run.
        engine_flows: its numbers in the engine.
        packets: makes the bytes of its packets; None for a replay, whose bytes are stored.
        source: draws its send times; None when all were fed at the start.
        last_ns: packet time at which a replay is over, or any flow was stopped; else the spec says.
        pace_bps: what a TCP flow without a rate may get at most, as far as is known.
    """

    spec: FlowSpec
    base_ns: int
    engine_flows: range
    packets: FlowPackets | TcpFlow | None = None
    source: ArrivalSource | None = None
    last_ns: int | None = None
    pace_bps: int | None = None
    _fed_until_ns: int = field(default=0, init=False)

    @property
    def start_ns(self) -> int:
        """Packet time at which it starts."""
        return self.base_ns + self.spec.start_ns

    @property
    def end_ns(self) -> int | None:
        """Packet time at which it ends, None when the run decides."""
        if self.last_ns is not None:
            return self.last_ns
        return None if self.spec.end_ns is None else self.base_ns + self.spec.end_ns

    def feed(self, engine: Engine, until_ns: int) -> None:
        """Make sure that the engine knows every send time before `until_ns`."""
        if self.source is None or self._fed_until_ns >= until_ns:
            return
        # Blocks are small, so that runs may be cut anywhere; handing over many at once is cheaper.
        blocks = []
        while self._fed_until_ns < until_ns:
            block = self.source.next_block()
            if not len(block):
                self.source = None
                break
            blocks.append(block)
            self._fed_until_ns = int(block[-1]) + self.base_ns + 1
        if blocks:
            at_ns = np.concatenate(blocks) + self.base_ns
            # A stored row means nothing to a generated flow, to a TCP flow: write this much more.
            engine.feed(self.engine_flows.start, at_ns, SAYS_DATA)
        if self.source is None and self.spec.kind == "tcp" and self.end_ns is not None:
            tell(engine, self.engine_flows.start, self.end_ns, SAYS_CLOSE)

    def stop(self, engine: Engine) -> None:
        """Send nothing more; unless it ended before, it ends now."""
        self.source = None
        if self.end_ns is None or self.end_ns > engine.now_ns:
            self.last_ns = engine.now_ns
        for number in self.engine_flows:
            engine.silence(number)

    def expected_events(self, from_ns: int, until_ns: int) -> int:
        """Roughly how many engine events it causes in this time; 0 for a replay, which is small."""
        rate_bps = self.spec.rate_bps or self.pace_bps
        if rate_bps is None or (self.source is None and self.spec.kind != "tcp"):
            return 0
        end_ns = MAX_TIME_NS if self.end_ns is None else self.end_ns
        active_ns = max(0, min(until_ns, end_ns) - max(from_ns, self.start_ns))
        packets = active_ns * rate_bps // (self.spec.packet_bytes * BITS_PER_BYTE * NS_PER_S)
        return packets * EVENTS_PER_PACKET


@dataclass(frozen=True, slots=True)
class Start:
    """A udp, icmp or tcp flow to be started.

    Attributes:
        spec: what is asked for.
        index: its place in the run's list: chooses its random stream and its source port.
        insts: numbers of sender and receiver.
        addrs: their addresses.
    """

    spec: FlowSpec
    index: int
    insts: tuple[int, int]
    addrs: tuple[int, int]

    @property
    def _src_port(self) -> int:
        # An echo identifier plays the part of the port: replies are told apart by it.
        return (self.index + 1) & 0xFFFF if self.spec.kind == "icmp" else self.spec.source_port(self.index)

    def row(self) -> Ints:
        """What the engine knows of it, int64[FLOW_WORDS]."""
        spec = self.spec
        row = np.zeros(state.FLOW_WORDS, np.int64)
        row[state.F_INST], row[state.F_DST_INST] = self.insts
        row[state.F_SRC], row[state.F_DST] = self.addrs
        row[state.F_SIZE], row[state.F_PROTO], row[state.F_TTL] = spec.packet_bytes, _PROTO[spec.kind], START_TTL
        if spec.kind == "icmp":
            row[state.F_L4] = pack_icmp(ECHO_REQUEST, 0, self._src_port)
        else:
            row[state.F_L4] = pack_ports(self._src_port, spec.dst_port or 0)
        row[state.F_FLAGS] = DF if spec.df or spec.kind == "tcp" else 0
        # Goodput is payload above TCP and UDP: an echo has none.
        row[state.F_PAYLOAD] = spec.packet_bytes - UDP_OVERHEAD_BYTES if spec.kind == "udp" else 0
        if spec.kind == "tcp":
            row[state.F_APP] = BULK if spec.rate_bps is None else FED
        return row

    def packets(self, number: int) -> FlowPackets | TcpFlow:
        """What makes the bytes of its packets, once it has a number."""
        spec = self.spec
        if spec.kind == "tcp":
            return TcpFlow(number, *self.addrs, self._src_port, spec.dst_port or 0, spec.packet_bytes)
        return FlowPackets(
            flow=number,
            src=self.addrs[0],
            dst=self.addrs[1],
            proto=_PROTO[spec.kind],
            src_port=self._src_port,
            dst_port=spec.dst_port or 0,
            packet_bytes=spec.packet_bytes,
            df=spec.df,
            ttl=START_TTL,
        )


def start_all(engine: Engine, starts: Sequence[Start], *, seed: int) -> list[RunningFlow]:
    """Add flows to the engine, all at once: what it keeps of flows grows once, not once for each.

    A udp or icmp flow sends once it is fed. A TCP flow opens at its start, and closes at its end if it has one;
    with a rate the application writes at that pace, else it always has more to say.
    """
    if not starts:
        return []
    first = engine.add_flows(np.stack([start.row() for start in starts]))
    flows = []
    for number, start in enumerate(starts, first):
        spec = start.spec
        is_bulk = spec.kind == "tcp" and spec.rate_bps is None
        source = None if is_bulk else ArrivalSource(spec, seed, start.index)
        flow = RunningFlow(spec, engine.now_ns, range(number, number + 1), start.packets(number), source)
        if spec.kind == "tcp":
            tell(engine, number, flow.start_ns, SAYS_OPEN)
        if is_bulk and flow.end_ns is not None:
            tell(engine, number, flow.end_ns, SAYS_CLOSE)
        flows.append(flow)
    return flows


def tell(engine: Engine, flow: int, at_ns: int, says: int) -> None:
    """Let a TCP flow open, write or close at a time."""
    engine.feed(flow, np.array([at_ns], np.int64), np.array([says], np.int64))
