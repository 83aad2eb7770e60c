"""Arrays that begin at a cache line, so that records of whole lines share none, and that grow at their end.

Two threads that write to different words of one line take it from each other at each write.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim.jit.together import LINE_WORDS

LINE_BYTES = LINE_WORDS * 8


def zeros(n: int, dtype: Any = np.int64, *, room: int = 0) -> Any:
    """A new array[n] of zeros, with room for so many entries behind it."""
    size = np.dtype(dtype).itemsize
    whole = np.zeros(n + room + LINE_BYTES // size, dtype)
    first = -whole.ctypes.data % LINE_BYTES // size
    return whole[first : first + n]


def extended(array: NDArray[Any], fresh: NDArray[Any]) -> Any:
    """The array with new entries at its end; the old one is not to be used any more.

    Takes time for the new entries, now and then for all: there is room for half as many again, and memory that
    was never touched takes none.
    """
    n, n_fresh = len(array), len(fresh)
    whole = array.base
    if isinstance(whole, np.ndarray):
        first = (array.ctypes.data - whole.ctypes.data) // array.itemsize
        if first + n + n_fresh <= len(whole):
            longer = whole[first : first + n + n_fresh]
            longer[n:] = fresh
            return longer
    longer = zeros(n + n_fresh, array.dtype, room=(n + n_fresh) // 2)
    longer[:n], longer[n:] = array, fresh
    return longer
