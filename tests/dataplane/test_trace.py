"""The journal: what is recorded of watched packets and at taps, once each and in order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netsim.dataplane import trace
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.engine import Engine
from netsim.dataplane.row import AT, N_FIELDS, SIZE, TTL
from netsim.units import NS_PER_S
from tests.dataplane.experiment import Experiment, Traffic, engine_of
from tests.dataplane.network import Network
from tests.dataplane.two_vpcs import echo, tcp, two_vpcs, udp
from tests.reference.scalar_forward import Packet

EVENTS = [
    "sent", "answered", "error_made", "same_subnet", "looked_up", "forwarded", "fragmented", "queued", "arrived",
    "ended", "tap_link", "tap_sent", "tap_received",
]  # fmt: skip


def engine_with(*packets: Packet, network: Network | None = None) -> Engine:
    stored = [(packet, 0, 0) for packet in packets]
    at_ns = [k * 1_000_000 for k in range(len(packets))]
    traffic = Traffic(0, 1, None, at_ns, rows=list(range(len(packets))))
    return engine_of(Experiment(network or two_vpcs(), [traffic], NS_PER_S, stored))


def records(engine: Engine, until_ns: int = NS_PER_S) -> list[tuple[str, Any]]:
    """(event, record) by time, in the order of the journal where times are equal."""
    engine.advance(until_ns)
    journal = sorted(engine.take_journal().tolist(), key=lambda record: record[AT])
    return [(EVENTS[record[trace.J_EVENT]], record) for record in journal]


def test_a_watched_packet_leaves_every_step() -> None:
    steps = records(engine_with(udp()))
    assert [event for event, _ in steps] == [
        "sent", "looked_up", "forwarded", "queued", "arrived", "looked_up", "forwarded", "ended",
    ]  # fmt: skip
    assert [record[AT] for _, record in steps] == [0, 800, 800, 800, 500_800, 500_800, 500_800, 600_800]
    assert [record[TTL] for _, record in steps] == [64, 64, 63, 63, 63, 63, 62, 62]
    details = [tuple(record[N_FIELDS + 1 :]) for _, record in steps]
    assert details[3] == (0, 800, 500_800)
    assert details[7] == (1, Disposition.DELIVERED, 1)


def test_what_a_watched_packet_causes_is_watched_too() -> None:
    events = [event for event, _ in records(engine_with(echo(), tcp(2), udp(ttl=1)))]
    assert events.count("answered") == 2 and events.count("error_made") == 1
    assert events.count("ended") == 6


def test_nothing_is_recorded_of_the_others() -> None:
    assert records(engine_with(udp(watch=0), echo(watch=0))) == []


def test_a_packet_arrives_once_though_a_ring_or_the_journal_must_grow_first() -> None:
    """Cutting into 176 fragments needs more room than either has: the kernel backs out and comes again."""
    net = two_vpcs(mtu_bytes=9000)
    net.vpc("c", "10.2.0.0/16", ["10.2.0.0/24"])
    net.instance("c1", "10.2.0.10", [(17, 53)])
    net.connect("b", "c", mtu_bytes=68, queue_bytes=10**6)
    net.vpcs[1].is_relay = True
    net.route("a", "10.2.0.0/16", "b")
    net.route("b", "10.2.0.0/16", "c")
    events = [event for event, _ in records(engine_with(udp(8000, dst=net.instances[2].addr), network=net))]
    assert events.count("arrived") == 1 + -(-7980 // 48)
    assert events.count("fragmented") == 1


@pytest.mark.parametrize("watch", [0, 1])
def test_a_tap_records_what_departs_over_a_link_as_it_is_there(watch: int) -> None:
    engine = engine_with(udp(2000, watch=watch))
    engine.tap_link(0)
    taps = [record for event, record in records(engine) if event == "tap_link"]
    assert [(record[AT], record[SIZE], record[TTL]) for record in taps] == [(1600, 1500, 63), (1600, 520, 63)]


def test_a_tap_at_an_instance_records_both_ways() -> None:
    engine = engine_with(echo(watch=0))
    engine.tap_instance(0)
    assert [(event, record[TTL]) for event, record in records(engine)] == [("tap_sent", 64), ("tap_received", 62)]


def test_a_tap_records_what_the_cap_refuses_as_it_happens() -> None:
    """Room for a burst of two and a queue of one: the fourth finds it full; `a` says so."""
    network = two_vpcs(rate_bps=1_000_000, burst_bytes=3000, queue_bytes=1500)
    stored = [(udp(1500, watch=0), 0, 0)] * 4
    engine = engine_of(Experiment(network, [Traffic(0, 1, None, [0] * 4, rows=[0, 1, 2, 3])], NS_PER_S, stored))
    engine.tap_link(0)
    taps = [record for _, record in records(engine)]
    assert [record[trace.J_A] for record in taps] == [0, 0, Disposition.QUEUE_FULL, 0]
    assert [record[trace.J_EVENT] for record in taps] == [trace.TAP_LINK] * 4


def test_a_tap_can_be_closed_again() -> None:
    engine = engine_with(echo(watch=0))
    engine.tap_instance(0)
    engine.tap_link(0)
    engine.tap_instance(0, is_on=False)
    engine.tap_link(0, is_on=False)
    assert records(engine) == []


def test_the_journal_is_taken_once() -> None:
    engine = engine_with(udp(), replace(udp(), seq=1))
    assert len(records(engine, 900_000)) == 8
    assert len(records(engine)) == 8
    assert len(engine.take_journal()) == 0
