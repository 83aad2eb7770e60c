"""A changed topology file: shown as a diff, and written."""

from __future__ import annotations

import difflib
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.files import write_file
from netsim.cli.loading import topology_path
from netsim.cli.settings import Settings
from netsim.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from netsim.topology_file.edited import EditableFile

CONTEXT_LINES = 3

DRY_RUN = click.option("--dry-run", is_flag=True, help="Show as a diff what would be written.")
YES = click.option("--yes", is_flag=True, help="Don't ask.")


def open_editable(settings: Settings, given: str | None = None) -> EditableFile:
    """The file that is meant, to be changed.

    Raises:
        UsageError: it is not clear which.
        TopologyError: the file is wrong.
    """
    from netsim.topology_file.edited import EditableFile

    return EditableFile.read(topology_path(settings, given), settings.seed)


def diff(old: EditableFile, new: EditableFile) -> str:
    """A unified diff of two states of a file."""
    name = str(old.path)
    before, after = _lines(old.text), _lines(new.text)
    # All that is alike at both ends is left out of the search: it is quadratic at worst.
    head, tail = _alike(before, after)
    head, tail = max(0, head - CONTEXT_LINES), max(0, tail - CONTEXT_LINES)
    parts = before[head : len(before) - tail], after[head : len(after) - tail]
    lines = list(difflib.unified_diff(*parts, name, name, n=CONTEXT_LINES))
    shown = [_moved(line, head) if k > 1 and line.startswith("@@") else line for k, line in enumerate(lines)]
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in shown)


def new_lines(before: str, after: str) -> list[tuple[int, str]]:
    """The lines of `after` that are not in `before`, with their numbers."""
    one, other = _lines(before), _lines(after)
    head, tail = _alike(one, other)
    one, other = one[head : len(one) - tail], other[head : len(other) - tail]
    found = []
    for kind, _, _, start, end in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind in ("insert", "replace"):
            found += [(head + k + 1, other[k].strip()) for k in range(start, end)]
    return found


def write(old: EditableFile, new: EditableFile) -> None:
    """Replace the file in one go.

    Raises:
        ConflictError: it was changed since it was read.
        UsageError: it can't be written.
    """
    path = Path(old.path)
    try:
        if path.read_bytes() != old.source:
            raise ConflictError(f"{path}: changed while it was read, nothing was written; try again")
        is_writable = path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    except OSError as failure:
        raise UsageError(f"{path}: can't be written: {failure.strerror}") from None
    if not is_writable:
        # It could be replaced all the same, in a folder that may be written to; but somebody has said no.
        raise UsageError(f"{path}: can't be written: the file is read-only")
    if new.source != old.source:
        write_file(path, new.source)


def _alike(before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    """How many lines are the same at the start, and at the end of what is left."""
    n = min(len(before), len(after))
    head = next((k for k in range(n) if before[k] != after[k]), n)
    tail = next((k for k in range(n - head) if before[-1 - k] != after[-1 - k]), n - head)
    return head, tail


def _moved(header: str, by: int) -> str:
    """`@@ -35,6 +35,7 @@` of a part of the file, `by` lines from its start."""
    words = header.split(" ")
    for k in (1, 2):
        start, comma, count = words[k][1:].partition(",")
        words[k] = f"{words[k][0]}{int(start) + by}{comma}{count}"
    return " ".join(words)


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
