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

from netsim.dataplane.fib import N_DST, N_DST_COUNT, NODE_WORDS
from netsim.jit import kernel
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
    """Index of the last element <= value in the ascending slice; the first must be <= value."""
    low = first
    high = first + count
    while high - low > 1:
        middle = (low + high) >> 1
        if array[middle] <= value:
            low = middle
        else:
            high = middle
    return low


@kernel
def lookup(node: Any, dst_lo: Any, dst_src: Any, src_lo: Any, src_rule: Any, n: int, src: int, dst: int) -> int:
    """The rule that wins at node `n` for (src, dst), or NO_RULE."""
    base = n * NODE_WORDS
    count = node[base + N_DST_COUNT]
    if count == 0:
        return NO_RULE
    interval = last_at_most(dst_lo, node[base + N_DST], count, dst)
    first = dst_src[interval * 2]
    sources = dst_src[interval * 2 + 1]
    if sources == 1:
        return src_rule[first]  # type: ignore[no-any-return]
    return src_rule[last_at_most(src_lo, first, sources, src)]  # type: ignore[no-any-return]
