"""`netsim` itself: the list of subcommands, each loaded from its module when it is needed."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from netsim.cli.frame import CONTEXT, global_options, server_options, unknown_command
from netsim.version import __version__

SECTIONS: dict[str, tuple[str, ...]] = {
    "Files": ("new", "validate", "schema", "show", "graph", "diff"),
    "Packets": ("ping", "traceroute", "pingall", "iperf", "dig", "send", "replay"),
    "Runs": ("run", "monitor"),
    "Control": ("vpc", "subnet", "instance", "route", "peer", "dns", "quota"),
    "Questions": ("reach", "lint", "whatif", "check", "trace", "explain"),
    "Server": ("serve", "db", "account", "key", "clock"),
    "Real kernel": ("deploy", "exec", "destroy", "crosscheck", "cleanup", "doctor"),
}
"""Subcommands in the order of the help; `route get` lives in module `route`, as attribute `command`."""


class LazyGroup(click.Group):
    """A group whose subcommands are modules of this package, imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of `SECTIONS`."""
        del ctx
        return [name for names in SECTIONS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, None if there is none of this name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"netsim.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but a typo gets a suggestion."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            raise click.UsageError(unknown_command(args[0], self.list_commands(ctx)), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The subcommands, one section for each kind."""
        for title, names in SECTIONS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(title):
                formatter.write_dl([(name, made.get_short_help_str(70)) for name, made in commands if made is not None])


def _version(ctx: click.Context, param: click.Parameter, is_given: bool) -> None:
    del param
    if is_given and not ctx.resilient_parsing:
        click.echo(f"netsim {__version__}")
        ctx.exit()


def _without_subcommand(**params: Any) -> None:
    del params
    ctx = click.get_current_context()
    if ctx.invoked_subcommand is None:
        sys.stderr.write(f"{ctx.get_help()}\n")
        ctx.exit(2)


root = LazyGroup(
    "netsim",
    callback=_without_subcommand,
    invoke_without_command=True,
    help="Emulate cloud VPC networks: real packets through route tables and capped peer connections.",
    epilog="Exit codes: 0 yes, 1 the answer is no, 2 usage, 3 bad file, 4 refused by a rule, 5 server, 6 not here.",
    context_settings=CONTEXT,
    params=[
        *[option for option in server_options() if option.name == "server"],
        *global_options(),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Print the version.",
        ),
    ],
)
