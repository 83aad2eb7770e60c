"""The event loop: which packet takes which step, and when.

Time is cut into conservative windows no longer than the smallest propagation delay of any link:
what a node sends in a window arrives after it, so inside a window each node is computed alone,
in one go, on any thread, in (time, kind, ref, sequence) order, with an exact and repeatable result. Where a
window or a run is cut changes nothing.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.forward import (
    DONE,
    NEED_ENDS,
    NEED_HOST,
    NEED_JOURNAL,
    NEED_RINGS,
    NEED_ROOM,
)
from netsim.dataplane.link import release_departed
from netsim.dataplane.node_step import run_node
from netsim.dataplane.ring import (
    LINK,
    R_KIND,
    R_RELEASED,
    R_TAIL,
    RING_WORDS,
    head_ns,
    is_empty,
    refresh,
)
from netsim.dataplane.state import (
    C_CURSOR,
    C_WINDOW_END,
    C_WINDOWS,
)
from netsim.dataplane.tcp_timer import next_timer_ns
from netsim.jit import kernel
from netsim.jit.together import LINE_WORDS, Y_ABORT, Y_FIRST, Y_STOP, add_shared, meet

__all__ = ["DONE", "NEED_ENDS", "NEED_HOST", "NEED_JOURNAL", "NEED_RINGS", "NEED_ROOM", "PAUSED", "run_until"]

PAUSED = 99
"""What `run_until` says when another share needs something."""


@kernel(is_inline=False)
def run_until(
    fib: Any, st: Any, sync: Any, share: int, shares: int, first_node: int, end_node: int, until_ns: int, window_ns: int
) -> int:
    """Process every event before `until_ns`; DONE, or what must grow before it is called again.

    The nodes `first_node` to `end_node` - 1 are this call's, share number `share`; the other shares run at the same
    time in other threads, with their own control, hands and agenda, and the same `sync` (int64[sync_words(shares)]).
    All meet before a window, to agree where it ends, and after it; when one needs something all return,
    the others with PAUSED, and all are called again. So they are when a call failed before it began: the others
    return from the meeting in which they miss it, and what is called next goes on where each was.
    """
    ctl = st.control
    while True:
        if ctl[C_CURSOR] < 0:
            sync[Y_FIRST + share * LINE_WORDS] = next_of_nodes(st, first_node, end_node, until_ns)
            meet(sync, shares)
            if sync[Y_ABORT] != 0:
                return PAUSED
            first = until_ns
            for other in range(shares):
                first = min(first, sync[Y_FIRST + other * LINE_WORDS])
            if first >= until_ns:
                release_links(fib, st, first_node, end_node, until_ns)
                return DONE
            ctl[C_WINDOW_END] = min(first + window_ns, until_ns)
            ctl[C_CURSOR] = first_node
            ctl[C_WINDOWS] += 1
        status = DONE
        while status == DONE and ctl[C_CURSOR] < end_node:
            status = run_node(fib, st, ctl[C_CURSOR], ctl[C_WINDOW_END])
            if status == DONE:
                ctl[C_CURSOR] += 1
        if status != DONE:
            add_shared(sync, Y_STOP, 1)
        meet(sync, shares)
        if sync[Y_STOP] != 0:
            if status == DONE:
                return PAUSED
            return status
        ctl[C_CURSOR] = -1


@kernel
def next_of_nodes(st: Any, first_node: int, end_node: int, until_ns: int) -> int:
    """When these nodes have something to do next, at most `until_ns`; their rings are refreshed."""
    first = until_ns
    for n in range(first_node, end_node):
        for k in range(st.node_rings_first[n], st.node_rings_first[n + 1]):
            q = st.node_rings[k]
            refresh(st.rings, q)
            if not is_empty(st.rings, q):
                first = min(first, head_ns(st.rings, st.pool, st.arrivals, q))
        first = min(first, next_timer_ns(st, n))
    return first


@kernel
def release_links(fib: Any, st: Any, first_node: int, end_node: int, until_ns: int) -> None:
    """Count what has departed to these nodes before `until_ns`; nobody sends any more."""
    for n in range(first_node, end_node):
        for k in range(st.node_rings_first[n], st.node_rings_first[n + 1]):
            r = st.node_rings[k] * RING_WORDS
            if st.rings[r + R_KIND] == LINK and st.rings[r + R_RELEASED] != st.rings[r + R_TAIL]:
                release_departed(fib, st, st.node_rings[k], until_ns)
