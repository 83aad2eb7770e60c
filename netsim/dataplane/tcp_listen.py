"""Open ports: a SYN of somebody's packets gets an end of its own, for as long as the conversation lasts.

The blocks come from a list of free ones of the node; when it is empty the kernel asks for more before
anything is done. An owner - an instance, or a router, coded -(node + 1) - has its ends in a chain, the
newest first. Segments of such an end carry the flow and seq of the last packet it got, so that
whoever made that packet finds its answers.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.row import DST, L4, SRC, TS_ECHO
from netsim.dataplane.state import (
    INST_STATE_WORDS,
    NODE_STATE_WORDS,
    V_END,
    V_ENDS,
    V_FREE,
    X_END,
    X_ENDS,
)
from netsim.dataplane.tcb import (
    B_APP,
    B_CC,
    B_HAS_OPTIONS,
    B_IS_OF_FLOW,
    B_IS_OPENER,
    B_ISS,
    B_LOCAL,
    B_LOCAL_PORT,
    B_MADE,
    B_NEXT,
    B_NODE,
    B_OWN_MSS,
    B_OWNER,
    B_PATH_LIMIT,
    B_PEER_MSS,
    B_REMOTE,
    B_REMOTE_PORT,
    B_STATE,
    DEFAULT_PEER_MSS,
    LISTEN,
    PLAIN_BYTES,
    SYN_RCVD,
    TCB_WORDS,
    die,
    start,
)
from netsim.dataplane.tcp_numbers import initial_number
from netsim.jit import kernel

MOST_ENDS = 1024
"""Conversations of one owner's ports; then the oldest that is half open makes room."""
OWN_MTU = 1500
NOBODY = -1


@kernel
def first_end(st: Any, owner: int) -> int:
    """The newest end of an owner, NOBODY if it has none."""
    if owner < 0:
        return st.node[(-owner - 1) * NODE_STATE_WORDS + V_END] - 1  # type: ignore[no-any-return]
    return st.inst[owner * INST_STATE_WORDS + X_END] - 1  # type: ignore[no-any-return]


@kernel
def set_first_end(st: Any, owner: int, t: int, more: int) -> None:
    """Let the owner's chain begin with end `t` (NOBODY: it is empty), and count `more` conversations."""
    if owner < 0:
        v = (-owner - 1) * NODE_STATE_WORDS
        st.node[v + V_END] = t + 1
        st.node[v + V_ENDS] += more
    else:
        x = owner * INST_STATE_WORDS
        st.inst[x + X_END] = t + 1
        st.inst[x + X_ENDS] += more


@kernel
def count_of_ends(st: Any, owner: int) -> int:
    """How many conversations the owner's ports have."""
    if owner < 0:
        return st.node[(-owner - 1) * NODE_STATE_WORDS + V_ENDS]  # type: ignore[no-any-return]
    return st.inst[owner * INST_STATE_WORDS + X_ENDS]  # type: ignore[no-any-return]


@kernel(is_inline=False)
def take_end(st: Any, n: int, owner: int, app: int, row: Any, now_ns: int) -> int:
    """A listening end of `owner` for the SYN in hand; NOBODY if it has too many conversations."""
    if count_of_ends(st, owner) >= MOST_ENDS:
        oldest = _oldest_half_open(st, owner)
        if oldest == NOBODY:
            return NOBODY
        # It keeps its place in its node's timers until its new conversation sets its own.
        die(st.tcb, oldest * TCB_WORDS, now_ns)
        give_back(st, oldest)
    v = n * NODE_STATE_WORDS
    t = st.node[v + V_FREE] - 1
    if t < 0:
        return NOBODY
    b = t * TCB_WORDS
    tcb = st.tcb
    st.node[v + V_FREE] = tcb[b + B_NEXT]
    tcb[b + B_NEXT] = first_end(st, owner) + 1
    set_first_end(st, owner, t, 1)
    ports = row[L4]
    tcb[b + B_OWNER] = owner
    tcb[b + B_NODE] = n
    tcb[b + B_LOCAL] = row[DST]
    tcb[b + B_REMOTE] = row[SRC]
    tcb[b + B_LOCAL_PORT] = ports >> 16 & 0xFFFF
    tcb[b + B_REMOTE_PORT] = ports & 0xFFFF
    tcb[b + B_ISS] = initial_number(row[DST], row[SRC], ports >> 16 & 0xFFFF, ports & 0xFFFF)
    tcb[b + B_IS_OPENER] = 0
    tcb[b + B_IS_OF_FLOW] = 0
    tcb[b + B_APP] = app
    tcb[b + B_HAS_OPTIONS] = 0
    tcb[b + B_OWN_MSS] = OWN_MTU - PLAIN_BYTES
    tcb[b + B_PATH_LIMIT] = OWN_MTU
    tcb[b + B_PEER_MSS] = row[TS_ECHO]
    if row[TS_ECHO] == 0:
        tcb[b + B_PEER_MSS] = DEFAULT_PEER_MSS
    tcb[b + B_CC] = 0
    tcb[b + B_MADE] = 0
    start(tcb, b)
    tcb[b + B_STATE] = LISTEN
    return t  # type: ignore[no-any-return]


@kernel
def _oldest_half_open(st: Any, owner: int) -> int:
    found = NOBODY
    t = first_end(st, owner)
    while t >= 0:
        b = t * TCB_WORDS
        if st.tcb[b + B_STATE] == SYN_RCVD and st.tcb[b + B_IS_OF_FLOW] == 0:
            found = t
        t = st.tcb[b + B_NEXT] - 1
    return found


@kernel(is_inline=False)
def give_back(st: Any, t: int) -> None:
    """The conversation of end `t` is over: out of its owner's chain, into its node's list of free blocks."""
    tcb = st.tcb
    b = t * TCB_WORDS
    owner = tcb[b + B_OWNER]
    following = tcb[b + B_NEXT]
    before = first_end(st, owner)
    if before == t:
        set_first_end(st, owner, following - 1, -1)
    else:
        while tcb[before * TCB_WORDS + B_NEXT] != t + 1:
            before = tcb[before * TCB_WORDS + B_NEXT] - 1
        tcb[before * TCB_WORDS + B_NEXT] = following
        set_first_end(st, owner, first_end(st, owner), -1)
    v = tcb[b + B_NODE] * NODE_STATE_WORDS
    tcb[b + B_NEXT] = st.node[v + V_FREE]
    st.node[v + V_FREE] = t + 1
