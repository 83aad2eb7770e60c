"""One network with its traffic, edits and end: run by the engine, plain or compiled, or by its scalar twin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from netsim.dataplane import state, trace
from netsim.dataplane.batch import PacketBatch
from netsim.dataplane.engine import Engine
from netsim.dataplane.row import (
    DST,
    FLAGS,
    FLOW,
    FRAG,
    HEADER,
    IDENT,
    L4,
    N_FIELDS,
    PROTO,
    ROLE,
    SENT,
    SEQ,
    SIZE,
    SRC,
    TCP_ACK,
    TCP_SEQ,
    TRANSITS,
    TS_ECHO,
    TTL,
    WINDOW,
)  # fmt: skip
from tests.dataplane.network import Network
from tests.reference.scalar_forward import Flow, Packet
from tests.reference.scalar_listener import ScalarListener

FACTS = [FLOW, SEQ, ROLE, FRAG, SRC, DST, PROTO, SIZE, TTL, FLAGS, IDENT, TRANSITS, L4, HEADER, SENT,
         TCP_SEQ, TCP_ACK, WINDOW, TS_ECHO]  # fmt: skip
"""In the order of `Packet.facts`."""


@dataclass
class Traffic:
    """A flow: what it sends and when. `template` None: the stored packets `rows`, one at each time."""

    inst: int
    dst_inst: int
    template: Packet | None
    at_ns: list[int]
    payload: int = 0
    rows: list[int] | None = None


@dataclass
class Experiment:
    """`stored` are (packet, payload bytes, preset disposition); `edits` (time, network from then on)."""

    network: Network
    traffic: list[Traffic]
    end_ns: int
    stored: list[tuple[Packet, int, int]] = field(default_factory=list)
    edits: list[tuple[int, Network]] = field(default_factory=list)

    def stops(self, cuts: Iterable[int]) -> list[int]:
        """The cuts, the times of edits and the end, in order."""
        return sorted({*cuts, *(at_ns for at_ns, _ in self.edits), self.end_ns})


class Outcome(NamedTuple):
    """Everything two runs can differ in. Logs are by node; counters by cut, then by link."""

    log: list[list[tuple[Any, ...]]]
    counters: list[list[tuple[int, ...]]]
    measures: list[tuple[int, ...]]
    dispositions: list[list[int]]
    injected: list[int]
    in_flight: list[tuple[int, ...]]


def row_of(packet: Packet) -> dict[str, int]:
    """The packet as a row of a `PacketBatch`."""
    flags = packet.df | packet.mf << 1 | packet.watch << 2 | packet.quiet << 3 | packet.kept << 4
    return {
        "src": packet.src, "dst": packet.dst, "l4": packet.l4, "size_bytes": packet.size,
        "frag_offset": packet.frag_offset, "ident": packet.ident, "ttl": packet.ttl, "proto": packet.proto,
        "flags": flags, "role": packet.role, "header_bytes": packet.header, "tcp_seq": packet.tcp_seq,
        "tcp_ack": packet.tcp_ack, "window": packet.window, "ts_echo": packet.ts_echo,
    }  # fmt: skip


def flow_row(traffic: Traffic) -> list[int]:
    """The F_ fields of a flow."""
    packet = traffic.template
    if packet is None:
        return [traffic.inst, traffic.dst_inst, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    return [
        traffic.inst, traffic.dst_inst, packet.src, packet.dst, packet.size, packet.proto, packet.l4,
        row_of(packet)["flags"], packet.ttl, traffic.payload, 0,
    ]  # fmt: skip


def engine_of(experiment: Experiment, *, is_compiled: bool = False) -> Engine:
    """An engine that has been told everything but the edits."""
    engine = Engine(experiment.network.fib())
    engine.is_compiled = is_compiled
    if experiment.stored:
        batch = PacketBatch.of_rows(row_of(packet) for packet, _, _ in experiment.stored)
        payload, fate = (np.array([kept[k] for kept in experiment.stored], np.int64) for k in (1, 2))
        engine.keep(batch, payload, fate)
    if experiment.traffic:
        engine.add_flows(np.array([flow_row(traffic) for traffic in experiment.traffic], np.int64))
    for number, traffic in enumerate(experiment.traffic):
        rows = 0 if traffic.rows is None else np.array(traffic.rows, np.int64)
        engine.feed(number, np.array(traffic.at_ns, np.int64), rows)
    return engine


def run_engine(
    experiment: Experiment,
    cuts: Sequence[int] = (),
    *,
    is_compiled: bool = False,
    at_stop: Callable[[Engine], None] | None = None,
) -> Outcome:
    """Run it, stopping at the cuts; counters are read at `cuts` only."""
    engine = engine_of(experiment, is_compiled=is_compiled)
    counters, journals = [], []
    for stop_ns in experiment.stops(cuts):
        engine.advance(stop_ns)
        journals.append(engine.take_journal())
        if stop_ns in cuts:
            counters.append(_counters(engine))
        if at_stop is not None:
            at_stop(engine)
        for at_ns, network in experiment.edits:
            if at_ns == stop_ns:
                engine.install(network.fib())
    counters.append(_counters(engine))
    return Outcome(
        log=_log(np.concatenate(journals), experiment),
        counters=counters,
        measures=[tuple(row) for row in engine.measures().tolist()],
        dispositions=engine.node_dispositions().tolist(),
        injected=engine.memory.node.reshape(-1, state.NODE_STATE_WORDS)[:, state.V_INJECTED].tolist(),
        in_flight=sorted(tuple(row) for row in engine.packets_in_flight()[:, FACTS].tolist()),
    )


def run_scalar(experiment: Experiment, cuts: Sequence[int] = ()) -> Outcome:
    """The same by the twin."""
    twin = ScalarListener(experiment.network)
    twin.keep((replace(packet), payload, fate) for packet, payload, fate in experiment.stored)
    for number, traffic in enumerate(experiment.traffic):
        twin.flows.append(Flow(traffic.inst, traffic.dst_inst, traffic.template, traffic.payload))
        twin.feed(number, traffic.at_ns, traffic.rows)
    counters = []
    for stop_ns in experiment.stops(cuts):
        twin.advance(stop_ns)
        if stop_ns in cuts:
            counters.append(twin.counters())
        for at_ns, network in experiment.edits:
            if at_ns == stop_ns:
                twin.install(network)
    counters.append(twin.counters())
    nodes = range(len(experiment.network.vpcs))
    return Outcome(
        log=twin.log,
        counters=counters,
        measures=twin.measures(),
        dispositions=twin.dispositions(),
        injected=[twin.injected[n] for n in nodes],
        in_flight=sorted(packet.facts() for packet in twin.in_flight),
    )


def _counters(engine: Engine) -> list[tuple[int, ...]]:
    return [tuple(row) for row in np.stack(engine.counters(), axis=1).tolist()]


def _log(journal: Any, experiment: Experiment) -> list[list[tuple[Any, ...]]]:
    """What the twin writes down too, per node in the order it happened."""
    log: list[list[tuple[Any, ...]]] = [[] for _ in experiment.network.vpcs]
    assert journal.shape[1] == N_FIELDS + 4
    for record in journal.tolist():
        event, place, a, b = record[N_FIELDS:]
        facts = [record[k] for k in FACTS]
        if event == trace.ENDED:
            log[place].append(("ended", record[0], a, *facts))
        elif event == trace.QUEUED:
            log[experiment.network.links[place].src].append(("queued", record[0], place, a, b, *facts))
        elif event in {trace.ANSWERED, trace.ERROR_MADE}:
            log[place].append(("made", record[0], *facts))
    return log


def assert_same(got: Outcome, expected: Outcome, what: str) -> None:
    """Equal in everything; the message names the first difference."""
    for node, (ours, theirs) in enumerate(zip(got.log, expected.log, strict=True)):
        for i, (one, other) in enumerate(zip(ours, theirs, strict=False)):
            assert one == other, f"{what}: node {node}, record {i}"
        assert len(ours) == len(theirs), f"{what}: node {node} has {len(ours)} records, expected {len(theirs)}"
    for name in Outcome._fields[1:]:
        assert getattr(got, name) == getattr(expected, name), f"{what}: {name}"
