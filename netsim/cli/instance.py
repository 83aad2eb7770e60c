"""`netsim instance`: instances, changed in the topology file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from netsim.cli.file_change import DRY_RUN, change
from netsim.cli.frame import group, subcommand
from netsim.cli.settings import Settings

if TYPE_CHECKING:
    from netsim.controlplane.edit import Edit
    from netsim.controlplane.inventory import Inventory

_LISTEN = click.option("--listen", metavar="PORT", multiple=True, help="A port to open, like tcp/80; may be repeated.")


@subcommand("create", example="netsim instance create web-3 --subnet shop/web --ip 192.168.0.13")
@click.argument("name", metavar="NAME")
@click.option("--subnet", metavar="VPC/SUBNET", required=True, help="Where it stands.")
@click.option("--ip", "addr", metavar="ADDRESS", required=True, help="Its address.")
@_LISTEN
@DRY_RUN
def create(settings: Settings, name: str, subnet: str, addr: str, listen: tuple[str, ...], dry_run: bool) -> int:
    """Add an instance to the topology file."""

    def edits(inventory: Inventory) -> list[Edit[Any]]:
        from netsim.controlplane.edit import CreateInstance

        return [CreateInstance(name, inventory.subnet(subnet).id, addr, listen=listen)]

    return change(settings, edits, is_dry=dry_run)


@subcommand("update", example="netsim instance update web-1 --listen tcp/443 -t shop.netsim.yaml")
@click.argument("name", metavar="INSTANCE")
@_LISTEN
@DRY_RUN
def update(settings: Settings, name: str, listen: tuple[str, ...], dry_run: bool) -> int:
    """Open ports of an instance, in the topology file; those that are open stay so."""
    if not listen:
        raise click.UsageError("nothing to change, expected --listen PORT")

    def edits(inventory: Inventory) -> list[Edit[Any]]:
        from netsim.controlplane.edit import UpdateInstance
        from netsim.traffic.expectation import parse_listen

        instance = inventory.instance(name)
        ports = dict.fromkeys([*instance.listen, *map(parse_listen, listen)])
        return [UpdateInstance(instance.id, listen=tuple(ports))]

    return change(settings, edits, is_dry=dry_run)


command = group("instance", text="Change instances.", commands=[create, update])
