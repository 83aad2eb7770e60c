"""What every subcommand shares: the global options, help with an example, usage errors in one line.

A subcommand is a function decorated with `@subcommand`, called `command` in its module. It gets the
`Settings` first and returns its exit code, or None for 0. Its module imports nothing heavy at its
top: `netsim --help` loads all of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

import click

from netsim.cli.settings import FORMATS, Settings

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
MAX_SEED = 2**63 - 1

_SHOWN_CHARS = 300
"""Of a usage error: it may quote an argument of any length."""

Body = Callable[..., int | None]


class GlobalOption(click.Option):
    """An option that every command takes; help lists it apart."""

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Nothing: the range of a seed helps nobody."""
        del ctx
        return {}


class ServerOption(click.Option):
    """An option that says which server is meant, and who asks it; help lists it apart too."""


class Command(click.Command):
    """A subcommand with an example in its help."""

    def __init__(self, *args: Any, example: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Own options first, then those of servers, then the global ones."""
        for title, kind in (("Options", click.Option), ("Server", ServerOption), ("Global options", GlobalOption)):
            options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
            shown = [option for option in options if _kind_of(option) is kind]
            records = [record for param in shown if (record := param.get_help_record(ctx)) is not None]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line that can be run as it stands."""
        del ctx
        with formatter.section("Example"):
            formatter.write_text(self.example)


def _kind_of(option: click.Option) -> type[click.Option]:
    return next((kind for kind in (ServerOption, GlobalOption) if isinstance(option, kind)), click.Option)


def subcommand(
    name: str,
    *,
    example: str,
    formats: tuple[str, ...] = ("table", "json"),
    takes_topology: bool = True,
    topology_names: tuple[str, ...] = ("-t", "--topology"),
    takes_server: bool = False,
) -> Callable[[Body], Command]:
    """Make a function a subcommand.

    Args:
        name: the word on the command line.
        example: for the help, runnable as it stands.
        formats: which of `FORMATS` it can print.
        takes_topology: whether `-t FILE` means something to it.
        topology_names: of that option, where `-t` means something else.
        takes_server: whether it works on a running server as well.
    """

    def decorate(body: Body) -> Command:
        @functools.wraps(body)
        def callback(**params: Any) -> int | None:
            settings = click.get_current_context().ensure_object(Settings)
            if settings.format not in formats:
                raise click.UsageError(f"--format {settings.format} is not offered, accepted {', '.join(formats)}")
            if settings.file is not None and not takes_topology:
                raise click.UsageError("takes no topology file (-t)")
            if settings.server is not None and not takes_server:
                raise click.UsageError("works on no server (--server)")
            return body(settings, **params)

        made = click.command(name, cls=Command, example=example, context_settings=CONTEXT)(callback)
        made.params += server_options() if takes_server else []
        made.params += global_options(topology_names if takes_topology else ())
        return made

    return decorate


def group(name: str, *, text: str, commands: Sequence[click.Command], takes_server: bool = False) -> click.Group:
    """A noun with its verbs: `netsim route create`."""
    return click.Group(
        name,
        help=text,
        context_settings=CONTEXT,
        commands=commands,
        no_args_is_help=False,
        params=[*(server_options() if takes_server else ()), *global_options()],
    )


def global_options(topology_names: tuple[str, ...] = ("-t", "--topology")) -> list[GlobalOption]:
    """The options that may stand before and after the subcommand; the later one wins."""
    topology: dict[str, Any] = {
        "metavar": "FILE",
        "expose_value": False,
        "callback": _remember("file"),
        "help": "Topology file (default: the only *.netsim.yaml here).",
    }
    return [
        *([GlobalOption(list(topology_names), **topology)] if topology_names else []),
        GlobalOption(
            ["--format"],
            type=click.Choice(FORMATS),
            expose_value=False,
            callback=_remember("format"),
            help="What stdout is to be.",
        ),
        _flag(["--json"], "format", "json", "Short for --format json."),
        GlobalOption(
            ["--seed"],
            type=click.IntRange(0, MAX_SEED),
            metavar="N",
            expose_value=False,
            callback=_remember("seed"),
            help="Seed of all randomness (default: the file's).",
        ),
        _flag(["-q", "--quiet"], "verbosity", -1, "No messages, no progress."),
        _flag(["-v", "--verbose"], "verbosity", 1, "More detail."),
        _flag(["--no-color"], "no_color", True, "No colours (also: NO_COLOR, or off a terminal)."),
    ]


def server_options() -> list[ServerOption]:
    """The options that say which server, and who asks it."""

    def option(names: list[str], field: str, metavar: str, text: str, kind: Any = str) -> ServerOption:
        return ServerOption(names, type=kind, metavar=metavar, expose_value=False, callback=_remember(field), help=text)

    return [
        option(["--server"], "server", "URL", "Work on this server, not on a file (NETSIM_SERVER)."),
        option(["--account"], "account", "ID", "Act as this account, in a file too (NETSIM_ACCOUNT)."),
        option(["--access-key"], "access_key", "KEY", "Of the account (NETSIM_ACCESS_KEY)."),
        option(["--secret-key"], "secret_key", "KEY", "Better in NETSIM_SECRET_KEY: others see command lines."),
        option(
            ["--credentials"], "credentials", "FILE", "What `serve --credentials` wrote (NETSIM_CREDENTIALS)."
        ),
        option(
            ["--operator-token"], "operator_token_file", "FILE", "Holds the operator's token (NETSIM_OPERATOR_TOKEN)."
        ),
        option(
            ["--timeout"], "timeout_s", "SECONDS", "Wait so long for an answer (default: 30).",
            click.FloatRange(0, 3600, min_open=True),
        ),
    ]  # fmt: skip


def usage_line(error: click.UsageError) -> str:
    """A usage error in one line that says where to read on."""
    message = error.format_message().rstrip(".")
    if len(message) > _SHOWN_CHARS:
        message = message[:_SHOWN_CHARS] + "…"
    if error.ctx is None:
        return message
    path = error.ctx.command_path
    where = path.removeprefix("netsim").strip()
    return f"{where + ': ' if where else ''}{_lowered(message)} (see {path} --help)"


def _lowered(message: str) -> str:
    """Starting small, but for an abbreviation."""
    return message if message[1:2].isupper() else message[:1].lower() + message[1:]


def unknown_command(name: str, known: list[str]) -> str:
    """The message for a subcommand that does not exist."""
    near = get_close_matches(name, known, n=1)
    hint = f', did you mean "{near[0]}"?' if near else ""
    return f'no such command "{name}"{hint}'


def _remember(field: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        del param
        if value is not None:
            setattr(ctx.ensure_object(Settings), field, value)

    return callback


def _flag(names: list[str], field: str, value: object, text: str) -> GlobalOption:
    def callback(ctx: click.Context, param: click.Parameter, is_given: bool) -> None:
        del param
        if is_given:
            setattr(ctx.ensure_object(Settings), field, value)

    return GlobalOption(names, is_flag=True, expose_value=False, callback=callback, help=text)
