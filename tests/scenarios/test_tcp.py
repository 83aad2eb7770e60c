"""TCP over capped connections: what a flow gets, and how flows share. Compiled kernels; slow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import netsim
from netsim import FlowSpec, edit
from netsim.units import NS_PER_S

pytestmark = pytest.mark.slow

RTT_MS = 20
FULL_SEGMENT = 1448 / 1514
"""Payload of a segment of 1500 bytes with timestamps, over what layer 2 counts of it."""


def capped(mbps: int, n: int = 1) -> netsim.Lab:
    """n instances a side; one connection with 20 ms round trip and a queue of one bandwidth-delay product."""
    inventory = netsim.Inventory(seed=1, profile="research")
    edits: list[edit.Edit[Any]] = [edit.CreateAccount("acme")]
    for k, name in enumerate("ab"):
        edits += [
            edit.CreateVpc(name, "bj", f"10.{k}.0.0/16", "acme"),
            edit.CreateSubnet(name, "s", f"10.{k}.0.0/24"),
            *(edit.CreateInstance(f"{name}{i}", f"{name}/s", f"10.{k}.0.{10 + i}") for i in range(n)),
        ]
    queue_bytes = mbps * 1_000_000 // 8 * RTT_MS // 1000
    edits += [
        edit.CreatePeerConn(
            "a", "b", mbps, "cap", "out", "in", latency_ms=RTT_MS / 2, queue_bytes=queue_bytes, accounting="l2"
        ),
        edit.CreateRoute("a", "0.0.0.0/0", "10.1.0.0/16", "out"),
        edit.CreateRoute("b", "0.0.0.0/0", "10.0.0.0/16", "in"),
    ]
    inventory.apply(*edits)
    lab = netsim.Lab(inventory)
    lab.engine.is_compiled = True
    return lab


@pytest.mark.parametrize(("mbps", "within"), [(10, 0.02), (100, 0.02), (500, 0.02), (1000, 0.03)])
def test_one_flow_fills_the_cap(mbps: int, within: float) -> None:
    """Goodput over the whole 20 s, the first slow start included; ten seconds give up to 3 % less."""
    lab = capped(mbps)
    lab.start_traffic([FlowSpec(name="one", from_ref="a0", to_ref="b0", kind="tcp", duration_ns=20 * NS_PER_S)])
    lab.advance(10 * NS_PER_S)
    early_bps = lab.result().flow("one")["goodput_bps"]
    lab.advance(20 * NS_PER_S)
    flow = lab.result().flow("one")
    best_bps = mbps * 1_000_000 * FULL_SEGMENT
    assert (1 - within) * best_bps <= flow["goodput_bps"] <= 1.005 * best_bps
    assert early_bps >= 0.965 * best_bps
    assert flow["fast_recoveries"] > 0 and flow["timeouts"] <= 1
    assert RTT_MS <= flow["srtt_ms"] <= 2.5 * RTT_MS
    totals = lab.totals()
    assert totals.injected == totals.delivered + totals.dropped + totals.in_flight


@pytest.mark.parametrize("seed", [1, 2])
def test_eight_equal_flows_share_fairly(seed: int) -> None:
    """Jain's index of their goodputs over 60 s, though they start up to five seconds apart."""
    lab = capped(100, 8)
    starts = np.random.default_rng(seed).integers(0, 5 * NS_PER_S, 8).tolist()
    lab.start_traffic(
        FlowSpec(name=f"f{k}", from_ref=f"a{k}", to_ref=f"b{k}", kind="tcp", start_ns=starts[k]) for k in range(8)
    )
    lab.advance(60 * NS_PER_S)
    result = lab.result()
    shares = [result.flow(f"f{k}")["goodput_bps"] * result.flow(f"f{k}")["duration_s"] for k in range(8)]
    jain = sum(shares) ** 2 / 8 / sum(share**2 for share in shares)
    assert jain >= 0.95
    assert sum(shares) / 60 >= 0.96 * 100e6 * FULL_SEGMENT


def test_a_closed_flow_leaves_nothing_behind() -> None:
    lab = capped(50)
    spec = FlowSpec(name="one", from_ref="a0", to_ref="b0", kind="tcp", duration_ns=3 * NS_PER_S)
    lab.start_traffic([spec])
    lab.advance(70 * NS_PER_S)
    assert lab.engine.next_event_ns() is None
    assert lab.totals().in_flight == 0
