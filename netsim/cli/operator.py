"""What the commands of a server's operator share: they work on a running server, with its operator's token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netsim.cli.server_access import operator_client, server_url
from netsim.cli.settings import Settings
from netsim.cli.target import call
from netsim.errors import UsageError

if TYPE_CHECKING:
    from netsim.api.client import Client

PATH = "/netsim/v1/operator"


def open_server(settings: Settings, lack: str) -> Client:
    """The server that is meant, as its operator.

    Args:
        settings: of this call.
        lack: what a file has not, "keys".

    Raises:
        UsageError: a file is meant, or nothing.
        ServerError: there is no token.
    """
    url = server_url(settings)
    if url is None:
        raise UsageError(f"a file has no {lack}; --server URL or NETSIM_SERVER names a server")
    return operator_client(settings, url)


def ask(client: Client, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """A request to the operator's part."""
    return call(client, method, f"{PATH}/{path}", body=body)
