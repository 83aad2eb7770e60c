"""A segment arrives at an end: RFC 9293 section 3.10.7, in its order.

Only the block changes here; what is to be sent because of it is in `B_TODO` and `B_ACK_DUE`.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.batch import ACK, FIN, ORIGINAL, RST, SYN, WATCH
from netsim.dataplane.congestion import cc_open
from netsim.dataplane.row import FLAGS, FLOW, L4, ROLE, SENT, SEQ, TCP_ACK, TCP_SEQ, WINDOW
from netsim.dataplane.tcb import (
    B_ACK_DUE,
    B_APP_LIMIT,
    B_CAUSE_SEQ,
    B_CLOSED_AT,
    B_CLOSES_FIRST,
    B_CLOSING,
    B_CWND,
    B_DELACK_AT,
    B_FLOW,
    B_HAS_PEER_FIN,
    B_IRS,
    B_IS_OF_FLOW,
    B_ISS,
    B_LAST_ACK,
    B_MAX_NXT,
    B_NXT,
    B_OPENED_AT,
    B_PATH_LIMIT,
    B_RCV_NXT,
    B_RTO,
    B_RTO_AT,
    B_SMSS,
    B_SND_WND,
    B_STATE,
    B_TIMEOUTS,
    B_TODO,
    B_TS_RECENT,
    B_UNA,
    B_WAIT_AT,
    B_WATCH,
    CLOSED,
    DO_OUTPUT,
    DO_SYN,
    LISTEN,
    OPEN,
    OWN_WINDOW,
    SYN_RCVD,
    SYN_SENT,
    TIME_WAIT,
    TIME_WAIT_NS,
    die,
    measure_mss,
)
from netsim.dataplane.tcp_ack import ack_arrives, rtt_of, window_of
from netsim.dataplane.tcp_data import data_arrives
from netsim.dataplane.tcp_numbers import tick, unwrapped
from netsim.jit import kernel

TAKEN, REFUSED = range(2)
MIN_PATH_LIMIT = 68
"""RFC 791: what every path carries."""


@kernel(is_inline=False)
def segment_arrives(tcb: Any, b: int, row: Any, payload_bytes: int, now_ns: int) -> int:
    """TAKEN, or REFUSED: answer it as a closed port does."""
    tcp_flags = row[L4] >> 32 & 0xFF
    state = tcb[b + B_STATE]
    if tcb[b + B_IS_OF_FLOW] == 0 and row[ROLE] == ORIGINAL:
        tcb[b + B_FLOW] = row[FLOW]
        tcb[b + B_CAUSE_SEQ] = row[SEQ]
        tcb[b + B_WATCH] = row[FLAGS] & WATCH
    if state == LISTEN:
        accept(tcb, b, row)
        return TAKEN
    if state == SYN_SENT:
        return _in_syn_sent(tcb, b, row, tcp_flags, now_ns)
    rcv_nxt = tcb[b + B_RCV_NXT]
    s = unwrapped(row[TCP_SEQ] - tcb[b + B_IRS], rcv_nxt)
    if state == SYN_RCVD and tcp_flags & (SYN | ACK | RST) == SYN and s == 0:
        tcb[b + B_TS_RECENT] = tick(row[SENT])
        tcb[b + B_TODO] = DO_SYN
        tcb[b + B_RTO_AT] = now_ns + tcb[b + B_RTO]
        return TAKEN
    has_fin = 0
    if tcp_flags & FIN:
        has_fin = 1
    length = payload_bytes + has_fin
    e = s + length
    if tcp_flags & SYN:
        e += 1
    reaches = e
    if e == s:
        reaches = s + 1
    if s >= rcv_nxt + OWN_WINDOW or reaches <= rcv_nxt:
        if tcp_flags & RST == 0:
            tcb[b + B_ACK_DUE] = 1
            if state == TIME_WAIT and has_fin:
                tcb[b + B_WAIT_AT] = now_ns + TIME_WAIT_NS
        return TAKEN
    if s <= tcb[b + B_LAST_ACK]:
        tcb[b + B_TS_RECENT] = tick(row[SENT])
    if tcp_flags & RST:
        die(tcb, b, now_ns)
        return TAKEN
    if tcp_flags & SYN:
        tcb[b + B_ACK_DUE] = 1
        return TAKEN
    if tcp_flags & ACK == 0:
        return TAKEN
    if state == SYN_RCVD:
        ack = unwrapped(row[TCP_ACK] - tcb[b + B_ISS], tcb[b + B_UNA])
        if ack < 1 or ack > tcb[b + B_MAX_NXT]:
            return REFUSED
        tcb[b + B_SND_WND] = window_of(tcb, b, row)
        _establish(tcb, b, row, now_ns)
    elif not ack_arrives(tcb, b, row, length, now_ns):
        return TAKEN
    data_arrives(tcb, b, s, e, has_fin, now_ns)
    tcb[b + B_TODO] = tcb[b + B_TODO] | DO_OUTPUT
    _finish(tcb, b, now_ns)
    return TAKEN


@kernel
def accept(tcb: Any, b: int, row: Any) -> None:
    """A SYN comes to a listening end."""
    tcb[b + B_STATE] = SYN_RCVD
    tcb[b + B_IRS] = row[TCP_SEQ]
    tcb[b + B_RCV_NXT] = 1
    tcb[b + B_TS_RECENT] = tick(row[SENT])
    tcb[b + B_SND_WND] = row[WINDOW]
    tcb[b + B_TODO] = DO_SYN


@kernel
def _in_syn_sent(tcb: Any, b: int, row: Any, tcp_flags: int, now_ns: int) -> int:
    """RFC 9293 section 3.10.7.3; simultaneous open is refused."""
    if tcp_flags & ACK:
        ack = unwrapped(row[TCP_ACK] - tcb[b + B_ISS], tcb[b + B_UNA])
        if ack < 1 or ack > tcb[b + B_MAX_NXT]:
            return REFUSED
        if tcp_flags & RST:
            die(tcb, b, now_ns)
        elif tcp_flags & SYN:
            tcb[b + B_IRS] = row[TCP_SEQ]
            tcb[b + B_RCV_NXT] = 1
            tcb[b + B_TS_RECENT] = tick(row[SENT])
            tcb[b + B_SND_WND] = row[WINDOW]
            tcb[b + B_ACK_DUE] = 1
            _establish(tcb, b, row, now_ns)
            tcb[b + B_TODO] = DO_OUTPUT
        return TAKEN
    if tcp_flags & SYN and tcp_flags & RST == 0:
        return REFUSED
    return TAKEN


@kernel
def _establish(tcb: Any, b: int, row: Any, now_ns: int) -> None:
    """The handshake is done as far as this end is concerned; its SYN is acknowledged."""
    tcb[b + B_STATE] = OPEN
    tcb[b + B_UNA] = 1
    tcb[b + B_RTO_AT] = -1
    tcb[b + B_OPENED_AT] = now_ns
    rtt_of(tcb, b, row, now_ns)
    measure_mss(tcb, b)
    cc_open(tcb, b)
    tcb[b + B_TIMEOUTS] = 0


@kernel
def _finish(tcb: Any, b: int, now_ns: int) -> None:
    """Once both sides have said all and know it, the one that closed first lingers, the other is done."""
    if tcb[b + B_HAS_PEER_FIN] == 0 or tcb[b + B_CLOSING] == 0 or tcb[b + B_STATE] != OPEN:
        return
    if tcb[b + B_UNA] != tcb[b + B_APP_LIMIT] + 1:
        return
    if tcb[b + B_CLOSES_FIRST] == 0:
        die(tcb, b, now_ns)
        return
    tcb[b + B_STATE] = TIME_WAIT
    tcb[b + B_TODO] = 0
    tcb[b + B_RTO_AT] = -1
    tcb[b + B_DELACK_AT] = -1
    tcb[b + B_WAIT_AT] = now_ns + TIME_WAIT_NS
    tcb[b + B_CLOSED_AT] = now_ns


@kernel
def owns_number(tcb: Any, b: int, seq: int) -> bool:
    """Whether the header field is that of something this end sent and the peer has not acknowledged."""
    una = tcb[b + B_UNA]
    return una <= unwrapped(seq - tcb[b + B_ISS], una) < tcb[b + B_MAX_NXT]  # type: ignore[no-any-return]


@kernel(is_inline=False)
def too_big(tcb: Any, b: int, seq: int, mtu_bytes: int) -> None:
    """ICMP 3/4 about the segment with this header field (RFC 1191): smaller ones from here on, from `una` on."""
    state = tcb[b + B_STATE]
    limit = max(mtu_bytes, MIN_PATH_LIMIT)
    if state == CLOSED or state == LISTEN or state == TIME_WAIT or limit >= tcb[b + B_PATH_LIMIT]:
        return
    if not owns_number(tcb, b, seq):
        return
    tcb[b + B_PATH_LIMIT] = limit
    if state == OPEN:
        measure_mss(tcb, b)
        tcb[b + B_CWND] = max(tcb[b + B_CWND], 2 * tcb[b + B_SMSS])
        tcb[b + B_NXT] = tcb[b + B_UNA]
        tcb[b + B_TODO] = DO_OUTPUT
