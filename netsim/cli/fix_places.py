"""Fixes and the topology file: where they would go, and what they change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from netsim.cli.file_change import new_lines
from netsim.errors import ConflictError, InvalidError

if TYPE_CHECKING:
    from netsim.controlplane.edit import Edit
    from netsim.topology_file.edited import EditableFile
    from netsim.verify.change import Fix

SMALL_BYTES = 100_000
"""Up to this size the places of fixes are shown unasked: finding them reads the file again."""


def places_of(file: EditableFile, fixes: Iterable[Fix]) -> list[list[str]]:
    """For each fix the lines it adds or changes, as `file:line  text`; none where a file can't say it.

    Each is shown after the ones before it.
    """
    shown: list[list[str]] = []
    edits: list[Edit[Any]] = []
    before = file.text
    for fix in fixes if len(file.source) <= SMALL_BYTES else ():
        edits += fix.edits
        try:
            after = file.changes(edits).made()[0]
        except (InvalidError, ConflictError):
            break
        shown.append([f"{file.path.name}:{line}  {text}" for line, text in new_lines(before, after)])
        before = after
    return shown


def all_edits(fixes: Iterable[Fix]) -> list[Edit[Any]]:
    """The edits of the fixes, in order, up to one that nobody can write.

    Raises:
        InvalidError: that is the first one; says what it is.
    """
    edits: list[Edit[Any]] = []
    for fix in fixes:
        if not fix.edits:
            if edits:
                break
            raise InvalidError(f"can't be applied, nothing was written: {fix.text}")
        edits += fix.edits
    return edits
