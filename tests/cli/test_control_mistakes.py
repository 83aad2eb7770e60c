"""What control commands must refuse, in a line and with the right exit code: no server, no keys, no such thing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from netsim.cli.main import main
from tests.cli.test_control import START, Cloud, a_cloud
from tests.cli_process import ROOT

Capsys = pytest.CaptureFixture[str]
NOWHERE = "http://127.0.0.1:1"
KEYS = ("--access-key", "ak-acme", "--secret-key", "sk-hidden")
LIST = ("vpc", "list")


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An own folder and none of the caller's settings."""
    for name in [name for name in os.environ if name.startswith("NETSIM_") and name != "NETSIM_CACHE_DIR"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def said(capsys: Capsys, words: tuple[str, ...]) -> tuple[int, str]:
    """The exit code, and the one line on stderr; nothing is on stdout."""
    code = main(words)
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1, printed
    assert "hidden" not in printed.err and "Traceback" not in printed.err
    return code, printed.err.removeprefix("netsim: ")


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        ((*LIST, "--server", NOWHERE, *KEYS), 5, f"server {NOWHERE}: Connection refused"),
        ((*LIST, "--server", NOWHERE), 5, f"server {NOWHERE}: no keys to it: give --access-key"),
        ((*LIST, "--server", NOWHERE, *KEYS[:2]), 2, "vpc list: no secret key: --secret-key or NETSIM_SECRET_KEY"),
        ((*LIST, "--server", NOWHERE, *KEYS[2:]), 2, "vpc list: no access key"),
        ((*LIST, "--server", "here", *KEYS), 2, "server 'here' is no URL, expected like"),
        ((*LIST, "--server", "http://h:port", *KEYS), 2, "what is given as the server is no URL"),
        ((*LIST, "--server", "http://me:hidden@h", *KEYS), 2, "the URL of the server holds a user name"),
        ((*LIST, "--server", NOWHERE, "--access-key", "a", "--secret-key", "hidden\n"), 2, "the secret key holds"),
        ((*LIST, "--server", NOWHERE, "--credentials", "none.yaml"), 3, "none.yaml: can't be read"),
        ((*LIST, "--server", NOWHERE, "-t", "x.netsim.yaml"), 2, "vpc list: a file (-t) and a server (--server)"),
        ((*LIST, "--server", NOWHERE, *KEYS, "--timeout", "0"), 2, "vpc list: invalid value for '--timeout'"),
        (("clock", "show", "--server", NOWHERE), 5, f"server {NOWHERE}: no operator's token"),
        (("clock", "show", "--server", NOWHERE, "--operator-token", "none"), 2, "none: the operator's token can't be"),
        (("key", "list"), 2, "a file has no keys; --server URL or NETSIM_SERVER names a server"),
        (("clock", "advance", "7d", "-t", "x.netsim.yaml"), 2, "a file has no running clocks"),
        (("account", "disable", "x"), 2, "a file has no keys"),
        (("--server", NOWHERE, "reach", "a", "b"), 2, "reach: works on no server (--server)"),
        (("--server", NOWHERE, "peer", "show", "x", *KEYS), 5, f"server {NOWHERE}: Connection refused"),
        (("ping", "a", "b", "--server", NOWHERE, *KEYS, "--ttl", "3"), 2, "ping: --ttl, -M do and --with-traffic"),
        (("show", "traffic", "--server", NOWHERE, *KEYS), 2, "show: a server has no traffic"),
        (("vpc", "update", "x", "--server", NOWHERE, *KEYS), 2, "vpc update: nothing to change"),
        (("vpc", "delete", "x", "--server", NOWHERE, *KEYS), 2, "Delete the VPC x? --yes says so"),
        (("peer", "dns", "x", "maybe", "--server", NOWHERE, *KEYS), 2, "peer dns: invalid value"),
        (LIST, 2, "no topology file: there is no *.netsim.yaml here; name one with -t FILE, or a server with"),
    ],
)  # fmt: skip
def test_mistakes(words: tuple[str, ...], code: int, line: str, capsys: Capsys) -> None:
    got, err = said(capsys, words)
    assert (got, err[: len(line)]) == (code, line), err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("peer protect a-b on", "a file keeps no delete protection"),
        ("peer refund a-b", "a file keeps no payments"),
        ("peer renew a-b --months 3", "--months: a file keeps no periods"),
        ("vpc create x --cidr 10.1.0.0/16 --region bj", "which account? the file has 2; --account says it"),
        ("vpc create x --cidr 10.1.0.0/16 --account acme", "which region? the file has 0; --region says it"),
        ("peer list --role acceptor", "peer list: whose role?"),
    ],
)
def test_what_a_file_does_not_know(words: str, line: str, tmp_path: Path, capsys: Capsys) -> None:
    (tmp_path / "a.netsim.yaml").write_text(START)
    code, err = said(capsys, tuple(words.split()))
    assert code == 2 and err.startswith(line), err


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "keys.yaml: expected accounts"),
        ("accounts: [", "keys.yaml:1:12"),
        ("server: [x]\naccounts: []", "keys.yaml: server: expected a text"),
        ("server: http://127.0.0.1:1\nother: x\naccounts: []", "keys.yaml: expected accounts"),
        ("server: http://127.0.0.1:1\naccounts: []", f"server {NOWHERE}: no keys to it"),
        ("accounts: [{id: a, access_key: b, secret_key: c}, {id: d, access_key: e, secret_key: f}]", "which account?"),
        ("accounts: [{id: a, access_key: b, secret_key: hi dden}]", "keys.yaml  accounts[0].secret_key: expected 1.."),
    ],
)  # fmt: skip
def test_bad_files_of_credentials(content: str, line: str, tmp_path: Path, capsys: Capsys) -> None:
    from netsim.cli import server_access

    server_access._read_credentials.cache_clear()
    (tmp_path / "keys.yaml").write_text(content)
    code, err = said(capsys, (*LIST, "--server", NOWHERE, "--credentials", "keys.yaml"))
    assert code in (2, 3, 5) and err.startswith(line), err
    server_access._read_credentials.cache_clear()


