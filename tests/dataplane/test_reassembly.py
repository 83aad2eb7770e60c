from __future__ import annotations

from collections.abc import Iterable

import pytest

from netsim.dataplane.batch import PROTO_UDP, pack_ports
from netsim.dataplane.reassembly import SLOTS, TIMEOUT_NS
from netsim.dataplane.state import M_RECEIVED, M_RECEIVED_PAYLOAD_BYTES
from tests.dataplane.experiment import Experiment, Traffic
from tests.dataplane.network import Network
from tests.dataplane.two_vpcs import B_ROUTER, both, echo, ends, fates, run, two_vpcs, udp
from tests.reference.scalar_forward import Packet

A = udp(1500, mf=1)
B = udp(1500, mf=1, frag_offset=1480, l4=0)
C = udp(540, frag_offset=2960, l4=0)


def received(packets: Iterable[Packet], network: Network | None = None) -> tuple[int, int]:
    """(datagrams, bytes above UDP) that b1 put together."""
    measures = run(network or two_vpcs(), *packets).measures[0]
    return measures[M_RECEIVED], measures[M_RECEIVED_PAYLOAD_BYTES]


@pytest.mark.parametrize("order", ["ABC", "ACB", "BAC", "BCA", "CAB", "CBA"])
def test_fragments_make_a_datagram_in_any_order(order: str) -> None:
    assert received({"A": A, "B": B, "C": C}[name] for name in order) == (1, 3500 - 20 - 8)


@pytest.mark.parametrize("order", ["AB", "AC", "BC", "A", "C"])
def test_a_missing_fragment_leaves_none(order: str) -> None:
    assert received({"A": A, "B": B, "C": C}[name] for name in order) == (0, 0)


def test_each_fragment_counts_as_a_packet_and_as_bytes() -> None:
    outcome = run(two_vpcs(), udp(3500))
    assert fates(outcome) == ["delivered@1"] * 3
    assert outcome.measures[0][:3] == (0, 1, 3500)
    assert outcome.measures[0][M_RECEIVED : M_RECEIVED + 3] == (1, 3500 + 2 * 20, 3500 - 20 - 8)


def test_a_datagram_that_comes_twice_is_two() -> None:
    assert received([A, B, C, A, B, C])[0] == 2


def test_a_duplicate_fragment_spoils_its_datagram() -> None:
    assert received([A, A, B, C])[0] == 0


@pytest.mark.parametrize("order", ["AAL", "BBL", "LAA", "AML"])
def test_what_adds_up_but_does_not_fit_together_is_no_datagram(order: str) -> None:
    """A piece that came twice hides one that is missing; M overlaps its neighbours by half."""
    last, between = udp(1500, frag_offset=2960, l4=0), udp(1500, mf=1, frag_offset=736, l4=0)
    assert received({"A": A, "B": B, "L": last, "M": between}[name] for name in order)[0] == 0


def test_fragments_of_different_ident_or_protocol_do_not_mix() -> None:
    other = udp(540, frag_offset=2960, l4=0, ident=1), udp(540, frag_offset=2960, l4=0, proto=6)
    assert received([A, B, *other])[0] == 0


def test_two_flows_of_one_pair_do_not_mix() -> None:
    """Both number their packets from 0, and each loses half of what makes a datagram."""
    flows = [Traffic(0, 1, None, [at], rows=[row]) for at, row in ((0, 0), (1000, 1), (2000, 2))]
    outcome = both(Experiment(two_vpcs(), flows, 10**8, [(A, 0, 0), (B, 0, 0), (C, 0, 0)]))
    assert [measure[M_RECEIVED] for measure in outcome.measures] == [0, 0, 0]


def test_a_datagram_too_large_to_exist_is_given_up() -> None:
    assert received([udp(1500, mf=1, frag_offset=0), udp(1000, frag_offset=65_528, l4=0)]) == (0, 0)


def test_an_unfinished_datagram_dies_after_half_a_minute() -> None:
    for late_ns, whole in ((TIMEOUT_NS, 1), (TIMEOUT_NS + 1, 0)):
        traffic = Traffic(0, 1, None, [0, late_ns], rows=[0, 1])
        end_ns = 2 * TIMEOUT_NS
        outcome = both(
            Experiment(two_vpcs(), [traffic], end_ns, [(udp(1500, mf=1), 0, 0), (udp(1500, frag_offset=1480), 0, 0)])
        )
        assert outcome.measures[0][M_RECEIVED] == whole


def test_the_oldest_unfinished_datagram_makes_room() -> None:
    unfinished = [udp(1500, mf=1, ident=k) for k in range(SLOTS + 1)]
    rest = [udp(1500, frag_offset=1480, l4=0, ident=k) for k in (1, SLOTS, 0)]
    assert received([*unfinished, *rest])[0] == 2


def test_ten_peers_may_send_fragments_to_one_instance_at_once() -> None:
    """Ten connections of 1 Mbit/s, whose fragments interleave: each 12 ms on its link."""
    net = Network()
    net.vpc("hub", "10.0.0.0/16", ["10.0.0.0/24"])
    sink = net.instance("sink", "10.0.0.10", [(PROTO_UDP, 53)])
    flows = []
    for k in range(1, 11):
        net.vpc(f"v{k}", f"10.{k}.0.0/16", [f"10.{k}.0.0/24"])
        inst = net.instance(f"i{k}", f"10.{k}.0.10")
        net.connect(f"v{k}", "hub", rate_bps=1_000_000, burst_bytes=3000)
        net.route(f"v{k}", "10.0.0.0/16", "hub")
        packet = Packet(net.instances[inst].addr, net.instances[sink].addr, PROTO_UDP, 4000, l4=pack_ports(1, 53))
        flows.append(Traffic(inst, sink, packet, [k * 1_000_000 + j * 50_000_000 for j in range(10)], payload=3972))
    outcome = both(Experiment(net, flows, 10**9))
    assert [(m[M_RECEIVED], m[M_RECEIVED_PAYLOAD_BYTES]) for m in outcome.measures] == [(10, 39_720)] * 10


@pytest.mark.parametrize("dst", [None, B_ROUTER])
def test_a_fragmented_echo_request_is_answered_once_and_whole(dst: int | None) -> None:
    packet = echo(4000, **({} if dst is None else {"dst": dst}))
    replies = [end for end in ends(run(two_vpcs(), packet)) if end.role == 1]
    assert [r.size for r in replies] == [1500, 1500, 1040]
    assert len({r.l4 for r in replies}) == 1  # made packets keep what they are rendered from
