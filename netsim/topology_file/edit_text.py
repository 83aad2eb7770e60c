"""Changes to a topology file's text that leave every other byte as it is: comments, order, spacing.

Each function takes a text and gives a new one. What is new is written in the style of what stands
beside it: a line of its own or on the same line, flow or block style, quoted as JSON or not, the same
line ends. What was written is read back and compared with what was meant; a file in which that can't be
done (the list is an alias, say) is refused and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from netsim.errors import InvalidError, TopologyError
from netsim.topology_file.compose import parse_tree
from netsim.topology_file.flow_style import flow_text
from netsim.topology_file.marked import Marked, mark
from netsim.topology_file.tree import Path, format_path

_LINE_END = re.compile(r"\r\n|\r|\n")
_REST = re.compile(r"[ \t]*(#.*)?")
_REST_OF_FLOW = re.compile(r"[ \t]*(,?)[ \t]*(?:#.*)?(?=\r|\n)")
_BLANK = re.compile(r"[ \t]*\Z")


def append_item(text: str, path: Path, item: Mapping[str, Any] | str) -> str:
    """Add an entry to the end of the list at `path`; a list that is missing or empty is begun.

    Raises:
        InvalidError: the place can't be changed without changing anything else.
    """
    root = mark(text)
    owner, found = root.at(path[:-1]), root.at(path)
    if owner is None or owner.kind != "map":
        raise _refused(path)
    if found is None:
        changed = _begin_list(text, owner, str(path[-1]), item)
    elif found.kind == "seq":
        changed = _add_to_list(text, owner, found, item)
    elif found.kind == "scalar" and found.style == "":
        changed = _fill_null(text, owner, found, item)
    else:
        raise _refused(path)
    return _checked(text, changed, path, lambda old: [*(old or []), item])


def set_value(text: str, path: Path, value: str | int | bool, *, after: str = "") -> str:
    """Give the key at the end of `path` a value, in place, or as a new key behind the key `after`.

    Raises:
        InvalidError: the place can't be changed without changing anything else.
    """
    root = mark(text)
    owner, found = root.at(path[:-1]), root.at(path)
    if owner is None or owner.kind != "map" or not owner.keys:
        raise _refused(path)
    shown = flow_text(value, is_json=owner.is_quoted)
    if found is None:
        changed = _add_key(text, owner, str(path[-1]), shown, after)
    elif found.kind == "scalar" and found.style not in ("|", ">"):
        space = " " if text[found.start - 1 : found.start] == ":" else ""
        changed = text[: found.start] + space + shown + text[found.end :]
    else:
        raise _refused(path)
    return _checked(text, changed, path, lambda _: value)


def remove_item(text: str, path: Path) -> str:
    """Take an entry out of a list: with its line, where it has one of its own.

    Raises:
        InvalidError: the place can't be changed without changing anything else.
    """
    root = mark(text)
    owner, found = root.at(path[:-1]), root.at(path)
    k = path[-1]
    if owner is None or owner.kind != "seq" or found is None or not isinstance(k, int):
        raise _refused(path)
    if not owner.is_flow:
        start, end = _line_start(text, found.start), _line_end(text, found.end)
        end += len(_line_break(text, end))
        if text[start : found.start].strip() != "-":
            raise _refused(path)
        changed = text[:start] + text[end:]
    elif k + 1 < len(owner.items):
        changed = text[: found.start] + text[owner.items[k + 1].start :]
    else:
        start = owner.items[k - 1].end if k else owner.start + 1
        end = found.end if k else owner.end - 1
        changed = text[:start] + text[end:]
    return _checked(text, changed, path[:-1], lambda old: [*old[:k], *old[k + 1 :]] or None)


# ------------------------------------------------------------------------------------------- lists


def _begin_list(text: str, owner: Marked, key: str, item: Mapping[str, Any] | str) -> str:
    if owner.is_flow:
        return _add_key(text, owner, key, flow_text([item], is_json=owner.is_quoted), "")
    # A line of its own for the entry: that is how lists of routes look, and how they grow.
    pad = " " * owner.column
    lines = [f"{pad}{_key_text(owner, key)}:", f"{pad}  - {flow_text(item, is_json=owner.is_quoted)}"]
    return _insert_lines(text, owner.end, lines)


def _fill_null(text: str, owner: Marked, null: Marked, item: Mapping[str, Any] | str) -> str:
    """`routes:` with nothing behind it, or null."""
    shown = flow_text(item, is_json=owner.is_quoted)
    if owner.is_flow or null.end > null.start:
        space = " " if text[null.start - 1 : null.start] == ":" else ""
        return f"{text[: null.start]}{space}[{shown}]{text[null.end :]}"
    return _insert_lines(text, null.end, [f"{' ' * owner.column}  - {shown}"])


def _add_to_list(text: str, owner: Marked, found: Marked, item: Mapping[str, Any] | str) -> str:
    last = found.items[-1] if found.items else None
    is_json = (last is not None and last.is_quoted) or owner.is_quoted
    if last is None:
        inside = found.start + 1
        return f"{text[:inside]}{flow_text(item, is_json=is_json)}{text[inside:]}"
    if found.is_flow:
        return _add_to_flow(text, last.start, last.end, flow_text(item, is_json=is_json))
    pad = " " * found.column
    if last.kind == "map" and not last.is_flow and isinstance(item, Mapping):
        column = last.column - found.column - 1
        lines = [f"{' ' * last.column}{name}: {flow_text(value, is_json=is_json)}" for name, value in item.items()]
        lines[0] = f"{pad}-{' ' * column}{lines[0].lstrip(' ')}"
        return _insert_lines(text, found.end, lines)
    dash = text[last.start - (last.column - found.column) : last.start] if last.column > found.column else "- "
    dash = dash if _BLANK.match(dash[1:]) else "- "
    return _insert_lines(text, found.end, [f"{pad}{dash}{flow_text(item, is_json=is_json)}"])


# -------------------------------------------------------------------------------------------- keys


def _add_key(text: str, owner: Marked, key: str, shown: str, after: str) -> str:
    entry = f"{_key_text(owner, key)}: {shown}"
    k = next((i for i, name in enumerate(owner.keys) if name.value == after), len(owner.keys) - 1)
    before = owner.items[k]
    if owner.is_flow:
        return _add_to_flow(text, owner.keys[k].start, before.end, entry)
    return _insert_lines(text, before.end, [" " * owner.column + entry])


def _key_text(owner: Marked, key: str) -> str:
    return f'"{key}"' if owner.is_quoted else key


# -------------------------------------------------------------------------------------------- text


def _add_to_flow(text: str, start: int, end: int, shown: str) -> str:
    """Behind the entry from `start` to `end` of a flow collection; on its own line if that one has one."""
    first = _line_start(text, start)
    rest = _REST_OF_FLOW.match(text, end)
    if _BLANK.match(text[first:start]) and rest is not None:
        # A comment on the line stays with the entry before.
        comma = "" if rest[1] else ","
        line = f"{_newline(text)}{text[first:start]}{shown}{rest[1]}"
        return text[:end] + comma + text[end : rest.end()] + line + text[rest.end() :]
    return f"{text[:end]}, {shown}{text[end:]}"


def _insert_lines(text: str, end: int, lines: list[str]) -> str:
    """Lines behind the one in which a block value ends, of which only a comment may follow."""
    while text[end - 1] in "\r\n":
        end -= 1  # a literal block ends behind its line
    rest = _REST.match(text, end)
    at = rest.end() if rest is not None else end
    newline = _newline(text)
    return text[:at] + "".join(newline + line for line in lines) + text[at:]


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


# ------------------------------------------------------------------------------------------- check


def _checked(old: str, new: str, path: Path, change: Any) -> str:
    """The new text, if it says what was meant and nothing else."""
    wanted = _plain(parse_tree(old.encode(), "file").root)
    owner: Any = wanted
    for part in path[:-1]:
        owner = owner[part]
    key: Any = path[-1]
    owner[key] = change(owner.get(key) if isinstance(owner, dict) else owner[key])
    try:
        tree = parse_tree(new.encode(), "file")
    except TopologyError:
        raise _refused(path) from None
    if tree.problems or _plain(tree.root) != wanted:
        raise _refused(path)
    return new


def _plain(node: Any) -> Any:
    """The values alone; what an alias shares is no longer shared."""
    if isinstance(node, dict):
        return {key: _plain(item) for key, item in node.items()}
    return [_plain(item) for item in node] if isinstance(node, list) else node


def _refused(path: Path) -> InvalidError:
    return InvalidError(
        f"{format_path(path)}: can't be changed here without changing more (an alias, or a style that is not "
        "understood), edit the file by hand"
    )
