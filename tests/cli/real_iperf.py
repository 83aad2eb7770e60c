"""The real iperf3, between two network namespaces of the test's own; and the shape of what it prints."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from typing import Any

import pytest

from tests.namespaces import Namespaces

SERVER = "192.0.2.2"


def run_iperf3(netns: Namespaces, *args: str) -> str:
    """What `iperf3 -c SERVER ARGS` prints on a path of 1500 bytes."""
    if shutil.which("iperf3") is None:
        pytest.skip("no iperf3")
    netns.cable("left", "192.0.2.1/24", "right", f"{SERVER}/24")
    # -1: one client, then it ends by itself.
    server = subprocess.Popen(
        ["ip", "netns", "exec", netns.host("right"), "iperf3", "-s", "-1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(50):
            if "5201" in netns.run("right", "ss", "-ltn").stdout:
                break
            time.sleep(0.1)
        done = netns.run("left", "iperf3", "-c", SERVER, *args)
        assert done.returncode == 0, done
        return done.stdout
    finally:
        server.terminate()
        server.wait(timeout=10)


def shape(text: str) -> list[str]:
    """The lines, each column where it is, with everything measured written the same."""
    text = re.sub(r"(host) [\w.-]+", r"\1 H", text)
    text = re.sub(r"(local|to) \d+\.\d+\.\d+\.\d+ port \d+", r"\1 H port P", text)
    text = re.sub(r"( *)(?:\d+\.?\d*) ([KMGT]?)(Bytes|bits/sec)", _same_width, text)
    text = re.sub(r"(\d\.\d)\d", r"\g<1>0", text)
    text = re.sub(r"\d+\.\d{3} ms", "J ms", text)
    text = re.sub(r"\d+/\d+ \([\d.]+%\)", "L/L (P%)", text)
    text = re.sub(r"(bits/sec  )\d+(  )", r"\1N\2", text)
    return re.sub(r"(bits/sec  )[ \d]{3}(?=   |#)", r"\1RRR", text).splitlines()


def _same_width(found: re.Match[str]) -> str:
    """A quantity stands right in four places; its prefix may differ, but must be there or not."""
    head = found[0][: -len(found[3]) - len(found[2]) - 1]
    return "#" * len(head) + (" U" if found[2] else " ") + found[3]


def key_paths(document: Any, path: str = "") -> set[str]:
    """Every key of a JSON document, `end.sum_sent.bytes`; the items of a list are one."""
    if isinstance(document, dict):
        found = set()
        for key, value in document.items():
            found |= {f"{path}{key}"} | key_paths(value, f"{path}{key}.")
        return found
    if isinstance(document, list):
        return set().union(*(key_paths(item, path) for item in document))
    return set()
