"""`netsim peer list`, `applications` and `show`: peer connections, as both ends see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netsim.cli.control import LIST_FORMATS, OF_VPC, print_list, print_one, where
from netsim.cli.frame import subcommand
from netsim.cli.settings import Settings
from netsim.cli.target import Target, open_target

if TYPE_CHECKING:
    from netsim.resource_rows import Rows

STATES = ("consulting", "consult_failed", "active", "expired")
ROLES = ("initiator", "acceptor")
APPLICATION_COLUMNS = (
    "name", "local_account", "local", "peer_account", "peer", "bandwidth_mbps", "created_at", "answer_by", "id",
)  # fmt: skip


@subcommand("list", example="netsim peer list --state active", formats=LIST_FORMATS, takes_server=True)
@OF_VPC
@click.option("--role", type=click.Choice(ROLES), help="Only where the account is this.")
@click.option("--state", type=click.Choice(STATES), help="Only in this state.")
def list_(settings: Settings, vpc: str | None, role: str | None, state: str | None) -> None:
    """List connections; --role wants an account (--account in a file)."""
    target = open_target(settings)
    found = target.rows("peers", vpc)
    if role is not None and target.is_file and settings.account is None:
        raise click.UsageError("whose role? A file has all accounts, --account says which")
    rows = where(found.rows, state=state)
    rows = [row for row in rows if role is None or row["role"] in (role, "both")]
    columns = found.columns
    if any(row["role"] for row in rows):
        columns = (columns[0], "role", *columns[1:])
    print_list(settings, found._replace(rows=rows), columns)


@subcommand(
    "applications",
    example="netsim peer applications --account data-team -t shop.netsim.yaml",
    formats=LIST_FORMATS,
    takes_server=True,
)
def applications(settings: Settings) -> None:
    """List the requests that wait for an answer of the account; in a file without --account, of any."""
    print_list(settings, _applications(open_target(settings)), APPLICATION_COLUMNS)


@subcommand("show", example="netsim peer show shop-data", takes_server=True)
@click.argument("name", metavar="NAME")
def show(settings: Settings, name: str) -> None:
    """Show all that is known of a connection."""
    print_one(settings, open_target(settings).row("peers", name))


def _applications(target: Target) -> Rows:
    found = target.rows("peers")
    waiting = where(found.rows, state="consulting")
    return found._replace(rows=[row for row in waiting if row["role"] in (None, "acceptor")])
