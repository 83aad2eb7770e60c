"""ping and traceroute print what the tools of the same name print: those on this machine, over loopback."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli_process import ROOT, RunCli

SHOP = Path(__file__).with_name("shop.netsim.yaml")


def shape(text: str) -> list[str]:
    """The lines with every address, name and figure that may differ written the same."""
    text = re.sub(r"\d+\.\d+\.\d+\.\d+", "ADDR", text)
    text = re.sub(r"(?<![\w.])\d+\.?\d*(?= ms|ms)|(?<== )[\d./]+|(?<=time=)[\d.]+|(?<=ttl=)\d+", "N", text)
    return [
        re.sub(r"^(--- |PING |traceroute to )\S+|(?<=^ \d  )\S+(?= \(ADDR\))", r"\1NAME", line)
        for line in text.splitlines()
    ]


def real(*command: str) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]}")
    environment = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=30).stdout


@pytest.mark.slow
def test_ping_prints_what_ping_prints(run_cli: RunCli) -> None:
    ours = run_cli("ping", "web-1", "web-1", "-c", "2", "-i", "0.2", "-t", SHOP)
    assert (ours.code, ours.stderr) == (0, "")
    theirs = shape(real("ping", "-c", "2", "-i", "0.2", "127.0.0.1"))
    assert len(theirs) == 7 and "0% packet loss" in theirs[5]
    assert shape(ours.stdout) == theirs


@pytest.mark.slow
def test_traceroute_prints_what_traceroute_prints(run_cli: RunCli) -> None:
    ours = run_cli("traceroute", "web-1", "web-1", "-t", SHOP)
    assert (ours.code, ours.stderr) == (0, "")
    assert shape(ours.stdout) == shape(real("traceroute", "localhost"))
    assert shape(run_cli("traceroute", "web-1", "web-1", "-n", "-t", SHOP).stdout) == shape(
        real("traceroute", "-n", "localhost")
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [["ping", "web-1", "db-1", "-c", "65535"], ["traceroute", "job-1", "db-1", "-m", "255"]]
)
def test_who_reads_sees_each_line_when_it_comes_and_ends_it_all_by_leaving(command: list[str]) -> None:
    """All 65,535 would take minutes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "netsim", *command, "-t", str(SHOP)], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    lines = [process.stdout.readline() for _ in range(3)]
    assert process.poll() is None, "it is not done yet"
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == ""
    process.stderr.close()
    assert all(lines)
