"""The transmission control block: all that one end of a TCP conversation knows, as words of one array.

Numbers of the stream are offsets: 0 is the SYN, 1 the first byte; on the wire stand `B_ISS` (own) and
`B_IRS` (the peer's) plus the offset, modulo 2^32. Times are packet times; -1: off, or not yet.

An event at an end - a segment, a timer, an application that opens, writes or closes - first changes
the block and writes down in `B_TODO` what is to be sent; then `tcp_output.py` sends it.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.tcp_numbers import TICK_BITS
from netsim.jit import kernel

(
    # who
    B_OWNER, B_NODE, B_LOCAL, B_REMOTE, B_LOCAL_PORT, B_REMOTE_PORT, B_FLOW, B_IS_OPENER, B_APP, B_STATE,
    B_IS_OF_FLOW, B_NEXT, B_SLOT, B_DUE,
    # numbers
    B_ISS, B_IRS, B_UNA, B_NXT, B_MAX_NXT, B_SND_WND, B_APP_LIMIT, B_CLOSING, B_RCV_NXT, B_LAST_ACK, B_PEER_FIN,
    B_HAS_PEER_FIN, B_CLOSES_FIRST, B_IN_BYTES,
    # sizes and clocks
    B_OWN_MSS, B_PEER_MSS, B_PATH_LIMIT, B_SMSS, B_HAS_OPTIONS, B_TS_RECENT, B_SRTT, B_RTTVAR, B_RTO, B_RTO_AT,
    B_DELACK_AT, B_WAIT_AT, B_BURST_AT,
    # loss recovery
    B_TIMEOUTS, B_DUPACKS, B_RECOVERY, B_RECOVER, B_HAD_PARTIAL, B_UNACKED,
    # congestion control: common words, then those of the algorithm
    B_CC, B_CWND, B_SSTHRESH, B_CC_0, B_CC_1, B_CC_2, B_CC_3, B_CC_4, B_CC_5, B_CC_6, B_CC_7, B_CC_8,
    B_CC_9, B_CC_10, B_CC_11, B_CC_12, B_CC_13, B_CC_14, B_CC_15, B_CC_16, B_CC_17,
    # what is to be sent, and the segment in the making
    B_TODO, B_ACK_DUE, B_BURST, B_OUT_AT, B_OUT_BYTES, B_OUT_FLAGS, B_MADE,
    # a conversation with somebody else's packets: what was last received, whose answers ours are
    B_CAUSE_SEQ, B_WATCH,
    # figures
    B_RETRANSMITS, B_TIMEOUT_COUNT, B_FAST_RECOVERIES, B_OPENED_AT, B_CLOSED_AT,
    # out-of-order data: count, then that many pairs (first, end), ascending and apart
    B_HELD,
) = range(83)  # fmt: skip
MOST_HELD = 64
TCB_WORDS = B_HELD + 1 + 2 * MOST_HELD

# states; the ones after the handshake follow from what was sent and received
CLOSED, LISTEN, SYN_SENT, SYN_RCVD, OPEN, TIME_WAIT = range(6)

# applications
BULK, FED, DISCARD, ECHO, HOST = range(1, 6)

# what is to be sent (`B_TODO`)
DO_SYN, DO_RETRANSMIT, DO_NEW, DO_PROBE, DO_OUTPUT, DO_RESET = 1, 2, 4, 8, 16, 32

ENDLESS = 1 << 62
OWN_WINDOW = 6_291_456
WINDOW_SHIFT = 7
MAX_WINDOW_FIELD = 65_535
PLAIN_BYTES = 40  # IP and TCP header
OPTION_BYTES = 12  # NOP, NOP, timestamps
SYN_OPTION_BYTES = 20  # MSS, NOP, window scale, NOP, NOP, timestamps
MSS_OPTION_BYTES = 4
DEFAULT_PEER_MSS = 536
MIN_SMSS = 36
BURST_SEGMENTS = 16
"""Segments of one event; what more may go leaves at the same instant, after the rings' events."""

