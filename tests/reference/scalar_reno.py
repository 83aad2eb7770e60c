"""Congestion control "reno" the obvious way: RFC 5681's windows, a delay-based way out of the first slow start."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST = 2**30
"""No window is larger; and the slow start threshold of a sender that has lost nothing yet."""
FOREVER = 2**62
MIN_THRESH_NS, MAX_THRESH_NS = 4_000_000, 16_000_000
BLOCK, CSS_ROUNDS, CSS_DIVISOR = 5, 5, 4


def first_window(smss: int) -> int:
    """What may be sent before anything is known of the path (RFC 6928 section 2)."""
    return min(10 * smss, max(2 * smss, 14_600))


@dataclass
class ScalarReno:
    """Bytes and nanoseconds. `smss` follows the connection's.

    The first slow start watches the least round trip of each 5 samples. Once it is an eighth above the least ever
    seen, growth slows down to a quarter ("conservative slow start", the phase of RFC 9406); if it still is a round
    later, or after five rounds, slow start is over.
    """

    smss: int
    ssthresh: int = MOST
    bytes_acked: int = 0
    base_rtt_ns: int = FOREVER
    block: list[int] = field(default_factory=list)
    css_round: int = 0
    round_end: int = 0

    def __post_init__(self) -> None:
        self.cwnd = first_window(self.smss)

    def halve(self, flight: int) -> None:
        """A loss was seen with so much outstanding (RFC 5681 equation 4)."""
        self.ssthresh = max(flight // 2, 2 * self.smss)

    def on_timeout(self) -> None:
        """The window starts anew."""
        self.bytes_acked = 0
        self.css_round = 0

    def on_ack(self, acked: int, flight_before: int, una: int, max_nxt: int, rtt_ns: int) -> None:
        """New data was acknowledged outside recovery. `rtt_ns` -1: no sample."""
        if self.cwnd < self.ssthresh:
            is_first_slow_start = self.ssthresh == MOST
            if self.cwnd < 2 * flight_before:
                increase = min(acked, 2 * self.smss)  # RFC 3465 with L = 2
                is_slow = self.css_round > 0 and is_first_slow_start
                self.cwnd += max(1, increase // CSS_DIVISOR) if is_slow else increase
            if is_first_slow_start and rtt_ns >= 0:
                self.watch_delay(una, max_nxt, rtt_ns)
        elif flight_before + 3 * self.smss > self.cwnd:
            self.bytes_acked += acked
            while self.bytes_acked >= self.cwnd:
                self.bytes_acked -= self.cwnd
                self.cwnd += self.smss
        self.cwnd = min(self.cwnd, MOST)

    def watch_delay(self, una: int, max_nxt: int, rtt_ns: int) -> None:
        """One more sample of the first slow start."""
        self.base_rtt_ns = min(self.base_rtt_ns, rtt_ns)
        self.block.append(rtt_ns)
        if self.css_round and una >= self.round_end:
            self.css_round += 1
            self.round_end = max_nxt
            if self.css_round > CSS_ROUNDS:
                self.ssthresh = self.cwnd
                return
        if len(self.block) < BLOCK:
            return
        thresh_ns = min(max(self.base_rtt_ns // 8, MIN_THRESH_NS), MAX_THRESH_NS)
        if min(self.block) >= self.base_rtt_ns + thresh_ns:
            if self.css_round == 0:
                self.css_round, self.round_end = 1, max_nxt
            elif self.css_round > 1:
                self.ssthresh = self.cwnd
        self.block.clear()
