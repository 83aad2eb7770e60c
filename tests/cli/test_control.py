"""Control commands as processes, on a file and on a running server: the same words do the same in both."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli.test_serve import Running, serving
from tests.cli_process import CliResult, run_netsim

ACCOUNTS = ("acme", "data-team")
START = """\
# What both begin with: two accounts.
netsim: 1
name: start
accounts: [{id: acme}, {id: data-team}]   # nothing else
"""
ID = re.compile(r"\b(vpc|sbn|i|rr|rt|peerconn|qpif)-[0-9a-hjkmnp-tv-z]{8,12}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

Run = Callable[..., CliResult]


class Cloud(NamedTuple):
    """A server process, and a way to run commands on it."""

    server: Running
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def run(self, *words: str, env: dict[str, str] | None = None, **more: Any) -> CliResult:
        """A command with the server's credentials in its environment."""
        settings = {"NETSIM_CREDENTIALS": str(self.folder / "keys.yaml"), **(env or {})}
        return run_netsim(*words, stdin="", cwd=self.folder, env=settings, **more)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with a_cloud(tmp_path_factory.mktemp("cloud")) as made:
        yield made


@contextmanager
def a_cloud(folder: Path) -> Iterator[Cloud]:
    """A server of two accounts, with its files in a folder."""
    accounts = "\n".join(f"- {{id: {name}, access_key: ak-{name}, secret_key: sk-{name}}}" for name in ACCOUNTS)
    (folder / "accounts.yaml").write_text(f"accounts:\n{accounts}\n")
    args = ("--accounts", folder / "accounts.yaml", "--credentials", folder / "keys.yaml", "--db", folder / "c.db")
    with serving("-q", *args) as server:  # nobody reads its log: a full pipe would stop it
        yield Cloud(server, folder)


def plain(said: Any) -> Any:
    """Without what differs from one network to the other: ids and times."""
    return json.loads(TIME.sub("TIME", ID.sub(r"\1", json.dumps(said))))


SCRIPT = """\
acme       vpc create shop --cidr 192.168.0.0/16 --region bj --description the-shop
acme       vpc create spare --cidr 10.5.0.0/16 --region bj
data-team  vpc create data --cidr 10.1.0.0/16 --region gz
acme       vpc update shop --relay on --description where-people-buy
acme       vpc update spare --name other
acme       vpc show shop
acme       vpc list --region bj
acme       subnet create web --vpc shop --cidr 192.168.0.0/24
acme       subnet create jobs --vpc shop --cidr 192.168.1.0/24 --zone cn-bj-b
acme       subnet create tmp --vpc shop --cidr 192.168.2.0/24
data-team  subnet create db --vpc data --cidr 10.1.0.0/24
acme       subnet update shop/tmp --name old
acme       subnet show shop/old
acme       subnet delete shop/old --yes
acme       subnet list --vpc shop
acme       instance create web-1 --subnet shop/web --ip 192.168.0.10 --listen tcp/80
acme       instance create web-2 --subnet shop/web --nic-mbps 100
data-team  instance create db-1 --subnet data/db --ip 10.1.0.20
acme       instance update web-1 --listen tcp/443
acme       instance show web-1
acme       instance delete shop/web-2 --yes
acme       instance list
acme       peer create shop-data --local shop --peer {data} --peer-account data-team --bandwidth 9 --local-interface i1
acme       peer create twice --local shop --peer {data} --peer-account data-team --bandwidth 100
acme       peer applications
data-team  peer applications
data-team  peer list --role acceptor --state consulting
acme       peer list --role acceptor
acme       peer accept shop-data
data-team  peer accept shop-data
data-team  peer update shop-data --peer-interface i2
data-team  peer update shop-data --local-interface i9
acme       peer update shop-data --name link
acme       peer resize link --bandwidth 200
data-team  peer resize link --bandwidth 300
acme       peer dns link on
data-team  peer dns link on
data-team  peer show link
acme       route create --vpc shop --source 192.168.0.0/24 --destination 10.1.0.0/16 --next-hop i1
acme       route create --vpc shop --destination 10.9.0.0/16 --next-hop blackhole --description nowhere
data-team  route create --vpc data --destination 192.168.0.0/16 --next-hop i2
data-team  route create --vpc data --destination 10.1.2.0/24 --next-hop i2
acme       route update --vpc shop --destination 10.9.0.0/16 --next-hop gateway:nat
acme       route list --vpc shop
acme       route delete --vpc shop --destination 10.9.0.0/16 --yes
acme       dns set shop.local 192.168.0.9 --vpc shop
acme       dns set Shop.local. 192.168.0.10 --vpc shop
acme       dns set old.local 192.168.0.10 --vpc shop
acme       dns delete old.local --vpc shop --yes
acme       dns delete old.local --vpc shop --yes
acme       dns list --vpc shop
acme       quota list
data-team  quota list --vpc data
acme       quota list --vpc data
acme       vpc show data
acme       vpc delete shop --yes
acme       vpc delete other --yes
acme       peer create tmp --local shop --peer shop --bandwidth 5
data-team  peer delete link --yes
acme       peer delete link --with-routes --yes
acme       route list
data-team  route delete --vpc data --destination 192.168.0.0/16 --yes
data-team  route list
data-team  peer list
"""
WRITES = {"create", "update", "set", "delete", "accept", "resize", "dns"}


