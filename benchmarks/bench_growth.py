"""How do time and memory grow with packets, flows, links, VPCs and rules?

    python -m benchmarks.bench_growth [--quick | --long]

Each point is a process of its own: CPU seconds of the part in question and the most memory it took. An
exponent b is the slope of log(time) over log(size), fitted by least squares over sizes that differ by 10
times or more; 1 is linear. Time that does not depend on the size (loading kernels, an empty network) is
measured apart and not in the figure.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.measure import Plan, Row, progress, standalone
from benchmarks.networks import PACKET_BYTES, chain, load_kernels, mesh, mesh_flows, running
from netsim.controlplane import edit as e
from netsim.controlplane.fib_compiler import FibCompiler
from netsim.controlplane.inventory import Inventory
from netsim.lab import Lab
from netsim.prefix import prefix_of
from netsim.traffic.flow import FlowSpec
from netsim.units import BITS_PER_BYTE, NS_PER_MS, NS_PER_S

LIMIT = 1.1


def timed_run(lab: Lab, until_ns: int) -> float:
    """CPU seconds of moving packets."""
    start = time.process_time()
    lab.advance(until_ns)
    return time.process_time() - start


def packets(n: int) -> float:
    """A flow of n packets over four links."""
    load_kernels()
    duration_ns = n * PACKET_BYTES * BITS_PER_BYTE * NS_PER_S // 10**9
    flow = FlowSpec(
        name="f", from_ref="i0", to_ref="i4", rate_bps=10**9, packet_bytes=PACKET_BYTES, duration_ns=duration_ns
    )
    return timed_run(running(chain(4), [flow]), duration_ns + NS_PER_S)


def flows(n: int) -> float:
    """n flows of 100 packets each, in a mesh of 50 VPCs; the network takes them all."""
    load_kernels()
    duration_ns = 500 * NS_PER_MS
    rate_bps = 100 * PACKET_BYTES * BITS_PER_BYTE * 2
    return timed_run(running(mesh(50), mesh_flows(50, n, rate_bps * n, duration_ns)), duration_ns + NS_PER_S)


def links(n: int) -> float:
    """2,000 packets over a chain of n links."""
    load_kernels()
    duration_ns = 2_000 * PACKET_BYTES * BITS_PER_BYTE * NS_PER_S // 10**8
    spec = [
        FlowSpec(name=f"f{k}", from_ref=f"i{k}", to_ref=f"i{k + 1}", rate_bps=10**8, packet_bytes=PACKET_BYTES,
                 duration_ns=duration_ns)
        for k in range(n)
    ]  # fmt: skip
    return timed_run(running(chain(n), spec), duration_ns + NS_PER_S)


def vpcs(n: int) -> float:
    """Compile a network of n VPCs, with 10 subnets, 10 instances, 10 connections and 100 routes each."""
    from benchmarks.big_topology import big_topology
    from netsim.topology_file.build import Builder
    from netsim.topology_file.compose import parse_tree
    from netsim.topology_file.shape import Shape

    text = big_topology(n).encode()
    start = time.process_time()
    shape = Shape(parse_tree(text, "big"))
    builder = Builder(shape, shape.file, 0)
    builder.build()
    FibCompiler().compile(builder.inventory)
    return time.process_time() - start


def rules(n: int) -> float:
    """Put n rules into one VPC and compile it."""
    rng = np.random.Generator(np.random.PCG64(2))
    inventory = Inventory("research")
    inventory.apply(e.CreateAccount("bench"), e.CreateVpc("v", "bj", "10.0.0.0/16", "bench"))
    made = {
        prefix_of(int(a), int(k))
        for a, k in zip(rng.integers(11 << 24, 200 << 24, 2 * n), rng.integers(16, 29, 2 * n), strict=True)
    }
    edits = [e.CreateRoute("v", "0.0.0.0/0", prefix, "blackhole") for prefix in sorted(made)[::2][:n]]
    start = time.process_time()
    inventory.apply(*edits)
    FibCompiler().compile(inventory)
    return time.process_time() - start


AXES: dict[str, tuple[Callable[[int], float], str, list[int], list[int], list[int]]] = {
    "packets": (packets, "packets of a flow", [10**4, 10**5], [10**5, 10**6, 10**7], [10**8]),
    "flows": (flows, "flows of 100 packets", [10, 100], [100, 1_000, 10_000], []),
    "links": (links, "links of a chain, a flow on each", [5, 50], [10, 50, 250], []),
    "vpcs": (vpcs, "VPCs, from text to a Fib", [20, 100], [20, 100, 500, 2_000], []),
    "rules": (rules, "rules of one VPC", [1_000, 10_000], [1_000, 10_000, 100_000], []),
}
"""What is measured, its name, and the sizes: quick, usual, added by long."""


def run(plan: Plan) -> list[Row]:
    """Two rows for each axis: seconds, megabytes."""
    rows = []
    for axis, (_, name, quick, usual, longer) in AXES.items():
        seconds, megabytes = [], []
        for size in quick if plan.quick else [*usual, *(longer if plan.long else [])]:
            # The least of some processes: what a neighbour adds is never negative.
            found = [in_own_process(axis, size) for _ in range(1 if plan.quick or size >= 10**8 else 2)]
            seconds.append((float(size), min(s for s, _ in found)))
            megabytes.append((float(size), min(mb for _, mb in found)))
        rows.append(Row(f"time over {name}", unit="s", target=LIMIT, exponent=exponent(seconds), points=seconds))
        rows.append(Row(f"memory over {name}", unit="MB", target=LIMIT, exponent=exponent(megabytes), points=megabytes))
    return rows


def exponent(points: list[tuple[float, float]]) -> float:
    """The b of a line through the logarithms."""
    x, y = np.log(np.array(points)).T
    return float(np.polyfit(x, y, 1)[0])


def in_own_process(axis: str, size: int) -> tuple[float, float]:
    """CPU seconds and megabytes above an empty process of the same kind."""
    progress(f"growth: {axis} {size:,}")
    command = [sys.executable, "-m", "benchmarks.bench_growth", "--one", axis, str(size)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    seconds, megabytes = json.loads(done.stdout)
    return seconds, megabytes


def main() -> None:
    """The command line; `--one` is one measurement in this process."""
    if sys.argv[1:2] == ["--one"]:
        seconds = AXES[sys.argv[2]][0](int(sys.argv[3]))
        print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
        return
    standalone(run, __doc__)


if __name__ == "__main__":
    main()
