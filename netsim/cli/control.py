"""What the control commands share: their options, the question before a deletion, lists and single things."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from netsim.cli.output import print_json, print_line, print_rows, table
from netsim.cli.settings import Settings
from netsim.errors import UsageError

if TYPE_CHECKING:
    from netsim.resource_rows import Row, Rows

LIST_FORMATS = ("table", "json", "csv")

DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
YES = click.option("--yes", is_flag=True, help="Don't ask.")
ON_OFF = click.Choice(("on", "off"))
SIDE = click.Choice(("local", "peer"))
OF_VPC = click.option("--vpc", metavar="VPC", help="Only of this VPC (name or id).")


def says_yes(question: str) -> bool:
    """What the user at the terminal answers.

    Raises:
        UsageError: nobody is there to be asked.
    """
    if not sys.stdin or not sys.stdin.isatty():
        raise UsageError(f"{question} --yes says so where nobody can be asked")
    return click.confirm(question, err=True)


def print_list(settings: Settings, found: Rows, columns: Sequence[str] = ()) -> None:
    """Rows, as `--format` says; `columns` instead of the usual ones."""
    print_rows(settings, found.rows, columns or found.columns)


def print_one(settings: Settings, found: Rows) -> None:
    """One thing with all that is known of it."""
    (row,) = found.rows
    if settings.is_json:
        print_json(row)
    else:
        print_line(table([[name, value] for name, value in row.items()], ("field", "value")))


def where(rows: Sequence[Row], **wanted: Any) -> list[Row]:
    """The rows that have these values; None is any."""
    return [row for row in rows if all(value is None or row[key] == value for key, value in wanted.items())]
