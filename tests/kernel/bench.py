"""Runs netsim's commands as processes, against a journal of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from netsim.kernel.journal import Journal
from tests.cli_process import ROOT, CliResult, run_netsim
from tests.kernel.names import fresh_name

SHOP = ROOT / "topologies" / "two-vpcs-one-account.netsim.yaml"


class Bench:
    """Runs commands against a journal of this test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal(folder / "run")
        self.name = fresh_name()
        self.names = [self.name]
        self.environment = {"NETSIM_RUN_DIR": str(self.journal.path)}

    def __call__(self, *args: str | Path, stdin: str = "", env: dict[str, str] | None = None) -> CliResult:
        return run_netsim(*args, stdin=stdin, cwd=self.folder, env=self.environment | (env or {}))

    def deploy(self, file: Path = SHOP, *args: str) -> CliResult:
        return self("deploy", file, "--name", self.name, *args)

    def exec(self, node: str, *command: str, stdin: str = "") -> CliResult:
        return self("exec", node, "--", *command, stdin=stdin)

    def popen(self, *args: str) -> subprocess.Popen[str]:
        environment = {**os.environ, **self.environment, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, "-m", "netsim", *args],
            env=environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
