"""`netsim peer`: peer connections of a topology file or a server.

A server's accounts answer each other. A file has no tenants who do: whoever edits it plays both sides, or one
of them with --account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from netsim.cli.control import DRY_RUN, ON_OFF, SIDE, YES, where
from netsim.cli.frame import group, subcommand
from netsim.cli.peer_list import applications, list_, show
from netsim.cli.settings import Settings
from netsim.cli.target import Target, change, change_in, open_target
from netsim.errors import UsageError

if TYPE_CHECKING:
    from netsim.controlplane.edit import Edit
    from netsim.resource_rows import Row

    Edits = list[Edit[Any]]


@subcommand("create", example="netsim peer create a-b --local a --peer b --bandwidth 100 --dry-run", takes_server=True)
@click.argument("name", metavar="NAME")
@click.option("--local", metavar="VPC", required=True, help="The VPC that asks.")
@click.option("--peer", metavar="VPC", required=True, help="The VPC that is asked; another account's by its id.")
@click.option("--peer-account", metavar="ID", help="Whose that is (default: the asking account's own).")
@click.option("--peer-region", metavar="CODE", help="Where that is; not needed.")
@click.option("--bandwidth", type=int, metavar="MBPS", required=True, help="The cap of each direction.")
@click.option("--local-interface", metavar="NAME", default="", help="What routes of the one call it.")
@click.option("--peer-interface", metavar="NAME", default="", help="What routes of the other call it.")
@click.option("--latency-ms", type=float, metavar="MS", help="One-way delay (default: by distance).")
@click.option("--payment", type=click.Choice(("postpaid", "prepaid")), default="postpaid", help="Default: postpaid.")
@click.option("--months", type=int, metavar="N", default=1, help="Of a prepaid one; servers only (default: 1).")
@DRY_RUN
def create(
    settings: Settings,
    name: str,
    local: str,
    peer: str,
    peer_account: str | None,
    peer_region: str | None,
    bandwidth: int,
    local_interface: str,
    peer_interface: str,
    latency_ms: float | None,
    payment: str,
    months: int,
    dry_run: bool,
) -> int:
    """Connect two VPCs: of one account at once, of two when it is accepted."""
    from netsim.controlplane.edit import CreatePeerConn

    made = CreatePeerConn(
        local, peer, bandwidth, name, local_interface, peer_interface, peer_account, peer_region, payment, months,
        latency_ms=latency_ms,
    )  # fmt: skip
    return change_in(settings, _with_months(settings, months), [made], is_dry=dry_run)


@subcommand("accept", example="netsim peer accept shop-data -t shop.netsim.yaml", takes_server=True)
@click.argument("name", metavar="NAME")
@DRY_RUN
def accept(settings: Settings, name: str, dry_run: bool) -> int:
    """Say yes to a request: the connection becomes active."""
    from netsim.controlplane.edit import AcceptPeerConn

    return change(settings, [AcceptPeerConn(name)], is_dry=dry_run)


@subcommand("reject", example="netsim peer reject shop-data -t shop.netsim.yaml", takes_server=True)
@click.argument("name", metavar="NAME")
@DRY_RUN
def reject(settings: Settings, name: str, dry_run: bool) -> int:
    """Say no to a request: the connection becomes consult_failed."""
    from netsim.controlplane.edit import RejectPeerConn

    return change(settings, [RejectPeerConn(name)], is_dry=dry_run)


@subcommand("renew", example="netsim peer renew shop-data -t shop.netsim.yaml", takes_server=True)
@click.argument("name", metavar="NAME")
@click.option("--months", type=int, metavar="N", default=1, help="Servers only (default: 1).")
@DRY_RUN
def renew(settings: Settings, name: str, months: int, dry_run: bool) -> int:
    """Pay a prepaid connection for more months: an expired one becomes active again."""
    from netsim.controlplane.edit import RenewPeerConn

    return change_in(settings, _with_months(settings, months), [RenewPeerConn(name, months)], is_dry=dry_run)


@subcommand("resize", example="netsim peer resize shop-data --bandwidth 200 -t shop.netsim.yaml", takes_server=True)
@click.argument("name", metavar="NAME")
@click.option("--bandwidth", type=int, metavar="MBPS", required=True, help="The cap of each direction.")
@DRY_RUN
def resize(settings: Settings, name: str, bandwidth: int, dry_run: bool) -> int:
    """Change the bandwidth of a connection."""
    from netsim.controlplane.edit import ResizePeerConn

    return change(settings, [ResizePeerConn(name, bandwidth)], is_dry=dry_run)


@subcommand("update", example="netsim peer update shop-data --local-interface int-9 --dry-run", takes_server=True)
@click.argument("conn", metavar="NAME")
@click.option("--name", metavar="NAME", help="A new name; its initiator's to give.")
@click.option("--local-interface", metavar="NAME", help="What routes of the asking VPC call it.")
@click.option("--peer-interface", metavar="NAME", help="What routes of the asked VPC call it.")
@click.option("--description", metavar="TEXT", help="Of the account's own side; kept by servers only.")
@click.option("--side", type=SIDE, help="Which side the description is of, where both are the account's.")
@DRY_RUN
def update(
    settings: Settings,
    conn: str,
    name: str | None,
    local_interface: str | None,
    peer_interface: str | None,
    description: str | None,
    side: str | None,
    dry_run: bool,
) -> int:
    """Change a connection's name, the names of its interfaces, or a side's description."""
    from netsim.controlplane.edit import UpdatePeerConn

    edits: Edits = []
    for key, interface in (("local", local_interface), ("peer", peer_interface)):
        if interface is not None:
            edits.append(UpdatePeerConn(conn, key, interface_name=interface))
    if description is not None:
        edits.append(UpdatePeerConn(conn, side, description=description))
    if name is not None:  # last: the edits before it say the old name
        edits.append(UpdatePeerConn(conn, name=name))
    if not edits:
        raise click.UsageError(
            "nothing to change, expected --name, --local-interface, --peer-interface or --description"
        )
    return change(settings, edits, is_dry=dry_run)


@subcommand("dns", example="netsim peer dns shop-data on -t shop.netsim.yaml", takes_server=True)
@click.argument("name", metavar="NAME")
@click.argument("switch", metavar="on|off", type=ON_OFF)
@click.option("--side", type=SIDE, help="Which side (default: the account's own; in a file without --account both).")
@DRY_RUN
def dns(settings: Settings, name: str, switch: str, side: str | None, dry_run: bool) -> int:
    """Share names with the other side, or stop that; works while both sides are on."""
    from netsim.controlplane.edit import SetDnsSync

    target = open_target(settings)
    sides: tuple[str | None, ...] = (side,)
    if side is None and target.is_file and settings.account is None:
        sides = ("local", "peer")
    edits = [SetDnsSync(name, switch == "on", each) for each in sides]
    return change_in(settings, target, edits, is_dry=dry_run)


@subcommand("protect", example="netsim peer protect shop-data on --server http://127.0.0.1:8410", takes_server=True)
@click.argument("name", metavar="NAME")
@click.argument("switch", metavar="on|off", type=ON_OFF)
@DRY_RUN
def protect(settings: Settings, name: str, switch: str, dry_run: bool) -> int:
    """Guard a connection of a server against deletion, or stop that."""
    from netsim.controlplane.edit import SetDeleteProtect

    target = open_target(settings)
    if target.is_file:
        raise UsageError("a file keeps no delete protection; --server URL names a server")
    return change_in(settings, target, [SetDeleteProtect(name, switch == "on")], is_dry=dry_run)


@subcommand("delete", example="netsim peer delete shop-data --dry-run -t shop.netsim.yaml", takes_server=True)
@click.argument("name", metavar="NAME")
@click.option("--with-routes", is_flag=True, help="And the rules that point to it; on a server the account's own.")
@YES
@DRY_RUN
def delete(settings: Settings, name: str, with_routes: bool, yes: bool, dry_run: bool) -> int:
    """Delete a connection; rules that point to it stay and discard, unless they are to go as well."""
    from netsim.controlplane.edit import DeletePeerConn, DeleteRoute

    target = open_target(settings)
    rules = _rules_to(target, name) if with_routes else []
    edits: Edits = [*(DeleteRoute(row["id"]) for row in rules), DeletePeerConn(name)]
    also = f" and {len(rules)} rule{'s' if len(rules) != 1 else ''}" if rules else ""
    asks = f"Delete the peer connection {name}{also}?"
    return change_in(settings, target, edits, is_dry=dry_run, is_sure=yes, asks=asks)


@subcommand(
    "refund", example="netsim peer refund shop-data --dry-run --server http://127.0.0.1:8410", takes_server=True
)
@click.argument("name", metavar="NAME")
@YES
@DRY_RUN
def refund(settings: Settings, name: str, yes: bool, dry_run: bool) -> int:
    """Give a prepaid connection of a server back before its time is over: it is deleted."""
    from netsim.controlplane.edit import RefundPeerConn

    target = open_target(settings)
    if target.is_file:
        raise UsageError("a file keeps no payments; --server URL names a server, or `peer delete` takes it out")
    asks = f"Give the peer connection {name} back?"
    return change_in(settings, target, [RefundPeerConn(name)], is_dry=dry_run, is_sure=yes, asks=asks)


def _with_months(settings: Settings, months: int) -> Target:
    """The target, if it keeps such a period."""
    target = open_target(settings)
    if target.is_file and months != 1:
        raise UsageError("--months: a file keeps no periods; --server URL names a server")
    return target


def _rules_to(target: Target, name: str) -> list[Row]:
    """The visible rules that point to a connection."""
    (conn,) = target.row("peers", name).rows
    ends = {conn["local_interface"], conn["peer_interface"]}
    return [row for row in where(target.rows("routes").rows, kind="custom") if row["interface"] in ends]


command = group(
    "peer",
    text="Peer connections.",
    commands=[
        create, list_, applications, show, accept, reject, update, resize, renew, dns, protect, refund, delete,
    ],
    takes_server=True,
)  # fmt: skip
