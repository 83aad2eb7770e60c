"""How a benchmark measures: sides take turns, each does the same work from scratch, ratios are taken per round.

On a machine that others use too, the same code takes twice as long a minute later; two sides that take
turns are disturbed alike, so their ratio within a round says more than either figure. The median over
the rounds counts, the quartiles say how far to trust it. Every side returns exact counts beside its
time: they must repeat in every round, or the benchmark stops.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

ROUNDS, QUICK_ROUNDS = 9, 3


class AbsentError(Exception):
    """A peer that is not installed, and how to get it."""


@dataclass(frozen=True)
class Plan:
    """How much to measure: `quick` for a look, `long` for a night."""

    quick: bool = False
    long: bool = False
    rounds: int = ROUNDS
    threads: int = 1

    def size(self, quick: int, usual: int) -> int:
        """The amount of work."""
        return quick if self.quick else usual


@dataclass(frozen=True)
class Sample:
    """One run: seconds, the work done in them, and what must repeat exactly."""

    seconds: float
    work: int
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Side:
    """One contender: `run` does everything from scratch and times it."""

    name: str
    run: Callable[[], Sample]


@dataclass
class Figure:
    """What a side did: work per second, median, least and most."""

    name: str
    rate: float
    low: float
    high: float
    work: int
    counts: dict[str, int]


@dataclass
class Row:
    """One line of the results. `ratio` is ours over theirs, with quartiles; None for what has no peer or is absent.

    `target` is the least ratio wanted, of what has no peer the least rate (for `exponent` and `value` the most).
    """

    question: str
    peer: str = ""
    unit: str = ""
    target: float | None = None
    ratio: float | None = None
    quartiles: tuple[float, float] | None = None
    ours: Figure | None = None
    theirs: Figure | None = None
    rounds: int = 0
    absent: str = ""
    exponent: float | None = None
    value: float | None = None
    points: list[tuple[float, float]] = field(default_factory=list)
    note: str = ""

    @property
    def key(self) -> str:
        """What names the row in the results."""
        return f"{self.question} | {self.peer}" if self.peer else self.question

    @property
    def meets_target(self) -> bool | None:
        """Whether the target is met; None if there is none, or nothing to hold against it."""
        if self.target is None or self.absent:
            return None
        if self.ratio is not None:
            return self.ratio >= self.target
        if self.ours is not None:
            return self.ours.rate >= self.target
        most = self.exponent if self.exponent is not None else self.value
        return None if most is None else most <= self.target


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        gc.collect()
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """So far."""
        return time.perf_counter() - self._start


@contextmanager
def collector_off() -> Iterator[None]:
    """No garbage collection inside, for either side alike."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def compare(
    question: str,
    unit: str,
    ours: Side,
    peers: Sequence[tuple[Side | AbsentError, str, float | None]],
    rounds: int,
    note: str = "",
) -> list[Row]:
    """Let all sides take turns; a row for each peer.

    Args:
        question: of the row.
        unit: of the rates, e.g. "packet-hops/s".
        ours: netsim.
        peers: (side, or why it is absent; name; target).
        rounds: how many.
        note: what a reader must know.
    """
    present = [side for side, _, _ in peers if isinstance(side, Side)]
    sides = [ours, *present]
    samples: dict[str, list[Sample]] = {side.name: [] for side in sides}
    for k in range(rounds):
        for side in sides if k % 2 == 0 else reversed(sides):
            progress(f"{question}: round {k + 1} of {rounds}, {side.name}")
            samples[side.name].append(side.run())
    rows = []
    mine = samples[ours.name]
    for side, name, target in peers:
        row = Row(question, name, unit, target, ours=figure(ours.name, mine), rounds=rounds, note=note)
        if isinstance(side, Side):
            theirs = samples[side.name]
            ratios = sorted((a.work / a.seconds) / (b.work / b.seconds) for a, b in zip(mine, theirs, strict=True))
            row.ratio = statistics.median(ratios)
            row.quartiles = quartiles(ratios)
            row.theirs = figure(side.name, theirs)
        else:
            row.absent = str(side)
        rows.append(row)
    return rows


def alone(question: str, unit: str, side: Side, rounds: int, note: str = "") -> Row:
    """A row for a side without a peer."""
    samples = []
    for k in range(rounds):
        progress(f"{question}: round {k + 1} of {rounds}")
        samples.append(side.run())
    return Row(question, unit=unit, ours=figure(side.name, samples), rounds=rounds, note=note)


def figure(name: str, samples: Sequence[Sample]) -> Figure:
    """The figure of some runs, whose counts must be the same."""
    counts = dict(samples[0].counts)
    for sample in samples:
        if dict(sample.counts) != counts:
            raise SystemExit(f"{name}: counts differ between rounds, {counts} and {dict(sample.counts)}")
    rates = [sample.work / sample.seconds for sample in samples]
    return Figure(name, statistics.median(rates), min(rates), max(rates), samples[0].work, counts)


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The first and third; of few values the least and the most."""
    if len(values) < 4:
        return min(values), max(values)
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third


def progress(text: str) -> None:
    """Say what is going on, on a terminal or in a log."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text[:110]}")
        sys.stderr.flush()


def standalone(run: Callable[[Plan], list[Row]], doc: str | None) -> None:
    """The command line of one benchmark."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, three rounds")
    parser.add_argument("--long", action="store_true", help="the largest sizes too")
    parser.add_argument("--rounds", type=int, help=f"how many (default {ROUNDS}, quick {QUICK_ROUNDS})")
    parser.add_argument("--threads", type=int, default=2, help="of netsim in the mesh (default: 2)")
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    given = parser.parse_args()
    rounds = given.rounds if given.rounds is not None else QUICK_ROUNDS if given.quick else ROUNDS
    if rounds < 1 or given.threads < 1:
        parser.error("--rounds and --threads must be 1 or more")
    rows = run(Plan(given.quick, given.long, rounds, given.threads))
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    if given.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    from benchmarks.report import text_table

    print(text_table(rows))


def row_of(data: dict[str, Any]) -> Row:
    """A row from its JSON."""
    figures = {k: Figure(**data[k]) if data[k] else None for k in ("ours", "theirs")}
    points = [(x, y) for x, y in data["points"]]
    return Row(**data | figures | {"points": points})
