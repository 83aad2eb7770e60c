"""Longest-prefix match over plain prefixes, the slow way: ask every prefix, for every address that matters."""

from __future__ import annotations

from collections.abc import Sequence

from netsim.prefix import ADDR_BITS, MAX_ADDR


def winner(prefixes: Sequence[tuple[int, int]], addr: int) -> int:
    """Index of the longest (network, prefix_len) that holds the address, -1 when none does."""
    best, best_len = -1, -1
    for i, (network, prefix_len) in enumerate(prefixes):
        if addr >> (ADDR_BITS - prefix_len) == network >> (ADDR_BITS - prefix_len) and prefix_len > best_len:
            best, best_len = i, prefix_len
    return best


def intervals(prefixes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """(first address, winner) of the intervals, as few as the answers change."""
    edges = {0}
    for network, prefix_len in prefixes:
        edges |= {network, network + (1 << (ADDR_BITS - prefix_len))}
    found: list[tuple[int, int]] = []
    for edge in sorted(edge for edge in edges if edge <= MAX_ADDR):
        wins = winner(prefixes, edge)
        if not found or found[-1][1] != wins:
            found.append((edge, wins))
    return found
