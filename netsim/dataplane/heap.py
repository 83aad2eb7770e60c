"""A node's agenda: a binary heap of the rings that have something to do in this window.

One entry per ring, keyed by the time of its first packet and, at equal times, by (kind, ref):
the order written down in `ring.py`. Serving a ring changes its key, never that of another.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.ring import (
    R_IN_HEAP,
    R_KIND,
    R_REF,
    RING_WORDS,
    head_ns,
    is_empty,
)
from netsim.jit import kernel


@kernel
def enter_heap(st: Any, q: int, size: int, window_end_ns: int) -> int:
    """Put ring `q` in the heap if it has something to do in this window and is not in it; the new size."""
    if st.rings[q * RING_WORDS + R_IN_HEAP] or is_empty(st.rings, q):
        return size
    at = head_ns(st.rings, st.pool, st.arrivals, q)
    if at >= window_end_ns:
        return size
    st.rings[q * RING_WORDS + R_IN_HEAP] = 1
    key = st.rings[q * RING_WORDS + R_KIND] << 32 | st.rings[q * RING_WORDS + R_REF]
    at_slot = size
    while at_slot > 0:
        parent = (at_slot - 1) >> 1
        parent_at = st.heap_at[parent]
        if parent_at < at or (parent_at == at and st.heap_key[parent] < key):
            break
        st.heap_at[at_slot] = parent_at
        st.heap_key[at_slot] = st.heap_key[parent]
        st.heap_ring[at_slot] = st.heap_ring[parent]
        at_slot = parent
    st.heap_at[at_slot] = at
    st.heap_key[at_slot] = key
    st.heap_ring[at_slot] = q
    return size + 1


@kernel
def sift_down(st: Any, size: int) -> None:
    """Let the top of the heap sink to its place."""
    if size < 2:
        return
    at = st.heap_at[0]
    key = st.heap_key[0]
    q = st.heap_ring[0]
    slot = 0
    while True:
        child = 2 * slot + 1
        if child >= size:
            break
        other = child + 1
        if other < size and (
            st.heap_at[other] < st.heap_at[child]
            or (st.heap_at[other] == st.heap_at[child] and st.heap_key[other] < st.heap_key[child])
        ):
            child = other
        if at < st.heap_at[child] or (at == st.heap_at[child] and key < st.heap_key[child]):
            break
        st.heap_at[slot] = st.heap_at[child]
        st.heap_key[slot] = st.heap_key[child]
        st.heap_ring[slot] = st.heap_ring[child]
        slot = child
    st.heap_at[slot] = at
    st.heap_key[slot] = key
    st.heap_ring[slot] = q
