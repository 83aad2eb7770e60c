"""One direction of a wire: cap, queue, propagation delay.

A packet offered to a link departs when the token bucket has earned its size, in the order of
arrival, and arrives `K_DELAY_NS` later at the far node. Its departure is settled on arrival:
what the cap has accepted keeps its fate, whatever becomes of the connection.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.disposition import Disposition
from netsim.dataplane.drop_tail import (
    S_BACKLOG_BYTES,
    S_DROPPED_BYTES,
    S_DROPPED_PACKETS,
    S_FILLED_AT,
    S_RING,
    STATE_WORDS,
    release,
)
from netsim.dataplane.fib import (
    K_BURST_NANOBITS,
    K_DELAY_NS,
    K_FULL_AFTER_NS,
    K_OVERHEAD_BYTES,
    K_POLICE,
    K_QUEUE_BYTES,
    K_RATE_BPS,
    LINK_WORDS,
)
from netsim.dataplane.ring import R_REF, RING_WORDS
from netsim.dataplane.token_bucket import NANOBITS_PER_BYTE, conforms, take, tokens_at
from netsim.jit import kernel

# What `offer` answers instead of a departure time.
REFUSED_QUEUE_FULL = -int(Disposition.QUEUE_FULL)
REFUSED_POLICED = -int(Disposition.POLICED)


@kernel
def offer(link: Any, state: Any, rings: Any, pool: Any, chunks: Any, number: int, size_bytes: int, now_ns: int) -> int:
    """Offer a packet of `size_bytes` (layer 3) to the cap; its departure time, or a REFUSED_ value.

    An accepted packet must be pushed to the link's ring at departure + delay next.
    """
    k = number * LINK_WORDS
    s = number * STATE_WORDS
    overhead = link[k + K_OVERHEAD_BYTES]
    size = size_bytes + overhead
    release(rings, pool, chunks, state, state[s + S_RING], number, now_ns, link[k + K_DELAY_NS], overhead)
    rate = link[k + K_RATE_BPS]
    burst = link[k + K_BURST_NANOBITS]
    full_after = link[k + K_FULL_AFTER_NS]
    filled_at = state[s + S_FILLED_AT]
    if link[k + K_POLICE] != 0:
        if filled_at <= now_ns and conforms(state, s, now_ns, size, rate, burst, full_after):
            state[s + S_BACKLOG_BYTES] += size
            return now_ns
        state[s + S_DROPPED_BYTES] += size
        state[s + S_DROPPED_PACKETS] += 1
        return REFUSED_POLICED
    start = now_ns
    if filled_at > start:
        start = filled_at
    must_wait = start > now_ns
    if not must_wait:
        must_wait = tokens_at(state, s, now_ns, rate, burst, full_after) < size * NANOBITS_PER_BYTE
    if must_wait and state[s + S_BACKLOG_BYTES] + size > link[k + K_QUEUE_BYTES]:
        state[s + S_DROPPED_BYTES] += size
        state[s + S_DROPPED_PACKETS] += 1
        return REFUSED_QUEUE_FULL
    state[s + S_BACKLOG_BYTES] += size
    return take(state, s, start, size, rate, burst, full_after)


@kernel(is_inline=False)
def release_departed(fib: Any, st: Any, q: int, until_ns: int) -> None:
    """Count as departed, in this ring of a link, whatever departs before `until_ns`."""
    link = st.rings[q * RING_WORDS + R_REF]
    delay_ns = fib.link[link * LINK_WORDS + K_DELAY_NS]
    overhead = fib.link[link * LINK_WORDS + K_OVERHEAD_BYTES]
    release(st.rings, st.pool, st.chunks, st.link, q, link, until_ns - 1, delay_ns, overhead)
