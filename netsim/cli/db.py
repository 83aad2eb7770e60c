"""`netsim db check`: is a server's database whole?"""

from __future__ import annotations

import click

from netsim.cli.frame import group, subcommand
from netsim.cli.output import print_json, print_line
from netsim.cli.settings import Settings


@subcommand("check", example="netsim db check shop.db", takes_topology=False)
@click.argument("file", metavar="FILE")
def check(settings: Settings, file: str) -> int:
    """Check the file, play its journal again, and compare what happened then.

    The server must not be running on it. Exit code 1 if anything is wrong.
    """
    from netsim.store.check import check_database

    problems = check_database(file)
    if settings.is_json:
        print_json({"file": file, "problems": problems})
    else:
        for problem in problems:
            print_line(problem)
        if not problems:
            print_line(f"{file}: ok")
    return 1 if problems else 0


command = group("db", text="Databases of `netsim serve`.", commands=[check])
