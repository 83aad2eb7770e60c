"""Adding tenants."""

from __future__ import annotations

import re

from netsim.controlplane.account import Account
from netsim.controlplane.edit import CreateAccount
from netsim.controlplane.tables import Tables
from netsim.controlplane.values import quote
from netsim.controlplane.view import View
from netsim.errors import ConflictError, InvalidError, StateError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def create_account(tables: Tables, view: View, edit: CreateAccount) -> Account:
    """Add an account; only the operator can, and no account ever goes."""
    if view.account is not None:
        raise StateError(f"account {quote(edit.id)}: {view.account} can't add accounts, only the operator can")
    if not isinstance(edit.id, str) or not _ID.fullmatch(edit.id):
        raise InvalidError(
            f"account: id {quote(edit.id)}, accepted 1..64 letters, digits, dots, dashes and underscores", field="id"
        )
    if edit.id in tables.accounts:
        raise ConflictError(f"account {edit.id}: exists already", field="id")
    account = Account(edit.id)
    tables.log.put(tables.accounts, account.id, account)
    return account
