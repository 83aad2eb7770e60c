"""A composed document: plain dicts, lists and scalars, and the place of every key and value.

Places are packed into one array, a block of entries for each container: its own place, then for
each item its value's, with its key's before it in a mapping: 8 bytes a key or value.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

from netsim.errors import Problem

_COLUMN_BITS = 32
_COLUMN_MASK = 2**_COLUMN_BITS - 1

Path = tuple[str | int, ...]
"""Keys and indices from the root: `("vpcs", 1, "cidr")`."""


class Place(NamedTuple):
    """1-based line and column."""

    line: int
    column: int


def pack(line: int, column: int) -> int:
    """A place in 64 bits."""
    return line << _COLUMN_BITS | column


def unpack(packed: int) -> Place:
    """The place `pack` packed."""
    return Place(packed >> _COLUMN_BITS, packed & _COLUMN_MASK)


class MapNode(dict[str, Any]):
    """A mapping; `block` is where its places start."""

    __slots__ = ("block",)
    block: int


class SeqNode(list[Any]):
    """A sequence; `block` is where its places start."""

    __slots__ = ("block",)
    block: int


class Tree:
    """The document; `problems` are those that did not stop the reading.

    These are duplicate and merge keys (left out) and unacceptable scalars (null instead).
    """

    def __init__(self, root: Any, root_place: int, places: array[int], problems: list[Problem]) -> None:
        self.root = root
        self.problems = problems
        self._root_place = root_place
        self._places = places

    def place(self, path: Sequence[str | int], *, of_key: bool = False) -> Place:
        """Where the value at `path` stands (or its key); of the deepest part that exists."""
        packed = self._root_place
        node = self.root
        for part in path:
            if isinstance(node, MapNode) and part in node:
                index = node.block + 2 + 2 * list(node).index(str(part))
                packed = self._places[index - of_key]
                node = node[str(part)]
            elif isinstance(node, SeqNode) and isinstance(part, int) and part < len(node):
                packed = self._places[node.block + 1 + part]
                node = node[part]
            else:
                break
        return unpack(packed)

    def item_places(self, key: str) -> tuple[Place, ...]:
        """The places of the items of a sequence at the top of the document; none if there is none."""
        node = self.root.get(key) if isinstance(self.root, MapNode) else None
        if not isinstance(node, SeqNode):
            return ()
        return tuple(map(unpack, self._places[node.block + 1 : node.block + 1 + len(node)]))


def format_path(path: Sequence[str | int]) -> str:
    """`vpcs[1].routes[0].next_hop`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
