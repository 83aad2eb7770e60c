"""doctor says what the machine lacks; deploy says it in one line, and builds nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli_process import ROOT
from tests.kernel.bench import SHOP, Bench
from tests.kernel.host_state import pinned

pytestmark = [pytest.mark.netns, pytest.mark.slow, pytest.mark.usefixtures("real_kernel")]


def without(folder: Path, *tools: str) -> dict[str, str]:
    """An environment whose PATH has the usual programs but these."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    for place in os.environ["PATH"].split(":"):
        for path in Path(place).iterdir() if Path(place).is_dir() else []:
            link = bin_folder / path.name
            if path.name not in tools and not link.is_symlink():
                link.symlink_to(path)
    return {"PATH": str(bin_folder)}


def test_doctor_says_what_is_there(bench: Bench) -> None:
    done = bench("doctor", "--json")
    assert done.code == 0, done
    checks = {check["name"]: check for check in done.json["checks"]}
    assert done.json["ready"] is True
    assert {"namespaces", "veth", "bridge", "tbf", "htb", "netem", "nft", "nft reject", "ip", "iperf3"} <= checks.keys()
    assert all(check["ok"] for check in checks.values() if check["required"])
    assert all(check["remedy"] for check in checks.values() if not check["ok"])
    text = bench("doctor")
    assert text.code == 0 and "ready" in text.stderr


def test_a_missing_tool_is_one_line_and_no_network(bench: Bench) -> None:
    env = without(bench.folder, "nft")
    done = bench("deploy", SHOP, "--name", bench.name, env=env)
    assert done.code == 6
    assert done.stderr == "netsim: no nft here (no nft command): apt-get install nftables\n"
    assert not pinned(f"netsim.{bench.name}.") and not bench.journal.path.exists()
    doctor = bench("doctor", env=env)
    assert doctor.code == 6 and "nft: apt-get install nftables" in doctor.stdout


def test_a_kernel_without_tbf_is_one_line_and_no_network(bench: Bench) -> None:
    env = without(bench.folder, "tc")
    real = next(Path(p) / "tc" for p in os.environ["PATH"].split(":") if (Path(p) / "tc").exists())
    fake = bench.folder / "bin" / "tc"
    refusal = 'echo "Error: Specified qdisc kind is unknown." >&2; exit 2'
    fake.write_text(f'#!/bin/sh\ncase "$*" in *tbf*) {refusal};; esac\nexec {real} "$@"\n')
    fake.chmod(0o755)
    done = bench("deploy", SHOP, "--name", bench.name, env=env)
    assert done.code == 6
    assert done.stderr.startswith(
        "netsim: no tbf here (Specified qdisc kind is unknown): needs a kernel with CONFIG_NET_SCH_TBF"
    )
    assert done.stderr.count("\n") == 1
    assert not pinned(f"netsim.{bench.name}.") and not bench.journal.path.exists()


def test_without_rights_everything_but_dry_run_says_so(bench: Bench) -> None:
    drop = ["setpriv", "--bounding-set=-sys_admin,-net_admin", "--inh-caps=-sys_admin,-net_admin"]

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **bench.environment, "PYTHONPATH": str(ROOT)}
        command = [*drop, sys.executable, "-m", "netsim", *args]
        return subprocess.run(
            command, env=environment, cwd=bench.folder, capture_output=True, text=True, timeout=120, check=False
        )

    dry = run("deploy", str(SHOP), "--name", bench.name, "--dry-run")
    assert dry.returncode == 0 and "netns add netsim." in dry.stdout
    done = run("deploy", str(SHOP), "--name", bench.name)
    assert done.returncode == 6
    assert done.stderr.startswith("netsim: no namespaces here (not allowed: no CAP_SYS_ADMIN): run as root")
    assert done.stderr.count("\n") == 1
    doctor = run("doctor", "--json")
    assert doctor.returncode == 6 and json.loads(doctor.stdout)["ready"] is False
