"""The progress bar: only on a terminal, only for what takes long."""

from __future__ import annotations

import io
import sys
import time
from typing import TYPE_CHECKING

from netsim.cli.progress import PATIENCE_S, Progress
from netsim.cli.settings import Settings

if TYPE_CHECKING:
    import pytest


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO, settings: Settings, after_s: float) -> str:
    now_s = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    with Progress(settings, "run shop") as progress:
        progress(1, 10)
        now_s[0] += after_s
        progress(5, 10)
    return stderr.getvalue()


def test_a_bar_after_a_second_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn(monkeypatch, Terminal(), Settings(), PATIENCE_S + 1)
    assert "run shop" in text
    assert "50%" in text


def test_nothing_for_what_is_quick_quiet_or_piped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, Terminal(), Settings(), PATIENCE_S / 2) == ""
    assert drawn(monkeypatch, Terminal(), Settings(verbosity=-1), PATIENCE_S + 1) == ""
    assert drawn(monkeypatch, io.StringIO(), Settings(), PATIENCE_S + 1) == ""
