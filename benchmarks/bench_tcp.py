"""How fast are closed-loop senders: 100 TCP flows over 16 links?

    python -m benchmarks.bench_tcp [--quick]

A chain of 17 VPCs; each flow goes over one link or a few, data one way and ACKs the other, so that every
link is shared and loses. A packet-hop is a segment or an ACK offered to a link.
"""

from __future__ import annotations

from benchmarks.measure import AbsentError, Plan, Row, Sample, Side, Stopwatch, compare, standalone
from benchmarks.networks import chain, load_kernels, running
from benchmarks.peers import ns_py
from netsim.errors import NetsimError
from netsim.traffic.flow import FlowSpec
from netsim.units import NS_PER_MS, NS_PER_S

LINKS, FLOWS = 16, 100
CAP_MBPS = 100
MSS = 1460
QUEUE_PACKETS = 416
QUESTION = "closed-loop TCP, 100 flows on 16 links"
TARGET = 60


def paths() -> list[list[int]]:
    """The VPCs of each flow: one to four links on."""
    firsts = [(k * 7) % LINKS for k in range(FLOWS)]
    return [list(range(a, min(a + 1 + k % 4, LINKS) + 1)) for k, a in enumerate(firsts)]


def flows(duration_ns: int) -> list[FlowSpec]:
    """A sender and a receiver for each path."""
    return [
        FlowSpec(name=f"f{k}", from_ref=f"i{p[0]}", to_ref=f"i{p[-1]}", kind="tcp", duration_ns=duration_ns,
                 dst_port=6000 + k)
        for k, p in enumerate(paths())
    ]  # fmt: skip


def ours(duration_ns: int) -> Sample:
    """Network, flows, run."""
    watch = Stopwatch()
    lab = running(chain(LINKS, CAP_MBPS), flows(duration_ns))
    lab.advance(duration_ns)
    totals = lab.totals()
    counts = {"packets": totals.injected, "dropped": totals.dropped, "packet-hops": lab.engine.packet_hops}
    return Sample(watch.seconds, lab.engine.packet_hops, counts)


def peer(duration_ns: int) -> Side | AbsentError:
    """The same in ns.py."""
    try:
        ns = ns_py.load()
    except AbsentError as absent:
        return absent

    def run() -> Sample:
        watch = Stopwatch()
        seconds = duration_ns / NS_PER_S
        done = ns_py.run_tcp(ns, paths(), CAP_MBPS * 10**6, QUEUE_PACKETS, 0.0005, seconds, MSS)
        return Sample(watch.seconds, done.packet_hops, done._asdict())

    return Side("ns.py", run)


def run(plan: Plan) -> list[Row]:
    """Against ns.py's TCP Reno."""
    load_kernels()
    duration_ns = plan.size(200, 10_000) * NS_PER_MS
    peer_ns = plan.size(50, 500) * NS_PER_MS
    try:
        ours(NS_PER_MS)
    except NetsimError as error:
        return [Row(QUESTION, "ns.py TCP", "packet-hops/s", TARGET, absent=str(error))]
    side = Side("netsim", lambda: ours(duration_ns))
    return compare(QUESTION, "packet-hops/s", side, [(peer(peer_ns), "ns.py TCP Reno", TARGET)], plan.rounds)


if __name__ == "__main__":
    standalone(run, __doc__)
