"""What a resolver is asked comes to Python in the middle of a run, and what Python says leaves at that instant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from netsim.dataplane import trace
from netsim.dataplane.batch import KEPT, REPLY, WATCH, pack_ports
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.engine import Engine
from netsim.dataplane.host_call import HostCall
from netsim.dataplane.row import AT, DST, FLAGS, FLOW, HEADER, L4, ROLE, SENT, SEQ, SIZE, SRC, TTL
from netsim.units import NS_PER_S
from tests.dataplane.experiment import Experiment, Traffic, engine_of
from tests.dataplane.two_vpcs import A1, B_ROUTER, echo, tcp, two_vpcs, udp
from tests.reference.scalar_forward import Packet

B_RESOLVER = B_ROUTER + 1
QUESTION = udp(60, 53, dst=B_RESOLVER)


def engine_asking(*packets: Packet, at_ns: list[int] | None = None) -> Engine:
    stored = [(packet, packet.size - 28, 0) for packet in packets]
    times = at_ns or [k * 1_000_000 for k in range(len(packets))]
    traffic = Traffic(0, 1, None, times, rows=list(range(len(packets))))
    return engine_of(Experiment(two_vpcs(), [traffic], NS_PER_S, stored))


def answerer(engine: Engine, calls: list[HostCall], sends: int = 1) -> Callable[[HostCall], None]:
    """Answers each call with packets of 100 bytes whose bytes are store row 7."""

    def on_host_call(call: HostCall) -> None:
        calls.append(call)
        row = call.row.copy()
        row[SRC], row[DST], row[SIZE], row[HEADER] = call.row[DST], call.row[SRC], 100, 20
        row[L4] = pack_ports(53, int(call.row[L4]) & 0xFFFF)
        row[ROLE], row[SEQ], row[TTL], row[FLAGS] = REPLY, 7, 64, KEPT | WATCH
        for _ in range(sends):
            engine.originate(call.node, row)

    return on_host_call


@pytest.mark.usefixtures("compiled_kernels")
@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_question_is_delivered_handed_over_and_answered_at_its_instant(is_compiled: bool) -> None:
    engine = engine_asking(QUESTION)
    calls: list[HostCall] = []
    engine.is_compiled = is_compiled
    engine.on_host_call = answerer(engine, calls)
    engine.advance(NS_PER_S)
    (call,) = calls
    assert (call.node, call.tcb, call.row[SRC], call.row[SIZE], call.row[SENT]) == (1, -1, A1, 60, 0)
    assert call.now_ns == call.row[AT] > 500_000
    steps = [record for record in engine.take_journal().tolist() if record[SEQ] == 7]
    made, *_, ended = steps
    assert (made[trace.J_EVENT], made[AT], made[trace.J_PLACE], made[trace.J_A]) == (trace.ANSWERED, call.now_ns, 1, -1)
    assert (ended[trace.J_EVENT], ended[trace.J_PLACE], ended[trace.J_A]) == (trace.ENDED, 0, Disposition.DELIVERED)
    assert (ended[SRC], ended[FLOW], ended[FLAGS], ended[TTL]) == (B_RESOLVER, 0, KEPT | WATCH, 63)
    assert engine.totals()[:4] == (2, 2, 0, 0)


def test_without_anybody_to_ask_the_port_is_closed() -> None:
    engine = engine_asking(QUESTION)
    engine.advance(NS_PER_S)
    errors = [record for record in engine.take_journal().tolist() if record[trace.J_EVENT] == trace.ERROR_MADE]
    assert [record[trace.J_B] for record in errors] == [3 | 3 << 8]


@pytest.mark.parametrize(
    "packet",
    [
        replace(QUESTION, quiet=1), replace(QUESTION, role=REPLY), replace(QUESTION, l4=pack_ports(4000, 54)),
        replace(QUESTION, dst=B_ROUTER), replace(QUESTION, dst=A1), echo(dst=B_RESOLVER), tcp(2, 53, dst=B_RESOLVER),
        replace(QUESTION, mf=1),
    ],
)  # fmt: skip
def test_only_whole_questions_to_the_resolver_are_handed_over(packet: Packet) -> None:
    engine = engine_asking(packet)
    calls: list[HostCall] = []
    engine.on_host_call = answerer(engine, calls)
    engine.advance(NS_PER_S)
    assert calls == []


def test_a_question_in_fragments_is_handed_over_whole() -> None:
    first, last = replace(QUESTION, size=60, mf=1), replace(QUESTION, size=50, frag_offset=40, l4=0)
    engine = engine_asking(last, first)
    calls: list[HostCall] = []
    engine.on_host_call = answerer(engine, calls)
    engine.advance(NS_PER_S)
    assert [(call.row[SIZE], call.row[L4]) for call in calls] == [(90, QUESTION.l4)]


@pytest.mark.parametrize("sends", [1, 40])
def test_questions_at_one_instant_each_get_their_answers(sends: int) -> None:
    """Many at once make rings and journal grow between calls; none is lost and none comes twice."""
    engine = engine_asking(*[QUESTION] * 30, at_ns=[0] * 30)
    calls: list[HostCall] = []
    engine.on_host_call = answerer(engine, calls, sends)
    for until_ns in (600_000, 600_001, 601_000, NS_PER_S):
        engine.advance(until_ns)
        totals = engine.totals()
        assert totals.injected == totals.delivered + totals.dropped + totals.in_flight
    assert [call.row[SEQ] for call in calls] == list(range(30))
    assert engine.totals()[:4] == (30 + 30 * sends, 30 + 30 * sends, 0, 0)
    answered = [record for record in engine.take_journal().tolist() if record[trace.J_EVENT] == trace.ANSWERED]
    assert len(answered) == 30 * sends


def test_between_runs_a_router_sends_now() -> None:
    engine = engine_asking(QUESTION)
    calls: list[HostCall] = []
    engine.on_host_call = answerer(engine, calls)
    engine.advance(NS_PER_S)
    row = calls[0].row.copy()
    row[DST], row[SRC], row[ROLE], row[SIZE] = A1, B_RESOLVER, REPLY, 100
    engine.originate(1, row)
    assert engine.totals().in_flight == 1 and engine.next_event_ns() == NS_PER_S
    engine.advance(2 * NS_PER_S)
    assert engine.totals()[:4] == (3, 3, 0, 0)
