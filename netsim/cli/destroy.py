"""`netsim destroy`: takes a deployed network away."""

from __future__ import annotations

import os
from pathlib import Path

import click

from netsim.cli.frame import subcommand
from netsim.cli.output import print_json, print_line
from netsim.cli.settings import Settings
from netsim.errors import CapabilityError, NotFoundError, UsageError


@subcommand("destroy", example="netsim destroy shop")
@click.argument("what", metavar="[FILE|NAME]", required=False)
@click.option("--all", "is_all", is_flag=True, help="All of them.")
def command(settings: Settings, what: str | None, is_all: bool) -> int:
    """Take away a deployment: by name, by the file it was made from, or the only one.

    Programs that still run in it are ended. Of what is not there nothing has to be taken away: that is no error.
    """
    from netsim.kernel.choice import choose
    from netsim.kernel.deploy import destroy
    from netsim.kernel.journal import Journal

    if is_all and (what is not None or settings.file is not None):
        raise UsageError("destroy: --all takes no FILE or NAME")
    journal = Journal()
    there = journal.all()
    if is_all:
        names = [each.name for each in there]
    else:
        named = what is not None and any(each.name == what for each in there)
        file = settings.file if what is None else what
        try:
            is_name = named or (file is not None and not Path(file).exists() and what is not None)
            names = [choose(journal, what if is_name else None, None if is_name else file).name]
        except NotFoundError as error:
            settings.note(str(error))
            names = []
    if names and os.geteuid():
        raise CapabilityError("destroy: needs root (sudo netsim destroy …)")
    gone = [name for name in names if destroy(name, journal=journal)]
    if settings.is_json:
        print_json({"destroyed": gone})
    else:
        for name in gone:
            print_line(f"{name}: gone")
    return 0
