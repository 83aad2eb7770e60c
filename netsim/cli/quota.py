"""`netsim quota`: how much of its limits a network uses, in a topology file or on a server."""

from __future__ import annotations

import click

from netsim.cli.control import LIST_FORMATS, OF_VPC, print_list
from netsim.cli.frame import group, subcommand
from netsim.cli.settings import Settings
from netsim.cli.target import open_target


@subcommand("list", example="netsim quota list --vpc shop", formats=LIST_FORMATS, takes_server=True)
@OF_VPC
@click.option("--full", is_flag=True, help="Only what is used up.")
def list_(settings: Settings, vpc: str | None, full: bool) -> None:
    """List limits, what is used of them and what is left."""
    found = open_target(settings).rows("quotas", vpc)
    print_list(settings, found._replace(rows=[row for row in found.rows if not full or row["left"] == 0]))


command = group("quota", text="Limits, and what is used of them.", commands=[list_], takes_server=True)
