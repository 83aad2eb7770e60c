"""A packet is delivered to an instance: counted, put together, given to whom it is for, answered.

A TCP segment goes to the end whose four-tuple it has; a SYN that belongs to nobody's to the listener
of its port; whatever finds no one is answered as a closed port does.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.answer import NO_ANSWER, PORT_UNREACHABLE, PROTOCOL_UNREACHABLE, UNREACHABLE, make_answer
from netsim.dataplane.batch import ACK, ERROR, FIN, MF, ORIGINAL, PROTO_TCP, QUIET, REPLY, RST, SYN
from netsim.dataplane.endpoint import (
    DELIVERED,
    begin,
    end,
    has_port,
    is_listening,
    measure_datagram,
    measure_packet,
    note_made,
    payload_as_sent,
    payload_of_whole,
    transmit,
)
from netsim.dataplane.fib import ECHO_PROTO, I_PORT_COUNT, INST_WORDS
from netsim.dataplane.hop import is_edge, is_unforwardable
from netsim.dataplane.host_call import DNS_PORT, is_resolver
from netsim.dataplane.reassembly import gather
from netsim.dataplane.row import AT, DST, FLAGS, FLOW, FRAG, L4, PROTO, ROLE, SIZE, SRC, TCP_SEQ
from netsim.dataplane.state import (
    C_HOST_BYTES,
    C_HOST_CALLS,
    C_HOST_NODE,
    C_HOST_OFFSET,
    C_HOST_TCB,
    F_DST_INST,
    F_TCB,
    FLOW_WORDS,
    INST_STATE_WORDS,
    M_RECEIVED_BYTES,
    MEASURE_WORDS,
    NODE_STATE_WORDS,
    V_END,
    X_RX_PACKETS,
    X_TAP,
)
from netsim.dataplane.tcb import (
    B_BURST_AT,
    B_FLOW,
    B_IN_BYTES,
    B_LOCAL,
    B_LOCAL_PORT,
    B_NEXT,
    B_OWNER,
    B_REMOTE,
    B_REMOTE_PORT,
    B_STATE,
    CLOSED,
    DISCARD,
    ECHO,
    HOST,
    LISTEN,
    OPTION_BYTES,
    PLAIN_BYTES,
    SYN_SENT,
    TCB_WORDS,
    die,
)
from netsim.dataplane.tcp import act
from netsim.dataplane.tcp_input import REFUSED, owns_number, segment_arrives, too_big
from netsim.dataplane.tcp_listen import NOBODY, first_end, take_end
from netsim.dataplane.tcp_numbers import M32
from netsim.dataplane.tcp_timer import reschedule
from netsim.dataplane.trace import TAP_RECEIVED, record
from netsim.jit import kernel

MTU_EXCEEDED_ERROR = UNREACHABLE | 4 << 8


@kernel
def receive(fib: Any, st: Any, n: int, i: int, now_ns: int) -> None:
    """Instance `i` gets the packet in hand."""
    row = st.hand
    end(st, row, n, DELIVERED, i, now_ns)
    x = i * INST_STATE_WORDS
    st.inst[x + X_RX_PACKETS] += 1
    if st.inst[x + X_TAP]:
        record(st.journal, st.journal_used, row, now_ns, TAP_RECEIVED, i, 0, 0)
    is_of_tcp_flow = st.flow[row[FLOW] * FLOW_WORDS + F_TCB] > 0
    if not is_of_tcp_flow:
        measure_packet(st, row, i)
    if row[FRAG] > 0 or row[FLAGS] & MF:
        if not gather(st.slots_inst, i, row, now_ns):
            return
        payload_bytes = payload_of_whole(row)
    else:
        payload_bytes = payload_as_sent(st, row)
    if not is_of_tcp_flow:
        measure_datagram(st, row, i, payload_bytes, now_ns)
    if row[PROTO] == PROTO_TCP or row[ROLE] & ERROR:
        receive_tcp(fib, st, n, i, payload_bytes, now_ns)
    elif not is_edge(fib, n, row[SRC]):
        says = make_answer(row, st.other, is_listening(fib, i, row), payload_bytes)
        if says != NO_ANSWER:
            begin(st, n, 1)
            st.other[AT] = now_ns
            note_made(st, n, i, now_ns)
            transmit(fib, st, st.other, n, i, now_ns)


@kernel(is_inline=False)
def receive_tcp(fib: Any, st: Any, n: int, i: int, payload_bytes: int, now_ns: int) -> None:
    """A TCP segment, or an ICMP error about any packet, for instance `i`."""
    row = st.hand
    if row[ROLE] & ERROR:
        if st.flow[row[FLOW] * FLOW_WORDS + F_TCB] > 0:
            measure_datagram(st, row, i, 0, now_ns)
        t = end_of_error(st, i, row)
        if t >= 0:
            error_arrives(st, t, row, now_ns)
            act(fib, st, t, now_ns)
        return
    if st.flow[row[FLOW] * FLOW_WORDS + F_TCB] > 0:
        measure_segment(st, row, i, now_ns)
    if row[FLAGS] & QUIET or is_unforwardable(row[SRC]) or is_edge(fib, n, row[SRC]):
        return
    t = find_end(st, i, row)
    if t >= 0:
        says = segment_arrives(st.tcb, t * TCB_WORDS, row, segment_payload(st, row, payload_bytes), now_ns)
        act(fib, st, t, now_ns)
        if says != REFUSED:
            return
    elif may_open(fib, st, i, row):
        app = DISCARD
        if has_port(fib, i, ECHO_PROTO << 16 | row[L4] >> 16 & 0xFFFF):
            app = ECHO
        t = take_end(st, n, i, app, row, now_ns)
        if t >= 0:
            segment_arrives(st.tcb, t * TCB_WORDS, row, 0, now_ns)
            act(fib, st, t, now_ns)
        return
    if make_answer(row, st.other, 0, segment_payload(st, row, payload_bytes)) != NO_ANSWER:
        begin(st, n, 1)
        st.other[AT] = now_ns
        note_made(st, n, i, now_ns)
        transmit(fib, st, st.other, n, i, now_ns)


@kernel
def may_open(fib: Any, st: Any, i: int, row: Any) -> bool:
    """Whether the packet in hand is a SYN with which somebody may open a conversation at instance `i`."""
    if row[PROTO] != PROTO_TCP or row[ROLE] != ORIGINAL or row[L4] >> 32 & (SYN | ACK | RST) != SYN:
        return False
    if row[FLAGS] & QUIET or st.flow[row[FLOW] * FLOW_WORDS + F_TCB] > 0:
        return False
    return is_listening(fib, i, row) != 0


@kernel
def may_need_end(fib: Any, st: Any, i: int, row: Any) -> bool:
    """Whether the packet in hand may open a conversation: it is such a SYN, or a piece of what may be one."""
    if row[FRAG] > 0 or row[FLAGS] & MF:
        return row[PROTO] == PROTO_TCP and fib.inst[i * INST_WORDS + I_PORT_COUNT] > 0  # type: ignore[no-any-return]
    return may_open(fib, st, i, row)


@kernel
def segment_payload(st: Any, row: Any, payload_bytes: int) -> int:
    """Bytes of text in a segment: somebody's packet was measured, an end's says it by its size."""
    is_of_tcp_flow = st.flow[row[FLOW] * FLOW_WORDS + F_TCB] > 0
    if row[ROLE] == ORIGINAL and not is_of_tcp_flow:
        return payload_bytes
    if row[L4] >> 32 & (SYN | RST):
        return 0
    overhead = PLAIN_BYTES
    if is_of_tcp_flow:
        overhead += OPTION_BYTES
    return max(row[SIZE] - overhead, 0)  # type: ignore[no-any-return]


@kernel
def measure_segment(st: Any, row: Any, i: int, now_ns: int) -> None:
    """Figures of a generated flow: its segments with text, SYN or FIN that reached the acceptor."""
    flow = row[FLOW]
    if row[ROLE] != ORIGINAL or st.flow[flow * FLOW_WORDS + F_DST_INST] != i:
        return
    if row[L4] >> 32 & (SYN | FIN) or segment_payload(st, row, 0) > 0:
        st.measure[flow * MEASURE_WORDS + M_RECEIVED_BYTES] += row[SIZE]
        measure_datagram(st, row, i, 0, now_ns)


@kernel
def is_end_of(tcb: Any, t: int, i: int, row: Any) -> bool:
    """Whether end `t` is owner `i`'s and takes the segment in hand."""
    b = t * TCB_WORDS
    if tcb[b + B_OWNER] != i or tcb[b + B_LOCAL] != row[DST] or tcb[b + B_REMOTE] != row[SRC]:
        return False
    l4 = row[L4]
    if l4 & M32 != tcb[b + B_REMOTE_PORT] | tcb[b + B_LOCAL_PORT] << 16 or tcb[b + B_STATE] == CLOSED:
        return False
    return tcb[b + B_STATE] != LISTEN or l4 >> 32 & (SYN | ACK | RST) == SYN  # type: ignore[no-any-return]


