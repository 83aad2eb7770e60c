"""The fixtures of conftest.py do what tests rely on, and CI lets no skip pass."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

from tests.cli_process import ROOT
from tests.conftest import NO_SHARED_DATA
from tests.namespaces import Namespaces


class Suite(Protocol):
    """The type of the `suite` fixture."""

    def __call__(self, *sources: str, option: str = "-q", ci: bool = False) -> tuple[int, str]:
        """Run test files with these texts; returns pytest's exit code and output."""
        ...


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """Runs test files under this checkout's conftest in a pytest of their own."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())

    def run(*sources: str, option: str = "-q", ci: bool = False) -> tuple[int, str]:
        for number, source in enumerate(sources):
            (tmp_path / f"test_{number}.py").write_text(source)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, option]
        done = subprocess.run(
            [*command, f"--rootdir={tmp_path}", str(tmp_path)],
            cwd=tmp_path,
            env=os.environ | {"NETSIM_CI": "1" if ci else "", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


SKIPS = (
    "import pytest\ndef test_it(): pytest.skip('no tshark')",
    "import pytest\n@pytest.mark.skip(reason='no tshark')\ndef test_it(): pass",
    "import pytest\n@pytest.fixture\ndef f(): pytest.skip('no tshark')\ndef test_it(f): pass",
    "import pytest\npytest.skip('no tshark', allow_module_level=True)",
    "import pytest\npytest.importorskip('tshark_is_no_module')",
)


@pytest.mark.slow
def test_every_kind_of_skip_fails_in_ci_and_only_there(suite: Suite) -> None:
    code, output = suite(*SKIPS, "def test_that(): pass")
    assert code == 0, output
    assert "1 passed, 5 skipped" in output
    code, output = suite(*SKIPS, option="--continue-on-collection-errors", ci=True)
    assert code == 1, output
    assert "1 failed, 1 passed, 4 errors" in output  # a skip before the test's own lines is an error
    assert output.count("skipped, and a skip in CI is a failure") >= len(SKIPS)


@pytest.mark.slow
def test_ci_excuses_absent_shared_data_and_expected_failures(suite: Suite) -> None:
    excused = f"import pytest\ndef test_it(): pytest.skip({NO_SHARED_DATA!r})\n"
    expected = "@pytest.mark.xfail(reason='known')\ndef test_that(): raise AssertionError\n"
    code, output = suite(excused + expected, ci=True)
    assert code == 0, output
    assert "1 skipped, 1 xfailed" in output


@pytest.mark.slow
def test_golden_is_written_on_request_then_compared(suite: Suite, tmp_path: Path) -> None:
    source = "def test_it(golden): golden('a table', 'table')"
    code, output = suite(source)
    assert code == 1
    assert "--update-golden writes it" in output
    assert suite(source, option="--update-golden")[0] == 0
    assert (tmp_path / "golden" / "table.txt").read_text() == "a table\n"
    assert suite(source)[0] == 0
    code, output = suite(source.replace("a table", "another table"))
    assert code == 1
    assert "-a table" in output
    assert "+another table" in output


@pytest.mark.netns
@pytest.mark.slow
def test_namespaces_are_joined_by_a_cable(netns: Namespaces) -> None:
    left_end, _ = netns.cable("a", "192.0.2.1/24", "b", "192.0.2.2/24")
    connected = netns.run("a", "ip", "-o", "route", "get", "192.0.2.2").stdout
    assert f"dev {left_end} src 192.0.2.1" in connected
    server = "import socket; s = socket.create_server(('192.0.2.2', 0)); print(s.getsockname()[0])"
    assert netns.run("b", sys.executable, "-c", server).stdout == "192.0.2.2\n"
    assert netns.run("a", sys.executable, "-c", server).returncode == 1  # the address is b's alone


@pytest.mark.netns
def test_closed_namespaces_leave_nothing(netns: Namespaces) -> None:
    real = netns.host("a")
    assert Path("/run/netns", real).exists()
    netns.close()
    assert not Path("/run/netns", real).exists()
