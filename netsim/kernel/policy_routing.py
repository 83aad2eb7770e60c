"""A VPC's rules as Linux policy routing: one table for each source segment.

NB: the two differ in what comes first. Ours takes the longest *destination* among all rules that match, then the
longest source; Linux takes the first `from` rule that matches, then the longest destination in its table. A table that
held its own segment's rules only would let a short destination of a long segment beat a long destination of a short
one. So the table of a segment holds every rule whose source covers the segment, and of those with one destination the
one with the longest source. Segments nest or are disjoint: the longest one that has a packet's source is covered by
exactly the rules that match the packet, and its table alone decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from netsim.prefix import ANY, Prefix, prefix_of

T = TypeVar("T")

SegmentTables = dict[Prefix, dict[Prefix, T]]
"""By source segment, longest first, `0.0.0.0/0` always there and last: what each destination leads to."""


def segment_tables(rules: Iterable[tuple[Prefix, Prefix, T]]) -> SegmentTables[T]:
    """The tables of (source, destination, what) rules, whose (source, destination) pairs are unique.

    Their size is at most rules times nested segments.
    """
    own: dict[Prefix, dict[Prefix, T]] = {ANY: {}}
    for source, destination, what in rules:
        own.setdefault(source, {})[destination] = what
    tables: SegmentTables[T] = {}
    # Shortest first: a segment takes over what the shorter one around it holds, and lays its own on top.
    for source in sorted(own, key=lambda prefix: prefix.prefix_len):
        around = segment_of(source.network, tables, source.prefix_len - 1)
        tables[source] = {**(tables[around] if around is not None else {}), **own[source]}
    return dict(reversed(tables.items()))


def segment_of(addr: int, tables: SegmentTables[T], longest: int = 32) -> Prefix | None:
    """The longest segment of at most `longest` bits that has the address."""
    for prefix_len in range(longest, -1, -1):
        prefix = prefix_of(addr, prefix_len)
        if prefix in tables:
            return prefix
    return None
