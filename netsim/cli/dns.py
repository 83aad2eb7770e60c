"""`netsim dns`: the records of VPCs' private zones, of a topology file or a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from netsim.cli.control import DRY_RUN, LIST_FORMATS, OF_VPC, YES, print_list
from netsim.cli.frame import group, subcommand
from netsim.cli.settings import Settings
from netsim.cli.target import change, change_in, open_target

if TYPE_CHECKING:
    from netsim.controlplane.edit import Edit

_VPC = click.option("--vpc", metavar="VPC", required=True, help="Whose zone (name or id).")


@subcommand("list", example="netsim dns list --vpc shop", formats=LIST_FORMATS, takes_server=True)
@OF_VPC
def list_(settings: Settings, vpc: str | None) -> None:
    """List records."""
    print_list(settings, open_target(settings).rows("dns", vpc))


@subcommand("set", example="netsim dns set shop.local 192.168.0.10 --vpc shop --dry-run", takes_server=True)
@click.argument("name", metavar="NAME")
@click.argument("addr", metavar="ADDRESS")
@_VPC
@DRY_RUN
def set_(settings: Settings, name: str, addr: str, vpc: str, dry_run: bool) -> int:
    """Give a name an address: a new one, or another instead of the one it has."""
    from netsim.controlplane.edit import CreateDnsRecord, DeleteDnsRecord

    target = open_target(settings)
    key = name.removesuffix(".").lower()
    known = any(row["name"] == key for row in target.rows("dns", vpc).rows)
    edits: list[Edit[Any]] = [DeleteDnsRecord(vpc, name)] if known else []
    return change_in(settings, target, [*edits, CreateDnsRecord(vpc, name, addr)], is_dry=dry_run)


@subcommand("delete", example="netsim dns delete shop.local --vpc shop --dry-run", takes_server=True)
@click.argument("name", metavar="NAME")
@_VPC
@YES
@DRY_RUN
def delete(settings: Settings, name: str, vpc: str, yes: bool, dry_run: bool) -> int:
    """Delete a record."""
    from netsim.controlplane.edit import DeleteDnsRecord

    asks = f"Delete the record {name} of {vpc}?"
    return change(settings, [DeleteDnsRecord(vpc, name)], is_dry=dry_run, is_sure=yes, asks=asks)


command = group("dns", text="DNS records of VPCs.", commands=[list_, set_, delete], takes_server=True)
