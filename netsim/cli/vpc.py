"""`netsim vpc`: VPCs, changed in the topology file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from netsim.cli.file_change import DRY_RUN, change
from netsim.cli.frame import group, subcommand
from netsim.cli.settings import Settings

if TYPE_CHECKING:
    from netsim.controlplane.edit import Edit
    from netsim.controlplane.inventory import Inventory


@subcommand("update", example="netsim vpc update hub --relay on -t shop.netsim.yaml")
@click.argument("name", metavar="VPC")
@click.option("--relay", type=click.Choice(("on", "off")), required=True, help="Whether packets may pass through.")
@DRY_RUN
def update(settings: Settings, name: str, relay: str, dry_run: bool) -> int:
    """Turn the relay role of a VPC on or off, in the topology file."""

    def edits(inventory: Inventory) -> list[Edit[Any]]:
        from netsim.controlplane.edit import SetRelay

        return [SetRelay(inventory.vpc(name).id, relay=relay == "on")]

    return change(settings, edits, is_dry=dry_run)


command = group("vpc", text="Change VPCs.", commands=[update])
