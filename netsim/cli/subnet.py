"""`netsim subnet`: subnets of a topology file or a server."""

from __future__ import annotations

import click

from netsim.cli.control import DRY_RUN, LIST_FORMATS, OF_VPC, YES, print_list, print_one
from netsim.cli.frame import group, subcommand
from netsim.cli.settings import Settings
from netsim.cli.target import change, open_target


@subcommand("create", example="netsim subnet create lab --vpc shop --cidr 192.168.7.0/24 --dry-run", takes_server=True)
@click.argument("name", metavar="NAME")
@click.option("--vpc", metavar="VPC", required=True, help="Whose addresses it takes.")
@click.option("--cidr", metavar="PREFIX", required=True, help="Which of them.")
@click.option("--zone", metavar="ZONE", default="", help="Like cn-bj-a (default: the region's first).")
@click.option("--description", metavar="TEXT", default="", help="Kept with the subnet; by servers only.")
@DRY_RUN
def create(settings: Settings, name: str, vpc: str, cidr: str, zone: str, description: str, dry_run: bool) -> int:
    """Cut a subnet out of a VPC."""
    from netsim.controlplane.edit import CreateSubnet

    return change(settings, [CreateSubnet(vpc, name, cidr, zone, description)], is_dry=dry_run)


@subcommand("list", example="netsim subnet list --vpc shop", formats=LIST_FORMATS, takes_server=True)
@OF_VPC
def list_(settings: Settings, vpc: str | None) -> None:
    """List subnets."""
    print_list(settings, open_target(settings).rows("subnets", vpc))


@subcommand("show", example="netsim subnet show shop/web", takes_server=True)
@click.argument("name", metavar="VPC/SUBNET")
def show(settings: Settings, name: str) -> None:
    """Show all that is known of a subnet."""
    print_one(settings, open_target(settings).row("subnets", name))


@subcommand("update", example="netsim subnet update shop/web --name front --dry-run", takes_server=True)
@click.argument("subnet", metavar="VPC/SUBNET")
@click.option("--name", metavar="NAME", help="A new name.")
@click.option("--description", metavar="TEXT", help="Kept with the subnet; by servers only.")
@DRY_RUN
def update(settings: Settings, subnet: str, name: str | None, description: str | None, dry_run: bool) -> int:
    """Change a subnet's name or description."""
    from netsim.controlplane.edit import UpdateSubnet

    if name is None and description is None:
        raise click.UsageError("nothing to change, expected --name or --description")
    return change(settings, [UpdateSubnet(subnet, name, description)], is_dry=dry_run)


@subcommand("delete", example="netsim subnet delete shop/spare --dry-run", takes_server=True)
@click.argument("name", metavar="VPC/SUBNET")
@YES
@DRY_RUN
def delete(settings: Settings, name: str, yes: bool, dry_run: bool) -> int:
    """Delete a subnet that has no instances."""
    from netsim.controlplane.edit import DeleteSubnet

    return change(settings, [DeleteSubnet(name)], is_dry=dry_run, is_sure=yes, asks=f"Delete the subnet {name}?")


command = group("subnet", text="Subnets.", commands=[create, list_, show, update, delete], takes_server=True)
