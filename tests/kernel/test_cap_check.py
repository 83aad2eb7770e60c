"""Caps: UDP throughput and loss, and TCP goodput, are what the kernel's token bucket gives."""

from __future__ import annotations

import pytest

from netsim.kernel.cap_check import FAST_RATE_TOLERANCE, LOSS_TOLERANCE, RATE_TOLERANCE, CapResult, check_caps
from netsim.kernel.journal import Journal
from tests.clouds import two_vpcs
from tests.kernel.bench import SHOP, Bench

SECONDS = 1.5


@pytest.mark.netns
@pytest.mark.slow
@pytest.mark.usefixtures("real_kernel")
@pytest.mark.parametrize("mbps", [10, 100, 500, 1000])
def test_half_and_more_than_the_cap(journal: Journal, mbps: int) -> None:
    """Half of the cap passes whole; of 1.6 times the cap, rate times time and what burst and queue hold (60 ms)."""
    found = check_caps(two_vpcs(bandwidth_mbps=mbps), SECONDS, factors=(0.5, 1.6), journal=journal)
    assert [(each.kind, each.factor) for each in found] == [("udp", 0.5), ("udp", 1.6), ("tcp", 0.5), ("tcp", 1.6)]
    for each in found:
        assert each.agrees, each
    half, over, _, tcp = found
    assert half.netsim_loss == 0 and half.kernel_loss <= LOSS_TOLERANCE
    l3_bps = mbps * 1e6 * 1500 / 1514
    assert over.kernel_bps == pytest.approx(l3_bps * (1 + 0.06 / SECONDS), rel=0.02)
    assert tcp.kernel_bps == pytest.approx(mbps * 1e6 * 1448 / 1514, rel=0.03)
    assert not journal.all()


def test_what_is_near_enough() -> None:
    near = CapResult("c", 100, "udp", 1.6, 3.0, 160e6, 100e6, 101e6, 0.36, 0.365)
    assert near.agrees
    assert not near.__class__("c", 100, "udp", 1.6, 3.0, 160e6, 100e6, 103e6, 0.36, 0.36).agrees
    assert near.__class__("c", 1000, "udp", 1.6, 3.0, 160e6, 1000e6, 1025e6, 0.36, 0.36).agrees
    assert not near.__class__("c", 100, "udp", 1.6, 3.0, 160e6, 100e6, 100e6, 0.36, 0.38).agrees
    assert not near.__class__("c", 100, "udp", 1.6, 3.0, 160e6, 100e6, 0.0, 0.36, 0.36).agrees, "nothing came"
    assert (RATE_TOLERANCE, FAST_RATE_TOLERANCE, LOSS_TOLERANCE) == (0.02, 0.03, 0.01)


@pytest.mark.netns
@pytest.mark.slow
@pytest.mark.usefixtures("real_kernel")
def test_the_command_prints_both_sides(bench: Bench) -> None:
    done = bench("crosscheck", SHOP, "--caps", "--seconds", "0.5", "--json")
    assert done.code in (0, 1), done
    assert [(each["kind"], each["factor"]) for each in done.json["caps"]] == [
        (kind, factor) for kind in ("udp", "tcp") for factor in (0.5, 1.0, 1.6)
    ]
    assert done.json["agrees"] is (done.code == 0)