@kernel
def find_end(st: Any, i: int, row: Any) -> int:
    """The end of owner `i` that the segment in hand is for, NOBODY if none."""
    own = st.flow[row[FLOW] * FLOW_WORDS + F_TCB] - 1
    if own >= 0:
        if row[ROLE] == ORIGINAL:
            own += 1
        if is_end_of(st.tcb, own, i, row):
            return own  # type: ignore[no-any-return]
    if row[ROLE] != ORIGINAL:
        # What an end sent is no news to a port's: a SYN from the port's own address would talk to itself for ever.
        return NOBODY
    t = first_end(st, i)
    while t >= 0:
        if is_end_of(st.tcb, t, i, row):
            return t
        t = st.tcb[t * TCB_WORDS + B_NEXT] - 1
    return NOBODY


@kernel
def end_of_error(st: Any, i: int, row: Any) -> int:
    """The end of instance `i` that sent the segment an ICMP error is about; NOBODY if none did."""
    own = st.flow[row[FLOW] * FLOW_WORDS + F_TCB] - 1
    if own >= 0:
        if row[ROLE] & REPLY:
            own += 1
        if st.tcb[own * TCB_WORDS + B_OWNER] == i:
            return own  # type: ignore[no-any-return]
        return NOBODY
    if row[ROLE] & REPLY == 0:
        return NOBODY
    t = first_end(st, i)
    while t >= 0:
        b = t * TCB_WORDS
        is_near = st.tcb[b + B_FLOW] == row[FLOW] and st.tcb[b + B_STATE] != CLOSED
        if is_near and owns_number(st.tcb, b, row[TCP_SEQ]):
            return t
        t = st.tcb[b + B_NEXT] - 1
    return NOBODY


