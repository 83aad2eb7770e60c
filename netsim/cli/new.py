"""`netsim new`: a topology file to start from."""

from __future__ import annotations

from pathlib import Path

import click

from netsim.cli.files import write_file
from netsim.cli.frame import subcommand
from netsim.cli.output import print_text
from netsim.cli.settings import Settings
from netsim.errors import ConflictError


@subcommand(
    "new",
    example="netsim new --template hub:5 -o hub.netsim.yaml",
    formats=("table",),
    takes_topology=False,
)
@click.option(
    "--template",
    default="two-vpcs",
    show_default=True,
    metavar="NAME",
    help="two-vpcs, cross-account, hub:N, mesh:N, chain:N or random:N.",
)
@click.option("-o", "--output", metavar="FILE", help="Write this file (default: stdout).")
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
def command(settings: Settings, template: str, output: str | None, force: bool) -> None:
    """Write a new topology file from a template, with comments, traffic and expectations."""
    from netsim.topology_file import new_topology

    text = new_topology(template, settings.seed or 0)
    if output is None:
        print_text(text)
        return
    if not force and Path(output).is_file():
        raise ConflictError(f"{output}: exists already; --force overwrites it")
    write_file(output, text)
    settings.note(f"wrote {output}; next: netsim run {output}")
