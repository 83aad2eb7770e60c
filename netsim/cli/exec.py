"""`netsim exec`: a real program on a deployed instance."""

from __future__ import annotations

import click

from netsim.cli.frame import subcommand
from netsim.cli.settings import Settings
from netsim.errors import CapabilityError


@subcommand("exec", example="netsim exec web-1 -- ping -c 3 db-1", formats=("table",))
@click.argument("node")
@click.argument("words", metavar="-- CMD [ARG]...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--name", metavar="NAME", help="Of the deployment (default: the only one, or that of -t FILE).")
def command(settings: Settings, node: str, words: tuple[str, ...], name: str | None) -> int:
    """Run a program on NODE: an instance, or a VPC for its router.

    It gets this terminal, and its exit code is returned: 127 if there is no such command, 126 if it can't be run.
    Instances are known to it by name. Write -- before the command.
    """
    from netsim.kernel.choice import choose
    from netsim.kernel.execution import execute
    from netsim.kernel.journal import Journal

    deployed = choose(Journal(), name, settings.file)
    if deployed.phase != "complete":
        raise CapabilityError(f"deployment {deployed.name}: not complete; netsim cleanup, then netsim deploy")
    return execute(deployed, node, words)
