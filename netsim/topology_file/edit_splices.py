"""Where a change of a topology file's text goes: each change as pieces of text to put in place of others.

The functions read a text and its marked nodes and change nothing; `edit_text.py` puts the pieces in. A place
that can't be changed without changing anything else raises InvalidError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from netsim.errors import InvalidError
from netsim.topology_file.flow_style import flow_text
from netsim.topology_file.marked import Marked
from netsim.topology_file.tree import Path, format_path

_LINE_END = re.compile(r"\r\n|\r|\n")
_REST = re.compile(r"[ \t]*(#.*)?")
_REST_OF_FLOW = re.compile(r"[ \t]*(,?)[ \t]*(?:#.*)?(?=\r|\n)")
_COMMA = re.compile(r"[ \t]*,")
_BLANK = re.compile(r"[ \t]*\Z")

Item = Mapping[str, Any] | str
Value = str | int | bool | Mapping[str, bool]


class Splice(NamedTuple):
    """What stands from `start` to `end` is replaced."""

    start: int
    end: int
    text: str


def append_items(text: str, root: Marked, path: Path, items: Sequence[Item]) -> Iterator[Splice]:
    """Entries at the end of the list at `path`, which is begun where it is missing or empty."""
    owner, found = root.at(path[:-1]), root.at(path)
    if owner is None or owner.kind != "map":
        raise refused(path)
    if found is None:
        yield _begin_list(text, owner, str(path[-1]), items)
    elif found.kind == "seq":
        yield _add_to_list(text, owner, found, items)
    elif found.kind == "scalar" and found.style == "":
        yield _fill_null(text, owner, found, items)
    else:
        raise refused(path)


def set_value(text: str, root: Marked, path: Path, value: Value, after: str) -> Iterator[Splice]:
    """The value of the key at the end of `path`, which may be new: then behind the key `after`."""
    owner, found = root.at(path[:-1]), root.at(path)
    if owner is None or owner.kind != "map" or not owner.keys:
        raise refused(path)
    shown = flow_text(value, is_json=owner.is_quoted)
    if found is None:
        yield _add_key(text, owner, str(path[-1]), shown, after)
    elif found.kind == "scalar" and found.style not in ("|", ">"):
        space = " " if text[found.start - 1 : found.start] == ":" else ""
        yield Splice(found.start, found.end, space + shown)
    else:
        raise refused(path)


def remove_item(text: str, root: Marked, path: Path) -> Iterator[Splice]:
    """The entry of a list taken out, with its line, where it has one of its own."""
    owner, found = root.at(path[:-1]), root.at(path)
    k = path[-1]
    if owner is None or owner.kind != "seq" or found is None or not isinstance(k, int):
        raise refused(path)
    if not owner.is_flow:
        start, end = _line_start(text, found.start), _line_end(text, found.end)
        end += len(_line_break(text, end))
        if text[start : found.start].strip() != "-":
            raise refused(path)
        yield Splice(start, end, "")
    elif (line := _own_line(text, found)) is not None:
        # Comments beside the entries around it stay.
        yield line
        is_last = k + 1 == len(owner.items) and "," not in text[found.end : line.end].partition("#")[0]
        comma = _COMMA.match(text, owner.items[k - 1].end) if k and is_last else None
        if comma is not None:
            yield Splice(comma.end() - 1, comma.end(), "")
    elif k + 1 < len(owner.items):
        yield Splice(found.start, owner.items[k + 1].start, "")
    else:
        yield Splice(owner.items[k - 1].end if k else owner.start + 1, found.end if k else owner.end - 1, "")


def _own_line(text: str, found: Marked) -> Splice | None:
    """The lines of an entry of a flow collection, None if it shares one with something else."""
    start = _line_start(text, found.start)
    rest = _REST_OF_FLOW.match(text, found.end)
    if rest is None or not _BLANK.match(text[start : found.start]):
        return None
    return Splice(start, rest.end() + len(_line_break(text, rest.end())), "")


# ------------------------------------------------------------------------------------------- lists


def _begin_list(text: str, owner: Marked, key: str, items: Sequence[Item]) -> Splice:
    if owner.is_flow:
        return _add_key(text, owner, key, flow_text(list(items), is_json=owner.is_quoted), "")
    # A line of its own for each entry: that is how lists of routes look, and how they grow.
    pad = " " * owner.column
    lines = [f"{pad}  - {flow_text(item, is_json=owner.is_quoted)}" for item in items]
    return _insert_lines(text, owner.end, [f"{pad}{_key_text(owner, key)}:", *lines])


def _fill_null(text: str, owner: Marked, null: Marked, items: Sequence[Item]) -> Splice:
    """`routes:` with nothing behind it, or null."""
    shown = [flow_text(item, is_json=owner.is_quoted) for item in items]
    if owner.is_flow or null.end > null.start:
        space = " " if text[null.start - 1 : null.start] == ":" else ""
        return Splice(null.start, null.end, f"{space}[{', '.join(shown)}]")
    return _insert_lines(text, null.end, [f"{' ' * owner.column}  - {entry}" for entry in shown])


def _add_to_list(text: str, owner: Marked, found: Marked, items: Sequence[Item]) -> Splice:
    last = found.items[-1] if found.items else None
    is_json = (last is not None and last.is_quoted) or owner.is_quoted
    shown = [flow_text(item, is_json=is_json) for item in items]
    if last is None:
        return Splice(found.start + 1, found.start + 1, ", ".join(shown))
    if found.is_flow:
        return _add_to_flow(text, last.start, last.end, shown)
    pad = " " * found.column
    lines: list[str] = []
    dash = text[last.start - (last.column - found.column) : last.start] if last.column > found.column else "- "
    dash = dash if _BLANK.match(dash[1:]) else "- "
    for item, entry in zip(items, shown, strict=True):
        if last.kind == "map" and not last.is_flow and isinstance(item, Mapping):
            keys = [f"{' ' * last.column}{name}: {flow_text(value, is_json=is_json)}" for name, value in item.items()]
            keys[0] = f"{pad}-{' ' * (last.column - found.column - 1)}{keys[0].lstrip(' ')}"
            lines += keys
        else:
            lines.append(f"{pad}{dash}{entry}")
    return _insert_lines(text, found.end, lines)


# -------------------------------------------------------------------------------------------- keys


def _add_key(text: str, owner: Marked, key: str, shown: str, after: str) -> Splice:
    entry = f"{_key_text(owner, key)}: {shown}"
    k = next((i for i, name in enumerate(owner.keys) if name.value == after), len(owner.keys) - 1)
    before = owner.items[k]
    if owner.is_flow:
        return _add_to_flow(text, owner.keys[k].start, before.end, [entry])
    return _insert_lines(text, before.end, [" " * owner.column + entry])


def _key_text(owner: Marked, key: str) -> str:
    return f'"{key}"' if owner.is_quoted else key


# -------------------------------------------------------------------------------------------- text


def _add_to_flow(text: str, start: int, end: int, shown: Sequence[str]) -> Splice:
    """Behind the entry from `start` to `end` of a flow collection; on its own line if that one has one."""
    first = _line_start(text, start)
    rest = _REST_OF_FLOW.match(text, end)
    if _BLANK.match(text[first:start]) and rest is not None:
        # A comment on the line stays with the entry before.
        comma = "" if rest[1] else ","
        lines = ",".join(f"{_newline(text)}{text[first:start]}{entry}" for entry in shown)
        return Splice(end, rest.end(), f"{comma}{text[end : rest.end()]}{lines}{rest[1]}")
    return Splice(end, end, "".join(f", {entry}" for entry in shown))


def _insert_lines(text: str, end: int, lines: Sequence[str]) -> Splice:
    """Lines behind the one in which a block value ends, of which only a comment may follow."""
    while text[end - 1] in "\r\n":
        end -= 1  # a literal block ends behind its line
    rest = _REST.match(text, end)
    at = rest.end() if rest is not None else end
    newline = _newline(text)
    return Splice(at, at, "".join(newline + line for line in lines))


def _newline(text: str) -> str:
    found = _LINE_END.search(text)
    return found[0] if found else "\n"


def _line_start(text: str, at: int) -> int:
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def _line_end(text: str, at: int) -> int:
    found = _LINE_END.search(text, at)
    return found.start() if found else len(text)


def _line_break(text: str, at: int) -> str:
    found = _LINE_END.match(text, at)
    return found[0] if found else ""


def overlap(splices: list[Splice]) -> bool:
    """Whether two of them would change the same text."""
    ordered = sorted(splices)
    return any(one.end > other.start for one, other in pairwise(ordered))


def spliced(text: str, splices: list[Splice]) -> str:
    """The text with all of them in place; of two at one place the first stays first."""
    parts: list[str] = []
    at = 0
    for splice in sorted(splices, key=lambda splice: splice[:2]):
        parts += [text[at : splice.start], splice.text]
        at = splice.end
    return "".join([*parts, text[at:]])


def refused(path: Path) -> InvalidError:
    """The error of a place that can't be changed."""
    return InvalidError(
        f"{format_path(path)}: can't be changed here without changing more (an alias, or a style that is not "
        "understood), edit the file by hand"
    )
