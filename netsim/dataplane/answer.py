"""What comes back: ICMP errors and the answers of hosts, as rows made from rows.

Nothing here sends; the window does. The made packet keeps the identity (flow, seq) of the one
that caused it and says in `role` what it is; its bytes are made when somebody looks.

ICMP errors follow RFC 1812 section 4.3: never about ICMP errors, about fragments other than the
first, or to a source that is not one host; 576 bytes at most in all.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.batch import (
    ACK,
    DF,
    ERROR,
    FIN,
    KEPT,
    MF,
    ORIGINAL,
    PROTO_ICMP,
    PROTO_TCP,
    PROTO_UDP,
    QUIET,
    REPLY,
    RST,
    SYN,
)
from netsim.dataplane.fib import N_SUBNET, N_SUBNET_COUNT, NODE_WORDS
from netsim.dataplane.hop import HOST_UNREACHABLE, MTU_EXCEEDED, NO_ROUTE, TTL_EXPIRED, is_unforwardable
from netsim.dataplane.row import (
    DST,
    FLAGS,
    FRAG,
    HEADER,
    INST,
    L4,
    N_FIELDS,
    PROTO,
    ROLE,
    SENT,
    SIZE,
    SRC,
    TCP_ACK,
    TCP_SEQ,
    TRANSITS,
    TS_ECHO,
    TTL,
    WINDOW,
)
from netsim.dataplane.tcp_numbers import M32
from netsim.jit import kernel

NO_ANSWER, ANSWER = range(2)
START_TTL = 64
PLAIN_HEADER_BYTES = 20
ICMP_HEADER_BYTES = 8
MAX_ERROR_BYTES = 576
MAX_QUOTE_BYTES = MAX_ERROR_BYTES - PLAIN_HEADER_BYTES - ICMP_HEADER_BYTES

ECHO_REPLY, UNREACHABLE, SOURCE_QUENCH, REDIRECT, ECHO_REQUEST, TIME_EXCEEDED, PARAMETER_PROBLEM = 0, 3, 4, 5, 8, 11, 12
PROTOCOL_UNREACHABLE, PORT_UNREACHABLE = 2, 3
TCP_RST_BYTES = 40


@kernel
def error_code(disposition: int) -> int:
    """type | code << 8 of the ICMP error that a drop sends, or -1; the kernels' copy of `FATES`."""
    if disposition == NO_ROUTE:
        return UNREACHABLE
    if disposition == HOST_UNREACHABLE:
        return UNREACHABLE | 1 << 8
    if disposition == MTU_EXCEEDED:
        return UNREACHABLE | 4 << 8
    if disposition == TTL_EXPIRED:
        return TIME_EXCEEDED
    return -1


@kernel
def may_cause_error(row: Any) -> bool:
    """Whether an ICMP error may answer this packet (RFC 1812 section 4.3.2.7)."""
    if row[ROLE] & ERROR or row[FRAG] > 0 or is_unforwardable(row[SRC]):
        return False
    if row[PROTO] == PROTO_ICMP:
        icmp_type = row[L4] & 0xFF
        if icmp_type == UNREACHABLE or icmp_type == SOURCE_QUENCH or icmp_type == REDIRECT:
            return False
        if icmp_type == TIME_EXCEEDED or icmp_type == PARAMETER_PROBLEM:
            return False
    return True


@kernel
def error_source(node: Any, subnet: Any, n: int, toward: int) -> int:
    """The address router `n` sends an error from: the first host of the subnet it is sent into,
    else of the VPC's first subnet; 0 when the VPC has none.
    """
    base = n * NODE_WORDS
    first = node[base + N_SUBNET]
    count = node[base + N_SUBNET_COUNT]
    if count == 0:
        return 0
    for i in range(first, first + count):
        if subnet[i * 2] <= toward <= subnet[i * 2 + 1]:
            return subnet[i * 2] + 1  # type: ignore[no-any-return]
    return subnet[first * 2] + 1  # type: ignore[no-any-return]


