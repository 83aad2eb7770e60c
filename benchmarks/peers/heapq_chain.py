"""The same model as netsim's in plain Python: an event heap, one event for each packet at each router.

Written to be fast as plain Python goes: a packet is a tuple, a link is a list of local variables, a
packet's departure is settled when it arrives (so an event per hop, not one for each start and end),
the queue's length is a deque of departures, and a push and a pop are one call where they can be.
Integer arithmetic, so its counts must equal netsim's packet for packet.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush, heappushpop
from typing import NamedTuple

NS_PER_S = 10**9
BITS_PER_BYTE = 8


class Counts(NamedTuple):
    """What happened, exactly."""

    sent: int
    delivered: int
    dropped: int
    packet_hops: int


class Link(NamedTuple):
    """A capped direction: rate, bucket, bounded queue, delay."""

    rate_bps: int
    burst_bytes: int
    queue_bytes: int
    delay_ns: int


def run(links: list[Link], packets: int, packet_bytes: int, offered_bps: int, first_ns: int) -> Counts:  # noqa: PLR0915 - one loop: calls would cost it half its speed
    """Send `packets` at a constant rate through links one after the other; what came of them.

    `first_ns` is when the first reaches the first router.
    """
    n = len(links)
    spacing = packet_bytes * BITS_PER_BYTE * NS_PER_S
    need = packet_bytes * BITS_PER_BYTE * NS_PER_S  # nanobits
    rate = [link.rate_bps for link in links]
    burst = [link.burst_bytes * BITS_PER_BYTE * NS_PER_S for link in links]
    limit = [link.queue_bytes for link in links]
    delay = [link.delay_ns for link in links]
    tokens = burst.copy()
    filled_at = [0] * n
    backlog = [0] * n
    departures: list[deque[int]] = [deque() for _ in links]
    delivered = dropped = hops = 0
    sent = 1
    # (time, link, packet): a packet arrives before that link. The sender is the entry of link 0.
    heap: list[tuple[int, int, int]] = []
    event: tuple[int, int, int] | None = (first_ns, 0, 0)
    while event is not None:
        now, k, seq = event
        hops += 1
        queue = departures[k]
        while queue and queue[0] <= now:
            queue.popleft()
            backlog[k] -= packet_bytes
        start = max(now, filled_at[k])
        have = tokens[k] + (start - filled_at[k]) * rate[k]
        have = min(have, burst[k])
        onward = None
        if (start > now or have < need) and backlog[k] + packet_bytes > limit[k]:
            dropped += 1
        else:
            backlog[k] += packet_bytes
            if have < need:
                wait = -((have - need) // rate[k])
                start += wait
                have += wait * rate[k]
            tokens[k] = have - need
            filled_at[k] = start
            queue.append(start)
            if k + 1 < n:
                onward = (start + delay[k], k + 1, seq)
            else:
                delivered += 1
        if k == 0 and sent < packets:
            if onward is not None:
                heappush(heap, onward)
            event = heappushpop(heap, (first_ns + sent * spacing // offered_bps, 0, sent))
            sent += 1
        elif onward is not None:
            event = heappushpop(heap, onward)
        else:
            event = heappop(heap) if heap else None
    return Counts(sent, delivered, dropped, hops)
