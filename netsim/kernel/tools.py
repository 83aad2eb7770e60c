"""Running `ip`, `tc` and `nft`, a few side by side, with input that lies complete in memory before they start."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable
from typing import Self

from netsim.errors import CapabilityError

AT_ONCE = 4
"""Processes side by side. 50 VPCs with 200 instances on two busy cores: 4.6 s with 1, 3.0 s with 3, 2.2 s with 4."""


class Tools:
    """Runs `ip`, `tc` and `nft` in the namespace this thread is in, a few side by side.

    Each inherits the lock: while one is still at work, nobody takes its namespaces for leftovers.
    """

    def __init__(self, lock: int) -> None:
        self._lock = lock
        self._running: list[tuple[str, int, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for what still runs: what is taken away after a failure must not be added to."""
        while self._running:
            with contextlib.suppress(CapabilityError):
                self._reap()

    def start(self, tool: str, args: list[str], lines: Iterable[str]) -> None:
        """Start one, when few enough are running."""
        while len(self._running) >= AT_ONCE:
            self._reap()
        script = "".join(f"{line}\n" for line in lines)
        text = os.memfd_create("script", os.MFD_CLOEXEC)
        os.write(text, script.encode())
        os.lseek(text, 0, os.SEEK_SET)
        errors = os.memfd_create("errors", os.MFD_CLOEXEC)
        try:
            process = subprocess.Popen(  # noqa: S603 - our own lines
                [tool, *args],
                stdin=text,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=(self._lock,),
            )
        except OSError as error:
            os.close(errors)
            raise CapabilityError(f"{tool}: can't be started: {error.strerror} (netsim doctor)") from None
        finally:
            os.close(text)
        self._running.append((tool, errors, process))

    def finish(self) -> None:
        """Wait for all; the first that failed is reported."""
        while self._running:
            self._reap()

    def _reap(self) -> None:
        tool, errors, process = self._running[0]
        code = process.wait()  # NB: a signal may end this by an exception; then the process is waited for again
        del self._running[0]
        with contextlib.closing(os.fdopen(errors, "r", encoding="utf-8", errors="replace")) as file:
            if code:
                file.seek(0)
                said = " ".join(file.read(2000).split())
                raise CapabilityError(f"{tool}: {said or f'exit code {code}'} (netsim doctor)")

    def ask(self, tool: str, args: list[str], lines: Iterable[str]) -> str:
        """Run one and wait for what it prints."""
        done = subprocess.run(  # noqa: S603 - our own lines
            [tool, *args],
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            text=True,
            errors="replace",
            pass_fds=(self._lock,),
            check=False,
        )
        if done.returncode:
            raise CapabilityError(f"{tool}: {' '.join(done.stderr.split())} (netsim doctor)")
        return done.stdout
