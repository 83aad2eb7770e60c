"""Totals of thousands of connections: the same figures as one by one, for work that grows with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netsim.monitor.metrics import DIRECTIONS, SIDES
from netsim.monitor.monitor import Monitor
from netsim.monitor.sampler import Sampler
from netsim.monitor.totals import totals_of

S = 1_000_000_000


@pytest.fixture
def make_monitor(make_world: Any, make_connection: Any) -> Any:
    """A monitor of n connections that came one after the other, with random traffic over some 12 s."""

    def make(n: int) -> Monitor:
        rng = np.random.default_rng(n)
        world, monitor = make_world(2 * n), Monitor(S)
        for second in range(12):
            known = [make_connection(i) for i in range(n) if i % 10 <= second]
            monitor.describe(second * S + S // 3, known, world.counters)
            world.counters = {name: c + rng.integers(0, 10**8, 2 * n) for name, c in world.counters.items()}
            monitor.observe((second + 1) * S, world.counters)
        return monitor

    return make


def count_calls(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[str]:
    """A list that grows by one with each call of `owner.name`."""
    calls: list[str] = []
    original = getattr(owner, name)

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, counted)
    return calls


def test_all_totals_are_those_of_each_side_to_the_last_bit(make_monitor: Any) -> None:
    monitor = make_monitor(40)
    every = monitor.all_totals()
    assert len(every) == len(monitor.connections) == 40
    for connection, of_sides in zip(monitor.connections, every, strict=True):
        for side in SIDES:
            series = monitor.series(connection.id, side)
            assert of_sides[side] == {direction: totals_of(series, direction) for direction in DIRECTIONS}
            assert of_sides[side]["egress"].bytes == series.total("egress_bytes") > 0


def test_a_side_without_samples_has_zeros_beside_others_that_have_some(
    world: Any, monitor: Monitor, make_connection: Any
) -> None:
    world.send(0)
    monitor.observe(S, world.counters)
    world.grow(2)
    monitor.describe(S, [make_connection(0), make_connection(1)], world.counters)
    first, second = monitor.all_totals()
    assert first["local"]["egress"].bytes == 1000
    assert second["local"]["egress"] == monitor.totals("c1", "local")["egress"]
    assert second["local"]["egress"].bytes == second["local"]["egress"].peak_bps == 0


def test_totals_of_no_connections_are_none() -> None:
    assert Monitor(S).all_totals() == []


def test_samples_are_grouped_once_however_many_connections_are_asked_for(
    make_monitor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filtering all samples for each connection takes a minute at 10,000 connections."""
    monitor = make_monitor(60)
    reads = count_calls(monkeypatch, Sampler, "rows")
    monitor.all_totals()
    for connection in monitor.connections:
        monitor.totals(connection.id, "local")
        monitor.series(connection.name, "peer")
    assert len(reads) == 1


def test_connections_are_described_at_one_go(
    make_world: Any, make_connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrays that grow by one connection at a time are copied whole each time."""

    def copies(n: int) -> int:
        world, monitor = make_world(2 * n), Monitor(S)
        monitor.describe(0, [], world.counters)
        with monkeypatch.context() as patch:
            calls = count_calls(patch, np, "concatenate")
            monitor.describe(0, [make_connection(i) for i in range(n)], world.counters)
            monitor.describe(1, [make_connection(i, cap_bps=1000 + i) for i in range(n)], world.counters)
        return len(calls)

    assert copies(3) == copies(300)


def test_what_was_read_stays_when_the_monitor_goes_on(world: Any, monitor: Monitor) -> None:
    world.send(0)
    monitor.observe(S, world.counters)
    before = monitor.series("c0", "local")
    world.send(0)
    monitor.observe(2 * S, world.counters)
    assert before.counters["egress_bytes"].tolist() == [1000]
    assert monitor.series("c0", "local").counters["egress_bytes"].tolist() == [1000, 1000]
    monitor.forget_before(S)
    assert monitor.series("c0", "local").start_ns.tolist() == [S]
