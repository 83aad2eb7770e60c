"""What must hold at every moment of every emulator."""

from __future__ import annotations

from collections import defaultdict

from netsim.controlplane.fib_compiler import LinkName
from netsim.emulator import Emulator
from netsim.monitor.metrics import SIDES

COUNTED = ("bytes", "packets", "dropped_bytes", "dropped_packets")


def assert_conserved(emulator: Emulator) -> None:
    """Injected = delivered + dropped + in flight, each of them counted on its own."""
    totals = emulator.totals()
    assert totals.injected == totals.delivered + totals.dropped + totals.in_flight
    assert totals.in_flight == len(emulator.engine.packets_in_flight())
    assert int(totals.by_disposition[0]) == 0
    assert int(emulator.engine.node_dispositions().sum()) == totals.delivered + totals.dropped


def assert_samples_sum_to_counters(emulator: Emulator) -> None:
    """Of every connection there ever was, either side, and what one egress drops is the other's ingress dropped."""
    counters = emulator.engine.counters()
    sums: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for sample in emulator.monitor.samples():
        for direction in ("egress", "ingress"):
            for name in COUNTED:
                sums[sample.connection, sample.side][f"{direction}_{name}"] += getattr(sample, f"{direction}_{name}")
    for connection in emulator.monitor.connections:
        label = emulator.monitor.label(connection)
        for side, other in (SIDES, SIDES[::-1]):
            near, far = (emulator.compiler.link_of[LinkName(connection.id, s)] for s in (side, other))
            expected = {
                "egress_bytes": counters.egress_bytes[near],
                "egress_packets": counters.egress_packets[near],
                "egress_dropped_bytes": counters.dropped_bytes[near],
                "egress_dropped_packets": counters.dropped_packets[near],
                "ingress_bytes": counters.ingress_bytes[far],
                "ingress_packets": counters.ingress_packets[far],
                "ingress_dropped_bytes": counters.dropped_bytes[far],
                "ingress_dropped_packets": counters.dropped_packets[far],
            }
            found = sums[label, side]
            assert {name: found[name] for name in expected} == {name: int(n) for name, n in expected.items()}, label
