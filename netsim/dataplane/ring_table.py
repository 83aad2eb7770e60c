"""Owns the rings, and the memory their entries lie in; makes room between kernel calls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane.cache_lines import extended
from netsim.dataplane.ring import (
    CHUNK,
    FIRST_CHUNKS,
    LEAST_FREE,
    LINK,
    R_BASE,
    R_CAPACITY,
    R_HEAD,
    R_HEAD_SLOT,
    R_KIND,
    R_MASK,
    R_NODE,
    R_PASSED,
    R_REF,
    R_RELEASED,
    R_RELEASED_SLOT,
    R_SEEN,
    R_TAIL,
    R_TAIL_SLOT,
    RING_WORDS,
    SOURCE,
)
from netsim.dataplane.row import WORDS

Ints = NDArray[np.int64]

ARRIVAL_WORDS = 2
FIRST_ARRIVALS = 4
LEAST_STOCK = 64
STOCK_SHARE = 16
"""Chunks in stock of all threads together, about: one in so many of those in use."""


class RingTable:
    """The rings of one engine.

    `rings` int64[n * 16], `pool` int64[slots * 10] (packets), `chunks` int64[slots / 4] (slot where the next chunk
    begins), `arrivals` int64[slots * 2] (time and store row of what sources will send). Arrays are replaced or move
    when they grow: take them anew for each kernel call.
    """

    def __init__(self) -> None:
        self.rings: Ints = np.zeros(0, np.int64)
        self.pool: Ints = np.zeros(0, np.int64)
        self.chunks: Ints = np.zeros(0, np.int64)
        self.arrivals: Ints = np.zeros(0, np.int64)
        self._chunks_used = 0
        self._arrivals_used = 0
        self._free_arrivals: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self.rings) // RING_WORDS

    @property
    def table(self) -> Ints:
        """The rings as int64[n, 16]."""
        return self.rings.reshape(-1, RING_WORDS)

    def add(self, kinds: Ints, refs: Ints, nodes: Ints) -> int:
        """Append one empty ring per entry of the three equal-length arrays; the first number."""
        first, n = len(self), len(kinds)
        fresh = np.zeros((n, RING_WORDS), np.int64)
        fresh[:, R_KIND], fresh[:, R_REF], fresh[:, R_NODE] = kinds, refs, nodes
        is_source = kinds == SOURCE
        n_sources = int(is_source.sum())
        base = self._reserve_arrivals(n_sources * FIRST_ARRIVALS) + np.arange(n_sources) * FIRST_ARRIVALS
        fresh[is_source, R_BASE] = fresh[is_source, R_HEAD_SLOT] = base
        fresh[is_source, R_MASK] = FIRST_ARRIVALS - 1
        n_packets = n - n_sources
        own = np.arange(n_packets * FIRST_CHUNKS).reshape(n_packets, FIRST_CHUNKS)
        own += self._reserve_chunks(own.size)
        self.chunks[own] = np.roll(own, -1, axis=1) * CHUNK
        for word in (R_HEAD_SLOT, R_TAIL_SLOT, R_RELEASED_SLOT):
            fresh[~is_source, word] = own[:, 0] * CHUNK
        fresh[~is_source, R_CAPACITY] = FIRST_CHUNKS * CHUNK
        self.rings = extended(self.rings, fresh.reshape(-1))
        return first

    # -- rings of packets -----------------------------------------------------------------

    def grow(self, q: int, wanted: int) -> None:
        """Make room for `wanted` more packets in ring `q` beyond what it must have free."""
        ring = self.table[q]
        ring[R_PASSED] = ring[R_HEAD]
        # A link's departed packets are read once more when they are counted (see drop_tail).
        is_behind = ring[R_KIND] == LINK and ring[R_RELEASED] < ring[R_HEAD]
        oldest, oldest_slot = (
            (ring[R_RELEASED], ring[R_RELEASED_SLOT]) if is_behind else (ring[R_HEAD], ring[R_HEAD_SLOT])
        )
        missing = int(ring[R_TAIL] - oldest) + wanted + LEAST_FREE - int(ring[R_CAPACITY])
        if missing <= 0:
            return
        n = -(-missing // CHUNK)
        fresh = self._reserve_chunks(n)
        last = int(ring[R_TAIL_SLOT]) // CHUNK  # the chunk behind which there is room
        after = int(self.chunks[last])
        if last == oldest_slot // CHUNK and oldest < ring[R_TAIL] and ring[R_TAIL_SLOT] <= oldest_slot:
            after = self._split(ring, last)
        self.chunks[last] = fresh * CHUNK
        self.chunks[fresh : fresh + n] = np.arange(fresh + 1, fresh + n + 1) * CHUNK
        self.chunks[fresh + n - 1] = after
        ring[R_CAPACITY] += n * CHUNK

    def _split(self, ring: Ints, chunk: int) -> int:
        """The tail has come round to the chunk in which the oldest entries lie: these move; where to."""
        moved = self._reserve_chunks(1) * CHUNK
        pool = self.pool.reshape(-1, WORDS)
        pool[moved : moved + CHUNK] = pool[chunk * CHUNK : (chunk + 1) * CHUNK]
        self.chunks[moved // CHUNK] = self.chunks[chunk]
        ring[R_CAPACITY] += CHUNK
        for count, word in ((R_HEAD, R_HEAD_SLOT), (R_RELEASED, R_RELEASED_SLOT)):
            # A border that is at the tail stays with the tail.
            if ring[word] // CHUNK == chunk and ring[word] >= ring[R_TAIL_SLOT] and ring[count] < ring[R_TAIL]:
                ring[word] += moved - chunk * CHUNK
        return moved

    def grow_short(self) -> None:
        """Grow every ring of packets that has fewer slots free than it must have."""
        table = self.table
        table[:, R_PASSED] = table[:, R_HEAD]
        free = table[:, R_CAPACITY] - (table[:, R_TAIL] - table[:, R_HEAD])
        for q in np.flatnonzero((free < LEAST_FREE) & (table[:, R_KIND] != SOURCE)).tolist():
            self.grow(q, 0)

    def stock(self, threads: int = 1) -> Ints:
        """Some chunks for one of so many threads to give to rings, int64[k]."""
        n = max(LEAST_STOCK, self._chunks_used // (STOCK_SHARE * threads))
        return self._reserve_chunks(n) + np.arange(n)[::-1]

    def waiting(self) -> Ints:
        """Entries waiting per ring of packets (sources count as 0), int64[n]."""
        table = self.table
        return np.where(table[:, R_KIND] == SOURCE, 0, table[:, R_TAIL] - table[:, R_HEAD])

    def packets(self) -> Ints:
        """All packets in flight at rest, int64[n, 10], by ring and then by age."""
        slots: list[int] = []
        table, waiting = self.table, self.waiting()
        for q in np.flatnonzero(waiting):
            slot, left = int(table[q, R_HEAD_SLOT]), int(waiting[q])
            while left > 0:
                n = min(left, CHUNK - slot % CHUNK)
                slots.extend(range(slot, slot + n))
                slot, left = int(self.chunks[slot // CHUNK]), left - n
        return self.pool.reshape(-1, WORDS)[slots]

    def _reserve_chunks(self, n: int) -> int:
        """`n` chunks in a row that nobody has; the first."""
        first = self._chunks_used
        if first + n > len(self.chunks):
            # In place where the system can: packets in flight are most of the memory of a busy network. The pool
            # first: should there be no memory for it, nothing says that there is.
            chunks = max(first + n, len(self.chunks) * 17 // 16)
            self.pool.resize(chunks * CHUNK * WORDS, refcheck=False)
            self.chunks.resize(chunks, refcheck=False)
        self._chunks_used += n
        return first

    # -- sources --------------------------------------------------------------------------

    def push_arrivals(self, q: int, at_ns: Ints, rows: Ints | int) -> None:
        """Append ascending times (and the store rows they send, or one for all) to a source ring."""
        n = len(at_ns)
        ring = self.rings[q * RING_WORDS : (q + 1) * RING_WORDS]
        words = ring.tolist()
        if words[R_TAIL] - words[R_HEAD] + n > words[R_MASK] + 1:
            self._grow_arrivals(ring, n)
            words = ring.tolist()
        base, capacity = words[R_BASE], words[R_MASK] + 1
        first = words[R_TAIL] % capacity
        arrivals = self.arrivals.reshape(-1, ARRIVAL_WORDS)[base : base + capacity]
        n_first = min(n, capacity - first)
        # Up to the end of the block, then from its beginning on.
        for there, here in ((slice(first, first + n_first), slice(n_first)), (slice(n - n_first), slice(n_first, n))):
            arrivals[there, 0] = at_ns[here]
            arrivals[there, 1] = rows if isinstance(rows, int) else rows[here]
        ring[R_TAIL] = ring[R_SEEN] = words[R_TAIL] + n

    def last_arrival_ns(self, q: int) -> int:
        """The last time a source ring holds, 0 when it is empty."""
        words = self.rings[q * RING_WORDS : (q + 1) * RING_WORDS].tolist()
        if words[R_HEAD] == words[R_TAIL]:
            return 0
        return int(self.arrivals[(words[R_BASE] + (words[R_TAIL] - 1 & words[R_MASK])) * ARRIVAL_WORDS])

    def drop_arrivals(self, q: int) -> None:
        """Forget what a source has not sent yet."""
        ring = self.table[q]
        ring[R_TAIL] = ring[R_SEEN] = ring[R_HEAD]

    def _grow_arrivals(self, ring: Ints, wanted: int) -> None:
        head, tail = int(ring[R_HEAD]), int(ring[R_TAIL])
        old_base, old_capacity = int(ring[R_BASE]), int(ring[R_MASK]) + 1
        capacity = old_capacity
        while capacity < tail - head + wanted:
            capacity *= 2
        if capacity == old_capacity:
            return
        freed = self._free_arrivals.get(capacity)
        base = freed.pop() if freed else self._reserve_arrivals(capacity)
        entries = np.arange(head, tail)
        arrivals = self.arrivals.reshape(-1, ARRIVAL_WORDS)
        arrivals[base + (entries & capacity - 1)] = arrivals[old_base + (entries & old_capacity - 1)]
        ring[R_BASE], ring[R_MASK] = base, capacity - 1
        ring[R_HEAD_SLOT] = base + (head & capacity - 1)
        self._free_arrivals.setdefault(old_capacity, []).append(old_base)

    def _reserve_arrivals(self, slots: int) -> int:
        base = self._arrivals_used
        if (base + slots) * ARRIVAL_WORDS > len(self.arrivals):
            larger = max(base + slots, len(self.arrivals) // ARRIVAL_WORDS * 3 // 2)
            self.arrivals.resize(larger * ARRIVAL_WORDS, refcheck=False)
        self._arrivals_used += slots
        return base
