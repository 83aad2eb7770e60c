"""run, monitor, replay and send: what they print, write and record."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scapy.utils import rdpcap

from netsim.cli.main import main
from netsim.wire.capture_file import read_capture
from tests.cli_process import ROOT, RunCli

SHOP = Path(__file__).with_name("shop.netsim.yaml")
CAPTURES = ROOT / "topologies" / "captures"
Golden = Callable[[str, str], None]
Capsys = pytest.CaptureFixture[str]

CONTRACT = {
    "": {"netsim", "topology", "seed", "duration_s", "packets", "flows", "peer_connections", "samples"},
    "packets": {"injected", "delivered", "in_flight", "dropped"},
    "flow": {
        "name", "from", "to", "kind", "packets_sent", "packets_received", "offered_bps", "throughput_bps",
        "goodput_bps", "loss_ratio", "latency_ms", "jitter_ms",
    },
    "latency": {"min", "mean", "p50", "p95", "p99", "max"},
    "peer_connection": {"name", "id", "state", "bandwidth_mbps", "sides"},
    "side": {"side", "vpc", "interface", "egress", "ingress"},
    "direction": {"bytes", "packets", "dropped_packets", "mean_bps", "peak_bps", "utilization_ratio"},
    "sample": {
        "peer_connection", "side", "start_s", "period_s", "egress_bytes", "ingress_bytes", "egress_bps", "ingress_bps",
        "egress_packets", "ingress_packets", "egress_dropped_packets", "ingress_dropped_packets",
    },
}  # fmt: skip


def run(capsys: Capsys, *args: str) -> tuple[int, str, str]:
    """A command on the shop, in this process."""
    code = main([*args, "-t", str(SHOP)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def run_json(capsys: Capsys, *args: str) -> Any:
    code, out, err = run(capsys, *args, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.mark.slow
def test_run_as_people_see_it(run_cli: RunCli, golden: Golden) -> None:
    result = run_cli("run", SHOP)
    assert (result.code, result.stderr) == (0, ""), result
    golden(result.stdout, "run")


@pytest.mark.slow
def test_run_json_is_the_contract(capsys: Capsys) -> None:
    facts = run_json(capsys, "run")
    assert CONTRACT[""] <= facts.keys()
    assert CONTRACT["packets"] <= facts["packets"].keys()
    packets = facts["packets"]
    assert packets["injected"] == packets["delivered"] + packets["in_flight"] + sum(packets["dropped"].values())
    assert [flow["name"] for flow in facts["flows"]] == ["backup", "answers", "beat"]
    for flow in facts["flows"]:
        assert CONTRACT["flow"] <= flow.keys()
        assert CONTRACT["latency"] <= flow["latency_ms"].keys()
    assert [conn["state"] for conn in facts["peer_connections"]] == ["active", "consulting"]
    for conn in facts["peer_connections"]:
        assert CONTRACT["peer_connection"] <= conn.keys()
        for side in conn["sides"]:
            assert CONTRACT["side"] <= side.keys()
            assert CONTRACT["direction"] <= side["egress"].keys() == side["ingress"].keys()
    for sample in facts["samples"]:
        assert CONTRACT["sample"] == sample.keys()
    local = facts["peer_connections"][0]["sides"][0]
    mine = [s for s in facts["samples"] if s["peer_connection"] == "shop-data" and s["side"] == "local"]
    assert sum(s["egress_bytes"] for s in mine) == local["egress"]["bytes"]
    assert sum(s["egress_dropped_packets"] for s in mine) == local["egress"]["dropped_packets"] > 0


@pytest.mark.slow
def test_the_same_seed_is_the_same_run_byte_for_byte(capsys: Capsys) -> None:
    first = run(capsys, "run", "--json")[1]
    assert run(capsys, "run", "--json")[1] == first
    assert run(capsys, "run", "--json", "--seed", "4")[1] != first
    assert run(capsys, "run", "--json", "--seed", "3")[1] == first


@pytest.mark.slow
def test_run_out_writes_five_whole_files(capsys: Capsys, tmp_path: Path) -> None:
    folder = tmp_path / "out 一" / "shop"
    code, out, err = run(capsys, "run", "--json", "--out", str(folder))
    assert code == 0
    names = ["report.html", "result.json", "samples.csv", "bandwidth.svg", "topology.svg"]
    assert err == f"netsim: wrote {folder}/{', '.join(names)}\n"
    assert {path.name for path in folder.iterdir()} == set(names)
    assert json.loads((folder / "result.json").read_text(encoding="utf-8")) == json.loads(out)
    rows = list(csv.DictReader(io.StringIO((folder / "samples.csv").read_text(encoding="utf-8"))))
    assert len(rows) == len(json.loads(out)["samples"])
    for name in ("bandwidth.svg", "topology.svg"):
        assert "shop-data" in (folder / name).read_text(encoding="utf-8")
        ET.parse(folder / name)  # noqa: S314 - our own output
    assert run(capsys, "run", "--format", "csv", "-q")[1] == (folder / "samples.csv").read_text(encoding="utf-8")


@pytest.mark.slow
def test_run_records_what_passes(capsys: Capsys, tmp_path: Path) -> None:
    at, link = tmp_path / "web=1.pcap", tmp_path / "link.pcap"
    arguments = ["run", "--json", "--pcap", f"web-1={at}", "--pcap", f"shop-data={link}"]
    facts = json.loads(run(capsys, *arguments)[1])
    backup, answers = facts["flows"][0], facts["flows"][1]
    assert len(read_capture(at).at_ns) == backup["packets_sent"] + answers["packets_received"]
    sides = facts["peer_connections"][0]["sides"]
    assert len(read_capture(link).at_ns) == sum(side["egress"]["packets"] for side in sides)


@pytest.mark.slow
def test_one_pcapng_file_records_every_place(capsys: Capsys, tmp_path: Path) -> None:
    """Each packet where it was sent, where it left over a connection, where it arrived; and the drops."""
    facts = json.loads(run(capsys, "run", "--json", "--capture", f"all={tmp_path}/all.pcapng")[1])
    seen = [(p.sniffed_on, p.direction, bool(p.comments)) for p in rdpcap(str(tmp_path / "all.pcapng"))]
    backup, answers, beat = facts["flows"]
    assert seen.count(("web-1", 2, False)) == backup["packets_sent"]
    assert seen.count(("web-1", 1, False)) == answers["packets_received"]
    assert seen.count(("web-2", 2, False)) == beat["packets_sent"]
    local, peer = facts["peer_connections"][0]["sides"]
    assert seen.count(("shop-data:local", 2, False)) == local["egress"]["packets"]
    assert seen.count(("shop-data:peer", 2, False)) == peer["egress"]["packets"]
    assert seen.count(("shop-data:local", 2, True)) == local["egress"]["dropped_packets"] > 0
    assert sum(was_dropped for _, _, was_dropped in seen) == local["egress"]["dropped_packets"]


@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        (["run", "--out", "/dev/null"], 2, "/dev/null: can't be made a folder: File exists"),
        (["run", "--pcap", "web-1=/"], 2, "/: can't be written: is a directory"),
        (
            ["run", "--pcap", "web-1"],
            2,
            "run: invalid value for '--capture' / '--pcap': \"web-1\" does not read NAME=FILE",
        ),
        (
            ["run", "--capture", "all=a.pcap"],
            2,
            "capture: a.pcap can't hold all places, expected a file that ends in .p",
        ),
        (["run", "--pcap", "web-9=a.pcap"], 4, 'instance "web-9": not found, did you mean "web-2"? (nor is there a'),
        (["run", "--duration", "0"], 2, "run: invalid value for '--duration': \"0\" is no duration"),
        (["monitor", "shop-dat"], 4, 'peer connection "shop-dat": not found, did you mean "shop-data"?'),
        (["monitor"], 2, "monitor: which peer connection? There are: shop-data, shop-archive"),
        (["monitor", "shop-data", "--metric", "egress_bp"], 2, "monitor: metric 'egress_bp' does not exist"),
        (["replay", "none.pcap", "--from", "web-1", "--to", "db-1"], 3, "none.pcap: at byte 0: can't be opened"),
        (["replay", "a", "--from", "web-1", "--to", "db-1", "--speed", "0"], 2, 'replay: speed is "0"'),
        (["replay", "a", "--from", "web-1", "--to", "db-1", "--map", "x=web-1"], 2, "replay: --map x=web-1: "),
        (["send", "IP()", "--from", "web-9"], 4, 'instance "web-9": not found'),
        (["send", "IP(", "--from", "web-1"], 2, "packet: \"IP(\": '(' was never closed"),
    ],
)
def test_mistakes(args: list[str], code: int, line: str, capsys: Capsys) -> None:
    got, out, err = run(capsys, *args)
    assert (got, out) == (code, ""), err
    assert err.count("\n") == 1
    assert err.removeprefix("netsim: ").startswith(line)


@pytest.mark.slow
def test_monitor_as_people_see_it(capsys: Capsys, golden: Golden) -> None:
    code, out, err = run(capsys, "monitor", "shop-data", "--metric", "bandwidth", "--metric", "drops")
    assert (code, err) == (0, "")
    golden(out, "monitor")


@pytest.mark.slow
def test_monitor_rolls_up_and_looks_back(capsys: Capsys) -> None:
    fine = run_json(capsys, "monitor", "shop-data", "--metric", "egress_bytes")
    assert [point["start_s"] for point in fine["metrics"][0]["points"]] == [0, 1]
    coarse = run_json(capsys, "monitor", "shop-data", "--metric", "traffic", "--period", "2s")
    assert [metric["name"] for metric in coarse["metrics"]] == ["egress_bytes", "ingress_bytes"]
    (point,) = coarse["metrics"][0]["points"]
    assert point["sum"] == sum(one["sum"] for one in fine["metrics"][0]["points"])
    assert point["sample_count"] == 2
    last = run_json(capsys, "monitor", "shop-data", "--metric", "egress_bytes", "--last", "1")
    assert last["metrics"][0]["points"] == fine["metrics"][0]["points"][1:]
    peer = run_json(capsys, "monitor", "shop-data", "--metric", "ingress_bytes", "--side", "peer")
    local = [one["sum"] for one in fine["metrics"][0]["points"]]
    arrived = [one["sum"] for one in peer["metrics"][0]["points"]]
    assert sum(local) - 40_000 < sum(arrived) <= sum(local)  # what is on the way at the end has not arrived
    code, out, _ = run(capsys, "monitor", "shop-data", "--format", "csv")
    assert code == 0
    assert [row["metric"] for row in csv.DictReader(io.StringIO(out))] == ["egress_bps"] * 2 + ["ingress_bps"] * 2


def test_replay_sends_the_capture_and_nothing_else(capsys: Capsys) -> None:
    ends = ["replay", str(CAPTURES / "web-session.pcap"), "--from", "web-1", "--to", "db-1"]
    facts = run_json(capsys, *ends)
    n = len(read_capture(CAPTURES / "web-session.pcap").at_ns)
    (flow,) = facts["flows"]
    assert (flow["kind"], flow["packets_sent"]) == ("replay", n)
    # Full-sized packets of the capture say DF, and the connection's MTU is 1400.
    too_large = facts["packets"]["dropped"]["mtu_exceeded"]
    assert flow["packets_received"] == n - too_large < n
    assert facts["packets"]["in_flight"] == 0
    twice = run_json(capsys, *ends, "--speed", "2")["flows"][0]
    assert twice["duration_s"] == pytest.approx(flow["duration_s"] / 2, rel=1e-3)
    assert twice["packets_received"] == n - too_large


def test_replay_says_what_it_leaves_out(capsys: Capsys) -> None:
    ends = ["replay", str(CAPTURES / "web-session.pcap"), "--from", "web-1", "--to", "db-1"]
    code, out, err = run(capsys, *ends, "--map", "192.0.2.77=web-1", "--map", "192.0.2.78=db-1", "--json")
    assert code == 0
    assert json.loads(out)["flows"][0]["packets_sent"] == 0
    assert err.endswith(" packets of other hosts\n")


@pytest.fixture
def scapy_settings() -> Iterator[None]:
    """The command changes scapy's settings, which in a process of its own disturbs nobody."""
    from scapy.config import conf

    before = set(conf.noenum.fields)
    yield
    conf.noenum.fields = before


