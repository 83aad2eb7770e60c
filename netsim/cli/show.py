"""`netsim show`: what a topology file holds, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netsim.cli.frame import subcommand
from netsim.cli.loading import open_topology
from netsim.cli.output import print_json, print_line, print_rows, safe, table
from netsim.cli.settings import Settings

if TYPE_CHECKING:
    from netsim.resource_rows import Rows

NOUNS = ("vpcs", "subnets", "instances", "routes", "peers", "traffic", "expect")


@subcommand("show", example="netsim show routes -t shop.netsim.yaml", formats=("table", "json", "csv"))
@click.argument("noun", metavar=f"[{'|'.join(NOUNS)}]", type=click.Choice(NOUNS), required=False)
@click.option("--vpc", "vpc_ref", metavar="NAME", help="Only what belongs to this VPC (name or id).")
def command(settings: Settings, noun: str | None, vpc_ref: str | None) -> None:
    """Show what a topology file holds: all of it, or one kind of thing."""
    from netsim.cli.topology_rows import rows_of

    if noun is None and settings.format == "csv":
        raise click.UsageError(f"CSV holds one table; say which: {', '.join(NOUNS)}")
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
    for name, found in sections.items():
        if found.rows:
            print_line()
            print_line(f"{name} ({len(found.rows):,})")
            print_line(table([[row[key] for key in found.columns] for row in found.rows], found.columns, indent="  "))
