"""Arrays that begin at a cache line, so that records of whole lines share none.

Two threads that write to different words of one line take it from each other at each write.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

LINE_BYTES = 64
LINE_WORDS = LINE_BYTES // 8


def zeros(words: int) -> Ints:
    """int64[words], all 0."""
    room = np.zeros(words + LINE_WORDS, np.int64)
    first = -room.ctypes.data % LINE_BYTES // 8
    return room[first : first + words]


def joined(*arrays: Ints) -> Ints:
    """The arrays one after the other, in a new one."""
    whole = zeros(sum(len(array) for array in arrays))
    at = 0
    for array in arrays:
        whole[at : at + len(array)] = array
        at += len(array)
    return whole
