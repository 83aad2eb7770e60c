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

from netsim.dataplane.tcp_numbers import initial_number
from tests.dataplane.network import Network
from tests.reference.scalar_forward import ERROR, ICMP, ORIGINAL, REPLY, TCP, Flow, Packet, ScalarForward
from tests.reference.scalar_segment import BULK, CLOSED, DISCARD, FED, RST, SYN, Segment, reset_for
from tests.reference.scalar_tcb import Tcb

OPEN, DATA, CLOSE = range(3)
"""What a TCP flow is fed: the SYN, `packet_bytes - 52` bytes to send, the FIN after all that."""
PLAIN_BYTES, TIMESTAMP_BYTES, SYN_OPTION_BYTES = 40, 12, 20
SENT, RECEIVED = "sent", "received"


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


class Tap(NamedTuple):
    """One segment at an instance's interface; numbers as in its header, `at_ns` when it left or was delivered."""

    at_ns: int
    inst: int
    way: str
    flow: int
    seq: int
    ack: int
    flags: int
    length: int
    window: int
    ts_echo: int
    size: int


class ScalarTcp(ScalarForward):
    """`ScalarForward` whose instances speak TCP; each generated flow has its two ends in `ends`."""

    def __init__(self, network: Network) -> None:
        self.ends: dict[int, tuple[Tcb, Tcb]] = {}
        self.tcbs: list[Tcb] = []
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
                self.tcbs[number].fire(which, self.now_ns)
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
        sent = 0

        def send(segment: Segment) -> None:
            nonlocal sent
            size = PLAIN_BYTES + segment.length
            if not segment.flags & RST:
                size += SYN_OPTION_BYTES if segment.flags & SYN else TIMESTAMP_BYTES
            packet = TcpPacket(
                *addrs, TCP, size, l4=ports[0] | ports[1] << 16 | segment.flags << 32, df=1, ident=sent & 0xFFFF,
                role=role, flow=number, seq=sent, sent_at=segment.sent_at, tcp_seq=segment.seq, tcp_ack=segment.ack,
                window=segment.window, ts_echo=segment.ts_echo, length=segment.length, mss=segment.mss,
            )  # fmt: skip
            sent += 1
            self.injected[self.network.instances[inst].vpc] += 1
            self.transmit(inst, packet)

        return send

    def tap(self, at_ns: int, inst: int, way: str, packet: Packet) -> None:
        if isinstance(packet, TcpPacket) and not packet.role & ERROR:
            self.taps.append(
                Tap(
                    at_ns, inst, way, packet.flow, packet.tcp_seq, packet.tcp_ack, packet.l4 >> 32, packet.length,
                    packet.window, packet.ts_echo, packet.size,
                )
            )  # fmt: skip

    # -- what the data plane does ----------------------------------------------------------

    def send_next(self, number: int, stored: int) -> None:
        if number not in self.ends:
            super().send_next(number, stored)
        elif self.network.instances[self.flows[number].inst].is_alive:
            opener = self.ends[number][0]
            if stored == OPEN:
                opener.open(self.now_ns)
            elif stored == DATA and opener.app == FED:
                template = self.flows[number].template
                assert template is not None
                opener.feed(template.size - PLAIN_BYTES - TIMESTAMP_BYTES, self.now_ns)
            elif stored == CLOSE:
                opener.close(self.now_ns)

    def transmit(self, inst: int, packet: Packet) -> None:
        free_ns = self.nic_free_ns[inst]
        super().transmit(inst, packet)
        if self.nic_free_ns[inst] != free_ns:
            self.tap(self.nic_free_ns[inst], inst, SENT, packet)

    def receive(self, inst: int, packet: Packet) -> None:
        self.tap(self.now_ns, inst, RECEIVED, packet)
        super().receive(inst, packet)

    def answer(self, packet: Packet, payload: int, is_open: bool) -> Packet | None:
        """What an instance makes of a whole packet; what TCP ends say to it they send themselves."""
        if not isinstance(packet, TcpPacket):
            return super().answer(packet, payload, is_open)
        owner = self.ends[packet.flow][(packet.role & REPLY == ORIGINAL) ^ bool(packet.role & ERROR)]
        if packet.role & ERROR:
            self.error_arrives(owner, packet)
            return None
        segment = Segment(
            packet.tcp_seq, packet.tcp_ack, packet.l4 >> 32, packet.length, packet.window, packet.ts_echo,
            packet.sent_at, packet.mss,
        )  # fmt: skip
        if owner.state == CLOSED:
            if not owner.is_opener and not segment.flags & RST:
                if segment.flags & SYN and owner.n_sent == 0:
                    owner.listen(segment, self.now_ns)
                else:
                    owner.emit(reset_for(segment, self.now_ns))
        else:
            owner.segment_arrives(segment, self.now_ns)
        return None

    def error_arrives(self, owner: Tcb, packet: TcpPacket) -> None:
        if packet.proto != ICMP:
            return
        says = packet.l4 & 0xFF, packet.l4 >> 8 & 0xFF
        if says == (3, 4):
            owner.packet_too_big(packet.tcp_seq, packet.l4 >> 16 & 0xFFFF, self.now_ns)
        elif says in {(3, 2), (3, 3)}:
            owner.port_unreachable()
