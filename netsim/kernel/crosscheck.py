"""Cross-check: the same questions to engine, verifier and kernel; the three must say the same.

    check_topology(topology, ...)      builds one network in namespaces, asks, takes it away
    check_random(n, seed, ...)         random ones; number k is made from seed + k

Nobody's word counts more: any two that differ are a difference. One that the kernel could have caused by being late
is asked again by itself, with more time; only what stays is reported.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from netsim.controlplane.inventory import Inventory
from netsim.dataplane.batch import PROTO_TCP, PROTO_UDP
from netsim.kernel.ask_engine import ask_engine
from netsim.kernel.ask_kernel import PATIENCE_S, Kernel
from netsim.kernel.ask_verifier import Verifier
from netsim.kernel.deploy import deploy, destroy
from netsim.kernel.journal import Journal
from netsim.kernel.places import Places
from netsim.kernel.plan import Plan
from netsim.kernel.planner import plan
from netsim.kernel.question import MAX_QUESTIONS, OPEN_PORT, Outcome, Question
from netsim.kernel.questions import pairs, questions
from netsim.kernel.random_topology import random_topology
from netsim.prefix import format_addr
from netsim.topology_file import Topology
from netsim.verify.network import Network

Progress = Callable[[int, int], None]

SIDES = ("engine", "verifier", "kernel")
MOST_PAIRS = 20_000
"""Some minutes."""
PATIENCE_AGAIN_S = 3.0
MAX_ASKED_AGAIN = 200
"""More differences than that are no accident."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A question with more than one answer.

    Attributes:
        topology, seed: which network; `seed` is None where a file says it.
        source, target: names; the target's address where nobody has it.
        what: the kind of packet, or `verdict` or `hop list` of the pair.
        answers: what each side says, by `SIDES`.
    """

    topology: str
    seed: int | None
    source: str
    target: str
    what: str
    answers: tuple[str, str, str]

    @property
    def pair(self) -> str:
        """`shop/web-1 -> data/db-1`."""
        return f"{self.source} -> {self.target}"

    def __str__(self) -> str:
        said = "; ".join(f"{side}: {answer}" for side, answer in zip(SIDES, self.answers, strict=True))
        return f"{self.topology}, {self.pair}, {self.what}: {said}"

    def to_dict(self) -> dict[str, Any]:
        """The object of the JSON output."""
        found = {"topology": self.topology, "seed": self.seed, "from": self.source, "to": self.target}
        return {**found, "question": self.what, **dict(zip(SIDES, self.answers, strict=True))}


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """What was compared, and what differs.

    Attributes:
        topologies, pairs, packets: how many; a pair is an instance and an address.
        verdicts: how many pairs of each verdict, as the engine saw them.
        answers: how many packets of each answer.
        differences: in order.
    """

    topologies: int = 0
    pairs: int = 0
    packets: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()

    def __add__(self, other: CrossCheck) -> CrossCheck:
        return CrossCheck(
            self.topologies + other.topologies,
            self.pairs + other.pairs,
            self.packets + other.packets,
            _sum(self.verdicts, other.verdicts),
            _sum(self.answers, other.answers),
            self.differences + other.differences,
        )


def check_topology(
    topology: Topology,
    *,
    seed: int | None = None,
    most_pairs: int = MOST_PAIRS,
    journal: Journal | None = None,
    progress: Progress | None = None,
) -> CrossCheck:
    """Compare on one network, which is built and taken away again; needs what `deploy` needs.

    Args:
        topology: the network.
        seed: what it was made from; None for a file.
        most_pairs: of more, so many are chosen by the topology's seed.
        journal: where deployments are written down.
        progress: called with (questions done, of how many).

    Raises:
        CapabilityError: the machine can't.
    """
    with _deployed(topology.inventory, journal or Journal()) as places:
        return _Check(topology, seed, places, progress).result(most_pairs)


def check_random(
    n: int, seed: int = 0, *, journal: Journal | None = None, progress: Progress | None = None
) -> Iterator[tuple[Topology, CrossCheck]]:
    """Compare on `n` random networks, one after the other.

    Raises:
        CapabilityError: the machine can't.
    """
    for k in range(n):
        if progress is not None:
            progress(k, n)
        topology = random_topology(seed + k)
        yield topology, check_topology(topology, seed=seed + k, journal=journal)


@contextlib.contextmanager
def _deployed(inventory: Inventory, journal: Journal) -> Iterator[Places]:
    name = f"crosscheck-{os.getpid()}"
    made: Plan = plan(inventory, name)
    try:
        deployed = deploy(made, journal=journal)
        # From now on it is a leftover, should this process be killed: `netsim cleanup` takes it away.
        journal.mark(deployed, "destroying")
        yield Places(inventory, made)
    finally:
        destroy(name, journal=journal)


class _Check:
    """The comparison on one network."""

    def __init__(self, topology: Topology, seed: int | None, places: Places, progress: Progress | None) -> None:
        self._topology = topology
        self._seed = seed
        self._places = places
        self._progress = progress
        inventory = topology.inventory
        open_ports = frozenset((proto, OPEN_PORT) for proto in (PROTO_TCP, PROTO_UDP))
        network = Network.of(inventory, dict.fromkeys(inventory.instances, open_ports))
        self._verifier = Verifier(network, places)
        self._names = {instance.addr: places.instances[instance.id] for instance in inventory.instances.values()}

    def result(self, most_pairs: int) -> CrossCheck:
        found = CrossCheck(topologies=1)
        inventory = self._topology.inventory
        between = pairs(inventory, most_pairs, self._topology.seed)
        wanted = questions(inventory, between, self._verifier.hops_between)
        asked = [question for question in wanted if not self._verifier.is_refused_in_pieces(question)]
        # In rounds of whole pairs: a question's number has 16 bits.
        with Kernel(self._topology.inventory, self._places) as kernel:
            for first, last in _rounds(asked):
                if self._progress is not None:
                    self._progress(first, len(asked))
                found += self._round(kernel, asked[first:last])
        return found

    def _round(self, kernel: Kernel, asked: list[Question]) -> CrossCheck:
        engine = ask_engine(self._topology.inventory, self._places, asked)
        proven = [self._verifier.outcome(question) for question in asked]
        real = kernel.ask(asked, engine, PATIENCE_S)
        again = [k for k, outcome in enumerate(real) if not engine[k] == proven[k] == outcome][:MAX_ASKED_AGAIN]
        if again:
            subset = kernel.ask([asked[k] for k in again], [engine[k] for k in again], PATIENCE_AGAIN_S)
            for k, outcome in zip(again, subset, strict=True):
                real[k] = outcome
        sides = (engine, proven, real)
        groups = _groups(asked)
        differences = [
            self._difference(asked[k], asked[k].words, tuple(str(side[k]) for side in sides))
            for k in range(len(asked))
            if not engine[k] == proven[k] == real[k] and not asked[k].is_on_the_way
        ]
        verdicts: dict[str, int] = {}
        for numbers in groups:
            question = asked[numbers[0]]
            said = tuple(self._verdict(question, side[numbers[0]]) for side in sides)
            verdicts[said[0]] = verdicts.get(said[0], 0) + 1
            judged = self._verifier.verdict(question.source_id, question.dst)
            if len({*said, judged}) > 1:
                differences.append(self._difference(question, "verdict", (said[0], judged, said[2])))
            hops = tuple(_hop_list([(asked[k], side[k]) for k in numbers]) for side in sides)
            if len(set(hops)) > 1:
                differences.append(self._difference(question, "hop list", hops))
        answers: dict[str, int] = {}
        for outcome in engine:
            answers[outcome.answer or "silence"] = answers.get(outcome.answer or "silence", 0) + 1
        return CrossCheck(0, len(groups), len(asked), verdicts, answers, tuple(differences))

    def _verdict(self, question: Question, outcome: Outcome) -> str:
        """As `netsim reach` would call what became of the echo request."""
        if not outcome.arrived_at or outcome.arrived_at.startswith("gateway:"):
            return "not_reachable"
        is_home = outcome.answer == "echo reply" and outcome.answer_at == self._places.instances[question.source_id]
        return "reachable" if is_home else "one_way"

    def _difference(self, question: Question, what: str, answers: tuple[str, ...]) -> Difference:
        source = self._places.instances[question.source_id]
        target = format_addr(question.dst)
        if question.dst in self._names:
            target = f"{target} ({self._names[question.dst]})"
        engine, verifier, kernel = answers
        return Difference(self._topology.name, self._seed, source, target, what, (engine, verifier, kernel))


def _rounds(asked: list[Question]) -> Iterator[tuple[int, int]]:
    first = 0
    for numbers in _groups(asked):
        if numbers.stop - first > MAX_QUESTIONS:
            yield first, numbers.start
            first = numbers.start
    yield first, len(asked)


def _groups(asked: list[Question]) -> list[range]:
    """The questions of each pair; they stand together."""
    starts = [
        k
        for k, question in enumerate(asked)
        if k == 0 or (question.source_id, question.dst) != (asked[k - 1].source_id, asked[k - 1].dst)
    ]
    return [range(a, b) for a, b in zip(starts, [*starts[1:], len(asked)], strict=True)]


def _hop_list(found: list[tuple[Question, Outcome]]) -> str:
    """Who answers to growing TTL, as traceroute would show it."""
    probes = [(question, outcome) for question, outcome in found if question.is_on_the_way]
    return " ".join(
        f"{question.ttl}: {outcome};" if outcome.answer or outcome.arrived_at else f"{question.ttl}: *;"
        for question, outcome in probes
    )


def _sum(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:
    return {key: a.get(key, 0) + b.get(key, 0) for key in sorted({*a, *b})}
