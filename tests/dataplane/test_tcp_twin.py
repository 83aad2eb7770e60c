"""Every segment of every flow: the engine, plain and compiled, against the scalar twin written from the RFCs.

Compared are time, instance, sequence and acknowledgment number, flags, size, window and timestamp echo of all that is
sent, refused and received, and the flows' figures, the links' counters and the packets' fates.
"""

from __future__ import annotations

import pytest

from tests.dataplane.random_tcp import BUDGET_BYTES, random_tcp
from tests.dataplane.tcp_engine import engine_with_tcp, run_engine
from tests.dataplane.tcp_experiment import assert_same, run_twin

LARGE_BYTES = 4_000_000
"""Enough for windows that overflow the queue by more holes than a receiver remembers."""


def assert_equals_twin(seed: int, budget_bytes: int = BUDGET_BYTES, *, is_compiled: bool) -> None:
    experiment = random_tcp(seed, budget_bytes)
    expected, _ = run_twin(experiment)
    cuts = [] if seed % 3 else [experiment.end_ns // 7, experiment.end_ns // 3]
    assert_same(run_engine(experiment, cuts, is_compiled=is_compiled), expected, f"seed {seed}")


@pytest.mark.parametrize("first", range(0, 300, 10))
def test_every_segment_equals_the_scalar_twin(first: int) -> None:
    for seed in range(first, first + 10):
        assert_equals_twin(seed, is_compiled=False)


@pytest.mark.usefixtures("compiled_kernels")
@pytest.mark.parametrize("first", range(0, 300, 30))
def test_every_segment_of_compiled_kernels_does_too(first: int) -> None:
    for seed in range(first, first + 30):
        assert_equals_twin(seed, is_compiled=True)


@pytest.mark.usefixtures("compiled_kernels")
@pytest.mark.parametrize("first", range(0, 20, 5))
def test_large_flows_do_too(first: int) -> None:
    for seed in range(first, first + 5):
        assert_equals_twin(seed, LARGE_BYTES, is_compiled=True)


@pytest.mark.slow
@pytest.mark.usefixtures("compiled_kernels")
@pytest.mark.parametrize("first", range(0, 200, 20))
def test_and_so_do_hundreds_of_large_ones(first: int) -> None:
    for seed in range(first + 100, first + 120):
        assert_equals_twin(seed, LARGE_BYTES, is_compiled=True)


@pytest.mark.slow
@pytest.mark.usefixtures("compiled_kernels")
@pytest.mark.parametrize("first", range(1000, 4000, 100))
def test_and_so_on_in_thousands_of_other_networks(first: int) -> None:
    for seed in range(first, first + 100):
        assert_equals_twin(seed, is_compiled=seed % 2 == 0)


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_no_packet_is_lost_or_made_up_while_flows_run(first: int) -> None:
    for seed in range(first, first + 10):
        experiment = random_tcp(seed)
        engine = engine_with_tcp(experiment)
        for k in range(1, 20):
            engine.advance(experiment.end_ns * k // 20)
            totals = engine.totals()
            assert totals.injected == totals.delivered + totals.dropped + totals.in_flight, f"seed {seed}"


def test_cutting_at_every_single_event_changes_no_segment() -> None:
    """An end's timers are events too."""
    experiment = random_tcp(2)
    expected = run_engine(experiment)
    engine = engine_with_tcp(experiment)
    stops: list[int] = []
    while (next_ns := engine.next_event_ns()) is not None and next_ns < experiment.end_ns and len(stops) < 3000:
        stops += [next_ns, next_ns + 1]
        engine.advance(next_ns)
        engine.advance(next_ns + 1)
    assert len(stops) > 200
    assert_same(run_engine(experiment, stops), expected, "cut everywhere")
