"""Changes to a topology file's text that leave every other byte as it is: comments, order, spacing.

`TextChanges` collects changes and makes them together: each is worked out as a few pieces of text to put
in place of others, so a thousand changes cost little more than one. What is new is written in the style of
what stands beside it: a line of its own or on the same line, flow or block style, quoted as JSON or not,
the same line ends. What was written is read back and compared with what was meant; a file in which that
can't be done (the list is an alias, say) is refused and stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from netsim.collector import paused_collector
from netsim.errors import TopologyError
from netsim.topology_file import edit_splices
from netsim.topology_file.compose import parse_tree
from netsim.topology_file.edit_splices import Item, Splice, Value
from netsim.topology_file.marked import Marked, mark
from netsim.topology_file.tree import Path, Tree


class TextChanges:
    """Changes to one text. Paths are those of the text as it is given, whatever else is changed.

    Args:
        text: the file's, without a byte order mark.
        tree: what it reads as, if that is known already.
    """

    def __init__(self, text: str, tree: Tree | None = None) -> None:
        self._text = text
        self._tree = tree
        self._appended: dict[Path, list[Item]] = {}
        self._set: dict[Path, tuple[Value, str]] = {}
        self._removed: set[Path] = set()

    def has(self, path: Path) -> bool:
        """Whether the text as it is given says anything there."""
        if self._tree is None:
            self._tree = parse_tree(self._text.encode(), "file")
        return _at(self._tree.root, path) is not None

    def append(self, path: Path, item: Item) -> None:
        """Add an entry to the end of the list at `path`; a list that is missing or empty is begun."""
        self._appended.setdefault(path, []).append(item)

    def set(self, path: Path, value: Value, *, after: str = "") -> None:
        """Give the key at the end of `path` a value, in place, or as a new key behind the key `after`."""
        self._set[path] = value, after

    def remove(self, path: Path) -> None:
        """Take an entry out of a list: with its line, where it has one of its own."""
        self._removed.add(path)

    @paused_collector()
    def made(self) -> tuple[str, Tree]:
        """The new text, and what it reads as.

        Raises:
            InvalidError: a place can't be changed without changing anything else.
        """
        text = self._text
        waiting = [*self._set, *self._appended, *self._removals()]
        while waiting:
            root = mark(text)
            splices: list[Splice] = []
            later: list[Path] = []
            for path in waiting:
                wanted = [] if later else [*splices, *self._splices(text, root, path)]
                # What meets another change is made in a text where that one is made.
                if later or edit_splices.overlap(wanted):
                    later.append(path)
                else:
                    splices = wanted
            text = edit_splices.spliced(text, splices)
            waiting = later
        return text, self._checked(text)

    def _removals(self) -> list[Path]:
        """The last of each list first: then the places of the others stay as they are."""
        return sorted(self._removed, key=lambda path: (tuple(map(str, path[:-1])), path[-1]), reverse=True)

    def _splices(self, text: str, root: Marked, path: Path) -> Iterator[Splice]:
        if path in self._removed:
            return edit_splices.remove_item(text, root, path)
        if path in self._set:
            return edit_splices.set_value(text, root, path, *self._set[path])
        return edit_splices.append_items(text, root, path, self._appended[path])

    def _checked(self, text: str) -> Tree:
        """The tree of the new text, if it says what was meant and nothing else."""
        path: Path = next(iter([*self._set, *self._appended, *self._removed]), ())
        wanted = _Copy((self._tree or parse_tree(self._text.encode(), "file")).root)
        for at, (value, _) in self._set.items():
            wanted.owner(at)[at[-1]] = value
        for at, items in self._appended.items():
            if _at(wanted.root, at):
                wanted.at(at).extend(items)
            else:
                wanted.owner(at)[at[-1]] = list(items)
        for at in self._removals():
            del wanted.owner(at)[at[-1]]
        try:
            tree = parse_tree(text.encode(), "file")
        except TopologyError:
            raise edit_splices.refused(path) from None
        for at in self._removed:
            # A list that lost its last entry may stand there as nothing.
            if not wanted.at(at[:-1]) and _at(tree.root, at[:-1]) is None:
                wanted.owner(at[:-1])[at[-2]] = None
        # Equal values may differ in kind: 1 and true.
        is_same_kind = all(
            isinstance(value, Mapping) or type(_at(tree.root, at)) is type(value)
            for at, (value, _) in self._set.items()
        )
        if tree.problems or tree.root != wanted.root or not is_same_kind:
            raise edit_splices.refused(path)
        return tree


def append_item(text: str, path: Path, item: Item) -> str:
    """The text with an entry added to the end of the list at `path`.

    Raises:
        InvalidError: the place can't be changed without changing anything else.
    """
    changes = TextChanges(text)
    changes.append(path, item)
    return changes.made()[0]


def set_value(text: str, path: Path, value: Value, *, after: str = "") -> str:
    """The text with the key at the end of `path` set; see `TextChanges.set`.

    Raises:
        InvalidError: the place can't be changed without changing anything else.
    """
    changes = TextChanges(text)
    changes.set(path, value, after=after)
    return changes.made()[0]


def remove_item(text: str, path: Path) -> str:
    """The text without an entry of a list.

    Raises:
        InvalidError: the place can't be changed without changing anything else.
    """
    changes = TextChanges(text)
    changes.remove(path)
    return changes.made()[0]


# ------------------------------------------------------------------------------------------- check


class _Copy:
    """Values that may be changed while those they were taken from stay: only what is on a changed path is copied.

    So what an alias shares is no longer shared, once one of the places is changed.
    """

    def __init__(self, root: Any) -> None:
        self.root = dict(root)
        self._made: dict[Path, Any] = {(): self.root}

    def at(self, path: Path) -> Any:
        """The container at a path, to be changed."""
        if path not in self._made:
            owner = self.at(path[:-1])
            found = owner[path[-1]]
            owner[path[-1]] = self._made[path] = dict(found) if isinstance(found, dict) else list(found)
        return self._made[path]

    def owner(self, path: Path) -> Any:
        """What holds the value at a path, to be changed."""
        return self.at(path[:-1])


def _at(root: Any, path: Path) -> Any:
    """The value at a path of a tree, None if there is none."""
    for part in path:
        if isinstance(root, dict):
            root = root.get(part)
        elif isinstance(root, list) and isinstance(part, int) and part < len(root):
            root = root[part]
        else:
            return None
    return root
