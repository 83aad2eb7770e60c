"""The host is left as it was: after a destroy, after a failure, after a kill -9 at any moment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netsim.errors import CapabilityError, ConflictError
from netsim.kernel import namespace
from netsim.kernel.deploy import cleanup, deploy, destroy
from netsim.kernel.journal import Journal
from netsim.kernel.plan import Cap
from netsim.kernel.planner import plan
from tests.cli_process import ROOT
from tests.clouds import chain, two_vpcs
from tests.kernel.host_state import host_state, pinned
from tests.kernel.names import fresh_name

pytestmark = [pytest.mark.netns, pytest.mark.slow, pytest.mark.usefixtures("real_kernel")]

CRASHES = 300 if os.environ.get("NETSIM_LONG") == "1" else 20
FILE = ROOT / "topologies" / "full-mesh-of-five.netsim.yaml"


@pytest.fixture
def name(journal: Journal) -> Iterator[str]:
    """A deployment's name; whatever a failed test leaves of it goes away."""
    made = fresh_name()
    yield made
    destroy(made, journal=journal)


def test_the_host_is_as_it_was_before(journal: Journal, name: str) -> None:
    before = host_state()
    deploy(plan(chain(4), name), journal=journal)
    assert len(pinned(f"netsim.{name}.")) == 8
    assert host_state() == before, "nor does it change while the deployment is there"
    assert destroy(name, journal=journal)
    assert host_state() == before
    assert not pinned(f"netsim.{name}.")
    assert not journal.path.exists()


def test_destroying_ends_what_runs_inside_and_nothing_else(journal: Journal, name: str) -> None:
    deployed = deploy(plan(two_vpcs(), name), journal=journal)
    stubborn = [
        sys.executable,
        "-c",
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=1); time.sleep(99)",
    ]
    with namespace.inside(deployed.namespace_of("web-1")):
        inside = subprocess.Popen(["sleep", "99"])
    with namespace.inside(deployed.namespace_of("db-1")):
        deaf = subprocess.Popen(stubborn, stdout=subprocess.PIPE)
    outside = subprocess.Popen(["sleep", "99"])
    try:
        assert deaf.stdout is not None and deaf.stdout.readline()
        destroy(name, journal=journal)
        assert inside.wait(5) == -signal.SIGTERM
        assert deaf.wait(5) == -signal.SIGKILL
        assert outside.poll() is None
    finally:
        for process in (inside, deaf, outside):
            process.kill()
            process.wait()
        assert deaf.stdout is not None
        deaf.stdout.close()


def test_a_failure_on_the_way_leaves_nothing(journal: Journal, name: str) -> None:
    """The last namespace's cap is one that tc refuses."""
    made = plan(two_vpcs(), name)
    broken = replace(made.namespaces[-1], caps=(Cap("eth0", 0, 0, 0),))
    before = host_state()
    with pytest.raises(CapabilityError, match=r"^tc: "):
        deploy(replace(made, namespaces=(*made.namespaces[:-1], broken)), journal=journal)
    assert not pinned(f"netsim.{name}.")
    assert not journal.path.exists()
    assert host_state() == before


def test_a_namespace_of_somebody_else_is_not_touched(journal: Journal, name: str) -> None:
    """Not by deploy, which refuses; not by cleanup, although the name is one of ours."""
    foreign = f"netsim.{name}.web-1"
    subprocess.run(["ip", "netns", "add", foreign], check=True)
    try:
        with pytest.raises(ConflictError, match="not of netsim's making"):
            deploy(plan(two_vpcs(), name), journal=journal)
        assert cleanup(journal=journal) == []
        assert not destroy(name, journal=journal)
        assert pinned(f"netsim.{name}.") == [foreign]
    finally:
        subprocess.run(["ip", "netns", "delete", foreign], check=True)


def test_cleanup_leaves_complete_deployments_alone(journal: Journal, name: str) -> None:
    deployed = deploy(plan(two_vpcs(), name), journal=journal)
    assert cleanup(journal=journal) == []
    assert all(map(namespace.exists, deployed.namespaces))


