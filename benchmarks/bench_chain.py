"""How fast do packets of one flow go over a chain of four capped links?

    python -m benchmarks.bench_chain [--quick] [--rounds N]

A constant flow offers 1.25 times the cap of 1 Gbit/s, 1000-byte packets. A packet-hop is one packet
offered to one link. The heap emulator computes the same model, so its counts must equal netsim's;
ns.py's shaper has no queue limit, so nothing is dropped there and each packet makes all four hops. ns-3 and the
heap emulator get the same packets, for how many are dropped, and so what a hop costs, depends on their number; ns.py,
where each packet costs the same, gets a fifth of them.
"""

from __future__ import annotations

from benchmarks.measure import AbsentError, Plan, Row, Sample, Side, Stopwatch, compare, standalone
from benchmarks.networks import PACKET_BYTES, chain, load_kernels, running
from benchmarks.peers import heapq_chain, ns3_chain, ns_py
from netsim.traffic.flow import FlowSpec
from netsim.units import BITS_PER_BYTE, NS_PER_S

LINKS = 4
CAP_BPS = 10**9
OFFERED_BPS = 1_250_000_000
NS_PY_SHARE = 5
QUESTION = "open-loop UDP over a chain of 4 capped links"


def ours(packets: int) -> Sample:
    """Network, flow, run."""
    watch = Stopwatch()
    duration_ns = packets * PACKET_BYTES * BITS_PER_BYTE * NS_PER_S // OFFERED_BPS
    flow = FlowSpec(
        name="f", from_ref="i0", to_ref=f"i{LINKS}", rate_bps=OFFERED_BPS, packet_bytes=PACKET_BYTES,
        duration_ns=duration_ns,
    )  # fmt: skip
    lab = running(chain(LINKS, CAP_BPS // 10**6), [flow])
    lab.advance(duration_ns + NS_PER_S)
    seconds = watch.seconds
    totals = lab.totals()
    assert totals.in_flight == 0
    counts = {"packets": totals.injected, "delivered": totals.delivered, "dropped": totals.dropped}
    return Sample(seconds, lab.engine.packet_hops, counts | {"packet-hops": lab.engine.packet_hops})


def heap(packets: int) -> Sample:
    """The heap emulator with the same links."""
    conn = next(iter(chain(1, CAP_BPS // 10**6).peer_conns.values()))
    link = heapq_chain.Link(CAP_BPS, conn.burst_bytes, conn.queue_bytes, conn.latency_ns)
    watch = Stopwatch()
    done = heapq_chain.run([link] * LINKS, packets, PACKET_BYTES, OFFERED_BPS, 0)
    counts = {"packets": done.sent, "delivered": done.delivered, "dropped": done.dropped}
    return Sample(watch.seconds, done.packet_hops, counts | {"packet-hops": done.packet_hops})


def ns_py_side(packets: int) -> Side | AbsentError:
    """ns.py's shaper and wire."""
    try:
        ns = ns_py.load()
    except AbsentError as absent:
        return absent

    def run() -> Sample:
        watch = Stopwatch()
        done = ns_py.run_chain(ns, LINKS, packets, PACKET_BYTES, OFFERED_BPS, CAP_BPS, 1_250_000, 0.0005)
        return Sample(watch.seconds, done.packet_hops, done._asdict())

    return Side("ns.py", run)


def ns3_side(packets: int) -> Side | AbsentError:
    """ns-3, its Run() alone."""
    try:
        ns3_chain.available()
    except AbsentError as absent:
        return absent

    def run() -> Sample:
        done = ns3_chain.run_in_process(packets, LINKS, PACKET_BYTES, OFFERED_BPS, CAP_BPS)
        return Sample(done.pop("seconds"), done["packet_hops"], done)

    return Side("ns-3", run)


def run(plan: Plan) -> list[Row]:
    """Rows against ns.py, ns-3 and the heap emulator."""
    load_kernels()
    packets = plan.size(5_000, 500_000)
    mine, twin = ours(packets), heap(packets)
    assert mine.counts == twin.counts, f"netsim counts {mine.counts}, the heap emulator {twin.counts}"
    return compare(
        QUESTION,
        "packet-hops/s",
        Side("netsim", lambda: ours(packets)),
        [
            (ns_py_side(packets // NS_PY_SHARE), "ns.py TokenBucketShaper and Wire", 200),
            (ns3_side(packets), "ns-3 TbfQueueDisc, Run() only", 100),
            (Side("heapq", lambda: heap(packets)), "plain-Python heapq, same model", 40),
        ],
        plan.rounds,
        f"{packets:,} packets; ns.py, which drops none, gets {packets // NS_PY_SHARE:,}: rates are compared",
    )


if __name__ == "__main__":
    standalone(run, __doc__)
