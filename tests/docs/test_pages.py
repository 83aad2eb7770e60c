"""The docs tell the truth: what they show is run, what they point to exists.

`--update-golden` rewrites what the pages show of commands, tables and pictures. Read the difference
before it is committed.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import click
import pytest

import netsim
from netsim.cli.root import LazyGroup
from tests.cli_process import ROOT, RunCli
from tests.docs.page import FENCE, Desk, anchors, exchanges, links, matches, pages, refreshed, shortened
from tests.docs.tables import TABLES, mappings

PICTURES = ("topology.svg", "bandwidth.svg")
DEMO = ROOT / "topologies" / "cross-account-cross-region.netsim.yaml"


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.slow
@pytest.mark.parametrize("path", pages(), ids=shown)
def test_what_a_page_shows_is_what_happens(path: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    text = path.read_text(encoding="utf-8")
    new = refreshed(text, Desk(tmp_path), TABLES)
    if request.config.getoption("--update-golden"):
        path.write_text(new, encoding="utf-8")
        return
    lines = difflib.unified_diff(text.splitlines(), new.splitlines(), shown(path), "this run", lineterm="")
    assert new == text, "\n".join(lines)


@pytest.mark.parametrize("path", pages(), ids=shown)
def test_links_lead_somewhere(path: Path) -> None:
    for link in links(path.read_text(encoding="utf-8")):
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), f"{shown(path)}: {link}"
        if anchor:
            assert anchor in anchors(there.read_text(encoding="utf-8")), f"{shown(path)}: {link}"


@pytest.mark.parametrize("path", pages(), ids=shown)
def test_each_command_with_its_output_stands_in_a_block_that_runs(path: Path) -> None:
    for found in FENCE.finditer(path.read_text(encoding="utf-8")):
        if found[2].startswith("$ "):
            assert found[1] == "console", f"{shown(path)}: {found[2]}"


@pytest.mark.slow
def test_the_pictures_are_those_of_the_demo(run_cli: RunCli, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    done = run_cli("run", DEMO, "--out", "out/demo")
    assert done.code == 0, done
    for name in PICTURES:
        kept, drawn = ROOT / "docs" / "images" / name, tmp_path / "out" / "demo" / name
        if request.config.getoption("--update-golden"):
            kept.write_bytes(drawn.read_bytes())
        assert kept.read_bytes() == drawn.read_bytes(), f"make demo, then copy out/demo/{name} to {shown(kept)}"


def test_each_page_is_linked_from_another() -> None:
    """From README.md on, everything can be found by clicking."""
    found, waiting = {ROOT / "README.md"}, [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        for link in links(page.read_text(encoding="utf-8")):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target not in found:
                found.add(target)
                waiting.append(target)
    assert [shown(path) for path in pages() if path not in found] == []


def test_every_key_of_a_topology_file_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "topology-file.md").read_text(encoding="utf-8")
    assert set(mappings()) == set(re.findall(r"<!-- table: (keys-\S+) -->", text))


def test_every_public_name_is_in_the_python_tour() -> None:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    assert [name for name in netsim.__all__ if name not in text] == []


def test_what_is_not_there_yet_is_really_not_there() -> None:
    """Who adds the command takes its line out of the README's table."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    promised = [
        found for line in text.splitlines() if "not yet" in line for found in re.findall(r"`netsim (\w+)", line)
    ]
    assert [name for name in promised if name in LazyGroup("netsim").list_commands(click.Context(LazyGroup()))] == []


def test_every_decision_is_in_their_index() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [name[:4] for name in listed] == [f"{k:04}" for k in range(1, len(listed) + 1)]


# ------------------------------------------------------------------------ the tools of these tests


def test_elided_lines_stand_for_any_number_of_lines() -> None:
    assert matches("a\n...\nd\n", "a\nb\nc\nd\n")
    assert matches("a\n...\nd\n", "a\nd\n")
    assert not matches("a\n...\nd\n", "a\nb\nc\n")
    assert not matches("a\n", "a\nb\n")


def test_a_changed_output_keeps_its_shape() -> None:
    assert shortened("a\n...\nd\n", "1\n2\n3\n4\n") == "1\n...\n4\n"
    assert shortened("a\n", "1\n2\n") == "1\n2\n"


def test_a_block_is_commands_with_what_they_print() -> None:
    assert exchanges("$ cd x\n$ ls\na\nb\n") == [("cd x", ""), ("ls", "a\nb\n")]


def test_a_page_that_lies_is_put_right(tmp_path: Path) -> None:
    page = "```console\n$ echo 1; false\n2\n$ echo $?\n0\n```\n\n```python\nprint(1)\n```\n\n```text\n2\n```\n"
    right = page.replace("2\n$ echo $?\n0\n", "1\n$ echo $?\n1\n").replace("```text\n2", "```text\n1")
    assert refreshed(page, Desk(tmp_path), TABLES) == right
