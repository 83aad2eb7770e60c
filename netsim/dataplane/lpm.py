"""Longest-prefix match on (source, destination): build a table, look one packet up.

Among the rules that match both, the longest destination prefix wins, then the longest source
prefix. Building cuts the destination space into disjoint intervals by one sweep over the
prefixes in order: prefixes nest, so a stack of the open ones is enough. The source list of a
prefix is its parent's with its own rules laid over it, shortest source first; hence the
destination decides before the source does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from netsim.dataplane.direct_table import IN_INTERVAL, SLOT_ADDRS, SLOT_BITS
from netsim.dataplane.fib import N_DIRECT, N_DST, N_DST_COUNT, N_RULE, NODE_WORDS
from netsim.jit import i64, kernel
from netsim.prefix import MAX_ADDR, Prefix

NO_RULE = -1
SourceList = tuple[tuple[int, int], ...]
"""(first source address, rule or NO_RULE) of each source interval, ascending, the first at 0."""

NOTHING: SourceList = ((0, NO_RULE),)


class Table(NamedTuple):
    """Destination intervals in order: where each starts (the first at 0) and its source list."""

    dst_lo: list[int]
    sources: list[SourceList]


def build_table(rules: Iterable[tuple[Prefix, Prefix, int]]) -> Table:
    """The table of (destination, source, rule number) triples; pairs must be unique."""
    by_destination: dict[Prefix, list[tuple[Prefix, int]]] = {}
    for destination, source, rule in rules:
        by_destination.setdefault(destination, []).append((source, rule))

    dst_lo: list[int] = [0]
    lists: list[SourceList] = [NOTHING]

    def emit(at: int, sources: SourceList) -> None:
        if dst_lo[-1] == at:
            lists[-1] = sources
            if len(lists) > 1 and lists[-2] == sources:
                dst_lo.pop()
                lists.pop()
        elif lists[-1] != sources:
            dst_lo.append(at)
            lists.append(sources)

    open_prefixes: list[tuple[int, SourceList]] = []  # (last address, its source list)

    def close_until(at: int) -> None:
        while open_prefixes and open_prefixes[-1][0] < at:
            last, _ = open_prefixes.pop()
            if last < MAX_ADDR:
                emit(last + 1, open_prefixes[-1][1] if open_prefixes else NOTHING)

    for destination in sorted(by_destination):
        close_until(destination.network)
        below = open_prefixes[-1][1] if open_prefixes else NOTHING
        sources = _lay_over(below, by_destination[destination])
        emit(destination.network, sources)
        open_prefixes.append((destination.last, sources))
    close_until(MAX_ADDR + 1)
    return Table(dst_lo, lists)


def _lay_over(below: SourceList, rules: list[tuple[Prefix, int]]) -> SourceList:
    """`below` with each rule's source prefix painted on, longer prefixes on top of shorter."""
    if len(rules) == 1 and rules[0][0].prefix_len == 0:
        return ((0, rules[0][1]),)
    intervals = list(below)
    for source, rule in sorted(rules, key=lambda pair: pair[0].prefix_len):
        first, after = source.first, source.last + 1
        kept = [piece for piece in intervals if piece[0] < first]
        behind = [piece for piece in intervals if piece[0] > after]
        resumes = next(number for lo, number in reversed(intervals) if lo <= after)
        intervals = [*kept, (first, rule)]
        if after <= MAX_ADDR:
            intervals += [(after, resumes), *behind]
    merged = [intervals[0]]
    for piece in intervals[1:]:
        if piece[1] != merged[-1][1]:
            merged.append(piece)
    return tuple(merged)


@kernel
def last_at_most(array: Any, first: int, count: int, value: int) -> int:
    """Index of the last element <= value in the ascending slice; the first must be <= value.

    Without a branch that depends on what is read: compiled, twice as fast on random values.
    """
    low = first
    while count > 1:
        half = count >> 1
        if array[low + half] <= value:
            low += half
        count -= half
    return low


@kernel
def rule_in(dst_src: Any, src_lo: Any, src_rule: Any, interval: int, src: int) -> int:
    """The rule that wins in a destination interval for this source, or NO_RULE."""
    first = dst_src[interval * 2]
    sources = dst_src[interval * 2 + 1]
    if sources == 1:
        return src_rule[first]  # type: ignore[no-any-return]
    return src_rule[last_at_most(src_lo, first, sources, src)]  # type: ignore[no-any-return]


@kernel
def lookup(node: Any, dst_lo: Any, dst_src: Any, src_lo: Any, src_rule: Any, n: int, src: int, dst: int) -> int:
    """The rule that wins at node `n` for (src, dst), or NO_RULE: by binary search, whatever the table's size."""
    base = n * NODE_WORDS
    count = node[base + N_DST_COUNT]
    if count == 0:
        return NO_RULE
    return rule_in(dst_src, src_lo, src_rule, last_at_most(dst_lo, node[base + N_DST], count, dst), src)


@kernel
def find_rule(fib: Any, n: int, src: int, dst: int) -> int:
    """The same by the fastest way there is: through the direct table where the node has one."""
    base = n * NODE_WORDS
    direct = fib.node[base + N_DIRECT]
    if direct < 0:
        return lookup(fib.node, fib.dst_lo, fib.dst_src, fib.src_lo, fib.src_rule, n, src, dst)
    entry = i64(fib.direct[direct + (dst >> SLOT_BITS)])
    if entry >= 0:
        return fib.node[base + N_RULE] + entry  # type: ignore[no-any-return]
    if entry == NO_RULE:
        return NO_RULE
    # The /24 is cut: the interval its first address lies in, and at most one for each address after it.
    first = IN_INTERVAL - entry
    count = fib.node[base + N_DST_COUNT] - first
    if count > SLOT_ADDRS:
        count = SLOT_ADDRS
    interval = last_at_most(fib.dst_lo, fib.node[base + N_DST] + first, count, dst)
    return rule_in(fib.dst_src, fib.src_lo, fib.src_rule, interval, src)


@kernel(is_inline=False)
def find_rules_at(fib: Any, n: int, dst: Any, found: Any) -> None:
    """`find_rule` of each row at one node with a direct table, for packets from anywhere that no rule asks about.

    A rule's number is the node's own here: 0 is its first. The loop only reads, in as few instructions
    as can be, so that a processor waits for many reads at once; rows that need more are done after it.
    (Rows from `first` to `last` instead of all: a third slower, each index could be negative then.)
    """
    direct = fib.node[n * NODE_WORDS + N_DIRECT]
    lowest = 0
    for i in range(len(dst)):
        entry = i64(fib.direct[direct + (dst[i] >> SLOT_BITS)])
        found[i] = entry
        if entry < lowest:
            lowest = entry
    if lowest < NO_RULE:
        base = fib.node[n * NODE_WORDS + N_RULE]
        for i in range(len(dst)):
            if found[i] < NO_RULE:
                rule = find_rule(fib, n, 0, dst[i])
                found[i] = rule - base if rule >= 0 else rule
