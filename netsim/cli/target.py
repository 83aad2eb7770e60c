"""What a control command works on: a topology file or a running server, with the same words for both.

A command says which edits, by the names that people use; here they are made in the file, which is shown as a
diff, or by the server, which says what it made. What is listed are the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from netsim.cli.control import says_yes
from netsim.cli.file_change import diff, open_editable, write
from netsim.cli.loading import topology_path
from netsim.cli.output import print_json, print_rows, print_text
from netsim.cli.server_access import server_url, tenant_client
from netsim.cli.settings import Settings
from netsim.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from netsim.api.client import Client
    from netsim.controlplane.edit import Edit
    from netsim.controlplane.view import View
    from netsim.resource_rows import Row, Rows

    Edits = Sequence[Edit[Any]]

_IDENTITY = {
    "accounts": ("id",),
    "vpcs": ("name",),
    "subnets": ("vpc", "name"),
    "instances": ("vpc", "name"),
    "routes": ("vpc", "source", "destination"),
    "peers": ("name",),
    "dns": ("vpc", "name"),
}
"""What tells rows of a file apart, whose ids follow from their order."""


_TAKES_AWAY = ("Delete", "Refund")
"""Edits after which nothing is left to show."""


class Target(Protocol):
    """A file or a server."""

    is_file: bool

    def rows(self, noun: str, vpc: str | None = None) -> Rows:
        """The rows of a kind of thing, of one VPC if it is named."""

    def row(self, noun: str, ref: str) -> Rows:
        """The row of one thing, by its name or id."""

    def change(self, edits: Edits, *, is_dry: bool, may: Callable[[], bool]) -> int:
        """Make edits, or show them, and print what came of it; `may` says whether they are wanted after all."""


def open_target(settings: Settings) -> Target:
    """The file or the server that is meant.

    Raises:
        UsageError: it is not clear which.
        TopologyError: the file is wrong.
        ServerError: there are no keys to the server.
    """
    url = server_url(settings)
    if url is None and settings.file is None:
        try:
            topology_path(settings)
        except UsageError as error:
            raise UsageError(f"{error}, or a server with --server URL") from None
    return FileTarget(settings) if url is None else ServerTarget(settings, url, tenant_client(settings, url))


def change(settings: Settings, edits: Edits, *, is_dry: bool, is_sure: bool = True, asks: str = "") -> int:
    """Make edits where they are meant; see `change_in`."""
    return change_in(settings, open_target(settings), edits, is_dry=is_dry, is_sure=is_sure, asks=asks)


def change_in(
    settings: Settings, target: Target, edits: Edits, *, is_dry: bool, is_sure: bool = True, asks: str = ""
) -> int:
    """Make edits in a target; the exit code.

    Args:
        settings: of this call.
        target: where.
        edits: committed together.
        is_dry: show them only.
        is_sure: the user has said yes already.
        asks: what a user who has not is asked.

    Raises:
        RefusedError: a rule of the product says no, or a file can't say it; nothing is changed.
        UsageError: the file can't be written, or nobody is there to be asked.
        ServerError: the server does not answer, or not us.
    """

    def may() -> bool:
        if is_sure or says_yes(asks):
            return True
        settings.note("nothing was changed")
        return False

    return target.change(edits, is_dry=is_dry, may=may)


class FileTarget:
    """A topology file, as the one who owns it sees it, or as one of its accounts does."""

    is_file = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = open_editable(settings)
        self._inventory = self._file.topology.inventory
        self._view: View = self._inventory.visible_to(settings.account)

    def rows(self, noun: str, vpc: str | None = None) -> Rows:
        """See `Target`."""
        from netsim.resource_rows import rows_of

        return rows_of(noun, self._view, None if vpc is None else self._view.vpc(vpc))

    def row(self, noun: str, ref: str) -> Rows:
        """See `Target`."""
        from netsim.resource_rows import row_of

        return row_of(noun, self._view, ref)

    def change(self, edits: Edits, *, is_dry: bool, may: Callable[[], bool]) -> int:
        """See `Target`."""
        from netsim.resource_rows import noun_and_id, rows_of

        settings, file = self._settings, self._file
        edits = [self._completed(edit) for edit in edits]
        with self._inventory.attempted(*edits, account=settings.account) as made:
            edits = [_settled(edit, result, settings.account) for edit, result in zip(edits, made, strict=True)]
            noun, wanted = noun_and_id(made[-1])
            row = next((row for row in rows_of(noun, self._view).rows if row["id"] == wanted), None)
        changed = file.with_edits(edits)
        shown = diff(file, changed)
        if not is_dry:
            if not may():
                return 1
            write(file, changed)
            settings.note(f"{file.path}: changed" if shown else f"{file.path}: is so already")
        if settings.is_json:
            view = changed.topology.inventory.visible_to(settings.account)
            result = None if row is None else _same(noun, row, rows_of(noun, view).rows)
            print_json({"file": str(file.path), "written": not is_dry, "diff": shown, "result": result})
        else:
            print_text(shown)
        return 0

    def _completed(self, edit: Edit[Any]) -> Edit[Any]:
        """A VPC without an owner or a region is of the file's only one."""
        from netsim.controlplane.edit import CreateVpc

        if not isinstance(edit, CreateVpc):
            return edit
        regions = {vpc.region for vpc in self._inventory.vpcs.values()}
        account = edit.account or self._settings.account or _only("account", "--account", self._inventory.accounts)
        return replace(edit, account=account, region=edit.region or _only("region", "--region", regions))


