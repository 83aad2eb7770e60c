"""`netsim dig` as a process: dig's lines, its options, its exit codes."""

from __future__ import annotations

import re
from pathlib import Path

import dns.message
import pytest

from tests.cli_process import RunCli

FILE = """\
netsim: 1
name: names
accounts: [{id: acme}, {id: data-team}]
vpcs:
  - name: shop
    account: acme
    region: bj
    cidr: 192.168.0.0/16
    subnets: [{name: web, cidr: 192.168.0.0/24}]
    instances: [{name: web-1, subnet: web, ip: 192.168.0.10}, {name: web-2, subnet: web, ip: 192.168.0.11}]
    routes: [{source: 0.0.0.0/0, destination: 10.1.0.0/16, next_hop: int-1}]
    dns: [{name: www.shop.local, a: 192.168.0.10}]
  - name: data
    account: data-team
    region: gz
    cidr: 10.1.0.0/16
    subnets: [{name: db, cidr: 10.1.0.0/24}]
    instances: [{name: db-1, subnet: db, ip: 10.1.0.20, listen: [udp/53]}]
    routes: [{source: 0.0.0.0/0, destination: 192.168.0.0/16, next_hop: int-2}]
    dns: [{name: db.data.local, a: 10.1.0.20}]
peer_connections:
  - name: shop-data
    local: {vpc: shop, interface: int-1}
    peer: {vpc: data, interface: int-2}
    bandwidth_mbps: 100
    latency_ms: 20
    dns_sync: {local: true, peer: true}
"""


@pytest.fixture(autouse=True)
def file(tmp_path: Path) -> Path:
    path = tmp_path / "names.netsim.yaml"
    path.write_text(FILE)
    return path


def test_the_lines_are_digs(run_cli: RunCli) -> None:
    done = run_cli("dig", "web-1", "db.data.local")
    assert (done.code, done.stderr) == (0, "")
    ident = re.search(r"id: (\d+)\n", done.stdout)
    assert ident is not None
    version = run_cli("--version").stdout.split()[1]
    assert done.stdout == (
        f"\n; <<>> netsim dig {version} <<>> db.data.local\n"
        ";; global options: +cmd\n"
        ";; Got answer:\n"
        f";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: {ident[1]}\n"
        ";; flags: qr aa rd ra; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1\n"
        "\n"
        ";; OPT PSEUDOSECTION:\n"
        "; EDNS: version: 0, flags:; udp: 1232\n"
        ";; QUESTION SECTION:\n"
        ";db.data.local.\t\t\tIN\tA\n"
        "\n"
        ";; ANSWER SECTION:\n"
        "db.data.local.\t\t60\tIN\tA\t10.1.0.20\n"
        "\n"
        ";; Query time: 0 msec\n"
        ";; SERVER: 192.168.0.2#53(192.168.0.2) (UDP)\n"
        ";; WHEN: Thu Jan 01 00:00:00 UTC 2026\n"
        ";; MSG SIZE  rcvd: 58\n"
        "\n"
    )
    assert run_cli("dig", "web-1", "db.data.local").stdout == done.stdout


def test_no_such_name_is_an_answer(run_cli: RunCli) -> None:
    done = run_cli("dig", "web-1", "nowhere.local")
    assert done.code == 0
    assert "status: NXDOMAIN" in done.stdout and "ANSWER: 0, AUTHORITY: 1" in done.stdout
    assert "\n.\t\t\t60\tIN\tSOA\tlocalhost. nobody.invalid. " in done.stdout


def test_short_is_the_data_alone(run_cli: RunCli) -> None:
    assert run_cli("dig", "web-1", "db.data.local", "+short").stdout == "10.1.0.20\n"
    assert run_cli("dig", "web-1", "--short", "-x", "10.1.0.20").stdout == "db-1.data.internal.\n"
    nothing = run_cli("dig", "web-1", "nowhere.local", "+short")
    assert (nothing.code, nothing.stdout, nothing.stderr) == (0, "", "")


def test_a_resolver_elsewhere_refuses_after_the_time_of_the_way(run_cli: RunCli) -> None:
    done = run_cli("dig", "web-1", "@10.1.0.2", "db.data.local", "+noedns")
    assert done.code == 0
    assert "status: REFUSED" in done.stdout and "EDNS" not in done.stdout
    assert ";; Query time: 40 msec\n;; SERVER: 10.1.0.2#53(10.1.0.2) (UDP)\n" in done.stdout


