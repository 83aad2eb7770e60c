"""`netsim crosscheck` as a command: what it prints, its exit codes, and that nothing stays behind."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from netsim.cli.crosscheck_text import print_check
from netsim.kernel.crosscheck import CrossCheck, Difference
from tests.kernel.bench import SHOP, Bench
from tests.kernel.host_state import host_state, pinned
from tests.kernel.test_doctor import without

pytestmark = [pytest.mark.netns, pytest.mark.slow, pytest.mark.usefixtures("real_kernel")]


def test_a_file_is_checked_and_the_host_is_as_before(bench: Bench) -> None:
    before = host_state()
    done = bench("crosscheck", SHOP)
    assert done.code == 0, done
    assert done.stdout == (
        "two-vpcs-one-account: 33 pairs (15 not reachable, 18 reachable), 182 packets: no difference\n"
    )
    assert done.stderr == ""
    assert host_state() == before
    assert not bench.journal.path.exists()


def test_random_networks_and_tables_as_json(bench: Bench) -> None:
    """Without a file; the same seed asks the same."""
    runs = [bench("crosscheck", "--random", "2", "--tables", "3", "--seed", "11", "--json") for _ in range(2)]
    assert [run.code for run in runs] == [0, 0], runs
    assert runs[0].json == runs[1].json
    found = runs[0].json
    assert found["agrees"] is True
    assert found["random"]["topologies"] == 2 and found["random"]["differences"] == []
    assert sum(found["random"]["verdicts"].values()) == found["random"]["pairs"]
    assert sum(found["random"]["answers"].values()) == found["random"]["packets"]
    assert (found["tables"]["tables"], found["tables"]["lookups"]) == (3, 600)
    assert not bench.journal.path.exists()


def test_a_killed_crosscheck_is_cleaned_up(bench: Bench) -> None:
    running = bench.popen("crosscheck", "--random", "50")
    prefix = f"netsim.crosscheck-{running.pid}."
    deadline = time.monotonic() + 60
    while not any(".vpc." in name for name in pinned(prefix)) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.5)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert pinned(prefix)
    done = bench("cleanup")
    assert done.code == 0, done
    assert not pinned(prefix) and not bench.journal.path.exists()


def test_an_ended_crosscheck_takes_its_network_away(bench: Bench) -> None:
    running = bench.popen("crosscheck", "--random", "50")
    prefix = f"netsim.crosscheck-{running.pid}."
    deadline = time.monotonic() + 60
    while not pinned(prefix) and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=30)
    assert running.returncode == 128 + signal.SIGTERM
    assert not pinned(prefix) and not bench.journal.path.exists()


def test_a_machine_that_cannot_is_exit_code_6(bench: Bench) -> None:
    done = bench("crosscheck", "--random", "1", env=without(bench.folder, "nft"))
    assert (done.code, done.stdout) == (6, "")
    assert done.stderr == "netsim: no nft here (no nft command): apt-get install nftables\n"


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["--random", "0"], 2, "range"),
        (["--random", "many"], 2, "not a valid integer"),
        (["--out", "there", str(SHOP)], 2, "--random"),
        ([], 2, "no topology file"),
        (["nowhere.netsim.yaml"], 3, "nowhere.netsim.yaml"),
        (["--caps", "--seconds", "0"], 2, "range"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_makes_no_sense_is_one_line(bench: Bench, args: list[str], code: int, says: str) -> None:
    done = bench("crosscheck", *args)
    assert (done.code, done.stdout) == (code, "")
    assert says in done.stderr and done.stderr.count("\n") == 1


def test_a_difference_shows_all_sides_and_how_to_see_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    answers = ("arrives nowhere, silence", "arrives nowhere, silence", "arrives at data/db-1 with TTL 62, silence")
    difference = Difference("random-7", 7, "shop/web-1", "10.1.0.20 (data/db-1)", "icmp echo", answers)
    print_check(CrossCheck(1, 4, 40, {"reachable": 4}, {}, (difference,)), "1 random network from seed 7")
    assert capsys.readouterr().out == (
        "DIFFERS  shop/web-1 -> 10.1.0.20 (data/db-1): icmp echo\n"
        "  engine    arrives nowhere, silence\n"
        "  verifier  arrives nowhere, silence\n"
        "  kernel    arrives at data/db-1 with TTL 62, silence\n"
        "  again     netsim crosscheck --random 1 --seed 7\n"
        "1 random network from seed 7: 4 pairs (4 reachable), 40 packets: 1 difference\n"
    )


def test_a_difference_is_exit_code_1_and_its_network_is_written(bench: Bench) -> None:
    """A Linux that loses what it should refuse: an nft that leaves out every `reject`."""
    env = without(bench.folder, "nft")
    real = next(Path(p) / "nft" for p in ("/usr/sbin", "/sbin", "/usr/bin") if (Path(p) / "nft").exists())
    fake = bench.folder / "bin" / "nft"
    fake.write_text(f"#!/bin/sh\nsed 's/reject with.*/drop/' | {real} -f -\n")
    fake.chmod(0o755)
    done = bench("crosscheck", "--random", "1", "--seed", "49", "--out", "differ", env=env)
    assert done.code == 1, done
    assert "DIFFERS" in done.stdout and "again     netsim crosscheck --random 1 --seed 49" in done.stdout
    path = bench.folder / "differ" / "random-49.netsim.yaml"
    assert f"written: {path.relative_to(bench.folder)}" in done.stderr
    assert bench("validate", path).code == 0
    again = bench("crosscheck", path, env=env)
    assert again.code == 1, again
    assert bench("crosscheck", path).code == 0, "on a Linux that is right the same file agrees"
