"""Everything that changes while packets move: the arrays, their records and their owner's view.

`State` is what kernels get beside the `Fib`. Records are fixed-width int64 words in flat arrays,
as in the Fib; counters only grow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane.disposition import N_DISPOSITIONS

Ints = NDArray[np.int64]

# instance
X_NIC_FREE_NS, X_TX_PACKETS, X_RX_PACKETS, X_TAP, X_RING, X_END, X_ENDS = range(7)
INST_STATE_WORDS = 8
"""`X_END`: one more than the number of its first TCP end, 0 for none; `X_ENDS`: conversations its ports have."""

# node: its two rings, a counter of packets that came to be, its slice of `timers`, its free TCP
# blocks and its router's ends (as `X_END`, `X_ENDS`), and a counter per disposition
V_OWN_RING, V_DELIVERY_RING, V_INJECTED, V_TIMER_FIRST, V_TIMER_COUNT, V_FREE, V_END, V_ENDS, V_DISPOSITION = range(9)
NODE_STATE_WORDS = V_DISPOSITION + N_DISPOSITIONS

# flow, as described
(
    F_INST, F_DST_INST, F_SRC, F_DST, F_SIZE, F_PROTO, F_L4, F_FLAGS, F_TTL, F_PAYLOAD, F_FROM_STORE, F_APP, F_CC,
    F_TCB,
) = range(14)  # fmt: skip
FLOW_WORDS = 14
"""`F_APP`: what a TCP flow's opener does (`tcb.py`), 0 for other flows; `F_CC` its congestion control; `F_TCB`
one more than the number of its opener's block, whose acceptor's follows, 0 for none (the engine sets it)."""

# flow, as measured; sums over whole datagrams unless the name says packets. A cache line each: what the
# sender's node writes, what the receiver's does, what any may and what is read off a TCP flow's ends
(
    M_NEXT_SEQ, M_SENT, M_SENT_BYTES, M_REPLIES, M_RTT_SUM_NS, M_RTT_MIN_NS, M_RTT_MAX_NS, M_ERRORS,
    M_RECEIVED, M_RECEIVED_BYTES, M_RECEIVED_PAYLOAD_BYTES, M_LATENCY_SUM_NS,
    M_LATENCY_MIN_NS, M_LATENCY_MAX_NS, M_JITTER_16TH_NS, M_LAST_TRANSIT_NS,
    M_DROPPED_PACKETS, M_RETRANSMITS, M_TIMEOUTS, M_FAST_RECOVERIES, M_CWND_BYTES, M_SRTT_NS, M_OPENED_AT, M_CLOSED_AT,
) = range(24)  # fmt: skip
MEASURE_WORDS = 24
"""From M_RETRANSMITS on, and the payload received of a TCP flow: read off its ends when somebody asks."""

# store of packets that somebody made: the packet at rest, payload bytes above layer 4, preset fate
T_PAYLOAD, T_DISPOSITION = 10, 11
STORE_WORDS = 12

# control block of a run
(
    C_CURSOR, C_WINDOW_END, C_SHORT, C_NEED_RING, C_NEED_SLOTS, C_NEED_RECORDS, C_EVENTS, C_HOPS, C_DELIVERY_NS,
    C_NIC_QUEUE_NS, C_FED_RING, C_HOST_CALLS, C_HOST_NODE,
    C_FIB_VERSION, C_NEED_NODE, C_HOST_TCB, C_HOST_OFFSET, C_HOST_BYTES, C_STOCK, C_WINDOWS,
) = range(20)  # fmt: skip
CONTROL_WORDS = 20


class State(NamedTuple):
    """The arrays, int64 but for `histogram`.

    rings[r*16], pool[slots*10], chunks[slots/4], arrivals[slots*2] (`ring.py`), link[l*24] (`drop_tail.py`),
    inst[i*8], node[n*24], flow[f*14], measure[f*24], histogram int32[f*bins] (`latency.py`),
    store[s*12], slots_inst[i*192], slots_node[n*192] (`reassembly.py`), journal[j*25], journal_used[1],
    hand[21], other[21], out[6], heap_at[k], heap_key[k], heap_ring[k],
    node_rings_first[n+1], node_rings[r] (which rings a node reads), control[20], stock[k] (chunks to give to rings),
    paths[n*320] (`express.py`), tcb[t*201] (`tcb.py`), timers[t] (`tcp_timer.py`).
    """

    rings: Ints
    pool: Ints
    chunks: Ints
    arrivals: Ints
    link: Ints
    inst: Ints
    node: Ints
    flow: Ints
    measure: Ints
    histogram: NDArray[np.int32]
    store: Ints
    slots_inst: Ints
    slots_node: Ints
    journal: Ints
    journal_used: Ints
    hand: Ints
    other: Ints
    out: Ints
    heap_at: Ints
    heap_key: Ints
    heap_ring: Ints
    node_rings_first: Ints
    node_rings: Ints
    control: Ints
    stock: Ints
    paths: Ints
    tcb: Ints
    timers: Ints
