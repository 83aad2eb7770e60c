"""`netsim diff`: what a change of the file changes for packets."""

from __future__ import annotations

import click

from netsim.cli.diff_text import counted, diff_lines
from netsim.cli.frame import subcommand
from netsim.cli.output import print_json, print_line
from netsim.cli.reach import network_of
from netsim.cli.settings import Settings


@subcommand("diff", example="netsim diff shop.netsim.yaml new.netsim.yaml", takes_topology=False)
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
def command(settings: Settings, before: str, after: str) -> int:
    """Compare the behaviour of two topology files: which pairs lost or gained each other, and why.

    Exits 0 if every packet that can be sent ends alike in both, which is proven, not sampled; else 1.
    """
    from netsim.topology_file import load_topology
    from netsim.verify.diff import diff

    found = diff(*(network_of(load_topology(path, settings.seed)) for path in (before, after)))
    if settings.is_json:
        print_json(found.to_dict())
    elif found.is_same:
        print_line(counted(found))
    else:
        for line in diff_lines(settings, found):
            print_line(line)
    return 0 if found.is_same else 1
