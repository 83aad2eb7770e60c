"""Conversions at the border: to the nearest integer, exact where people write decimals."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.units import MAX_TIME_NS, NS_PER_DAY, NS_PER_S, mbps_to_bps, ms_to_ns, s_to_ns


@given(st.integers(0, 10**15 - 1))
def test_seconds_with_six_decimals_are_exact(micros: int) -> None:
    """10^9 s and a float lies up to 60 ns beside the decimal that was written."""
    assert s_to_ns(float(f"{micros // 10**6}.{micros % 10**6:06d}")) == micros * 1000


@pytest.mark.parametrize(
    ("seconds", "ns"),
    [(0, 0), (10**9, 10**18), (0.1, 10**8), (999_999_999.000001, 999_999_999_000_001_000), (-0.5, -(5 * 10**8))],
)
def test_seconds_to_ns(seconds: float, ns: int) -> None:
    assert s_to_ns(seconds) == ns
    assert type(s_to_ns(seconds)) is int


@given(st.floats(0, 10**6))
def test_what_has_more_decimals_is_rounded_to_the_nearest(value: float) -> None:
    assert abs(Fraction(ms_to_ns(value)) - Fraction(value) * 10**6) <= Fraction(1, 2) + Fraction(value) * 10**6 / 2**52
    assert abs(Fraction(mbps_to_bps(value)) - Fraction(value) * 10**6) <= Fraction(1, 2) + Fraction(value) / 2**32


def test_megabits_are_decimal() -> None:
    assert (mbps_to_bps(100), mbps_to_bps(0.000001), mbps_to_bps(94.2)) == (100_000_000, 1, 94_200_000)
    assert (ms_to_ns(0.05), ms_to_ns(30)) == (50_000, 30_000_000)


def test_two_longest_times_add_up_within_64_bits() -> None:
    assert 2 * MAX_TIME_NS < 2**63
    assert MAX_TIME_NS > 26 * 365 * NS_PER_DAY
    assert NS_PER_DAY == 86_400 * NS_PER_S
