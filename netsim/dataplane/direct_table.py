"""The form of a forwarding table that is huge: one entry for each /24, one read for nearly every lookup.

A binary search over a million intervals is twenty dependent reads of memory that no cache holds. The
direct table spends 64 MB to make that one: `direct[dst >> 8]` is the rule that wins everywhere in
that /24 (-1: none does), or, where the /24 is cut further or the source has a say, IN_INTERVAL minus
the number of the interval its first address lies in; the search goes on from there among the few
intervals of the /24. It is DIR-24-8 (Gupta, Lin, McKeown: Routing Lookups in Hardware at Memory
Access Speeds, INFOCOM 1998) with the intervals every table has as its second level.

`intervals_of` builds the intervals of rules without sources from columns: the same as
`lpm.build_table` of them, a hundred times as fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim import jit
from netsim.jit import kernel
from netsim.prefix import ADDR_BITS, MAX_ADDR

Ints = NDArray[np.int64]
Direct = NDArray[np.int32]

SLOT_BITS = 8
SLOTS = 1 << (ADDR_BITS - SLOT_BITS)
SLOT_ADDRS = 1 << SLOT_BITS
IN_INTERVAL = -2
DIRECT_FROM = 1 << 16
"""Tables with as many intervals or more get a direct table: from here on it is the smaller part of their memory."""

_COMPILE_FROM = 100_000
"""Rules from which on loading the compiler (a second) pays."""


def intervals_of(network: Ints, prefix_len: Ints) -> tuple[Ints, Ints]:
    """First addresses of the disjoint intervals (the first at 0), and the rule that wins in each, -1 for none.

    Args:
        network, prefix_len: int64[n], of rule i; no prefix twice. n log n by the sort.
    """
    n = len(network)
    # Outer prefixes before inner ones: by first address, the shorter first.
    order = np.argsort(network << 6 | prefix_len, kind="stable")
    first, last = network[order], network[order] + (1 << (ADDR_BITS - prefix_len[order])) - 1
    dst_lo, rule = np.empty(2 * n + 1, np.int64), np.empty(2 * n + 1, np.int64)
    open_last, open_rule = (np.empty(ADDR_BITS + 2, np.int64) for _ in range(2))
    run: Callable[..., int] = jit.compiled(sweep) if n >= _COMPILE_FROM else sweep
    columns: list[Any] = [first, last, order, dst_lo, rule, open_last, open_rule]
    if n < _COMPILE_FROM:
        columns = [memoryview(column) for column in columns]
    count = run(*columns)
    return dst_lo[:count].copy(), rule[:count].copy()


@kernel(is_inline=False)
def sweep(first: Any, last: Any, number: Any, dst_lo: Any, rule: Any, open_last: Any, open_rule: Any) -> int:
    """One pass over prefixes in order, outer before inner; how many intervals were written.

    Prefixes nest, so those open at an address are a stack, at most one for each length.
    """
    dst_lo[0] = 0
    rule[0] = -1
    count = 1
    depth = 0
    n = len(first)
    for i in range(n + 1):
        at = MAX_ADDR + 1
        if i < n:
            at = first[i]
        while depth > 0 and open_last[depth - 1] < at:
            depth -= 1
            after = open_last[depth] + 1
            if after <= MAX_ADDR:
                below = -1
                if depth > 0:
                    below = open_rule[depth - 1]
                count = emit(dst_lo, rule, count, after, below)
        if i < n:
            count = emit(dst_lo, rule, count, at, number[i])
            open_last[depth] = last[i]
            open_rule[depth] = number[i]
            depth += 1
    return count


@kernel
def emit(dst_lo: Any, rule: Any, count: int, at: int, wins: int) -> int:
    """From `at` on `wins` does; how many intervals there are now, as few as the answers change."""
    if dst_lo[count - 1] == at:
        rule[count - 1] = wins
        if count > 1 and rule[count - 2] == wins:
            return count - 1
    elif rule[count - 1] != wins:
        dst_lo[count] = at
        rule[count] = wins
        return count + 1
    return count


def direct_of(dst_lo: Ints, rule: Ints) -> Direct:
    """The direct table of intervals; cost that of 2^24 slots.

    Args:
        dst_lo: int64[d], ascending, the first 0.
        rule: int64[d], of each interval: the rule, -1 for none, -2 where the source decides.
    """
    # A slot belongs to the interval its first address lies in.
    up = (np.append(dst_lo, MAX_ADDR + 1) + SLOT_ADDRS - 1) >> SLOT_BITS
    entry = np.where(rule >= -1, rule, IN_INTERVAL - np.arange(len(dst_lo)))
    direct: Direct = np.repeat(entry.astype(np.int32), np.diff(up))
    cut = np.unique(dst_lo[(dst_lo & (SLOT_ADDRS - 1)) != 0] >> SLOT_BITS)
    direct[cut] = IN_INTERVAL + 1 - np.searchsorted(dst_lo, cut << SLOT_BITS, side="right")
    return direct
