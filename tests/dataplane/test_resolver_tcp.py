"""TCP of a resolver: bytes that arrive in order come to Python, and what Python writes goes out at that instant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netsim.dataplane import trace
from netsim.dataplane.batch import ACK, FIN, PROTO_TCP, PSH, REPLY, RST, SYN, pack_tcp
from netsim.dataplane.engine import Engine
from netsim.dataplane.host_call import HostCall
from netsim.dataplane.row import AT, FLAGS, L4, ROLE, SIZE, SRC, TCP_ACK, TCP_SEQ
from netsim.dataplane.tcp_numbers import initial_number
from netsim.units import NS_PER_S
from tests.dataplane.experiment import Experiment, Traffic, engine_of
from tests.dataplane.two_vpcs import A1, B_ROUTER, tcp, two_vpcs
from tests.reference.scalar_forward import Packet

RESOLVER = B_ROUTER + 1
ISS = initial_number(RESOLVER, A1, 53, 4000)
MS = 1_000_000


def segment(flags: int, seq: int, data: int = 0, acked: int = 0) -> Packet:
    """From a1's port 4000 to the resolver, numbers from 0 on both sides; no options."""
    ack = (ISS + acked) % 2**32 if flags & ACK else 0
    size = 40 + data
    return replace(tcp(flags, 53, dst=RESOLVER, size=size), tcp_seq=1000 + seq, tcp_ack=ack, window=65_535)


def talk(*segments: Packet, writes: int, is_compiled: bool = False) -> tuple[Engine, list[HostCall], list[Any]]:
    """A segment each 5 ms; each call is answered with so many bytes. What a1 got: (time, flags, seq, ack, data)."""
    stored = [(packet, packet.size - 40, 0) for packet in segments]
    traffic = Traffic(0, -1, None, [5 * MS * k for k in range(len(segments))], rows=list(range(len(segments))))
    engine = engine_of(Experiment(two_vpcs(), [traffic], NS_PER_S, stored), is_compiled=is_compiled)
    calls: list[HostCall] = []

    def on_host_call(call: HostCall) -> None:
        calls.append(call)
        engine.tcp_write(call.tcb, writes)

    engine.on_host_call = on_host_call
    engine.advance(NS_PER_S // 2)
    made = [record for record in engine.take_journal().tolist() if record[trace.J_EVENT] == trace.ANSWERED]
    assert all(record[ROLE] == REPLY and record[SRC] == RESOLVER and record[FLAGS] & 5 == 5 for record in made)
    replies = [
        (record[AT], record[L4] >> 32, (record[TCP_SEQ] - ISS) % 2**32, record[TCP_ACK] - 1000, record[SIZE] - 40)
        for record in made
    ]
    totals = engine.totals()
    assert totals.injected == totals.delivered + totals.dropped + totals.in_flight
    return engine, calls, replies


SYN_1, ACK_1 = segment(SYN, 0), segment(ACK, 1, acked=1)
QUERY = segment(PSH | ACK, 1, data=31, acked=1)


@pytest.mark.usefixtures("compiled_kernels")
@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_question_is_handed_over_and_the_answer_leaves_at_once(is_compiled: bool) -> None:
    engine, calls, replies = talk(SYN_1, ACK_1, QUERY, writes=700, is_compiled=is_compiled)
    (call,) = calls
    assert (call.node, call.offset, call.n_bytes, call.row[SIZE]) == (1, 0, 31, 71)
    assert engine.tcp_conversation(call.tcb) == (RESOLVER, 53, A1, 4000, 0, 1000, ISS)
    # The peer told no MSS: 536 bytes, and the rest once these are acknowledged or with them.
    assert [reply[1:] for reply in replies[:3]] == [
        (SYN | ACK, 0, 1, 4), (ACK, 1, 32, 536), (PSH | ACK, 537, 32, 164),
    ]  # fmt: skip
    assert replies[1][0] == replies[2][0] == call.now_ns


def test_a_fin_with_the_question_does_not_overtake_the_answer() -> None:
    _, calls, replies = talk(SYN_1, ACK_1, segment(FIN | PSH | ACK, 1, data=31, acked=1), writes=100)
    assert len(calls) == 1
    assert replies[1][1:] == (FIN | PSH | ACK, 1, 33, 100)


def test_pieces_are_handed_over_as_they_come_in_order() -> None:
    late, early = segment(ACK, 11, data=20, acked=1), segment(ACK, 1, data=10, acked=1)
    _, calls, _ = talk(SYN_1, ACK_1, late, early, segment(ACK, 31, data=5, acked=1), writes=0)
    assert [(call.offset, call.n_bytes) for call in calls] == [(0, 30), (30, 5)]


@pytest.mark.parametrize("other", [replace(SYN_1, dst=B_ROUTER), replace(SYN_1, l4=pack_tcp(4000, 54, SYN)), QUERY])
def test_other_ports_addresses_and_segments_out_of_nowhere_are_reset(other: Packet) -> None:
    assert other.proto == PROTO_TCP
    traffic = Traffic(0, -1, None, [0], rows=[0])
    engine = engine_of(Experiment(two_vpcs(), [traffic], NS_PER_S, [(other, other.size - 40, 0)]))
    engine.on_host_call = print
    engine.advance(NS_PER_S)
    made = [record for record in engine.take_journal().tolist() if record[trace.J_EVENT] == trace.ANSWERED]
    assert [record[L4] >> 32 & RST for record in made] == [RST]
