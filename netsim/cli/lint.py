"""`netsim lint`: what is wrong, useless or surprising in a network, found without sending anything."""

from __future__ import annotations

import click

from netsim.cli.files import check_writable, write_file
from netsim.cli.finding_text import FAIL_ON, as_rows, counts, finding_lines, is_failure, junit_cases, look, total
from netsim.cli.finding_text import junit as junit_text
from netsim.cli.frame import subcommand
from netsim.cli.loading import open_topology
from netsim.cli.output import print_json, print_line
from netsim.cli.reach import network_of
from netsim.cli.settings import Settings


@subcommand("lint", example="netsim lint shop.netsim.yaml --fail-on error")
@click.argument("file", metavar="[FILE]", required=False)
@FAIL_ON
@click.option("--junit", metavar="FILE", help="Write the findings as JUnit XML, too.")
def command(settings: Settings, file: str | None, fail_on: str | None, junit: str | None) -> int:
    """Find what is wrong in a network: rules that discard or never win, loops, one-way pairs, and more.

    Each finding comes with its line in the file, a packet that shows it, and what to change. Exits 0, also with
    findings; --fail-on makes it 1.
    """
    topology = open_topology(settings, file)
    if junit is not None:
        check_writable(junit)
    found = look(topology, network_of(topology))
    if junit is not None:
        write_file(junit, junit_text(topology, *junit_cases(topology, found, fail_on or "warning")))
    if settings.is_json:
        print_json({"topology": topology.name, "findings": as_rows(found), "summary": counts(found)})
    else:
        for finding, line in found:
            for text in finding_lines(settings, topology, finding, line):
                print_line(text)
        print_line(total(counts(found)))
    return 1 if is_failure(found, fail_on) else 0
