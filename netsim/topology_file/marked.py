"""A document's nodes and where the text of each begins and ends: what editing a file in place needs.

`Tree` knows where values start, for messages; this knows where they end, too, and in which style they
are written. It is made only for files that are to be changed. Positions are characters of the text,
without a byte order mark. The text has been read by `parse_tree` before, so it is small enough and
well-formed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs forget it
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from netsim.topology_file.tree import Path


@dataclass(slots=True)
class Marked:
    """One node.

    Attributes:
        kind: map, seq, scalar or alias.
        start, end: of its text; a block collection ends where its last item does.
        column: of its first character, from 0.
        style: of a scalar `'`, `"`, `|`, `>` or "" (plain); of a collection `flow` or `block`.
        keys: the keys of a map, in order.
        items: the values of a map or the items of a sequence, in order.
        value: the text a scalar stands for.
    """

    kind: str
    start: int
    end: int
    column: int
    style: str = ""
    keys: list[Marked] = field(default_factory=list)
    items: list[Marked] = field(default_factory=list)
    value: str = ""

    @property
    def is_flow(self) -> bool:
        """Whether it is written with brackets or braces."""
        return self.style == "flow"

    @property
    def is_quoted(self) -> bool:
        """Whether keys stand in double quotes, as JSON wants it."""
        return bool(self.keys) and self.keys[0].style == '"'

    def get(self, key: str) -> Marked | None:
        """The value of a key of a map; None if there is none."""
        if self.kind != "map":
            return None
        return next((item for name, item in zip(self.keys, self.items, strict=True) if name.value == key), None)

    def at(self, path: Path) -> Marked | None:
        """The node at a path below this one; None if there is none, or an alias is in the way."""
        node: Marked | None = self
        for part in path:
            if node is None:
                break
            if isinstance(part, str):
                node = node.get(part)
            else:
                node = node.items[part] if node.kind == "seq" and part < len(node.items) else None
        return node


def mark(text: str) -> Marked:
    """The root node of a document that is known to be readable."""
    document = Marked("seq", 0, 0, 0, "block")
    stack = [document]
    waiting: list[Marked | None] = [None]  # for each open map the key whose value comes next
    parser: Any = CParser(text.encode())
    while (event := parser.get_event()) is not None:
        kind = type(event)
        if kind in (MappingEndEvent, SequenceEndEvent):
            node = stack.pop()
            waiting.pop()
            # A block collection's own end mark lies after the comments that follow it.
            node.end = event.end_mark.index if node.is_flow else max([node.end, *(i.end for i in node.items)])
            continue
        if kind not in (MappingStartEvent, SequenceStartEvent, ScalarEvent, AliasEvent):
            continue
        node = _node(event)
        parent = stack[-1]
        if parent.kind == "map" and waiting[-1] is None:
            waiting[-1] = node
        else:
            if parent.kind == "map":
                assert waiting[-1] is not None
                parent.keys.append(waiting[-1])
                waiting[-1] = None
            parent.items.append(node)
        if node.kind in ("map", "seq"):
            stack.append(node)
            waiting.append(None)
    return document.items[0]


def _node(event: Any) -> Marked:
    start, end = event.start_mark, event.end_mark
    if isinstance(event, ScalarEvent):
        raw: Any = event
        return Marked("scalar", start.index, end.index, start.column, raw.style or "", value=raw.value)
    if isinstance(event, AliasEvent):
        return Marked("alias", start.index, end.index, start.column)
    kind = "map" if isinstance(event, MappingStartEvent) else "seq"
    return Marked(kind, start.index, end.index, start.column, "flow" if event.flow_style else "block")
