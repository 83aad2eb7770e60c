"""ns.py (the package `ns.py` on PyPI, on SimPy): token-bucket shapers and wires, TCP."""

from __future__ import annotations

import importlib
import itertools
import sys
import types
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import AbsentError

HOW = "pip install ns.py"
CLASSES = {
    "DistPacketGenerator": "packet.dist_generator",
    "FIBDemux": "demux.fib_demux",
    "Flow": "flow.flow",
    "PacketSink": "packet.sink",
    "Port": "port.port",
    "TCPPacketGenerator": "packet.tcp_generator",
    "TCPReno": "flow.cc",
    "TCPSink": "packet.tcp_sink",
    "TokenBucketShaper": "shaper.token_bucket",
    "Wire": "port.wire",
}
"""What is used, and its modules."""


class Counts(NamedTuple):
    """What happened."""

    sent: int
    delivered: int
    packet_hops: int


def load() -> Any:
    """A namespace with the classes used here, and SimPy.

    The wheel of ns-3 installs a module `ns` too, over this one's: so the package is found by its folder.

    Raises:
        AbsentError: not installed.
    """
    try:
        simpy = importlib.import_module("simpy")
    except ImportError:
        raise AbsentError(HOW) from None
    folder = next((Path(p) / "ns" for p in sys.path if (Path(p) / "ns" / "shaper" / "token_bucket.py").exists()), None)
    if folder is None:
        raise AbsentError(HOW)
    package = types.ModuleType("ns")
    package.__path__ = [str(folder)]
    sys.modules["ns"] = package
    classes = {name: getattr(importlib.import_module(f"ns.{module}"), name) for name, module in CLASSES.items()}
    return types.SimpleNamespace(simpy=simpy, **classes)


def run_chain(
    ns: Any,
    links: int,
    packets: int,
    packet_bytes: int,
    offered_bps: int,
    rate_bps: int,
    burst_bytes: int,
    delay_s: float,
) -> Counts:
    """One flow at a constant rate through shapers and wires. Queues are unbounded there: nothing is dropped."""
    env = ns.simpy.Environment()
    gap = packet_bytes * 8 / offered_bps
    source = ns.DistPacketGenerator(env, "s", lambda: gap, lambda: packet_bytes, size=packets * packet_bytes)
    sink = ns.PacketSink(env, rec_arrivals=False, rec_waits=False)
    shapers, last = [], source
    for _ in range(links):
        shaper = ns.TokenBucketShaper(env, rate_bps, burst_bytes)
        wire = ns.Wire(env, lambda: delay_s)
        last.out, shaper.out = shaper, wire
        shapers.append(shaper)
        last = wire
    last.out = sink
    env.run()
    hops = sum(shaper.packets_received for shaper in shapers)
    return Counts(source.packets_sent, shapers[-1].packets_sent, hops)


def run_mesh(
    ns: Any, paths: list[list[int]], rate_bps: int, cap_bps: int, packet_bytes: int, burst_bytes: int,
    delay_s: float, duration_s: float,
) -> Counts:  # fmt: skip
    """Flows of one rate along paths of node numbers: a demultiplexer by flow at each node, a shaper and a wire for
    each direction that a path uses.
    """
    env = ns.simpy.Environment()
    sink = ns.PacketSink(env, rec_arrivals=False, rec_waits=False)
    shapers: dict[tuple[int, int], Any] = {}
    nodes: dict[int, Any] = {}
    outs: dict[int, list[Any]] = {}
    for path in paths:
        for node in path:
            outs.setdefault(node, [])
            nodes.setdefault(node, ns.FIBDemux(fib={}, outs=outs[node], default=sink))
    for path in paths:
        for a, b in itertools.pairwise(path):
            if (a, b) not in shapers:
                shaper, wire = ns.TokenBucketShaper(env, cap_bps, burst_bytes), ns.Wire(env, lambda: delay_s)
                shaper.out, wire.out = wire, nodes[b]
                shapers[a, b] = shaper
                outs[a].append(shaper)
    gap = packet_bytes * 8 / rate_bps
    sources = []
    for k, path in enumerate(paths):
        for a, b in itertools.pairwise(path):
            nodes[a].fib[k] = outs[a].index(shapers[a, b])
        nodes[path[-1]].ends[k] = sink
        start = k * packet_bytes * 8 / (rate_bps * len(paths))
        source = ns.DistPacketGenerator(
            env, f"s{k}", lambda: gap, lambda: packet_bytes, start, start + duration_s, flow_id=k
        )
        source.out = nodes[path[0]]
        sources.append(source)
    env.run()
    sent = sum(source.packets_sent for source in sources)
    return Counts(sent, sum(sink.packets_received.values()), sum(s.packets_received for s in shapers.values()))


def run_tcp(
    ns: Any, paths: list[list[int]], cap_bps: int, queue_packets: int, delay_s: float, duration_s: float, mss: int
) -> Counts:
    """One TCP Reno flow along each path, data one way and ACKs the other, over bounded ports and wires.

    A port serves at the cap and drops what does not fit, as the model here does; `delivered` counts
    segments at the sinks, `packet_hops` data and ACKs alike.
    """
    env = ns.simpy.Environment()
    ports: dict[tuple[int, int], Any] = {}
    nodes: dict[int, Any] = {}
    outs: dict[int, list[Any]] = {}
    for path in paths:
        for node in path:
            outs.setdefault(node, [])
            nodes.setdefault(node, ns.FIBDemux(fib={}, outs=outs[node]))
        for a, b in [*itertools.pairwise(path), *zip(path[1:], path, strict=False)]:
            if (a, b) not in ports:
                port, wire = ns.Port(env, cap_bps, qlimit=queue_packets), ns.Wire(env, lambda: delay_s)
                ports[a, b] = port
                outs[a].append(port)
                port.out = wire
    for (_, b), port in ports.items():
        port.out.out = nodes[b]
    senders, sinks = [], []
    for k, path in enumerate(paths):
        flow = ns.Flow(k, f"s{k}", f"d{k}", start_time=0.0, finish_time=duration_s)
        sender = ns.TCPPacketGenerator(env, flow, ns.TCPReno(mss=mss, cwnd=10 * mss), element_id=k)
        sender.mss = mss
        sink = ns.TCPSink(env, rec_arrivals=False, rec_waits=False, element_id=k)
        sender.out, sink.out = nodes[path[0]], nodes[path[-1]]
        for a, b in itertools.pairwise(path):
            nodes[a].fib[k] = outs[a].index(ports[a, b])
            nodes[b].fib[k + 10_000] = outs[b].index(ports[b, a])
        nodes[path[-1]].ends[k] = sink
        nodes[path[0]].ends[k + 10_000] = sender
        senders.append(sender)
        sinks.append(sink)
    env.run(until=duration_s)
    delivered = sum(sum(sink.packets_received.values()) for sink in sinks)
    sent = sum(sender.next_seq // mss for sender in senders)
    return Counts(sent, delivered, sum(port.packets_received for port in ports.values()))
