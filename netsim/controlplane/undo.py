"""The undo log: what makes several edits commit whole or not at all.

Every change of the tables goes through the log, which does it and notes the inverse. `rollback`
plays the inverses backwards; the cost is that of the changes made, not of the inventory. Dicts of
resources keep their keys in order of creation, so one that gets a deleted key back is sorted again.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_ABSENT: Any = object()


class UndoLog:
    """Does changes and remembers how to take them back."""

    __slots__ = ("_steps", "_unordered")

    def __init__(self) -> None:
        # (dict, key, old value or _ABSENT), by far the most; others are (None, function, arguments).
        self._steps: list[tuple[dict[Any, Any] | None, Any, Any]] = []
        self._unordered: list[dict[str, Any]] = []

    def put(self, table: dict[K, V], key: K, value: V) -> None:
        """`table[key] = value`; a new key goes last, a known one keeps its place."""
        self._steps.append((table, key, table.get(key, _ABSENT)))
        table[key] = value

    def remove(self, table: dict[K, V], key: K) -> V:
        """`del table[key]` where nobody reads the order of `table`; the removed value."""
        old = table.pop(key)
        self._steps.append((table, key, old))
        return old

    def remove_in_order(self, table: dict[str, V], resource_id: str) -> V:
        """`del table[resource_id]` in a dict whose ids are in order of creation; the removed value."""
        old = table.pop(resource_id)
        self._steps.append((None, self._put_back, (table, resource_id, old)))
        return old

    def _put_back(self, table: dict[str, Any], resource_id: str, old: object) -> None:
        table[resource_id] = old
        if not any(table is other for other in self._unordered):
            self._unordered.append(table)

    def insert_sorted(self, numbers: list[int], number: int) -> None:
        """Insert into an ascending list."""
        insort(numbers, number)
        self._steps.append((None, _delete_sorted, (numbers, number)))

    def delete_sorted(self, numbers: list[int], number: int) -> None:
        """Take one `number`, which is there, out of an ascending list."""
        _delete_sorted(numbers, number)
        self._steps.append((None, insort, (numbers, number)))

    def set_field(self, record: object, name: str, value: object) -> None:
        """`record.name = value`."""
        self._steps.append((None, setattr, (record, name, getattr(record, name))))
        setattr(record, name, value)

    def changed(self) -> set[int]:
        """`id()` of every dict, list and record changed since the last commit."""
        return {id(old[0] if table is None else table) for table, _, old in self._steps}

    def commit(self) -> None:
        """Forget how to go back."""
        self._steps.clear()

    def rollback(self, number_of: Callable[[str], int]) -> None:
        """Take back everything since the last commit, newest first.

        Args:
            number_of: the rank of an id in order of creation.
        """
        for table, key, old in reversed(self._steps):
            if table is None:
                key(*old)
            elif old is _ABSENT:
                del table[key]
            else:
                table[key] = old
        self._steps.clear()
        for table in self._unordered:
            in_order = sorted(table.items(), key=lambda item: number_of(item[0]))
            table.clear()
            table.update(in_order)
        self._unordered.clear()


def _delete_sorted(numbers: list[int], number: int) -> None:
    del numbers[bisect_left(numbers, number)]
