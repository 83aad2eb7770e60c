"""A network built in code with the public names only, from the account to the figures."""

from __future__ import annotations

import pytest

import netsim
from netsim import FlowSpec, edit
from netsim.errors import RefusedError, UsageError
from netsim.lab import DEFAULT_RUN_NS
from netsim.units import NS_PER_S


def built() -> netsim.Lab:
    inventory = netsim.Inventory(seed=3)
    inventory.apply(
        edit.CreateAccount("acme"),
        edit.CreateAccount("partner"),
        edit.CreateVpc("shop", "bj", "192.168.0.0/16", "acme"),
        edit.CreateVpc("bank", "gz", "10.1.0.0/16", "partner"),
        edit.CreateSubnet("shop", "web", "192.168.0.0/24"),
        edit.CreateSubnet("bank", "core", "10.1.0.0/24"),
        edit.CreateInstance("web-1", "shop/web", "192.168.0.10"),
        edit.CreateInstance("ledger", "bank/core", "10.1.0.9", listen=["tcp/443"]),
    )
    return netsim.Lab(inventory)


def test_request_accept_route_ping_run_and_measure() -> None:
    lab = built()
    assert lab.ping("web-1", "ledger").errors[0].code == 0

    bank = lab.inventory.vpc("bank").id
    conn = lab.apply(edit.CreatePeerConn("shop", bank, 10, "pay", "out", peer_account="partner"), account="acme")
    assert str(conn.state) == "consulting"
    lab.apply(edit.CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "out"), account="acme")
    assert lab.probe("web-1", "ledger").reason == "bad_state_route"

    lab.apply(edit.AcceptPeerConn(conn.id), account="partner")
    assert lab.probe("web-1", "ledger").reason == "no_return_route"
    lab.apply(
        edit.UpdatePeerConn(conn.id, side="peer", interface_name="in"),
        edit.CreateRoute("bank", "10.1.0.0/24", "192.168.0.0/16", "in"),
        account="partner",
    )
    assert lab.probe("web-1", "ledger", (6, 443)).verdict == "reachable"
    assert lab.ping("web-1", "ledger").replies[0].ttl == 62

    lab.start_traffic(
        [
            FlowSpec(name="up", from_ref="web-1", to_ref="ledger", rate_bps=15_000_000, duration_ns=2 * NS_PER_S),
            FlowSpec(name="echo", from_ref="ledger", to_ref="web-1", kind="icmp", duration_ns=2 * NS_PER_S),
        ]
    )
    result = lab.run(3)
    # The cap, and over its own two seconds once the burst and what waited in the queue when it ended.
    assert 10e6 < result.flow("up")["throughput_bps"] <= 10e6 + (12_500 + 65_536) * 8 / 2
    assert result.flow("up")["loss_ratio"] == pytest.approx(0.3, abs=0.03)
    assert result.flow("echo")["replies_received"] == 2
    assert result.to_dict()["topology"] == "in code"
    assert result.to_dict()["seed"] == 3


def test_a_run_without_flows_lasts_ten_seconds_of_packet_time() -> None:
    lab = built()
    assert lab.run().to_dict()["duration_s"] == 10
    assert lab.now_ns == DEFAULT_RUN_NS


def test_a_flow_ends_with_the_run_that_carries_it_or_goes_on_when_it_was_started_apart() -> None:
    lab = netsim.Lab(built().inventory)
    lab.start_traffic([FlowSpec(name="on", from_ref="web-1", to_ref="web-1", rate_bps=1_200_000)])
    assert lab.run(1).flow("on")["packets_sent"] == 100
    assert lab.run(1).flow("on")["packets_sent"] == 200


@pytest.mark.parametrize("seconds", [0, -1, 10**9, float("nan"), float("inf")])
def test_a_run_takes_some_time_and_not_for_ever(seconds: float) -> None:
    lab = built()
    with pytest.raises(UsageError, match="duration"):
        lab.run(seconds)
    assert lab.now_ns == 0


def test_tcp_flows_with_and_without_a_rate_run_and_end() -> None:
    """One writes 100 kbit/s of whole packets for a second, the other takes what it gets; both close in order."""
    lab = built()
    bank = lab.inventory.vpc("bank").id
    conn = lab.apply(edit.CreatePeerConn("shop", bank, 100, "pay", "out", peer_account="partner"), account="acme")
    lab.apply(edit.AcceptPeerConn(conn.id), account="partner")
    lab.apply(
        edit.UpdatePeerConn(conn.id, side="peer", interface_name="in"),
        edit.CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "out"),
        edit.CreateRoute("bank", "10.1.0.0/24", "192.168.0.0/16", "in"),
    )
    fed = FlowSpec(name="fed", from_ref="web-1", to_ref="ledger", kind="tcp", rate_bps=100_000, duration_ns=10**9)
    bulk = FlowSpec(name="bulk", from_ref="web-1", to_ref="ledger", kind="tcp", duration_ns=5 * 10**8)
    lab.start_traffic([fed, bulk])
    lab.advance(3 * 10**9)
    result = lab.result()
    writes = -(-100_000 // (8 * 1500))
    assert result.flow("fed")["goodput_bps"] == writes * (1500 - 52) * 8
    assert result.flow("fed")["packets_sent"] == result.flow("fed")["packets_received"] == writes + 2
    assert (result.flow("fed")["retransmits"], result.flow("fed")["timeouts"]) == (0, 0)
    assert result.flow("bulk")["goodput_bps"] > 10_000_000
    assert result.flow("bulk")["cwnd_bytes"] > 14_480 and 0 < result.flow("bulk")["srtt_ms"] < 100
    totals = lab.totals()
    assert totals.injected == totals.delivered + totals.dropped and totals.in_flight == 0


def test_the_inventory_refuses_and_the_network_stays() -> None:
    lab = built()
    with pytest.raises(RefusedError):
        lab.apply(edit.CreateInstance("twin", "shop/web", "192.168.0.10"))
    assert lab.ping("web-1", "192.168.0.1").received == 1


def test_the_graph_is_that_of_the_moment() -> None:
    lab = built()
    before = lab.graph().number_of_nodes()
    lab.apply(edit.CreateInstance("web-2", "shop/web"))
    assert lab.graph().number_of_nodes() == before + 1


def test_route_get_names_the_winner_and_the_beaten() -> None:
    lab = built()
    lab.apply(
        edit.CreateRoute("shop", "0.0.0.0/0", "0.0.0.0/0", "gateway:internet"),
        edit.CreateRoute("shop", "192.168.0.0/24", "10.0.0.0/8", "blackhole"),
    )
    choice = lab.route_get("web-1", "ledger")
    assert choice.winner is not None
    assert str(choice.winner.destination) == "10.0.0.0/8"
    assert [str(candidate.destination) for candidate in choice.beaten] == ["0.0.0.0/0"]
    assert lab.route_get("web-1", "8.8.8.8").beaten == ()
