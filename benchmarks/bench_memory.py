"""How many bytes does a packet in flight take, and does a long flow take more than a short one?

    python -m benchmarks.bench_memory [--quick]

In flight: the growth of the process (resident memory) between a network without traffic and the same with
many packets under way on a long link, divided by their number. Length: the most memory a process ever
took, for flows of different lengths; arrivals are made in windows, so it should not grow at all. Each
figure comes from a process of its own.
"""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Plan, Row, progress, standalone
from benchmarks.networks import PACKET_BYTES, chain, load_kernels, running
from netsim.controlplane import edit as e
from netsim.traffic.flow import FlowSpec
from netsim.units import BITS_PER_BYTE, NS_PER_S

RATE_BPS = 9 * 10**8
SMALL_BYTES = 64


def resident_bytes() -> int:
    """Of this process, now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def in_flight(packets: int) -> float:
    """Bytes for each packet of many on a link with a long delay."""
    load_kernels()
    inventory = chain(1)
    (conn,) = inventory.peer_conns.values()
    duration_ns = packets * SMALL_BYTES * BITS_PER_BYTE * NS_PER_S // RATE_BPS
    inventory.apply(e.DeletePeerConn(conn.id))
    latency_ms = duration_ns / 10**6 + 100
    inventory.apply(e.CreatePeerConn("v0", "v1", 1000, "long", "next", "previous", latency_ms=latency_ms))
    inventory.apply(*(e.DeleteRoute(rule.id) for rule in list(inventory.rules.values())))
    inventory.apply(e.CreateRoute("v0", "0.0.0.0/0", "10.1.0.0/16", "next"))
    flow = FlowSpec(
        name="f", from_ref="i0", to_ref="i1", rate_bps=RATE_BPS, packet_bytes=SMALL_BYTES, duration_ns=duration_ns
    )
    lab = running(inventory, [flow])
    lab.advance(10**5)
    gc.collect()
    before, there = resident_bytes(), lab.totals().in_flight
    lab.advance(duration_ns)
    gc.collect()
    return (resident_bytes() - before) / (lab.totals().in_flight - there)


def peak_of_flow(packets: int) -> float:
    """Megabytes at most, for a flow of this many packets over four links."""
    load_kernels()
    duration_ns = packets * PACKET_BYTES * BITS_PER_BYTE * NS_PER_S // 10**9
    flow = FlowSpec(
        name="f", from_ref="i0", to_ref="i4", rate_bps=10**9, packet_bytes=PACKET_BYTES, duration_ns=duration_ns
    )
    running(chain(4), [flow]).advance(duration_ns + NS_PER_S)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


MEASURES = {"in-flight": in_flight, "flow": peak_of_flow}


def in_own_process(measure: str, packets: int) -> float:
    """The figure, from a fresh process."""
    progress(f"memory: {measure}, {packets:,} packets")
    command = [sys.executable, "-m", "benchmarks.bench_memory", "--one", measure, str(packets)]
    return float(json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout))


def run(plan: Plan) -> list[Row]:
    """Bytes per packet in flight; growth with the length of a flow."""
    row = Row("memory for each packet in flight", unit="bytes", target=100.0)
    row.value = in_own_process("in-flight", plan.size(200_000, 1_000_000))
    lengths = [20_000, 200_000] if plan.quick else [100_000, 1_000_000, 10_000_000]
    points = [(float(n), in_own_process("flow", n)) for n in lengths]
    growth = Row("most memory, longest flow over shortest", unit="x", target=1.1, points=points)
    growth.value = points[-1][1] / points[0][1]
    growth.note = ", ".join(f"{n:,.0f} packets {mb:.0f} MB" for n, mb in points)
    return [row, growth]


def main() -> None:
    """The command line; `--one` is one measurement in this process."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(MEASURES[sys.argv[2]](int(sys.argv[3]))))
        return
    standalone(run, __doc__)


if __name__ == "__main__":
    main()
