"""`netsim schema`: the JSON Schema of topology files, for editors."""

from __future__ import annotations

from importlib import resources

import click

from netsim.cli.files import write_file
from netsim.cli.frame import subcommand
from netsim.cli.output import print_text
from netsim.cli.settings import Settings


@subcommand("schema", example="netsim schema -o netsim.schema.json", takes_topology=False)
@click.option("-o", "--output", metavar="FILE", help="Write this file (default: stdout).")
def command(settings: Settings, output: str | None) -> None:
    """Print the JSON Schema of topology files.

    An editor that knows YAML then completes keys and marks mistakes; put this line on top of a file:

    # yaml-language-server: $schema=netsim.schema.json
    """
    # The shipped file, not the module that makes it: that needs pydantic.
    text = resources.files("netsim.topology_file").joinpath("topology.schema.json").read_text(encoding="utf-8")
    if output is None:
        print_text(text)
    else:
        write_file(output, text)
        settings.note(f"wrote {output}")
