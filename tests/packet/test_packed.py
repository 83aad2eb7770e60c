from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.packet.packed import PackedPackets, heads, only_held, stretches


@given(st.lists(st.binary(max_size=20), max_size=8), st.data())
def test_packets_in_one_buffer_are_the_packets(packets: list[bytes], data: st.DataObject) -> None:
    packed = PackedPackets.of(packets)
    assert list(packed) == packets
    rows = data.draw(st.lists(st.sampled_from(range(len(packets))), max_size=5)) if packets else []
    assert list(packed.take(np.array(rows, np.int64))) == [packets[i] for i in rows]


@pytest.mark.parametrize("size", [0, 1, 5, 16])
def test_stretches_are_slices(size: int) -> None:
    buffer = np.arange(64, dtype=np.uint8)
    starts = np.array([0, 7, 7, 64 - size], np.int64)
    assert [row.tobytes() for row in stretches(buffer, starts, size)] == [
        buffer[start : start + size].tobytes() for start in starts
    ]


def test_no_stretches_of_a_buffer_too_short_for_one() -> None:
    assert stretches(np.zeros(3, np.uint8), np.zeros(0, np.int64), 16).shape == (0, 16)


@pytest.mark.parametrize("size", [1, 4, 16, 50])
@pytest.mark.parametrize("length", [0, 3, 16, 40])
def test_heads_reach_beyond_the_buffer_into_zeros(size: int, length: int) -> None:
    buffer = np.arange(1, length + 1, dtype=np.uint8)
    starts = np.arange(length + 1)
    padded = buffer.tobytes() + bytes(size)
    assert [row.tobytes() for row in heads(buffer, starts, size)] == [padded[k : k + size] for k in starts.tolist()]


def test_only_what_is_held_stays_of_a_head() -> None:
    rows = only_held(np.full((6, 4), 7, np.uint8), np.array([0, 1, 3, 4, 5, 2**40]))
    assert [row.tobytes().rstrip(b"\0") for row in rows] == [b"\7" * n for n in (0, 1, 3, 4, 4, 4)]
