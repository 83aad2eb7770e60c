"""SlicedArray: one array in which each of n owners has a slice, laid end to end in the order of owners.

To replace a few slices costs one pass of copying; what lies between them moves as a whole. The
array itself is never written again, so earlier versions of it may be held and shared.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class SlicedArray:
    """Rows of `width` words, int64[rows, width].

    Attributes:
        array: all slices; read-only.
        first, count: int64[owners], where each owner's slice begins and its length, in rows.
    """

    def __init__(self, width: int = 1) -> None:
        self.array: Ints = np.zeros((0, width), np.int64)
        self.first: Ints = np.zeros(0, np.int64)
        self.count: Ints = np.zeros(0, np.int64)

    @property
    def flat(self) -> Ints:
        """All words, int64[rows * width]."""
        return self.array.reshape(-1)

    def replace(self, slices: Mapping[int, Ints], n_owners: int) -> None:
        """Give owners other slices, of any length; an owner that is new and not named has an empty one.

        Args:
            slices: by owner, int64[k * width] or int64[k, width].
            n_owners: how many there are now, not fewer than before.
        """
        width = self.array.shape[1]
        count = np.concatenate((self.count, np.zeros(n_owners - len(self.count), np.int64)))
        runs: list[Ints] = []
        done = 0
        for owner in sorted(slices):
            rows = slices[owner].reshape(-1, width)
            first = int(self.first[owner]) if owner < len(self.first) else len(self.array)
            runs += (self.array[done:first], rows)
            done = first + int(count[owner])
            count[owner] = len(rows)
        if runs:
            self.array = np.concatenate((*runs, self.array[done:]))
            self.array.flags.writeable = False
        self.count = count
        self.first = np.cumsum(count) - count
