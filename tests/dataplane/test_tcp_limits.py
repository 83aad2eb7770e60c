"""Ends of things: how long a closed flow lingers, and how many conversations an instance holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from netsim.dataplane import trace
from netsim.dataplane.batch import ACK, PROTO_TCP, RST, SYN, pack_tcp
from netsim.dataplane.engine import Engine
from netsim.dataplane.row import L4, SEQ, SIZE
from netsim.dataplane.state import M_CLOSED_AT
from netsim.dataplane.tcb import BULK
from netsim.dataplane.tcp_app import SAYS_CLOSE, SAYS_OPEN
from netsim.dataplane.tcp_listen import MOST_ENDS
from netsim.dataplane.tcp_numbers import initial_number
from netsim.units import NS_PER_S
from tests.dataplane.experiment import Experiment, Traffic, engine_of
from tests.dataplane.two_vpcs import A1, B1, tcp, two_vpcs
from tests.reference.scalar_forward import Packet


def test_who_closes_first_lingers_for_a_minute() -> None:
    engine = Engine(two_vpcs().fib())
    engine.add_flows(np.array([[0, 1, A1, B1, 1500, PROTO_TCP, pack_tcp(4000, 5000, 0), 1, 64, 0, 0, BULK]]))
    engine.feed(0, np.array([0, NS_PER_S // 100]), np.array([SAYS_OPEN, SAYS_CLOSE]))
    engine.advance(NS_PER_S)
    closed_ns = int(engine.measures()[0, M_CLOSED_AT])
    assert NS_PER_S // 100 < closed_ns < NS_PER_S // 10
    assert engine.next_event_ns() == closed_ns + 60 * NS_PER_S
    engine.advance(62 * NS_PER_S)
    assert engine.next_event_ns() is None and engine.totals().in_flight == 0


def from_port(flags: int, port: int, seq: int = 0) -> Packet:
    iss = initial_number(B1, A1, 80, port)
    ack = (iss + 1) % 2**32 if flags & ACK else 0
    return replace(tcp(flags, size=40), l4=pack_tcp(port, 80, flags), tcp_seq=seq, tcp_ack=ack, window=65_535)


def test_the_oldest_half_open_conversation_makes_room() -> None:
    """The second port's handshake is done before; one SYN too many costs the first port its place, not the second."""
    syns = [from_port(SYN, 1000 + k) for k in range(MOST_ENDS + 1)]
    finished = from_port(ACK, 1001, 1)
    packets = [*syns[:2], finished, *syns[2:], from_port(ACK, 1000, 1), from_port(ACK, 1002, 1)]
    traffic = Traffic(0, -1, None, [1000 * k for k in range(len(packets))], rows=list(range(len(packets))))
    engine = engine_of(Experiment(two_vpcs(), [traffic], NS_PER_S, [(packet, 0, 0) for packet in packets]))
    engine.advance(NS_PER_S // 2)
    made = [record for record in engine.take_journal().tolist() if record[trace.J_EVENT] == trace.ANSWERED]
    assert [record[L4] >> 32 for record in made] == [SYN | ACK] * (MOST_ENDS + 1) + [RST]
    assert made[-1][SEQ] == len(packets) - 2 and {record[SIZE] for record in made} == {40, 44}


def test_a_syn_finds_no_room_where_nothing_is_half_open() -> None:
    packets = [packet for k in range(MOST_ENDS) for packet in (from_port(SYN, 1000 + k), from_port(ACK, 1000 + k, 1))]
    packets.append(from_port(SYN, 9000))
    traffic = Traffic(0, -1, None, [1000 * k for k in range(len(packets))], rows=list(range(len(packets))))
    engine = engine_of(Experiment(two_vpcs(), [traffic], NS_PER_S, [(packet, 0, 0) for packet in packets]))
    engine.advance(NS_PER_S // 2)
    made = [record for record in engine.take_journal().tolist() if record[trace.J_EVENT] == trace.ANSWERED]
    assert len(made) == MOST_ENDS and max(record[SEQ] for record in made) == len(packets) - 3
