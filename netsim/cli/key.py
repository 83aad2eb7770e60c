"""`netsim key`: the access keys of a server, for its operator."""

from __future__ import annotations

import click

from netsim.cli.account import print_new_key
from netsim.cli.control import LIST_FORMATS, YES, says_yes
from netsim.cli.frame import group, subcommand
from netsim.cli.operator import ask, open_server
from netsim.cli.output import print_rows
from netsim.cli.settings import Settings

_LACK = "keys"


@subcommand("list", example="netsim key list --server http://127.0.0.1:8410", formats=LIST_FORMATS, takes_server=True)
def list_(settings: Settings) -> None:
    """List access keys, whose they are and whether they work; with --account only its own."""
    answer = ask(open_server(settings, _LACK), "GET", "key")
    rows = [
        {"access_key": each["accessKey"], "account": each["account"], "status": each["status"]}
        for each in answer["keys"]
        if settings.account in (None, each["account"])
    ]
    print_rows(settings, rows, ("access_key", "account", "status"))


@subcommand("create", example="netsim key create acme --server http://127.0.0.1:8410", takes_server=True)
@click.argument("owner", metavar="ACCOUNT")
def create(settings: Settings, owner: str) -> None:
    """Make one more key for an account, shown this once."""
    print_new_key(settings, ask(open_server(settings, _LACK), "POST", "key", {"account": owner}))


@subcommand("disable", example="netsim key disable AKACME --server http://127.0.0.1:8410", takes_server=True)
@click.argument("key", metavar="ACCESS_KEY")
def disable(settings: Settings, key: str) -> None:
    """Let nobody in with a key until it is enabled again."""
    ask(open_server(settings, _LACK), "PUT", f"key/{key}/disable")
    settings.note(f"key {key}: disabled")


@subcommand("enable", example="netsim key enable AKACME --server http://127.0.0.1:8410", takes_server=True)
@click.argument("key", metavar="ACCESS_KEY")
def enable(settings: Settings, key: str) -> None:
    """Let a disabled key in again."""
    ask(open_server(settings, _LACK), "PUT", f"key/{key}/enable")
    settings.note(f"key {key}: enabled")


@subcommand("delete", example="netsim key delete AKACME --server http://127.0.0.1:8410 --yes", takes_server=True)
@click.argument("key", metavar="ACCESS_KEY")
@YES
def delete(settings: Settings, key: str, yes: bool) -> int:
    """Delete a key for good."""
    client = open_server(settings, _LACK)
    if not yes and not says_yes(f"Delete the key {key}?"):
        settings.note("nothing was changed")
        return 1
    ask(client, "DELETE", f"key/{key}")
    settings.note(f"key {key}: deleted")
    return 0


command = group(
    "key", text="Access keys of a server.", commands=[list_, create, disable, enable, delete], takes_server=True
)
