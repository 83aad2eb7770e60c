"""Runs `python -m netsim` as a real process: what a person at a terminal gets, byte for byte.

The process sees this checkout's package, no terminal and no colours, and as little of the caller's
environment as works. A hang is a test failure that shows what was printed until then.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

ROOT = Path(__file__).resolve().parent.parent

# HOME and the cache folders let compiled kernels be compiled once, not once per test.
KEPT = ("PATH", "HOME", "XDG_CACHE_HOME", "NETSIM_CACHE_DIR", "TMPDIR", "LANG", "LC_ALL")


@dataclass(frozen=True)
class CliResult:
    """What a finished command left: exit code, stdout and stderr as text."""

    args: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one JSON document that stdout is; a failure shows what stdout was instead."""
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            pytest.fail(f"netsim {' '.join(self.args)}: stdout is not JSON ({error})\n{self}")

    def __str__(self) -> str:
        """All of it, for the message of a failed assert."""
        return f"exit code {self.code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


class RunCli(Protocol):
    """The type of the `run_cli` fixture."""

    def __call__(
        self,
        *args: str | Path,
        stdin: str = "",
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        timeout_s: float = 120,
    ) -> CliResult:
        """Run `netsim ARGS` in `cwd` (default: the test's own empty folder) until it ends."""
        ...


def run_netsim(
    *args: str | Path, stdin: str, cwd: Path, env: dict[str, str] | None = None, timeout_s: float = 120
) -> CliResult:
    """Run `python -m netsim ARGS`; `env` adds to the environment.

    The generous `timeout_s` tells a hang from a busy machine; it is no budget for speed. The whole process group
    is killed then, so that no child of a hanging command outlives the test.
    """
    texts = tuple(str(arg) for arg in args)
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment |= {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHONUTF8": "1", **(env or {})}
    process = subprocess.Popen(
        [sys.executable, "-m", "netsim", *texts],
        cwd=cwd,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        stdout, stderr = process.communicate(stdin, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = process.communicate()
        result = CliResult(texts, process.returncode, stdout, stderr)
        pytest.fail(f"netsim {' '.join(texts)}: still running after {timeout_s} s, killed\n{result}")
    return CliResult(texts, process.returncode, stdout, stderr)
