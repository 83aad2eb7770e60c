"""`netsim vpc`: VPCs of a topology file or a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from netsim.cli.control import DRY_RUN, LIST_FORMATS, ON_OFF, YES, print_list, print_one, where
from netsim.cli.frame import group, subcommand
from netsim.cli.settings import Settings
from netsim.cli.target import change, open_target

if TYPE_CHECKING:
    from netsim.controlplane.edit import Edit


@subcommand("create", example="netsim vpc create lab --cidr 10.8.0.0/16 -t shop.netsim.yaml", takes_server=True)
@click.argument("name", metavar="NAME")
@click.option("--cidr", metavar="PREFIX", required=True, help="Its addresses, in a private range.")
@click.option("--region", metavar="CODE", default="", help="Where it is (default: the file's only one, the server's).")
@click.option("--relay", type=ON_OFF, default="off", help="Whether packets may pass through (default: off).")
@click.option("--description", metavar="TEXT", default="", help="Kept with the VPC.")
@DRY_RUN
def create(settings: Settings, name: str, cidr: str, region: str, relay: str, description: str, dry_run: bool) -> int:
    """Make a VPC; --account says whose, where there are several."""
    from netsim.controlplane.edit import CreateVpc

    made = CreateVpc(name, region, cidr, settings.account, relay == "on", description)
    return change(settings, [made], is_dry=dry_run)


@subcommand("list", example="netsim vpc list -t shop.netsim.yaml", formats=LIST_FORMATS, takes_server=True)
@click.option("--region", metavar="CODE", help="Only of this region.")
def list_(settings: Settings, region: str | None) -> None:
    """List VPCs."""
    found = open_target(settings).rows("vpcs")
    print_list(settings, found._replace(rows=where(found.rows, region=region)))


@subcommand("show", example="netsim vpc show shop -t shop.netsim.yaml", takes_server=True)
@click.argument("name", metavar="VPC")
def show(settings: Settings, name: str) -> None:
    """Show all that is known of a VPC."""
    print_one(settings, open_target(settings).row("vpcs", name))


@subcommand("update", example="netsim vpc update hub --relay on -t shop.netsim.yaml", takes_server=True)
@click.argument("vpc", metavar="VPC")
@click.option("--name", metavar="NAME", help="A new name.")
@click.option("--description", metavar="TEXT", help="Kept with the VPC.")
@click.option("--relay", type=ON_OFF, help="Whether packets may pass through.")
@DRY_RUN
def update(
    settings: Settings, vpc: str, name: str | None, description: str | None, relay: str | None, dry_run: bool
) -> int:
    """Change a VPC's name or description, or turn its relay role on or off."""
    from netsim.controlplane.edit import SetRelay, UpdateVpc

    edits: list[Edit[Any]] = []
    if relay is not None:
        edits.append(SetRelay(vpc, relay=relay == "on"))
    if name is not None or description is not None:
        edits.append(UpdateVpc(vpc, name, description))
    if not edits:
        raise click.UsageError("nothing to change, expected --name, --description or --relay")
    return change(settings, edits, is_dry=dry_run)


@subcommand("delete", example="netsim vpc delete spare --dry-run -t shop.netsim.yaml", takes_server=True)
@click.argument("name", metavar="VPC")
@YES
@DRY_RUN
def delete(settings: Settings, name: str, yes: bool, dry_run: bool) -> int:
    """Delete a VPC that has no subnets and no connections; its rules and DNS records go with it."""
    from netsim.controlplane.edit import DeleteVpc

    return change(settings, [DeleteVpc(name)], is_dry=dry_run, is_sure=yes, asks=f"Delete the VPC {name}?")


command = group("vpc", text="VPCs.", commands=[create, list_, show, update, delete], takes_server=True)
