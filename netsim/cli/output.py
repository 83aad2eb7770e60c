"""What goes to stdout: aligned tables that also pipe well, JSON, CSV, plain lines."""

from __future__ import annotations

import csv
import io
import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netsim.cli.settings import Settings
from netsim.cli.streams import can_show
from netsim.errors import CapabilityError

Row = Mapping[str, Any]


def print_line(text: str = "") -> None:
    """One line of data on stdout."""
    print_text(f"{text}\n")


def print_now(text: str = "") -> None:
    """One line of data that whoever reads is to see at once; who stops reading ends the command."""
    print_text(f"{text}\n", is_flushed=True)


def print_text(text: str, *, is_flushed: bool = False) -> None:
    """Text that ends its last line itself.

    Raises:
        CapabilityError: stdout can't be written to (a full disk).
        BrokenPipeError: nobody reads any more.
    """
    try:
        sys.stdout.write(text)
        if is_flushed:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CapabilityError(f"stdout: can't be written: {error.strerror}") from None


def print_json(document: Any) -> None:
    """One JSON document; what the output can't show is escaped, so it stays what it is."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    print_line(text if can_show(text) else json.dumps(document, indent=2, allow_nan=False))


def print_rows(settings: Settings, rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Rows in the format that was asked for: a table, CSV, or an array of objects with all their keys."""
    if settings.is_json:
        print_json(list(rows))
    elif settings.format == "csv":
        print_text(csv_text(rows, columns))
    else:
        print_line(table([[row[name] for name in columns] for row in rows], columns))


def csv_text(rows: Iterable[Row], columns: Sequence[str]) -> str:
    r"""CSV as RFC 4180 quotes it, with a header; lines end with `\n`, lists are joined with spaces."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_plain(row[name]) for name in columns] for row in rows)
    return text.getvalue()


def table(rows: Sequence[Sequence[Any]], headers: Sequence[str], indent: str = "") -> str:
    """Columns two spaces apart; numbers stand right, text left; no line ends with spaces."""
    is_right = [bool(rows) and all(_is_number(row[k]) for row in rows) for k in range(len(headers))]
    cells = [[header.upper() for header in headers], *([cell_text(value) for value in row] for row in rows)]
    widths = [max(_width(line[k]) for line in cells) for k in range(len(headers))]
    lines = []
    for line in cells:
        padded = [
            _pad(widths[k] - _width(text)) + text if is_right[k] else text + _pad(widths[k] - _width(text))
            for k, text in enumerate(line)
        ]
        lines.append((indent + "  ".join(padded)).rstrip())
    return "\n".join(lines)


def cell_text(value: Any) -> str:
    """A value as a cell of a table shows it; nothing in it can command a terminal."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list | tuple):
        return " ".join(map(cell_text, value)) or "-"
    return safe(str(value))


def safe(text: str) -> str:
    """The text with whatever does not print as escapes."""
    return text if text.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return " ".join(str(_plain(item)) for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _pad(n: int) -> str:
    return " " * n


def _width(text: str) -> int:
    """Columns of a terminal: East Asian wide characters take two, combining marks none (UAX 11)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
