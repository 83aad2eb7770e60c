"""The suite of benchmarks in a tiny form: it runs, counts repeat, a worse result is told from noise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import (
    bench_chain,
    bench_growth,
    bench_lpm_huge,
    bench_lpm_many,
    bench_route_change,
    bench_serve,
    bench_serve_cycle,
    measure,
    report,
)
from benchmarks.__main__ import QUESTIONS
from benchmarks.measure import AbsentError, Plan, Row, Sample, Side
from benchmarks.peers import heapq_chain, ns3_chain, ns_py, tries
from benchmarks.regression import regressions
from benchmarks.report import page, text_table
from tests.cli_process import ROOT

TINY = Plan(quick=True, rounds=1)


def suite(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=300)


@pytest.fixture
def without_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but netsim is installed."""

    def absent(*_: object) -> Any:
        raise AbsentError("pip install it")

    for module, name in ((ns_py, "load"), (ns3_chain, "available"), (tries, "load")):
        monkeypatch.setattr(module, name, absent)


# ---------------------------------------------------------------------------------------- commands


@pytest.mark.slow
def test_a_run_writes_results_and_a_second_one_is_held_against_them(tmp_path: Path) -> None:
    run: list[str | Path] = ["--quick", "--rounds", "2", "--only", "frames", "--out", tmp_path]
    done = suite(*run)
    assert done.returncode == 0, done.stderr
    assert "frames built from a flow" in done.stdout
    results = json.loads((tmp_path / "results.json").read_text())
    (row,) = results["rows"]
    assert (row["ours"]["counts"]["frames"], row["theirs"]["counts"]["frames"]) == (20_000, 100)
    assert "A quick run" in (tmp_path / "RESULTS.md").read_text()

    row["ratio"] /= 1000  # so that noise cannot fail the run that must pass
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert suite(*run, "--compare").returncode == 0
    row["ratio"] *= 10**6
    row["ours"]["counts"]["bytes"] += 1
    (tmp_path / "results.json").write_text(json.dumps(results))
    worse = suite(*run, "--compare")
    assert worse.returncode == 1
    assert "at least" in worse.stdout
    assert "counts of netsim changed" in worse.stdout


