"""`netsim serve` as a process of its own, for what only a process can show: kills, signals, files, exit codes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netsim.api.client import Client
from tests.cli_process import ROOT
from tests.sdk.cloud import ACCOUNTS, Tenant

PATIENCE_S = 20.0
LOG = "serve.log"


class Served:
    """A server process on the database `cloud.db` of a folder; each account has the keys ak-ACCOUNT and sk-ACCOUNT."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self._log = folder / LOG
        for line in process.stdout:
            if match := re.match(r"serving on http://127\.0\.0\.1:(\d+) ", line):
                self.port = int(match[1])
                break
        else:
            pytest.fail(f"it never was ready: {self.logged()}")
        self.url = f"http://127.0.0.1:{self.port}"
        self.operator = Client(self.url, operator_token=(folder / "cloud.db.operator").read_text().strip())

    def tenant(self, account: str, region: str = "bj") -> Tenant:
        return Tenant(self.port, account, region)

    def own(self, account: str, region: str = "bj") -> Client:
        return Client(self.url, f"ak-{account}", f"sk-{account}", region=region)

    def page(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE_S) as answer:  # noqa: S310 - http, see above
            return str(answer.read().decode())

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def logged(self) -> str:
        """All it wrote on stderr."""
        return self._log.read_text()


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """A server process, killed at the end if it has not ended."""
    accounts = folder / "accounts.yaml"
    entries = "".join(f"- {{id: {name}, access_key: ak-{name}, secret_key: sk-{name}}}\n" for name in ACCOUNTS)
    accounts.write_text(f"accounts:\n{entries}")
    command = [sys.executable, "-m", "netsim", "serve", "--port", "0", "--db", str(folder / "cloud.db"),
               "--accounts", str(accounts)]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    # A file takes as much as there is; a pipe that nobody empties would hold the server up.
    with (
        (folder / LOG).open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=env) as process,
    ):
        try:
            yield Served(folder, process)
        finally:
            if process.poll() is None:
                process.kill()
