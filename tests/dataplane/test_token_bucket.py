from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.controlplane.peer_conn import MAX_BUFFER_BYTES
from netsim.dataplane.token_bucket import (
    B_FILLED_AT,
    B_TOKENS,
    MAX_BURST_BYTES,
    NANOBITS_PER_BYTE,
    conforms,
    fill_ns,
    take,
    tokens_at,
)  # fmt: skip
from netsim.units import NS_PER_DAY, NS_PER_S
from tests.reference.exact_token_bucket import ExactTokenBucket

RATES = st.one_of(st.integers(1, 1000).map(lambda mbps: mbps * 1_000_000), st.integers(1, 2 * 10**9))
BURSTS = st.one_of(st.integers(100, 5000), st.integers(100, MAX_BUFFER_BYTES))
Offers = list[tuple[int, int]]
OFFERS = st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(20, 100)), min_size=1, max_size=30)


class Bucket:
    """The kernels over a memoryview, which refuses what does not fit 64 bits."""

    def __init__(self, rate_bps: int, burst_bytes: int) -> None:
        self.cap = rate_bps, burst_bytes * NANOBITS_PER_BYTE, fill_ns(rate_bps, burst_bytes)
        self.words = memoryview(array("q", [burst_bytes * NANOBITS_PER_BYTE, 0]))

    def take(self, now_ns: int, size_bytes: int) -> int:
        return take(self.words, 0, max(now_ns, self.words[B_FILLED_AT]), size_bytes, *self.cap)

    def conforms(self, now_ns: int, size_bytes: int) -> bool:
        return conforms(self.words, 0, now_ns, size_bytes, *self.cap)

    def tokens(self, now_ns: int) -> int:
        return tokens_at(self.words, 0, now_ns, *self.cap)


@given(RATES, BURSTS, OFFERS)
def test_departures_equal_those_of_rational_numbers(rate_bps: int, burst_bytes: int, offers: Offers) -> None:
    bucket, exact, now_ns = Bucket(rate_bps, burst_bytes), ExactTokenBucket(rate_bps, burst_bytes), 0
    for gap_ns, size_bytes in offers:
        now_ns += gap_ns
        assert bucket.take(now_ns, size_bytes) == exact.send(now_ns, size_bytes)
        assert bucket.words[B_TOKENS] == exact.bits * NS_PER_S


@given(RATES, BURSTS, OFFERS)
def test_policing_equals_that_of_rational_numbers(rate_bps: int, burst_bytes: int, offers: Offers) -> None:
    bucket, exact, now_ns = Bucket(rate_bps, burst_bytes), ExactTokenBucket(rate_bps, burst_bytes), 0
    for gap_ns, size_bytes in offers:
        now_ns += gap_ns
        fits = exact.departure_ns(now_ns, size_bytes) == now_ns
        if fits:
            exact.send(now_ns, size_bytes)
        assert bucket.conforms(now_ns, size_bytes) is fits


def test_a_packet_goes_the_moment_its_last_bit_is_earned_and_not_before() -> None:
    bucket = Bucket(3_000_000, 100)
    assert bucket.take(0, 100) == 0
    assert bucket.take(0, 100) == 266_667  # 800 bits at 3 Mbit/s: 266,666 and two thirds ns
    assert bucket.take(0, 100) == 533_334
    assert bucket.take(0, 100) == 800_000  # the fraction is kept: no drift


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    bucket = Bucket(1_000_000_000, 3000)
    assert bucket.tokens(10_000 * NS_PER_DAY) == 3000 * NANOBITS_PER_BYTE


@pytest.mark.parametrize("burst_bytes", [MAX_BUFFER_BYTES, MAX_BURST_BYTES])
def test_the_largest_burst_stays_below_64_bits(burst_bytes: int) -> None:
    """Tokens and refill, each nearly a full bucket, must not be added: that passes 2^63."""
    assert burst_bytes <= MAX_BURST_BYTES
    bucket = Bucket(1_000_000_000, burst_bytes)
    bucket.take(0, 1500)
    late_ns = bucket.cap[2] - 1
    words = np.array(bucket.words, np.int64)
    with np.errstate(over="raise"):
        scalars: Any = [np.int64(value) for value in (late_ns, *bucket.cap)]
        tokens = tokens_at(words, 0, *scalars)
    assert tokens == burst_bytes * NANOBITS_PER_BYTE


def test_a_burst_that_shrank_holds_no_more_than_its_new_size() -> None:
    bucket = Bucket(1_000_000, 10_000)
    bucket.cap = 1_000_000, 2000 * NANOBITS_PER_BYTE, fill_ns(1_000_000, 2000)
    assert bucket.tokens(0) == 2000 * NANOBITS_PER_BYTE


def test_a_packet_larger_than_the_burst_never_conforms() -> None:
    assert not Bucket(1_000_000_000, 1000).conforms(NS_PER_DAY, 1001)


@given(RATES, st.integers(1, MAX_BURST_BYTES))
def test_filling_takes_as_long_as_the_rate_says(rate_bps: int, burst_bytes: int) -> None:
    """Rounded up, and no product below it passes 2^63."""
    took_ns = fill_ns(rate_bps, burst_bytes)
    assert (took_ns - 1) * rate_bps < burst_bytes * NANOBITS_PER_BYTE <= took_ns * rate_bps
    assert (took_ns - 1) * rate_bps < 2**63
