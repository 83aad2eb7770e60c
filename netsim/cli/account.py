"""`netsim account`: the tenants of a topology file or, for its operator, of a server."""

from __future__ import annotations

import click

from netsim.cli.control import DRY_RUN, LIST_FORMATS, YES, print_list, says_yes
from netsim.cli.frame import group, subcommand
from netsim.cli.operator import ask, open_server
from netsim.cli.output import print_rows
from netsim.cli.server_access import operator_client, server_url
from netsim.cli.settings import Settings
from netsim.cli.target import change, open_target

NEW_KEY_COLUMNS = ("account", "access_key", "secret_key")


@subcommand("list", example="netsim account list -t shop.netsim.yaml", formats=LIST_FORMATS, takes_server=True)
def list_(settings: Settings) -> None:
    """List accounts; of a server with their access keys."""
    url = server_url(settings)
    if url is None:
        print_list(settings, open_target(settings).rows("accounts"))
        return
    answer = ask(operator_client(settings, url), "GET", "account")
    rows = [{"id": each["id"], "vpcs": each["vpcs"], "access_keys": each["accessKeys"]} for each in answer["accounts"]]
    print_rows(settings, rows, ("id", "vpcs", "access_keys"))


@subcommand("create", example="netsim account create third --dry-run -t shop.netsim.yaml", takes_server=True)
@click.argument("name", metavar="ID")
@DRY_RUN
def create(settings: Settings, name: str, dry_run: bool) -> int:
    """Add an account; a server makes its first key and shows it this once."""
    from netsim.controlplane.edit import CreateAccount

    url = server_url(settings)
    if url is None:
        return change(settings, [CreateAccount(name)], is_dry=dry_run)
    if dry_run:
        raise click.UsageError("--dry-run: a server makes an account or does not")
    answer = ask(operator_client(settings, url), "POST", "account", {"id": name})
    print_new_key(settings, answer)
    return 0


@subcommand("disable", example="netsim account disable third --server http://127.0.0.1:8410 --yes", takes_server=True)
@click.argument("name", metavar="ID")
@YES
def disable(settings: Settings, name: str, yes: bool) -> int:
    """Let an account of a server in no more: all its keys are disabled; what it owns stays and runs on."""
    client = open_server(settings, "keys")
    if not yes and not says_yes(f"Disable all keys of the account {name}?"):
        settings.note("nothing was changed")
        return 1
    ask(client, "PUT", f"account/{name}/disable")
    settings.note(f"account {name}: disabled")
    return 0


def print_new_key(settings: Settings, answer: dict[str, str]) -> None:
    """A key as the server makes it: the one time its secret is shown."""
    row = {"account": answer["account"], "access_key": answer["accessKey"], "secret_key": answer["secretKey"]}
    print_rows(settings, [row], NEW_KEY_COLUMNS)
    settings.note("the secret key is not shown again")


command = group("account", text="Accounts.", commands=[list_, create, disable], takes_server=True)
