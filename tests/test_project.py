"""The project keeps its own promises: light imports, stated dependencies, locked versions, a tidy tree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli_process import ROOT

PACKAGE = ROOT / "netsim"
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = ("numpy", "scapy", "networkx", "numba", "llvmlite", "pydantic", "rich", "yaml", "httptools", "uvicorn")
MAX_LINES = 350

# What is imported under a name that is not its distribution's.
DISTRIBUTION = {"yaml": "pyyaml", "pydantic_core": "pydantic"}


def dotted(path: Path) -> str:
    """The name that a module of the package is imported by."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def project() -> dict[str, Any]:
    """The [project] table of pyproject.toml, with [build-system] and [tool] beside it."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def normal(requirement: str) -> str:
    """The distribution a requirement names, in PyPI's normal form."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def project_files() -> Iterator[Path]:
    """Every text file of the project, without what git ignores."""
    ignored = {line.strip().strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    for top in sorted(ROOT.iterdir()):
        if top.name in ignored | {".git"} or any(top.match(pattern) for pattern in ignored if pattern):
            continue
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and b"\0" not in path.read_bytes()[:4096]:
                yield path


# ---------------------------------------------------------------------------------- import budgets


@pytest.mark.slow
@pytest.mark.parametrize(
    "argv", [["-c", "import netsim"], ["-m", "netsim", "--help"], ["-m", "netsim", "--version"]], ids=" ".join
)
def test_light_commands_load_nothing_heavy(argv: list[str]) -> None:
    """By what is loaded, not by a stopwatch: the same on a slow machine."""
    command = [sys.executable, "-X", "importtime", *argv]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    log = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert done.returncode == 0, [line for line in done.stderr.splitlines() if line not in log]
    loaded = {line.rpartition("|")[2].strip() for line in log}
    assert "netsim" in loaded
    assert sorted(loaded & set(HEAVY)) == []


def test_the_version_is_read_from_one_place() -> None:
    config = project()
    assert config["project"]["dynamic"] == ["version"]
    source = (ROOT / config["tool"]["hatch"]["version"]["path"]).read_text()
    assert len(re.findall(r'^__version__ = "\d+\.\d+\.\d+"$', source, re.MULTILINE)) == 1


def test_the_package_page_shows_the_readme() -> None:
    """With README.md comes `readme = "README.md"` in [project]; before, it would break the build."""
    assert project()["project"].get("readme") == ("README.md" if (ROOT / "README.md").exists() else None)


# -------------------------------------------------------------------------------------- the package


def test_each_module_says_what_it_holds() -> None:
    silent = [dotted(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == []


def test_each_file_holds_one_concept() -> None:
    """A file that outgrows the limit holds two: give each its own."""
    sizes = {
        path: len(path.read_text(encoding="utf-8").splitlines()) for path in project_files() if path.suffix == ".py"
    }
    too_long = {str(path.relative_to(ROOT)): n for path, n in sizes.items() if n > MAX_LINES}
    # The twin of the whole data plane stays in one piece: it is read beside the design, top to bottom.
    too_long.pop("tests/reference/scalar_forward.py", None)
    assert too_long == {}


def test_the_pure_core_is_all_below_the_adapters() -> None:
    """The contract's list can't lag behind the layers': what is added below `wire` is pure, but `topology_file`."""
    layers, pure, _ = project()["tool"]["importlinter"]["contracts"]
    names = [re.findall(r"\w+", line) for line in layers["layers"]]
    first = next(i for i, line in enumerate(names) if "probe" in line)
    core = {name for line in names[first:] for name in line} - {"topology_file"}
    existing = {path.stem for path in PACKAGE.iterdir()}
    assert {name.removeprefix("netsim.") for name in pure["source_modules"]} == core & existing


# ------------------------------------------------------------------------------------- dependencies


def documented(heading: str) -> set[str]:
    """The packages in the table under a heading of docs/dependencies.md."""
    text = (ROOT / "docs" / "dependencies.md").read_text()
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    return {normal(name) for name in re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)}


def test_each_dependency_is_explained_and_each_explained_one_is_used() -> None:
    config = project()
    extras = config["project"]["optional-dependencies"]
    assert documented("To run netsim") == {normal(line) for line in config["project"]["dependencies"]}
    assert documented("To install netsim") == {normal(line) for line in config["build-system"]["requires"]}
    assert documented("To work on netsim") == {normal(line) for line in extras["dev"]}
    assert documented("To measure netsim") == {normal(line) for line in extras["bench"]}


def test_what_is_imported_is_what_is_declared() -> None:
    imported: set[str] = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    foreign = imported - sys.stdlib_module_names - {"netsim"}
    declared = {normal(line) for line in project()["project"]["dependencies"]}
    assert {DISTRIBUTION.get(name, normal(name)) for name in foreign} == declared


def pins(lock: str) -> dict[str, str]:
    """Name to version of requirements/LOCK.txt; every entry has an exact version and hashes."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    entries = re.findall(r"^([^\s#].*?)(?=\n[^\s]|\Z)", text, re.MULTILINE | re.DOTALL)
    result: dict[str, str] = {}
    for entry in entries:
        pin = re.match(r"([\w.-]+)==([\w.]+) \\\n    --hash=sha256:[0-9a-f]{64}", entry)
        assert pin, f"requirements/{lock}.txt: not an exact version with a hash: {entry[:80]}"
        result[normal(pin[1])] = pin[2]
    return result


def test_both_locks_hold_all_that_is_declared_at_the_same_versions() -> None:
    config = project()
    user, dev = pins("user"), pins("dev")
    run = config["project"]["dependencies"] + config["build-system"]["requires"]
    assert {normal(line) for line in run} <= user.keys()
    assert {normal(line) for line in config["project"]["optional-dependencies"]["dev"]} <= dev.keys()
    assert user.items() <= dev.items()


def test_no_lock_names_where_packages_come_from() -> None:
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        found = re.search(r"://|--(index-url|extra-index-url|find-links|trusted-host)|@ ", path.read_text())
        assert found is None, f"{path.name}: {found}"


# ----------------------------------------------------------------------------------------- the tree


def test_no_file_names_a_folder_of_someones_machine() -> None:
    personal = re.compile(r"(?<![\w.:/-])/(?:home|Users|root|work|farm)/[\w.]+|/tmp/(?:bash_jobs|plan)")
    for path in project_files():
        found = personal.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path.relative_to(ROOT)}: {found}"


def test_the_changelog_has_a_place_for_the_next_change() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", heading) for heading in headings[1:])


# ------------------------------------------------------------------------------------------- set-up


@pytest.fixture
def python_without(tmp_path: Path) -> Any:
    """Makes a python that lacks something: the code given runs before anything else."""

    def make(sitecustomize: str) -> Path:
        (tmp_path / "sitecustomize.py").write_text(sitecustomize)
        fake = tmp_path / "python3"
        fake.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}" exec "{sys.executable}" "$@"\n')
        fake.chmod(0o755)
        return fake

    return make


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lacks", "message"),
    [
        ("import sys, platform\nsys.version_info = (3, 9, 2)\nplatform.python_version = lambda: '3.9.2'", "is 3.9.2"),
        ("import sys\nsys.modules['ensurepip'] = None", "apt-get install python3-venv"),
        ("raise SystemExit(1)", "does not start"),
    ],
)
def test_a_python_that_will_not_do_gets_one_line(python_without: Any, lacks: str, message: str, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    done = subprocess.run(
        ["make", "-C", ROOT, f"PYTHON={python_without(lacks)}", f"VENV={venv}", "test"],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode == 2
    assert len(ours) == 1
    assert ours[0].startswith("netsim: ")
    assert message in ours[0]
    assert not venv.exists()
