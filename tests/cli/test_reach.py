"""reach: the answer, the fix and its place; --apply writes it and nothing else; all pairs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import netsim
from netsim.cli.main import main
from netsim.errors import TopologyError
from netsim.topology_file import load_topology, new_topology
from tests.cli_process import ROOT, RunCli

SHOP = Path(__file__).with_name("shop.netsim.yaml")
BACK = ROOT / "topologies" / "missing-return-route.netsim.yaml"
FILES = sorted((ROOT / "topologies").glob("*.netsim.yaml"))
TEMPLATES = ["two-vpcs", "cross-account", "hub:4", "mesh:4", "chain:5", "random:7"]
Golden = Callable[[str, str], None]
Capsys = pytest.CaptureFixture[str]

CONVERSATIONS = {
    "reach": (0, ["reach", "web-1", "db-1"]),
    "reach_one_way": (1, ["reach", "job-1", "db-1"]),
    "reach_explain": (1, ["reach", "job-1", "db-1", "--explain"]),
    "reach_state": (1, ["reach", "web-1", "vault-1"]),
    "reach_several_fixes": (1, ["reach", "db-1", "vault-1"]),
    "reach_subnet": (0, ["reach", "web-1", "web-2"]),
    "reach_blackhole": (1, ["reach", "web-1", "10.9.0.1"]),
    "reach_nobody": (1, ["reach", "web-1", "192.168.0.99"]),
    "reach_gateway": (1, ["reach", "web-1", "192.0.2.1"]),
    "reach_closed": (1, ["reach", "web-1", "db-1", "--port", "tcp/99"]),
    "reach_open": (0, ["reach", "web-1", "db-1", "--port", "tcp/5432"]),
    "reach_vpcs": (1, ["reach", "shop", "data"]),
    "reach_dry_run": (0, ["reach", "job-1", "db-1", "--dry-run"]),
    "reach_all": (1, ["reach"]),
    "reach_all_subnets": (1, ["reach", "--by", "subnet"]),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_texts(name: str, capsys: Capsys, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SHOP.parent)
    code, args = CONVERSATIONS[name]
    got = main([*args, "-t", SHOP.name])
    printed = capsys.readouterr()
    golden(f"$ netsim {' '.join(args)}\n{printed.out}{printed.err}$ echo $?\n{got}", name)
    assert got == code


def ask(capsys: Capsys, *args: str | Path) -> tuple[int, Any]:
    code = main([*map(str, args), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_json_is_the_contract(capsys: Capsys) -> None:
    code, answer = ask(capsys, "reach", "web-1", "db-1", "-t", BACK)
    assert code == 1
    assert {key: answer[key] for key in ("from", "to", "verdict", "reason")} == {
        "from": "web-1",
        "to": "db-1",
        "verdict": "one_way",
        "reason": "no_return_route",
    }
    assert (answer["forward"]["disposition"], answer["forward"]["delivered_to"]) == ("delivered", "db-1")
    assert [(hop["vpc"], hop["next_hop"], hop["ttl"]) for hop in answer["forward"]["hops"]] == [
        ("shop", "int-1", 64),
        ("data", "local", 63),
    ]
    assert answer["return"]["disposition"] == "no_route"
    assert answer["fix"] == ["in data's route table: source 10.1.0.0/24, destination 192.168.0.0/24, next hop int-2"]
    code, answer = ask(capsys, "reach", "desk-1", "db-1", "-t", BACK)
    assert (code, answer["verdict"], answer["reason"], answer["fix"]) == (0, "reachable", None, [])


def test_all_pairs_in_json_are_what_each_pair_says(capsys: Capsys) -> None:
    code, answer = ask(capsys, "reach", "-t", SHOP)
    assert code == 1
    assert len(answer["pairs"]) == answer["summary"]["pairs"] == 20
    lab = netsim.load(str(SHOP))
    for pair in answer["pairs"]:
        found = lab.reach(pair["from"], pair["to"])
        assert (found.verdict, found.reason or None) == (pair["verdict"], pair["reason"]), pair
        assert pair["fix"] == [fix.text for fix in found.fixes], pair
    assert lab.pairs().to_dict(most_fixes=1)["pairs"][-1]["fix"] is None


def test_instances_that_nothing_tells_apart_are_told_together(capsys: Capsys) -> None:
    _, answer = ask(capsys, "reach", "-t", SHOP)
    assert ["web-1", "web-2"] in answer["summary"]["groups"]
    assert sum(map(len, answer["summary"]["groups"])) == 5
    assert main(["reach", "-t", str(SHOP)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert f"{len(answer['summary']['groups'])} groups behave alike:" in told
    assert "         2  web-1, web-2" in told


def test_a_vpc_stands_for_its_instances(capsys: Capsys) -> None:
    code, answer = ask(capsys, "reach", "shop", "data", "-t", SHOP)
    assert (code, [pair["from"] for pair in answer["pairs"]]) == (1, ["web-1", "web-2", "job-1"])
    assert answer["summary"] == {
        "pairs": 3,
        "reachable": 2,
        "one_way": 1,
        "not_reachable": 0,
        "reasons": {"no_return_route": 1},
    }
    lab = netsim.load(str(SHOP))
    assert lab.reach("shop", "data").source.name == "job-1"
    assert len(lab.pairs()) == 20


@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        (["web-1"], 2, "reach: missing argument 'TO'"),
        (["web-1", "db-2"], 4, 'instance "db-2": not found, did you mean "db-1"?'),
        (
            ["web-1", "db-1", "--port", "http"],
            2,
            "reach: invalid value for '--port': 'http' is not a port, expected like",
        ),
        (["--apply"], 2, "reach: --port, --explain, --apply and --dry-run need FROM and TO"),
        (["shop", "data", "--apply"], 2, "--apply: 3 pairs are meant, expected one FROM and one TO"),
        (["web-1", "10.9.0.1", "--apply"], 4, "can't be applied, nothing was written: no subnet of any VPC holds"),
    ],
)
def test_mistakes_end_in_one_line(args: list[str], code: int, line: str, capsys: Capsys) -> None:
    before = SHOP.read_bytes()
    assert main(["reach", *args, "-t", str(SHOP)]) == code
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.removeprefix("netsim: ").startswith(line)
    assert SHOP.read_bytes() == before


# ------------------------------------------------------------------------------------------ apply


def only_insertions(old: str, new: str) -> bool:
    """Whether the lines of `old` are all there, in order, but for those where a value was changed."""
    lines = iter(new.splitlines())
    return all(any(line == other for other in lines) for line in old.splitlines() if not is_changeable(line))


def is_changeable(line: str) -> bool:
    return any(word in line for word in ("state:", "relay:", "listen:", "next_hop:"))


def test_apply_writes_the_fix_and_keeps_the_rest(tmp_path: Path, capsys: Capsys) -> None:
    file = tmp_path / "b.netsim.yaml"
    shutil.copy(BACK, file)
    file.chmod(0o640)
    assert main(["reach", "web-1", "db-1", "-t", str(file), "--apply"]) == 0
    printed = capsys.readouterr()
    assert "+      - {source: 10.1.0.0/24, destination: 192.168.0.0/24, next_hop: int-2}\n" in printed.out
    assert "\nREACHABLE  web-1 (192.168.0.10) → db-1 (10.1.0.20)\n" in printed.out
    assert printed.err == f"netsim: {file}: the fix is written\n"
    old, new = BACK.read_text(encoding="utf-8").splitlines(), file.read_text(encoding="utf-8").splitlines()
    added = [k for k, line in enumerate(new) if line not in old]
    assert [line for k, line in enumerate(new) if k not in added] == old
    assert len(added) == 1 and old[added[0] - 1] == new[added[0] - 1]
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]
    assert main(["reach", "web-1", "db-1", "-t", str(file), "--apply", "-q"]) == 0
    assert file.read_text(encoding="utf-8").splitlines() == new


def test_dry_run_writes_nothing(tmp_path: Path, capsys: Capsys) -> None:
    file = tmp_path / "b.netsim.yaml"
    shutil.copy(BACK, file)
    code, answer = ask(capsys, "reach", "web-1", "db-1", "-t", file, "--apply", "--dry-run")
    assert (code, answer["verdict"], answer["after"]) == (0, "one_way", "reachable")
    assert answer["diff"].startswith(f"--- {file}\n+++ {file}\n@@ ")
    assert file.read_bytes() == BACK.read_bytes()


def test_what_can_not_be_written_leaves_the_file_alone(tmp_path: Path, capsys: Capsys) -> None:
    """Both VPCs share one list of routes: a rule for one would be a rule for both."""
    text = BACK.read_text(encoding="utf-8")
    start = text.index("    routes:\n      # The web")
    end = text.index("\npeer_connections")
    text = f"{text[:start]}    routes: &r []\n{text[end:]}"
    text += "  # the same\n" if text.endswith("\n") else "\n"
    text = text.replace("accounts: [{id: acme}, {id: data-team}]\n", "accounts: [{id: acme}, {id: data-team}]\n")
    text = text.replace("\npeer_connections", (
        "  - {name: other, account: acme, region: bj, cidr: 10.9.0.0/16, routes: *r}\n\npeer_connections"
    ), 1)  # fmt: skip
    file = tmp_path / "b.netsim.yaml"
    file.write_text(text, encoding="utf-8")
    assert main(["reach", "web-1", "db-1", "-t", str(file), "--apply"]) == 4
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("netsim: vpcs[1].routes: can't be changed here without changing more")
    assert printed.err.count("\n") == 1
    assert file.read_text(encoding="utf-8") == text


def broken_files(tmp_path: Path) -> list[Path]:
    """The topologies and templates as they are, and each with one line of routes or a relay role less."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in FILES}
    texts |= {name.replace(":", "-"): new_topology(name) for name in TEMPLATES}
    made = []
    (tmp_path / "captures").symlink_to(ROOT / "topologies" / "captures")
    for name, text in texts.items():
        lines = text.splitlines(keepends=True)
        cuts = [k for k, line in enumerate(lines) if "- {source:" in line or line.strip() == "relay: true"]
        for k in [-1, *cuts[:: max(1, len(cuts) // 4)]]:
            file = tmp_path / f"{name}{k}.netsim.yaml"
            file.write_text("".join(line for i, line in enumerate(lines) if i != k), encoding="utf-8")
            try:
                load_topology(file)
            except TopologyError:
                continue  # a relay VPC's rules may have sources that another's may not
            made.append(file)
    return made


@pytest.mark.slow
def test_applied_fixes_help_and_keep_every_other_line(tmp_path: Path, capsys: Capsys) -> None:
    """Every "no" of these files: reachable after its fixes, all made at once; comments stay."""
    n_applied = n_reachable = 0
    for file in broken_files(tmp_path):
        old = file.read_text(encoding="utf-8")
        lab = netsim.load(str(file))
        wrong = [pair for pair in lab.pairs() if pair.verdict != "reachable"]
        for pair in wrong[:: max(1, len(wrong) // 3)]:
            file.write_text(old, encoding="utf-8")
            reasons = [(pair.verdict, pair.reason)]
            for _ in range(4):
                before = file.read_text(encoding="utf-8")
                code = main(["reach", pair.source, pair.target, "-t", str(file), "--apply", "-q", "--json"])
                printed = capsys.readouterr()
                if code == 4:
                    assert "nothing was written" in printed.err, (file.name, pair, printed.err)
                    assert file.read_text(encoding="utf-8") == before
                    break
                answer = json.loads(printed.out)
                n_applied += 1
                assert only_insertions(before, file.read_text(encoding="utf-8")), (file.name, answer["diff"])
                assert [c for c in comments(before) if c not in comments(file.read_text(encoding="utf-8"))] == []
                load_topology(file)
                if code == 0:
                    n_reachable += 1
                    break
                reasons.append((answer["verdict"], answer["reason"]))
                assert len(set(reasons)) == len(reasons), (file.name, pair, reasons)
            else:
                pytest.fail(f"{file.name}: {pair}: still not reachable, {reasons}")
    assert n_applied > 60 and n_reachable > 40, (n_applied, n_reachable)


def comments(text: str) -> list[str]:
    return [line[line.index("#") :] for line in text.splitlines() if "#" in line]


@pytest.mark.slow
def test_as_a_process(run_cli: RunCli, tmp_path: Path) -> None:
    yes = run_cli("reach", "web-1", "db-1", "-t", SHOP)
    assert (yes.code, yes.stderr) == (0, "")
    file = tmp_path / "b.netsim.yaml"
    shutil.copy(BACK, file)
    no = run_cli("reach", "web-1", "db-1")
    assert no.code == 1
    assert no.stdout.startswith("ONE WAY   web-1 (192.168.0.10) → db-1 (10.1.0.20) ")
    assert run_cli("reach", "web-1", "db-1", "--apply").code == 0
    assert run_cli("reach", "web-1", "db-1", "--json").json["verdict"] == "reachable"


@pytest.mark.slow
def test_nothing_heavy_is_imported(run_cli: RunCli) -> None:
    result = run_cli("reach", "web-1", "db-1", "-t", SHOP, env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.splitlines()}
    assert "numpy" in imported
    assert not imported & {"scapy", "networkx", "numba", "rich"}


def test_a_wide_matrix_becomes_a_list_of_the_rows_that_are_not_all_reachable(tmp_path: Path, capsys: Capsys) -> None:
    file = tmp_path / "wide.netsim.yaml"
    text = new_topology("mesh:24")
    file.write_text(text, encoding="utf-8")
    assert main(["reach", "-t", str(file)]) == 0
    assert capsys.readouterr().out == "552 pairs: 552 reachable, 0 one way, 0 not reachable\n"
    lines = text.splitlines(keepends=True)
    cut = next(k for k, line in enumerate(lines) if "- {source:" in line)
    file.write_text("".join(lines[:cut] + lines[cut + 1 :]), encoding="utf-8")
    assert main(["reach", "-t", str(file)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "FROM  REACHABLE  ONE WAY  NOT REACHABLE",
        "v1           22        0              1",
        "v2           22        1              0",
        "552 pairs: 550 reachable, 1 one way, 1 not reachable",
        "         1  no_return_route",
        "         1  no_route",
        "3 groups behave alike:",
        "        22  n3, n4, n5, n6 and 18 more",
        "         1  n1",
        "         1  n2",
    ]