@kernel(is_inline=False)
def make_error(row: Any, other: Any, src: int, dst: int, type_and_code: int, mtu_bytes: int) -> None:
    """Write into `other` the ICMP error from `src` to `dst` about the packet in hand, as received."""
    for i in range(N_FIELDS):
        other[i] = row[i]
    quoted_mf = 0
    if row[FLAGS] & MF:
        quoted_mf = 1
    other[L4] = type_and_code | mtu_bytes << 16 | row[TTL] << 32 | row[SIZE] << 40 | quoted_mf << 56
    if row[PROTO] == PROTO_TCP:  # with the numbers, which stay, all there is to know of a segment nobody keeps
        other[L4] = other[L4] | (row[FLAGS] & DF) << 57 | (row[L4] >> 32 & 31) << 58
    other[SRC] = src
    other[DST] = dst
    other[SIZE] = PLAIN_HEADER_BYTES + ICMP_HEADER_BYTES + min(row[SIZE], MAX_QUOTE_BYTES)
    other[ROLE] = row[ROLE] | ERROR
    other[PROTO] = PROTO_ICMP
    _start(row, other)


@kernel(is_inline=False)
def make_answer(row: Any, other: Any, is_open: int, payload_bytes: int) -> int:
    """Write into `other` what a host says to the whole datagram in hand; NO_ANSWER when nothing.

    `payload_bytes` is what it carries above layer 4.

    Echo requests are echoed; closed UDP ports and unknown protocols get 3/3 and 3/2; closed TCP
    ports get RST, and so does what finds no end on an open one (`tcp_listen.py`). Answers are
    not answered, nor are QUIET packets, nor what comes from no single host (RFC 1122 section 3.2.2).
    """
    if row[ROLE] != ORIGINAL or row[FLAGS] & QUIET or is_unforwardable(row[SRC]):
        return NO_ANSWER
    proto = row[PROTO]
    l4 = row[L4]
    if proto == PROTO_UDP:
        if is_open:
            return NO_ANSWER
        make_error(row, other, row[DST], row[SRC], UNREACHABLE | PORT_UNREACHABLE << 8, 0)
        return ANSWER
    if proto != PROTO_ICMP and proto != PROTO_TCP:
        make_error(row, other, row[DST], row[SRC], UNREACHABLE | PROTOCOL_UNREACHABLE << 8, 0)
        return ANSWER
    for i in range(N_FIELDS):
        other[i] = row[i]
    other[SRC] = row[DST]
    other[DST] = row[SRC]
    other[ROLE] = REPLY
    if proto == PROTO_ICMP:
        if l4 & 0xFF != ECHO_REQUEST:
            return NO_ANSWER
        other[L4] = l4 >> 16 << 16 | ECHO_REPLY
        other[SIZE] = row[SIZE] - row[HEADER] + PLAIN_HEADER_BYTES
    else:
        tcp_flags = l4 >> 32 & 0xFF
        says = tcp_answer(tcp_flags)
        if says == 0:
            return NO_ANSWER
        other[L4] = l4 >> 16 & 0xFFFF | (l4 & 0xFFFF) << 16 | says << 32
        other[SIZE] = TCP_RST_BYTES
        number_answer(row, other, says, payload_bytes)
    _start(row, other)
    other[FLAGS] = other[FLAGS] & ~KEPT
    return ANSWER


@kernel(is_inline=False)
def number_answer(row: Any, other: Any, says: int, payload_bytes: int) -> None:
    """Sequence and acknowledgment number and window of the reset that answers the segment in hand."""
    tcp_flags = row[L4] >> 32 & 0xFF
    after = row[TCP_SEQ] + payload_bytes
    if tcp_flags & SYN:
        after += 1
    if tcp_flags & FIN:
        after += 1
    after = after & M32
    other[TCP_SEQ] = row[TCP_ACK]
    other[TCP_ACK] = 0
    other[WINDOW] = 0
    other[TS_ECHO] = 0
    if says & ACK:
        other[TCP_SEQ] = 0
        other[TCP_ACK] = after


@kernel
def tcp_answer(tcp_flags: int) -> int:
    """The flags of the segment that refuses one with these, 0 for none (RFC 9293 section 3.10.7.1)."""
    if tcp_flags & RST:
        return 0
    if tcp_flags & ACK:
        return RST
    return RST | ACK


@kernel
def _start(row: Any, other: Any) -> None:
    """The fields every made packet starts with; SENT stays the cause's, so that RTTs can be read off."""
    other[TTL] = START_TTL
    other[FLAGS] = row[FLAGS] & ~3
    other[FRAG] = 0
    other[HEADER] = PLAIN_HEADER_BYTES
    other[INST] = -1
    other[TRANSITS] = 0
    other[SENT] = row[SENT]
