"""Fair shares: against networks worked out by hand, and against the definition of max-min fairness."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from netsim.controlplane.edit import CreateRoute, DeleteRoute, ResizePeerConn
from netsim.verify.bottleneck import Demand, Share, fair_shares
from netsim.verify.network import Network
from tests.clouds import chain, two_vpcs

MBPS = 10**6


def shares(network: Network, *demands: Demand) -> list[Share]:
    return fair_shares(network, demands)


def test_two_flows_halve_a_connection() -> None:
    network = Network.of(two_vpcs())
    found = shares(network, Demand("a", "web-1", "db-1"), Demand("b", "web-2", "db-1"))
    assert [share.rate_bps for share in found] == [50 * MBPS, 50 * MBPS]
    assert {(share.limited_by, share.bottleneck) for share in found} == {("connection", "shop-data, shop to data")}


def test_directions_have_caps_of_their_own() -> None:
    found = shares(Network.of(two_vpcs()), Demand("a", "web-1", "db-1"), Demand("b", "db-1", "web-1"))
    assert [share.rate_bps for share in found] == [100 * MBPS] * 2


def test_tcp_without_a_way_back_gets_nothing() -> None:
    inventory = two_vpcs()
    (rule,) = (rule for rule in inventory.rules.values() if inventory.vpcs[rule.vpc_id].name == "data")
    inventory.apply(DeleteRoute(rule.id))
    network = Network.of(inventory)
    udp, tcp = shares(network, Demand("u", "web-1", "db-1"), Demand("t", "web-1", "db-1", finds_mtu=True))
    assert (udp.rate_bps, udp.limited_by) == (100 * MBPS, "connection")
    assert (tcp.rate_bps, tcp.limited_by, tcp.bottleneck) == (0, "not_delivered", "no_return_route")


def test_what_a_small_flow_leaves_the_others_take() -> None:
    network = Network.of(two_vpcs())
    small = Demand("small", "web-1", "db-1", 10 * MBPS)
    found = shares(network, small, Demand("a", "web-1", "db-1"), Demand("b", "web-2", "db-1", 80 * MBPS))
    assert [(share.rate_bps, share.limited_by) for share in found] == [
        (10 * MBPS, "demand"), (45 * MBPS, "connection"), (45 * MBPS, "connection"),
    ]  # fmt: skip


def test_the_textbook_chain() -> None:
    """Bertsekas and Gallager's example: a long flow and short ones over a chain of unequal caps."""
    inventory = chain(4)
    inventory.apply(ResizePeerConn("c1", 40))
    found = shares(
        Network.of(inventory),
        Demand("long", "i0", "i3"), Demand("first", "i0", "i1"),
        Demand("middle", "i1", "i2"), Demand("last", "i2", "i3"),
    )  # fmt: skip
    assert [share.rate_bps for share in found] == [20 * MBPS, 80 * MBPS, 20 * MBPS, 80 * MBPS]
    assert found[0].bottleneck == "c1, v1 to v2"


def test_accounting_counts_headers() -> None:
    """`l2` counts 14 bytes more a packet, so of 100 Mbit/s a flow of 100-byte packets gets 100 / 114."""
    network = Network.of(two_vpcs(accounting="l2"))
    (found,) = shares(network, Demand("a", "web-1", "db-1", None, 100))
    assert found.rate_bps == 100 * MBPS * 100 // 114


def test_what_a_flow_leaves_is_counted_with_its_headers() -> None:
    network = Network.of(two_vpcs(accounting="l2"))
    found = shares(network, Demand("small", "web-1", "db-1", 10 * MBPS, 100), Demand("a", "web-2", "db-1"))
    assert found[1].rate_bps == (100 * MBPS - 10 * MBPS * 114 // 100) * 1500 // 1514


def test_an_interface_may_be_the_bottleneck() -> None:
    network = Network.of(two_vpcs(nic_mbps=30))
    found = shares(network, Demand("a", "web-1", "db-1"), Demand("local", "web-1", "web-2"))
    assert [(share.rate_bps, share.limited_by, share.bottleneck) for share in found] == [
        (15 * MBPS, "interface", "web-1")
    ] * 2


def test_what_is_not_delivered_gets_nothing_and_takes_nothing() -> None:
    inventory = two_vpcs()
    inventory.apply(CreateRoute("shop", "192.168.0.10/32", "10.1.0.0/16", "blackhole"))
    found = shares(Network.of(inventory), Demand("a", "web-1", "db-1"), Demand("b", "web-2", "db-1"))
    assert [(share.rate_bps, share.limited_by, share.bottleneck) for share in found] == [
        (0, "not_delivered", "blackhole"), (100 * MBPS, "connection", "shop-data, shop to data"),
    ]  # fmt: skip
    assert found[0].to_dict()["peer_connection"] is None


@pytest.mark.parametrize("seed", range(20))
def test_shares_are_max_min_fair(seed: int) -> None:
    """No cap is overrun, and each flow has a full cap on which nobody gets more, or all it offers."""
    rng = np.random.Generator(np.random.PCG64(seed))
    n = 6
    inventory = chain(n)
    for k in range(n - 1):
        inventory.apply(ResizePeerConn(f"c{k}", int(rng.integers(5, 100))))
    cap = {k: inventory.peer_conn(f"c{k}").bandwidth_mbps * MBPS for k in range(n - 1)}
    demands, spans = [], []
    for a, b in itertools.combinations(range(n), 2):
        rate = int(rng.integers(1, 40)) * MBPS if rng.random() < 0.5 else None
        demands.append(Demand(f"{a}-{b}", f"i{a}", f"i{b}", rate))
        spans.append(range(a, b))
    found = [share.rate_bps for share in shares(Network.of(inventory), *demands)]
    load = {k: sum(rate for rate, span in zip(found, spans, strict=True) if k in span) for k in cap}
    assert all(load[k] <= cap[k] for k in cap)
    for rate, span, demand in zip(found, spans, demands, strict=True):
        full = [k for k in span if load[k] >= cap[k] - len(found)]
        fairest = any(rate >= max(r for r, s in zip(found, spans, strict=True) if k in s) - 1 for k in full)
        assert fairest or rate == demand.rate_bps
