"""The scalar data plane with TCP ends on its instances: whole generated flows, event by event.

    twin = ScalarTcp(network)
    flow = twin.add_tcp(TcpFlow(inst=0, dst_inst=1, src_port=40_000, dst_port=80))
    twin.feed(flow, [0, 10**9], [OPEN, CLOSE])
    twin.advance(2 * 10**9)
    twin.taps               # every segment that left or reached an instance

Packets are forwarded by `scalar_forward.py`, ends are `scalar_tcb.py`; here is what joins them: who a segment is for,
what its packet looks like, and when a timer fires - after everything that travels at that instant, ends by number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from netsim.dataplane.disposition import Disposition
from netsim.dataplane.tcp_numbers import initial_number
from tests.dataplane.network import Network
from tests.reference.scalar_forward import ERROR, ORIGINAL, REPLY, TCP, Flow, Packet, ScalarForward
from tests.reference.scalar_segment import BULK, CLOSED, DISCARD, FED, FIN, RST, SYN, Segment
from tests.reference.scalar_tcb import Tcb

OPEN, DATA, CLOSE = range(3)
"""What a TCP flow is fed: the SYN, `packet_bytes - 52` bytes to send, the FIN after all that."""
PLAIN_BYTES, TIMESTAMP_BYTES, SYN_OPTION_BYTES = 40, 12, 20
SENT, REFUSED, RECEIVED = "sent", "refused", "received"


@dataclass
class TcpFlow:
    """A generated flow: from an instance's port to another's. `peer_app` is what listens there."""

    inst: int
    dst_inst: int
    src_port: int
    dst_port: int
    app: str = BULK
    packet_bytes: int = 1500
    peer_app: str = DISCARD


@dataclass
class TcpPacket(Packet):
    """A segment on its way, with what no column tells: its text's length and its MSS option (0: none)."""

    length: int = 0
    mss: int = 0

    @property
    def is_numbered(self) -> bool:
        """Whether it takes sequence numbers: only such segments count in a flow's figures."""
        return bool(self.length or self.l4 >> 32 & (SYN | FIN))


class Tap(NamedTuple):
    """One segment at an instance: when it left its interface, was refused there, or was delivered; as in its header.

    ICMP errors about segments too; `facts` is all that is known of the packet.
    """

    at_ns: int
    inst: int
    way: str
    flow: int
    seq: int
    ack: int
    flags: int
    size: int
    window: int
    ts_echo: int
    facts: tuple[int, ...]


