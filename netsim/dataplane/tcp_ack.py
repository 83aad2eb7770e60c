"""What an acknowledgment does to the sender: RFC 5681, NewReno (RFC 6582), limited transmit (RFC 3042)."""

from __future__ import annotations

from typing import Any

from netsim.dataplane.congestion import cc_on_ack, cc_ssthresh, initial_window
from netsim.dataplane.row import TCP_ACK, TS_ECHO, WINDOW
from netsim.dataplane.tcb import (
    B_ACK_DUE,
    B_CWND,
    B_DUPACKS,
    B_FAST_RECOVERIES,
    B_HAD_PARTIAL,
    B_HAS_OPTIONS,
    B_ISS,
    B_MAX_NXT,
    B_NXT,
    B_RECOVER,
    B_RECOVERY,
    B_RTO,
    B_RTO_AT,
    B_SMSS,
    B_SND_WND,
    B_SSTHRESH,
    B_TIMEOUTS,
    B_TODO,
    B_UNA,
    DO_NEW,
    DO_RETRANSMIT,
    WINDOW_SHIFT,
    sample_rtt,
)
from netsim.dataplane.tcp_numbers import M31, tick, unwrapped
from netsim.jit import kernel

DUPACKS = 3


@kernel
def window_of(tcb: Any, b: int, row: Any) -> int:
    """The bytes the peer offers in a segment that is no SYN."""
    if tcb[b + B_HAS_OPTIONS]:
        return row[WINDOW] << WINDOW_SHIFT  # type: ignore[no-any-return]
    return row[WINDOW]  # type: ignore[no-any-return]


@kernel
def rtt_of(tcb: Any, b: int, row: Any, now_ns: int) -> int:
    """Sample the round trip the segment's timestamp echo tells; ns, or -1 without options."""
    if tcb[b + B_HAS_OPTIONS] == 0:
        return -1
    return sample_rtt(tcb, b, (tick(now_ns) - row[TS_ECHO]) & M31)


@kernel(is_inline=False)
def ack_arrives(tcb: Any, b: int, row: Any, length: int, now_ns: int) -> bool:
    """The ACK field of an acceptable segment, after the handshake; False: look at nothing more of it.

    `length` is what it occupies in the number space, FIN included.
    """
    una = tcb[b + B_UNA]
    max_nxt = tcb[b + B_MAX_NXT]
    ack = unwrapped(row[TCP_ACK] - tcb[b + B_ISS], una)
    if ack > max_nxt:
        tcb[b + B_ACK_DUE] = 1
        return False
    if ack < una:
        return True
    before = tcb[b + B_SND_WND]
    window = window_of(tcb, b, row)
    tcb[b + B_SND_WND] = window
    if ack > una:
        _advance(tcb, b, ack, rtt_of(tcb, b, row, now_ns), now_ns)
    elif length == 0 and window == before and max_nxt > una:
        _duplicate(tcb, b, now_ns)
    if before == 0 and window > 0:
        tcb[b + B_NXT] = tcb[b + B_UNA]  # what probed the closed window may have been thrown away
    return True


@kernel
def _advance(tcb: Any, b: int, ack: int, rtt_ns: int, now_ns: int) -> None:
    """New data is acknowledged."""
    una = tcb[b + B_UNA]
    acked = ack - una
    flight = tcb[b + B_NXT] - una
    tcb[b + B_UNA] = ack
    passes = tcb[b + B_NXT] < ack
    if passes:
        tcb[b + B_NXT] = ack
    tcb[b + B_TIMEOUTS] = 0
    tcb[b + B_DUPACKS] = 0
    restarts_timer = True
    if tcb[b + B_RECOVERY] == 0:
        cc_on_ack(tcb, b, acked, flight, now_ns, rtt_ns)
        if passes:
            # After a timeout: the peer had the rest, and nothing is in flight. No burst of a whole window then,
            # but what a start from idle may send (RFC 5681 section 4.1).
            tcb[b + B_CWND] = min(tcb[b + B_CWND], initial_window(tcb[b + B_SMSS]))
    else:
        smss = tcb[b + B_SMSS]
        if ack >= tcb[b + B_RECOVER]:
            tcb[b + B_CWND] = min(tcb[b + B_SSTHRESH], max(tcb[b + B_NXT] - ack, smss) + smss)
            tcb[b + B_RECOVERY] = 0
        else:
            # A partial acknowledgment: the segment behind it is lost too.
            tcb[b + B_TODO] = tcb[b + B_TODO] | DO_RETRANSMIT
            cwnd = max(smss, tcb[b + B_CWND] - acked)
            if acked >= smss:
                cwnd += smss
            tcb[b + B_CWND] = cwnd
            restarts_timer = tcb[b + B_HAD_PARTIAL] == 0  # RFC 6582 section 4: the impatient variant
            tcb[b + B_HAD_PARTIAL] = 1
    if ack == tcb[b + B_MAX_NXT]:
        tcb[b + B_RTO_AT] = -1
    elif restarts_timer:
        tcb[b + B_RTO_AT] = now_ns + tcb[b + B_RTO]


@kernel
def _duplicate(tcb: Any, b: int, now_ns: int) -> None:
    """Something arrived at the peer, but not what it waits for."""
    tcb[b + B_DUPACKS] += 1
    smss = tcb[b + B_SMSS]
    if tcb[b + B_RECOVERY]:
        tcb[b + B_CWND] += smss
    elif tcb[b + B_DUPACKS] == DUPACKS and tcb[b + B_UNA] > tcb[b + B_RECOVER]:
        tcb[b + B_SSTHRESH] = cc_ssthresh(tcb, b, tcb[b + B_MAX_NXT] - tcb[b + B_UNA])
        tcb[b + B_RECOVER] = tcb[b + B_MAX_NXT]
        tcb[b + B_RECOVERY] = 1
        tcb[b + B_HAD_PARTIAL] = 0
        tcb[b + B_FAST_RECOVERIES] += 1
        tcb[b + B_TODO] = tcb[b + B_TODO] | DO_RETRANSMIT
        tcb[b + B_CWND] = tcb[b + B_SSTHRESH] + DUPACKS * smss
        tcb[b + B_RTO_AT] = now_ns + tcb[b + B_RTO]
    elif tcb[b + B_DUPACKS] < DUPACKS:
        tcb[b + B_TODO] = tcb[b + B_TODO] | DO_NEW
