"""Congestion control "reno" the obvious way: RFC 5681's windows, RFC 9406's way out of the first slow start."""

from __future__ import annotations

from dataclasses import dataclass

MOST = 2**30
"""No window is larger; and the slow start threshold of a sender that has lost nothing yet."""
FOREVER = 2**62
MIN_THRESH_NS, MAX_THRESH_NS = 4_000_000, 16_000_000
ENOUGH_SAMPLES, CSS_ROUNDS, CSS_DIVISOR = 8, 5, 4


@dataclass
class ScalarReno:
    """Bytes and nanoseconds. `smss` follows the connection's."""

    smss: int
    ssthresh: int = MOST
    bytes_acked: int = 0
    round_end: int = 0
    last_min_ns: int = FOREVER
    cur_min_ns: int = FOREVER
    samples: int = 0
    in_css: bool = False
    css_base_ns: int = FOREVER
    css_rounds: int = 0

    def __post_init__(self) -> None:
        self.cwnd = min(10 * self.smss, max(2 * self.smss, 14_600))  # RFC 6928

    def halve(self, flight: int) -> None:
        """A loss was seen with so much outstanding (RFC 5681 equation 4)."""
        self.ssthresh = max(flight // 2, 2 * self.smss)

    def on_timeout(self) -> None:
        """The window starts anew; HyStart++ is for the first slow start only."""
        self.bytes_acked = 0
        self.in_css = False

    def on_ack(self, acked: int, flight_before: int, una: int, max_nxt: int, rtt_ns: int) -> None:
        """New data was acknowledged outside recovery. `rtt_ns` -1: no sample."""
        if self.cwnd < self.ssthresh:
            is_first_slow_start = self.ssthresh == MOST
            if self.cwnd < 2 * flight_before:
                increase = min(acked, 2 * self.smss)  # RFC 3465 with L = 2
                is_slow = self.in_css and is_first_slow_start
                self.cwnd += max(1, increase // CSS_DIVISOR) if is_slow else increase
            if is_first_slow_start:
                self.hystart(una, max_nxt, rtt_ns)
        elif flight_before + 3 * self.smss > self.cwnd:
            self.bytes_acked += acked
            while self.bytes_acked >= self.cwnd:
                self.bytes_acked -= self.cwnd
                self.cwnd += self.smss
        self.cwnd = min(self.cwnd, MOST)

    def hystart(self, una: int, max_nxt: int, rtt_ns: int) -> None:
        """RFC 9406 section 4.2."""
        if una >= self.round_end:
            self.round_end = max_nxt
            self.last_min_ns, self.cur_min_ns, self.samples = self.cur_min_ns, FOREVER, 0
            if self.in_css:
                self.css_rounds += 1
                if self.css_rounds == CSS_ROUNDS:
                    self.ssthresh = self.cwnd
                    return
        if rtt_ns >= 0:
            self.cur_min_ns = min(self.cur_min_ns, rtt_ns)
            self.samples += 1
        if self.samples < ENOUGH_SAMPLES:
            return
        if self.in_css:
            if self.cur_min_ns < self.css_base_ns:
                self.in_css, self.css_base_ns = False, FOREVER
        elif self.last_min_ns != FOREVER:
            thresh_ns = min(max(self.last_min_ns // 8, MIN_THRESH_NS), MAX_THRESH_NS)
            if self.cur_min_ns >= self.last_min_ns + thresh_ns:
                self.in_css, self.css_base_ns, self.css_rounds = True, self.cur_min_ns, 0
