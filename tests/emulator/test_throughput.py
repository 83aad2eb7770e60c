"""The law of the cap, seen from the flows: in any window of t seconds at most rate x t + burst bytes pass,
and while there is enough to send, no less than that but one packet.
"""

from __future__ import annotations

from typing import Any

import pytest

from netsim.lab import Lab
from netsim.traffic.flow import FlowSpec
from netsim.units import NS_PER_S
from tests.clouds import two_vpc_lab

OVERHEAD_BYTES = {"l3": 0, "l2": 14, "l1": 38}


def offer(lab: Lab, *specs: dict[str, Any], seconds: int = 2) -> dict[str, dict[str, Any]]:
    """Run flows from web-1 to db-1, and let what waits arrive; figures by name."""
    lab.start_traffic(
        FlowSpec(**{"name": f"f{k}", "from_ref": "web-1", "to_ref": "db-1", "duration_ns": seconds * NS_PER_S, **spec})
        for k, spec in enumerate(specs)
    )
    lab.advance(seconds * NS_PER_S)
    return {flow["name"]: flow for flow in lab.result().to_dict()["flows"]}


@pytest.mark.parametrize("accounting", ["l3", "l2", "l1"])
@pytest.mark.parametrize("packet_bytes", [64, 576, 1500])
@pytest.mark.parametrize("police", [False, True])
def test_a_flow_above_the_cap_gets_the_rate_and_once_the_burst(
    accounting: str, packet_bytes: int, *, police: bool
) -> None:
    rate_mbps, burst_bytes = (1, 4000) if packet_bytes == 64 else (10, 20_000)
    lab = two_vpc_lab(
        bandwidth_mbps=rate_mbps, burst_bytes=burst_bytes, accounting=accounting, police=police, latency_ms=0.05
    )
    figures = offer(lab, {"rate_bps": 2 * rate_mbps * 10**6, "packet_bytes": packet_bytes})["f0"]
    counted_bytes = packet_bytes + OVERHEAD_BYTES[accounting]
    # The last 0.15 ms of departures (cable and VPC) had no time to arrive.
    allowed = rate_mbps * 10**6 // 8 * 2 + burst_bytes
    under_way = rate_mbps * 10**6 // 8 * 15 // 100_000
    received_bytes = figures["packets_received"] * counted_bytes
    assert received_bytes <= allowed
    assert received_bytes >= allowed - under_way - (3 if not police else 4) * counted_bytes
    assert figures["bytes_received"] == figures["packets_received"] * packet_bytes
    assert figures["throughput_bps"] == pytest.approx(figures["bytes_received"] * 8 / 2)
    drops = lab.result().to_dict()["packets"]["dropped"]
    assert set(drops) == {"policed" if police else "queue_full"}


def test_counters_of_the_connection_count_as_its_accounting_says_and_flows_layer_3() -> None:
    for accounting, overhead in OVERHEAD_BYTES.items():
        lab = two_vpc_lab(accounting=accounting)
        figures = offer(lab, {"rate_bps": 8_000_000, "packet_bytes": 1000}, seconds=1)["f0"]
        lab.advance(2 * NS_PER_S)
        (connection,) = lab.result().to_dict()["peer_connections"]
        egress = connection["sides"][0]["egress"]
        assert (egress["packets"], egress["bytes"]) == (1000, 1000 * (1000 + overhead))
        assert connection["sides"][1]["ingress"]["bytes"] == egress["bytes"]
        assert figures["offered_bps"] == 8_000_000


def test_a_flow_below_the_cap_loses_nothing_and_waits_for_nothing() -> None:
    figures = offer(two_vpc_lab(bandwidth_mbps=10), {"rate_bps": 9_900_000})["f0"]
    assert figures["loss_ratio"] == 0
    assert figures["latency_ms"]["max"] == figures["latency_ms"]["min"] == 0.6012
    assert figures["jitter_ms"] == 0


def test_three_flows_share_the_cap_and_together_get_all_of_it() -> None:
    lab = two_vpc_lab(bandwidth_mbps=10)
    specs: list[dict[str, Any]] = [
        {"rate_bps": mbps * 10**6, "packet_bytes": 1000, "arrivals": "poisson"} for mbps in (8, 5, 2)
    ]
    figures = offer(lab, *specs, seconds=4)
    got = [figures[f"f{k}"]["throughput_bps"] for k in range(3)]
    # The cap, and once the burst of 12,500 bytes, less what is under way.
    assert 10_000_000 * 0.999 < sum(got) <= 10_000_000 + 12_500 * 8 / 4
    # Random arrivals see the same queue: each keeps its part of 15 within a tenth or so.
    for share, mbps in zip(got, (8, 5, 2), strict=True):
        assert share == pytest.approx(10_000_000 * mbps / 15, rel=0.12)
    losses = [figures[f"f{k}"]["loss_ratio"] for k in range(3)]
    assert all(0.26 < loss < 0.4 for loss in losses)


def test_both_directions_have_their_own_cap() -> None:
    lab = two_vpc_lab(bandwidth_mbps=10)
    both = offer(
        lab, {"rate_bps": 20_000_000}, {"rate_bps": 20_000_000, "from_ref": "db-1", "to_ref": "web-1"}, seconds=2
    )
    for figures in both.values():
        assert 9_950_000 < figures["throughput_bps"] <= 10_000_000 + 15_000 * 8 / 2


def test_the_queue_holds_what_it_may_and_no_more() -> None:
    """Waiting at most queue / rate: 100 kB at 10 Mbit/s are 80 ms."""
    lab = two_vpc_lab(bandwidth_mbps=10, queue_bytes=100_000)
    figures = offer(lab, {"rate_bps": 20_000_000, "packet_bytes": 1000})["f0"]
    wait_ms = figures["latency_ms"]["max"] - figures["latency_ms"]["min"]
    assert 79 < wait_ms <= 80


def test_a_slow_interface_caps_the_sender() -> None:
    lab = two_vpc_lab(nic_mbps=5, bandwidth_mbps=100)
    figures = offer(lab, {"rate_bps": 10_000_000, "packet_bytes": 1000})["f0"]
    assert figures["throughput_bps"] == pytest.approx(5_000_000, rel=0.002)
    # What waits longer than 50 ms at the interface does not fit.
    assert figures["latency_ms"]["max"] < 50 + 0.6 + 1.6 + 0.1


def test_a_burst_after_silence_passes_at_once_then_the_rate_holds() -> None:
    lab = two_vpc_lab(bandwidth_mbps=1, burst_bytes=15_000)
    spec: dict[str, Any] = {
        "rate_bps": 100_000_000,
        "packet_bytes": 1500,
        "start_ns": NS_PER_S,
        "duration_ns": 2_400_000,
    }
    figures = offer(lab, spec, seconds=3)["f0"]
    # 20 packets in 2.4 ms: ten at once, the others 12 ms apart.
    assert (figures["packets_sent"], figures["packets_received"]) == (20, 20)
    assert figures["latency_ms"]["min"] == 0.6012
    assert figures["latency_ms"]["max"] == pytest.approx(10 * 12 - 19 * 0.12 + 0.6, abs=1.2)