@pytest.mark.slow
def test_the_same_words_do_the_same_on_a_file_and_on_a_server(tmp_path: Path) -> None:
    """Line by line: exit codes, refusals and rows are equal, but for ids and times."""
    with a_cloud(tmp_path) as cloud:
        compare(cloud, tmp_path)


def compare(cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "start.netsim.yaml"
    file.write_text(START)

    def on_file(*words: str) -> CliResult:
        return run_netsim(*words, "-t", file, stdin="", cwd=tmp_path)

    def vpc_id(run: Run, name: str) -> str:
        return str(run("vpc", "show", name, "--json", "--account", "data-team").json["id"])

    n_refused = 0
    for line in SCRIPT.splitlines():
        account, *words = line.split()
        results = []
        for run in (on_file, cloud.run):
            filled = [word if word != "{data}" else vpc_id(run, "data") for word in words]
            results.append(run(*filled, "--account", account, "--json"))
        on, at = results
        assert on.code == at.code, (line, str(on), str(at))
        if on.code:
            n_refused += 1
            assert on.code == 4 and plain(on.stderr) == plain(at.stderr) and on.stderr.count("\n") == 1, (line, on, at)
            continue
        is_write = words[1] in WRITES
        one, other = (result.json["result"] if is_write else result.json for result in results)
        assert plain(one) == plain(other), line
        assert one is None if words[1] == "delete" else one is not None, line
        if is_write:
            assert on.json["written"] and at.json["written"] and on.json["diff"], line
            assert at.stderr == "netsim: changed on the server\n"
    assert n_refused == 11
    assert "# nothing else" in file.read_text() and file.read_text().startswith(START.splitlines()[0])


@pytest.mark.slow
def test_a_life_between_two_accounts(cloud: Cloud) -> None:
    """From the request to a ping that comes back, to the end; by names, each account with its own keys."""

    def run(account: str, line: str, code: int = 0) -> CliResult:
        result = cloud.run(*line.split(), "--account", account)
        assert result.code == code, f"{line}\n{result}"
        return result

    for account, name, cidr in (("acme", "west", "172.16.0.0/16"), ("data-team", "east", "172.17.0.0/16")):
        run(account, f"vpc create {name} --cidr {cidr} --region bj")
        run(account, f"subnet create s --vpc {name} --cidr {cidr.replace('/16', '/24')}")
        run(account, f"instance create {name}-1 --subnet {name}/s --ip {cidr.replace('.0.0/16', '.0.10')}")
    east = json.loads(run("data-team", "vpc show east --json").stdout)["id"]
    run(
        "acme",
        f"peer create w-e --local west --peer {east} --peer-account data-team --bandwidth 10 --local-interface w",
    )
    (asked,) = json.loads(run("data-team", "peer applications --json").stdout)
    assert (asked["local_account"], asked["bandwidth_mbps"], asked["role"]) == ("acme", 10, "acceptor")
    run("data-team", f"peer accept {asked['id']}")
    run("data-team", "peer update w-e --peer-interface e")
    run("acme", "route create --vpc west --destination 172.17.0.0/16 --next-hop w")
    lost = run("acme", "ping west-1 172.17.0.10 -c 2 -i 0.05", code=1)
    assert "100% packet loss" in lost.stdout
    run("data-team", "route create --vpc east --destination 172.16.0.0/16 --next-hop e")
    answered = run("acme", "ping west-1 172.17.0.10 -c 3 -i 0.05")
    assert "3 packets transmitted, 3 received, 0% packet loss" in answered.stdout
    run("data-team", "peer delete w-e --yes", code=4)
    run("acme", "peer protect w-e on")
    assert "delete protection is on" in run("acme", "peer delete w-e --yes", code=4).stderr
    run("acme", "peer protect w-e off")
    run("acme", "peer delete w-e --yes")
    (rule,) = [r for r in json.loads(run("acme", "route list --vpc west --json").stdout) if r["kind"] == "custom"]
    assert rule["next_hop"].endswith("(gone)")
    run("acme", f"route delete {rule['id']} --yes")


@pytest.mark.slow
def test_seven_days_in_a_moment(cloud: Cloud) -> None:
    for account, name, cidr in (("acme", "north", "172.20.0.0/16"), ("data-team", "south", "172.21.0.0/16")):
        words = ("vpc", "create", name, "--cidr", cidr, "--region", "su", "--account", account)
        assert cloud.run(*words).code == 0
    south = cloud.run("vpc", "show", "south", "--account", "data-team", "--json").json["id"]
    ask = ("peer", "create", "n-s", "--local", "north", "--peer", south, "--peer-account", "data-team")
    assert cloud.run(*ask, "--bandwidth", "5", "--account", "acme").code == 0

    def state() -> str:
        return str(cloud.run("peer", "show", "n-s", "--account", "acme", "--json").json["state"])

    assert cloud.run("clock", "advance", "6d").code == 0
    assert state() == "consulting"
    before = cloud.run("clock", "show", "--json").json
    after = cloud.run("clock", "advance", "1d", "--json").json
    assert after["control_time"] > before["control_time"]
    assert state() == "consult_failed"
    assert cloud.run("peer", "accept", "n-s", "--account", "data-team").code == 4
    assert cloud.run("peer", "delete", "n-s", "--account", "acme", "--yes").code == 0


@pytest.mark.slow
def test_the_clock_is_paused_stepped_and_set(cloud: Cloud) -> None:
    def clock(*words: str) -> dict[str, Any]:
        result = cloud.run("clock", *words, "--json")
        assert result.code == 0, result
        found: dict[str, Any] = result.json
        return found

    paused = clock("pause")
    assert paused["speed"] == 0
    time.sleep(0.2)
    assert clock("show")["packet_time_s"] == paused["packet_time_s"]
    assert clock("step", "90s")["packet_time_s"] == pytest.approx(paused["packet_time_s"] + 90)
    assert clock("set", "--speed", "2.5")["speed"] == 2.5
    assert clock("resume")["speed"] == 1
    assert re.fullmatch(r"control \S+Z, packets at [\d.]+ s, speed 1\n", cloud.run("clock", "show").stdout)
    for words in (["advance", "-1s"], ["advance", "soon"], ["set", "--speed", "fast"], ["set"]):
        assert cloud.run("clock", *words).code == 2, words
    for words in (["set", "--speed", "-1"], ["set", "--speed", "1e9"], ["step", "2d"], ["advance", "90000d"]):
        refused = cloud.run("clock", *words)
        assert refused.code in (2, 4) and refused.stderr.count("\n") == 1, (words, refused)


@pytest.mark.slow
def test_accounts_and_keys_come_and_go(cloud: Cloud) -> None:
    made = cloud.run("account", "create", "third", "--json").json[0]
    mine = {"NETSIM_ACCESS_KEY": made["access_key"], "NETSIM_SECRET_KEY": made["secret_key"]}
    assert cloud.run("vpc", "list", "--json", env=mine).json == []
    (listed,) = [each for each in cloud.run("account", "list", "--json").json if each["id"] == "third"]
    assert listed == {"id": "third", "vpcs": 0, "access_keys": [made["access_key"]]}
    second = cloud.run("key", "create", "third", "--json").json[0]
    keys = cloud.run("key", "list", "--account", "third", "--json").json
    assert {key["access_key"]: key["status"] for key in keys} == {
        made["access_key"]: "enabled", second["access_key"]: "enabled",
    }  # fmt: skip
    assert made["secret_key"] not in str(keys)

    def lets_in() -> bool:
        result = cloud.run("vpc", "list", env=mine)
        assert result.code in (0, 5), result
        assert result.code == 0 or "InvalidAccessKeyId" in result.stderr
        assert made["secret_key"] not in result.stderr
        return result.code == 0

    assert cloud.run("key", "disable", made["access_key"]).code == 0
    assert not lets_in()
    assert cloud.run("key", "enable", made["access_key"]).code == 0
    assert lets_in()
    assert cloud.run("account", "disable", "third", "--yes").code == 0
    assert not lets_in()
    assert cloud.run("key", "delete", second["access_key"], "--yes").code == 0
    assert cloud.run("key", "delete", second["access_key"], "--yes").code == 4
    assert cloud.run("account", "create", "third").code == 4
    assert cloud.run("key", "create", "nobody").code == 4
    assert cloud.run("key", "delete", made["access_key"]).code == 2  # nobody is there to be asked


@pytest.mark.slow
def test_a_dry_run_changes_nothing(cloud: Cloud) -> None:
    words = ("vpc", "create", "dry", "--cidr", "172.30.0.0/16", "--account", "acme", "--dry-run")
    shown = cloud.run(*words, "--json")
    assert (shown.json["written"], shown.json["result"]["name"]) == (False, "dry")
    table = cloud.run(*words)
    assert table.stdout.splitlines()[1].split()[:4] == ["dry", "acme", "bj", "172.30.0.0/16"]
    assert "nothing was changed" in table.stderr
    assert cloud.run("vpc", "show", "dry", "--account", "acme").code == 4


def test_the_file_of_credentials_is_for_its_owner_alone(cloud: Cloud) -> None:
    path = cloud.folder / "keys.yaml"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not [line for line in cloud.server.said if "secret" in line]


@pytest.mark.slow
def test_what_is_paid_in_advance_and_what_is_rejected(cloud: Cloud) -> None:
    def run(line: str, code: int = 0, account: str = "acme") -> CliResult:
        result = cloud.run(*line.split(), "--account", account, "--json")
        assert result.code == code, f"{line}\n{result}"
        return result

    run("vpc create left --cidr 172.22.0.0/16 --region cd")
    run("vpc create right --cidr 172.23.0.0/16 --region yq")
    run("vpc create third --cidr 172.24.0.0/16 --region yq", account="data-team")
    ask = "peer create l-r --local left --peer right --bandwidth 5 --payment prepaid"
    first = run(f"{ask} --months 3").json["result"]
    later = run("peer renew l-r --months 2").json["result"]
    assert later["expires_at"] > first["expires_at"] and later["payment"] == "prepaid"
    assert "submit a ticket" in run("peer delete l-r --yes", 4).stderr
    assert run("peer refund l-r --yes").json["result"] is None
    run("peer refund l-r --yes", 4)
    third = run("vpc show third", account="data-team").json["id"]
    run(f"peer create l-t --local left --peer {third} --peer-account data-team --bandwidth 5")
    run("peer reject l-t", 4)
    run("peer update l-t --description no --side peer", account="data-team")
    rejected = run("peer reject l-t", account="data-team").json["result"]
    assert (rejected["state"], rejected["peer_description"]) == ("consult_failed", "no")
    assert run("peer list --state consult_failed --role initiator").json[0]["name"] == "l-t"
    run("peer delete l-t --yes")
