"""Fixes, written into the topology file: where they would go, as a diff, and for good."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsim.cli.files import write_file
from netsim.errors import ConflictError, InvalidError

if TYPE_CHECKING:
    from netsim.controlplane.edit import Edit
    from netsim.topology_file import Topology
    from netsim.verify.fix import Fix

SMALL_BYTES = 100_000
"""Up to this size the places of fixes are shown unasked: finding them reads the file again."""


class FixFile:
    """The file of a topology, and what fixes change in it."""

    def __init__(self, topology: Topology) -> None:
        from netsim.topology_file.source import read_source

        assert topology.path is not None
        self._topology = topology
        self._path = topology.path
        self.source = read_source(self._path)

    def places(self, fixes: Iterable[Fix]) -> list[list[str]]:
        """For each fix the lines it adds or changes, as `file:line  text`; none where a file can't say it.

        Each is shown after the ones before it.
        """
        shown: list[list[str]] = []
        edits: list[Edit[Any]] = []
        before = self.source
        for fix in fixes if len(self.source) <= SMALL_BYTES else ():
            edits += fix.edits
            try:
                after = self.edited(edits)
            except (InvalidError, ConflictError):
                break
            shown.append([f"{self._path.name}:{line}  {text}" for line, text in _new_lines(before, after)])
            before = after
        return shown

    def edited(self, edits: Iterable[Edit[Any]]) -> bytes:
        """The file's bytes with the edits made.

        Raises:
            InvalidError: the file can't say it.
        """
        from netsim.topology_file.edited import edited_file

        return edited_file(self.source, self._topology, edits, self._path.name)

    def diff(self, new: bytes) -> str:
        """A unified diff of the file and its new bytes."""
        name = str(self._path)
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in difflib.unified_diff(_lines(self.source), _lines(new), name, name)
        )

    def write(self, new: bytes) -> None:
        """Replace the file in one go.

        Raises:
            ConflictError: it was changed since it was read.
            UsageError: it can't be written.
        """
        if Path(self._path).read_bytes() != self.source:
            raise ConflictError(f"{self._path}: changed while it was read, nothing was written; try again")
        write_file(self._path, new)


def all_edits(fixes: Iterable[Fix]) -> list[Edit[Any]]:
    """The edits of all fixes, in order.

    Raises:
        InvalidError: one of them is nothing that can be written; says what it is.
    """
    edits: list[Edit[Any]] = []
    for fix in fixes:
        if not fix.edits:
            raise InvalidError(f"can't be applied, nothing was written: {fix.text}")
        edits += fix.edits
    return edits


def _new_lines(old: bytes, new: bytes) -> list[tuple[int, str]]:
    before, after = _lines(old), _lines(new)
    found = []
    for kind, _, _, start, end in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind in ("insert", "replace"):
            found += [(k + 1, after[k].strip()) for k in range(start, end)]
    return found


def _lines(data: bytes) -> list[str]:
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    return data.decode(encoding).splitlines(keepends=True)
