"""A progress bar for what takes over a second: on stderr, and only on a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from netsim.cli.settings import Settings

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

PATIENCE_S = 1.0
"""Until then nothing shows: a bar that flashes up disturbs."""


class Progress:
    """Called with (done, total) now and then; draws once it has taken `PATIENCE_S`. A context manager."""

    def __init__(self, settings: Settings, title: str) -> None:
        self._title = title
        self._is_wanted = not settings.is_quiet and sys.stderr.isatty()
        self._has_color = not settings.no_color
        self._start_s = time.monotonic()
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __call__(self, done: int, total: int) -> None:
        """Say how far it is."""
        if self._bar is None:
            if not self._is_wanted or time.monotonic() - self._start_s < PATIENCE_S:
                return
            self._open()
        assert self._bar is not None and self._task is not None
        self._bar.update(self._task, completed=done, total=total)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        console = Console(stderr=True, no_color=None if self._has_color else True)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task(self._title)
        self._bar.start()
