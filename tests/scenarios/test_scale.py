"""The largest network netsim promises - 2,000 VPCs, 10,000 connections, 200,000 rules, 400 flows - loads and runs.

The bounds are three times and more what it takes on a slow machine: they stand against work that grows with the
square of the network, not against a busy afternoon. `benchmarks/bench_load.py` measures.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.big_topology import big_topology
from tests.cli_process import ROOT

N_VPCS = 2000
LOAD_CPU_S, RUN_CPU_S, RESULT_CPU_S, EDIT_CPU_S = 20, 20, 10, 1

# In a process of its own: its CPU time, and no collector slowed down by what other tests left behind.
PROGRAM = """
import json, sys, time
import netsim

def timed(name, call):
    start = time.process_time()
    result = call()
    cpu_s[name] = round(time.process_time() - start, 3)
    return result

cpu_s = {}
lab = timed("load", lambda: netsim.load(sys.argv[1]))
done = timed("run", lambda: lab.run(0.5)).to_dict()
timed("result", lab.result)
rules = list(lab.inventory.rules)[:1000:100]
timed("edit", lambda: [lab.apply(netsim.edit.DeleteRoute(rule)) for rule in rules])
inventory, totals = lab.inventory, lab.totals()
print(json.dumps({
    "cpu_s": cpu_s,
    "resources": [len(t) for t in (inventory.vpcs, inventory.subnets, inventory.instances, inventory.peer_conns)],
    "rules": [len(inventory.rules), len(rules)],
    "totals": [totals.injected, totals.delivered, totals.dropped, totals.in_flight],
    "flows": [[flow["packets_sent"], flow["packets_received"], flow["packets_in_flight"]] for flow in done["flows"]],
    "connections": len(done["peer_connections"]),
    "egress": sum(s["egress"]["packets"] for c in done["peer_connections"] for s in c["sides"]),
    "sampled": sum(sample["egress_packets"] for sample in done["samples"]),
    "hops": lab.engine.packet_hops,
}))
"""


@pytest.mark.slow
def test_the_largest_network_loads_and_runs(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    path = tmp_path / "big.netsim.yaml"
    path.write_text(big_topology(N_VPCS, rate_mbps=1, duration_s=0.2), encoding="utf-8")
    command = [sys.executable, "-c", PROGRAM, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr
    done = json.loads(ended.stdout)
    sys.stdout.write(f"CPU seconds: {done['cpu_s']}\n")
    record_property("cpu_s", done["cpu_s"])

    assert done["resources"] == [N_VPCS, 10 * N_VPCS, 10 * N_VPCS, 5 * N_VPCS]
    assert done["rules"] == [100 * N_VPCS - 10, 10]
    injected, delivered, dropped, in_flight = done["totals"]
    assert injected == delivered + dropped + in_flight
    assert (dropped, in_flight) == (0, 0)
    # 1 Mbit/s of 1,000 bytes each for 0.2 s: 25 packets of each fifth VPC, over one connection each.
    assert done["flows"] == [[25, 25, 0]] * (N_VPCS // 5)
    assert done["connections"] == 5 * N_VPCS
    assert done["egress"] == done["sampled"] == done["hops"] == delivered == 5 * N_VPCS

    bounds = {"load": LOAD_CPU_S, "run": RUN_CPU_S, "result": RESULT_CPU_S, "edit": 10 * EDIT_CPU_S}
    assert {name: cpu_s for name, cpu_s in done["cpu_s"].items() if cpu_s > bounds[name]} == {}
