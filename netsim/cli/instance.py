"""`netsim instance`: instances of a topology file or a server."""

from __future__ import annotations

from dataclasses import replace

import click

from netsim.cli.control import DRY_RUN, LIST_FORMATS, OF_VPC, YES, print_list, print_one
from netsim.cli.frame import group, subcommand
from netsim.cli.settings import Settings
from netsim.cli.target import change, change_in, open_target

_LISTEN = click.option("--listen", metavar="PORT", multiple=True, help="A port to open, like tcp/80; may be repeated.")


@subcommand("create", example="netsim instance create web-3 --subnet shop/web --ip 192.168.0.13", takes_server=True)
@click.argument("name", metavar="NAME")
@click.option("--subnet", metavar="VPC/SUBNET", required=True, help="Where it stands.")
@click.option("--ip", "addr", metavar="ADDRESS", help="Its address (default: the lowest that is free).")
@_LISTEN
@click.option("--nic-mbps", type=int, metavar="MBPS", help="Rate of its interface (default: 10000).")
@DRY_RUN
def create(
    settings: Settings,
    name: str,
    subnet: str,
    addr: str | None,
    listen: tuple[str, ...],
    nic_mbps: int | None,
    dry_run: bool,
) -> int:
    """Start an instance."""
    from netsim.controlplane.edit import CreateInstance

    made = CreateInstance(name, subnet, addr, listen=listen)
    return change(settings, [made if nic_mbps is None else replace(made, nic_mbps=nic_mbps)], is_dry=dry_run)


@subcommand("list", example="netsim instance list --vpc shop", formats=LIST_FORMATS, takes_server=True)
@OF_VPC
def list_(settings: Settings, vpc: str | None) -> None:
    """List instances."""
    print_list(settings, open_target(settings).rows("instances", vpc))


@subcommand("show", example="netsim instance show shop/web-1", takes_server=True)
@click.argument("name", metavar="INSTANCE")
def show(settings: Settings, name: str) -> None:
    """Show all that is known of an instance."""
    print_one(settings, open_target(settings).row("instances", name))


@subcommand("update", example="netsim instance update web-1 --listen tcp/443 -t shop.netsim.yaml", takes_server=True)
@click.argument("instance", metavar="INSTANCE")
@click.option("--name", metavar="NAME", help="A new name.")
@_LISTEN
@click.option("--nic-mbps", type=int, metavar="MBPS", help="Rate of its interface.")
@DRY_RUN
def update(
    settings: Settings, instance: str, name: str | None, listen: tuple[str, ...], nic_mbps: int | None, dry_run: bool
) -> int:
    """Change an instance's name or interface rate, or open ports; those that are open stay so."""
    from netsim.controlplane.edit import UpdateInstance

    if name is None and nic_mbps is None and not listen:
        raise click.UsageError("nothing to change, expected --listen PORT, --name or --nic-mbps")
    target = open_target(settings)
    ports = None
    if listen:
        (row,) = target.row("instances", instance).rows
        ports = tuple(dict.fromkeys([*row["listen"], *listen]))
    return change_in(settings, target, [UpdateInstance(instance, name, ports, nic_mbps)], is_dry=dry_run)


@subcommand("delete", example="netsim instance delete web-2 --dry-run -t shop.netsim.yaml", takes_server=True)
@click.argument("name", metavar="INSTANCE")
@YES
@DRY_RUN
def delete(settings: Settings, name: str, yes: bool, dry_run: bool) -> int:
    """Delete an instance."""
    from netsim.controlplane.edit import DeleteInstance

    return change(settings, [DeleteInstance(name)], is_dry=dry_run, is_sure=yes, asks=f"Delete the instance {name}?")


command = group("instance", text="Instances.", commands=[create, list_, show, update, delete], takes_server=True)
