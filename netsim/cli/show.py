"""`netsim show`: what a topology file or a server holds, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netsim.cli.frame import subcommand
from netsim.cli.loading import open_topology
from netsim.cli.output import print_json, print_line, print_rows, safe, table
from netsim.cli.server_access import server_url, tenant_client
from netsim.cli.settings import Settings
from netsim.cli.target import ServerTarget

if TYPE_CHECKING:
    from netsim.resource_rows import Rows

RESOURCES = ("vpcs", "subnets", "instances", "routes", "peers", "dns")
NOUNS = (*RESOURCES, "traffic", "expect")


@subcommand(
    "show", example="netsim show routes -t shop.netsim.yaml", formats=("table", "json", "csv"), takes_server=True
)
@click.argument("noun", metavar=f"[{'|'.join(NOUNS)}]", type=click.Choice(NOUNS), required=False)
@click.option("--vpc", "vpc_ref", metavar="NAME", help="Only what belongs to this VPC (name or id).")
def command(settings: Settings, noun: str | None, vpc_ref: str | None) -> None:
    """Show what a topology file holds, or what an account has on a server: all of it, or one kind of thing."""
    from netsim.cli.topology_rows import rows_of

    if noun is None and settings.format == "csv":
        raise click.UsageError(f"CSV holds one table; say which: {', '.join(NOUNS)}")
    if (url := server_url(settings)) is not None:
        _show_server(settings, url, noun, vpc_ref)
        return
    topology = open_topology(settings)
    vpc = None if vpc_ref is None else topology.inventory.vpc(vpc_ref)
    if noun is not None:
        found = rows_of(noun, topology, vpc)
        print_rows(settings, found.rows, found.columns)
        return
    sections: dict[str, Rows] = {name: rows_of(name, topology, vpc) for name in NOUNS}
    if settings.is_json:
        head = {"topology": topology.name, "seed": topology.seed, "profile": topology.profile}
        print_json(head | {name: found.rows for name, found in sections.items()})
        return
    print_line(f"{safe(topology.name)} (profile {topology.profile}, seed {topology.seed})")
    _print_sections(sections)


def _show_server(settings: Settings, url: str, noun: str | None, vpc: str | None) -> None:
    if noun is not None and noun not in RESOURCES:
        raise click.UsageError(f"a server has no {noun} of this kind, accepted {', '.join(RESOURCES)}")
    target = ServerTarget(settings, url, tenant_client(settings, url))
    if noun is not None:
        found = target.rows(noun, vpc)
        print_rows(settings, found.rows, found.columns)
        return
    sections = {name: target.rows(name, vpc) for name in RESOURCES}
    if settings.is_json:
        print_json({"server": url} | {name: found.rows for name, found in sections.items()})
        return
    print_line(url)
    _print_sections(sections)


def _print_sections(sections: dict[str, Rows]) -> None:
    for name, found in sections.items():
        if found.rows:
            print_line()
            print_line(f"{name} ({len(found.rows):,})")
            print_line(table([[row[key] for key in found.columns] for row in found.rows], found.columns, indent="  "))
