"""Which segment an end sends next, and the segment as a row.

`next_segment` is asked until it says no. The order: SYN, the retransmission at `una`, the one new
segment of limited transmit, a window probe, what the windows let go, a pure acknowledgment if one is
due and nothing went out, a reset. Each segment carries the newest acknowledgment.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.batch import ACK, DF, FIN, ORIGINAL, PROTO_TCP, PSH, REPLY, RST, SYN
from netsim.dataplane.row import (
    DST,
    FLAGS,
    FLOW,
    FRAG,
    HEADER,
    IDENT,
    INST,
    L4,
    PROTO,
    ROLE,
    SENT,
    SEQ,
    SIZE,
    SRC,
    TCP_ACK,
    TCP_SEQ,
    TRANSITS,
    TS_ECHO,
    TTL,
    WINDOW,
)
from netsim.dataplane.tcb import (
    B_ACK_DUE,
    B_APP_LIMIT,
    B_BURST,
    B_BURST_AT,
    B_CAUSE_SEQ,
    B_CLOSES_FIRST,
    B_CLOSING,
    B_CWND,
    B_DELACK_AT,
    B_FLOW,
    B_HAS_OPTIONS,
    B_HAS_PEER_FIN,
    B_IRS,
    B_IS_OF_FLOW,
    B_IS_OPENER,
    B_ISS,
    B_LAST_ACK,
    B_LOCAL,
    B_LOCAL_PORT,
    B_MADE,
    B_MAX_NXT,
    B_NXT,
    B_OUT_AT,
    B_OUT_BYTES,
    B_OUT_FLAGS,
    B_RCV_NXT,
    B_REMOTE,
    B_REMOTE_PORT,
    B_RETRANSMITS,
    B_RTO,
    B_RTO_AT,
    B_SMSS,
    B_SND_WND,
    B_STATE,
    B_TODO,
    B_TS_RECENT,
    B_UNA,
    B_UNACKED,
    B_WATCH,
    BURST_SEGMENTS,
    DO_NEW,
    DO_OUTPUT,
    DO_PROBE,
    DO_RESET,
    DO_RETRANSMIT,
    DO_SYN,
    MAX_WINDOW_FIELD,
    MSS_OPTION_BYTES,
    OPEN,
    OPTION_BYTES,
    OWN_WINDOW,
    PLAIN_BYTES,
    SYN_OPTION_BYTES,
    WINDOW_SHIFT,
)
from netsim.dataplane.tcp_numbers import M32
from netsim.jit import kernel

START_TTL = 64
IP_HEADER_BYTES = 20


@kernel(is_inline=False)
def next_segment(tcb: Any, b: int, now_ns: int) -> bool:
    """Decide the next segment (`B_OUT_AT`, `B_OUT_BYTES`, `B_OUT_FLAGS`) and count it as sent; False: nothing more."""
    todo = tcb[b + B_TODO]
    una = tcb[b + B_UNA]
    nxt = tcb[b + B_NXT]
    if todo & DO_SYN:
        tcb[b + B_TODO] = todo & ~DO_SYN
        tcp_flags = SYN
        if tcb[b + B_IS_OPENER] == 0:
            tcp_flags = SYN | ACK
        _set(tcb, b, 0, 0, tcp_flags, now_ns)
        return True
    if tcb[b + B_STATE] == OPEN:
        if todo & DO_RETRANSMIT:
            todo = todo & ~DO_RETRANSMIT
            tcb[b + B_TODO] = todo
            limit = min(tcb[b + B_APP_LIMIT], tcb[b + B_MAX_NXT])
            _set_data(tcb, b, una, min(tcb[b + B_SMSS], limit - una), tcb[b + B_MAX_NXT] > limit, now_ns)
            return True
        if todo & DO_NEW:
            todo = todo & ~DO_NEW
            tcb[b + B_TODO] = todo
            length = _limited_transmit(tcb, b)
            if length > 0:
                _set_data(tcb, b, nxt, length, tcb[b + B_CLOSING] != 0, now_ns)
                return True
        if todo & DO_PROBE:
            todo = todo & ~DO_PROBE
            tcb[b + B_TODO] = todo
            if tcb[b + B_APP_LIMIT] > una:
                _set_data(tcb, b, una, 1, tcb[b + B_CLOSING] != 0, now_ns)
                return True
        if todo & DO_OUTPUT:
            length = _output_bytes(tcb, b)
            if length >= 0:
                if tcb[b + B_BURST] < BURST_SEGMENTS:
                    tcb[b + B_BURST] += 1
                    _set_data(tcb, b, nxt, length, tcb[b + B_CLOSING] != 0, now_ns)
                    return True
                tcb[b + B_BURST_AT] = now_ns
            elif nxt == una and tcb[b + B_SND_WND] == 0 and tcb[b + B_APP_LIMIT] > nxt and tcb[b + B_RTO_AT] < 0:
                tcb[b + B_RTO_AT] = now_ns + tcb[b + B_RTO]
            tcb[b + B_TODO] = todo & ~DO_OUTPUT
    tcb[b + B_BURST] = 0
    if tcb[b + B_ACK_DUE]:
        _set(tcb, b, tcb[b + B_MAX_NXT], 0, ACK, now_ns)
        return True
    if tcb[b + B_TODO] & DO_RESET:
        tcb[b + B_TODO] = 0
        _set(tcb, b, tcb[b + B_MAX_NXT], 0, RST | ACK, now_ns)
        return True
    tcb[b + B_TODO] = 0
    return False


@kernel
def _output_bytes(tcb: Any, b: int) -> int:
    """Bytes of the segment that may go at `nxt` (0: a FIN alone), -1 for none."""
    flight = tcb[b + B_NXT] - tcb[b + B_UNA]
    window = min(tcb[b + B_CWND], tcb[b + B_SND_WND])
    smss = tcb[b + B_SMSS]
    available = tcb[b + B_APP_LIMIT] - tcb[b + B_NXT]
    length = min(available, window - flight)
    if length >= smss:
        return smss  # type: ignore[no-any-return]
    if length > 0 and (length == available or flight == 0):
        return length  # type: ignore[no-any-return]
    if available == 0 and tcb[b + B_CLOSING] and (flight < window or flight == 0):
        return 0
    return -1


@kernel
def _limited_transmit(tcb: Any, b: int) -> int:
    """Bytes of the new segment a duplicate acknowledgment lets go (RFC 3042), 0 for none."""
    flight = tcb[b + B_NXT] - tcb[b + B_UNA]
    smss = tcb[b + B_SMSS]
    if tcb[b + B_NXT] != tcb[b + B_MAX_NXT] or flight >= min(tcb[b + B_CWND] + 2 * smss, tcb[b + B_SND_WND]):
        return 0
    available = tcb[b + B_APP_LIMIT] - tcb[b + B_NXT]
    length = min(smss, available, tcb[b + B_SND_WND] - flight)
    if length == smss or length == available:
        return length  # type: ignore[no-any-return]
    return 0


@kernel
def _set_data(tcb: Any, b: int, at: int, length: int, may_fin: bool, now_ns: int) -> None:
    """A segment with data at an offset; the FIN goes with what reaches the end of a stream that is closed."""
    tcp_flags = ACK
    if at + length == tcb[b + B_APP_LIMIT]:
        if length > 0:
            tcp_flags = tcp_flags | PSH
        if may_fin:
            tcp_flags = tcp_flags | FIN
            if tcb[b + B_HAS_PEER_FIN] == 0:
                tcb[b + B_CLOSES_FIRST] = 1
    _set(tcb, b, at, length, tcp_flags, now_ns)


@kernel(is_inline=False)
def _set(tcb: Any, b: int, at: int, length: int, tcp_flags: int, now_ns: int) -> None:
    """Write the segment down, and what its sending means for the end."""
    end = at + length
    if tcp_flags & (SYN | FIN):
        end += 1
    if end > at:
        if at < tcb[b + B_MAX_NXT]:
            tcb[b + B_RETRANSMITS] += 1
        if end > tcb[b + B_NXT]:
            tcb[b + B_NXT] = end
        if end > tcb[b + B_MAX_NXT]:
            tcb[b + B_MAX_NXT] = end
        if tcb[b + B_RTO_AT] < 0:
            tcb[b + B_RTO_AT] = now_ns + tcb[b + B_RTO]
    tcb[b + B_OUT_AT] = at
    tcb[b + B_OUT_BYTES] = length
    tcb[b + B_OUT_FLAGS] = tcp_flags
    tcb[b + B_ACK_DUE] = 0
    tcb[b + B_DELACK_AT] = -1
    tcb[b + B_UNACKED] = 0


@kernel(is_inline=False)
def make_segment(tcb: Any, b: int, row: Any, now_ns: int) -> None:
    """The segment that `next_segment` decided on, as a row."""
    tcp_flags = tcb[b + B_OUT_FLAGS]
    has_options = tcb[b + B_HAS_OPTIONS]
    size = PLAIN_BYTES + tcb[b + B_OUT_BYTES]
    window = MAX_WINDOW_FIELD
    if tcp_flags & RST:
        window = 0
    elif tcp_flags & SYN:
        size += MSS_OPTION_BYTES
        if has_options:
            size += SYN_OPTION_BYTES - MSS_OPTION_BYTES
    elif has_options:
        size += OPTION_BYTES
        window = OWN_WINDOW >> WINDOW_SHIFT
    row[SRC] = tcb[b + B_LOCAL]
    row[DST] = tcb[b + B_REMOTE]
    row[SENT] = now_ns
    row[L4] = tcb[b + B_LOCAL_PORT] | tcb[b + B_REMOTE_PORT] << 16 | tcp_flags << 32
    row[SIZE] = size
    row[FLOW] = tcb[b + B_FLOW]
    row[FRAG] = 0
    row[IDENT] = tcb[b + B_MADE] & 0xFFFF
    row[INST] = -1
    row[TTL] = START_TTL
    row[PROTO] = PROTO_TCP
    row[FLAGS] = DF | tcb[b + B_WATCH]
    row[ROLE] = REPLY
    if tcb[b + B_IS_OPENER]:
        row[ROLE] = ORIGINAL
    row[SEQ] = tcb[b + B_CAUSE_SEQ]
    if tcb[b + B_IS_OF_FLOW]:
        row[SEQ] = tcb[b + B_MADE]
    row[TRANSITS] = 0
    row[HEADER] = IP_HEADER_BYTES
    row[TCP_SEQ] = tcb[b + B_ISS] + tcb[b + B_OUT_AT] & M32
    row[TCP_ACK] = 0
    row[TS_ECHO] = 0
    row[WINDOW] = window
    if tcp_flags & ACK:
        row[TCP_ACK] = tcb[b + B_IRS] + tcb[b + B_RCV_NXT] & M32
        tcb[b + B_LAST_ACK] = tcb[b + B_RCV_NXT]
        if has_options and tcp_flags & RST == 0:
            row[TS_ECHO] = tcb[b + B_TS_RECENT]
    tcb[b + B_MADE] += 1