def test_the_json_has_the_very_bytes(run_cli: RunCli) -> None:
    done = run_cli("dig", "web-1", "www.shop.local", "a", "--json")
    found = done.json
    answer = dns.message.from_wire(bytes.fromhex(found["answer_hex"]))
    assert dns.message.from_wire(bytes.fromhex(found["query_hex"])).is_response(answer)
    assert found["size_bytes"] * 2 == len(found["answer_hex"])
    assert found["answers"] == [
        {"name": "www.shop.local.", "ttl": 60, "class": "IN", "type": "A", "data": "192.168.0.10"}
    ]
    assert {key: found[key] for key in ("from", "name", "type", "class", "server", "status", "transport")} == {
        "from": "web-1", "name": "www.shop.local", "type": "A", "class": "IN", "server": "192.168.0.2",
        "status": "NOERROR", "transport": "udp",
    }  # fmt: skip
    assert (found["failures"], found["authority"]) == ([], [])
    assert 0.1 < found["query_time_ms"] < 0.101


def test_tcp_when_asked_for_and_when_the_answer_is_too_long(run_cli: RunCli, file: Path) -> None:
    for word in ("+tcp", "+vc", "--tcp"):
        assert "(TCP)\n" in run_cli("dig", "web-1", "db.data.local", word).stdout
    records = "".join(f"      - {{name: name-{k}.shop.local, a: 192.168.0.99}}\n" for k in range(60))
    file.write_text(FILE.replace("    dns: [{name: www.shop.local, a: 192.168.0.10}]\n", f"    dns:\n{records}"))
    done = run_cli("dig", "web-1", "-x", "192.168.0.99")
    assert done.stdout.startswith(";; Truncated, retrying in TCP mode.\n\n; <<>>") and "ANSWER: 60," in done.stdout
    ignored = run_cli("dig", "web-1", "-x", "192.168.0.99", "+ignore").stdout
    assert ";; flags: qr aa tc rd ra;" in ignored and "ANSWER: 0," in ignored and "(UDP)" in ignored
    as_json = run_cli("dig", "web-1", "-x", "192.168.0.99", "--json").json
    assert (as_json["transport"], as_json["was_truncated"], len(as_json["answers"])) == ("tcp", True, 60)


@pytest.mark.parametrize(("server", "failure"), [("db-1", "timed out"), ("web-2", "connection refused")])
def test_nobody_who_answers_is_exit_1(run_cli: RunCli, server: str, failure: str) -> None:
    done = run_cli("dig", "web-1", "a", f"@{server}", "+tries=2", "+time=1")
    addr = {"db-1": "10.1.0.20", "web-2": "192.168.0.11"}[server]
    assert done.code == 1
    assert done.stdout.startswith(f";; communications error to {addr}#53: {failure}\n" * 2 + "\n; <<>>")
    assert done.stdout.endswith(";; no servers could be reached\n")
    as_json = run_cli("dig", "web-1", "a", f"@{server}", "+retry=0", "--timeout", "250ms", "--json")
    assert (as_json.code, as_json.json["status"], as_json.json["failures"]) == (1, None, [failure])
    assert as_json.stderr == f"netsim: no answer from {addr}: {failure}\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "no NAME"),
        (("a", "b"), 2, '"b" is no record type'),
        (("a", "A", "PTR"), 2, '"PTR" is no record type'),
        (("a", "+shrot"), 2, "did you mean +short?"),
        (("a", "+tries=0"), 2, "accepted +tries=1..100"),
        (("a", "+time"), 2, "accepted +time=1..1000000"),
        (("a", "+bufsize=65536"), 2, "accepted +bufsize=0..65535"),
        (("a..b",), 4, "is no domain name"),
        (("-x", "10.1"), 4, "is not an IPv4 address"),
        (("a", "@db-9"), 4, '"db-9": not found'),
    ],
)
def test_slips_are_one_line(run_cli: RunCli, words: tuple[str, ...], code: int, message: str) -> None:
    done = run_cli("dig", "web-1", *words)
    assert (done.code, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert message in done.stderr


def test_a_name_cannot_command_a_terminal(run_cli: RunCli) -> None:
    for name in ("a\x1b[31m.b", "a\tb", "\u202ea"):
        done = run_cli("dig", "web-1", name)
        assert "\x1b" not in done.stdout + done.stderr and "Traceback" not in done.stderr
        assert done.code in {0, 4}


def test_ping_takes_names_of_the_resolver(run_cli: RunCli, file: Path) -> None:
    done = run_cli("ping", "web-1", "db.data.local", "-c", "1")
    assert done.code == 0
    assert done.stdout.startswith("PING db.data.local (10.1.0.20) 56(84) bytes of data.\n")
    assert run_cli("traceroute", "web-1", "db-1.data.internal").code == 0
    file.write_text(FILE.replace("peer: true}", "peer: false}"))
    done = run_cli("ping", "web-1", "db.data.local", "-c", "1")
    assert (done.code, done.stdout) == (4, "")
    assert "the resolver 192.168.0.2 says NXDOMAIN" in done.stderr
