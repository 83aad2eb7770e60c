"""whatif and diff: which pairs a change loses or gains, and that no change is proven to be none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import netsim
from netsim.cli.main import main
from netsim.cli.whatif import KINDS
from netsim.controlplane.edit import CreateRoute
from tests.cli_process import ROOT, RunCli

SHOP = Path(__file__).with_name("shop.netsim.yaml")
HUB = ROOT / "topologies" / "hub-and-spokes.netsim.yaml"
BACK = ROOT / "topologies" / "missing-return-route.netsim.yaml"
SAME = "no change in behaviour: every packet that can be sent ends as before\n"
Golden = Callable[[str, str], None]
Capsys = pytest.CaptureFixture[str]

CONVERSATIONS = {
    "whatif_down": (1, ["down=shop-data"]),
    "whatif_down_pair": (1, ["down=shop-data", "web-1", "db-1"]),
    "whatif_add": (0, ["add=data,10.1.0.0/24,192.168.1.0/24,int-shop"]),
    "whatif_add_pair": (0, ["add=data,10.1.0.0/24,192.168.1.0/24,int-shop", "job-1", "db-1"]),
    "whatif_remove": (1, ["remove=data,10.1.0.0/24,192.168.0.0/24"]),
    "whatif_gone": (1, ["gone=data"]),
    "whatif_two": (1, ["down=shop-data", "relay=shop,on"]),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_texts(name: str, capsys: Capsys, golden: Golden) -> None:
    code, args = CONVERSATIONS[name]
    before = SHOP.read_bytes()
    got = main(["whatif", *args, "-t", str(SHOP)])
    printed = capsys.readouterr()
    golden(f"$ netsim whatif {' '.join(args)}\n{printed.out}{printed.err}$ echo $?\n{got}", name)
    assert got == code
    assert SHOP.read_bytes() == before


def test_a_redundant_rule_is_not_missed(capsys: Capsys) -> None:
    assert main(["whatif", "remove=shop,192.168.0.0/24,10.1.0.0/16", "-t", str(SHOP)]) == 0
    assert capsys.readouterr().out == SAME


def test_single_points_of_failure(capsys: Capsys) -> None:
    assert main(["whatif", "--each-connection-down", "-t", str(HUB)]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "CONNECTION  PAIRS LOST  SUCH AS",
        "hub-1                8  h1 → s1",
    ]
    assert main(["whatif", "--each-connection-down", "-t", str(HUB), "--json"]) == 0
    ranked = json.loads(capsys.readouterr().out)
    assert [row["pairs_lost"] for row in ranked] == [8, 8, 8, 8]
    assert ranked[0]["witness"] == {"from": "h1", "to": "s1"}


@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        ([], 2, "whatif: expected a CHANGE (down=PEER, "),
        (["web-1", "db-1"], 2, "whatif: expected a CHANGE (down=PEER, "),
        (["down=shop-data", "web-1"], 2, "whatif: expected a CHANGE (down=PEER, "),
        (["up=shop-data"], 2, 'whatif: "up=shop-data" is no change, accepted down=PEER, '),
        (["add=shop,0.0.0.0/0"], 2, 'whatif: "add=shop,0.0.0.0/0" can\'t be read, expected add=VPC,SOURCE,'),
        (["relay=shop,yes"], 2, 'whatif: relay is "yes", accepted on or off'),
        (["remove=shop,10.0.0.0/8,10.0.0.0/8"], 2, "whatif: shop has no rule with source 10.0.0.0/8 and"),
        (["down=shop-date"], 4, 'peer connection "shop-date": not found, did you mean "shop-data"?'),
        (["add=shop,0.0.0.0/0,192.168.0.0/24,blackhole"], 4, "route 192.168.0.0/24"),
        (["down=shop-data", "--each-connection-down"], 2, "whatif: --each-connection-down takes no CHANGE"),
    ],
)
def test_mistakes_end_in_one_line(args: list[str], code: int, line: str, capsys: Capsys) -> None:
    assert main(["whatif", *args, "-t", str(SHOP)]) == code
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.removeprefix("netsim: ").startswith(line)


def test_help_has_a_line_for_each_change(capsys: Capsys) -> None:
    assert main(["whatif", "--help"]) == 0
    block = capsys.readouterr().out.partition("CHANGE is one of, and there may be several:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in block.splitlines()] == [*KINDS.values()]


def test_whatif_asks_for_a_port_too(capsys: Capsys) -> None:
    words = ["whatif", "relay=shop,on", "web-1", "db-1", "-t", str(SHOP), "--port"]
    assert main([*words, "tcp/5432"]) == 0
    assert main([*words, "udp/5201"]) == 0  # a flow opens it
    capsys.readouterr()
    assert main([*words, "tcp/99"]) == 1
    assert capsys.readouterr().out.splitlines()[1].endswith(" port_closed")
    assert main(["whatif", "relay=shop,on", "--port", "tcp/99", "-t", str(SHOP)]) == 2
    assert capsys.readouterr().err == "netsim: whatif: --port needs FROM and TO (see netsim whatif --help)\n"


def test_diff_says_which_ports_and_packets_changed(tmp_path: Path, capsys: Capsys) -> None:
    file = tmp_path / "other.netsim.yaml"
    text = SHOP.read_text(encoding="utf-8").replace("tcp/5432, udp/53]", "tcp/5433, udp/54]", 1)
    file.write_text(text, encoding="utf-8")
    assert main(["diff", str(SHOP), str(file)]) == 1
    assert "ports   data/db-1: tcp/5432, udp/53 closed; tcp/5433, udp/54 opened\n" in capsys.readouterr().out
    assert main(["diff", str(SHOP), str(file), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["ports"] == [
        {"instance": "data/db-1", "opened": ["tcp/5433", "udp/54"], "closed": ["tcp/5432", "udp/53"]}
    ]


def test_diff_of_a_fix_is_the_pair_it_gained(tmp_path: Path, capsys: Capsys) -> None:
    file = tmp_path / "fixed.netsim.yaml"
    file.write_bytes(BACK.read_bytes())
    assert main(["reach", "web-1", "db-1", "-t", str(file), "--apply"]) == 0
    capsys.readouterr()
    assert main(["diff", str(BACK), str(file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "GAINED  shop/web-1 → data/db-1: one way (no_return_route), now reachable; packet 192.168.0.10 → 10.1.0.20"
    )
    assert lines[-1] == "pairs: 0 lost, 2 gained, 0 changed otherwise"
    assert main(["diff", str(file), str(BACK), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["same"] is False
    assert answer["pairs"][0]["after"] == {"verdict": "one_way", "reason": "no_return_route"}


def test_from_python() -> None:
    lab, rule = netsim.load(str(SHOP)), CreateRoute("data", "10.1.0.0/24", "192.168.1.0/24", "int-shop")
    found = lab.what_if(rule)
    assert [(change.source, change.target) for change in found.gained] == [
        ("shop/job-1", "data/db-1"),
        ("data/db-1", "shop/job-1"),
    ]
    assert lab.what_if().is_same
    other = netsim.load(str(SHOP))
    other.apply(rule)
    assert lab.diff(other) == found


def test_a_file_that_only_reads_differently_is_the_same(tmp_path: Path, capsys: Capsys) -> None:
    file = tmp_path / "other.netsim.yaml"
    text = BACK.read_text(encoding="utf-8").replace("name: missing-return-route", "name: another # comment")
    file.write_text(text.replace("bandwidth_mbps: 100", "bandwidth_mbps: 10"), encoding="utf-8")
    assert main(["diff", str(BACK), str(file)]) == 0
    assert capsys.readouterr().out == SAME
    assert main(["diff", str(BACK), str(tmp_path / "none.yaml")]) == 3


@pytest.mark.slow
def test_as_processes(run_cli: RunCli) -> None:
    assert run_cli("diff", SHOP, SHOP).stdout == SAME
    result = run_cli("whatif", "down=shop-data", "-t", SHOP, "--json")
    assert result.code == 1
    assert len(result.json["pairs"]) == 5