class ScalarTcp(ScalarForward):
    """`ScalarForward` whose instances speak TCP; each generated flow has its two ends in `ends`."""

    def __init__(self, network: Network) -> None:
        self.ends: dict[int, tuple[Tcb, Tcb]] = {}
        self.tcbs: list[Tcb] = []
        self.homes: list[int] = []
        self.taps: list[Tap] = []
        super().__init__(network)

    # -- what is asked from outside --------------------------------------------------------

    def add_tcp(self, flow: TcpFlow) -> int:
        """Add a flow and its two ends; its number. `feed` it OPEN, DATA and CLOSE."""
        number = len(self.flows)
        src, dst = (self.network.instances[i].addr for i in (flow.inst, flow.dst_inst))
        ports = flow.src_port, flow.dst_port
        self.flows.append(Flow(flow.inst, flow.dst_inst, Packet(src, dst, TCP, flow.packet_bytes)))
        opener = Tcb(
            flow.app,
            initial_number(src, dst, *ports),
            self.sender(number, flow.inst, (src, dst), ports, ORIGINAL),
            own_mss=flow.packet_bytes - PLAIN_BYTES,
            path_limit=flow.packet_bytes,
            is_opener=True,
        )
        acceptor = Tcb(
            flow.peer_app,
            initial_number(dst, src, flow.dst_port, flow.src_port),
            self.sender(number, flow.dst_inst, (dst, src), (flow.dst_port, flow.src_port), REPLY),
            own_mss=flow.packet_bytes - PLAIN_BYTES,
            path_limit=flow.packet_bytes,
        )
        self.ends[number] = opener, acceptor
        self.tcbs += [opener, acceptor]
        self.homes += [flow.inst, flow.dst_inst]
        return number

    def advance(self, until_ns: int) -> None:
        while True:
            timer = min(self.timers(), default=(until_ns, 0, 0))
            event_ns = self.heap[0][0] if self.heap else until_ns
            if min(timer[0], event_ns) >= until_ns:
                break
            if event_ns <= timer[0]:
                super().advance(event_ns + 1)
            else:
                self.now_ns, number, which = timer
                if self.network.instances[self.homes[number]].is_alive:
                    self.tcbs[number].fire(which, self.now_ns)
                else:
                    self.tcbs[number].die(self.now_ns)
        self.now_ns = until_ns

    def timers(self) -> list[tuple[int, int, int]]:
        """(when, end, which) of those that run."""
        return [
            (at_ns, number, which)
            for number, tcb in enumerate(self.tcbs)
            for which, at_ns in enumerate(tcb.timers)
            if at_ns >= 0
        ]

    # -- packets of the ends ---------------------------------------------------------------

    def sender(
        self, number: int, inst: int, addrs: tuple[int, int], ports: tuple[int, int], role: int
    ) -> Callable[[Segment], None]:
        """What one end calls with each segment."""
        made = 0

        def send(segment: Segment) -> None:
            nonlocal made
            size = PLAIN_BYTES + segment.length
            if not segment.flags & RST:
                size += SYN_OPTION_BYTES if segment.flags & SYN else TIMESTAMP_BYTES
            packet = TcpPacket(
                *addrs, TCP, size, l4=ports[0] | ports[1] << 16 | segment.flags << 32, df=1, ident=made & 0xFFFF,
                role=role, flow=number, seq=made, sent_at=segment.sent_at, tcp_seq=segment.seq, tcp_ack=segment.ack,
                window=segment.window, ts_echo=segment.ts_echo, length=segment.length, mss=segment.mss,
            )  # fmt: skip
            made += 1
            self.injected[self.network.instances[inst].vpc] += 1
            if role == ORIGINAL and packet.is_numbered:
                self.flows[number].sent.append(size)
                self.flows[number].sent_datagrams += 1
            self.transmit(inst, packet)

        return send

    def tap(self, at_ns: int, inst: int, way: str, packet: Packet) -> None:
        if isinstance(packet, TcpPacket):
            header = packet.tcp_seq, packet.tcp_ack, packet.l4 >> 32 & 31, packet.size, packet.window, packet.ts_echo
            self.taps.append(Tap(at_ns, inst, way, packet.flow, *header, packet.facts()))

    # -- what the data plane does ----------------------------------------------------------

    def send_next(self, number: int, stored: int) -> None:
        if number not in self.ends:
            super().send_next(number, stored)
            return
        flow, opener = self.flows[number], self.ends[number][0]
        if not self.network.instances[flow.inst].is_alive:
            return
        if stored == OPEN:
            opener.open(self.now_ns)
        elif stored == CLOSE:
            opener.close(self.now_ns)
        elif opener.app == FED:
            assert flow.template is not None
            opener.feed(flow.template.size - PLAIN_BYTES - TIMESTAMP_BYTES, self.now_ns)

    def transmit(self, inst: int, packet: Packet) -> None:
        free_ns = self.nic_free_ns[inst]
        super().transmit(inst, packet)
        if self.nic_free_ns[inst] != free_ns:
            self.tap(self.nic_free_ns[inst], inst, SENT, packet)
        else:
            self.tap(self.now_ns, inst, REFUSED, packet)

    def receive(self, inst: int, packet: Packet) -> None:
        self.tap(self.now_ns, inst, RECEIVED, packet)
        if not isinstance(packet, TcpPacket):
            super().receive(inst, packet)
            return
        self.end(self.network.instances[inst].vpc, packet, Disposition.DELIVERED)
        flow = self.flows[packet.flow]
        is_for_acceptor = (packet.role & REPLY == ORIGINAL) != bool(packet.role & ERROR)
        end, home = self.ends[packet.flow][is_for_acceptor], (flow.inst, flow.dst_inst)[is_for_acceptor]
        if packet.role & ERROR:
            got = self.whole_of(("instance", inst), packet)  # an error may be cut on its way
            flow.errors += got is not None
            if got is not None and inst == home:
                self.error_arrives(end, got[0])
            return
        if packet.role == ORIGINAL and inst == home and packet.is_numbered:
            flow.received_bytes += packet.size
            flow.latencies.append(self.now_ns - packet.sent_at)
        if inst == home:
            self.segment_arrives(inst, end, packet)

    def segment_arrives(self, inst: int, end: Tcb, packet: TcpPacket) -> None:
        segment = Segment(
            packet.tcp_seq, packet.tcp_ack, packet.l4 >> 32, packet.length, packet.window, packet.ts_echo,
            packet.sent_at, packet.mss,
        )  # fmt: skip
        is_refused = False
        if end.state != CLOSED:
            end.segment_arrives(segment, self.now_ns)
            is_refused = end.is_refused
        elif not end.is_opener and segment.flags & SYN and end.n_sent == 0:
            end.listen(segment, self.now_ns)
        else:
            is_refused = not end.is_opener
        reset = self.answer(packet, packet.length, is_open=False) if is_refused else None
        if reset is not None:  # in the name of its cause: no end says it
            self.injected[self.network.instances[inst].vpc] += 1
            self.transmit(inst, reset)

    def error_arrives(self, end: Tcb, packet: Packet) -> None:
        says = packet.l4 & 0xFF, packet.l4 >> 8 & 0xFF
        if says == (3, 4):
            end.packet_too_big(packet.tcp_seq, packet.l4 >> 16 & 0xFFFF, self.now_ns)
        elif says in {(3, 2), (3, 3)}:
            end.port_unreachable(self.now_ns)

    # -- what came of it -------------------------------------------------------------------

    def measures(self) -> list[tuple[int, ...]]:
        rows = []
        for number, row in enumerate(super().measures()):
            if number not in self.ends:
                rows.append((*row[:17], *[0] * 7))
                continue
            opener, acceptor = self.ends[number]
            rows.append((
                *row[:10], acceptor.received_bytes, *row[11:17], opener.n_retransmits, opener.n_timeouts,
                opener.n_fast_recoveries, opener.cc.cwnd if opener.opened_at >= 0 else 0, opener.srtt,
                opener.opened_at, opener.closed_at,
            ))  # fmt: skip
        return rows
