"""Series: roll-ups lose nothing, windows are half open, gaps stay gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.errors import InvalidError
from netsim.monitor.metrics import METRICS, PERIODS_NS, STATISTICS
from netsim.monitor.series import COUNTERS, Series

S = 1_000_000_000


def series_of(starts_s: list[int], period_s: int = 1, cap_bps: int = 8_000_000, **counters: list[int]) -> Series:
    n = len(starts_s)
    zeros = {name: np.zeros(n, np.int64) for name in COUNTERS}
    return Series(
        period_s * S,
        np.array(starts_s, np.int64) * S,
        np.full(n, period_s * S, np.int64),
        np.full(n, cap_bps, np.int64),
        {**zeros, **{name: np.array(values, np.int64) for name, values in counters.items()}},
    )


def test_the_ten_metrics_of_the_product_exist() -> None:
    assert len(METRICS) == 10
    assert [m.direction for m in METRICS.values()] == ["ingress"] * 5 + ["egress"] * 5
    assert {m.unit for m in METRICS.values()} == {"bytes", "bit/s", "packets/s", "%"}
    assert [p // S for p in PERIODS_NS] == [60, 300, 1200, 3600, 21_600, 43_200, 86_400]


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("egress_bytes", 500_000),
        ("egress_bps", 4_000_000),
        ("egress_pps", 400),
        ("egress_drop_percent", 20),
        ("egress_utilization_percent", 50),
        ("ingress_bps", 0),
        ("ingress_drop_percent", 0),
    ],
)
def test_each_metric_is_computed_from_the_counters(metric: str, value: float) -> None:
    series = series_of([0], egress_bytes=[500_000], egress_packets=[400], egress_dropped_packets=[100])
    assert series.values(metric).tolist() == [value]


def test_bandwidth_of_a_short_sample_is_over_its_own_length() -> None:
    series = series_of([0], egress_bytes=[1000])
    short = Series(S, series.start_ns, np.array([S // 4]), series.cap_bps, series.counters)
    assert short.values("egress_bps").tolist() == [32_000]


def test_ratios_over_nothing_are_zero() -> None:
    empty = Series(S, np.array([0]), np.array([0]), np.array([0]), series_of([0]).counters)
    assert all(empty.values(name).tolist() == [0] for name in METRICS)


@given(
    gaps=st.lists(st.integers(1, 9), min_size=1, max_size=40),
    factor=st.integers(1, 12),
    seed=st.integers(0, 2**32),
)
def test_a_roll_up_conserves_every_counter_and_the_time(gaps: list[int], factor: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = np.cumsum(gaps).tolist()
    counters = {name: rng.integers(0, 2**40, len(starts)).tolist() for name in COUNTERS}
    series = series_of(starts, **counters)
    rolled = series.roll_up(factor * S)
    for name in COUNTERS:
        assert rolled.total(name) == series.total(name)
    assert rolled.length_ns.sum() == series.length_ns.sum()
    assert (rolled.start_ns % (factor * S) == 0).all()
    assert rolled.start_ns.tolist() == sorted({start // factor * factor * S for start in starts})
    # In two steps or in one: the same.
    twice = rolled.roll_up(2 * factor * S)
    once = series.roll_up(2 * factor * S)
    assert twice.start_ns.tolist() == once.start_ns.tolist()
    assert all(twice.counters[name].tolist() == once.counters[name].tolist() for name in COUNTERS)


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=60), st.integers(1, 20))
def test_query_equals_the_slow_obvious_twin(amounts: list[int], factor: int) -> None:
    series = series_of(list(range(len(amounts))), egress_bytes=amounts)
    start_s, end_s = len(amounts) // 4, len(amounts) - len(amounts) // 5
    points = series.query("egress_bytes", start_s * S, end_s * S, factor * S)
    expected: dict[int, list[int]] = {}
    for second in range(start_s, end_s):
        expected.setdefault(second // factor * factor * S, []).append(amounts[second])
    assert [p.start_ns for p in points] == list(expected)
    for point, group in zip(points, expected.values(), strict=True):
        assert point.statistics["sum"] == sum(group)
        assert point.statistics["maximum"] == max(group)
        assert point.statistics["minimum"] == min(group)
        assert point.statistics["sample_count"] == len(group)
        assert point.statistics["average"] == pytest.approx(sum(group) / len(group))


def test_the_window_takes_its_start_and_leaves_its_end() -> None:
    series = series_of([0, 1, 2, 3], egress_bytes=[1, 2, 4, 8])
    (point,) = series.query("egress_bytes", 1 * S, 3 * S, 60 * S)
    assert (point.start_ns, point.statistics["sum"]) == (0, 6)
    assert series.query("egress_bytes", 2 * S, 2 * S, S) == ()
    assert series.query("egress_bytes", 90 * S, 99 * S, S) == ()


def test_gaps_stay_gaps() -> None:
    series = series_of([0, 60, 240], period_s=60, egress_bytes=[1, 2, 3])
    points = series.query("egress_bytes", 0, 600 * S, 60 * S)
    assert [p.start_ns // S for p in points] == [0, 60, 240]
    assert [p.start_ns // S for p in series.query("egress_bytes", 0, 600 * S, 120 * S)] == [0, 240]


def test_only_the_asked_statistics_appear() -> None:
    (point,) = series_of([0]).query("egress_bps", 0, S, S, ("maximum", "sample_count"))
    assert dict(point.statistics) == {"maximum": 0, "sample_count": 1}


def test_averages_are_what_one_long_sample_would_show() -> None:
    # 1 of 2 lost, then 0 of 998: 0.1 % of the packets, not 25 %.
    series = series_of([0, 1], egress_packets=[1, 998], egress_dropped_packets=[1, 0])
    (point,) = series.query("egress_drop_percent", 0, 2 * S, 2 * S)
    assert point.statistics["average"] == pytest.approx(0.1)
    assert point.statistics["maximum"] == 50
    assert series.roll_up(2 * S).values("egress_drop_percent").tolist() == [point.statistics["average"]]


def test_utilization_is_of_the_cap_that_was_in_force() -> None:
    # Half of 8 Mbit/s, then (resized) half of 80: 50 % throughout.
    series = series_of([0, 1], egress_bytes=[500_000, 5_000_000])
    resized = Series(S, series.start_ns, series.length_ns, np.array([8_000_000, 80_000_000]), series.counters)
    assert resized.values("egress_utilization_percent").tolist() == [50, 50]
    (point,) = resized.query("egress_utilization_percent", 0, 2 * S, 2 * S, ("average",))
    assert point.statistics["average"] == 50
    assert resized.roll_up(2 * S).cap_bps.tolist() == [44_000_000]


@pytest.mark.parametrize(
    ("arguments", "field", "words"),
    [
        (("egres_bps", 0, S, S), "metric", 'did you mean "egress_bps"'),
        (("egress_bps", 0, S, S + 1), "period_ns", "multiple of the base period"),
        (("egress_bps", 0, S, 0), "period_ns", "multiple of the base period"),
        (("egress_bps", S, 0, S), "end_ns", "before its start"),
        (("egress_bps", 0, S, S, ("median",)), "statistics", "'median'"),
    ],
)
def test_a_wrong_question_is_refused(arguments: tuple[Any, ...], field: str, words: str) -> None:
    with pytest.raises(InvalidError, match=words) as caught:
        series_of([0]).query(*arguments)
    assert caught.value.field == field


def test_statistics_are_the_five() -> None:
    assert STATISTICS == ("average", "sum", "maximum", "minimum", "sample_count")
