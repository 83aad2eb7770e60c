"""Sampler: samples are differences of counters, wherever a run is cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.errors import ClockError, NetsimError, UsageError
from netsim.monitor.connection import LINK_FIELDS, MonitoredConnection, SideInfo
from netsim.monitor.monitor import Monitor, Sample

S = 1_000_000_000


def two_connections() -> list[MonitoredConnection]:
    side = SideInfo("a"), SideInfo("b")
    return [MonitoredConnection(f"peerconn-{k}", f"c{k}", 2 * k, 2 * k + 1, 10**8, *side) for k in range(2)]


@given(
    events=st.lists(
        st.tuples(st.integers(0, 49), st.integers(0, 3), st.sampled_from(LINK_FIELDS), st.integers(0, 2**40)),
        max_size=30,
    ),
    cuts=st.lists(st.integers(1, 49), max_size=8),
    end_ns=st.integers(50, 60),
)
def test_samples_sum_to_the_counters_and_cuts_change_nothing(
    events: list[tuple[int, int, str, int]], cuts: list[int], end_ns: int
) -> None:
    def run(stops: set[int]) -> list[Sample]:
        counters = {field: np.zeros(4, np.int64) for field in LINK_FIELDS}
        monitor = Monitor(7)
        monitor.describe(0, two_connections(), counters)
        for now_ns in range(end_ns + 1):
            if now_ns in stops:
                monitor.observe(now_ns, counters)
            for _, link, field, amount in (event for event in events if event[0] == now_ns):
                counters[field][link] += amount
        samples = list(monitor.samples())
        for k, name in enumerate(("c0", "c1")):
            local, peer = monitor.series(name, "local"), monitor.series(name, "peer")
            assert local.total("egress_bytes") == counters["egress_bytes"][2 * k]
            assert peer.total("egress_packets") == counters["egress_packets"][2 * k + 1]
            assert local.total("ingress_bytes") == counters["ingress_bytes"][2 * k + 1]
            assert peer.total("ingress_packets") == counters["ingress_packets"][2 * k]
            assert local.total("egress_dropped_packets") == counters["dropped_packets"][2 * k]
            assert peer.total("ingress_dropped_bytes") == counters["dropped_bytes"][2 * k]
        return samples

    boundaries = set(range(0, end_ns, 7)) | {end_ns}
    whole = run(boundaries)
    assert run(boundaries | set(cuts)) == whole
    assert sum(sample.period_ns for sample in whole) == 4 * end_ns
    assert {sample.start_ns for sample in whole} == set(range(0, end_ns, 7))


def test_the_last_sample_may_be_short_and_grows_when_the_run_goes_on(world: Any, monitor: Monitor) -> None:
    world.send(0)
    monitor.observe(S // 2, world.counters)
    assert [(s.period_ns, s.egress_bytes) for s in monitor.samples() if s.side == "local"] == [(S // 2, 1000)]
    world.send(0)
    monitor.observe(S, world.counters)
    assert [(s.period_ns, s.egress_bytes) for s in monitor.samples() if s.side == "local"] == [(S, 2000)]


def test_each_side_sees_its_own_directions(world: Any, monitor: Monitor) -> None:
    world.send(0, n_bytes=5000, packets=5, dropped=2, arrive=False)
    monitor.observe(S, world.counters)
    local, peer = monitor.samples()
    assert (local.side, local.egress_packets, local.egress_dropped_packets, local.ingress_packets) == ("local", 5, 2, 0)
    # Sent, not yet arrived; and what the local side dropped never comes in here.
    assert (peer.egress_packets, peer.ingress_packets, peer.ingress_dropped_packets) == (0, 0, 2)
    assert (local.ingress_dropped_packets, peer.egress_dropped_packets) == (0, 0)


def test_idle_periods_may_be_skipped_and_still_show(world: Any, monitor: Monitor) -> None:
    monitor.observe(3 * S, world.counters)
    assert [s.start_ns // S for s in monitor.samples() if s.side == "peer"] == [0, 1, 2]


def test_traffic_across_a_skipped_boundary_is_our_bug_and_said_so(world: Any, monitor: Monitor) -> None:
    world.send(0)
    with pytest.raises(NetsimError, match="counters moved between 0 ns and 2000000000 ns"):
        monitor.observe(2 * S, world.counters)


def test_a_counter_that_falls_is_our_bug_and_said_so(world: Any, monitor: Monitor) -> None:
    world.send(1)
    monitor.observe(S, world.counters)
    world.counters["egress_bytes"][1] = 0
    with pytest.raises(NetsimError, match="egress_bytes of link 1 fell from 1000 to 0"):
        monitor.observe(S + 1, world.counters)


def test_time_never_runs_backwards(world: Any, monitor: Monitor) -> None:
    monitor.observe(S, world.counters)
    with pytest.raises(ClockError, match="999999999"):
        monitor.observe(S - 1, world.counters)


def test_a_base_period_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="base period is 0 ns"):
        Monitor(0)


def test_a_connection_created_in_mid_period_starts_with_a_short_sample(
    world: Any, monitor: Monitor, make_connection: Any
) -> None:
    world.send(0)
    world.grow(2)
    monitor.describe(S // 4, [make_connection(0), make_connection(1)], world.counters)
    world.send(2, n_bytes=300)
    monitor.observe(S, world.counters)
    monitor.observe(2 * S, world.counters)
    assert [
        (s.start_ns, s.period_ns, s.egress_bytes)
        for s in monitor.samples()
        if (s.connection, s.side) == ("c1", "local")
    ] == [
        (S // 4, S * 3 // 4, 300),
        (S, S, 0),
    ]
    assert monitor.series("c0", "local").length_ns.tolist() == [S, S]


def test_a_deleted_connection_leaves_a_gap_but_its_last_packets_count(world: Any, monitor: Monitor) -> None:
    world.send(0)
    monitor.describe(S // 2, [], world.counters)
    for now_s in (1, 2, 3):
        if now_s == 2:  # a packet the cap had accepted before the deletion arrives now
            world.counters["ingress_bytes"][0] += 77
        monitor.observe(now_s * S, world.counters)
    series = monitor.series("c0", "peer")
    assert series.start_ns.tolist() == [0, S]
    assert series.counters["ingress_bytes"].tolist() == [1000, 77]


def test_links_of_a_deleted_connection_may_serve_a_new_one(world: Any, monitor: Monitor, make_connection: Any) -> None:
    world.send(0, n_bytes=500)
    heir = make_connection(9, local_link=0, peer_link=1)
    monitor.describe(S // 2, [heir], world.counters)
    world.send(0, n_bytes=20)
    monitor.observe(S, world.counters)
    monitor.observe(2 * S, world.counters)
    assert monitor.series("c0", "local").total("egress_bytes") == 500
    assert monitor.series("c9", "local").total("egress_bytes") == 20
    assert len(monitor.series("c0", "local")) == 1


def test_a_connection_keeps_its_links(world: Any, monitor: Monitor, make_connection: Any) -> None:
    with pytest.raises(NetsimError, match="can't change"):
        monitor.describe(1, [make_connection(0, local_link=1, peer_link=0)], world.counters)


def test_a_resize_in_mid_period_gives_the_mean_cap_then_the_new_one(
    world: Any, monitor: Monitor, make_connection: Any
) -> None:
    monitor.describe(S // 4, [make_connection(cap_bps=200_000_000)], world.counters)
    monitor.observe(2 * S, world.counters)
    assert monitor.series("c0", "local").cap_bps.tolist() == [175_000_000, 200_000_000]


def test_old_samples_can_be_forgotten(world: Any, monitor: Monitor) -> None:
    monitor.observe(5 * S, world.counters)
    monitor.forget_before(3 * S)
    assert monitor.series("c0", "local").start_ns.tolist() == [3 * S, 4 * S]
    monitor.observe(6 * S, world.counters)
    assert len(monitor.series("c0", "local")) == 3
