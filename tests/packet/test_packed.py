from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.packet.packed import PackedPackets, stretches


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
