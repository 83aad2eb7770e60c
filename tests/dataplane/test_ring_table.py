"""Rings of chunks against plain queues: entries keep their order however they come, go, and make room."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from netsim.dataplane import ring, state
from netsim.dataplane.ring import (
    CHUNK,
    LEAST_FREE,
    LINK,
    NIC,
    OWN,
    R_CAPACITY,
    R_HEAD,
    R_RELEASED,
    R_RELEASED_SLOT,
    RING_WORDS,
    SOURCE,
)
from netsim.dataplane.ring_table import RingTable
from netsim.dataplane.row import N_FIELDS, SEQ, unpack_words

KINDS = [OWN, LINK, NIC, LINK, SOURCE]
STEPS = 4000


class Rings:
    """A table of five rings with a thread's stock, beside five queues."""

    def __init__(self) -> None:
        self.table = RingTable()
        self.table.add(np.array(KINDS), np.arange(5), np.zeros(5, np.int64))
        self.control = np.zeros(state.CONTROL_WORDS, np.int64)
        self.stock = np.zeros(0, np.int64)
        self.queues: list[deque[int]] = [deque() for _ in KINDS]
        self.refills = 0

    @property
    def st(self) -> Any:
        """What kernels get."""
        table = self.table
        columns = {"rings": table.rings, "pool": table.pool, "chunks": table.chunks}
        columns |= {"stock": self.stock, "control": self.control}
        return SimpleNamespace(**{name: memoryview(column) for name, column in columns.items()})  # type: ignore[arg-type]

    def end_event(self) -> None:
        """What the engine does when a kernel was short of room."""
        if self.control[state.C_SHORT]:
            self.control[state.C_SHORT] = 0
            self.refills += 1
            self.table.grow_short()
            self.stock = self.table.stock()
            self.control[state.C_STOCK] = len(self.stock)

    def push(self, q: int, seq: int) -> None:
        row = [0] * N_FIELDS
        row[SEQ] = seq
        st = self.st
        if KINDS[q] == LINK:
            self.release(st, q)
            ring.push_ahead(st, q, row, seq)
        else:
            ring.push(st, q, row, seq)
        self.queues[q].append(seq)

    def pop(self, q: int) -> None:
        st = self.st
        assert ring.head_ns(st.rings, st.pool, st.pool, q) == self.queues[q].popleft()
        ring.pop(st.rings, st.chunks, q)

    def release(self, st: Any, q: int) -> None:
        """An offer to a link counts what departed: at least what has arrived."""
        r = q * RING_WORDS
        while st.rings[r + R_RELEASED] < st.rings[r + R_HEAD]:
            st.rings[r + R_RELEASED] += 1
            st.rings[r + R_RELEASED_SLOT] = ring.next_slot(st.chunks, st.rings[r + R_RELEASED_SLOT])

    def check(self) -> None:
        kept = unpack_words(self.table.packets())[:, SEQ].tolist() if any(self.queues) else []
        assert kept == [seq for queue in self.queues for seq in queue]
        for q, queue in enumerate(self.queues[:-1]):
            assert self.table.table[q, R_CAPACITY] >= len(queue) + LEAST_FREE


@pytest.mark.parametrize("seed", range(12))
def test_a_ring_is_a_queue(seed: int) -> None:
    rng = np.random.Generator(np.random.PCG64(seed))
    rings, seq = Rings(), 0
    for step in range(STEPS):
        # Now more come than go, now fewer.
        may_push = rng.random() < 0.5 + 0.4 * np.sin(step / 300)
        q = int(rng.integers(len(KINDS) - 1))
        if may_push:
            for _ in range(int(rng.integers(1, ring.SPARE + 1))):
                seq += 1
                rings.push(q, seq)
            rings.end_event()
        elif rings.queues[q] and (KINDS[q] != LINK or rings.st.rings[q * RING_WORDS + ring.R_SEEN] > 0):
            ring.refresh(rings.st.rings, q)
            rings.pop(q)
        if rng.random() < 0.1:
            ring.refresh(rings.st.rings, q)
        if rng.random() < 0.02:
            rings.table.grow(q, int(rng.integers(1, 60)))
        if step % 50 == 0:
            rings.check()
    rings.check()
    assert seq > STEPS // 3 and rings.refills >= 2


def test_a_tail_that_came_round_to_the_oldest_entries_takes_nothing_from_them() -> None:
    """No event leaves a ring so full; room is made there too."""
    for lead in range(2 * CHUNK):
        rings = Rings()
        for seq in range(lead):
            rings.push(0, seq)
            rings.pop(0)
        full = range(100, 100 + 2 * CHUNK)
        for seq in full:
            rings.push(0, seq)
        rings.table.grow(0, 7)
        for seq in range(200, 207):
            rings.push(0, seq)
        rings.check()


def test_arrivals_keep_their_order_when_their_block_moves() -> None:
    table = RingTable()
    table.add(np.array([SOURCE, SOURCE]), np.arange(2), np.zeros(2, np.int64))
    sent: list[int] = []
    expected: list[int] = []
    for k in range(40):
        at_ns = np.arange(k * 100, k * 100 + 1 + k * 3 % 17)
        table.push_arrivals(1, at_ns, at_ns + 1)
        expected += at_ns.tolist()
        assert table.last_arrival_ns(1) == at_ns[-1]
        rings, arrivals = memoryview(table.rings), memoryview(table.arrivals)  # type: ignore[arg-type]
        while table.table[1, R_HEAD] < table.table[1, ring.R_TAIL] - k % 5:
            sent.append(ring.head_ns(rings, arrivals, arrivals, 1))
            assert arrivals[rings[RING_WORDS + ring.R_HEAD_SLOT] * 2 + 1] == sent[-1] + 1
            ring.pop(rings, arrivals, 1)
    assert sent == expected[: len(sent)] and len(sent) >= len(expected) - 5
    table.drop_arrivals(1)
    assert table.last_arrival_ns(1) == 0
