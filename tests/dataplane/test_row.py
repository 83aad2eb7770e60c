from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netsim.dataplane.batch import COLUMNS, PacketBatch
from netsim.dataplane.row import (
    N_FIELDS,
    WORDS,
    batch_of_rows,
    pack_row,
    pack_words,
    rows_of_batch,
    unpack_row,
    unpack_words,
)

BITS = {
    "at_ns": 63, "src": 32, "dst": 32, "sent_at_ns": 63, "seq": 63, "l4": 63, "size_bytes": 16, "flow": 31,
    "frag_offset": 16, "ident": 16, "inst": 31, "ttl": 8, "proto": 8, "flags": 5, "role": 2, "transits": 8,
    "header_bytes": 4, "tcp_seq": 32, "tcp_ack": 32, "window": 16, "ts_echo": 31,
}  # fmt: skip
"""How much of each column a packet at rest can hold; of `header_bytes` a quarter, of `inst` one more."""


def ranges(name: str) -> st.SearchStrategy[int]:
    if name == "header_bytes":
        return st.integers(0, 15).map(lambda words: 4 * words)
    low = -1 if name == "inst" else 0
    return st.one_of(st.just(low), st.just(2 ** BITS[name] - 1 + low), st.integers(low, 2 ** BITS[name] - 1 + low))


ROWS = st.tuples(*(ranges(name) for name in COLUMNS))


@given(ROWS)
def test_a_packet_at_rest_is_the_packet(row: tuple[int, ...]) -> None:
    """Memoryviews: nothing passes 64 bits on the way. No word is negative."""
    pool = memoryview(np.zeros(3 * WORDS, np.int64))  # type: ignore[arg-type]  # an array is a buffer
    back = memoryview(np.zeros(N_FIELDS, np.int64))  # type: ignore[arg-type]
    pack_row(row, pool, WORDS)
    unpack_row(pool, WORDS, back)
    assert tuple(back) == row
    assert min(pool) >= 0
    assert not any(pool[:WORDS]) and not any(pool[2 * WORDS :])


@given(ROWS)
def test_every_column_holds_what_a_packet_at_rest_can(row: tuple[int, ...]) -> None:
    batch = PacketBatch.of_rows([dict(zip(COLUMNS, row, strict=True))])
    assert tuple(batch.row(0).values()) == row
    assert tuple(batch_of_rows(rows_of_batch(batch)).row(0).values()) == row


@given(st.lists(ROWS, max_size=5))
def test_many_packets_at_once_are_each_of_them(listed: list[tuple[int, ...]]) -> None:
    rows = np.array(listed, np.int64).reshape(-1, N_FIELDS)
    words = np.zeros((len(rows), WORDS), np.int64)
    for i in range(len(rows)):
        pack_row(rows[i], words[i], 0)
    assert pack_words(rows).tolist() == words.tolist()
    assert unpack_words(words).tolist() == rows.tolist()
