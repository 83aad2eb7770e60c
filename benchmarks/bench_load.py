"""How long does it take to load a network, and how does that grow with its size?

    python -m benchmarks.bench_load [--sizes 125,250,500,1000,2000] [--rounds 3]

Printed for each size: CPU seconds of reading (text to a tree with places), validating (keys, types, ranges),
building (every resource through the operations of the API) and compiling (the Fib), the least of the rounds, each
in a process of its own. The last line fits time = a * size^b to each column: b near 1 is linear, near 2 would be
quadratic. The counts of resources repeat exactly.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.big_topology import big_topology

STAGES = ("reading", "validating", "building", "compiling")


def measure(n_vpcs: int) -> dict[str, Any]:
    """CPU seconds of each stage and counts, in this process, with the collector off as when a file is loaded."""
    from netsim.controlplane.fib_compiler import FibCompiler
    from netsim.topology_file.build import Builder
    from netsim.topology_file.compose import parse_tree
    from netsim.topology_file.shape import Shape

    text = big_topology(n_vpcs).encode()
    gc.disable()
    times: list[float] = []

    def timed(stage: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = stage()
        times.append(time.process_time() - start)
        return result

    tree = timed(lambda: parse_tree(text, "big"))
    shape = timed(lambda: Shape(tree))
    builder = Builder(shape, shape.file, 0)
    timed(builder.build)
    fib = timed(lambda: FibCompiler().compile(builder.inventory))
    assert not builder.problems, builder.problems[:1]
    inventory = builder.inventory
    counts = [len(inventory.rules), len(inventory.instances), len(inventory.peer_conns), len(fib.dst_lo)]
    return {"seconds": times, "counts": counts}


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """The b of the least-squares line log(time) = log(a) + b log(size)."""
    xs, ys = [math.log(size) for size in sizes], [math.log(s) for s in seconds]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    rise = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return rise / sum((x - mean_x) ** 2 for x in xs)


def best_of(n_vpcs: int, rounds: int) -> tuple[list[float], list[int]]:
    """The least CPU seconds of each stage over some processes, and the counts, which must agree."""
    runs = []
    for _ in range(rounds):
        command = [sys.executable, "-m", "benchmarks.bench_load", "--one", str(n_vpcs)]
        runs.append(json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout))
    assert all(run["counts"] == runs[0]["counts"] for run in runs), "counts differ between rounds"
    return [min(column) for column in zip(*(run["seconds"] for run in runs), strict=True)], runs[0]["counts"]


def main() -> None:
    """Measure each size in fresh processes; print the table and the exponents."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", default="125,250,500,1000,2000", help="numbers of VPCs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    sizes = [int(size) for size in options.sizes.split(",")]
    print(f"{'VPCs':>6} {'rules':>8} " + " ".join(f"{stage:>11}" for stage in (*STAGES, "in all")))
    columns: list[list[float]] = [[] for _ in range(len(STAGES) + 1)]
    for size in sizes:
        seconds, counts = best_of(size, options.rounds)
        for column, value in zip(columns, (*seconds, sum(seconds)), strict=True):
            column.append(value)
        row = " ".join(f"{column[-1]:9.2f} s" for column in columns)
        print(f"{size:6} {counts[0]:8,} {row}   {counts[1]:,} instances, {counts[2]:,} connections")
    if len(sizes) > 1:
        print(f"{'size^':>15} " + " ".join(f"{exponent(sizes, column):11.2f}" for column in columns))


if __name__ == "__main__":
    main()
