"""Arrays as compiled kernels see them: every width, both ways, and nothing that is no plain column."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from netsim import jit
from netsim.jit import i64, kernel

SHIFT = 3


class Pair(NamedTuple):
    wide: Any
    narrow: Any


@kernel
def twice(column: Any, at: int) -> int:
    return i64(column[at]) * 2


@kernel
def mix(pair: Pair, out: Any, bias: int) -> int:
    """Reads, writes and adds in place; a record, a column of it, and a column by itself as arguments."""
    for i in range(len(out)):
        out[i] = twice(pair.narrow, i) + twice(pair.wide, len(out) - 1 - i) + bias
        out[i] += SHIFT
        pair.wide[i] -= 1
    pair.narrow[0] = 7
    return len(pair.wide)


@pytest.mark.parametrize("narrow", [np.int32, np.uint32, np.int16, np.uint8])
def test_a_kernel_does_the_same_plain_and_compiled_with_columns_of_any_width(narrow: Any) -> None:
    ends = np.iinfo(narrow)
    results = []
    for run in (mix, jit.compiled(mix)):
        pair = Pair(np.array([2**61, -5, 0], np.int64), np.array([ends.min, ends.max, 9], narrow))
        out = np.zeros(3, np.int64)
        length = run(pair, out, 11) if run is not mix else run(jit.plain_view(pair), memoryview(out), 11)  # type: ignore[arg-type]
        results.append((length, out.tolist(), pair.wide.tolist(), pair.narrow.tolist()))
    assert results[0] == results[1]
    assert results[0][1][2] == 2 * 9 + 2 * (2**61 - 1) + 11 + SHIFT


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros(6, np.int64)[::2], "contiguous"),
        (np.zeros((2, 2), np.int64), "one dimension"),
        ([1, 2, 3], "not list"),
    ],
)
def test_what_is_no_column_is_refused(array: Any, why: str) -> None:
    with pytest.raises(AssertionError, match=why):
        jit.compiled(mix)(Pair(array, np.zeros(3, np.int32)), np.zeros(3, np.int64), 0)


def test_a_kernel_that_does_more_with_a_column_does_not_compile() -> None:
    from numba.core.errors import TypingError

    @kernel
    def total(column: Any) -> int:
        return sum(column)

    with pytest.raises(TypingError):
        jit.compiled(total)(np.zeros(3, np.int64))
