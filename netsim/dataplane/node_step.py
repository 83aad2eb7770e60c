"""One node through one window: which of its packets is next, and which step it takes.

A step looks at the head of a ring, does everything the packet does at that instant, and only
then moves the head. When something must grow first (a ring, the journal), the kernel returns
with nothing half done and is called again; so it does after an event that Python is to answer.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.batch import ERROR, PROTO_ICMP, PROTO_TCP
from netsim.dataplane.delivery import may_need_end, receive
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.endpoint import begin, end, transmit
from netsim.dataplane.express import forward_express, receive_express, send_express
from netsim.dataplane.fib import (
    I_NODE,
    INST_WORDS,
)
from netsim.dataplane.forward import (
    DONE,
    NEED_ENDS,
    NEED_HOST,
    NEED_JOURNAL,
    NEED_RINGS,
    NEED_ROOM,
    arrive,
    leaves_at_layer_2,
    route,
)
from netsim.dataplane.heap import enter_heap, sift_down
from netsim.dataplane.hop import (
    FROM_INSTANCE,
    FROM_ROUTER,
    HOST_UNREACHABLE,
)
from netsim.dataplane.ring import (
    DELIVERY,
    LINK,
    NIC,
    OWN,
    R_HEAD_SLOT,
    R_IN_HEAP,
    R_KIND,
    R_REF,
    RING_WORDS,
    head_ns,
    is_empty,
    pop,
)
from netsim.dataplane.row import (
    AT,
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
    WORDS,
    unpack_row,
)
from netsim.dataplane.state import (
    C_EVENTS,
    C_FED_RING,
    C_HOST_NODE,
    C_NEED_NODE,
    C_NEED_RECORDS,
    C_SHORT,
    F_DST,
    F_FLAGS,
    F_FROM_STORE,
    F_INST,
    F_L4,
    F_PROTO,
    F_SIZE,
    F_SRC,
    F_TCB,
    F_TTL,
    FLOW_WORDS,
    INST_STATE_WORDS,
    M_NEXT_SEQ,
    M_SENT,
    M_SENT_BYTES,
    MEASURE_WORDS,
    NODE_STATE_WORDS,
    STORE_WORDS,
    T_DISPOSITION,
    V_DELIVERY_RING,
    V_FREE,
    V_OWN_RING,
    V_TIMER_FIRST,
    X_RING,
)
from netsim.dataplane.tcp import flow_speaks, has_room, timer_fires
from netsim.dataplane.tcp_timer import next_timer_ns
from netsim.dataplane.trace import (
    JOURNAL_SPARE,
    JOURNAL_WORDS,
)
from netsim.jit import kernel

IN_FLIGHT = int(Disposition.IN_FLIGHT)
PLAIN_HEADER_BYTES = 20
EXPRESS = -1
"""What `step` says of a packet that went the short way: at most one ring of the node was fed."""


@kernel(is_inline=False)
def run_node(fib: Any, st: Any, n: int, window_end_ns: int) -> int:
    """Run one node up to the end of the window, in order."""
    size = 0
    first = st.node_rings_first[n]
    last = st.node_rings_first[n + 1]
    for k in range(first, last):
        q = st.node_rings[k]
        st.rings[q * RING_WORDS + R_IN_HEAP] = 0
        size = enter_heap(st, q, size, window_end_ns)
    own = st.node[n * NODE_STATE_WORDS + V_OWN_RING]
    delivery = st.node[n * NODE_STATE_WORDS + V_DELIVERY_RING]
    while True:
        timer_ns = next_timer_ns(st, n)
        if timer_ns < window_end_ns and (size == 0 or timer_ns < st.heap_at[0]):
            is_timer = True
        elif size > 0:
            is_timer = False
        else:
            break
        st.control[C_FED_RING] = -1
        if is_timer:
            if not may_record(st):
                return NEED_JOURNAL
            if not timer_fires(fib, st, st.timers[st.node[n * NODE_STATE_WORDS + V_TIMER_FIRST]], timer_ns):
                return NEED_ROOM
            st.control[C_EVENTS] += 1
            if st.control[C_SHORT]:
                st.control[C_SHORT] = 0
                return NEED_RINGS
            size = enter_heap(st, own, size, window_end_ns)
            if st.control[C_FED_RING] >= 0:
                size = enter_heap(st, st.control[C_FED_RING], size, window_end_ns)
            continue
        q = st.heap_ring[0]
        status = step(fib, st, n, q)
        if status > DONE:
            return status
        st.control[C_EVENTS] += 1
        pop(st.rings, st.chunks, q)
        if status == DONE and st.control[C_HOST_NODE] >= 0:
            return NEED_HOST
        if st.control[C_SHORT]:
            st.control[C_SHORT] = 0
            return NEED_RINGS
        # The ring just served goes on with its next entry or leaves the heap.
        at = window_end_ns
        if not is_empty(st.rings, q):
            at = head_ns(st.rings, st.pool, st.arrivals, q)
        if at < window_end_ns:
            st.heap_at[0] = at
        else:
            st.rings[q * RING_WORDS + R_IN_HEAP] = 0
            size -= 1
            st.heap_at[0] = st.heap_at[size]
            st.heap_key[0] = st.heap_key[size]
            st.heap_ring[0] = st.heap_ring[size]
        sift_down(st, size)
        # A step adds to these rings only: the node's own two, and the interface of one instance;
        # the short way to one at most.
        if status == DONE:
            size = enter_heap(st, own, size, window_end_ns)
            size = enter_heap(st, delivery, size, window_end_ns)
        if st.control[C_FED_RING] >= 0:
            size = enter_heap(st, st.control[C_FED_RING], size, window_end_ns)
    return DONE


@kernel
def may_record(st: Any) -> bool:
    """Whether the journal has room for whatever one event notes; else says what is short."""
    if (st.journal_used[0] + JOURNAL_SPARE) * JOURNAL_WORDS > len(st.journal):
        st.control[C_NEED_RECORDS] = JOURNAL_SPARE
        return False
    return True


@kernel
def step(fib: Any, st: Any, n: int, q: int) -> int:
    """What the packet at the head of ring `q` does at its instant; EXPRESS when it went the short way."""
    r = q * RING_WORDS
    kind = st.rings[r + R_KIND]
    ref = st.rings[r + R_REF]
    slot = st.rings[r + R_HEAD_SLOT]
    row = st.hand
    if kind > DELIVERY:
        if send_express(fib, st, n, ref, slot):
            return EXPRESS
        if not may_record(st):
            return NEED_JOURNAL
        return source(fib, st, n, ref, slot)
    if kind == DELIVERY:
        if receive_express(fib, st, n, slot):
            return EXPRESS
    elif kind != OWN and forward_express(fib, st, n, kind, ref, slot):
        return EXPRESS
    if not may_record(st):
        return NEED_JOURNAL
    unpack_row(st.pool, slot * WORDS, row)
    now_ns = row[AT]
    if kind == LINK:
        return arrive(fib, st, n, ref, now_ns)
    if kind == NIC:
        if leaves_at_layer_2(fib, st, n, ref, now_ns):
            return DONE
        return route(fib, st, n, FROM_INSTANCE, now_ns)
    if kind == OWN:
        return route(fib, st, n, FROM_ROUTER, now_ns)
    if fib.inst[row[INST] * INST_WORDS + I_NODE] != n:
        # The instance was deleted while the packet was on its way to it.
        end(st, row, n, HOST_UNREACHABLE, -1, now_ns)
        return DONE
    if st.node[n * NODE_STATE_WORDS + V_FREE] == 0 and may_need_end(fib, st, row[INST], row):
        st.control[C_NEED_NODE] = n
        return NEED_ENDS
    may_speak = len(st.timers) > 0 and (row[PROTO] == PROTO_TCP or row[ROLE] & ERROR != 0)
    if may_speak and not has_room(st, st.inst[row[INST] * INST_STATE_WORDS + X_RING]):
        return NEED_ROOM
    receive(fib, st, n, row[INST], now_ns)
    return DONE


@kernel
def source(fib: Any, st: Any, n: int, flow: int, slot: int) -> int:
    """A flow sends its next packet (step 1: what did not parse ends here)."""
    row = st.hand
    f = flow * FLOW_WORDS
    m = flow * MEASURE_WORDS
    now_ns = st.arrivals[slot * 2]
    stored = st.arrivals[slot * 2 + 1]
    i = st.flow[f + F_INST]
    if fib.inst[i * INST_WORDS + I_NODE] != n:
        return DONE
    if st.flow[f + F_TCB] > 0:
        if flow_speaks(fib, st, flow, stored, now_ns):
            return DONE
        return NEED_ROOM
    fate = IN_FLIGHT
    if st.flow[f + F_FROM_STORE]:
        unpack_row(st.store, stored * STORE_WORDS, row)
        row[SEQ] = stored
        fate = st.store[stored * STORE_WORDS + T_DISPOSITION]
    else:
        seq = st.measure[m + M_NEXT_SEQ]
        st.measure[m + M_NEXT_SEQ] = seq + 1
        row[SRC] = st.flow[f + F_SRC]
        row[DST] = st.flow[f + F_DST]
        row[SEQ] = seq
        row[L4] = st.flow[f + F_L4]
        row[PROTO] = st.flow[f + F_PROTO]
        if row[PROTO] == PROTO_ICMP:
            row[L4] = row[L4] | (seq & 0xFFFF) << 32
        row[SIZE] = st.flow[f + F_SIZE]
        row[FRAG] = 0
        row[IDENT] = seq & 0xFFFF
        row[TTL] = st.flow[f + F_TTL]
        row[FLAGS] = st.flow[f + F_FLAGS]
        row[ROLE] = 0
        row[HEADER] = PLAIN_HEADER_BYTES
        row[TCP_SEQ] = 0
        row[TCP_ACK] = 0
        row[WINDOW] = 0
        row[TS_ECHO] = 0
    row[AT] = now_ns
    row[SENT] = now_ns
    row[FLOW] = flow
    row[TRANSITS] = 0
    row[INST] = i
    if row[FRAG] == 0:
        st.measure[m + M_SENT] += 1  # whole datagrams: a stored fragment is counted with its first
    st.measure[m + M_SENT_BYTES] += row[SIZE]
    begin(st, n, 1)
    if fate != IN_FLIGHT:
        end(st, row, n, fate, i, now_ns)
        return DONE
    transmit(fib, st, row, n, i, now_ns)
    return DONE
