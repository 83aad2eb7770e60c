"""Many lookups at once, in the tables of any nodes: the form for millions of packets that wait for nothing.

A copy of a Fib's destination intervals made for reading: 32-bit first addresses and winners, a third of
the memory, so that a thousand tables of a hundred rules fit where a processor reads in a few cycles.
Two rows are searched in step: their reads do not wait for each other. Together three times as fast as
one `lpm.find_rule` after the other (`benchmarks/bench_lpm_many.py`). Kernels release the GIL, so threads
share a batch by chunks of rows.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim import jit
from netsim.dataplane.fib import N_DST, N_DST_COUNT, NODE_WORDS, Fib, table_of
from netsim.dataplane.lpm import NO_RULE, find_rule
from netsim.jit import i64, kernel

Ints = NDArray[np.int64]

BY_SOURCE = -2
"""In place of a winner: the source decides."""
CHUNK = 1 << 16
"""Rows that a thread takes at a time."""
_LOWEST = -(2**31)


class LookupBatch:
    """Lookups in the tables of one Fib.

    Attributes:
        first_count: int64[nodes * 2], a node's slice of the next two.
        low: int32[d], first addresses of the intervals, less 2^31: ordered as signed numbers.
        wins: int32[d], the rule that wins in each, NO_RULE or BY_SOURCE.
    """

    def __init__(self, fib: Fib) -> None:
        self.fib = fib
        self.first_count = table_of(fib.node, NODE_WORDS)[:, [N_DST, N_DST_COUNT]].reshape(-1)
        self.low = (fib.dst_lo + _LOWEST).astype(np.int32)
        lists = fib.dst_src.reshape(-1, 2)
        self.wins = np.where(lists[:, 1] == 1, fib.src_rule[lists[:, 0]], BY_SOURCE).astype(np.int32)

    def find(self, node: Ints, src: Ints, dst: Ints, threads: int = 1) -> Ints:
        """The rule that wins for each row, NO_RULE for none; int64[n] columns."""
        found = np.empty(len(dst), np.int64)
        run = jit.compiled(find_pairs)

        def part(start: int) -> None:
            rows = slice(start, start + CHUNK)
            run(self.fib, self.first_count, self.low, self.wins, node[rows], src[rows], dst[rows], found[rows])

        starts = range(0, len(dst), CHUNK)
        if threads == 1:
            for start in starts:
                part(start)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(part, starts))
        return found


@kernel(is_inline=False)
def find_pairs(fib: Any, first_count: Any, low: Any, wins: Any, node: Any, src: Any, dst: Any, found: Any) -> None:
    """`LookupBatch.find` of some rows, two at a time, without a branch that depends on what is read."""
    rows = len(dst)
    undecided = 0
    for i in range(0, rows, 2):
        j = i + 1
        if j == rows:
            j = i
        a = first_count[node[i] * 2]
        b = first_count[node[j] * 2]
        in_a = first_count[node[i] * 2 + 1]
        in_b = first_count[node[j] * 2 + 1]
        if in_a == 0 or in_b == 0:
            found[i] = find_rule(fib, node[i], src[i], dst[i])
            found[j] = find_rule(fib, node[j], src[j], dst[j])
            continue
        dst_a = dst[i] + _LOWEST
        dst_b = dst[j] + _LOWEST
        while in_a > 1 or in_b > 1:
            half_a = in_a >> 1
            half_b = in_b >> 1
            # All ones where the interval begins at the address or before it, else zero.
            a += half_a & (i64(low[a + half_a]) - dst_a - 1 >> 63)
            b += half_b & (i64(low[b + half_b]) - dst_b - 1 >> 63)
            in_a -= half_a
            in_b -= half_b
        rule_a = i64(wins[a])
        rule_b = i64(wins[b])
        found[i] = rule_a
        found[j] = rule_b
        undecided = undecided | (rule_a - NO_RULE) | (rule_b - NO_RULE)
    if undecided < 0:
        for i in range(rows):
            if found[i] < NO_RULE:
                found[i] = find_rule(fib, node[i], src[i], dst[i])
