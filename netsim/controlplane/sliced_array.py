"""SlicedArray: one array in which each of n owners has a slice, laid end to end in the order of owners.

To replace a few slices costs one pass of copying; what lies between them moves as a whole. The
array itself is never written again, so earlier versions of it may be held and shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class SlicedArray:
    """Rows of `width` words, int64[rows, width].

    Attributes:
        array: all slices; read-only, of dtype `dtype`.
        first, count: int64[owners], where each owner's slice begins and its length, in rows.
    """

    def __init__(self, width: int = 1, dtype: type[np.signedinteger[Any]] = np.int64) -> None:
        self.array: NDArray[Any] = np.zeros((0, width), dtype)
        self.first: Ints = np.zeros(0, np.int64)
        self.count: Ints = np.zeros(0, np.int64)

    @property
    def flat(self) -> NDArray[Any]:
        """All words, [rows * width]."""
        return self.array.reshape(-1)

    def replace(self, slices: Mapping[int, NDArray[Any]], n_owners: int) -> None:
        """Give owners other slices, of any length; an owner that is new and not named has an empty one.

        Args:
            slices: by owner, [k * width] or [k, width]; nothing in place of nothing copies nothing.
            n_owners: how many there are now, not fewer than before.
        """
        width = self.array.shape[1]
        count = np.concatenate((self.count, np.zeros(n_owners - len(self.count), np.int64)))
        runs: list[NDArray[Any]] = []
        done = 0
        for owner in sorted(slices):
            rows = slices[owner].reshape(-1, width)
            if not len(rows) and not count[owner]:
                continue
            first = int(self.first[owner]) if owner < len(self.first) else len(self.array)
            runs += (self.array[done:first], rows)
            done = first + int(count[owner])
            count[owner] = len(rows)
        if runs:
            self.array = np.concatenate((*runs, self.array[done:]))
            self.array.flags.writeable = False
        self.count = count
        self.first = np.cumsum(count) - count
