"""A Markdown page as the tests see it: blocks that run, tables that are generated.

    ```console      lines that start with `$ ` are run, in order; between them stands what was printed
    ```python       runs; one namespace for the page; a ```text block right after it is what it prints
    ```yaml         starting with `netsim: 1` it is a topology file, and must load
    <!-- table: NAME --> ... <!-- end -->      the table NAME of `tables.py`

A line `...` in a console block stands for any lines. Running a page gives the page as it should be;
a page that is right comes out as it was.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.cli_process import KEPT, ROOT

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^<!-- table: (\S+) -->\n(.*?)^<!-- end -->$", re.MULTILINE | re.DOTALL)
ANY_LINES = "..."


def pages() -> list[Path]:
    """README.md, CHANGELOG.md and all pages of docs/."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


class Desk:
    """A folder with `topologies/` and a `netsim` on the PATH, where the commands of one page run.

    `make demo` works there too: the project's Makefile, with a `.venv` that counts as installed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cwd = folder
        self.code = 0
        self.exported: dict[str, str] = {}
        self.names: dict[str, Any] = {"__name__": "page"}
        shutil.copytree(ROOT / "topologies", folder / "topologies")
        shutil.copytree(ROOT / "requirements", folder / "requirements")
        for name in ("Makefile", "pyproject.toml"):
            shutil.copy2(ROOT / name, folder / name)
        self._bin = folder / ".venv" / "bin"
        self._bin.mkdir(parents=True)
        for name, command in {"netsim": '-m netsim "$@"', "python": '"$@"'}.items():
            path = self._bin / name
            path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {command}\n')
            path.chmod(0o755)
        (folder / ".venv" / "user.stamp").touch()

    def run(self, command: str) -> str:
        """What a shell command prints on both streams; `cd`, `$?` and exported `NETSIM_…` carry over to the next."""
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment |= {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
        environment["PYTHONUNBUFFERED"] = "1"  # both streams in the order of a terminal
        environment["PATH"] = f"{self._bin}:{environment.get('PATH', '/usr/bin:/bin')}"
        environment |= self.exported
        report = self.folder / ".venv" / "cwd"
        # The first line sets $? for commands that ask for it.
        script = f"(exit {self.code})\n{command}\ncode=$?\n(pwd -P; env | grep ^NETSIM_) > '{report}'\nexit $code\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        self.code = done.returncode
        cwd, *exported = report.read_text().splitlines()
        self.cwd = Path(cwd)
        self.exported = dict(line.split("=", 1) for line in exported)
        return done.stdout

    def execute(self, code: str) -> str:
        """What Python code prints; names carry over to the next."""
        printed = io.StringIO()
        with contextlib.chdir(self.cwd), contextlib.redirect_stdout(printed):
            exec(compile(code, "python block", "exec"), self.names)  # noqa: S102 - the pages are ours
        return printed.getvalue()


def refreshed(text: str, desk: Desk, tables: Mapping[str, Callable[[], str]]) -> str:
    """The page with what its blocks print now, and with its generated tables."""
    text = TABLE.sub(lambda found: f"<!-- table: {found[1]} -->\n{tables[found[1]]()}\n<!-- end -->", text)
    new: list[str] = []
    at = 0
    printed: str | None = None  # by the Python block just before
    for found in FENCE.finditer(text):
        between, language, body = text[at : found.start()], found[1], found[2]
        new.append(between)
        at = found.end()
        if language == "text" and printed is not None and not between.strip():
            body = printed
        printed = None
        if language == "console":
            body = run_console(body, desk)
        elif language == "python":
            printed = desk.execute(body)
        elif language == "yaml" and body.startswith("netsim: 1"):
            check_topology(body)
        new.append(f"```{language}\n{body}```")
    return "".join([*new, text[at:]])


def run_console(body: str, desk: Desk) -> str:
    """The block with what its commands print now; what matches stays, `...` included."""
    new = ""
    for command, expected in exchanges(body):
        printed = desk.run(command)
        if printed and not printed.endswith("\n"):
            printed += "\n"
        # A line of spaces can't be told from an empty one on a page.
        printed = "".join(line.rstrip() + "\n" for line in printed.splitlines())
        new += f"$ {command}\n" + (expected if matches(expected, printed) else shortened(expected, printed))
    return new


def exchanges(body: str) -> list[tuple[str, str]]:
    """(command, expected output) of a console block, which starts with a command."""
    lines = body.splitlines(keepends=True)
    assert lines and lines[0].startswith("$ "), f"a console block starts with a command:\n{body}"
    found: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line[2:].rstrip("\n"), ""))
        else:
            command, expected = found[-1]
            found[-1] = command, expected + line
    return found


def matches(expected: str, printed: str) -> bool:
    """Whether the output is as expected, a line `...` standing for any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == ANY_LINES else re.escape(line) for line in expected.splitlines(keepends=True)
    )
    return re.fullmatch(pattern, printed) is not None


def shortened(expected: str, printed: str) -> str:
    """The output with as many lines before and after one `...` as were expected, or all of it."""
    lines, wanted = printed.splitlines(keepends=True), expected.splitlines(keepends=True)
    marks = [i for i, line in enumerate(wanted) if line.strip() == ANY_LINES]
    if not marks:
        return printed
    head, tail = marks[0], len(wanted) - marks[-1] - 1
    if len(lines) <= head + tail:
        return printed
    return "".join([*lines[:head], wanted[marks[0]], *lines[len(lines) - tail :]])


def check_topology(text: str) -> None:
    """Raise what is wrong with a topology file on a page."""
    from netsim.topology_file import read_topology

    read_topology(textwrap.dedent(text), "page.netsim.yaml")


def links(text: str) -> list[str]:
    """Where the page's links and pictures point inside the repository."""
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))
    found = re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r'(?:src|href)="([^"]+)"', prose)
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(text: str) -> set[str]:
    """The names that headings get on a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