def test_a_deployment_that_lost_a_namespace_is_built_again(journal: Journal, name: str) -> None:
    deployed = deploy(plan(two_vpcs(), name), journal=journal)
    namespace.remove(deployed.namespace_of("web-1"))
    again = deploy(plan(two_vpcs(), name), journal=journal)
    assert again.digest == deployed.digest
    assert all(map(namespace.exists, again.namespaces))


# ------------------------------------------------------------------------------------ kill -9


def start(journal: Journal, *args: str, **env: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "NETSIM_RUN_DIR": str(journal.path), "PYTHONPATH": str(ROOT), **env}
    return subprocess.Popen(
        [sys.executable, "-m", "netsim", *args], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def wait_for_phase(journal: Journal, name: str, phase: str, process: subprocess.Popen[bytes]) -> None:
    """Until the journal says so, or the process has ended."""
    path = journal.path / f"{name}.json"
    while process.poll() is None:
        try:
            if json.loads(path.read_text())["phase"] == phase:
                return
        except (OSError, ValueError):
            pass
        time.sleep(0.001)


@pytest.mark.parametrize("part", range(max(1, CRASHES // 20)))
def test_nothing_is_left_of_commands_that_were_killed(journal: Journal, name: str, part: int) -> None:
    """At moments drawn over the whole deploy, and over every second destroy. The host compares equal all the time."""
    seed = 4_000 + part
    moments = np.random.Generator(np.random.PCG64(seed))
    before = host_state()
    at_work = _time_of_a_deploy(journal, name)
    unfinished = 0
    for crash in range(min(20, CRASHES)):
        process = start(journal, "deploy", str(FILE), "--name", name)
        if crash % 4 == 3:
            process.wait(60)
            process = start(journal, "destroy", name)
            wait_for_phase(journal, name, "destroying", process)
            moment = moments.uniform(0, 0.02)
        else:
            wait_for_phase(journal, name, "building", process)
            moment = moments.uniform(0, at_work)
        time.sleep(moment)
        process.kill()
        process.wait()
        where = f"seed {seed}, crash {crash}, after {moment * 1000:.1f} ms"
        cleaned = cleanup(journal=journal)
        unfinished += bool(cleaned)
        if not cleaned:
            destroy(name, journal=journal)  # it had come to its end before
        assert not pinned(f"netsim.{name}."), where
        assert not journal.path.exists(), where
        assert host_state() == before, where
    assert unfinished > 5, "the moments miss the work"


def _time_of_a_deploy(journal: Journal, name: str) -> float:
    process = start(journal, "deploy", str(FILE), "--name", name)
    wait_for_phase(journal, name, "building", process)
    begin = time.monotonic()
    wait_for_phase(journal, name, "complete", process)
    took_s = time.monotonic() - begin
    assert process.wait(60) == 0
    assert destroy(name, journal=journal)
    return took_s


def test_what_a_killed_deploy_started_is_waited_for(journal: Journal, name: str, tmp_path: Path) -> None:
    """Its `ip` may still be making namespaces: cleanup comes after that, not in between."""
    real = shutil.which("ip")
    slow = tmp_path / "ip"
    slow.write_text(f'#!/bin/sh\ncase "$*" in *-batch*) sleep 1;; esac\nexec {real} "$@"\n')
    slow.chmod(0o755)
    process = start(journal, "deploy", str(FILE), "--name", name, PATH=f"{tmp_path}:{os.environ['PATH']}")
    wait_for_phase(journal, name, "building", process)
    time.sleep(0.2)
    process.kill()
    process.wait()
    assert cleanup(journal=journal) == [name]
    time.sleep(1.2)
    assert not pinned(f"netsim.{name}.")


def test_a_deploy_after_a_killed_one_starts_from_nothing(journal: Journal, name: str) -> None:
    made = plan(chain(4), name)
    left = deploy(made, journal=journal)
    with journal.locked():
        journal.mark(left, "building")  # as a kill leaves it
    assert deploy(made, journal=journal).phase == "complete"
    assert len(pinned(f"netsim.{name}.")) == 8


def test_a_damaged_journal_is_one_line(journal: Journal) -> None:
    journal.path.mkdir()
    (journal.path / "x.json").write_text("{")
    with pytest.raises(CapabilityError, match="not as netsim writes it"):
        cleanup(journal=journal)
    Path(journal.path / "x.json").unlink()