def test_a_comparison_needs_something_to_compare_with(tmp_path: Path) -> None:
    done = suite("--compare", "--out", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"benchmarks: {tmp_path / 'results.json'} is not there; run without --compare first\n"


@pytest.mark.parametrize("arguments", [["--help"], ["big_topology", "--help"]], ids=" ".join)
def test_help_is_help(arguments: list[str]) -> None:
    module = "benchmarks." + arguments[0] if len(arguments) > 1 else "benchmarks"
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage:")


def test_a_network_that_cannot_be_made_is_one_line() -> None:
    command = [sys.executable, "-m", "benchmarks.big_topology", "3"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("error: 3 VPCs, accepted 17..8192")


def test_each_question_has_a_file() -> None:
    files = {path.stem.removeprefix("bench_") for path in (ROOT / "benchmarks").glob("bench_*.py")}
    assert set(QUESTIONS) <= files
    own = {"engine", "load", "reach", "reach_process"}  # commands, see benchmarks/README.md
    assert files - set(QUESTIONS) == own


# ------------------------------------------------------------------------------- what is measured


@pytest.mark.slow
def test_the_heap_emulator_and_netsim_count_the_same_packet_for_packet() -> None:
    for packets in (1, 7, 3_000):
        assert bench_chain.ours(packets).counts == bench_chain.heap(packets).counts


def test_a_slow_link_behind_a_fast_one_drops_what_the_arithmetic_says() -> None:
    """10 packets of 1000 bytes at once's pace through 1 Mbit/s with room for one packet and two in the queue."""
    link = heapq_chain.Link(rate_bps=10**6, burst_bytes=1000, queue_bytes=2000, delay_ns=1)
    done = heapq_chain.run([link], 10, 1000, 10**9, 0)
    assert done == heapq_chain.Counts(sent=10, delivered=3, dropped=7, packet_hops=10)


@pytest.mark.slow
@pytest.mark.usefixtures("without_peers")
def test_absent_peers_are_named_and_the_rest_is_measured() -> None:
    rows = bench_chain.run(TINY)
    assert [row.absent for row in rows] == ["pip install it", "pip install it", ""]
    assert all(row.ours is not None and row.ours.rate > 0 for row in rows)
    assert "absent (pip install it)" in text_table(rows)


@pytest.mark.slow
@pytest.mark.usefixtures("without_peers")
@pytest.mark.parametrize("module", [bench_lpm_many, bench_lpm_huge, bench_route_change])
def test_counts_of_a_benchmark_repeat(module: Any) -> None:
    first, second = ([row.ours.counts for row in module.run(TINY)] for _ in range(2))
    assert first == second


@pytest.mark.slow
def test_every_request_to_a_server_is_granted() -> None:
    rate, slowest = bench_serve.run(TINY)
    assert rate.ours is not None
    assert rate.ours.counts == {"requests": 64 * 40, "changes": 64 * 8, "refused": 0}
    assert slowest.value is not None and slowest.value > 0


@pytest.mark.slow
def test_life_cycles_are_measured_without_moto_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_serve_cycle, "is_installed", lambda: False)
    (row,) = bench_serve_cycle.run(TINY)
    assert row.ours is not None and row.ours.counts == {"cycles": 10, "requests": 60}
    assert row.absent and row.ratio is None


def test_a_rate_without_a_peer_has_a_least_target() -> None:
    rated = measure.Figure("netsim", 900.0, 800.0, 1000.0, 10, {})
    row = Row("requests", unit="requests/s", target=1000, ours=rated)
    assert row.meets_target is False
    assert report.cells(row) == ["requests", "–", "900 requests/s", "–", "–", "≥ 1000", "MISSED"]
    rated.rate = 1000.0
    assert row.meets_target is True


def test_an_exponent_is_the_slope_of_the_logarithms() -> None:
    points = [(10.0**k, 3 * 10.0 ** (1.5 * k)) for k in range(2, 6)]
    assert bench_growth.exponent(points) == pytest.approx(1.5)


# ------------------------------------------------------------------------------------ the method


def test_sides_take_turns_and_the_ratio_is_taken_in_each_round() -> None:
    order = []
    seconds = {"a": iter([1.0, 2.0, 4.0]), "b": iter([10.0, 10.0, 80.0])}

    def side(name: str) -> Side:
        def run() -> Sample:
            order.append(name)
            return Sample(next(seconds[name]), 100, {"work": 100})

        return Side(name, run)

    (row,) = measure.compare("q", "x/s", side("a"), [(side("b"), "b", 8)], rounds=3)
    assert "".join(order) == "abbaab"
    assert (row.ratio, row.quartiles, row.meets_target) == (10.0, (5.0, 20.0), True)


def test_counts_that_differ_between_rounds_stop_the_benchmark() -> None:
    counts = iter([1, 2])
    side = Side("a", lambda: Sample(1.0, 1, {"events": next(counts)}))
    with pytest.raises(SystemExit, match="counts differ between rounds"):
        measure.alone("q", "x/s", side, rounds=2)


def result(**row: Any) -> dict[str, Any]:
    figure = {"name": "netsim", "rate": 1.0, "low": 1.0, "high": 1.0, "work": 5, "counts": {"events": 7}}
    made = {"question": "q", "peer": "p", "ratio": 100.0, "quartiles": (95.0, 105.0), "ours": figure, "theirs": None,
            "exponent": None, "value": None, "target": 50, "meets_target": True}  # fmt: skip
    return {"about": {"quick": False}, "rows": [made | row]}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, None),
        ({"ratio": 85.0}, None),
        ({"ratio": 75.0}, "q | p: ratio 75.0, was 100.0, at least 80.0 expected"),
        ({"ratio": 75.0, "quartiles": (60.0, 90.0)}, None),
        ({"peer": "another", "ratio": 1.0}, None),
        ({"ratio": None}, None),
        ({"exponent": 1.6}, None),
    ],
)
def test_a_ratio_may_fall_as_far_as_its_spread(change: dict[str, Any], told: str | None) -> None:
    assert regressions(result(), result(**change)) == ([told] if told else [])


def test_an_exponent_that_met_its_target_may_grow_up_to_it() -> None:
    old = result(exponent=0.8, target=1.1, ratio=None)
    assert regressions(old, result(exponent=1.05, target=1.1, ratio=None)) == []
    assert len(regressions(old, result(exponent=1.2, target=1.1, ratio=None))) == 1


def test_a_quick_run_is_not_held_against_a_full_one() -> None:
    quick = result() | {"about": {"quick": True}}
    assert regressions(result(), quick) == ["the results are of a full run, this was a quick run"]


def test_the_page_says_what_missed_its_target_and_what_is_absent() -> None:
    figure = measure.Figure("netsim", 5e6, 4e6, 6e6, 10, {"events": 3})
    rows = [
        Row("a", "peer", "x/s", 20, 10.0, (9.0, 11.0), figure, figure, 9),
        Row("b", "other", "x/s", 20, ours=figure, absent="pip install other"),
        Row("c", unit="bytes", value=150.0, target=100),
        Row("d", unit="s", exponent=1.02, target=1.1, points=[(10, 1), (100, 10)]),
    ]
    about = {"taken": "now", "processor": "p", "cores": 2, "memory_gb": 1, "load_before": 0, "system": "s",
             "netsim": "0", "python": "3", "gcc": "1", "packages": {"ns3": "absent"}, "threads": 1, "seconds": 1,
             "quick": False}  # fmt: skip
    from dataclasses import asdict

    text = page({"about": about, "rows": [asdict(row) for row in rows]})
    assert "| a | peer | 5 M x/s | 5 M | 10× (9–11) | ≥ 20 | MISSED |" in text
    assert "absent (pip install other)" in text
    assert "| c | 150 bytes | ≤ 100 | MISSED |" in text
    assert "| d | 1.02 | 1.1 | met | 10: 1 s, 100: 10 s |" in text
    assert "A quick run" not in text
