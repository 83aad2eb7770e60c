"""One network with TCP flows, other traffic and edits: and what the scalar twin makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tests.dataplane.experiment import Traffic
from tests.dataplane.network import Network
from tests.reference.scalar_forward import Flow
from tests.reference.scalar_tcp import CLOSE, DATA, OPEN, SENT, ScalarTcp, Tap, TcpFlow


@dataclass
class TcpTraffic:
    """A flow and its times: when it opens, what it is fed (`FED`), when it closes (None: never)."""

    flow: TcpFlow
    open_ns: int
    close_ns: int | None = None
    fed_ns: list[int] = field(default_factory=list)

    def arrivals(self) -> tuple[list[int], list[int]]:
        """Times and codes, as a source takes them."""
        both = [(self.open_ns, OPEN), *((at_ns, DATA) for at_ns in self.fed_ns)]
        if self.close_ns is not None:
            both.append((self.close_ns, CLOSE))
        return [at_ns for at_ns, _ in both], [code for _, code in both]


@dataclass
class TcpExperiment:
    """`other` flows send first numbers; `edits` are (time, network from then on)."""

    network: Network
    tcp: list[TcpTraffic]
    end_ns: int
    other: list[Traffic] = field(default_factory=list)
    edits: list[tuple[int, Network]] = field(default_factory=list)

    def stops(self, cuts: Sequence[int] = ()) -> list[int]:
        """The cuts, the times of edits and the end, in order."""
        return sorted({*cuts, *(at_ns for at_ns, _ in self.edits), self.end_ns})


class TcpOutcome(NamedTuple):
    """Everything two runs can differ in: segments by instance in order of time, figures by flow, the rest by place."""

    taps: list[list[Tap]]
    measures: list[tuple[int, ...]]
    counters: list[tuple[int, ...]]
    dispositions: list[list[int]]
    injected: list[int]


def run_twin(experiment: TcpExperiment) -> tuple[TcpOutcome, ScalarTcp]:
    """What the twin makes of it, and the twin itself."""
    twin = ScalarTcp(experiment.network)
    for number, traffic in enumerate(experiment.other):
        assert traffic.template is not None
        template = replace(traffic.template, watch=0)
        twin.flows.append(Flow(traffic.inst, traffic.dst_inst, template, traffic.payload))
        twin.feed(number, traffic.at_ns)
    for tcp in experiment.tcp:
        twin.feed(twin.add_tcp(tcp.flow), *tcp.arrivals())
    for stop_ns in experiment.stops():
        twin.advance(stop_ns)
        for at_ns, network in experiment.edits:
            if at_ns == stop_ns:
                twin.install(network)
    outcome = TcpOutcome(
        by_instance(twin.taps, experiment),
        twin.measures(),
        twin.counters(),
        twin.dispositions(),
        [twin.injected[n] for n in range(len(experiment.network.vpcs))],
    )
    return outcome, twin


def by_instance(taps: list[Tap], experiment: TcpExperiment) -> list[list[Tap]]:
    """In order of time; what leaves and what arrives at one instant, in that order."""
    lists: list[list[Tap]] = [[] for _ in experiment.network.instances]
    for tap in taps:
        lists[tap.inst].append(tap)
    for some in lists:
        some.sort(key=lambda tap: (tap.at_ns, tap.way != SENT))  # stable
    return lists


def assert_same(got: TcpOutcome, expected: TcpOutcome, what: str) -> None:
    """Equal in everything; the message names the first difference."""
    for inst, (ours, theirs) in enumerate(zip(got.taps, expected.taps, strict=True)):
        for i, (one, other) in enumerate(zip(ours, theirs, strict=False)):
            assert one == other, f"{what}: instance {inst}, segment {i}"
        assert len(ours) == len(theirs), f"{what}: instance {inst} has {len(ours)} segments, expected {len(theirs)}"
    for name in TcpOutcome._fields[1:]:
        for number, (one, other) in enumerate(zip(getattr(got, name), getattr(expected, name), strict=True)):
            assert one == other, f"{what}: {name} {number}"
