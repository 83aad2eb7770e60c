"""Monitor: names, the control clock, totals."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.clock import FILE_RUN_START_NS
from netsim.errors import ClockError, InvalidError, NotFoundError
from netsim.monitor.clock_map import ClockMap
from netsim.monitor.monitor import Monitor

S = 1_000_000_000


def test_a_connection_answers_to_its_id_and_its_name(monitor: Monitor) -> None:
    assert monitor.find("c0") is monitor.find("peerconn-000000000000")
    with pytest.raises(NotFoundError, match='did you mean "c0"'):
        monitor.series("c00", "local")
    with pytest.raises(InvalidError, match="accepted local or peer"):
        monitor.series("c0", "left")


def test_a_shared_or_empty_name_is_reported_by_id(world: Any, monitor: Monitor, make_connection: Any) -> None:
    world.grow(6)
    twins = [make_connection(1, name="twin"), make_connection(2, name="twin"), make_connection(3, name="")]
    monitor.describe(0, [make_connection(), *twins], world.counters)
    assert [monitor.label(known) for known in monitor.connections] == ["c0", *(twin.id for twin in twins)]
    monitor.observe(S, world.counters)
    assert [s.connection for s in monitor.samples()][::2] == ["c0", *(twin.id for twin in twins)]


def test_the_next_boundary_is_on_the_grid(world: Any, monitor: Monitor) -> None:
    assert monitor.next_boundary_ns == S
    monitor.observe(S - 1, world.counters)
    assert monitor.next_boundary_ns == S
    monitor.observe(S, world.counters)
    assert monitor.next_boundary_ns == 2 * S


def test_totals_are_those_of_the_report(world: Any, monitor: Monitor) -> None:
    world.send(0, n_bytes=12_500_000, packets=10_000, dropped=10)
    monitor.observe(S, world.counters)
    monitor.observe(2 * S, world.counters)
    world.send(0, n_bytes=1_000_000)  # a burst in a short last sample: 800 Mbit/s, but no peak
    monitor.observe(2 * S + S // 100, world.counters)
    egress = monitor.totals("c0", "local")["egress"]
    assert (egress.bytes, egress.packets, egress.dropped_packets) == (13_500_000, 10_001, 10)
    assert egress.mean_bps == pytest.approx(13_500_000 * 8 / 2.01)
    assert egress.peak_bps == 100_000_000
    assert egress.utilization_ratio == pytest.approx(1.08 / 2.01)
    assert monitor.totals("c0", "peer")["ingress"].bytes == 13_500_000
    assert monitor.totals("c0", "peer")["egress"].utilization_ratio == 0


def test_totals_of_a_run_shorter_than_a_period(world: Any, monitor: Monitor) -> None:
    world.send(0, n_bytes=1000)
    monitor.observe(S // 2, world.counters)
    assert monitor.totals("c0", "local")["egress"].peak_bps == 16_000


def test_totals_of_nothing_are_zero(monitor: Monitor) -> None:
    egress = monitor.totals("c0", "local")["egress"]
    assert (egress.bytes, egress.mean_bps, egress.peak_bps, egress.utilization_ratio) == (0, 0, 0, 0)


def test_advancing_the_control_clock_alone_leaves_a_gap(make_world: Any, make_connection: Any) -> None:
    world, monitor = make_world(2), Monitor(60 * S)
    monitor.describe(0, [make_connection()], world.counters)
    monitor.observe(120 * S, world.counters)
    week_ns = 7 * 86_400 * S
    monitor.clock.mark(120 * S, FILE_RUN_START_NS + 120 * S + week_ns)
    world.send(0)
    monitor.observe(180 * S, world.counters)
    window = (FILE_RUN_START_NS, FILE_RUN_START_NS + 2 * week_ns)
    points = monitor.query("c0", "local", "egress_bytes", *window, 60 * S, ("sum",), clock="control")
    assert [p.start_ns - FILE_RUN_START_NS for p in points] == [0, 60 * S, 120 * S + week_ns]
    assert [p.statistics["sum"] for p in points] == [0, 0, 1000]
    # In packet time there is no gap.
    assert [p.start_ns // S for p in monitor.query("c0", "local", "egress_bytes", 0, 999 * S, 60 * S)] == [0, 60, 120]


def test_the_control_clock_runs_with_packet_time_between_marks() -> None:
    clock = ClockMap(1000)
    clock.mark(50, 2000)
    clock.mark(50, 3000)
    assert [clock.utc_ns(t) for t in (0, 49, 50, 60)] == [1000, 1049, 3000, 3010]
    with pytest.raises(ClockError, match="backwards"):
        clock.mark(49, 9000)
    with pytest.raises(ClockError, match="backwards"):
        clock.mark(60, 3009)
