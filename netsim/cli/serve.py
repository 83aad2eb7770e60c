"""`netsim serve`: a local endpoint that speaks the vendor's API, with a running network behind it."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.frame import subcommand
from netsim.cli.output import print_line
from netsim.cli.settings import Settings

if TYPE_CHECKING:
    from netsim.api.service import Service, Start

DEFAULT_PORT = 8410
FIRST_ACCOUNT = "default"
_KEY_BYTES = 16


@subcommand("serve", example="netsim serve shop.netsim.yaml --db shop.db", formats=("table",), takes_topology=False)
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--host", default="127.0.0.1", metavar="ADDR", help="Listen here (default: 127.0.0.1, this machine).")
@click.option("--port", default=DEFAULT_PORT, type=click.IntRange(0, 65_535), help="0: any free one (default: 8410).")
@click.option("--db", "database", metavar="FILE", help="Keep the network here (default: until the server ends).")
@click.option("--accounts", metavar="FILE", help="accounts: [{id, access_key, secret_key}] (default: keys are made).")
@click.option("--credentials", metavar="FILE", help="Write URL, operator's token and all keys there, for you alone.")
@click.option("--region", default="bj", metavar="CODE", help="Of requests to a host that names none (default: bj).")
@click.option("--speed", default=1.0, type=float, metavar="X", help="Packet time per wall time (default: 1).")
def command(
    settings: Settings,
    file: str | None,
    host: str,
    port: int,
    database: str | None,
    accounts: str | None,
    credentials: str | None,
    region: str,
    speed: float,
) -> None:
    """Serve the vendor's API on a running network until Ctrl-C or SIGTERM.

    FILE is what a new database starts with; one that exists goes on where it was.
    """
    import time

    from netsim.api.accounts_file import read_accounts
    from netsim.api.app import Api
    from netsim.api.log import log_to_stderr
    from netsim.api.own.operator import make_token, token_file
    from netsim.api.region import check_default
    from netsim.api.server import Server, listen
    from netsim.api.service import Service
    from netsim.api.site import Site
    from netsim.realtime import check_speed

    check_default(region)
    check_speed(speed)
    given = [] if accounts is None else read_accounts(accounts)
    start = _start_of(settings, file)
    with ExitStack() as ending:
        if database is None:
            folder = ending.enter_context(tempfile.TemporaryDirectory(prefix="netsim-serve-"))
        path = Path(folder, "netsim.db") if database is None else Path(database)
        sock = listen(host, port)
        ending.callback(sock.close)
        service = Service(path, time.time_ns, start, speed)
        ending.callback(service.close)
        for each in given:
            service.put_key(each.access_key, each.secret_key, each.account)
        if not service.keys:
            _make_keys(service, is_shown=credentials is None)
        if database is None:
            settings.note("no --db: what is made here is gone when the server ends")
        log_to_stderr(_level(settings))
        address = f"[{host}]" if ":" in host else host
        url = f"http://{address}:{sock.getsockname()[1]}"
        token = make_token(token_file(path))
        if credentials is not None:
            _write_credentials(credentials, service, url, token)
        server = Server(
            Site(Api(service, region, operator_token=token)),
            on_ready=lambda: print_line(f"serving on {url} (Ctrl-C ends)"),
        )
        server.run(sockets=[sock])


def _start_of(settings: Settings, file: str | None) -> Start:
    """What a new database is made with."""
    from netsim.api.service import Start

    if file is None:
        return Start(seed=settings.seed or 0)
    from netsim.controlplane.rebuild import edits_of
    from netsim.topology_file import load_topology

    topology = load_topology(file, settings.seed)
    return Start(topology.seed, topology.profile, topology.limits, tuple(edits_of(topology.inventory)))


def _make_keys(service: Service, *, is_shown: bool) -> None:
    """A first start without accounts: keys for each account there is, or for one that is made; shown once."""
    import secrets

    names = service.read(lambda emulator: list(emulator.inventory.accounts)) or [FIRST_ACCOUNT]
    for name in names:
        access_key, secret_key = secrets.token_hex(_KEY_BYTES), secrets.token_hex(_KEY_BYTES)
        service.put_key(access_key, secret_key, name)
        if is_shown:
            print_line(f"account {name}: access key {access_key}, secret key {secret_key}")


def _write_credentials(path: str, service: Service, url: str, token: str) -> None:
    """What `--credentials` of the control commands reads."""
    from netsim.api.accounts_file import Credentials, CredentialsFile, write_credentials
    from netsim.api.own.operator import is_disabled

    keys = [
        Credentials(account, access_key, secret_key)
        for access_key, (secret_key, account) in service.keys.items()
        if not is_disabled(secret_key)
    ]
    write_credentials(path, CredentialsFile(url, token, keys))


def _level(settings: Settings) -> int:
    import logging

    return logging.WARNING if settings.is_quiet else logging.INFO
