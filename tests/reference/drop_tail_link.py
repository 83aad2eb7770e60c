"""One direction of a wire, the obvious way: an exact bucket, a bounded FIFO as a list, counters by counting."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.reference.exact_token_bucket import ExactTokenBucket

QUEUE_FULL, POLICED = "queue_full", "policed"


@dataclass
class DropTailLink:
    """`departures` and `arrivals` are (ns, bytes as the cap counts them) of all packets accepted so far."""

    rate_bps: int
    burst_bytes: int
    queue_bytes: int
    overhead_bytes: int = 0
    police: bool = False
    since_ns: int = 0
    departures: list[tuple[int, int]] = field(default_factory=list)
    arrivals: list[tuple[int, int]] = field(default_factory=list)
    drops: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bucket = ExactTokenBucket(self.rate_bps, self.burst_bytes, self.since_ns)

    def resize(self, now_ns: int, rate_bps: int, burst_bytes: int, queue_bytes: int) -> None:
        """Another cap for what comes; what was accepted keeps its departure."""
        if (rate_bps, burst_bytes) != (self.rate_bps, self.burst_bytes):
            self.bucket.reshape(now_ns, rate_bps, burst_bytes)
        self.rate_bps, self.burst_bytes, self.queue_bytes = rate_bps, burst_bytes, queue_bytes

    def offer(self, now_ns: int, size_bytes: int) -> int | str:
        """Offer an IP packet; when it departs, or why it is dropped. A packet that departs now has left the queue."""
        size = size_bytes + self.overhead_bytes
        departure_ns = self.bucket.departure_ns(now_ns, size)
        backlog = 0
        for left_ns, left_bytes in reversed(self.departures):
            if left_ns <= now_ns:
                break
            backlog += left_bytes
        if self.police and departure_ns > now_ns:
            self.drops.append((now_ns, size))
            return POLICED
        # Who must wait needs room in the queue; who needn't passes by it.
        if departure_ns > now_ns and backlog + size > self.queue_bytes:
            self.drops.append((now_ns, size))
            return QUEUE_FULL
        self.bucket.send(now_ns, size)
        self.departures.append((departure_ns, size))
        return departure_ns

    def counters(self, until_ns: int) -> tuple[int, ...]:
        """Egress bytes and packets, dropped bytes and packets, ingress bytes and packets before `until_ns`."""
        figures: list[int] = []
        for happened in (self.departures, self.drops, self.arrivals):
            sizes = [size for at_ns, size in happened if at_ns < until_ns]
            figures += [sum(sizes), len(sizes)]
        return tuple(figures)
