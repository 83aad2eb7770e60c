"""What only the operator may do: accounts, keys, the clocks, and a look at the engine.

Not signed: `Authorization: Bearer TOKEN`, with the token that the server keeps in a file only its user can
read. Everything else about a request is as for tenants.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path
from typing import Any

from netsim.api.auth import AuthError
from netsim.api.call import Call, Reply
from netsim.api.error_codes import HttpError
from netsim.api.json_codec import dump
from netsim.clock import format_utc
from netsim.dataplane.disposition import Disposition
from netsim.emulator import Emulator
from netsim.errors import NotFoundError
from netsim.units import NS_PER_S

TOKEN_BYTES = 24
KEY_BYTES = 16
MAX_ADVANCE_S = 10 * 366 * 86_400
MAX_STEP_S = 3600
_SCHEME = "Bearer "
_LOCK = "! "
"""Before the secret of a key that is disabled, as `passwd --lock` does it: no secret holds a space."""


def token_file(database: str | Path) -> Path:
    """Where the token of a database's server is kept."""
    return Path(f"{database}.operator")


def make_token(path: Path) -> str:
    """The token in the file, made with it if it is not there; readable by this user only."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        path.chmod(0o600)
        return path.read_text(encoding="ascii").strip()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(f"{token}\n")
    return token


def check_token(authorization: list[str], token: str) -> None:
    """Let the operator in.

    Raises:
        AuthError: InvalidHTTPAuthHeader or SignatureDoesNotMatch.
    """
    if len(authorization) != 1 or not authorization[0].startswith(_SCHEME):
        raise AuthError("InvalidHTTPAuthHeader", "expected Authorization: Bearer and the operator's token")
    given = authorization[0].removeprefix(_SCHEME)
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise AuthError("SignatureDoesNotMatch", "it is not the operator's token")


def is_disabled(secret_key: str) -> bool:
    """Whether nobody may sign with the key that this is kept as the secret of."""
    return secret_key.startswith(_LOCK)


def show_state(call: Call) -> Reply:
    """GET /netsim/v1/operator/state: packets by fate, resources, both clocks."""

    def look(emulator: Emulator) -> dict[str, Any]:
        totals = emulator.totals()
        ended = totals.by_disposition.tolist()
        return {
            "packets": {
                "injected": totals.injected,
                "delivered": totals.delivered,
                "in_flight": totals.in_flight,
                "ended": {Disposition(n).symbol: count for n, count in enumerate(ended) if n and count},
            },
            "resources": {
                kind: len(getattr(emulator.inventory, kind))
                for kind in ("accounts", "vpcs", "subnets", "instances", "rules", "peer_conns")
            },
            **_clock(call, emulator),
        }

    return Reply(body=dump(call.service.read(look)))


def show_clock(call: Call) -> Reply:
    """GET /netsim/v1/operator/clock."""
    return Reply(body=dump(call.service.read(lambda emulator: _clock(call, emulator))))


def move_clock(call: Call) -> Reply:
    """POST /netsim/v1/operator/clock: `advanceS` (control clock alone), `stepS` (packets, at once), `speed`."""
    names = [name for name in ("advanceS", "stepS", "speed") if name in call.body]
    if len(names) != 1:
        raise HttpError("BadRequest", "expected one of advanceS, stepS, speed")
    value = call.body[names[0]]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**10:
        raise HttpError("BadRequest", f"{names[0]} is {value!r}, accepted a number, 0 or more")
    if names[0] == "advanceS":
        _at_most("advanceS", value, MAX_ADVANCE_S)
        call.service.advance_control_clock(round(value * NS_PER_S))
    elif names[0] == "stepS":
        _at_most("stepS", value, MAX_STEP_S)
        call.service.real.step(round(value * NS_PER_S))
    else:
        call.service.real.set_speed(value)
    return show_clock(call)


def list_accounts(call: Call) -> Reply:
    """GET /netsim/v1/operator/account: who there is, and their access keys; never a secret."""
    keys = call.service.keys

    def look(emulator: Emulator) -> list[dict[str, Any]]:
        vpcs = emulator.inventory.vpcs.values()
        return [
            {
                "id": account,
                "vpcs": sum(vpc.account == account for vpc in vpcs),
                "accessKeys": [key for key, (_, owner) in list(keys.items()) if owner == account],
            }
            for account in emulator.inventory.accounts
        ]

    return Reply(body=dump({"accounts": call.service.read(look)}))


def create_account(call: Call) -> Reply:
    """POST /netsim/v1/operator/account: an account with a first key, shown once."""
    name = call.text("id")
    if call.service.read(lambda emulator: name in emulator.inventory.accounts):
        raise HttpError("OperationDenied", f"account {name[:60]!r} exists already")
    return _new_key(call, name)


def disable_account(call: Call) -> Reply:
    """PUT /netsim/v1/operator/account/{id}/disable: disables all its keys; what it owns stays and runs on."""
    name = call.params["id"]
    _check_account(call, name)
    for access_key in [key for key, (_, owner) in call.service.keys.items() if owner == name]:
        _set_lock(call, access_key, is_locked=True)
    return Reply()


def list_keys(call: Call) -> Reply:
    """GET /netsim/v1/operator/key: every access key, whose it is, and whether it works; never a secret."""
    keys = [
        {"accessKey": key, "account": account, "status": "disabled" if is_disabled(secret) else "enabled"}
        for key, (secret, account) in list(call.service.keys.items())
    ]
    return Reply(body=dump({"keys": keys}))


def create_key(call: Call) -> Reply:
    """POST /netsim/v1/operator/key: one more key for an account, shown once."""
    name = call.text("account")
    _check_account(call, name)
    return _new_key(call, name)


def disable_key(call: Call) -> Reply:
    """PUT /netsim/v1/operator/key/{accessKey}/disable: its requests are refused until it is enabled."""
    return _set_lock(call, call.params["accessKey"], is_locked=True)


def enable_key(call: Call) -> Reply:
    """PUT /netsim/v1/operator/key/{accessKey}/enable."""
    return _set_lock(call, call.params["accessKey"], is_locked=False)


def delete_key(call: Call) -> Reply:
    """DELETE /netsim/v1/operator/key/{accessKey}."""
    access_key = call.params["accessKey"]
    if access_key not in call.service.keys:
        raise NotFoundError("access key: not found")
    call.service.drop_key(access_key)
    return Reply()


def _check_account(call: Call, name: str) -> None:
    if not call.service.read(lambda emulator: name in emulator.inventory.accounts):
        raise NotFoundError(f"account {name[:60]!r}: not found")


def _set_lock(call: Call, access_key: str, *, is_locked: bool) -> Reply:
    known = call.service.keys.get(access_key)
    if known is None:
        raise NotFoundError("access key: not found")
    secret, account = known
    secret = secret.removeprefix(_LOCK)
    call.service.put_key(access_key, _LOCK + secret if is_locked else secret, account)
    return Reply()


def _new_key(call: Call, account: str) -> Reply:
    access_key, secret_key = secrets.token_hex(KEY_BYTES), secrets.token_hex(KEY_BYTES)
    call.service.put_key(access_key, secret_key, account)
    return Reply(body=dump({"account": account, "accessKey": access_key, "secretKey": secret_key}))


def _clock(call: Call, emulator: Emulator) -> dict[str, Any]:
    real = call.service.real
    return {
        "clock": {
            "control_time": format_utc(emulator.inventory.clock.now_ns),
            "packet_time_s": emulator.now_ns / NS_PER_S,
            "speed": real.speed,
            "lag_s": real.lag_ns / NS_PER_S,
        }
    }


def _at_most(name: str, value: float, most: float) -> None:
    if value > most:
        raise HttpError("BadRequest", f"{name} is {value!r}, accepted 0..{most}")
