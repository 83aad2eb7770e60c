"""`netsim peer`: peer connections, changed in the topology file.

A file has no tenants who answer each other: whoever edits it plays both sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from netsim.cli.file_change import DRY_RUN, YES, change
from netsim.cli.frame import group, subcommand
from netsim.cli.settings import Settings

if TYPE_CHECKING:
    from netsim.controlplane.edit import Edit
    from netsim.controlplane.inventory import Inventory


@subcommand("create", example="netsim peer create a-b --local a --peer b --bandwidth 100 --dry-run")
@click.argument("name", metavar="NAME")
@click.option("--local", metavar="VPC", required=True, help="The VPC that asks.")
@click.option("--peer", metavar="VPC", required=True, help="The VPC that is asked.")
@click.option("--bandwidth", type=int, metavar="MBPS", required=True, help="The cap of each direction.")
@click.option("--local-interface", metavar="NAME", default="", help="What routes of the one call it.")
@click.option("--peer-interface", metavar="NAME", default="", help="What routes of the other call it.")
@DRY_RUN
def create(
    settings: Settings, name: str, local: str, peer: str, bandwidth: int, local_interface: str, peer_interface: str,
    dry_run: bool,
) -> int:  # fmt: skip
    """Connect two VPCs, in the topology file: of one account at once, of two when it is accepted."""

    def edits(inventory: Inventory) -> list[Edit[Any]]:
        from netsim.controlplane.edit import CreatePeerConn

        near, far = inventory.vpc(local).id, inventory.vpc(peer).id
        return [CreatePeerConn(near, far, bandwidth, name, local_interface, peer_interface)]

    return change(settings, edits, is_dry=dry_run)


@subcommand("accept", example="netsim peer accept shop-data -t shop.netsim.yaml")
@click.argument("name", metavar="NAME")
@DRY_RUN
def accept(settings: Settings, name: str, dry_run: bool) -> int:
    """Say yes to a request, in the topology file: the connection becomes active."""

    def edits(inventory: Inventory) -> list[Edit[Any]]:
        from netsim.controlplane.edit import AcceptPeerConn

        return [AcceptPeerConn(inventory.peer_conn(name).id)]

    return change(settings, edits, is_dry=dry_run)


@subcommand("reject", example="netsim peer reject shop-data -t shop.netsim.yaml")
@click.argument("name", metavar="NAME")
@DRY_RUN
def reject(settings: Settings, name: str, dry_run: bool) -> int:
    """Say no to a request, in the topology file: the connection becomes consult_failed."""

    def edits(inventory: Inventory) -> list[Edit[Any]]:
        from netsim.controlplane.edit import RejectPeerConn

        return [RejectPeerConn(inventory.peer_conn(name).id)]

    return change(settings, edits, is_dry=dry_run)


@subcommand("renew", example="netsim peer renew shop-data -t shop.netsim.yaml")
@click.argument("name", metavar="NAME")
@DRY_RUN
def renew(settings: Settings, name: str, dry_run: bool) -> int:
    """Pay an expired connection again, in the topology file: it becomes active."""

    def edits(inventory: Inventory) -> list[Edit[Any]]:
        from netsim.controlplane.edit import RenewPeerConn

        return [RenewPeerConn(inventory.peer_conn(name).id)]

    return change(settings, edits, is_dry=dry_run)


@subcommand("resize", example="netsim peer resize shop-data --bandwidth 200 -t shop.netsim.yaml")
@click.argument("name", metavar="NAME")
@click.option("--bandwidth", type=int, metavar="MBPS", required=True, help="The cap of each direction.")
@DRY_RUN
def resize(settings: Settings, name: str, bandwidth: int, dry_run: bool) -> int:
    """Change the bandwidth of a connection, in the topology file."""

    def edits(inventory: Inventory) -> list[Edit[Any]]:
        from netsim.controlplane.edit import ResizePeerConn

        return [ResizePeerConn(inventory.peer_conn(name).id, bandwidth)]

    return change(settings, edits, is_dry=dry_run)


@subcommand("delete", example="netsim peer delete shop-data --dry-run -t shop.netsim.yaml")
@click.argument("name", metavar="NAME")
@YES
@DRY_RUN
def delete(settings: Settings, name: str, yes: bool, dry_run: bool) -> int:
    """Take a connection out of the topology file; the rules that point to it become blackholes."""

    def edits(inventory: Inventory) -> list[Edit[Any]]:
        from netsim.controlplane.edit import DeletePeerConn

        return [DeletePeerConn(inventory.peer_conn(name).id)]

    return change(settings, edits, is_dry=dry_run, is_sure=yes, asks=f"Delete the peer connection {name}?")


command = group("peer", text="Change peer connections.", commands=[create, accept, reject, renew, resize, delete])
