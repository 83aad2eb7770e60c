"""How fast is a mesh of 100 VPCs with 400 flows, and is that faster than real time?

    python -m benchmarks.bench_mesh [--quick] [--threads 1]

Relays in a circle, each connected to ten others; flows of 50 Mbit/s each, 20 Gbit/s in all, 1000-byte
packets, 4 hops on the average. Two threads, unless told otherwise, and a row without a peer for one. The row against
the clock is virtual seconds per second.
"""

from __future__ import annotations

from benchmarks.measure import AbsentError, Plan, Row, Sample, Side, Stopwatch, alone, compare, standalone
from benchmarks.networks import PACKET_BYTES, hops_between, load_kernels, mesh, mesh_flows, pairs_of, running
from benchmarks.peers import ns_py
from netsim.units import NS_PER_MS, NS_PER_S

VPCS, FLOWS = 100, 400
STEPS = (1, 2, 3, 5, 8)
AGGREGATE_BPS = 20 * 10**9
CAP_BPS = 10**9
SETTLE_NS = NS_PER_S


def ours(duration_ns: int, threads: int) -> Sample:
    """Network, flows, run; the work is packet-hops."""
    watch = Stopwatch()
    lab = running(mesh(VPCS, STEPS, CAP_BPS // 10**6), mesh_flows(VPCS, FLOWS, AGGREGATE_BPS, duration_ns))
    lab.engine.threads = threads
    lab.advance(duration_ns + SETTLE_NS)
    seconds = watch.seconds
    totals = lab.totals()
    assert totals.in_flight == 0
    counts = {"packets": totals.injected, "delivered": totals.delivered, "dropped": totals.dropped}
    return Sample(seconds, lab.engine.packet_hops, counts | {"packet-hops": lab.engine.packet_hops})


def peer(duration_ns: int) -> Side | AbsentError:
    """The same in ns.py."""
    try:
        ns = ns_py.load()
    except AbsentError as absent:
        return absent
    paths = [hops_between(VPCS, STEPS, a, b) for a, b in pairs_of(VPCS, FLOWS)]

    def run() -> Sample:
        watch = Stopwatch()
        done = ns_py.run_mesh(
            ns, paths, AGGREGATE_BPS // FLOWS, CAP_BPS, PACKET_BYTES, 1_250_000, 0.0005, duration_ns / NS_PER_S
        )
        return Sample(watch.seconds, done.packet_hops, done._asdict())

    return Side("ns.py", run)


def run(plan: Plan) -> list[Row]:
    """Against ns.py, and against the clock."""
    load_kernels()
    duration_ns = plan.size(20, 4000) * NS_PER_MS
    peer_ns = plan.size(2, 40) * NS_PER_MS
    name = name_of(plan.threads)
    rows = compare(
        name,
        "packet-hops/s",
        Side("netsim", lambda: ours(duration_ns, plan.threads)),
        [(peer(peer_ns), "ns.py", 250)],
        plan.rounds,
        f"{duration_ns // NS_PER_MS} ms of traffic in netsim, {peer_ns // NS_PER_MS} ms in ns.py: rates are compared",
    )
    figure = rows[0].ours
    assert figure is not None
    # Hops a virtual second asks for, so that the run without traffic at the end is no help.
    asked = figure.counts["packet-hops"] * NS_PER_S / duration_ns
    clock = Row(f"{name}: virtual seconds per second at 20 Gbit/s", "the clock", "x", 1.0, rounds=plan.rounds)
    clock.ratio, clock.quartiles = figure.rate / asked, (figure.low / asked, figure.high / asked)
    clock.ours = figure
    if plan.threads == 1:
        return [*rows, clock]
    one = alone(name_of(1), "packet-hops/s", Side("netsim", lambda: ours(duration_ns, 1)), plan.rounds)
    return [*rows, clock, one]


def name_of(threads: int) -> str:
    """What the row is called."""
    return f"{VPCS}-VPC mesh, {FLOWS} flows, {threads} thread{'s' * (threads > 1)}"


if __name__ == "__main__":
    standalone(run, __doc__)