NS_PER_MS = 1_000_000
FIRST_RTO_NS, MIN_RTO_NS, MAX_RTO_NS = 1_000 * NS_PER_MS, 200 * NS_PER_MS, 60_000 * NS_PER_MS
CLOCK_NS = NS_PER_MS
DELACK_NS = 40 * NS_PER_MS
TIME_WAIT_NS = 60_000 * NS_PER_MS
MOST_SYNS, MOST_SYN_ACKS, MOST_TIMEOUTS = 6, 5, 15


@kernel
def measure_mss(tcb: Any, b: int) -> None:
    """How much one segment may hold: what the peer takes, what the end was told, what the path carries."""
    smss = min(tcb[b + B_PEER_MSS], tcb[b + B_OWN_MSS])
    smss = min(smss, tcb[b + B_PATH_LIMIT] - PLAIN_BYTES)
    if tcb[b + B_HAS_OPTIONS]:
        smss -= OPTION_BYTES
    tcb[b + B_SMSS] = max(smss, MIN_SMSS)


@kernel
def sample_rtt(tcb: Any, b: int, ticks: int) -> int:
    """Take a round trip of so many ticks into the retransmission timer (RFC 6298 section 2); it in ns."""
    rtt_ns = ticks << TICK_BITS
    srtt = tcb[b + B_SRTT]
    rttvar = tcb[b + B_RTTVAR]
    if srtt < 0:
        srtt = rtt_ns
        rttvar = rtt_ns >> 1
    else:
        error = rtt_ns - srtt
        srtt += error >> 3
        if error < 0:
            error = -error
        rttvar += (error - rttvar) >> 2
    tcb[b + B_SRTT] = srtt
    tcb[b + B_RTTVAR] = rttvar
    tcb[b + B_RTO] = min(max(srtt + max(CLOCK_NS, 4 * rttvar), MIN_RTO_NS), MAX_RTO_NS)
    return rtt_ns


@kernel
def back_off(tcb: Any, b: int, now_ns: int) -> None:
    """Double the retransmission timer and start it."""
    tcb[b + B_RTO] = min(2 * tcb[b + B_RTO], MAX_RTO_NS)
    tcb[b + B_RTO_AT] = now_ns + tcb[b + B_RTO]


@kernel
def die(tcb: Any, b: int, now_ns: int) -> None:
    """The conversation is over; nothing more is sent, a reset apart."""
    tcb[b + B_STATE] = CLOSED
    tcb[b + B_TODO] = 0
    tcb[b + B_ACK_DUE] = 0
    tcb[b + B_RTO_AT] = -1
    tcb[b + B_DELACK_AT] = -1
    tcb[b + B_WAIT_AT] = -1
    tcb[b + B_BURST_AT] = -1
    if tcb[b + B_CLOSED_AT] < 0:
        tcb[b + B_CLOSED_AT] = now_ns


@kernel
def start(tcb: Any, b: int) -> None:
    """The words every conversation starts with; who it is, its sizes and its application are set already."""
    for k in range(B_IRS, B_OWN_MSS):
        tcb[b + k] = 0
    tcb[b + B_APP_LIMIT] = 1
    tcb[b + B_PEER_FIN] = -1
    for k in range(B_TS_RECENT, B_CC):
        tcb[b + k] = 0
    tcb[b + B_SRTT] = -1
    tcb[b + B_RTO] = FIRST_RTO_NS
    tcb[b + B_RTO_AT] = -1
    tcb[b + B_DELACK_AT] = -1
    tcb[b + B_WAIT_AT] = -1
    tcb[b + B_BURST_AT] = -1
    for k in range(B_CWND, B_CAUSE_SEQ):
        tcb[b + k] = 0
    for k in range(B_RETRANSMITS, B_HELD + 1):
        tcb[b + k] = 0
    tcb[b + B_OPENED_AT] = -1
    tcb[b + B_CLOSED_AT] = -1
    measure_mss(tcb, b)
