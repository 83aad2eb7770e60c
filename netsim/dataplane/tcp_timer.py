"""Timers of TCP ends: each node keeps its ends in a heap by when the next of their timers is due.

Order: time, then TCB number; in one end retransmission, delayed acknowledgment, waiting, burst. What
arrives at an instant comes before timers that fire at it. The heap of node n lies in `timers` from
`V_TIMER_FIRST` on and is exact: an end whose timers change is moved at once.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.congestion import cc_on_timeout, cc_ssthresh
from netsim.dataplane.state import NODE_STATE_WORDS, V_TIMER_COUNT, V_TIMER_FIRST
from netsim.dataplane.tcb import (
    B_ACK_DUE,
    B_APP_LIMIT,
    B_BURST_AT,
    B_CWND,
    B_DELACK_AT,
    B_DUE,
    B_DUPACKS,
    B_MAX_NXT,
    B_NODE,
    B_NXT,
    B_RECOVER,
    B_RECOVERY,
    B_RTO_AT,
    B_SLOT,
    B_SMSS,
    B_SND_WND,
    B_SSTHRESH,
    B_STATE,
    B_TIMEOUT_COUNT,
    B_TIMEOUTS,
    B_TODO,
    B_UNA,
    B_WAIT_AT,
    DO_OUTPUT,
    DO_PROBE,
    DO_RESET,
    DO_SYN,
    MOST_SYN_ACKS,
    MOST_SYNS,
    MOST_TIMEOUTS,
    SYN_RCVD,
    SYN_SENT,
    TCB_WORDS,
    back_off,
    die,
)
from netsim.jit import kernel

NEVER = 1 << 62


@kernel(is_inline=False)
def fire(tcb: Any, b: int, now_ns: int) -> None:
    """The first of the end's timers that is due does its work."""
    if tcb[b + B_RTO_AT] == now_ns:
        _retransmission_timeout(tcb, b, now_ns)
    elif tcb[b + B_DELACK_AT] == now_ns:
        tcb[b + B_DELACK_AT] = -1
        tcb[b + B_ACK_DUE] = 1
    elif tcb[b + B_WAIT_AT] == now_ns:
        die(tcb, b, now_ns)
    else:
        tcb[b + B_BURST_AT] = -1
        tcb[b + B_TODO] = tcb[b + B_TODO] | DO_OUTPUT


@kernel
def _retransmission_timeout(tcb: Any, b: int, now_ns: int) -> None:
    """RFC 6298 section 5."""
    state = tcb[b + B_STATE]
    timeouts = tcb[b + B_TIMEOUTS]
    una = tcb[b + B_UNA]
    if state == SYN_SENT or state == SYN_RCVD:
        most = MOST_SYNS
        if state == SYN_RCVD:
            most = MOST_SYN_ACKS
        if timeouts >= most:
            die(tcb, b, now_ns)
            return
        tcb[b + B_TODO] = DO_SYN
        tcb[b + B_TIMEOUTS] = timeouts + 1
        tcb[b + B_TIMEOUT_COUNT] += 1
    elif una == tcb[b + B_MAX_NXT]:
        tcb[b + B_TODO] = DO_PROBE  # nothing is out: the peer's window is closed (RFC 9293 section 3.8.6.1)
    elif timeouts >= MOST_TIMEOUTS:
        die(tcb, b, now_ns)
        tcb[b + B_TODO] = DO_RESET
        return
    else:
        if timeouts == 0:
            ssthresh = cc_ssthresh(tcb, b, tcb[b + B_MAX_NXT] - una)
            if tcb[b + B_RECOVERY]:
                # The window of a recovery is inflated, and its loss has been answered already.
                ssthresh = min(ssthresh, tcb[b + B_SSTHRESH])
            tcb[b + B_SSTHRESH] = ssthresh
        tcb[b + B_TIMEOUTS] = timeouts + 1
        tcb[b + B_TIMEOUT_COUNT] += 1
        tcb[b + B_CWND] = tcb[b + B_SMSS]
        tcb[b + B_RECOVER] = tcb[b + B_MAX_NXT]
        tcb[b + B_RECOVERY] = 0
        tcb[b + B_DUPACKS] = 0
        tcb[b + B_NXT] = una
        cc_on_timeout(tcb, b)
        tcb[b + B_TODO] = DO_OUTPUT
        if tcb[b + B_SND_WND] == 0 and tcb[b + B_APP_LIMIT] > una:  # a FIN alone needs no window
            tcb[b + B_TODO] = DO_PROBE
    back_off(tcb, b, now_ns)


@kernel(is_inline=False)
def reschedule(tcb: Any, node: Any, timers: Any, t: int) -> None:
    """Put end `t` where its timers now belong in its node's heap."""
    b = t * TCB_WORDS
    due = NEVER
    for k in range(B_RTO_AT, B_BURST_AT + 1):
        at = tcb[b + k]
        if 0 <= at < due:
            due = at
    if due == tcb[b + B_DUE]:
        return
    v = tcb[b + B_NODE] * NODE_STATE_WORDS
    first = node[v + V_TIMER_FIRST]
    count = node[v + V_TIMER_COUNT]
    slot = tcb[b + B_SLOT]
    tcb[b + B_DUE] = due
    if due == NEVER:
        # Out of the heap; the last one takes the place.
        tcb[b + B_SLOT] = -1
        count -= 1
        node[v + V_TIMER_COUNT] = count
        if slot == count:
            return
        t = timers[first + count]
        b = t * TCB_WORDS
        due = tcb[b + B_DUE]
    elif slot < 0:
        slot = count
        count += 1
        node[v + V_TIMER_COUNT] = count
    while slot > 0:
        parent = (slot - 1) >> 1
        other = timers[first + parent]
        other_due = tcb[other * TCB_WORDS + B_DUE]
        if other_due < due or (other_due == due and other < t):
            break
        timers[first + slot] = other
        tcb[other * TCB_WORDS + B_SLOT] = slot
        slot = parent
    while True:
        child = 2 * slot + 1
        if child >= count:
            break
        other = timers[first + child]
        other_due = tcb[other * TCB_WORDS + B_DUE]
        if child + 1 < count:
            second = timers[first + child + 1]
            second_due = tcb[second * TCB_WORDS + B_DUE]
            if second_due < other_due or (second_due == other_due and second < other):
                child += 1
                other = second
                other_due = second_due
        if due < other_due or (due == other_due and t < other):
            break
        timers[first + slot] = other
        tcb[other * TCB_WORDS + B_SLOT] = slot
        slot = child
    timers[first + slot] = t
    tcb[b + B_SLOT] = slot


@kernel
def next_timer_ns(st: Any, n: int) -> int:
    """When the next timer of node `n` is due; NEVER if none is set."""
    v = n * NODE_STATE_WORDS
    if st.node[v + V_TIMER_COUNT] == 0:
        return NEVER
    return st.tcb[st.timers[st.node[v + V_TIMER_FIRST]] * TCB_WORDS + B_DUE]  # type: ignore[no-any-return]
