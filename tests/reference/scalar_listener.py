"""The scalar data plane with open TCP ports: they converse with packets that somebody made by hand or replays.

Such a peer offers no options but perhaps MSS: there is neither a timestamp nor a scaled window. What an end sends has
the identity (flow, seq) of the last packet that came for it: so whoever made that one finds its answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from netsim.dataplane.fib import ECHO_PROTO
from netsim.dataplane.tcp_numbers import initial_number
from tests.dataplane.network import Network
from tests.reference.scalar_forward import ERROR, ORIGINAL, REPLY, TCP, Packet, is_unforwardable
from tests.reference.scalar_segment import ACK, CLOSED, DISCARD, ECHO, RST, SYN, Segment, unwrap
from tests.reference.scalar_tcb import Tcb
from tests.reference.scalar_tcp import PLAIN_BYTES, ScalarTcp, TcpPacket

MSS_OPTION_BYTES, OWN_MSS = 4, 1460
CONVERSATIONS = 1024
"""So many has one owner at most; then the oldest that is half open makes room."""

Key = tuple[int, int, int, int, int]


@dataclass
class Conversation:
    """An end and the last packet that came for it; `made` counts its segments."""

    tcb: Tcb
    cause: Packet
    made: int = 0


class ScalarListener(ScalarTcp):
    """`ScalarTcp` whose instances have open ports: `conversations` by (instance, address, port, peer's, peer's)."""

    def __init__(self, network: Network) -> None:
        self.conversations: dict[Key, Conversation] = {}
        super().__init__(network)

    def answer(self, packet: Packet, payload: int, is_open: bool) -> Packet | None:
        """What a host says to a whole packet; what an end says to it, it sends itself."""
        if packet.role == ERROR | REPLY and packet.inst >= 0 and not isinstance(packet, TcpPacket):
            self.told_of_error(packet)
            return None
        is_for_tcp = packet.proto == TCP and packet.role == ORIGINAL and not packet.quiet and packet.inst >= 0
        if not is_for_tcp or isinstance(packet, TcpPacket) or is_unforwardable(packet.src):
            return super().answer(packet, payload, is_open)
        if self.owner_of(self.network.instances[packet.inst].vpc, packet.src) == "edge":
            return None
        ports, flags = (packet.l4 & 0xFFFF, packet.l4 >> 16 & 0xFFFF), packet.l4 >> 32 & 0xFF
        key = packet.inst, packet.dst, ports[1], packet.src, ports[0]
        talk = self.conversations.get(key)
        segment = Segment(packet.tcp_seq, packet.tcp_ack, flags, payload, packet.window, 0, packet.sent_at)
        if talk is not None and talk.tcb.state != CLOSED:
            talk.cause = packet
            talk.tcb.segment_arrives(segment, self.now_ns)
            if talk.tcb.is_refused:
                return super().answer(packet, payload, is_open=False)
        elif is_open and flags & (SYN | ACK | RST) == SYN:
            if self.makes_room(packet.inst):
                talk = Conversation(self.new_end(key), packet)
                self.conversations[key] = talk
                segment.mss = packet.ts_echo  # where a kept SYN says what it offers
                talk.tcb.listen(segment, self.now_ns)
        else:
            return super().answer(packet, payload, is_open=False)
        return None

    def told_of_error(self, packet: Packet) -> None:
        """An ICMP error about a segment of one of the instance's ends: the one of that flow that has it outstanding."""
        for key, talk in self.conversations.items():
            tcb = talk.tcb
            at = unwrap(packet.tcp_seq, tcb.iss, tcb.una)
            if key[0] == packet.inst and talk.cause.flow == packet.flow and tcb.una <= at < tcb.max_nxt:
                self.error_arrives(tcb, packet)
                return

    def makes_room(self, inst: int) -> bool:
        """Whether the instance can take one more conversation."""
        live = [key for key, talk in self.conversations.items() if key[0] == inst and talk.tcb.state != CLOSED]
        if len(live) < CONVERSATIONS:
            return True
        half_open = [key for key in live if self.conversations[key].tcb.opened_at < 0]
        if half_open:
            self.conversations.pop(half_open[0]).tcb.die(self.now_ns)
        return bool(half_open)

    def new_end(self, key: Key) -> Tcb:
        inst, *four = key
        tcb = Tcb(
            ECHO if (ECHO_PROTO, four[1]) in self.network.instances[inst].ports else DISCARD,
            initial_number(four[0], four[2], four[1], four[3]),
            self.speaker(key),
            own_mss=OWN_MSS,
            has_options=False,
        )
        self.tcbs.append(tcb)
        self.homes.append(inst)
        return tcb

    def speaker(self, key: Key) -> Callable[[Segment], None]:
        """What an end calls with each segment."""
        inst, src, src_port, dst, dst_port = key

        def send(segment: Segment) -> None:
            talk = self.conversations[key]
            packet = replace(
                Packet(src, dst, TCP, PLAIN_BYTES + segment.length + MSS_OPTION_BYTES * bool(segment.flags & SYN)),
                l4=src_port | dst_port << 16 | segment.flags << 32, df=1, watch=talk.cause.watch, role=REPLY,
                flow=talk.cause.flow, seq=talk.cause.seq, ident=talk.made & 0xFFFF, sent_at=segment.sent_at,
                tcp_seq=segment.seq, tcp_ack=segment.ack, window=segment.window,
            )  # fmt: skip
            talk.made += 1
            self.injected[self.network.instances[inst].vpc] += 1
            self.note(self.network.instances[inst].vpc, "made", packet)
            self.transmit(inst, packet)

        return send
