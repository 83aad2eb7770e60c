"""Queues: FIFO rings over one shared pool of packets at rest.

Everything that waits in a node waits in a ring, and each ring is sorted by time, because what
feeds it is: departures of a link, of an instance's interface, deliveries after a constant
delay, arrivals drawn in order. A node's next event is therefore the smallest head of its
rings, and no event is ever inserted in the middle.

`head` and `tail` count entries and only grow. One writer moves `tail`, one reader moves `head`. Ties are
settled by (time, kind, ref, sequence): what the router itself originates first, then links, interfaces,
deliveries and sources, each by number.

The slots of a ring of packets are a circle of chunks of four, in no order in the pool; `chunks[c]` is the first slot
of the chunk after c. A ring that becomes too small gets another chunk behind that of its tail, and nothing moves: by
itself as long as its thread has chunks in stock, from Python (`ring_table.py`) when it has none. A source's arrivals,
written by Python many at once, lie in one block: entry k at `k & mask`.

The ring of a link is written by one node and read by another, which another thread may be running.
What is written in a window is due after it, so the reader looks no further than `R_SEEN`, where the
tail was when the window began, and the writer counts free slots from `R_PASSED`, where the head was. Each
keeps to its own half of the record, a cache line.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.row import AT, WORDS, pack_row
from netsim.dataplane.state import C_SHORT, C_STOCK
from netsim.jit import kernel

# the reader's half, then the writer's; base and mask are a source's
(
    R_HEAD, R_HEAD_SLOT, R_SEEN, R_KIND, R_REF, R_NODE, R_IN_HEAP, R_BASE,
    R_TAIL, R_TAIL_SLOT, R_RELEASED, R_RELEASED_SLOT, R_PASSED, R_CAPACITY, R_MASK,
) = range(15)  # fmt: skip
RING_WORDS = 16

# kinds, in the order that settles ties
OWN, LINK, NIC, DELIVERY, SOURCE = range(5)

CHUNK_BITS = 2
CHUNK = 1 << CHUNK_BITS
"""Slots of a chunk."""
FIRST_CHUNKS = 2
SPARE = 2
"""No event adds more single packets than this to one ring."""
LEAST_FREE = SPARE + CHUNK
"""Free slots every ring has when an event starts: where the chunk of the tail ends, what is free has not ended yet."""


@kernel
def head_ns(rings: Any, pool: Any, arrivals: Any, q: int) -> int:
    """Time of the first entry of a ring that is not empty."""
    r = q * RING_WORDS
    slot = rings[r + R_HEAD_SLOT]
    if rings[r + R_KIND] == SOURCE:
        return arrivals[slot * 2]  # type: ignore[no-any-return]
    return pool[slot * WORDS]  # type: ignore[no-any-return]


@kernel
def is_empty(rings: Any, q: int) -> bool:
    """Whether nothing waits in the ring that may be due in this window."""
    r = q * RING_WORDS
    return rings[r + R_HEAD] == rings[r + R_SEEN]  # type: ignore[no-any-return]


@kernel
def free_slots(rings: Any, q: int) -> int:
    """How many entries still fit, by what the writer knows."""
    r = q * RING_WORDS
    return rings[r + R_CAPACITY] - (rings[r + R_TAIL] - rings[r + R_PASSED])  # type: ignore[no-any-return]


@kernel
def next_slot(chunks: Any, slot: int) -> int:
    """The slot after this one, in a ring of packets."""
    after = slot + 1
    if after & CHUNK - 1 == 0:
        after = chunks[slot >> CHUNK_BITS]
    return after


@kernel
def refresh(rings: Any, q: int) -> None:
    """Let reader and writer know how far the other is: at the start of a window, when both stand still."""
    r = q * RING_WORDS
    rings[r + R_SEEN] = rings[r + R_TAIL]
    rings[r + R_PASSED] = rings[r + R_HEAD]


@kernel
def pop(rings: Any, chunks: Any, q: int) -> None:
    """Be done with the first entry."""
    r = q * RING_WORDS
    head = rings[r + R_HEAD] + 1
    rings[r + R_HEAD] = head
    kind = rings[r + R_KIND]
    if kind == SOURCE:
        rings[r + R_HEAD_SLOT] = rings[r + R_BASE] + (head & rings[r + R_MASK])
    else:
        rings[r + R_HEAD_SLOT] = next_slot(chunks, rings[r + R_HEAD_SLOT])
        if kind != LINK:
            rings[r + R_PASSED] = head  # its writer is this node too


@kernel
def push(st: Any, q: int, row: Any, at_ns: int) -> None:
    """Append the packet in hand, due at `at_ns`, to a ring of the node's own: it may be due in this window."""
    push_ahead(st, q, row, at_ns)
    r = q * RING_WORDS
    st.rings[r + R_SEEN] = st.rings[r + R_TAIL]


@kernel
def push_ahead(st: Any, q: int, row: Any, at_ns: int) -> None:
    """As `push`, to a link's ring: its reader sees it in a later window."""
    row[AT] = at_ns
    pack_row(row, st.pool, st.rings[q * RING_WORDS + R_TAIL_SLOT] * WORDS)
    append(st, q)


@kernel
def append(st: Any, q: int) -> None:
    """Count what was written to the slot at the tail as an entry, and have room for more.

    Sets C_SHORT when there is no chunk to make room with.
    """
    rings = st.rings
    r = q * RING_WORDS
    rings[r + R_TAIL] += 1
    rings[r + R_TAIL_SLOT] = next_slot(st.chunks, rings[r + R_TAIL_SLOT])
    if not make_room(st, q, LEAST_FREE):
        st.control[C_SHORT] = 1


@kernel
def make_room(st: Any, q: int, wanted: int) -> bool:
    """Whether the ring has so many slots free, with chunks from the stock if need be."""
    r = q * RING_WORDS
    while free_slots(st.rings, q) < wanted:
        left = st.control[C_STOCK] - 1
        if left < 0:
            return False
        st.control[C_STOCK] = left
        fresh = st.stock[left]
        last = st.rings[r + R_TAIL_SLOT] >> CHUNK_BITS
        st.chunks[fresh] = st.chunks[last]
        st.chunks[last] = fresh * CHUNK
        st.rings[r + R_CAPACITY] += CHUNK
    return True
