"""How long does one `netsim reach` take, as a whole process, on a large file?

    python -m benchmarks.bench_reach_process [--vpcs 1000] [--rules 26000] [--rounds 7]

The network of `bench_reach`, with an instance in each VPC, is written as a topology file. Each round starts
`netsim reach` three times in turn: for a pair that is reachable, for one that is not (the fix is worked out),
and for the latter with `--apply --dry-run` (the fix is written into the text, which is loaded again). CPU
seconds are the process's own, user and system; wall seconds go with what else the machine does. The size of
the file, the verdicts and the length of what is printed repeat exactly.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.bench_reach import build
from netsim.controlplane import edit as e
from netsim.topology_file import Topology, dump_topology

QUESTIONS = {"reachable": [], "no route": [], "no route, --apply --dry-run": ["--apply", "--dry-run"]}


def write_file(path: Path, n_vpcs: int, n_rules: int) -> tuple[int, str, str, str]:
    """Write the network; the number of rules, an instance, one that it reaches, and one that it doesn't."""
    import netsim

    inventory = build(n_vpcs, n_rules)
    inventory.apply(*(e.CreateInstance(f"i{k}", "a", None, vpc_id) for k, vpc_id in enumerate(list(inventory.vpcs))))
    path.write_text(dump_topology(Topology(inventory, name="big", profile="research")), encoding="utf-8")
    pairs = netsim.load(str(path)).pairs()
    verdicts = [pairs.answer(1, b)[0] for b in range(n_vpcs)]
    names = [inventory.instances[i].name for i in pairs.instance_ids]
    yes = max(b for b, verdict in enumerate(verdicts) if verdict == "reachable")
    no = max(b for b, verdict in enumerate(verdicts) if verdict == "not_reachable")
    return len(inventory.rules), names[1], names[yes], names[no]


def run(words: list[str]) -> tuple[float, float, int, int]:
    """CPU and wall seconds of a process, its exit code and how much it printed."""
    began, used = time.perf_counter(), os.times()
    ended = subprocess.run([sys.executable, "-m", "netsim", *words], capture_output=True, check=False)
    wall_s, after = time.perf_counter() - began, os.times()
    cpu_s = after.children_user - used.children_user + after.children_system - used.children_system
    return cpu_s, wall_s, ended.returncode, len(ended.stdout)


def main() -> None:
    """Write, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpcs", type=int, default=1000)
    parser.add_argument("--rules", type=int, default=26_000)
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.netsim.yaml"
        n_rules, source, reached, missed = write_file(path, chosen.vpcs, chosen.rules)
        print(f"{chosen.vpcs} VPCs, {n_rules} rules, {path.stat().st_size:,} bytes")
        found: dict[str, list[tuple[float, float, int, int]]] = {name: [] for name in QUESTIONS}
        for k in range(chosen.rounds + 1):
            for name, more in QUESTIONS.items():
                target = reached if name == "reachable" else missed
                measured = run(["reach", source, target, "-t", str(path), *more])
                if k:  # the first one fills the file cache
                    found[name].append(measured)
        for name, rounds in found.items():
            assert len({measured[2:] for measured in rounds}) == 1, f"{name}: answers differ between rounds"
            cpu, wall = (statistics.median(measured[i] for measured in rounds) for i in (0, 1))
            print(f"{name:<28} cpu {cpu:.2f} s, wall {wall:.2f} s; exit {rounds[0][2]}, {rounds[0][3]} bytes printed")


if __name__ == "__main__":
    main()
