"""A TCP segment, and the words, clocks and numbers both ends share. Sequence numbers as in the header."""

from __future__ import annotations

from dataclasses import dataclass

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLOSED, SYN_SENT, SYN_RCVD, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSING, TIME_WAIT, CLOSE_WAIT, LAST_ACK = (
    "closed", "syn_sent", "syn_rcvd", "established", "fin_wait_1", "fin_wait_2", "closing", "time_wait",
    "close_wait", "last_ack",
)  # fmt: skip
RTO, DELACK, WAIT, BURST = range(4)
BULK, FED, DISCARD, ECHO = "bulk", "fed", "discard", "echo"

SECOND = 1_000_000_000
FIRST_RTO_NS, MIN_RTO_NS, MAX_RTO_NS, CLOCK_NS = SECOND, SECOND // 5, 60 * SECOND, 1_000_000
DELACK_NS, TIME_WAIT_NS = 40_000_000, 60 * SECOND
MOST_SYNS, MOST_SYN_ACKS, MOST_TIMEOUTS = 6, 5, 15
SEGMENTS_AT_ONCE, INTERVALS = 16, 64
OWN_WINDOW, WINDOW_SHIFT, UNSCALED_WINDOW = 6_291_456, 7, 65_535
TIMESTAMP_BYTES, LEAST_SMSS = 12, 36


def tick(now_ns: int) -> int:
    """The timestamps clock: 1,024 ns, 31 bits."""
    return now_ns // 1024 % 2**31


def unwrap(number: int, base: int, near: int) -> int:
    """The offset from `base` that a 32-bit number stands for: the one closest to `near`."""
    return near + (number - base - near + 2**31) % 2**32 - 2**31


@dataclass
class Segment:
    """As on the wire; `mss` 0: no such option. `sent_at` is what its timestamp tells."""

    seq: int
    ack: int
    flags: int
    length: int = 0
    window: int = 0
    ts_echo: int = 0
    sent_at: int = 0
    mss: int = 0


def merged(intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ascending, disjoint, apart from each other."""
    out: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def reset_for(segment: Segment, now: int) -> Segment:
    """What a closed port says to it (RFC 9293 section 3.10.7.1)."""
    if segment.flags & ACK:
        return Segment(segment.ack, 0, RST, sent_at=now)
    n = segment.length + bool(segment.flags & SYN) + bool(segment.flags & FIN)
    return Segment(0, (segment.seq + n) % 2**32, RST | ACK, sent_at=now)
