from __future__ import annotations

from typing import Any

import pytest

from netsim.dataplane import row, state
from netsim.dataplane.batch import DF, PROTO_ICMP, PROTO_UDP, pack_icmp, pack_ports
from netsim.dataplane.engine import Engine
from netsim.packet.flow_packets import FlowPackets
from netsim.packet.parse import parse_ip
from netsim.traffic.arrivals import BLOCK
from netsim.traffic.flow import FIRST_SOURCE_PORT, FlowSpec
from netsim.traffic.running import EVENTS_PER_PACKET, RunningFlow, Start, start_all
from netsim.units import NS_PER_MS, NS_PER_S
from tests.dataplane.network import Network

A1, B1 = 10 << 24 | 10, 10 << 24 | 1 << 16 | 10


@pytest.fixture
def engine() -> Engine:
    """a1 and b1, joined by 100 Mbit/s."""
    net = Network()
    net.vpc("a", "10.0.0.0/16", ["10.0.0.0/24"])
    net.vpc("b", "10.1.0.0/16", ["10.1.0.0/24"])
    net.instance("a1", "10.0.0.10")
    net.instance("b1", "10.1.0.10")
    net.connect("a", "b", rate_bps=100_000_000)
    net.route("a", "10.1.0.0/16", "b")
    net.route("b", "10.0.0.0/16", "a")
    return Engine(net.fib())


def spec(**changes: Any) -> FlowSpec:
    """A packet of 1000 bytes each ms, the first at once."""
    given: dict[str, Any] = {"name": "f", "from_ref": "a1", "to_ref": "b1", "rate_bps": 8_000_000, "packet_bytes": 1000}
    return FlowSpec(**{**given, **changes})


def start(engine: Engine, given: FlowSpec, index: int = 0) -> RunningFlow:
    return start_all(engine, [Start(given, index, (0, 1), (A1, B1))], seed=0)[0]


def measure(engine: Engine, flow: RunningFlow, word: int = state.M_SENT) -> int:
    return int(engine.measures()[flow.engine_flows.start, word])


def test_a_flow_is_described_to_the_engine_as_its_spec_says(engine: Engine) -> None:
    flow = start(engine, spec(df=True, dst_port=9, src_port=8, packet_bytes=500))
    flow.feed(engine, 1)
    engine.advance(100)
    (packet,) = engine.packets_in_flight()
    assert (packet[row.SRC], packet[row.DST], packet[row.SIZE]) == (A1, B1, 500)
    assert (packet[row.PROTO], packet[row.L4], packet[row.TTL]) == (PROTO_UDP, pack_ports(8, 9), 64)
    assert packet[row.FLAGS] & DF


@pytest.mark.parametrize("kind", ["udp", "icmp"])
def test_its_bytes_are_those_of_its_rows(engine: Engine, kind: str) -> None:
    """Whoever renders packet 3 gets what the engine says of packet 3."""
    flow = start(engine, spec(kind=kind), index=6)
    assert isinstance(flow.packets, FlowPackets)
    flow.feed(engine, 3 * NS_PER_MS + 1)
    engine.advance(3 * NS_PER_MS + 1)
    (there,) = [p for p in engine.packets_in_flight() if p[row.SEQ] == 3]
    parsed = parse_ip(flow.packets.packet(3)).row
    l4 = pack_icmp(8, 0, 7, 3) if kind == "icmp" else pack_ports(FIRST_SOURCE_PORT + 6, 5201)
    assert parsed["l4"] == there[row.L4] == l4
    assert (parsed["src"], parsed["dst"], parsed["size_bytes"]) == (A1, B1, 1000)
    assert (parsed["ident"], parsed["ttl"]) == (there[row.IDENT], there[row.TTL]) == (3, 64)


def test_flows_have_identifiers_and_ports_of_their_own(engine: Engine) -> None:
    made = [start(engine, spec(kind=kind), index).packets for index, kind in enumerate(("udp", "udp", "icmp", "icmp"))]
    assert len({packets.src_port for packets in made if packets}) == 4
    assert [packets.proto for packets in made if isinstance(packets, FlowPackets)] == [
        PROTO_UDP,
        PROTO_UDP,
        PROTO_ICMP,
        PROTO_ICMP,
    ]


def test_only_the_blocks_that_are_needed_are_fed(engine: Engine) -> None:
    flow = start(engine, spec())
    flow.feed(engine, 1)
    flow.feed(engine, BLOCK * NS_PER_MS - NS_PER_MS)
    engine.advance(3 * BLOCK * NS_PER_MS)
    assert measure(engine, flow) == BLOCK, "nobody asked for more"


def test_fed_in_time_it_sends_each_packet_once(engine: Engine) -> None:
    flow = start(engine, spec(duration_ns=3 * NS_PER_S))
    for until_ns in (1, 700 * NS_PER_MS, 700 * NS_PER_MS, 2 * NS_PER_S, 5 * NS_PER_S):
        flow.feed(engine, until_ns)
        engine.advance(until_ns)
    assert measure(engine, flow) == measure(engine, flow, state.M_RECEIVED) == 3000
    assert flow.source is None


def test_times_of_a_spec_count_from_where_the_flow_was_started(engine: Engine) -> None:
    engine.advance(NS_PER_S)
    flow = start(engine, spec(start_ns=5 * NS_PER_MS, duration_ns=2 * NS_PER_MS))
    assert (flow.start_ns, flow.end_ns) == (NS_PER_S + 5 * NS_PER_MS, NS_PER_S + 7 * NS_PER_MS)
    flow.feed(engine, 2 * NS_PER_S)
    engine.advance(NS_PER_S + 5 * NS_PER_MS)
    assert measure(engine, flow) == 0
    engine.advance(NS_PER_S + 5 * NS_PER_MS + 1)
    assert measure(engine, flow) == 1
    engine.advance(2 * NS_PER_S)
    assert measure(engine, flow) == 2


def test_a_stopped_flow_sends_nothing_more_though_it_was_fed(engine: Engine) -> None:
    flow = start(engine, spec())
    flow.feed(engine, NS_PER_S)
    engine.advance(10 * NS_PER_MS)
    flow.stop(engine)
    flow.feed(engine, NS_PER_S)
    engine.advance(NS_PER_S)
    assert measure(engine, flow) == 10


@pytest.mark.parametrize(("kind", "goodput"), [("udp", 972), ("icmp", 0)])
def test_goodput_is_what_lies_above_udp_and_an_echo_has_none(engine: Engine, kind: str, goodput: int) -> None:
    flow = start(engine, spec(kind=kind, duration_ns=5 * NS_PER_MS))
    flow.feed(engine, NS_PER_S)
    engine.advance(NS_PER_S)
    assert measure(engine, flow, state.M_RECEIVED_PAYLOAD_BYTES) == 5 * goodput


def test_expected_events_grow_with_rate_and_time_and_end_with_the_flow(engine: Engine) -> None:
    flow = start(engine, spec(start_ns=NS_PER_S, duration_ns=NS_PER_S))
    assert flow.expected_events(0, NS_PER_S) == 0
    assert flow.expected_events(0, 3 * NS_PER_S) == 1000 * EVENTS_PER_PACKET
    assert flow.expected_events(1_500 * NS_PER_MS, 3 * NS_PER_S) == 500 * EVENTS_PER_PACKET
    assert start(engine, spec()).expected_events(0, 10 * NS_PER_S) == 10_000 * EVENTS_PER_PACKET
    flow.stop(engine)
    assert flow.expected_events(0, 3 * NS_PER_S) == 0