@pytest.mark.usefixtures("scapy_settings")
def test_send_prints_what_became_of_it_and_what_came_back(capsys: Capsys, golden: Golden) -> None:
    texts = []
    for code, packet in (
        (0, "IP(dst='db-1')/ICMP(id=7,seq=1)/b'hello'"),
        (0, "IP(dst='db-1')/UDP(sport=4000,dport=9)"),
        (1, "IP(dst='db-1',ttl=1)/UDP(sport=4000,dport=9)"),
        (1, "IP(dst='10.9.0.1')/TCP(dport=80,flags='S')"),
        (0, "IP(dst='db-1')/TCP(sport=4000,dport=[80,5432],flags='S',seq=1)"),
        (1, "ARP()"),
    ):
        got, out, err = run(capsys, "send", packet, "--from", "web-1")
        texts.append(f'$ netsim send "{packet}" --from web-1\n{out}{err}')
        assert got == code
    golden("\n".join(texts), "send")


@pytest.mark.usefixtures("scapy_settings")
def test_send_json_show_and_pcap(capsys: Capsys, tmp_path: Path) -> None:
    file = tmp_path / "a.pcap"
    packet = "IP(dst='db-1')/ICMP(id=7)/b'hello'"
    facts = run_json(capsys, "send", packet, "--from", "web-1", "--pcap", str(file))
    (one,) = facts["packets"]
    assert one["disposition"] == "delivered"
    assert [(arrival["instance"], round(arrival["after_ms"], 1)) for arrival in one["delivered"]] == [("db-1", 30.1)]
    assert bytes.fromhex(one["answers"][0]["hex"]).endswith(b"hello")
    recorded = [bytes(raw) for raw in read_capture(file).packets if raw is not None]
    assert len(recorded) == 2
    assert recorded[1].hex() == one["answers"][0]["hex"]
    code, out, _ = run(capsys, "send", packet, "--from", "web-1", "--show")
    assert code == 0
    assert "###[ ICMP ]###" in out
    assert "type      = echo-reply" in out


@pytest.mark.slow
def test_as_processes(run_cli: RunCli, tmp_path: Path) -> None:
    sent = run_cli("send", "IP(dst='db-1')/UDP(dport=53)", "--from", "web-1", "-t", SHOP)
    assert (sent.code, sent.stderr) == (0, ""), sent
    ran = run_cli("run", SHOP, "--duration", "500ms", "--json", "--out", tmp_path / "out")
    assert ran.code == 0
    assert ran.json["duration_s"] == 0.5
    replayed = run_cli("replay", CAPTURES / "ping.pcap", "--from", "web-1", "--to", "db-1", "-t", SHOP)
    assert (replayed.code, replayed.stderr) == (0, ""), replayed
    assert run_cli("monitor", "shop-data", "-t", SHOP).code == 0
