"""Fixtures that every test may ask for, and one rule of CI: there, a skipped test is a failed test.

    run_cli("ping", "web-1", "db-1", "-t", file)   a real process; .code .stdout .stderr .json
    golden(text, "two_vpcs")                       equals golden/two_vpcs.txt beside the test file
    shared_data                                    the folder ../shared/data, or a skip
    netns                                          network namespaces for this test alone, or a skip

NETSIM_CI=1 turns the rule on. Only a missing ../shared/data is excused: it is other people's data.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests import namespaces
from tests.cli_process import ROOT, CliResult, RunCli, run_netsim

IN_CI = os.environ.get("NETSIM_CI") == "1"
NO_SHARED_DATA = "no ../shared/data beside this checkout"

# A loaded machine is no failure, so examples have no deadline. CI repeats itself; a workstation explores.
hypothesis.settings.register_profile(
    "local", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.register_profile("ci", hypothesis.settings.get_profile("local"), derandomize=True)
hypothesis.settings.load_profile("ci" if IN_CI else "local")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our one option."""
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite golden/*.txt; say in the commit why they moved"
    )


# ------------------------------------------------------------------------------------- skips in CI


def failed_instead(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a report of a skip into one of a failure, unless it is excused."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if NO_SHARED_DATA not in reason:
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: skipped, and a skip in CI is a failure. {reason}"


if IN_CI:

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """See `failed_instead`."""
        report = yield
        failed_instead(report)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """See `failed_instead`; a whole module may skip itself."""
        report = yield
        failed_instead(report)
        return report


# --------------------------------------------------------------------------------------- fixtures


@pytest.fixture
def run_cli(tmp_path: Path) -> RunCli:
    """Runs `netsim ARGS` as a process, in this test's own folder unless `cwd` says otherwise."""

    def run(
        *args: str | Path,
        stdin: str = "",
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        timeout_s: float = 120,
    ) -> CliResult:
        return run_netsim(*args, stdin=stdin, cwd=cwd or tmp_path, env=env, timeout_s=timeout_s)

    return run


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real networks, captures and tables; the test is skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(NO_SHARED_DATA)
    return folder


@pytest.fixture
def netns() -> Iterator[namespaces.Namespaces]:
    """Network namespaces for this test alone, gone when it ends."""
    reason = namespaces.why_not()
    if reason:
        pytest.skip(f"no network namespaces: {reason}")
    made = namespaces.Namespaces()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with `golden/NAME.txt` beside the test file; `--update-golden` writes it instead."""

    def compare(text: str, name: str) -> None:
        path = request.path.parent / "golden" / f"{name}.txt"
        shown = path.relative_to(request.config.rootpath)
        text = text if text.endswith("\n") else text + "\n"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        if not path.exists():
            pytest.fail(f"{shown} does not exist; --update-golden writes it:\n{text}")
        expected = path.read_text(encoding="utf-8")
        if text != expected:
            lines = difflib.unified_diff(expected.splitlines(), text.splitlines(), str(shown), "this run", lineterm="")
            pytest.fail("\n".join(lines))

    return compare
