"""netsim pingall: mininet's matrix, and the same as reach proves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netsim.cli.main import main
from netsim.lab import Lab
from netsim.probe.pingall import ping_all
from tests.cli_process import ROOT

SHOP = Path(__file__).with_name("shop.netsim.yaml")
Capsys = pytest.CaptureFixture[str]

MATRIX = """\
*** Ping: testing ping reachability
web-1 -> web-2 job-1 db-1 X 
web-2 -> web-1 job-1 db-1 X 
job-1 -> web-1 web-2 X X 
db-1 -> web-1 web-2 X X 
vault-1 -> X X X X 
*** Results: 50% dropped (10/20 received)
"""  # noqa: W291 - mininet ends its rows so


def test_the_matrix_is_mininet_s(capsys: Capsys) -> None:
    code = main(["pingall", "-t", str(SHOP)])
    assert capsys.readouterr().out == MATRIX
    assert code == 1


def test_json_says_how_each_ended(capsys: Capsys) -> None:
    assert main(["pingall", "-t", str(SHOP), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["sent"], document["received"], document["loss_ratio"]) == (20, 10, 0.5)
    of = {(pair["from"], pair["to"]): pair for pair in document["pairs"]}
    assert of["job-1", "db-1"]["request"] == "delivered"
    assert of["job-1", "db-1"]["reply"] == "no_route"
    assert of["web-1", "vault-1"]["reply"] is None
    assert of["web-1", "db-1"]["rtt_ms"] == pytest.approx(60.2, abs=0.01)
    assert of["web-1", "web-2"]["received"]


def test_all_of_them_is_exit_code_0(capsys: Capsys) -> None:
    code = main(["pingall", "-t", str(ROOT / "topologies" / "two-vpcs-one-account.netsim.yaml")])
    assert capsys.readouterr().out.splitlines()[-1].startswith("*** Results: 0% dropped (")
    assert code == 0


@pytest.mark.parametrize("path", sorted((ROOT / "topologies").glob("*.netsim.yaml")), ids=lambda path: path.name[:-12])
def test_who_answers_is_who_reach_proves(path: Path) -> None:
    lab = Lab.load(path)
    answered = {
        (row.source.id, answer.target.id): answer.rtt_ns is not None for row in ping_all(lab) for answer in row.answers
    }
    for (source, target), is_answered in answered.items():
        reach = lab.reach(source, target)
        if reach.reason != "overlapping_cidr":  # somebody else with that address gets the request or the reply
            assert is_answered == reach.is_reachable, (source, target, reach.reason)
