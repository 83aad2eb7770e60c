"""lint: findings with line, packet and fix; what makes it exit 1; JUnit."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

import netsim
from netsim.cli.main import main
from netsim.topology_file import load_topology
from netsim.topology_file.places import Places
from netsim.verify.finding import CODES
from tests.cli_process import ROOT, RunCli

SHOP = Path(__file__).with_name("shop.netsim.yaml")
TOPOLOGIES = ROOT / "topologies"
CLEAN = TOPOLOGIES / "full-mesh-of-five.netsim.yaml"
NO_RELAY = TOPOLOGIES / "chain-without-relay.netsim.yaml"
Capsys = pytest.CaptureFixture[str]


def test_texts(capsys: Capsys, golden: Callable[[str, str], None]) -> None:
    assert main(["lint", str(SHOP)]) == 0
    golden(capsys.readouterr().out, "lint")
    assert main(["lint", str(CLEAN)]) == 0
    assert capsys.readouterr().out == "nothing found\n"


@pytest.mark.parametrize(
    ("file", "limit", "code"),
    [
        (SHOP, [], 0),
        (SHOP, ["--fail-on", "error"], 1),
        (SHOP, ["--fail-on", "warning"], 1),
        (NO_RELAY, ["--fail-on", "error"], 0),
        (NO_RELAY, ["--fail-on", "warning"], 1),
        (CLEAN, ["--fail-on", "warning"], 0),
    ],
)
def test_exit_codes(file: Path, limit: list[str], code: int, capsys: Capsys) -> None:
    assert main(["lint", "-t", str(file), *limit]) == code
    assert capsys.readouterr().err == ""


def test_json_has_the_lines_of_the_file(capsys: Capsys) -> None:
    assert main(["lint", str(SHOP), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    lines = SHOP.read_text(encoding="utf-8").splitlines()
    found = netsim.load(str(SHOP)).lint()
    assert {finding.text for finding in found} == {found["text"] for found in answer["findings"]}
    assert answer["summary"] == {"error": 2, "warning": 2, "info": 1}
    by_code = {found["code"]: found for found in answer["findings"]}
    dead = by_code["bad_state_route"]
    assert lines[dead["line"] - 1].strip() == ("- {source: 0.0.0.0/0, destination: 10.2.0.0/16, next_hop: int-archive}")
    assert (dead["severity"], dead["fix"]) == (
        "error",
        ["peer connection shop-archive: data-team must accept the request"],
    )
    assert lines[by_code["one_way"]["line"] - 1].strip() == "- name: shop"
    assert by_code["one_way"]["witness"] == {"vpc": "shop", "src": "192.168.1.10", "dst": "10.1.0.20"}


def test_every_resource_has_its_line() -> None:
    topology = load_topology(SHOP)
    inventory = topology.inventory
    places = Places(SHOP.read_bytes(), topology)
    lines = SHOP.read_text(encoding="utf-8").splitlines()
    for vpc in inventory.vpcs.values():
        assert lines[places.vpc(vpc.id) - 1] == f"  - name: {vpc.name}"
    for conn in inventory.peer_conns.values():
        assert lines[places.peer_conn(conn.id) - 1] == f"  - name: {conn.name}"
    for rule in inventory.rules.values():
        line = lines[places.rule(rule.id) - 1]
        assert f"source: {rule.source}, destination: {rule.destination}, " in line


def test_junit_has_a_case_for_each_code(tmp_path: Path, capsys: Capsys) -> None:
    report = tmp_path / "out.xml"
    assert main(["lint", str(SHOP), "--junit", str(report)]) == 0
    suite = ET.parse(report).getroot()  # noqa: S314 - our own output
    assert [case.attrib["name"] for case in suite] == list(CODES)
    failed = {case.attrib["name"]: case[0].text or "" for case in suite if case.find("failure") is not None}
    assert set(failed) == {"bad_state_route", "one_way", "isolated_subnet"}
    assert suite.attrib["failures"] == "3"
    assert failed["bad_state_route"].startswith("line 21: shop: 10.2.0.0/16 via int-archive")
    assert main(["lint", str(SHOP), "--junit", str(tmp_path)]) == 2
    assert capsys.readouterr().err.endswith("is a directory\n")


@pytest.mark.slow
def test_as_a_process(run_cli: RunCli) -> None:
    result = run_cli("lint", SHOP, "--fail-on", "error", "-v")
    assert (result.code, result.stderr) == (1, "")
    assert "\n    means   A rule points to a connection that is gone or not active: it discards.\n" in result.stdout
