"""Resolvers as hosts of the emulated network: port 53, UDP and TCP.

The engine hands over each whole datagram that reached a resolver's address, in the middle of a run;
the answer leaves the router at that instant and is routed, capped, counted and captured like any
packet. It has the flow and number of its question, so whoever watches the question sees the answer.

Of a TCP conversation it hands over the bytes as they come in order; what is written goes out in
segments, as the end's congestion control has it. Questions are answered in the order they came.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsim.controlplane.fib_compiler import FibCompiler
from netsim.controlplane.inventory import Inventory
from netsim.dataplane.batch import KEPT, REPLY, WATCH
from netsim.dataplane.engine import Engine
from netsim.dataplane.host_call import HostCall
from netsim.dataplane.row import (
    DST,
    FLAGS,
    FLOW,
    FRAG,
    HEADER,
    IDENT,
    L4,
    ROLE,
    SEQ,
    SIZE,
    SRC,
    TTL,
)
from netsim.hosts.dns_message import MAX_MESSAGE_BYTES
from netsim.hosts.dns_stream import LENGTH_BYTES, DnsStream, framed
from netsim.hosts.resolver import Resolver
from netsim.packet.answer import REPLY_TTL, udp_datagram
from netsim.packet.header import header_of
from netsim.packet.parse import MIN_HEADER_BYTES, UDP_HEADER_BYTES
from netsim.packet.sent import take_apart
from netsim.packet.store import PacketStore
from netsim.packet.streams import Conversation


class DnsService:
    """What `engine.on_host_call` wants: called with each question.

    Args:
        engine: sends the answers.
        packets: has the bytes of questions, keeps those of answers.
        inventory: what there is to know.
        compiler: knows which VPC a node is.
    """

    def __init__(self, engine: Engine, packets: PacketStore, inventory: Inventory, compiler: FibCompiler) -> None:
        self.resolver = Resolver(inventory)
        self._engine = engine
        self._packets = packets
        self._compiler = compiler
        self._talks: dict[int, _Talk] = {}

    def __call__(self, call: HostCall) -> None:
        """Answer what there is to answer, or let it pass in silence."""
        if call.tcb < 0:
            self._answer_datagram(call)
        else:
            self._hear_stream(call)

    def _answer_datagram(self, call: HostCall) -> None:
        row = call.row.copy()
        src, dst, src_port = int(row[SRC]), int(row[DST]), int(row[L4]) & 0xFFFF
        sent = take_apart(self._packets.datagram(int(row[FLOW]), int(row[SEQ])))
        if sent is None or src_port == 0:  # port 0 means that no answer is wanted (RFC 768)
            return
        udp_bytes = int.from_bytes(sent.body[4:6], "big")
        vpc_id = self._compiler.vpc_ids[call.node]
        message = self.resolver.reply(vpc_id, src, sent.body[UDP_HEADER_BYTES:udp_bytes])
        if message is None:
            return
        body = udp_datagram(dst, src, int(row[L4]) >> 16 & 0xFFFF, src_port, message)
        head = header_of(
            tos=sent.tos,
            size_bytes=MIN_HEADER_BYTES + len(body),
            ident=int(row[IDENT]),
            flag_bits=0,
            ttl=REPLY_TTL,
            proto=sent.proto,
            src=dst,
            dst=src,
        )
        self._packets.keep_answer(int(row[FLOW]), int(row[SEQ]), head + body)
        row[SRC], row[DST], row[L4] = dst, src, int(row[L4]) >> 16 & 0xFFFF | src_port << 16
        row[SIZE], row[HEADER], row[FRAG], row[TTL] = len(head) + len(body), len(head), 0, REPLY_TTL
        row[ROLE], row[FLAGS] = REPLY, int(row[FLAGS]) & WATCH | KEPT
        self._engine.originate(call.node, row.astype(np.int64))

    def _hear_stream(self, call: HostCall) -> None:
        talk = self._engine.tcp_conversation(call.tcb)
        ends = talk.remote_addr, talk.remote_port, talk.local_addr, talk.local_port
        heard = self._packets.streams.heard(ends, int(call.row[SEQ]))
        if call.offset == 0:
            self._talks[call.tcb] = _Talk(DnsStream())
        state = self._talks.get(call.tcb)
        if heard is None or state is None:
            return
        ours = Conversation(*ends[2:], *ends[:2], heard.isn)
        for message in state.stream.take(bytes(heard.data[call.offset : call.offset + call.n_bytes])):
            vpc_id = self._compiler.vpc_ids[call.node]
            reply = self.resolver.reply(vpc_id, talk.remote_addr, message, MAX_MESSAGE_BYTES)
            if reply is not None:
                self._packets.streams.write(ours, state.written_bytes, framed(reply))
                state.written_bytes += LENGTH_BYTES + len(reply)
                self._engine.tcp_write(call.tcb, LENGTH_BYTES + len(reply))


@dataclass(slots=True)
class _Talk:
    """A conversation: what is not whole yet of what was said, and how much was answered."""

    stream: DnsStream
    written_bytes: int = 0
