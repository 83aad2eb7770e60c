"""Packet time, the control clock, and what they make due."""

from __future__ import annotations

import pytest

from netsim.clock import FILE_RUN_START_NS, VirtualClock
from netsim.controlplane.edit import (
    AcceptPeerConn,
    CreateAccount,
    CreateInstance,
    CreatePeerConn,
    CreateRoute,
    CreateSubnet,
    CreateVpc,
)
from netsim.controlplane.inventory import Inventory
from netsim.dataplane.disposition import Disposition
from netsim.emulator import Emulator
from netsim.errors import ClockError, RefusedError
from netsim.lab import Lab
from netsim.traffic.flow import FlowSpec
from netsim.units import NS_PER_DAY, NS_PER_MS, NS_PER_S
from tests.clouds import two_vpc_lab

WEEK_NS = 7 * NS_PER_DAY


def consulting(clock: VirtualClock | None = None, **connection: object) -> Lab:
    inventory = Inventory(clock=clock)
    inventory.apply(
        CreateAccount("acme"),
        CreateAccount("other"),
        CreateVpc("a", "bj", "10.1.0.0/16", "acme"),
        CreateVpc("b", "gz", "10.2.0.0/16", "other"),
        CreateSubnet("a", "s", "10.1.0.0/24"),
        CreateSubnet("b", "s", "10.2.0.0/24"),
        CreateInstance("a1", "a/s", "10.1.0.10"),
        CreateInstance("b1", "b/s", "10.2.0.10"),
        CreatePeerConn("a", "b", 10, "c", "left", "right", **connection),  # type: ignore[arg-type]
        CreateRoute("a", "0.0.0.0/0", "10.2.0.0/16", "left"),
        CreateRoute("b", "0.0.0.0/0", "10.1.0.0/16", "right"),
    )
    return Lab(inventory)


def state(lab: Lab) -> str:
    return str(lab.inventory.peer_conn("c").state)


def test_a_request_nobody_answers_fails_after_seven_days_of_the_control_clock_alone() -> None:
    lab = consulting()
    lab.advance_control_clock(WEEK_NS - 1)
    assert (state(lab), lab.now_ns) == ("consulting", 0)
    lab.advance_control_clock(1)
    assert (state(lab), lab.now_ns) == ("consult_failed", 0)
    with pytest.raises(RefusedError):
        lab.apply(AcceptPeerConn("c"))


def test_an_accepted_connection_does_not_expire_with_the_request() -> None:
    lab = consulting()
    lab.advance_control_clock(WEEK_NS - 1)
    lab.apply(AcceptPeerConn("c"), account="other")
    lab.advance_control_clock(WEEK_NS)
    assert state(lab) == "active"
    assert lab.ping("a1", "b1").received == 1


def test_packet_time_moves_the_control_clock_and_stops_at_the_deadline() -> None:
    lab = consulting()
    lab.advance_control_clock(WEEK_NS - 150 * NS_PER_MS)
    lab.advance(150 * NS_PER_MS - 1)
    assert state(lab) == "consulting"
    lab.advance(150 * NS_PER_MS)
    assert state(lab) == "consult_failed"
    assert lab.inventory.clock.now_ns == FILE_RUN_START_NS + WEEK_NS


def test_a_prepaid_connection_ends_in_the_middle_of_a_flow() -> None:
    """Packets before the end of the month pass; those after it do not. The instant is exact."""
    lab = consulting(payment="prepaid", state="active", latency_ms=1)
    expires_ns = lab.inventory.peer_conn("c").expires_at_ns
    assert expires_ns is not None
    lab.advance_control_clock(expires_ns - FILE_RUN_START_NS - 500 * NS_PER_MS)
    spec = FlowSpec(name="f", from_ref="a1", to_ref="b1", rate_bps=8_000_000, packet_bytes=1000, duration_ns=NS_PER_S)
    (flow,) = lab.start_traffic([spec])
    lab.advance(2 * NS_PER_S)
    figures = lab.result().flow("f")
    # One packet each ms, the first at 0: those sent before 500 ms reach the router before it.
    assert (figures["packets_sent"], figures["packets_received"]) == (1000, 500)
    assert int(lab.totals().by_disposition[Disposition.BAD_STATE_ROUTE]) == 500
    assert (state(lab), flow.end_ns) == ("expired", NS_PER_S)


def test_a_deadline_between_cuts_of_a_run_is_met_all_the_same() -> None:
    results = []
    for pieces in (1, 7, 997):
        lab = consulting(payment="prepaid", state="active")
        expires_ns = lab.inventory.peer_conn("c").expires_at_ns or 0
        lab.advance_control_clock(expires_ns - FILE_RUN_START_NS - 333 * NS_PER_MS)
        lab.start_traffic([FlowSpec(name="f", from_ref="a1", to_ref="b1", rate_bps=5_000_000, duration_ns=NS_PER_S)])
        for k in range(1, pieces + 1):
            lab.advance(NS_PER_S * k // pieces)
        results.append(lab.result().to_dict())
    assert results[0] == results[1] == results[2]
    assert results[0]["packets"]["dropped"]["bad_state_route"] > 100


def test_the_control_clock_does_not_run_backwards_nor_move_packets() -> None:
    lab = two_vpc_lab()
    with pytest.raises(ClockError):
        lab.advance_control_clock(-1)
    lab.advance_control_clock(NS_PER_DAY)
    assert lab.now_ns == 0
    assert lab.inventory.clock.now_ns == FILE_RUN_START_NS + NS_PER_DAY


def test_samples_on_the_control_clock_show_the_gap() -> None:
    lab = two_vpc_lab()
    lab.ping("web-1", "db-1")
    lab.advance(2 * NS_PER_S)
    lab.advance_control_clock(NS_PER_DAY)
    lab.advance(3 * NS_PER_S)
    starts = lab.monitor.series("shop-data", "local", "control").start_ns - FILE_RUN_START_NS
    assert starts.tolist() == [0, NS_PER_S, 2 * NS_PER_S + NS_PER_DAY]


def test_samples_on_the_control_clock_begin_where_that_stood() -> None:
    start_ns = 1_000_000_000 * NS_PER_S  # in 2001
    lab = consulting(VirtualClock(start_ns))
    lab.advance(NS_PER_S)
    assert lab.monitor.series("c", "local", "control").start_ns.tolist() == [start_ns]


def test_progress_is_told_and_ends_at_the_end() -> None:
    lab = two_vpc_lab()
    lab.start_traffic([FlowSpec(name="busy", from_ref="web-1", to_ref="db-1", rate_bps=10_000)])
    lab.advance(50)
    told: list[tuple[int, int]] = []
    lab.advance(NS_PER_S + 50, lambda done, total: told.append((done, total)))
    assert told[-1] == (NS_PER_S, NS_PER_S)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert len(told) >= 10


def test_the_sample_period_is_the_callers() -> None:
    lab = two_vpc_lab()
    emulator = Emulator(lab.inventory, sample_period_ns=250 * NS_PER_MS)
    emulator.advance(NS_PER_S)
    assert len(emulator.monitor.series("shop-data", "local").start_ns) == 4
