"""The bandwidth cap: a token bucket in exact integers.

Tokens are counted in nanobits (bit x 10^-9): a rate of r bit/s earns exactly r nanobits per ns,
so refilling loses nothing to rounding, ever. A packet costs size x 8 x 10^9 nanobits.

In any window [a, a + t) the bucket lets at most rate x t + burst pass, and under load its
long-run rate is within one packet of exact: what is earned while a departure is rounded up to
a whole ns is kept. Source: RFC 2697 section 3 with EBS = 0.

Times are clamped before they are multiplied: a bucket is full after `fill_ns`, so a longer wait
earns no more, and rate x fill_ns stays below 2^63 (rate x ns passes int64 after 9.2 s of idle
at 1 Gbit/s).
"""

from __future__ import annotations

from typing import Any

from netsim.jit import kernel
from netsim.units import BITS_PER_BYTE, NS_PER_S

NANOBITS_PER_BYTE = BITS_PER_BYTE * NS_PER_S
MAX_BURST_BYTES = (2**63 - 1) // NANOBITS_PER_BYTE
"""About 1.15 GB: a full bucket stays below 2^63 nanobits."""

# A bucket is two words of state: tokens (nanobits) and the time they were counted.
B_TOKENS, B_FILLED_AT = range(2)


def fill_ns(rate_bps: int, burst_bytes: int) -> int:
    """How long an empty bucket takes to fill, rounded up."""
    return -(-burst_bytes * NANOBITS_PER_BYTE // rate_bps)


@kernel
def tokens_at(bucket: Any, b: int, now_ns: int, rate_bps: int, burst_nanobits: int, full_after_ns: int) -> int:
    """Nanobits in the bucket whose words start at `bucket[b]`, at `now_ns`, not before it was last filled."""
    elapsed_ns = now_ns - bucket[b + B_FILLED_AT]
    if elapsed_ns >= full_after_ns:
        return burst_nanobits
    earned = rate_bps * elapsed_ns
    # Compared before they are added: the sum of two nearly full buckets can pass 2^63.
    if earned >= burst_nanobits - bucket[b + B_TOKENS]:
        return burst_nanobits
    return bucket[b + B_TOKENS] + earned  # type: ignore[no-any-return]


@kernel
def take(
    bucket: Any, b: int, start_ns: int, size_bytes: int, rate_bps: int, burst_nanobits: int, full_after_ns: int
) -> int:
    """Send `size_bytes` as early as the bucket allows, from `start_ns` on; the departure time.

    The bucket must not have been filled later than `start_ns`. A packet larger than the burst
    would never conform: the caller keeps burst >= MTU.
    """
    tokens = tokens_at(bucket, b, start_ns, rate_bps, burst_nanobits, full_after_ns)
    cost = size_bytes * NANOBITS_PER_BYTE
    departs_ns = start_ns
    if tokens < cost:
        wait_ns = (cost - tokens + rate_bps - 1) // rate_bps
        tokens += wait_ns * rate_bps
        departs_ns += wait_ns
    bucket[b + B_TOKENS] = tokens - cost
    bucket[b + B_FILLED_AT] = departs_ns
    return departs_ns


@kernel
def conforms(
    bucket: Any, b: int, now_ns: int, size_bytes: int, rate_bps: int, burst_nanobits: int, full_after_ns: int
) -> bool:
    """Whether `size_bytes` may leave at once; takes the tokens if so."""
    tokens = tokens_at(bucket, b, now_ns, rate_bps, burst_nanobits, full_after_ns)
    cost = size_bytes * NANOBITS_PER_BYTE
    if tokens < cost:
        return False
    bucket[b + B_TOKENS] = tokens - cost
    bucket[b + B_FILLED_AT] = now_ns
    return True