@kernel(is_inline=False)
def error_arrives(st: Any, t: int, row: Any, now_ns: int) -> None:
    """An ICMP error about one of end `t`'s segments: the path's MTU is obeyed, most others are borne (RFC 5461)."""
    b = t * TCB_WORDS
    what = row[L4] & 0xFFFF
    if what == MTU_EXCEEDED_ERROR:
        too_big(st.tcb, b, row[TCP_SEQ], row[L4] >> 16 & 0xFFFF)
    elif st.tcb[b + B_STATE] == SYN_SENT and (
        what == UNREACHABLE | PROTOCOL_UNREACHABLE << 8 or what == UNREACHABLE | PORT_UNREACHABLE << 8
    ):
        die(st.tcb, b, now_ns)


@kernel
def is_for_resolver(fib: Any, st: Any, n: int, row: Any) -> bool:
    """Whether TCP of node `n`'s resolver may have to do with the packet in hand, for which there must be room."""
    if st.control[C_HOST_CALLS] == 0 or row[FLAGS] & QUIET:
        return False
    if row[ROLE] & ERROR:
        return st.node[n * NODE_STATE_WORDS + V_END] > 0  # type: ignore[no-any-return]
    return row[PROTO] == PROTO_TCP and is_resolver(fib, n, row[DST])


@kernel(is_inline=False)
def resolver_takes(fib: Any, st: Any, n: int, payload_bytes: int, now_ns: int) -> bool:
    """TCP of node `n`'s resolver: what its application gets is Python's to answer; False: it is nothing for it."""
    row = st.hand
    owner = -n - 1
    if row[ROLE] & ERROR:
        t = end_of_error(st, owner, row)
        if t >= 0:
            error_arrives(st, t, row, now_ns)
            act(fib, st, t, now_ns)
        return t >= 0
    if is_unforwardable(row[SRC]):
        return False
    t = find_end(st, owner, row)
    if t < 0:
        ports = row[L4]
        is_open = row[ROLE] == ORIGINAL and ports >> 16 & 0xFFFF == DNS_PORT
        if not is_open or ports >> 32 & (SYN | ACK | RST) != SYN or st.flow[row[FLOW] * FLOW_WORDS + F_TCB] > 0:
            return False
        t = take_end(st, n, owner, HOST, row, now_ns)
        if t < 0:
            return True
    b = t * TCB_WORDS
    before = st.tcb[b + B_IN_BYTES]
    says = segment_arrives(st.tcb, b, row, segment_payload(st, row, payload_bytes), now_ns)
    got = st.tcb[b + B_IN_BYTES] - before
    if got > 0:
        # Answered first: the FIN of a peer that has asked all it wants must not overtake the answer.
        st.control[C_HOST_NODE] = n
        st.control[C_HOST_TCB] = t
        st.control[C_HOST_OFFSET] = before
        st.control[C_HOST_BYTES] = got
        st.tcb[b + B_BURST_AT] = now_ns
        reschedule(st.tcb, st.node, st.timers, t)
    else:
        act(fib, st, t, now_ns)
    return says != REFUSED
