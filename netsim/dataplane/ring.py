"""Queues: FIFO rings over one shared pool of packets at rest.

Everything that waits in a node waits in a ring, and each ring is sorted by time, because what
feeds it is: departures of a link, of an instance's interface, deliveries after a constant
delay, arrivals drawn in order. A node's next event is therefore the smallest head of its
rings, and no event is ever inserted in the middle.

`head` and `tail` only grow; entry k lies at slot `k & mask`. One writer moves `tail`, one
reader moves `head`. Ties are settled by (time, kind, ref, sequence): what the router itself
originates first, then links, interfaces, deliveries and sources, each by number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane.row import AT, WORDS, pack_row
from netsim.jit import kernel

R_BASE, R_MASK, R_HEAD, R_TAIL, R_KIND, R_REF, R_NODE, R_RELEASED = range(8)
RING_WORDS = 8

# kinds, in the order that settles ties
OWN, LINK, NIC, DELIVERY, SOURCE = range(5)

MIN_CAPACITY = 4
SPARE = 2
"""Free slots every ring has when an event starts; no event adds more single packets to one."""


@kernel
def head_ns(rings: Any, pool: Any, arrivals: Any, q: int) -> int:
    """Time of the first entry of a ring that is not empty."""
    r = q * RING_WORDS
    slot = rings[r + R_BASE] + (rings[r + R_HEAD] & rings[r + R_MASK])
    if rings[r + R_KIND] == SOURCE:
        return arrivals[slot * 2]  # type: ignore[no-any-return]
    return pool[slot * WORDS]  # type: ignore[no-any-return]


@kernel
def is_empty(rings: Any, q: int) -> bool:
    """Whether nothing waits in the ring."""
    r = q * RING_WORDS
    return rings[r + R_HEAD] == rings[r + R_TAIL]  # type: ignore[no-any-return]


@kernel
def free_slots(rings: Any, q: int) -> int:
    """How many entries still fit."""
    r = q * RING_WORDS
    return rings[r + R_MASK] + 1 - (rings[r + R_TAIL] - rings[r + R_HEAD])  # type: ignore[no-any-return]


@kernel
def push(rings: Any, pool: Any, q: int, row: Any, at_ns: int) -> bool:
    """Append the packet in hand, due at `at_ns`; True when the ring is now short of spare slots."""
    r = q * RING_WORDS
    row[AT] = at_ns
    slot = rings[r + R_BASE] + (rings[r + R_TAIL] & rings[r + R_MASK])
    pack_row(row, pool, slot * WORDS)
    rings[r + R_TAIL] += 1
    return free_slots(rings, q) < SPARE


class RingTable:
    """Owns the rings and their pools; grows them between kernel calls.

    `rings` int64[n * 8], `pool` int64[slots * 10] (packets), `arrivals` int64[slots * 2] (time and
    store row of what sources will send). Arrays are replaced when they grow: take them anew
    for each kernel call.
    """

    def __init__(self) -> None:
        self.rings: NDArray[np.int64] = np.zeros(0, np.int64)
        self.pool: NDArray[np.int64] = np.zeros(0, np.int64)
        self.arrivals: NDArray[np.int64] = np.zeros(0, np.int64)
        self._used = {False: 0, True: 0}  # slots handed out, by whether in `arrivals`
        self._free: dict[tuple[bool, int], list[int]] = {}

    def __len__(self) -> int:
        return len(self.rings) // RING_WORDS

    @property
    def table(self) -> NDArray[np.int64]:
        """The rings as int64[n, 8]."""
        return self.rings.reshape(-1, RING_WORDS)

    def add(self, kinds: NDArray[np.int64], refs: NDArray[np.int64], nodes: NDArray[np.int64]) -> int:
        """Append one empty ring per entry of the three equal-length arrays; the first number."""
        first, n = len(self), len(kinds)
        fresh = np.zeros((n, RING_WORDS), np.int64)
        fresh[:, R_KIND], fresh[:, R_REF], fresh[:, R_NODE] = kinds, refs, nodes
        fresh[:, R_MASK] = MIN_CAPACITY - 1
        for is_source in (False, True):
            mine = (kinds == SOURCE) == is_source
            base = self._reserve(is_source, int(mine.sum()) * MIN_CAPACITY)
            fresh[mine, R_BASE] = base + np.arange(int(mine.sum())) * MIN_CAPACITY
        self.rings = np.concatenate([self.rings, fresh.reshape(-1)])
        return first

    def grow(self, q: int, wanted: int) -> None:
        """Make room for `wanted` more entries in ring `q` beyond the spare ones."""
        ring = self.table[q]
        is_source = ring[R_KIND] == SOURCE
        # A link's departed packets are read once more when they are counted (see drop_tail).
        oldest = int(min(ring[R_HEAD], ring[R_RELEASED])) if ring[R_KIND] == LINK else int(ring[R_HEAD])
        tail, old_capacity, old_base = int(ring[R_TAIL]), int(ring[R_MASK]) + 1, int(ring[R_BASE])
        needed = tail - oldest + wanted + SPARE
        capacity = old_capacity
        while capacity < needed:
            capacity *= 2
        if capacity == old_capacity:
            return
        base = self._take(bool(is_source), capacity)
        entries = np.arange(oldest, tail)
        width = 2 if is_source else WORDS
        store = (self.arrivals if is_source else self.pool).reshape(-1, width)
        store[base + (entries & capacity - 1)] = store[old_base + (entries & old_capacity - 1)]
        ring[R_BASE], ring[R_MASK] = base, capacity - 1
        self._free.setdefault((bool(is_source), old_capacity), []).append(old_base)

    def grow_short(self) -> None:
        """Grow every ring that has fewer than the spare slots left."""
        table = self.table
        free = table[:, R_MASK] + 1 - (table[:, R_TAIL] - table[:, R_HEAD])
        short = (free < SPARE) & (table[:, R_KIND] != SOURCE)
        for q in np.flatnonzero(short):
            self.grow(int(q), int(table[q, R_MASK]) // 2)

    def push_arrivals(self, q: int, at_ns: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        """Append ascending times (and the store rows they send) to a source ring."""
        n = len(at_ns)
        self.grow(q, n)
        ring = self.table[q]
        entries = (int(ring[R_TAIL]) + np.arange(n) & int(ring[R_MASK])) + int(ring[R_BASE])
        arrivals = self.arrivals.reshape(-1, 2)
        arrivals[entries, 0] = at_ns
        arrivals[entries, 1] = rows
        ring[R_TAIL] += n

    def last_arrival_ns(self, q: int) -> int:
        """The last time a source ring holds, 0 when it is empty."""
        ring = self.table[q]
        if ring[R_HEAD] == ring[R_TAIL]:
            return 0
        return int(self.arrivals[(ring[R_BASE] + (ring[R_TAIL] - 1 & ring[R_MASK])) * 2])

    def drop_arrivals(self, q: int) -> None:
        """Forget what a source has not sent yet."""
        ring = self.table[q]
        ring[R_TAIL] = ring[R_HEAD]

    def waiting(self) -> NDArray[np.int64]:
        """Entries waiting per ring of packets (sources count as 0), int64[n]."""
        table = self.table
        return np.where(table[:, R_KIND] == SOURCE, 0, table[:, R_TAIL] - table[:, R_HEAD])

    def packets(self) -> NDArray[np.int64]:
        """All packets in flight at rest, int64[n, 10], by ring and then by age."""
        pool, table = self.pool.reshape(-1, WORDS), self.table
        slots = [
            int(table[q, R_BASE]) + (np.arange(int(table[q, R_HEAD]), int(table[q, R_TAIL])) & int(table[q, R_MASK]))
            for q in np.flatnonzero(self.waiting())
        ]
        return pool[np.concatenate(slots)] if slots else np.zeros((0, WORDS), np.int64)

    def _take(self, is_source: bool, capacity: int) -> int:
        freed = self._free.get((is_source, capacity))
        return freed.pop() if freed else self._reserve(is_source, capacity)

    def _reserve(self, is_source: bool, slots: int) -> int:
        base = self._used[is_source]
        self._used[is_source] += slots
        store = self.arrivals if is_source else self.pool
        width = 2 if is_source else WORDS
        if self._used[is_source] * width > len(store):
            larger = np.zeros(max(self._used[is_source], len(store) // width * 3 // 2) * width, np.int64)
            larger[: len(store)] = store
            if is_source:
                self.arrivals = larger
            else:
                self.pool = larger
        return base
