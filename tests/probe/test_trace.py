"""A packet's story, step by step, with the numbers of the design's list."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP

from netsim.controlplane.edit import CreateRoute, DeletePeerConn, DeleteRoute, SetRelay
from netsim.dataplane.disposition import Disposition
from netsim.lab import Lab
from netsim.probe.steps import Step, Trace
from tests.clouds import DB_1, chain, two_vpc_lab


@pytest.fixture
def lab() -> Lab:
    return two_vpc_lab()


def numbers(trace: Trace, whose: str = "packet") -> list[int]:
    return [step.number for step in trace.steps if step.whose == whose and step.number]


def step_of(trace: Trace, title: str, whose: str = "packet") -> Step:
    return next(step for step in trace.steps if (step.title, step.whose) == (title, whose))


def raw(dst: str, body: Any, **fields: Any) -> bytes:
    return bytes(IP(**{"src": "192.168.0.10", "dst": dst, **fields}) / body)


def test_an_echo_over_a_connection_and_back_in_order(lab: Lab) -> None:
    trace = lab.trace("web-1", "db-1")
    # Looked up, the rule, the gate, TTL, cap and delay in shop; looked up, local, TTL in data.
    assert numbers(trace) == [3, 4, 5, 7, 9, 10, 3, 4, 7]
    assert numbers(trace, "answer") == [3, 4, 5, 7, 9, 10, 3, 4, 7]
    assert (trace.disposition, trace.answer, trace.delivered_to) == (
        Disposition.DELIVERED, Disposition.DELIVERED, "db-1",
    )  # fmt: skip
    times = [step.at_ns for step in trace.steps]
    assert times == sorted(times)
    assert [step.place for step in trace.steps if step.whose == "packet" and step.disposition] == ["db-1"]
    assert [step.place for step in trace.steps if step.whose == "answer" and step.disposition] == ["web-1"]


def test_a_lookup_names_the_rule_that_won_and_those_it_beat(lab: Lab) -> None:
    lab.apply(
        CreateRoute("shop", "0.0.0.0/0", "0.0.0.0/0", "gateway:internet"),
        CreateRoute("shop", "192.168.0.0/24", "10.0.0.0/8", "blackhole"),
    )
    lookup = step_of(lab.trace("web-1", "db-1"), "lookup")
    assert lookup.rule == "10.1.0.0/16 via int-shop (shop-data)"
    assert lookup.beaten == ("from 192.168.0.0/24 to 10.0.0.0/8 via blackhole", "0.0.0.0/0 via gateway:internet")
    assert lookup.text == f"(192.168.0.10, 10.1.0.20) matches {lookup.rule}"


def test_layer_2_needs_no_router(lab: Lab) -> None:
    trace = lab.trace("web-1", "web-2")
    assert numbers(trace) == [2]
    assert trace.delivered_to == "web-2"


def test_ttl_transits_and_the_cap_are_told_with_their_numbers() -> None:
    lab = Lab(chain(3, bandwidth_mbps=1, burst_bytes=3000, latency_ms=5))
    trace = lab.trace("i0", "i2", size_bytes=1500)
    texts = {step.title: step.text for step in trace.steps if step.whose == "packet" and step.place == "v1"}
    assert texts["TTL"] == "goes on with 62, transits used 1"
    assert "v1 is a relay VPC" in texts["transit"]
    assert step_of(trace, "delay").text == "5.000 ms to the far side"
    assert step_of(trace, "cap").text == "1500 bytes against the cap of 1 Mbps: passes at once"


def test_a_wait_at_the_cap_is_told_in_ms() -> None:
    """A burst of 1500 bytes is spent; the next 1500 take 12 ms at 1 Mbit/s, less what was earned meanwhile."""
    lab = two_vpc_lab(bandwidth_mbps=1, burst_bytes=3000)
    packet = raw(DB_1, UDP(dport=53) / (b"x" * 1472))
    lab.inject([packet] * 2, lab.instance("web-1").id, [0, 0])
    trace = lab.trace("web-1", "db-1", raw=packet)
    # It reaches the router when three of 1.2 us have been serialized, 2.4 us after the bucket was last full.
    assert step_of(trace, "cap").text == "1500 bytes against the cap of 1 Mbps: waits 11.998 ms"


def test_fragments_are_told_once_and_their_ends_each(lab: Lab) -> None:
    trace = lab.trace("web-1", "db-1", size_bytes=4000)
    assert step_of(trace, "MTU").text == "4000 bytes exceed the MTU of 1500: cut into 3 fragments"
    assert len([s for s in trace.steps if s.whose == "packet" and s.disposition]) == 3
    assert (trace.disposition, trace.answer) == (Disposition.DELIVERED, Disposition.DELIVERED)


@pytest.mark.parametrize(
    ("packet", "fate", "place"),
    [
        (raw("203.0.113.1", UDP()), "no_route", "shop"),
        (raw("10.1.0.99", UDP()), "host_unreachable", "data"),
        (raw("192.168.0.99", UDP()), "host_unreachable", "shop"),
        (raw("10.1.0.255", UDP()), "bad_destination", "data"),
        (raw("224.0.0.1", UDP()), "bad_destination", "shop"),
        (raw(DB_1, UDP(), ttl=1), "ttl_expired", "shop"),
        (raw(DB_1, UDP(), ttl=2), "ttl_expired", "data"),
        (raw(DB_1, UDP() / (b"x" * 1600), flags="DF"), "mtu_exceeded", "shop"),
        (b"\x45\x00", "malformed", "shop"),
        (raw(DB_1, UDP())[:10] + b"\xff\xff" + raw(DB_1, UDP())[12:], "bad_checksum", "shop"),
    ],
)
def test_a_drop_says_what_where_and_why(lab: Lab, packet: bytes, fate: str, place: str) -> None:
    trace = lab.trace("web-1", "db-1", raw=packet)
    assert trace.disposition.symbol == fate
    last = next(step for step in trace.steps if step.disposition and step.whose == "packet")
    assert (last.place, last.title) == (place, fate)
    assert last.text.endswith(".")
    assert trace.delivered_to is None
    errors = [step for step in trace.steps if step.whose == "icmp_error" and step.title == "ICMP error"]
    is_silent = fate in {"bad_destination", "malformed", "bad_checksum"}
    assert bool(errors) != is_silent


def test_the_full_queue_is_the_connection_s(lab: Lab) -> None:
    lab = two_vpc_lab(bandwidth_mbps=1, burst_bytes=1500, queue_bytes=1500)
    web = lab.instance("web-1").id
    packet = raw(DB_1, UDP(dport=53) / (b"x" * 1472))
    lab.inject([packet] * 3, web, [0, 0, 0])
    lab.advance(10_000)
    trace = lab.trace("web-1", "db-1", raw=packet)
    assert trace.disposition is Disposition.QUEUE_FULL
    assert trace.steps[-1].place == "shop-data"


def test_gates_relays_and_doors() -> None:
    lab = Lab(chain(3))
    lab.apply(SetRelay("v1", relay=False))
    trace = lab.trace("i0", "i2")
    assert (trace.disposition, trace.answer) == (Disposition.TRANSIT_DENIED, None)
    assert "v1 is not a relay VPC" in step_of(trace, "transit").text
    assert step_of(trace, "transit").number == 6
    lab.apply(DeletePeerConn("c0"))
    trace = lab.trace("i0", "i1")
    assert trace.disposition is Disposition.BAD_STATE_ROUTE
    assert step_of(trace, "gate").text == "the connection is gone"
    assert "(gone)" in step_of(trace, "lookup").rule


def test_a_gateway_is_a_door_out_and_a_blackhole_the_end(lab: Lab) -> None:
    lab.apply(
        CreateRoute("shop", "0.0.0.0/0", "0.0.0.0/0", "gateway:internet"),
        CreateRoute("shop", "0.0.0.0/0", "10.9.0.0/16", "blackhole"),
    )
    out = lab.trace("web-1", "8.8.8.8")
    assert (out.disposition, out.steps[-1].place) == (Disposition.EXITS_NETWORK, "shop, gateway internet")
    assert lab.trace("web-1", "10.9.0.1").disposition is Disposition.BLACKHOLE


def test_an_answer_that_finds_no_way_back_is_told_to_the_end(lab: Lab) -> None:
    (back,) = lab.inventory.rules_of("data")
    lab.apply(DeleteRoute(back.id))
    trace = lab.trace("web-1", "db-1")
    assert (trace.disposition, trace.answer) == (Disposition.DELIVERED, Disposition.NO_ROUTE)
    assert step_of(trace, "lookup", "answer").text == "no rule matches (10.1.0.20, 192.168.0.10)"


def test_a_tcp_syn_and_its_answer(lab: Lab) -> None:
    trace = lab.trace("web-1", "db-1", raw=raw(DB_1, TCP(dport=5432)))
    assert trace.answer is Disposition.DELIVERED
    assert "TCP" in trace.packet or "tcp" in trace.packet
    assert step_of(trace, "answers", "answer").place == "db-1"


def test_a_trace_does_not_read_other_people_s_packets(lab: Lab) -> None:
    """A watched packet still on its way belongs to somebody else."""
    lab.inject([raw(DB_1, ICMP(id=1))], lab.instance("web-2").id, [0])
    trace = lab.trace("web-1", "db-1")
    assert len([s for s in trace.steps if s.title == "sent"]) == 2  # request and reply
