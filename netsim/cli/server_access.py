"""Which server is meant, and the keys to it: from options, the environment, or a file of credentials.

Options come before the environment, the environment before the file. No message shows a key.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.settings import Settings
from netsim.errors import UsageError

if TYPE_CHECKING:
    from netsim.api.accounts_file import CredentialsFile
    from netsim.api.client import Client

MAX_TOKEN_BYTES = 4096


def server_url(settings: Settings) -> str | None:
    """The server to work on, None for a file: a file that is named wins over the environment.

    Raises:
        UsageError: a file and a server are named.
    """
    if settings.server is not None and settings.file is not None:
        raise click.UsageError("a file (-t) and a server (--server): name one")
    if settings.server is not None or settings.file is not None:
        return settings.server
    url = os.environ.get("NETSIM_SERVER")
    if not url and (file := _credentials(settings)) is not None:
        url = file.server
    return url or None


def tenant_client(settings: Settings, url: str) -> Client:
    """The server in the eyes of an account.

    Raises:
        UsageError: it is not clear which account.
        ServerError: there are no keys.
    """
    from netsim.api.client import Client, ServerError

    access_key = settings.access_key or os.environ.get("NETSIM_ACCESS_KEY", "")
    secret_key = settings.secret_key or os.environ.get("NETSIM_SECRET_KEY", "")
    if bool(access_key) != bool(secret_key):
        missing = "secret" if access_key else "access"
        raise click.UsageError(f"no {missing} key: --{missing}-key or NETSIM_{missing.upper()}_KEY gives it")
    if not access_key:
        access_key, secret_key = _filed_keys(settings)
    if not access_key:
        raise ServerError(
            f"server {url}: no keys to it: give --access-key and --secret-key, NETSIM_ACCESS_KEY and "
            "NETSIM_SECRET_KEY, or --credentials FILE"
        )
    return Client(url, access_key, secret_key, timeout_s=settings.timeout_s)


def operator_client(settings: Settings, url: str) -> Client:
    """The server in the eyes of its operator.

    Raises:
        ServerError: there is no token.
    """
    from netsim.api.client import Client, ServerError

    token = _read_token(settings.operator_token_file) if settings.operator_token_file else ""
    token = token or os.environ.get("NETSIM_OPERATOR_TOKEN", "")
    if not token and (file := _credentials(settings)) is not None:
        token = file.operator_token
    if not token:
        raise ServerError(
            f"server {url}: no operator's token: give --operator-token FILE (DB.operator of `netsim serve --db DB`), "
            "NETSIM_OPERATOR_TOKEN, or --credentials FILE"
        )
    return Client(url, operator_token=token, timeout_s=settings.timeout_s)


def _filed_keys(settings: Settings) -> tuple[str, str]:
    """The keys of the account that is meant, from the file of credentials; two empty ones without a file."""
    file = _credentials(settings)
    if file is None or not file.accounts:
        return "", ""
    wanted = settings.account or os.environ.get("NETSIM_ACCOUNT")
    accounts = list(dict.fromkeys(each.account for each in file.accounts))
    if wanted is None and len(accounts) == 1:
        wanted = accounts[0]
    found = next((each for each in file.accounts if each.account == wanted), None)
    if found is None:
        lack = "which account?" if wanted is None else f"account {wanted[:60]!r} is not in the file of credentials;"
        raise UsageError(f"{lack} --account accepts {', '.join(accounts[:12])}")
    return found.access_key, found.secret_key


def _credentials(settings: Settings) -> CredentialsFile | None:
    path = settings.credentials or os.environ.get("NETSIM_CREDENTIALS")
    return _read_credentials(path) if path else None


@cache
def _read_credentials(path: str) -> CredentialsFile:
    from netsim.api.accounts_file import read_credentials

    return read_credentials(path)


def _read_token(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_TOKEN_BYTES)
        return raw.decode("ascii").strip()
    except OSError as error:
        raise UsageError(f"{path}: the operator's token can't be read: {error.strerror}") from None
    except (UnicodeDecodeError, ValueError):
        raise UsageError(f"{path[:200]!r}: holds no operator's token") from None
