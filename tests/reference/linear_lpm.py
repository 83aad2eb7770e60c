"""Longest-prefix match, the slow way: look at every rule."""

from __future__ import annotations

from collections.abc import Sequence

from netsim.prefix import Prefix


def lookup(rules: Sequence[tuple[Prefix, Prefix]], src: int, dst: int) -> int:
    """Index of the (destination, source) pair that wins for this packet, -1 when none matches both."""
    best, best_lengths = -1, (-1, -1)
    for i, (destination, source) in enumerate(rules):
        lengths = (destination.prefix_len, source.prefix_len)
        if destination.has(dst) and source.has(src) and lengths > best_lengths:
            best, best_lengths = i, lengths
    return best
