"""What TCP makes of a capped connection: one flow fills it, eight share it.

A frame of 1,514 bytes carries 1,448 of the flow's (20 IP, 20 TCP, 12 timestamps, 14 Ethernet), so no flow can get more
than rate x 1448/1514 where the cap counts layer 2. The round trip is 20 ms, the queue one bandwidth-delay product: what
a window needs to be halved without the cap running idle. Slow start and its overshoot are in the figures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netsim.traffic.flow import FlowSpec
from netsim.units import NS_PER_MS, NS_PER_S
from tests.clouds import two_vpc_lab

pytestmark = pytest.mark.slow

RTT_MS = 20
ONE_WAY_MS = RTT_MS / 2 - 0.1  # delivery inside the VPCs takes the rest
MOST_RATIO = 1448 / 1514


def figures(rate_mbps: int, starts_ns: list[int], seconds: int, **connection: Any) -> list[dict[str, Any]]:
    """Flows from web-1 to db-1 through one cap; what each got by the end."""
    queue_bytes = rate_mbps * 10**6 // 8 * RTT_MS // 1000
    settings: dict[str, Any] = {"queue_bytes": queue_bytes, "accounting": "l2", "latency_ms": ONE_WAY_MS, **connection}
    lab = two_vpc_lab(bandwidth_mbps=rate_mbps, **settings)
    lab.start_traffic(
        FlowSpec(
            name=f"f{k}",
            from_ref="web-1",
            to_ref="db-1",
            kind="tcp",
            start_ns=start_ns,
            duration_ns=seconds * NS_PER_S - start_ns,
        )
        for k, start_ns in enumerate(starts_ns)
    )
    lab.advance(seconds * NS_PER_S)
    result = lab.result().to_dict()
    packets = result["packets"]
    assert packets["injected"] == packets["delivered"] + packets["in_flight"] + sum(packets["dropped"].values())
    flows: list[dict[str, Any]] = result["flows"]
    return flows


@pytest.mark.parametrize(("rate_mbps", "tolerance"), [(10, 0.02), (100, 0.02), (500, 0.02), (1000, 0.03)])
def test_one_flow_fills_the_cap(rate_mbps: int, tolerance: float) -> None:
    (flow,) = figures(rate_mbps, [0], 30)
    most_bps = rate_mbps * 10**6 * MOST_RATIO
    assert most_bps * (1 - tolerance) <= flow["goodput_bps"] <= most_bps


@pytest.mark.parametrize("rate_mbps", [10, 100])
@pytest.mark.parametrize("seed", range(3))
def test_eight_equal_flows_share_the_cap(seed: int, rate_mbps: int) -> None:
    """Jain's index, (sum x)^2 / (n sum x^2): 1 if all got the same, 1/8 if one got all."""
    starts_ns = sorted(int(at) for at in np.random.default_rng(seed).integers(0, 1000 * NS_PER_MS, 8))
    flows = figures(rate_mbps, starts_ns, 60)
    got = [flow["goodput_bps"] for flow in flows]
    assert sum(got) ** 2 / (8 * sum(x * x for x in got)) >= 0.95
    assert sum(got) >= rate_mbps * 10**6 * MOST_RATIO * 0.97


@pytest.mark.parametrize("queue_ratio", [0.1, 0.5])
def test_a_queue_too_short_for_the_window_costs_goodput(queue_ratio: float) -> None:
    """Halving leaves the cap idle then: between 3/4 (no queue at all) and all of the rate, for Reno."""
    queue_bytes = int(100 * 10**6 // 8 * RTT_MS // 1000 * queue_ratio)
    (short,) = figures(100, [0], 30, queue_bytes=queue_bytes)
    (full,) = figures(100, [0], 30)
    assert 0.6 * 10**8 * MOST_RATIO <= short["goodput_bps"] < full["goodput_bps"]


def test_a_cap_that_counts_more_for_a_packet_leaves_less_for_the_flow() -> None:
    """Layer 1 counts 38 bytes around each packet, layer 3 none."""
    got = {
        accounting: figures(50, [0], 20, accounting=accounting)[0]["goodput_bps"] for accounting in ("l3", "l2", "l1")
    }
    assert got["l3"] / got["l2"] == pytest.approx(1514 / 1500, rel=0.01)
    assert got["l2"] / got["l1"] == pytest.approx(1538 / 1514, rel=0.01)
