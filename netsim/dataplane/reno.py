"""Congestion control "reno": RFC 5681 with appropriate byte counting (RFC 3465, L = 2), and a careful first slow start.

Without SACK, what the first slow start overshoots by costs a round trip per lost segment, so it is
left before that, in the manner of HyStart++ (RFC 9406): when round trips grow by an eighth (4 ms at
least, 16 at most) the window grows at a quarter of the speed - conservative slow start - and
when they still do one round later, or after five rounds, slow start is over. Unlike there, "grow" is
asked of every five samples, not once in a round: with a queue of one bandwidth-delay product the
least round trip of a round comes one round too late. All this only while nothing was lost yet and
ssthresh is still `NO_THRESHOLD`.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.tcb import (
    B_CC_0,
    B_CC_1,
    B_CC_2,
    B_CC_3,
    B_CC_4,
    B_CC_5,
    B_CWND,
    B_MAX_NXT,
    B_SMSS,
    B_SSTHRESH,
    B_UNA,
    ENDLESS,
    NS_PER_MS,
)
from netsim.jit import kernel

NO_THRESHOLD = 1 << 30
MAX_CWND = 1 << 30
NEVER = ENDLESS

R_BYTES_ACKED, R_BASE_RTT, R_SAMPLES, R_BLOCK_MIN = B_CC_0, B_CC_1, B_CC_2, B_CC_3
R_IN_CSS, R_ROUND_END = B_CC_4, B_CC_5

SAMPLES = 5
CSS_ROUNDS = 5
CSS_DIVISOR_BITS = 2
MIN_THRESH_NS, MAX_THRESH_NS = 4 * NS_PER_MS, 16 * NS_PER_MS


@kernel
def reno_open(tcb: Any, b: int) -> None:
    """Nothing is known of the path yet."""
    tcb[b + B_SSTHRESH] = NO_THRESHOLD
    tcb[b + R_BYTES_ACKED] = 0
    tcb[b + R_BASE_RTT] = NEVER
    tcb[b + R_SAMPLES] = 0
    tcb[b + R_BLOCK_MIN] = NEVER
    tcb[b + R_IN_CSS] = 0
    tcb[b + R_ROUND_END] = 0


@kernel
def reno_ssthresh(tcb: Any, b: int, flight: int) -> int:
    """RFC 5681 equation 4."""
    return max(flight >> 1, 2 * tcb[b + B_SMSS])  # type: ignore[no-any-return]


@kernel
def reno_on_timeout(tcb: Any, b: int) -> None:
    """The window starts anew."""
    tcb[b + R_BYTES_ACKED] = 0
    tcb[b + R_IN_CSS] = 0


@kernel
def reno_on_ack(tcb: Any, b: int, acked: int, flight: int, _now_ns: int, rtt_ns: int) -> None:
    """Slow start or congestion avoidance, as long as the window is what limits the sender."""
    cwnd = tcb[b + B_CWND]
    smss = tcb[b + B_SMSS]
    if cwnd < tcb[b + B_SSTHRESH]:
        is_first = tcb[b + B_SSTHRESH] == NO_THRESHOLD
        if cwnd < 2 * flight:
            increase = min(acked, 2 * smss)
            if is_first and tcb[b + R_IN_CSS]:
                increase = max(increase >> CSS_DIVISOR_BITS, 1)
            tcb[b + B_CWND] = min(cwnd + increase, MAX_CWND)
        if is_first:
            watch_delay(tcb, b, rtt_ns)
    elif flight + 3 * smss > cwnd:
        counted = tcb[b + R_BYTES_ACKED] + acked
        while counted >= cwnd:
            counted -= cwnd
            cwnd = min(cwnd + smss, MAX_CWND)
        tcb[b + R_BYTES_ACKED] = counted
        tcb[b + B_CWND] = cwnd


@kernel(is_inline=False)
def watch_delay(tcb: Any, b: int, rtt_ns: int) -> None:
    """Slow down, then leave the first slow start as a queue builds up; `rtt_ns` is a sample or -1."""
    if rtt_ns < 0:
        return
    tcb[b + R_BASE_RTT] = min(tcb[b + R_BASE_RTT], rtt_ns)
    tcb[b + R_BLOCK_MIN] = min(tcb[b + R_BLOCK_MIN], rtt_ns)
    tcb[b + R_SAMPLES] += 1
    if tcb[b + R_IN_CSS] and tcb[b + B_UNA] >= tcb[b + R_ROUND_END]:
        tcb[b + R_IN_CSS] += 1
        tcb[b + R_ROUND_END] = tcb[b + B_MAX_NXT]
        if tcb[b + R_IN_CSS] > CSS_ROUNDS:
            tcb[b + B_SSTHRESH] = tcb[b + B_CWND]
            return
    if tcb[b + R_SAMPLES] < SAMPLES:
        return
    base = tcb[b + R_BASE_RTT]
    if tcb[b + R_BLOCK_MIN] >= base + min(max(base >> 3, MIN_THRESH_NS), MAX_THRESH_NS):
        if tcb[b + R_IN_CSS] == 0:
            tcb[b + R_IN_CSS] = 1
            tcb[b + R_ROUND_END] = tcb[b + B_MAX_NXT]
        elif tcb[b + R_IN_CSS] > 1:
            tcb[b + B_SSTHRESH] = tcb[b + B_CWND]
    tcb[b + R_SAMPLES] = 0
    tcb[b + R_BLOCK_MIN] = NEVER
