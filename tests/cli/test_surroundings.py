"""Commands in odd places: other locales, odd paths, no home, nobody reading, Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli_process import ROOT, RunCli

pytestmark = pytest.mark.slow

TWO_VPCS = ROOT / "topologies" / "two-vpcs-one-account.netsim.yaml"
ASCII = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "LANG": "C"}


def shell(line: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which $NETSIM is the command."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHONUTF8": "1", **(env or {})}
    environment["NETSIM"] = f"{sys.executable} -m netsim"
    return subprocess.run(
        ["bash", "-c", line], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_spaces_and_chinese_in_paths_and_names(tmp_path: Path, run_cli: RunCli) -> None:
    folder = tmp_path / "我的 网络"
    folder.mkdir()
    text = TWO_VPCS.read_text().replace("web-1", "前端 1")
    (folder / "商店.netsim.yaml").write_text(text, encoding="utf-8")
    shown = run_cli("show", "instances", cwd=folder)
    assert shown.code == 0, shown
    # Wide characters take two columns: the columns behind still line up.
    starts = {line.index(match[0]) for line in shown.stdout.splitlines()[1:] if (match := re.search(r"\S+$", line))}
    assert "前端 1" in shown.stdout
    assert len(starts) <= 2
    ping = run_cli("ping", "前端 1", "db-1", "-c", "1", cwd=folder)
    assert ping.code == 0, ping
    out = run_cli("graph", "-o", "图 1.svg", cwd=folder)
    assert out.stderr == "netsim: wrote 图 1.svg\n"
    assert "前端 1" in (folder / "图 1.svg").read_text(encoding="utf-8")


def test_an_ascii_terminal_gets_ascii(tmp_path: Path) -> None:
    """PEP 538 would make the C locale UTF-8; a terminal that is set to ASCII for real must work as well."""
    (tmp_path / "a.netsim.yaml").write_text(TWO_VPCS.read_text().replace("web-1", "前端"), encoding="utf-8")
    done = shell("$NETSIM run --duration 1; $NETSIM show instances; $NETSIM show instances --json", tmp_path, ASCII)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.isascii()
    assert "\\u524d\\u7aef" in done.stdout
    summary = done.stdout.split("TO THE CAP")[1].splitlines()
    assert re.search(r"[._:=+*#-]$", summary[1])


def test_no_home_and_nowhere_to_write(run_cli: RunCli) -> None:
    """/proc can't be written to, not even by root."""
    ping = run_cli("ping", "web-1", "db-1", "-c", "1", "-t", TWO_VPCS, cwd=Path("/proc"), env={"HOME": "/nonexistent"})
    assert ping.code == 0, ping
    sent = run_cli(
        "send",
        "IP(dst='db-1')/ICMP()",
        "--from",
        "web-1",
        "-t",
        TWO_VPCS,
        cwd=Path("/proc"),
        env={"HOME": "/nonexistent"},
    )
    assert (sent.code, sent.stderr) == (0, ""), sent
    written = run_cli("new", "-o", "a.netsim.yaml", cwd=Path("/proc"))
    assert written.code == 2
    assert re.fullmatch(r"netsim: a\.netsim\.yaml: can't be written: .+\n", written.stderr)


def test_a_folder_that_was_deleted(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = shell(f"rmdir '{gone}'; $NETSIM show", gone)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("netsim:")]) == 1


@pytest.mark.parametrize("command", ["show", "run --json --duration 2", "new --template mesh:60"])
def test_a_reader_that_leaves_early_is_no_error(command: str, tmp_path: Path) -> None:
    """The last prints more than a pipe holds (64 KiB): its writer is still writing."""
    option = "" if command.startswith("new") else f"-t '{TWO_VPCS}'"
    done = shell(f"$NETSIM {command} {option} | head -c 1; exit ${{PIPESTATUS[0]}}", tmp_path)
    assert done.stderr == ""
    assert done.returncode in (0, 141)


def test_a_closed_and_a_full_stdout(tmp_path: Path) -> None:
    closed = shell(f"$NETSIM show vpcs -t '{TWO_VPCS}' >&-", tmp_path)
    assert (closed.returncode, closed.stderr) == (0, "")
    for command in (f"show -t '{TWO_VPCS}'", "explain"):
        full = shell(f"$NETSIM {command} >/dev/full", tmp_path)
        assert full.returncode == 6
        assert full.stderr == "netsim: stdout: can't be written: No space left on device\n"


@pytest.mark.parametrize("moment", ["starting", "running"])
def test_ctrl_c_ends_quietly_and_leaves_no_half_files(moment: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "netsim", "run", str(TWO_VPCS), "--duration", "100000", "--out", "out", "-q"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NETSIM_CACHE_DIR": str(tmp_path / "cache")}
    process = subprocess.Popen(
        [*command, "--pcap", "web-1=web.pcap"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    if moment == "running":
        # By what is loaded, not by the clock: the machine may be busy.
        for _ in range(600):
            if "_multiarray_umath" in Path(f"/proc/{process.pid}/maps").read_text():
                break
            time.sleep(0.1)
        time.sleep(1)
    else:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    if moment == "running":
        assert (process.returncode, stdout, stderr) == (130, b"", b"")
    left = [path for path in tmp_path.rglob("*") if path.is_file() and "cache" not in path.parts]
    assert left == []


def test_no_colour_off_a_terminal(run_cli: RunCli) -> None:
    for command in (["check", str(TWO_VPCS)], ["trace", "web-1", "db-1", "-t", str(TWO_VPCS)]):
        assert "\x1b" not in run_cli(*command, env={"NO_COLOR": "", "FORCE_COLOR": "1"}).stdout


def on_terminal(args: list[str], env: dict[str, str]) -> str:
    """What a command prints to a terminal."""
    master, slave = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **env}
    process = subprocess.Popen([sys.executable, "-m", "netsim", *args], env=environment, stdout=slave, stderr=slave)
    os.close(slave)
    printed = b""
    # The terminal hangs up when its last writer has gone: on Linux that reads as an error.
    with contextlib.suppress(OSError):
        while piece := os.read(master, 4096):
            printed += piece
    os.close(master)
    assert process.wait(60) == 0
    return printed.decode()


def test_colour_on_a_terminal_unless_unwanted() -> None:
    trace = ["trace", "web-1", "db-1", "-t", str(TWO_VPCS)]
    assert "\x1b[32m" in on_terminal(trace, {"NO_COLOR": ""})
    assert "\x1b" not in on_terminal([*trace, "--no-color"], {"NO_COLOR": ""})
    assert "\x1b" not in on_terminal(trace, {"NO_COLOR": "1"})
    assert "\x1b" not in on_terminal(trace, {"NO_COLOR": "", "TERM": "dumb"})
