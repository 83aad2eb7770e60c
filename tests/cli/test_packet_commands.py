"""ping, traceroute, route get, trace and check: texts that people know, JSON that programs rely on."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netsim.cli.main import main
from tests.cli_process import RunCli

SHOP = Path(__file__).with_name("shop.netsim.yaml")
Golden = Callable[[str, str], None]
Capsys = pytest.CaptureFixture[str]


def run(capsys: Capsys, *args: str) -> tuple[int, str, str]:
    """A command on the shop, in this process."""
    code = main([*args, "-t", str(SHOP)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def run_json(capsys: Capsys, *args: str) -> tuple[int, Any]:
    code, out, _ = run(capsys, *args, "--json")
    return code, json.loads(out)


CONVERSATIONS = {
    "ping": (0, ["ping", "web-1", "db-1", "-c", "2", "-i", "0.5"]),
    "ping_large": (0, ["ping", "web-1", "db-1", "-c", "1", "-s", "2000"]),
    "ping_mtu": (1, ["ping", "web-1", "db-1", "-c", "1", "-s", "1472", "-M", "do"]),
    "ping_ttl": (1, ["ping", "web-1", "db-1", "-c", "1", "--ttl", "1"]),
    "ping_no_route": (1, ["ping", "db-1", "vault-1", "-c", "2"]),
    "ping_no_return": (1, ["ping", "job-1", "db-1", "-c", "1"]),
    "ping_nobody": (1, ["ping", "web-1", "192.168.0.99", "-c", "1"]),
    "ping_gateway": (1, ["ping", "web-1", "192.0.2.1", "-c", "1"]),
    "ping_quiet": (0, ["ping", "web-1", "10.1.0.1", "-c", "3", "-q"]),
    "traceroute": (0, ["traceroute", "web-1", "db-1", "--probes", "3"]),
    "traceroute_icmp": (0, ["traceroute", "web-1", "db-1", "-I"]),
    "traceroute_no_route": (1, ["traceroute", "db-1", "vault-1"]),
    "traceroute_silence": (1, ["traceroute", "job-1", "db-1", "-m", "3", "--probes", "2"]),
    "route_get": (0, ["route", "get", "web-1", "db-1"]),
    "route_get_source": (0, ["route", "get", "job-1", "db-1"]),
    "route_get_none": (1, ["route", "get", "db-1", "vault-1"]),
    "route_get_state": (1, ["route", "get", "web-1", "vault-1"]),
    "route_get_blackhole": (1, ["route", "get", "web-1", "10.9.0.1"]),
    "route_get_gateway": (0, ["route", "get", "web-1", "192.0.2.1"]),
    "route_get_subnet": (0, ["route", "get", "web-1", "web-2"]),
    "route_get_local": (0, ["route", "get", "web-1", "job-1"]),
    "trace": (0, ["trace", "web-1", "db-1"]),
    "trace_fragments": (0, ["trace", "web-1", "db-1", "--size", "1500"]),
    "trace_mtu": (1, ["trace", "web-1", "db-1", "--size", "1500", "--df"]),
    "trace_state": (1, ["trace", "web-1", "vault-1"]),
    "trace_no_return": (1, ["trace", "job-1", "db-1", "--port", "tcp/5432"]),
    "trace_closed": (0, ["trace", "web-1", "db-1", "--port", "udp/9"]),
    "trace_subnet": (0, ["trace", "web-1", "web-2", "--ttl", "1"]),
    "trace_gateway": (0, ["trace", "job-1", "192.0.2.1"]),
    "check": (1, ["check"]),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_texts(name: str, capsys: Capsys, golden: Golden) -> None:
    code, args = CONVERSATIONS[name]
    got, out, err = run(capsys, *args)
    golden(f"$ netsim {' '.join(args)}\n{out}{err}$ echo $?\n{got}", name)
    assert got == code


def test_ping_json(capsys: Capsys) -> None:
    code, answer = run_json(capsys, "ping", "web-1", "db-1", "-c", "3")
    assert code == 0
    assert (answer["from"], answer["to"], answer["dst"]) == ("web-1", "db-1", "10.1.0.20")
    assert (answer["sent"], answer["received"], answer["loss_ratio"]) == (3, 3, 0)
    assert [reply["sequence"] for reply in answer["replies"]] == [1, 2, 3]
    assert answer["rtt_ms"]["min"] == pytest.approx(60.2, abs=0.01)
    code, answer = run_json(capsys, "ping", "job-1", "db-1", "-c", "1")
    assert code == 1
    assert answer["rtt_ms"] == {"min": None, "mean": None, "max": None, "mdev": None}
    assert answer["fates"] == [{"sequence": 1, "request": "delivered", "reply": "no_route"}]


def test_ping_interval_decides_when_they_are_sent(capsys: Capsys) -> None:
    """At once, 50 requests of 1400 bytes queue behind each other at 10 Mbit/s."""
    _, at_once = run_json(capsys, "ping", "web-1", "db-1", "-c", "50", "-i", "0", "-s", "1372")
    _, slowly = run_json(capsys, "ping", "web-1", "db-1", "-c", "50", "-i", "0.1", "-s", "1372")
    assert at_once["rtt_ms"]["max"] > slowly["rtt_ms"]["max"] + 20
    assert slowly["rtt_ms"]["mdev"] < 0.01


def test_traceroute_json_is_the_contract(capsys: Capsys) -> None:
    code, answer = run_json(capsys, "traceroute", "web-1", "db-1")
    assert code == 0
    assert list(answer) == ["from", "to", "reached", "hops"]
    assert [(hop["ttl"], hop["address"], hop["vpc"]) for hop in answer["hops"]] == [
        (1, "192.168.0.1", "shop"),
        (2, "10.1.0.1", "data"),
        (3, "10.1.0.20", "data"),
    ]
    assert answer["hops"][2]["rtt_ms"] == pytest.approx(60.2, abs=0.01)
    code, answer = run_json(capsys, "traceroute", "web-1", "192.0.2.1")
    assert (code, answer["reached"], len(answer["hops"])) == (1, False, 30)
    assert {key: answer["hops"][29][key] for key in ("ttl", "address", "vpc", "rtt_ms")} == {
        "ttl": 30,
        "address": None,
        "vpc": None,
        "rtt_ms": None,
    }


def test_route_get_json(capsys: Capsys) -> None:
    code, answer = run_json(capsys, "route", "get", "web-1", "db-1")
    assert code == 0
    assert (answer["kind"], answer["interface"], answer["peer_connection"]) == ("peer", "int-data", "shop-data")
    assert (answer["rule"]["source"], answer["rule"]["destination"]) == ("192.168.0.0/24", "10.1.0.0/16")
    assert [rule["destination"] for rule in answer["beaten"]] == ["10.1.0.0/16", "0.0.0.0/0"]
    code, answer = run_json(capsys, "route", "get", "db-1", "vault-1")
    assert (code, answer["kind"], answer["rule"]) == (1, "none", None)
    assert [rule["source"] for rule in answer["other_source"]] == ["10.1.128.0/24"]


def test_trace_json(capsys: Capsys) -> None:
    code, answer = run_json(capsys, "trace", "web-1", "db-1")
    assert (code, answer["disposition"], answer["delivered_to"], answer["answer"]) == (
        0,
        "delivered",
        "db-1",
        "delivered",
    )
    there = [step for step in answer["steps"] if step["whose"] == "packet"]
    assert [step["step"] for step in there] == [None, 3, 4, 5, 7, 9, 10, None, 3, 4, 7, None]
    assert there[1]["rule"] == "from 192.168.0.0/24 to 10.1.0.0/16 via int-data (shop-data)"
    assert len(there[1]["beaten"]) == 2
    times = [step["after_ms"] for step in answer["steps"]]
    assert times == sorted(times)
    assert times[0] == 0


def test_check_json_and_junit(capsys: Capsys, tmp_path: Path) -> None:
    report = tmp_path / "报告.xml"
    code, answer = run_json(capsys, "check", "--junit", str(report))
    assert (code, answer["holds"]) == (1, False)
    assert [row["holds"] for row in answer["expectations"]] == [True, False, False, True, False]
    assert [row["line"] for row in answer["expectations"]] == [55, 56, 57, 58, 59]
    assert answer["expectations"][1]["found"] == "one way because no_return_route"
    suite = ET.parse(report).getroot()  # noqa: S314 - our own output
    assert {key: suite.attrib[key] for key in ("name", "tests", "failures")} == {
        "name": "shop",
        "tests": "15",
        "failures": "3",
    }
    failures = [case.attrib["name"] for case in suite if case.find("failure") is not None]
    assert failures == [row["expectation"] for row in answer["expectations"] if not row["holds"]]


def test_check_asks_the_proof_too(capsys: Capsys) -> None:
    _, answer = run_json(capsys, "check")
    proven = [row["proven"] for row in answer["expectations"]]
    assert proven == [
        "reachable",
        "one way because no_return_route",
        "not reachable because bad_state_route",
        None,
        None,
    ]


def test_a_proof_that_differs_from_sending_is_our_bug(
    capsys: Capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from netsim.verify import reach

    monkeypatch.setattr(reach, "reason_of_return", lambda disposition: f"not_{disposition.symbol}")
    report = tmp_path / "out.xml"
    code, out, err = run(capsys, "check", "--junit", str(report))
    assert code == 70
    suite = ET.parse(report).getroot()  # noqa: S314 - our own output
    assert (suite.attrib["errors"], suite.attrib["failures"], len(suite.findall("*/error"))) == ("1", "2", 1)
    assert out.splitlines()[1:4] == [
        "BUG   job-1 -> db-1: reachable",
        "        sending   one way because no_return_route",
        "        proof     one way because not_no_route",
    ]
    assert err == "netsim: 1 of the answers differ between sending and proof (a bug of netsim, report it)\n"


def test_check_holds(tmp_path: Path, capsys: Capsys) -> None:
    file = tmp_path / "good.netsim.yaml"
    text = SHOP.read_text(encoding="utf-8")
    start = text.index("expect:")
    file.write_text(text[:start] + "expect:\n  - {from: web-1, to: db-1, reachable: true}\n", encoding="utf-8")
    assert main(["check", str(file)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ok    web-1 -> db-1: reachable\n1 expectation: 1 ok, 0 failed\n\n")
    assert out.endswith("\n2 errors, 2 warnings, 1 remark\n")
    file.write_text(text[:start], encoding="utf-8")
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().out.startswith("the file has no expectations\n")


@pytest.mark.parametrize(("fail_on", "code", "failed"), [(None, 0, []), ("error", 1, ["bad_state_route", "one_way"])])
def test_check_tells_findings_and_fails_if_asked_to(
    fail_on: str | None, code: int, failed: list[str], tmp_path: Path, capsys: Capsys
) -> None:
    file, report = tmp_path / "good.netsim.yaml", tmp_path / "out.xml"
    text = SHOP.read_text(encoding="utf-8")
    file.write_text(text[: text.index("expect:")], encoding="utf-8")
    words = ["check", str(file), "--json", "--junit", str(report), *(["--fail-on", fail_on] if fail_on else [])]
    assert main(words) == code
    answer = json.loads(capsys.readouterr().out)
    assert answer["summary"] == {"error": 2, "warning": 2, "info": 1}
    assert all(found["line"] and found["witness"] and found["fix"] for found in answer["findings"])
    suite = ET.parse(report).getroot()  # noqa: S314 - our own output
    assert sorted(case.attrib["name"] for case in suite if case.find("failure") is not None) == failed
    assert len(suite.findall("*/system-out")) == len({found["code"] for found in answer["findings"]}) - len(failed)


def test_unwritable_junit_is_known_before_the_run(capsys: Capsys) -> None:
    code, out, err = run(capsys, "check", "--junit", "/proc/x.xml")
    assert (code, out) == (2, "") or "can't be written" in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_as_processes(run_cli: RunCli) -> None:
    ping = run_cli("ping", "web-1", "db-1", "-c", "1", "-t", SHOP)
    assert (ping.code, ping.stderr) == (0, ""), ping
    assert ping.stdout.splitlines()[1] == "64 bytes from 10.1.0.20: icmp_seq=1 ttl=62 time=60.2 ms"
    assert run_cli("ping", "db-1", "vault-1", "-t", SHOP, "-q").code == 1
    assert run_cli("traceroute", "web-1", "db-1", "-t", SHOP).code == 0
    checked = run_cli("check", "-t", SHOP, "--json")
    assert checked.code == 1
    assert checked.json["holds"] is False
