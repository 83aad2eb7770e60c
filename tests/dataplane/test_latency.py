from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.dataplane.latency import BINS, SUB_BINS, UNIT_BITS, bin_of, bit_length, count, percentile_ns
from netsim.units import NS_PER_S

LATENCIES = st.one_of(st.integers(0, 10**6), st.integers(0, 130 * NS_PER_S))


@given(st.integers(0, 2**63 - 1))
def test_bit_length_is_pythons(value: int) -> None:
    assert bit_length(value) == value.bit_length()


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_bins_are_in_order_and_there_is_always_one(one: int, other: int) -> None:
    assert 0 <= bin_of(min(one, other)) <= bin_of(max(one, other)) < BINS


@given(LATENCIES)
def test_the_middle_of_a_bin_is_within_its_error(latency_ns: int) -> None:
    """1 us below 66 us, 0.8 % above."""
    bins = np.zeros(BINS, np.int32)
    count(bins, 0, latency_ns)
    told_ns = percentile_ns(bins, 50)
    allowed = 1000 if latency_ns < SUB_BINS << UNIT_BITS else latency_ns * 8 // 1000
    assert abs(told_ns - latency_ns) <= allowed


@given(st.lists(LATENCIES, min_size=1, max_size=200), st.sampled_from([0, 50, 90, 95, 99, 99.9, 100]))
def test_a_percentile_is_that_of_the_sorted_list(latencies: list[int], percent: float) -> None:
    bins = np.zeros(BINS, np.int32)
    for latency_ns in latencies:
        count(bins, 0, latency_ns)
    rank = max(1, -(-len(latencies) * round(percent * 1000) // 100_000))
    assert bin_of(percentile_ns(bins, percent)) == bin_of(sorted(latencies)[rank - 1])


def test_nothing_counted_is_zero() -> None:
    assert percentile_ns(np.zeros(BINS, np.int32), 99) == 0


def test_each_flow_has_its_own_bins() -> None:
    bins = np.zeros(3 * BINS, np.int32)
    count(bins, 1, 70_000)
    assert np.flatnonzero(bins).tolist() == [BINS + bin_of(70_000)]


@pytest.mark.parametrize("latency_ns", [137 * NS_PER_S, 10**15, 2**62])
def test_the_longest_share_the_last_bin(latency_ns: int) -> None:
    assert bin_of(latency_ns) == BINS - 1 or latency_ns < 138 * NS_PER_S
