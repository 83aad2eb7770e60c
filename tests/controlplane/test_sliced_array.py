"""Slices replaced in place of others: always the concatenation of everyone's latest."""

from __future__ import annotations

import numpy as np
import pytest

from netsim.controlplane.sliced_array import SlicedArray


@pytest.mark.parametrize("width", [1, 2, 7])
def test_it_is_the_concatenation_of_the_latest_slices(width: int) -> None:
    rng = np.random.default_rng(width)
    sliced = SlicedArray(width)
    latest: list[np.ndarray] = []
    for _ in range(60):
        latest += [np.zeros((0, width), np.int64)] * int(rng.integers(0, 3))
        chosen = [i for i in range(len(latest)) if rng.random() < 0.3]
        slices = {i: rng.integers(0, 99, (int(rng.integers(0, 5)), width)) for i in rng.permutation(chosen).tolist()}
        for i, rows in slices.items():
            latest[i] = rows
        sliced.replace(slices, len(latest))
        assert sliced.array.tolist() == [row for rows in latest for row in rows.tolist()]
        assert sliced.count.tolist() == [len(rows) for rows in latest]
        for i, first in enumerate(sliced.first.tolist()):
            assert sliced.array[first : first + len(latest[i])].tolist() == latest[i].tolist()


def test_earlier_versions_stay_as_they_were_and_nobody_writes() -> None:
    sliced = SlicedArray()
    sliced.replace({0: np.array([1, 2]), 1: np.array([3])}, 2)
    before = sliced.flat
    sliced.replace({0: np.array([9])}, 2)
    assert (before.tolist(), sliced.flat.tolist()) == ([1, 2, 3], [9, 3])
    with pytest.raises(ValueError, match="read-only"):
        before[0] = 0


def test_nothing_replaced_is_nothing_copied() -> None:
    sliced = SlicedArray()
    sliced.replace({0: np.array([1, 2])}, 1)
    before = sliced.array
    sliced.replace({}, 3)
    assert sliced.array is before
    assert sliced.count.tolist() == [2, 0, 0]
