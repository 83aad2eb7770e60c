"""new, validate, schema and show, as processes and against goldens."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml

from netsim.cli.main import main
from netsim.topology_file import TEMPLATES
from tests.cli_process import ROOT, RunCli

DEMO = ROOT / "topologies" / "cross-account-cross-region.netsim.yaml"
Golden = Callable[[str, str], None]
Capsys = pytest.CaptureFixture[str]


@pytest.mark.slow
@pytest.mark.parametrize("template", ["two-vpcs", "cross-account", "hub:3", "mesh:3", "chain:3", "random:5"])
def test_a_new_file_is_valid(template: str, run_cli: RunCli, tmp_path: Path) -> None:
    made = run_cli("new", "--template", template, "-o", "n.netsim.yaml", "--seed", "5")
    assert (made.code, made.stdout) == (0, ""), made
    assert made.stderr == "netsim: wrote n.netsim.yaml; next: netsim run n.netsim.yaml\n"
    checked = run_cli("validate")
    assert checked.code == 0, checked
    assert checked.stdout.startswith("n.netsim.yaml: ok, ")
    printed = run_cli("new", "--template", template, "--seed", "5")
    assert printed.stdout == (tmp_path / "n.netsim.yaml").read_text(encoding="utf-8")


def test_new_names_every_template_in_its_help(capsys: Capsys) -> None:
    main(["new", "--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in TEMPLATES)


def test_new_does_not_overwrite_unless_told(tmp_path: Path, capsys: Capsys) -> None:
    file = tmp_path / "a.netsim.yaml"
    file.write_text("mine")
    assert main(["new", "-o", str(file)]) == 4
    assert capsys.readouterr().err == f"netsim: {file}: exists already; --force overwrites it\n"
    assert file.read_text() == "mine"
    assert main(["new", "-o", str(file), "--force", "-q"]) == 0
    assert file.read_text().startswith("#")
    assert capsys.readouterr().err == ""


def test_new_refuses_what_is_no_template(capsys: Capsys) -> None:
    assert main(["new", "--template", "hubb"]) == 2
    assert 'did you mean "hub"?' in capsys.readouterr().err


def test_validate_lists_the_problems_of_every_file(tmp_path: Path, capsys: Capsys) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("netsim: 1\nname: 3\n")
    assert main(["validate", str(DEMO), str(bad), str(tmp_path)]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        f"{DEMO}: ok, cross-account-cross-region: 3 VPCs, 6 instances, 4 routes, 2 peer connections, 5 flows,"
        " 7 expectations"
    )
    assert lines[1].startswith(f"{bad}:2:7  name: 3, ")
    assert lines[-1] == f"{tmp_path}: is a directory, expected a regular file"
    assert main(["validate", "--json", str(DEMO), str(bad)]) == 3
    reports = json.loads(capsys.readouterr().out)
    assert [report["valid"] for report in reports] == [True, False]
    assert reports[1]["problems"][0]["line"] == 2
    assert set(reports[1]["problems"][0]) == {"line", "column", "path", "message"}


def test_the_schema_is_one_and_accepts_what_ships(capsys: Capsys) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    validator = jsonschema.Draft202012Validator(schema)
    for file in sorted((ROOT / "topologies").glob("*.netsim.yaml")):
        validator.validate(yaml.safe_load(file.read_text(encoding="utf-8")))


@pytest.mark.slow
def test_show_as_people_see_it(run_cli: RunCli, golden: Golden) -> None:
    shown = run_cli("show", "-t", DEMO)
    assert (shown.code, shown.stderr) == (0, "")
    golden(shown.stdout, "show")


def test_show_says_the_same_in_every_format(capsys: Capsys) -> None:
    assert main(["show", "-t", str(DEMO), "--json"]) == 0
    everything = json.loads(capsys.readouterr().out)
    assert list(everything)[:3] == ["topology", "seed", "profile"]
    for noun in ("vpcs", "subnets", "instances", "routes", "peers", "traffic", "expect"):
        assert main(["show", noun, "-t", str(DEMO), "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        assert rows == everything[noun]
        assert main(["show", noun, "-t", str(DEMO), "--format", "csv"]) == 0
        lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        assert len(lines) == len(rows) > 0
        name = next(iter(lines[0]))
        assert [line[name] for line in lines] == [str(row[name]) for row in rows]


def test_show_of_one_vpc(capsys: Capsys) -> None:
    assert main(["show", "--vpc", "archive", "-t", str(DEMO), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [vpc["name"] for vpc in shown["vpcs"]] == ["archive"]
    assert [peer["name"] for peer in shown["peers"]] == ["shop-archive"]
    assert [flow["name"] for flow in shown["traffic"]] == ["backup"]
    assert {route["vpc"] for route in shown["routes"]} == {"archive"}
    assert main(["show", "--vpc", "archiv", "-t", str(DEMO)]) == 4
    assert capsys.readouterr().err == 'netsim: vpc "archiv": not found, did you mean "archive"?\n'


def test_csv_holds_one_table(capsys: Capsys) -> None:
    assert main(["show", "-t", str(DEMO), "--format", "csv"]) == 2
    assert "CSV holds one table; say which: vpcs, subnets," in capsys.readouterr().err
