"""Longest-prefix match as a Python user gets it: pytricia, a Patricia trie in C."""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks.measure import AbsentError

HOW = "pip install pytricia"


def load() -> Any:
    """The class.

    Raises:
        AbsentError: not installed.
    """
    try:
        return importlib.import_module("pytricia").PyTricia
    except ImportError:
        raise AbsentError(HOW) from None


def trie_of(trie_class: Any, prefixes: list[tuple[str, int]]) -> Any:
    """A trie of (prefix as text, value): text is the fastest it takes."""
    trie = trie_class(32)
    for prefix, value in prefixes:
        trie[prefix] = value
    return trie


def lookup_in(tries: list[Any], nodes: list[int], dsts: list[int]) -> list[int]:
    """Values of the longest matches, -1 for none; integers are the fastest keys it takes."""
    gets = [trie.get for trie in tries]
    return [gets[node](dst, -1) for node, dst in zip(nodes, dsts, strict=True)]


def lookup(trie: Any, dsts: list[int]) -> list[int]:
    """The same in one trie."""
    get = trie.get
    return [get(dst, -1) for dst in dsts]
