"""What a file's references may name, and what was meant to be there and isn't.

A thing whose entry is wrong is *lost*: references to it are right, so they give no second error.
"""

from __future__ import annotations

from collections.abc import Iterable

from netsim.topology_file.text import quoted, suggestion

# difflib takes about 10 us a name.
_NAMES_TRIED = 2_000


class Names:
    """The names of one kind of thing, each with its id and the line it was first given in."""

    def __init__(self, kind: str, where: str = "") -> None:
        self.kind = kind
        self._where = where and f" in {where}"
        self._ids: dict[str, str] = {}
        self._lines: dict[str, int] = {}
        self._lost: set[str] = set()
        self._is_any_lost = False
        self._aliases: set[str] = set()

    @property
    def has_lost(self) -> bool:
        """Whether any of them is lost."""
        return self._is_any_lost or bool(self._lost)

    def claim(self, name: str, line: int) -> str:
        """Take a name for the thing in this line; the message why not, "" if it was free."""
        if name in self._lines:
            return f"{self.kind} {quoted(name)} is given twice{self._where}, first in line {self._lines[name]}"
        self._lines[name] = line
        return ""

    def line(self, name: str) -> int:
        """The line that claimed the name, 0 for none."""
        return self._lines.get(name, 0)

    def add(self, name: str, id_: str, *, is_alias: bool = False) -> None:
        """The thing exists now; an alias is understood, and never suggested."""
        self._ids[name] = id_
        if is_alias:
            self._aliases.add(name)

    def lose(self, name: object) -> None:
        """The thing's entry is wrong; without a readable name it may be any."""
        if isinstance(name, str):
            self._lost.add(name)
        else:
            self._is_any_lost = True

    def find(self, name: str) -> str | None:
        """The id of a thing that exists."""
        return self._ids.get(name)

    def may_be_lost(self, name: str) -> bool:
        """Whether an unknown name is the consequence of another problem."""
        return self._is_any_lost or name in self._lost

    def unknown(self, name: str, extra: Iterable[str] = ()) -> str:
        """The message for a reference to nothing."""
        known = [*(known for known in self._ids if known not in self._aliases), *extra]
        near = suggestion(name, known[:_NAMES_TRIED])
        if near:
            return f'there is no {self.kind} {quoted(name)}{self._where} — did you mean "{near}"?'
        few = f", accepted: {', '.join(known)}" if 0 < len(known) <= 12 else ""
        return f"there is no {self.kind} {quoted(name)}{self._where}{few}"
