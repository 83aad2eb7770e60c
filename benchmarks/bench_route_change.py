"""How long does a route change take in a running network of 1,000 VPCs?

    python -m benchmarks.bench_route_change [--quick]

100,000 routes, 10,000 instances, 5,000 connections, packets on their way. One change is one edit through
`Emulator.apply`: checked, committed, compiled, installed. The peer is what has to be done without an
incremental compiler: commit the edit, compile everything afresh and install that. Packets in flight keep
their fate: a run in which an unrelated route comes and goes delivers and drops exactly what one without
changes does.
"""

from __future__ import annotations

import gc

from benchmarks.big_topology import big_topology
from benchmarks.measure import Plan, Row, Sample, Side, Stopwatch, compare, standalone
from benchmarks.networks import PACKET_BYTES
from netsim.controlplane import edit as e
from netsim.controlplane.fib_compiler import FibCompiler
from netsim.dataplane.engine import Engine
from netsim.emulator import Emulator
from netsim.lab import Lab
from netsim.topology_file.build import Builder
from netsim.topology_file.compose import parse_tree
from netsim.topology_file.shape import Shape
from netsim.traffic.flow import FlowSpec
from netsim.units import NS_PER_MS

CHANGES = 20


def lab_of(vpcs: int) -> Lab:
    """The network, with traffic on its way."""
    shape = Shape(parse_tree(big_topology(vpcs).encode(), "big"))
    builder = Builder(shape, shape.file, 0)
    builder.build()
    assert not builder.problems
    lab = Lab(builder.inventory)
    lab.start_traffic(
        FlowSpec(name=f"f{i}", from_ref=f"i{i}-0", to_ref=f"i{(i + 1) % vpcs}-3", rate_bps=4_000_000,
                 packet_bytes=PACKET_BYTES, duration_ns=20 * NS_PER_MS)
        for i in range(0, vpcs, 5)
    )  # fmt: skip
    lab.advance(4 * NS_PER_MS + 300_000)
    assert lab.totals().in_flight
    return lab


def route(k: int) -> e.CreateRoute:
    """A route beside those that packets use."""
    return e.CreateRoute("v3", "0.0.0.0/0", f"172.16.{k}.0/24", "to-4")


def incremental(lab: Emulator) -> Sample:
    """Some routes come and go."""
    watch = Stopwatch()
    for k in range(CHANGES):
        lab.apply(e.DeleteRoute(lab.apply(route(k)).id))
    return Sample(watch.seconds, 2 * CHANGES, {"changes": 2 * CHANGES, "rule rows": len(lab.fib.rule) // 2})


def from_scratch(lab: Emulator, engine: Engine) -> Sample:
    """One comes and goes, everything is compiled each time."""
    watch = Stopwatch()
    made = lab.inventory.apply(route(0))
    engine.install(FibCompiler().compile(lab.inventory))
    lab.inventory.apply(e.DeleteRoute(made.id))
    engine.install(FibCompiler().compile(lab.inventory))
    return Sample(watch.seconds, 2, {"changes": 2, "rule rows": len(engine.fib.rule) // 2})


def fates(vpcs: int, is_changed: bool) -> dict[str, int]:
    """Where all packets end when routes come and go while they are on their way, or do not."""
    lab = lab_of(vpcs)
    if is_changed:
        incremental(lab)
    lab.advance(100 * NS_PER_MS)
    totals = lab.totals()
    return {"injected": totals.injected, "delivered": totals.delivered, "dropped": totals.dropped}


def run(plan: Plan) -> list[Row]:
    """Against compiling everything."""
    vpcs = plan.size(200, 1000)
    before, after = fates(vpcs, is_changed=False), fates(vpcs, is_changed=True)
    assert before == after, f"a route change touched packets in flight: {before}, {after}"
    lab = lab_of(vpcs)
    engine = Engine(FibCompiler().compile(lab.inventory))
    gc.freeze()  # half a million objects of the network, which neither side makes garbage of
    return compare(
        f"a route change in a running {vpcs:,}-VPC network",
        "changes/s",
        Side("netsim", lambda: incremental(lab)),
        [(Side("everything", lambda: from_scratch(lab, engine)), "recompiling everything", 50)],
        plan.rounds,
        f"packets in flight keep their fate, with changes and without: {after}",
    )


if __name__ == "__main__":
    standalone(run, __doc__)
