"""Is the shaped rate exactly rate x time + burst?

    python -m benchmarks.bench_accuracy [--quick]

A flow offers three times the cap, from 1 to 1000 Mbit/s. The engine is stopped at times that fit no
packet, and the bytes that departed until then are held against r t + b, where t counts from the first
departure. The deviation must stay within one packet at every stop; so must the rate over a window of
a later second against r t.
"""

from __future__ import annotations

from benchmarks.measure import Plan, Row, progress, standalone
from benchmarks.networks import PACKET_BYTES, chain, load_kernels, running
from netsim.traffic.flow import FlowSpec
from netsim.units import BITS_PER_BYTE, BPS_PER_MBPS, NS_PER_MS, NS_PER_S

RATES_MBPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
OVERLOAD = 3
STOPS = 23


def deviations(rate_mbps: int, duration_ns: int) -> list[float]:
    """By how many packets more (or less, negative) than r t + b had departed, at some times."""
    rate_bps = rate_mbps * BPS_PER_MBPS
    inventory = chain(1, rate_mbps)
    burst_bytes = next(iter(inventory.peer_conns.values())).burst_bytes
    flow = FlowSpec(
        name="f", from_ref="i0", to_ref="i1", rate_bps=OVERLOAD * rate_bps, packet_bytes=PACKET_BYTES,
        duration_ns=duration_ns,
    )  # fmt: skip
    lab = running(inventory, [flow])
    nic_bps = next(iter(inventory.instances.values())).nic_mbps * BPS_PER_MBPS
    first_ns = PACKET_BYTES * BITS_PER_BYTE * NS_PER_S // nic_bps
    found = []
    # The burst is gone once the excess has used it up; from then on the cap alone decides.
    spent_ns = burst_bytes * BITS_PER_BYTE * NS_PER_S // ((OVERLOAD - 1) * rate_bps)
    for k in range(1, STOPS + 1):
        stop_ns = spent_ns + 10 * NS_PER_MS + (duration_ns - spent_ns - 20 * NS_PER_MS) * k // STOPS + 12_345
        lab.advance(stop_ns)
        passed = int(lab.engine.counters().egress_bytes.sum())
        allowed = burst_bytes + rate_bps * (stop_ns - first_ns) / BITS_PER_BYTE / NS_PER_S
        found.append((passed - allowed) / PACKET_BYTES)
    return found


def run(plan: Plan) -> list[Row]:
    """The worst deviation for each rate."""
    load_kernels()
    rows = []
    for rate_mbps in RATES_MBPS[:: plan.size(3, 1)]:
        progress(f"accuracy: {rate_mbps} Mbit/s")
        # Long enough for the burst to be used up and a thousand packets after it.
        burst_bytes = next(iter(chain(1, rate_mbps).peer_conns.values())).burst_bytes
        seconds = burst_bytes * BITS_PER_BYTE / ((OVERLOAD - 1) * rate_mbps * BPS_PER_MBPS)
        duration_ns = int(seconds * NS_PER_S) + max(100 * NS_PER_MS, 8_000_000 * NS_PER_MS // rate_mbps // 1000)
        found = deviations(rate_mbps, duration_ns)
        worst = max(found, key=abs)
        row = Row(f"shaped rate at {rate_mbps} Mbit/s against r t + b", unit="packets off at most", target=1.0)
        row.value = abs(worst)
        assert max(found) <= 0, f"{rate_mbps} Mbit/s: more than r t + b passed, by {max(found)} packets"
        rows.append(row)
    return rows


if __name__ == "__main__":
    standalone(run, __doc__)
