"""Opens topology files: text -> tree (places) -> shape (types) -> inventory (rules), all problems at once.

    source   the bytes, safely                      tree    YAML events to values with places
    shape    keys, types, ranges                    build   values to edits to an inventory
    traffic  flows and expectations

The first two stop at the first thing nothing can be said beyond (a syntax error, a used-up budget);
the others go on, and what they find is reported together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from netsim.collector import paused_collector
from netsim.errors import Problem, TopologyError

if TYPE_CHECKING:
    from netsim.controlplane.inventory import Inventory
    from netsim.topology_file.tree import Place, Tree
    from netsim.traffic.expectation import Expectation
    from netsim.traffic.flow import FlowSpec


@dataclass(frozen=True, slots=True, eq=False)
class Topology:
    """A loaded file.

    Attributes:
        inventory: all resources, made by the operations of the API; the control clock stands at
            2026-01-01T00:00:00Z.
        name, seed, profile: as in the file (or the caller's seed).
        limits: the single limits the file sets; None lifts one.
        traffic, expect: in the order of the file.
        path: the file, None when it was read from memory.
        traffic_places, expect_places: line and column of each entry.
    """

    inventory: Inventory
    name: str
    seed: int = 0
    profile: str = "product"
    limits: dict[str, int | None] = field(default_factory=dict)
    traffic: tuple[FlowSpec, ...] = ()
    expect: tuple[Expectation, ...] = ()
    path: Path | None = None
    traffic_places: tuple[Place, ...] = ()
    expect_places: tuple[Place, ...] = ()

    def beside(self, name: str) -> Path:
        """The path of a file the topology names (a capture): relative to the topology file."""
        return Path(name) if self.path is None else self.path.parent / name


def load_topology(path: str | Path, seed: int | None = None) -> Topology:
    """Load a topology file; `seed` overrides the file's.

    200,000 routes take some 5 s. Opening never blocks; size, depth, nodes and aliases are bounded.

    Raises:
        TopologyError: with every problem found, each with its line and column.
    """
    from netsim.topology_file.source import read_source

    with paused_collector():
        return _load(read_source(path), str(path), Path(path), seed)


def read_topology(text: str | bytes, file_name: str = "topology", seed: int | None = None) -> Topology:
    """Load a topology from memory; `file_name` is for messages, and captures are not looked for.

    Raises:
        TopologyError: with every problem found, each with its line and column.
    """
    with paused_collector():
        return _load(text, file_name, None, seed)


def _load(text: str | bytes, file_name: str, path: Path | None, seed: int | None) -> Topology:
    from netsim.topology_file.compose import parse_tree
    from netsim.topology_file.source import as_utf8

    return topology_of(parse_tree(as_utf8(text, file_name), file_name), file_name, path, seed)


def topology_of(tree: Tree, file_name: str, path: Path | None, seed: int | None) -> Topology:
    """What a document says, once it has been read; `path` as in `Topology`.

    Raises:
        TopologyError: with every problem found, those of reading included.
    """
    from netsim.topology_file.build import Builder, EnoughProblemsError
    from netsim.topology_file.shape import Shape
    from netsim.topology_file.traffic import build_expectations, build_flows

    shape = Shape(tree)
    file = shape.file
    if file is None:
        raise TopologyError(file_name, _bounded(tree.problems, shape.problems))
    seed = file.seed if seed is None else seed
    builder = Builder(shape, file, seed)
    try:
        builder.build()
        flows = build_flows(builder, None if path is None else path.parent)
        expectations = build_expectations(builder)
    except EnoughProblemsError:
        problems = _bounded(tree.problems, shape.problems + builder.problems)
        last = problems[-1]
        raise TopologyError(
            file_name, [*problems[:-1], Problem(last.line, last.column, "", "and more problems, not looked for")]
        ) from None
    if tree.problems or shape.problems or builder.problems:
        raise TopologyError(file_name, _bounded(tree.problems, shape.problems + builder.problems))
    return Topology(
        inventory=builder.inventory,
        name=file.name,
        seed=seed,
        profile=file.profile,
        limits=file.limits.model_dump(exclude_unset=True) if file.limits else {},
        traffic=flows,
        expect=expectations,
        path=path,
        traffic_places=tree.item_places("traffic"),
        expect_places=tree.item_places("expect"),
    )


def _bounded(of_reading: list[Problem], of_meaning: list[Problem]) -> list[Problem]:
    """All problems, one for a place that could not be read, and not more than a screenful of screens."""
    unread = {(problem.line, problem.column) for problem in of_reading}
    # An alias to a wrong value is wrong once, however often it is used.
    once = {(problem.line, problem.column, problem.message): problem for problem in sorted(of_meaning, reverse=True)}
    readable = [problem for problem in once.values() if (problem.line, problem.column) not in unread]
    problems = sorted([*of_reading, *readable])
    from netsim.topology_file.build import MAX_PROBLEMS

    if len(problems) <= MAX_PROBLEMS:
        return problems
    # They are sorted by place, and this stands last.
    last = problems[MAX_PROBLEMS - 1]
    more = f"and {len(problems) - MAX_PROBLEMS:,} more problems"
    return [*problems[:MAX_PROBLEMS], Problem(last.line, last.column + 1, "", more)]