class ServerTarget:
    """A running server, as an account sees it."""

    is_file = False

    def __init__(self, settings: Settings, url: str, client: Client) -> None:
        self._settings = settings
        self._url = url
        self._client = client

    def rows(self, noun: str, vpc: str | None = None) -> Rows:
        """See `Target`."""
        return self._rows(noun, {} if vpc is None else {"vpc": vpc})

    def row(self, noun: str, ref: str) -> Rows:
        """See `Target`."""
        return self._rows(noun, {"ref": ref})

    def change(self, edits: Edits, *, is_dry: bool, may: Callable[[], bool]) -> int:
        """See `Target`."""
        from netsim.resource_rows import Rows
        from netsim.store.edit_codec import to_json

        if not is_dry and not may():
            return 1
        body = {"edits": [to_json(edit) for edit in edits], "dryRun": is_dry}
        last = call(self._client, "POST", "/netsim/v1/resource", body=body)["results"][-1]
        if not is_dry and not type(edits[-1]).__name__.startswith(_TAKES_AWAY):
            found = self.row(last["noun"], last["id"])
        else:
            found = Rows(tuple(last.get("columns", ())), [last["row"]] if last.get("row") else [])
        if self._settings.is_json:
            print_json({"server": self._url, "written": not is_dry, "result": next(iter(found.rows), None)})
        elif found.rows:
            print_rows(self._settings, found.rows, found.columns)
        self._settings.note("nothing was changed, this would be it" if is_dry else "changed on the server")
        return 0

    def _rows(self, noun: str, query: dict[str, str]) -> Rows:
        from netsim.resource_rows import Rows

        answer = call(self._client, "GET", f"/netsim/v1/resource/{noun}", query)
        return Rows(tuple(answer["columns"]), answer["rows"])


def call(
    client: Client, method: str, path: str, query: dict[str, str] | None = None, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A request, refused in the words that a file would be refused in.

    Raises:
        RefusedError: the server says no.
        ServerError: it does not answer, or not us.
    """
    from netsim.api.client import RefusedByServerError

    try:
        return client.call(method, path, query, body)
    except RefusedByServerError as refused:
        raise RefusedError(refused.reason) from None


def _settled(edit: Edit[Any], result: Any, account: str | None) -> Edit[Any]:
    """What was left to the control plane, as it chose: an address, the account's own side."""
    from netsim.controlplane.edit import CreateInstance, SetDnsSync, UpdatePeerConn

    if isinstance(edit, CreateInstance) and edit.addr is None:
        return replace(edit, addr=result.addr)
    if isinstance(edit, SetDnsSync | UpdatePeerConn) and edit.side is None and not result.is_same_account:
        return replace(edit, side="local" if result.local.account == account else "peer")
    return edit


def _same(noun: str, row: Row, rows: Sequence[Row]) -> Row | None:
    """The row of the same thing."""
    keys = _IDENTITY[noun]
    return next((other for other in rows if all(other[key] == row[key] for key in keys)), None)


def _only(what: str, option: str, found: Any) -> str:
    if len(found) == 1:
        return str(next(iter(found)))
    raise UsageError(f"which {what}? the file has {len(found)}; {option} says it")
