"""The suite: every question in a process of its own, results as JSON and as one page of tables.

    python -m benchmarks [--only NAME ...] [--quick] [--long] [--compare] [--out DIR]

Writes `benchmarks/results.json` and `benchmarks/RESULTS.md` (elsewhere with --out). With --compare it
writes nothing there and holds the new figures against `benchmarks/results.json`: ratios by their
spread, counts exactly; exit 1 when one got worse.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.machine import about_machine
from benchmarks.measure import Row, row_of
from benchmarks.regression import regressions
from benchmarks.report import page, text_table

QUESTIONS = (
    "chain", "mesh", "tcp", "lpm_many", "lpm_huge", "link", "frames", "capture", "route_change", "memory",
    "accuracy", "growth", "serve", "serve_cycle",
)  # fmt: skip
"""In the order of the page; each is `bench_NAME.py`."""

HERE = Path(__file__).parent
RESULTS = "results.json"
PAGE = "RESULTS.md"
LIMIT_S = {False: 1200, True: 300}


def main() -> int:
    """Run, write, say."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=QUESTIONS, help=", ".join(QUESTIONS))
    parser.add_argument("--quick", action="store_true", help="small sizes, three rounds: a look, not a result")
    parser.add_argument("--long", action="store_true", help="the largest sizes of the growth rows too")
    parser.add_argument("--rounds", type=int)
    parser.add_argument(
        "--threads", type=int, default=2, help="of netsim in the mesh (default: 2); chain and TCP have one"
    )
    parser.add_argument("--compare", action="store_true", help=f"hold against {RESULTS} instead of writing it")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder of the results")
    given = parser.parse_args()
    against = given.out / RESULTS
    if given.compare and not against.is_file():
        sys.stderr.write(f"benchmarks: {against} is not there; run without --compare first\n")
        return 2
    start = time.monotonic()
    rows: list[Row] = []
    failed = []
    for name in given.only or QUESTIONS:
        sys.stderr.write(f"[{time.monotonic() - start:6.0f} s] {name}\n")
        found = run_one(name, given)
        if found is None:
            failed.append(name)
        else:
            rows += found
            print(text_table(found), flush=True)
    results = {
        "about": about_machine()
        | {"quick": given.quick, "threads": given.threads, "seconds": int(time.monotonic() - start)},
        "rows": [json.loads(row) for row in map(as_json, rows)],
    }
    if given.compare:
        worse = regressions(json.loads(against.read_text()), results)
        print("\n".join(worse) or "no regression")
        return 1 if worse or failed else 0
    if not failed:
        given.out.mkdir(parents=True, exist_ok=True)
        merged = merge(against, results, is_part=bool(given.only))
        against.write_text(json.dumps(merged, indent=1) + "\n")
        (given.out / PAGE).write_text(page(merged))
        sys.stderr.write(f"wrote {against} and {given.out / PAGE}\n")
    return 1 if failed else 0


def run_one(name: str, given: argparse.Namespace) -> list[Row] | None:
    """The rows of one question; None when it failed, which has been said."""
    command = [sys.executable, "-m", f"benchmarks.bench_{name}", "--json", "--threads", str(given.threads)]
    command += ["--quick"] * given.quick + ["--long"] * given.long
    if given.rounds:
        command += ["--rounds", str(given.rounds)]
    limit_s = None if given.long else LIMIT_S[given.quick]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=limit_s)
    except subprocess.TimeoutExpired:
        sys.stderr.write(f"benchmarks: {name} took longer than {limit_s} s\n")
        return None
    if done.returncode:
        sys.stderr.write(f"benchmarks: {name} failed with exit code {done.returncode}\n")
        return None
    return [row_of(row) for row in json.loads(done.stdout.splitlines()[-1])]


def as_json(row: Row) -> str:
    """A row as JSON, with whether it meets its target."""
    from dataclasses import asdict

    return json.dumps(asdict(row) | {"meets_target": row.meets_target})


def merge(old: Path, new: dict[str, object], *, is_part: bool) -> dict[str, object]:
    """A run of a part replaces its own rows in what is there, if that was made in the same way."""
    if not is_part or not old.is_file():
        return new
    before = json.loads(old.read_text())
    if before["about"]["quick"] != new["about"]["quick"]:  # type: ignore[index]
        return new
    fresh = new["rows"]
    assert isinstance(fresh, list)
    by_question: dict[str, list[object]] = {}
    for row in fresh:
        by_question.setdefault(row["question"], []).append(row)
    rows: list[object] = []
    seen: set[str] = set()
    for row in before["rows"]:
        question = row["question"]
        rows += [row] if question not in by_question else by_question[question] if question not in seen else []
        seen.add(question)
    rows += [row for question, new_rows in by_question.items() if question not in seen for row in new_rows]
    return new | {"rows": rows}


if __name__ == "__main__":
    sys.exit(main())
