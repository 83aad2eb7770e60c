"""A token bucket with rational numbers: nothing is rounded but a departure, up to the next nanosecond."""

from __future__ import annotations

import math
from fractions import Fraction


class ExactTokenBucket:
    """`bits` at `since_ns`; earns rate_bps, holds burst_bytes at most, starts full."""

    def __init__(self, rate_bps: int, burst_bytes: int, since_ns: int = 0) -> None:
        self.per_ns = Fraction(rate_bps, 10**9)
        self.burst_bits = Fraction(8 * burst_bytes)
        self.bits = self.burst_bits
        self.since_ns = since_ns

    def bits_at(self, now_ns: int) -> Fraction:
        """What it holds at a moment, not before the last departure."""
        return min(self.burst_bits, self.bits + self.per_ns * (now_ns - self.since_ns))

    def reshape(self, now_ns: int, rate_bps: int, burst_bytes: int) -> None:
        """From now on (or from the last departure, if that lies ahead) another rate and burst."""
        settled_ns = max(now_ns, self.since_ns)
        self.bits, self.since_ns = self.bits_at(settled_ns), settled_ns
        self.per_ns, self.burst_bits = Fraction(rate_bps, 10**9), Fraction(8 * burst_bytes)
        self.bits = min(self.bits, self.burst_bits)

    def departure_ns(self, now_ns: int, size_bytes: int) -> int:
        """When so many bytes may leave that were offered now, behind all that left before."""
        start_ns = max(now_ns, self.since_ns)
        missing = 8 * size_bytes - self.bits_at(start_ns)
        return start_ns + max(0, math.ceil(missing / self.per_ns))

    def send(self, now_ns: int, size_bytes: int) -> int:
        """Let them leave then. What is earned while that moment is rounded up is kept, so that rates don't drift."""
        start_ns, departure_ns = max(now_ns, self.since_ns), self.departure_ns(now_ns, size_bytes)
        self.bits = self.bits_at(start_ns) + self.per_ns * (departure_ns - start_ns) - 8 * size_bytes
        self.since_ns = departure_ns
        return departure_ns
