"""Bounded FIFO in front of a link's cap: refuses what no longer fits (drop-tail).

The queue needs no memory of its own. A packet's departure is settled when it arrives, so it
lies in the link's ring at once, and the queue is the part of the ring that has not departed:
`R_RELEASED` marks the border. Moving the border is also the moment of departure, where egress
is counted.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.ring import R_RELEASED, R_RELEASED_SLOT, R_TAIL, RING_WORDS, next_slot
from netsim.dataplane.row import WORDS
from netsim.jit import kernel

# state of a link; the first two words are its token bucket. A cache line each: what its sending node writes,
# what its receiving node writes, what neither does
(
    S_TOKENS, S_FILLED_AT, S_BACKLOG_BYTES, S_EGRESS_BYTES, S_EGRESS_PACKETS, S_DROPPED_BYTES, S_DROPPED_PACKETS,
) = range(7)  # fmt: skip
S_INGRESS_BYTES, S_INGRESS_PACKETS = 8, 9
S_TAP, S_RING = 16, 17
STATE_WORDS = 24


@kernel
def release(
    rings: Any,
    pool: Any,
    chunks: Any,
    state: Any,
    ring: int,
    link: int,
    until_ns: int,
    delay_ns: int,
    overhead_bytes: int,
) -> None:
    """Count as departed whatever departs at `until_ns` or before."""
    r = ring * RING_WORDS
    tail = rings[r + R_TAIL]
    entry = rings[r + R_RELEASED]
    slot = rings[r + R_RELEASED_SLOT]
    departed_bytes = 0
    first = entry
    while entry < tail:
        at = slot * WORDS
        if pool[at] - delay_ns > until_ns:
            break
        departed_bytes += (pool[at + 1] >> 32) + overhead_bytes
        entry += 1
        slot = next_slot(chunks, slot)
    if entry != first:
        rings[r + R_RELEASED] = entry
        rings[r + R_RELEASED_SLOT] = slot
        s = link * STATE_WORDS
        state[s + S_BACKLOG_BYTES] -= departed_bytes
        state[s + S_EGRESS_BYTES] += departed_bytes
        state[s + S_EGRESS_PACKETS] += entry - first
