"""TCP at work in the engine: who a segment is for, and sending what an end wants sent.

An end belongs to an instance, or to a VPC's router (its resolver's). What it sends leaves through the
instance's interface, or starts at the router. Each event at an end is one call here, after the block
has changed; the caller made sure of room in the ring it sends to (`TCP_ROOM`).
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.batch import FIN, ORIGINAL, SYN
from netsim.dataplane.endpoint import begin, note_made, transmit
from netsim.dataplane.fib import I_NODE, INST_WORDS
from netsim.dataplane.ring import make_room, push
from netsim.dataplane.row import AT, FLOW, ROLE, SIZE
from netsim.dataplane.state import (
    C_NEED_RING,
    C_NEED_SLOTS,
    F_INST,
    F_PAYLOAD,
    F_TCB,
    FLOW_WORDS,
    INST_STATE_WORDS,
    M_SENT,
    M_SENT_BYTES,
    MEASURE_WORDS,
    NODE_STATE_WORDS,
    V_OWN_RING,
    X_RING,
)
from netsim.dataplane.tcb import (
    B_IS_OF_FLOW,
    B_NODE,
    B_OUT_BYTES,
    B_OUT_FLAGS,
    B_OWNER,
    B_STATE,
    BURST_SEGMENTS,
    CLOSED,
    TCB_WORDS,
    die,
)
from netsim.dataplane.tcp_app import tell_end
from netsim.dataplane.tcp_listen import give_back
from netsim.dataplane.tcp_output import make_segment, next_segment
from netsim.dataplane.tcp_timer import fire, reschedule
from netsim.jit import kernel

TCP_ROOM = BURST_SEGMENTS + 4
"""What one event may send: a burst, the retransmission, a new segment, an acknowledgment, an answer."""


@kernel
def has_room(st: Any, ring: int) -> bool:
    """Whether an event at an end that sends into this ring may happen; else says what is short."""
    if make_room(st, ring, TCP_ROOM):
        return True
    st.control[C_NEED_RING] = ring
    st.control[C_NEED_SLOTS] = TCP_ROOM
    return False


@kernel(is_inline=False)
def act(fib: Any, st: Any, t: int, now_ns: int) -> None:
    """Send what end `t` wants sent, then set its timers."""
    b = t * TCB_WORDS
    n = st.tcb[b + B_NODE]
    owner = st.tcb[b + B_OWNER]
    while next_segment(st.tcb, b, now_ns):
        row = st.other
        make_segment(st.tcb, b, row, now_ns)
        begin(st, n, 1)
        row[AT] = now_ns
        if row[ROLE] != ORIGINAL:
            note_made(st, n, max(owner, -1), now_ns)
        elif st.tcb[b + B_OUT_BYTES] > 0 or st.tcb[b + B_OUT_FLAGS] & (SYN | FIN):
            m = row[FLOW] * MEASURE_WORDS
            st.measure[m + M_SENT] += 1
            st.measure[m + M_SENT_BYTES] += row[SIZE]
        if owner >= 0:
            transmit(fib, st, row, n, owner, now_ns)
        else:
            push(st, st.node[n * NODE_STATE_WORDS + V_OWN_RING], row, now_ns)
    reschedule(st.tcb, st.node, st.timers, t)
    if st.tcb[b + B_STATE] == CLOSED and st.tcb[b + B_IS_OF_FLOW] == 0:
        give_back(st, t)


@kernel(is_inline=False)
def timer_fires(fib: Any, st: Any, t: int, now_ns: int) -> bool:
    """A timer of end `t` is due; False if its ring has no room for what that may send."""
    b = t * TCB_WORDS
    n = st.tcb[b + B_NODE]
    i = st.tcb[b + B_OWNER]
    if i < 0:
        if not has_room(st, st.node[n * NODE_STATE_WORDS + V_OWN_RING]):
            return False
    elif not has_room(st, st.inst[i * INST_STATE_WORDS + X_RING]):
        return False
    if i >= 0 and fib.inst[i * INST_WORDS + I_NODE] != n:
        die(st.tcb, b, now_ns)  # the instance was deleted
    else:
        fire(st.tcb, b, now_ns)
    act(fib, st, t, now_ns)
    return True


@kernel
def flow_speaks(fib: Any, st: Any, flow: int, says: int, now_ns: int) -> bool:
    """A generated flow opens, writes or closes; False if its ring has no room for what that may send."""
    f = flow * FLOW_WORDS
    if not has_room(st, st.inst[st.flow[f + F_INST] * INST_STATE_WORDS + X_RING]):
        return False
    t = st.flow[f + F_TCB] - 1
    tell_end(st.tcb, t * TCB_WORDS, says, st.flow[f + F_PAYLOAD])
    act(fib, st, t, now_ns)
    return True
