"""`netsim serve` as a process: it says where it is, answers, and ends gracefully."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from baidubce.auth.bce_credentials import BceCredentials
from baidubce.bce_client_configuration import BceClientConfiguration
from baidubce.services.vpc.vpc_client import VpcClient

from tests.cli_process import ROOT, RunCli

TOPOLOGY = ROOT / "topologies" / "cross-account-cross-region.netsim.yaml"
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # the SDK leaves its sockets to the garbage collector
]


class Running:
    """A server process that is ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.said: list[str] = []
        for line in process.stdout:
            self.said.append(line.strip())
            if match := re.fullmatch(r"serving on http://127\.0\.0\.1:(\d+) .*", line.strip()):
                self.port = int(match[1])
                return
        process.wait(10)
        assert process.stderr is not None
        pytest.fail(f"it never was ready: {self.said} {process.stderr.read()}")

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - http, written above
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def keys(self) -> dict[str, tuple[str, str]]:
        found = [re.fullmatch(r"account (\S+): access key (\S+), secret key (\S+)", line) for line in self.said]
        return {match[1]: (match[2], match[3]) for match in found if match}

    def vpcs(self, access_key: str, secret_key: str, region: str = "bj") -> list[str]:
        config = BceClientConfiguration(
            BceCredentials(access_key, secret_key), f"bcc.{region}.baidubce.com",
            proxy_host="127.0.0.1", proxy_port=self.port,
        )  # fmt: skip
        return [vpc.name for vpc in VpcClient(config).list_vpcs().vpcs]

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(15)


@contextmanager
def serving(*args: str | Path) -> Iterator[Running]:
    command = [sys.executable, "-m", "netsim", "serve", "--port", "0", *map(str, args)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                process.kill()


def test_a_file_is_served_to_the_sdk(tmp_path: Path) -> None:
    with serving(TOPOLOGY, "--db", tmp_path / "cloud.db") as server:
        keys = server.keys()
        assert set(keys) == {"acme", "data-team"}
        assert server.vpcs(*keys["acme"]) == ["shop"]
        assert json.loads(server.get("/healthz")[1])["status"] == "ok"
        assert server.end() == 0
    with serving("--db", tmp_path / "cloud.db") as again:
        assert again.keys() == {}  # they are shown once
        assert again.vpcs(*keys["acme"]) == ["shop"]
        assert again.end(signal.SIGTERM) == 0


def test_accounts_come_from_a_file(tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.yaml"
    accounts.write_text("accounts:\n- {id: acme, access_key: ak1, secret_key: sk1}\n")
    with serving("--accounts", accounts) as server:
        assert server.keys() == {}
        assert server.vpcs("ak1", "sk1") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("accounts: [", "accounts.yaml:1:12"),
        ("accounts: []", "expected accounts: [{id"),
        ("accounts: [{id: a, access_key: b}]", "accounts[0]: expected exactly id, access_key, secret_key"),
        ("accounts: [{id: a, access_key: b/c, secret_key: hidden}]", "accounts[0].access_key: expected 1..128"),
        ("accounts: [&a {id: a, access_key: b, secret_key: hidden}, *a]", "aliases are not accepted"),
        ("[" * 100_000, "accounts.yaml"),
    ],
)
def test_a_bad_accounts_file_is_refused_in_words_without_secrets(
    tmp_path: Path, run_cli: RunCli, content: str, message: str
) -> None:
    (tmp_path / "accounts.yaml").write_text(content)
    result = run_cli("serve", "--port", "0", "--accounts", tmp_path / "accounts.yaml")
    assert result.code == 3, result
    assert message in result.stderr and "hidden" not in result.stderr and "Traceback" not in result.stderr, result


def test_a_second_server_on_the_same_database_is_refused(tmp_path: Path, run_cli: RunCli) -> None:
    with serving("--db", tmp_path / "cloud.db") as server:
        result = run_cli("serve", "--port", "0", "--db", tmp_path / "cloud.db")
        assert result.code == 5
        assert f"another server uses this file (process {server.process.pid})" in result.stderr


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("--host", "192.0.2.1"), 5, "can't listen on 192.0.2.1"),
        (("--port", "70000"), 2, "70000"),
        (("--region", "xx"), 2, "accepted bj"),
        (("--speed", "-1"), 2, "speed is -1"),
        (("--db", "/no/such/folder/x.db"), 5, "can't be opened"),
        (("missing.netsim.yaml",), 3, "missing.netsim.yaml"),
    ],
)
def test_what_can_not_be_is_said_in_a_line(run_cli: RunCli, args: tuple[str, ...], code: int, message: str) -> None:
    result = run_cli("serve", *(args if "--port" in args else ("--port", "0", *args)))
    assert result.code == code and message in result.stderr and "Traceback" not in result.stderr, result


def test_unsigned_pages_are_for_this_machine(tmp_path: Path) -> None:
    del tmp_path
    with serving() as server:
        assert "netsim_packets_injected_total" in server.get("/metrics")[1]
        assert server.get("/metrics", Host="rebound.example")[0] == 403
        assert server.get("/healthz", Origin="http://page.example")[0] == 403
        status, body = server.get("/v1/vpc")
        assert (status, json.loads(body)["code"]) == (400, "InvalidHTTPAuthHeader")


def test_logs_are_json_without_secrets() -> None:
    with serving() as server:
        (access_key, secret_key), *_ = server.keys().values()
        server.vpcs(access_key, secret_key)
        server.end()
        assert server.process.stderr is not None
        lines = server.process.stderr.read().splitlines()
    requests = [json.loads(line) for line in lines if line.startswith("{")]
    assert requests[-1]["operation"] == "GET /v1/vpc" and requests[-1]["status"] == 200
    assert secret_key not in "".join(lines) and "bce-auth" not in "".join(lines)


def test_a_database_is_checked(tmp_path: Path, run_cli: RunCli) -> None:
    path = tmp_path / "cloud.db"
    with serving(TOPOLOGY, "--db", path) as server:
        assert run_cli("db", "check", path).code == 5  # in use
        server.end()
    assert run_cli("db", "check", path).stdout == f"{path}: ok\n"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE change SET edits = replace(edits, 'shop', 'shop2') WHERE version = 1")
        connection.execute("INSERT INTO change VALUES (7, 0, NULL, '[]')")
    broken = run_cli("db", "check", path, "--json")
    assert broken.code == 1 and "missing" in broken.json["problems"][0]
    assert run_cli("db", "check", tmp_path / "none.db").code == 5
