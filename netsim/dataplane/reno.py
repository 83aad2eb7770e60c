"""Congestion control "reno": RFC 5681 with appropriate byte counting (RFC 3465) and HyStart++ (RFC 9406).

HyStart++ works in the first slow start alone, that is while nothing was lost yet and ssthresh is
still `NO_THRESHOLD`.
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
    B_CC_6,
    B_CC_7,
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
INITIAL_SEGMENTS, INITIAL_BYTES = 10, 14_600  # RFC 6928
NEVER = ENDLESS

R_BYTES_ACKED, R_ROUND_END, R_LAST_MIN, R_CUR_MIN = B_CC_0, B_CC_1, B_CC_2, B_CC_3
R_SAMPLES, R_IN_CSS, R_CSS_BASE, R_CSS_ROUNDS = B_CC_4, B_CC_5, B_CC_6, B_CC_7

SAMPLES = 8
CSS_ROUNDS = 5
CSS_DIVISOR_BITS = 2
MIN_THRESH_NS, MAX_THRESH_NS = 4 * NS_PER_MS, 16 * NS_PER_MS


@kernel
def reno_open(tcb: Any, b: int) -> None:
    """The initial window."""
    smss = tcb[b + B_SMSS]
    tcb[b + B_CWND] = min(INITIAL_SEGMENTS * smss, max(2 * smss, INITIAL_BYTES))
    tcb[b + B_SSTHRESH] = NO_THRESHOLD
    tcb[b + R_BYTES_ACKED] = 0
    tcb[b + R_ROUND_END] = 0
    tcb[b + R_LAST_MIN] = NEVER
    tcb[b + R_CUR_MIN] = NEVER
    tcb[b + R_SAMPLES] = 0
    tcb[b + R_IN_CSS] = 0
    tcb[b + R_CSS_BASE] = NEVER
    tcb[b + R_CSS_ROUNDS] = 0


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
def reno_on_ack(tcb: Any, b: int, acked: int, flight: int, rtt_ns: int) -> None:
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
            hystart(tcb, b, rtt_ns)
    elif flight + 3 * smss > cwnd:
        counted = tcb[b + R_BYTES_ACKED] + acked
        while counted >= cwnd:
            counted -= cwnd
            cwnd = min(cwnd + smss, MAX_CWND)
        tcb[b + R_BYTES_ACKED] = counted
        tcb[b + B_CWND] = cwnd


@kernel(is_inline=False)
def hystart(tcb: Any, b: int, rtt_ns: int) -> None:
    """Leave the first slow start before it overflows the queue: when the least round trip grows (RFC 9406 4.2)."""
    if tcb[b + B_UNA] >= tcb[b + R_ROUND_END]:
        tcb[b + R_ROUND_END] = tcb[b + B_MAX_NXT]
        tcb[b + R_LAST_MIN] = tcb[b + R_CUR_MIN]
        tcb[b + R_CUR_MIN] = NEVER
        tcb[b + R_SAMPLES] = 0
        if tcb[b + R_IN_CSS]:
            tcb[b + R_CSS_ROUNDS] += 1
            if tcb[b + R_CSS_ROUNDS] == CSS_ROUNDS:
                tcb[b + B_SSTHRESH] = tcb[b + B_CWND]
                return
    if rtt_ns >= 0:
        tcb[b + R_CUR_MIN] = min(tcb[b + R_CUR_MIN], rtt_ns)
        tcb[b + R_SAMPLES] += 1
    if tcb[b + R_SAMPLES] < SAMPLES:
        return
    if tcb[b + R_IN_CSS]:
        if tcb[b + R_CUR_MIN] < tcb[b + R_CSS_BASE]:
            tcb[b + R_IN_CSS] = 0
            tcb[b + R_CSS_BASE] = NEVER
    elif tcb[b + R_LAST_MIN] != NEVER:
        thresh = min(max(tcb[b + R_LAST_MIN] >> 3, MIN_THRESH_NS), MAX_THRESH_NS)
        if tcb[b + R_CUR_MIN] >= tcb[b + R_LAST_MIN] + thresh:
            tcb[b + R_IN_CSS] = 1
            tcb[b + R_CSS_BASE] = tcb[b + R_CUR_MIN]
            tcb[b + R_CSS_ROUNDS] = 0
