"""Packet time follows a wall that the test moves; threads share the emulator without losing a packet."""

from __future__ import annotations

import threading
import time
from operator import methodcaller

import pytest

from netsim.controlplane import edit
from netsim.controlplane.inventory import Inventory
from netsim.emulator import Emulator, Progress
from netsim.errors import UsageError
from netsim.realtime import FRESH_NS, STEP_NS, RealTime
from netsim.traffic.flow import FlowSpec
from netsim.units import NS_PER_MS, NS_PER_S


class Wall:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.now_ns = 10**12

    def __call__(self) -> int:
        return self.now_ns


def emulator() -> Emulator:
    inventory = Inventory()
    inventory.apply(
        edit.CreateAccount("acme"),
        edit.CreateVpc("a", "bj", "10.0.0.0/16", account="acme"),
        edit.CreateVpc("b", "bj", "10.1.0.0/16", account="acme"),
        edit.CreateSubnet("a", "s", "10.0.0.0/24"),
        edit.CreateSubnet("b", "t", "10.1.0.0/24"),
        edit.CreateInstance("a-1", "s", "10.0.0.10"),
        edit.CreateInstance("b-1", "t", "10.1.0.10"),
        edit.CreatePeerConn("a", "b", 10, "c", "to-b", "to-a"),
        edit.CreateRoute("a", "0.0.0.0/0", "10.1.0.0/16", "to-b"),
        edit.CreateRoute("b", "0.0.0.0/0", "10.0.0.0/16", "to-a"),
    )
    return Emulator(inventory)


def start_flow(emulator: Emulator) -> None:
    spec = FlowSpec(name="f", from_ref="a-1", to_ref="b-1", rate_bps=1_000_000, packet_bytes=1000)
    by_name = {instance.name: instance.id for instance in emulator.inventory.instances.values()}
    emulator.start_flow(spec, by_name["a-1"], by_name["b-1"])


def test_packet_time_follows_the_wall() -> None:
    wall = Wall()
    real = RealTime(emulator(), wall=wall)
    wall.now_ns += 15 * NS_PER_MS
    assert real.call(lambda e: e.now_ns) == 15 * NS_PER_MS
    real.set_speed(2.0)
    wall.now_ns += 5 * NS_PER_MS
    assert real.call(lambda e: e.now_ns) == 25 * NS_PER_MS


def test_time_that_runs_fast_is_kept_up_with() -> None:
    wall = Wall()
    real = RealTime(emulator(), speed=60.0, wall=wall)
    real.call(start_flow)
    for _ in range(40):
        wall.now_ns += FRESH_NS + NS_PER_MS
        real.call(lambda e: e.now_ns)
    assert real.lag_ns == 0


def test_both_clocks_move_together_and_the_control_clock_alone() -> None:
    wall = Wall()
    real = RealTime(emulator(), wall=wall)
    start_ns = real.call(lambda e: e.inventory.clock.now_ns)
    wall.now_ns += FRESH_NS
    real.advance_control_clock(7 * 86_400 * NS_PER_S)
    assert real.call(lambda e: (e.now_ns, e.inventory.clock.now_ns - start_ns)) == (
        FRESH_NS,
        7 * 86_400 * NS_PER_S + FRESH_NS,
    )


def test_the_present_is_not_looked_for_again_at_once() -> None:
    wall = Wall()
    real = RealTime(emulator(), wall=wall)
    wall.now_ns += 7 * NS_PER_MS
    assert real.call(lambda e: e.now_ns) == 7 * NS_PER_MS
    wall.now_ns += FRESH_NS - 1
    assert real.call(lambda e: e.now_ns) == 7 * NS_PER_MS
    wall.now_ns += 1
    assert real.call(lambda e: e.now_ns) == 7 * NS_PER_MS + FRESH_NS


def test_a_request_waits_for_one_step_at_most() -> None:
    wall = Wall()
    real = RealTime(emulator(), wall=wall)
    wall.now_ns += NS_PER_S
    assert real.call(lambda e: e.now_ns) == STEP_NS
    assert real.lag_ns == NS_PER_S - STEP_NS


def test_a_stopped_clock_is_stepped() -> None:
    wall = Wall()
    real = RealTime(emulator(), speed=0, wall=wall)
    wall.now_ns += NS_PER_S
    assert real.call(lambda e: e.now_ns) == 0
    real.step(3 * NS_PER_S)
    assert real.call(lambda e: e.now_ns) == 3 * NS_PER_S
    assert real.lag_ns == 0


@pytest.mark.parametrize("speed", [-1.0, float("nan"), 1e9])
def test_other_speeds_are_refused(speed: float) -> None:
    real = RealTime(emulator(), wall=Wall())
    with pytest.raises(UsageError, match="speed"):
        real.set_speed(speed)
    assert real.speed == 1.0


def test_an_exception_comes_through_and_nothing_is_left_locked() -> None:
    real = RealTime(emulator(), wall=Wall())
    with pytest.raises(ZeroDivisionError):
        real.call(lambda _: 1 // 0)
    assert real.call(lambda e: e.now_ns) == 0


class Slow(Emulator):
    """More traffic than the machine can move: packets take three times as long as they should."""

    def advance(self, until_ns: int, progress: Progress | None = None) -> None:
        time.sleep(3 * (until_ns - self.now_ns) / NS_PER_S)
        super().advance(until_ns, progress)


@pytest.mark.slow
def test_requests_and_packets_take_turns_when_there_are_too_many_of_both() -> None:
    real = RealTime(Slow(Inventory()))
    real.start()
    time.sleep(0.3)
    counts = [0] * 4

    def ask(number: int) -> None:
        while time.monotonic() < deadline:
            real.call(lambda e: e.now_ns)
            counts[number] += 1
            time.sleep(0.001)

    before_ns, deadline = real.call(lambda e: e.now_ns), time.monotonic() + 2
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    real.stop()
    assert min(counts) > 50
    assert real.call(lambda e: e.now_ns) - before_ns > NS_PER_S // 10
    assert real.lag_ns > 0


def test_threads_change_a_running_network_and_no_packet_is_lost() -> None:
    real = RealTime(emulator(), speed=20.0)
    real.call(start_flow)
    real.start()

    def edits(name: str) -> None:
        for k in range(10):
            rule = edit.CreateRoute("a", "0.0.0.0/0", f"172.{name}.{k}.0/24", "blackhole")
            real.call(methodcaller("apply", rule))

    threads = [threading.Thread(target=edits, args=(str(16 + n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deadline = time.monotonic() + 20
    while real.call(lambda e: e.now_ns) < NS_PER_S and time.monotonic() < deadline:
        time.sleep(0.01)
    real.stop()
    assert real.failure is None
    totals = real.call(lambda e: e.totals())
    assert totals.injected == totals.delivered + totals.dropped + totals.in_flight
    assert totals.delivered > 100
    assert real.call(lambda e: len(e.inventory.rules)) == 42
