"""How commands end: exit codes, one line on stderr, and nothing else there."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from netsim.cli import explain
from netsim.cli.main import main
from netsim.cli.root import SECTIONS, root
from tests.cli_process import ROOT, RunCli

TOPOLOGIES = ROOT / "topologies"
DEMO = TOPOLOGIES / "cross-account-cross-region.netsim.yaml"
COMMANDS = [name for names in SECTIONS.values() for name in names]


def test_help_names_every_command_and_how_they_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in text
    assert "Exit codes: 0 yes, 1 the answer is no" in text


def leaves() -> list[list[str]]:
    """The words of each command; of a noun, with each of its verbs."""
    found = []
    for name in COMMANDS:
        command = root.get_command(click.Context(root), name)
        found += [[name, verb] for verb in command.commands] if isinstance(command, click.Group) else [[name]]
    return found


@pytest.mark.parametrize("words", leaves(), ids=" ".join)
def test_each_command_has_help_with_an_example_of_itself(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "-h"]) == 0
    text = capsys.readouterr().out
    assert "\nGlobal options:\n" in text
    example = text.split("\nExample:\n")[1].strip()
    assert example.startswith(f"netsim {' '.join(words)} ")
    assert "\n" not in example


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    from netsim.version import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"netsim {__version__}\n"


def test_without_a_command_help_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("Usage: netsim ")


@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        (["exlpain"], 2, 'no such command "exlpain", did you mean "explain"? (see netsim --help)'),
        (["--foo"], 2, "no such option '--foo'"),
        (["ping", "web-1"], 2, "ping: missing argument 'TO' (see netsim ping --help)"),
        (["ping", "a", "b", "-c", "0"], 2, "ping: invalid value for '-c': 0 is not in the range 1<=x<=65535"),
        (["ping", "a", "b", "--format", "csv"], 2, "ping: --format csv is not offered, accepted table, json"),
        (["explain", "-t", "x"], 2, "explain: no such option '-t'"),
        (["-t", "x", "explain"], 2, "explain: takes no topology file (-t)"),
        (["route"], 2, "route: missing command (see netsim route --help)"),
        (["show", "-t", "nowhere.yaml"], 3, "nowhere.yaml: no such file"),
        (["explain", "no-rout"], 2, 'explain: code "no-rout": there is none of that name, did you mean "no_route"?'),
        (["ping", "web-9", "db-1", "-t", str(DEMO)], 4, 'instance "web-9": not found, did you mean "web-2"?'),
        (["ping", "web-1", "db-9", "-t", str(DEMO)], 4, 'instance "db-9": not found, did you mean "db-2"?'),
        (["run", "a.yaml", "-t", "b.yaml"], 2, "two topology files: a.yaml and -t b.yaml; name one"),
    ],
)
def test_mistakes_end_in_one_line(args: list[str], code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.removeprefix("netsim: ").startswith(line)


def test_a_wrong_file_gives_every_problem_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.netsim.yaml"
    file.write_text("netsim: 1\nname: bad\nsed: 3\naccounts: [{id: a}]\nvpcs: [{name: v, account: b, region: bj}]\n")
    assert main(["show", "-t", str(file)]) == 3
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 2
    assert all(line.startswith(f"{file}:") for line in lines)
    assert lines[0] == f'{file}:3:1: unknown key "sed" — did you mean "seed"?'


def test_a_bug_ends_in_one_line_and_says_how_to_see_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise KeyError("rows\nand more")

    monkeypatch.setattr(explain, "code_rows", broken)
    monkeypatch.delenv("NETSIM_DEBUG", raising=False)
    assert main(["explain"]) == 70
    line = "netsim: internal error: KeyError: 'rows\\nand more' (a bug of netsim; NETSIM_DEBUG=1 shows where)\n"
    assert capsys.readouterr().err == line
    monkeypatch.setenv("NETSIM_DEBUG", "1")
    assert main(["explain"]) == 70
    printed = capsys.readouterr().err
    assert printed.startswith("Traceback ")
    assert printed.endswith(line)


def test_running_out_of_memory_is_no_bug(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def greedy() -> None:
        raise MemoryError

    monkeypatch.setattr(explain, "code_rows", greedy)
    assert main(["explain"]) == 6
    assert capsys.readouterr().err == "netsim: out of memory\n"


def test_global_options_stand_before_or_after_and_the_later_wins(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for args in (
        ["-t", str(DEMO), "--json", "show", "vpcs"],
        ["show", "vpcs", "-t", str(DEMO), "--json"],
        ["--format", "csv", "-t", "elsewhere", "show", "vpcs", "-t", str(DEMO), "--format", "json"],
    ):
        assert main(args) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0].startswith("[")
    assert outputs[0] == outputs[1] == outputs[2]


def test_the_only_topology_here_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["show", "vpcs"]) == 2
    assert capsys.readouterr().err == (
        "netsim: no topology file: there is no *.netsim.yaml here; name one with -t FILE\n"
    )
    (tmp_path / "one.netsim.yaml").write_text(DEMO.read_text().replace("captures/", f"{TOPOLOGIES}/captures/"))
    (tmp_path / "other.yaml").write_text("no topology")
    assert main(["show", "vpcs", "--format", "csv"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("shop,acme,bj,192.168.0.0/16,")
    (tmp_path / "two.netsim.yaml").write_text("")
    assert main(["show", "vpcs"]) == 2
    assert capsys.readouterr().err == (
        "netsim: which topology file? here are one.netsim.yaml, two.netsim.yaml; name one with -t FILE\n"
    )


@pytest.mark.slow
def test_python_m_netsim_is_the_same_command(run_cli: RunCli) -> None:
    result = run_cli("explain", "no_route", "--json")
    assert result.code == 0
    assert result.stderr == ""
    assert result.json["icmp"] == "3/0"
