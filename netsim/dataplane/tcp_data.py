"""Data that arrives at an end: in order it goes to the application, out of order it is remembered."""

from __future__ import annotations

from typing import Any

from netsim.dataplane.tcb import (
    B_ACK_DUE,
    B_APP,
    B_APP_LIMIT,
    B_CLOSING,
    B_DELACK_AT,
    B_HAS_PEER_FIN,
    B_HELD,
    B_IN_BYTES,
    B_PEER_FIN,
    B_RCV_NXT,
    B_UNACKED,
    BULK,
    DELACK_NS,
    ECHO,
    FED,
    MOST_HELD,
)
from netsim.jit import kernel

SEGMENTS_PER_ACK = 2


@kernel(is_inline=False)
def data_arrives(tcb: Any, b: int, s: int, e: int, has_fin: int, now_ns: int) -> None:
    """Text and FIN at the offsets [s, e) of an acceptable segment; the FIN, if any, is the last of them."""
    if e == s:
        return
    if tcb[b + B_HAS_PEER_FIN]:
        tcb[b + B_ACK_DUE] = 1
        return
    before = tcb[b + B_RCV_NXT]
    if s > before:
        tcb[b + B_ACK_DUE] = 1
        if hold(tcb, b, s, e) and has_fin:
            tcb[b + B_PEER_FIN] = e - 1
        return
    if has_fin:
        tcb[b + B_PEER_FIN] = e - 1
    had_gap = tcb[b + B_HELD] > 0
    now_at = e
    if had_gap:
        now_at = take_held(tcb, b, e)
    got = now_at - before
    fin_at = tcb[b + B_PEER_FIN]
    if 0 <= fin_at < now_at:
        got -= 1
        tcb[b + B_HAS_PEER_FIN] = 1
        tcb[b + B_ACK_DUE] = 1
        if tcb[b + B_APP] != BULK and tcb[b + B_APP] != FED:
            tcb[b + B_CLOSING] = 1
    tcb[b + B_RCV_NXT] = now_at
    tcb[b + B_IN_BYTES] += got
    if tcb[b + B_APP] == ECHO:
        tcb[b + B_APP_LIMIT] += got
    if had_gap:
        tcb[b + B_ACK_DUE] = 1
    elif tcb[b + B_ACK_DUE] == 0:
        tcb[b + B_UNACKED] += 1
        if tcb[b + B_UNACKED] >= SEGMENTS_PER_ACK:
            tcb[b + B_ACK_DUE] = 1
        elif tcb[b + B_DELACK_AT] < 0:
            tcb[b + B_DELACK_AT] = now_ns + DELACK_NS


@kernel
def take_held(tcb: Any, b: int, reached: int) -> int:
    """The offset that is reached with what was remembered; what it passes is forgotten."""
    h = b + B_HELD
    count = tcb[h]
    passed = 0
    while passed < count and tcb[h + 1 + 2 * passed] <= reached:
        reached = max(reached, tcb[h + 2 + 2 * passed])
        passed += 1
    if passed > 0:
        for k in range(1, 2 * (count - passed) + 1):
            tcb[h + k] = tcb[h + k + 2 * passed]
        tcb[h] = count - passed
    return reached


@kernel(is_inline=False)
def hold(tcb: Any, b: int, s: int, e: int) -> bool:
    """Remember [s, e), joined with what it touches; False if there is no room for one interval more."""
    h = b + B_HELD
    count = tcb[h]
    first = 0
    while first < count and tcb[h + 2 + 2 * first] < s:
        first += 1
    last = first
    while last < count and tcb[h + 1 + 2 * last] <= e:
        s = min(s, tcb[h + 1 + 2 * last])
        e = max(e, tcb[h + 2 + 2 * last])
        last += 1
    if last == first:
        if count == MOST_HELD:
            return False
        for k in range(2 * count, 2 * first, -1):
            tcb[h + k + 2] = tcb[h + k]
        tcb[h] = count + 1
    elif last > first + 1:
        gone = 2 * (last - first - 1)
        for k in range(2 * first + 3, 2 * count + 1 - gone):
            tcb[h + k] = tcb[h + k + gone]
        tcb[h] = count - gone // 2
    tcb[h + 1 + 2 * first] = s
    tcb[h + 2 + 2 * first] = e
    return True
