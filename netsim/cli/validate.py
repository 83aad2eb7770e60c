"""`netsim validate`: every problem of topology files, with line and column."""

from __future__ import annotations

from typing import Any

import click

from netsim.cli.frame import subcommand
from netsim.cli.loading import topology_path
from netsim.cli.output import print_json, print_line, safe
from netsim.cli.settings import Settings
from netsim.errors import TopologyError


@subcommand("validate", example="netsim validate shop.netsim.yaml")
@click.argument("files", metavar="[FILE]...", nargs=-1)
def command(settings: Settings, files: tuple[str, ...]) -> int:
    """Check topology files and print every problem with its place.

    Exits 0 if all are right, else 3.
    """
    from netsim.topology_file import load_topology

    reports: list[dict[str, Any]] = []
    for file in files or (topology_path(settings),):
        report: dict[str, Any] = {"file": file, "valid": True, "problems": []}
        try:
            topology = load_topology(file, settings.seed)
        except TopologyError as error:
            report["valid"] = False
            report["problems"] = [
                {"line": p.line, "column": p.column, "path": p.path, "message": p.message} for p in error.problems
            ]
            text = str(error)
        else:
            inventory = topology.inventory
            report["name"] = topology.name
            counts = (
                (len(inventory.vpcs), "VPC"),
                (len(inventory.instances), "instance"),
                (len(inventory.rules), "route"),
                (len(inventory.peer_conns), "peer connection"),
                (len(topology.traffic), "flow"),
                (len(topology.expect), "expectation"),
            )
            counted = ", ".join(f"{n:,} {noun}{'' if n == 1 else 's'}" for n, noun in counts)
            text = f"{safe(file)}: ok, {safe(topology.name)}: {counted}"
        reports.append(report)
        if not settings.is_json:
            print_line(text)
    if settings.is_json:
        print_json(reports)
    return 0 if all(report["valid"] for report in reports) else TopologyError.exit_code
