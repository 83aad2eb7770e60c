"""Commands that change a topology file: the printed fixes, typed as they stand, and what they must refuse."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

import netsim
from netsim.cli.main import main
from netsim.topology_file import load_topology, new_topology
from tests.cli.test_reach import BACK, SHOP, broken_files, comments, only_insertions
from tests.cli_process import RunCli

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "shop.netsim.yaml"
    shutil.copy(SHOP, file)
    return file


def run(file: Path, *words: str) -> int:
    return main([*words, "-q", "-t", str(file)])


def typed(file: Path, source: str, target: str) -> tuple[str, ...]:
    """The commands that `reach` prints, run; what they were."""
    commands = tuple(c for fix in netsim.load(str(file)).reach(source, target).fixes for c in fix.commands)
    for command in commands:
        assert run(file, *shlex.split(command)[1:]) == 0, command
    return commands


def test_every_printed_command_works_and_does_what_apply_does(shop: Path, tmp_path: Path, capsys: Capsys) -> None:
    other = tmp_path / "other.netsim.yaml"
    verbs = set()
    for pair in netsim.load(str(shop)).pairs():
        if pair.verdict != "reachable":
            shutil.copy(SHOP, shop)
            shutil.copy(SHOP, other)
            verbs |= {tuple(command.split()[1:3]) for command in typed(shop, pair.source, pair.target)}
            assert run(other, "reach", pair.source, pair.target, "--apply") == 0
            assert shop.read_bytes() == other.read_bytes()
            assert run(shop, "reach", pair.source, pair.target) == 0
    capsys.readouterr()
    assert verbs == {("route", "create"), ("peer", "accept"), ("vpc", "update")}


@pytest.mark.slow
def test_printed_commands_mend_broken_files(tmp_path: Path, capsys: Capsys) -> None:
    """All of them together, at once, for every kind of file there is; comments and other lines stay."""
    n_mended = 0
    for file in broken_files(tmp_path):
        old = file.read_text(encoding="utf-8")
        wrong = [pair for pair in netsim.load(str(file)).pairs() if pair.verdict != "reachable"]
        for pair in wrong[:: max(1, len(wrong) // 3)]:
            file.write_text(old, encoding="utf-8")
            fixes = netsim.load(str(file)).reach(pair.source, pair.target).fixes
            typed(file, pair.source, pair.target)
            new = file.read_text(encoding="utf-8")
            assert only_insertions(old, new)
            assert [c for c in comments(old) if c not in comments(new)] == []
            if all(fix.edits for fix in fixes):
                assert netsim.load(str(file)).reach(pair.source, pair.target).is_reachable, (file.name, pair)
                n_mended += 1
            capsys.readouterr()
    assert n_mended > 40


@pytest.mark.parametrize(
    ("state", "verbs"),
    [
        ("consulting", ["peer accept"]),
        ("expired", ["peer renew"]),
        ("consult_failed", ["peer delete", "peer create", "peer accept", "route create", "route update"]),
    ],
)
def test_connections_in_other_states_are_mended_by_commands(
    state: str, verbs: list[str], tmp_path: Path, capsys: Capsys
) -> None:
    file = tmp_path / "c.netsim.yaml"
    text = new_topology("cross-account").partition("traffic:")[0]
    payment = "    payment: prepaid\n" if state == "expired" else ""
    text = text.replace("    dns_sync: {local: true, peer: true}\n", f"    state: {state} # yet\n{payment}")
    file.write_text(text, encoding="utf-8")
    lab = netsim.load(str(file))
    assert [str(conn.state) for conn in lab.inventory.peer_conns.values()] == [state]
    first, *_, last = list(lab.inventory.instances.values())
    commands = typed(file, first.name, last.name)
    assert [" ".join(command.split()[1:3]) for command in commands] == verbs
    assert netsim.load(str(file)).reach(first.name, last.name).is_reachable
    if state != "consult_failed":
        assert comments(text) == comments(file.read_text(encoding="utf-8"))
    capsys.readouterr()


def test_what_is_changed_is_shown_as_a_diff(shop: Path, capsys: Capsys) -> None:
    words = ["route", "create", "--vpc", "data", "--destination", "10.9.0.0/16", "--next-hop", "blackhole"]
    assert main([*words, "--dry-run", "-t", str(shop)]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "+      - {source: 0.0.0.0/0, destination: 10.9.0.0/16, next_hop: blackhole}\n" in shown.out
    assert shop.read_bytes() == SHOP.read_bytes()
    assert main([*words, "-t", str(shop)]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (shown.out, f"netsim: {shop}: changed\n")
    rule = next(r for r in load_topology(shop).inventory.rules_of("data") if str(r.destination) == "10.9.0.0/16")
    assert run(shop, "route", "update", rule.id, "--next-hop", "gateway:door") == 0
    assert run(shop, "route", "delete", "--vpc", "data", "--destination", "10.9.0.0/16", "--yes") == 0
    assert shop.read_bytes() == SHOP.read_bytes()


def test_rules_of_a_deleted_connection_discard(shop: Path, capsys: Capsys) -> None:
    n = len(load_topology(shop).inventory.rules)
    assert run(shop, "peer", "delete", "shop-data", "--yes") == 0
    after = load_topology(shop).inventory
    assert [conn.name for conn in after.peer_conns.values()] == ["shop-archive"]
    assert len(after.rules) == n
    assert not [rule for rule in after.rules_of("data") if rule.next_hop.kind == "peer"]
    assert comments(SHOP.read_text(encoding="utf-8")) == comments(shop.read_text(encoding="utf-8"))
    capsys.readouterr()


def test_other_changes(shop: Path, capsys: Capsys) -> None:
    for words in (
        "peer create data-archive --local data --peer archive --bandwidth 5 --local-interface x --peer-interface y",
        "peer resize shop-data --bandwidth 7",
        "peer reject shop-archive",
        "instance create web-9 --subnet shop/web --ip 192.168.0.99 --listen tcp/80 --listen udp/53",
        "instance update web-9 --listen tcp/443",
        "vpc update archive --relay on",
        "vpc update archive --relay off",
    ):
        assert run(shop, *words.split()) == 0, words
    inventory = load_topology(shop).inventory
    assert inventory.peer_conn("shop-data").bandwidth_mbps == 7
    assert str(inventory.peer_conn("shop-archive").state) == "consult_failed"
    assert inventory.peer_conn("data-archive").peer.interface_name == "y"
    assert inventory.instance("web-9").listen == ((6, 80), (6, 443), (17, 53))
    capsys.readouterr()


CREATE = ["route", "create", "--vpc", "data", "--destination"]


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        ([*CREATE, "192.168.0.0/16", "--next-hop", "nope"], 4, 'route 192.168.0.0/16 of vpc data: next hop "nope"'),
        ([*CREATE, "10.1.2.0/24", "--next-hop", "blackhole"], 4, "route 10.1.2.0/24 of vpc data: destination overlaps"),
        ([*CREATE, "10.9.0.1/16", "--next-hop", "blackhole"], 4, "route: destination: 10.9.0.1/16 has host bits"),
        ([*CREATE, "10.9.0.0/16"], 2, "route create: missing option '--next-hop'"),
        (["route", "create", "--vpc", "dta", "--destination", "10.9.0.0/16", "--next-hop", "x"], 4, 'vpc "dta"'),
        (["route", "delete", "--vpc", "data", "--destination", "10.9.0.0/16", "--yes"], 4, "vpc data: no rule from"),
        (["route", "delete", "rr-00000000", "--yes"], 4, 'route rule "rr-00000000": not found'),
        (["route", "delete", "--vpc", "data"], 2, "route delete: which rule?"),
        (["route", "update", "--next-hop", "blackhole"], 2, "route update: which rule?"),
        (["route", "remove"], 2, "route: no such command 'remove'"),
        (["peer", "delete", "shop-data"], 2, "Delete the peer connection shop-data? --yes says so where nobody can be"),
        (["peer", "accept", "shop-data"], 4, "peer connection shop-data"),
        (["peer", "create", "x", "--local", "shop", "--peer", "data", "--bandwidth", "5"], 4, "peer connection"),
        (["peer", "resize", "shop-data", "--bandwidth", "5000"], 4, "peer connection shop-data: bandwidth_mbps 5000"),
        (["instance", "update", "web-1"], 2, "instance update: nothing to change"),
        (["instance", "create", "db-1", "--subnet", "shop/web", "--ip", "192.168.0.77"], 4, "the change can't be"),
        (["instance", "create", "new", "--subnet", "shop/web", "--ip", "10.1.0.20"], 4, "instance new"),
    ],
)
def test_what_is_refused_leaves_the_file_alone(
    words: list[str], code: int, line: str, shop: Path, capsys: Capsys
) -> None:
    got = main([*words, "-t", str(shop)])
    printed = capsys.readouterr()
    assert (got, printed.out, printed.err.count("\n")) == (code, "", 1), printed.err
    assert printed.err.removeprefix("netsim: ").startswith(line), printed.err
    assert shop.read_bytes() == SHOP.read_bytes()
    assert list(shop.parent.iterdir()) == [shop]


def test_files_that_can_not_be_changed(shop: Path, tmp_path: Path, capsys: Capsys) -> None:
    words = [*CREATE, "10.9.0.0/16", "--next-hop", "blackhole"]
    assert main([*words, "-t", "-"]) == 3
    assert capsys.readouterr().err == "-: no such file\n"
    assert main([*words, "-t", str(tmp_path / "none.netsim.yaml")]) == 3
    capsys.readouterr()
    shop.chmod(0o444)
    assert main([*words, "-t", str(shop)]) == 2
    assert capsys.readouterr().err == f"netsim: {shop}: can't be written: the file is read-only\n"
    assert shop.read_bytes() == SHOP.read_bytes()


@pytest.mark.slow
def test_a_printed_command_as_a_process(run_cli: RunCli, tmp_path: Path) -> None:
    """What a person does: ask, copy the line, ask again."""
    shutil.copy(BACK, tmp_path / "b.netsim.yaml")
    asked = run_cli("reach", "web-1", "db-1")
    assert asked.code == 1
    command = next(line.strip() for line in asked.stdout.splitlines() if line.strip().startswith("netsim route create"))
    written = run_cli(*shlex.split(command)[1:])
    assert (written.code, written.stderr) == (0, "netsim: b.netsim.yaml: changed\n")
    assert run_cli("reach", "web-1", "db-1").code == 0
    assert run_cli("peer", "delete", "shop-data").code == 2