def test_an_explicit_file_wins_over_the_environment(
    tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.netsim.yaml").write_text(START)
    monkeypatch.setenv("NETSIM_SERVER", NOWHERE)
    assert said(capsys, LIST)[0] == 5
    assert main((*LIST, "-t", "a.netsim.yaml", "--json")) == 0
    assert capsys.readouterr().out == "[]\n"
    assert main(("validate", "a.netsim.yaml")) == 0  # what knows no servers does not mind
    capsys.readouterr()


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections, and says nothing."""
    listening = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []

    def run() -> None:
        with suppress(OSError):
            while True:
                taken.append(listening.accept()[0])

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)
        for each in taken:
            each.close()


def test_a_silent_server_is_not_waited_for(capsys: Capsys) -> None:
    with silent_server() as url:
        started_s = time.monotonic()
        code, err = said(capsys, (*LIST, "--server", url, *KEYS, "--timeout", "0.3"))
        assert (code, err) == (5, f"server {url}: no answer within 0.3 s\n")
        assert time.monotonic() - started_s < 5


@pytest.mark.slow
def test_ctrl_c_ends_the_wait_without_a_word(tmp_path: Path) -> None:
    with silent_server() as url:
        command = [sys.executable, "-m", "netsim", *LIST, "--server", url, *KEYS]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(
            command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            time.sleep(1.5)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=10) == (b"", b"")
        assert process.returncode == 130


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with a_cloud(tmp_path_factory.mktemp("mistakes")) as made:
        yield made


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        ("vpc list --access-key ak-acme --secret-key hidden", 5, "SignatureDoesNotMatch"),
        ("vpc list --access-key nobody --secret-key hidden", 5, "InvalidAccessKeyId"),
        ("clock show --operator-token TOKEN", 5, "SignatureDoesNotMatch"),
        ("vpc list --account nobody", 2, "account 'nobody' is not in the file of credentials; --account accepts"),
        ("vpc list", 2, "which account? --account accepts acme, data-team"),
        ("vpc show nope --account acme", 4, 'netsim: vpc "nope": not found\n'),
        ("vpc create x --cidr 10.1.0.1/16 --region bj --account acme", 4, "10.1.0.1/16 has host bits set"),
        ("vpc create x --cidr 10.1.0.0/16 --region xx --account acme", 4, 'region "xx"'),
        ("subnet create s --vpc nope --cidr 10.1.0.0/24 --account acme", 4, 'vpc "nope": not found'),
        ("subnet list --vpc nope --account acme", 4, 'vpc "nope": not found'),
        ("instance create i --subnet nope/s --account acme", 4, 'vpc "nope": not found'),
        ("route delete rr-00000000 --yes --account acme", 4, 'route rule "rr-00000000": not found'),
        ("peer accept nope --account acme", 4, 'peer connection "nope": not found'),
        ("peer delete nope --with-routes --yes --account acme", 4, 'peer connection "nope": not found'),
        ("dns set a b --vpc nope --account acme", 4, 'vpc "nope": not found'),
        ("instance update nope --listen tcp/1 --account acme", 4, 'instance "nope": not found'),
        ("ping nope 10.0.0.1 --account acme", 4, 'instance "nope": not found'),
        ("account create sp/ace", 4, "accepted 1..64 letters"),
        ("account create sp/ace --dry-run", 2, "--dry-run"),
        ("key disable a/b?c", 4, "no such path"),
        ("clock step 3d", 4, "accepted 0..3600"),
    ],
)  # fmt: skip
def test_what_a_server_refuses(
    cloud: Cloud, words: str, code: int, line: str, capsys: Capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("not-it\n")
    monkeypatch.setenv("NETSIM_CREDENTIALS", str(cloud.folder / "keys.yaml"))
    got = main(words.replace("TOKEN", str(tmp_path / "token")).split())
    printed = capsys.readouterr()
    assert (got, printed.out, printed.err.count("\n")) == (code, "", 1), printed
    assert line in printed.err and "hidden" not in printed.err, printed


def test_show_lists_what_an_account_has(cloud: Cloud, capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETSIM_CREDENTIALS", str(cloud.folder / "keys.yaml"))
    monkeypatch.setenv("NETSIM_ACCOUNT", "data-team")
    assert main(["vpc", "create", "here", "--cidr", "10.1.0.0/16", "--region", "gz", "-q"]) == 0
    capsys.readouterr()
    assert main(["show"]) == 0
    assert capsys.readouterr().out.startswith(f"{cloud.url}\n\nvpcs (1)\n  NAME")
    assert main(["show", "vpcs", "--format", "csv"]) == 0
    assert "\nhere,data-team,gz,10.1.0.0/16," in capsys.readouterr().out
    monkeypatch.setenv("NETSIM_ACCOUNT", "acme")
    assert main(["show", "vpcs", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"
