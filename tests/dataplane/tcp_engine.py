"""What the engine, plain or compiled, makes of an experiment with TCP flows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netsim.dataplane import state, trace
from netsim.dataplane.batch import DF, PROTO_TCP, PROTO_UDP, pack_tcp
from netsim.dataplane.engine import Engine
from netsim.dataplane.row import FLOW, L4, N_FIELDS, PROTO, SIZE, TCP_ACK, TCP_SEQ, TS_ECHO, WINDOW
from tests.dataplane.experiment import FACTS, Experiment, engine_of
from tests.dataplane.tcp_experiment import TcpExperiment, TcpOutcome, by_instance
from tests.reference.scalar_segment import BULK, FED
from tests.reference.scalar_tcp import RECEIVED, REFUSED, SENT, Tap


def tcp_rows(experiment: TcpExperiment) -> Any:
    """The F_ fields of the TCP flows."""
    rows = []
    for tcp in experiment.tcp:
        flow = tcp.flow
        src, dst = (experiment.network.instances[k].addr for k in (flow.inst, flow.dst_inst))
        row = dict.fromkeys(range(state.FLOW_WORDS), 0)
        row |= {
            state.F_INST: flow.inst,
            state.F_DST_INST: flow.dst_inst,
            state.F_SRC: src,
            state.F_DST: dst,
            state.F_SIZE: flow.packet_bytes,
            state.F_PROTO: PROTO_TCP,
            state.F_L4: pack_tcp(flow.src_port, flow.dst_port, 0),
            state.F_FLAGS: DF,
            state.F_TTL: 64,
            state.F_APP: {BULK: 1, FED: 2}[flow.app],
        }
        rows.append(list(row.values()))
    return np.array(rows, np.int64)


def engine_with_tcp(experiment: TcpExperiment, *, is_compiled: bool = False) -> Engine:
    """An engine that has been told everything but the edits, all instances tapped."""
    plain = Experiment(experiment.network, experiment.other, experiment.end_ns)
    engine = engine_of(plain, is_compiled=is_compiled)
    first = engine.add_flows(tcp_rows(experiment))
    for number, tcp in enumerate(experiment.tcp, first):
        at_ns, codes = (np.array(column, np.int64) for column in tcp.arrivals())
        engine.feed(number, at_ns, codes)
    for inst in range(len(experiment.network.instances)):
        engine.tap_instance(inst)
    return engine


def run_engine(experiment: TcpExperiment, cuts: Sequence[int] = (), *, is_compiled: bool = False) -> TcpOutcome:
    """What the engine makes of it, stopped at the cuts too."""
    engine = engine_with_tcp(experiment, is_compiled=is_compiled)
    journals = []
    for stop_ns in experiment.stops(cuts):
        engine.advance(stop_ns)
        journals.append(engine.take_journal())
        for at_ns, network in experiment.edits:
            if at_ns == stop_ns:
                engine.install(network.fib())
    return TcpOutcome(
        by_instance(
            [tap for tap in taps_of(np.concatenate(journals)) if tap.flow >= len(experiment.other)], experiment
        ),
        [tuple(row) for row in engine.measures().tolist()],
        [tuple(row) for row in np.stack(engine.counters(), axis=1).tolist()],
        engine.node_dispositions().tolist(),
        engine.memory.node.reshape(-1, state.NODE_STATE_WORDS)[:, state.V_INJECTED].tolist(),
    )


def taps_of(journal: Any) -> list[Tap]:
    """The segments that instances sent, could not send, or received, and the errors about them."""
    taps = []
    for record in journal.tolist():
        event, inst, refused = record[N_FIELDS : N_FIELDS + 3]
        if event in {trace.TAP_SENT, trace.TAP_RECEIVED} and record[PROTO] != PROTO_UDP:
            way = RECEIVED if event == trace.TAP_RECEIVED else REFUSED if refused else SENT
            seq, ack, l4, size, window, echo = (record[k] for k in (TCP_SEQ, TCP_ACK, L4, SIZE, WINDOW, TS_ECHO))
            facts = tuple(record[k] for k in FACTS)
            taps.append(Tap(record[0], inst, way, record[FLOW], seq, ack, l4 >> 32 & 31, size, window, echo, facts))
    return taps
