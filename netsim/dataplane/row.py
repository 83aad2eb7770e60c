"""The packet in hand, and its packed form.

In hand, a packet is an int64[21] with one field per column of `batch.COLUMNS`, in that order:
kernels read `row[SRC]`. At rest, in a ring, the same packet is ten int64 words, so that a
million packets in flight cost 80 MB and a push touches two cache lines:

    word 0  at_ns
    word 1  src 0-31 | size_bytes 32-47
    word 2  dst 0-31 | ident 32-47 | ttl 48-55 | role 56-57 | flags 58-62
    word 3  sent_at_ns
    word 4  seq
    word 5  l4
    word 6  flow 0-31 | frag_offset 32-47 | proto 48-55 | header_bytes / 4 56-59
    word 7  inst + 1 0-31 | transits 32-39
    word 8  tcp_seq 0-31 | ts_echo 32-62
    word 9  tcp_ack 0-31 | window 32-47

No field reaches bit 63: the words stay non-negative, whatever is inside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane.batch import COLUMNS, PacketBatch
from netsim.jit import kernel

(
    AT, SRC, DST, SENT, SEQ, L4, SIZE, FLOW, FRAG, IDENT, INST, TTL, PROTO, FLAGS, ROLE, TRANSITS, HEADER,
    TCP_SEQ, TCP_ACK, WINDOW, TS_ECHO,
) = range(len(COLUMNS))  # fmt: skip
N_FIELDS = len(COLUMNS)
WORDS = 10
BYTES_AT_REST = WORDS * 8

_M32 = 0xFFFF_FFFF
_M16 = 0xFFFF
_M8 = 0xFF


@kernel
def unpack_row(pool: Any, at: int, row: Any) -> None:
    """Take the packet whose words start at `pool[at]` into the hand."""
    row[AT] = pool[at]
    word = pool[at + 1]
    row[SRC] = word & _M32
    row[SIZE] = word >> 32
    word = pool[at + 2]
    row[DST] = word & _M32
    row[IDENT] = word >> 32 & _M16
    row[TTL] = word >> 48 & _M8
    row[ROLE] = word >> 56 & 3
    row[FLAGS] = word >> 58
    row[SENT] = pool[at + 3]
    row[SEQ] = pool[at + 4]
    row[L4] = pool[at + 5]
    word = pool[at + 6]
    row[FLOW] = word & _M32
    row[FRAG] = word >> 32 & _M16
    row[PROTO] = word >> 48 & _M8
    row[HEADER] = (word >> 56) * 4
    word = pool[at + 7]
    row[INST] = (word & _M32) - 1
    row[TRANSITS] = word >> 32
    word = pool[at + 8]
    row[TCP_SEQ] = word & _M32
    row[TS_ECHO] = word >> 32
    word = pool[at + 9]
    row[TCP_ACK] = word & _M32
    row[WINDOW] = word >> 32


@kernel
def pack_row(row: Any, pool: Any, at: int) -> None:
    """Lay the packet in hand down at `pool[at]`."""
    pool[at] = row[AT]
    pool[at + 1] = row[SRC] | row[SIZE] << 32
    pool[at + 2] = row[DST] | row[IDENT] << 32 | row[TTL] << 48 | row[ROLE] << 56 | row[FLAGS] << 58
    pool[at + 3] = row[SENT]
    pool[at + 4] = row[SEQ]
    pool[at + 5] = row[L4]
    pool[at + 6] = row[FLOW] | row[FRAG] << 32 | row[PROTO] << 48 | row[HEADER] // 4 << 56
    pool[at + 7] = row[INST] + 1 | row[TRANSITS] << 32
    pool[at + 8] = row[TCP_SEQ] | row[TS_ECHO] << 32
    pool[at + 9] = row[TCP_ACK] | row[WINDOW] << 32


def batch_of_rows(rows: NDArray[np.int64]) -> PacketBatch:
    """Columns of n packets in hand, int64[n, 21]."""
    return PacketBatch({name: rows[:, i].astype(dtype) for i, (name, dtype) in enumerate(COLUMNS.items())})


def rows_of_batch(batch: PacketBatch) -> NDArray[np.int64]:
    """The int64[n, 21] of a batch."""
    rows = np.empty((len(batch), N_FIELDS), np.int64)
    for i, name in enumerate(COLUMNS):
        rows[:, i] = batch[name]
    return rows


def pack_words(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Packets in hand, int64[n, 21], to packets at rest, int64[n, 10]; `pack_row` for many."""
    words = np.empty((len(rows), WORDS), np.int64)
    pack_row(rows.T, words.T, 0)
    return words


def unpack_words(words: NDArray[np.int64]) -> NDArray[np.int64]:
    """Packets at rest, int64[n, 10], to packets in hand, int64[n, 21]; `unpack_row` for many."""
    rows = np.empty((len(words), N_FIELDS), np.int64)
    # A kernel is elementwise in its fields: given columns instead of numbers, it does n packets at once.
    unpack_row(words.T, 0, rows.T)
    return rows
