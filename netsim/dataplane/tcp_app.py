"""What an application tells its end: open, write, close."""

from __future__ import annotations

from typing import Any

from netsim.dataplane.tcb import (
    B_APP,
    B_APP_LIMIT,
    B_CLOSING,
    B_MAX_NXT,
    B_STATE,
    B_TODO,
    BULK,
    CLOSED,
    DO_OUTPUT,
    DO_SYN,
    ENDLESS,
    FED,
    SYN_SENT,
    start,
)
from netsim.jit import kernel

# What stands in a TCP flow's source ring for the row of the store.
SAYS_OPEN, SAYS_DATA, SAYS_CLOSE = range(3)


@kernel
def open_end(tcb: Any, b: int) -> None:
    """Begin a conversation."""
    start(tcb, b)
    tcb[b + B_STATE] = SYN_SENT
    if tcb[b + B_APP] == BULK:
        tcb[b + B_APP_LIMIT] = ENDLESS
    tcb[b + B_TODO] = DO_SYN


@kernel(is_inline=False)
def tell_end(tcb: Any, b: int, says: int, n_bytes: int) -> None:
    """A flow's arrival: open, `n_bytes` more to send, or close."""
    if says == SAYS_OPEN:
        if tcb[b + B_STATE] == CLOSED:
            open_end(tcb, b)
        return
    if tcb[b + B_STATE] == CLOSED or tcb[b + B_CLOSING]:
        return
    if says == SAYS_DATA:
        if tcb[b + B_APP] != FED:
            return
        tcb[b + B_APP_LIMIT] += n_bytes
    else:
        tcb[b + B_CLOSING] = 1
        if tcb[b + B_APP] == BULK:
            tcb[b + B_APP_LIMIT] = max(tcb[b + B_MAX_NXT], 1)
    tcb[b + B_TODO] = tcb[b + B_TODO] | DO_OUTPUT
