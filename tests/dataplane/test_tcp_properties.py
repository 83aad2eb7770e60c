"""What must hold of every TCP flow in every network, whoever computes it: here the scalar twin."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.dataplane.random_tcp import random_tcp
from tests.dataplane.tcp_experiment import TcpExperiment, TcpTraffic, run_twin
from tests.dataplane.two_vpcs import two_vpcs
from tests.reference.scalar_forward import TCP
from tests.reference.scalar_segment import CLOSED, FIN, RST, SYN, TIME_WAIT, unwrap
from tests.reference.scalar_tcp import RECEIVED, ScalarTcp, Tap, TcpFlow

MS, S = 1_000_000, 1_000_000_000


def text_of(tap: Tap) -> int:
    """Bytes of text in a segment of a generated flow."""
    return 0 if tap.flags & (SYN | RST) else tap.size - 52


def flows_of(twin: ScalarTcp, taps: list[list[Tap]]) -> dict[int, list[Tap]]:
    found: dict[int, list[Tap]] = {number: [] for number in twin.ends}
    for tap in sorted(tap for some in taps for tap in some):
        if tap.facts[6] == TCP:
            found[tap.flow].append(tap)
    return found


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_the_acceptor_reads_each_byte_once_in_order(first: int) -> None:
    """What it has read is what came without a hole, counted here byte by byte; a flow that ended well has it all."""
    for seed in range(first, first + 20):
        outcome, twin = run_twin(random_tcp(seed))
        for number, taps in flows_of(twin, outcome.taps).items():
            opener, acceptor = twin.ends[number]
            home = twin.flows[number].dst_inst
            came = [
                (unwrap(tap.seq, opener.iss, 0), text_of(tap))
                for tap in taps
                if (tap.inst, tap.way) == (home, RECEIVED)
            ]
            reached = 1
            for at, length in sorted(came):
                if at <= reached:
                    reached = max(reached, at + length)
            assert acceptor.received_bytes == reached - 1, f"seed {seed}"
            if acceptor.has_peer_closed:
                assert acceptor.received_bytes == opener.app_limit - 1, f"seed {seed}"


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_no_packet_is_lost_or_made_up(first: int) -> None:
    for seed in range(first, first + 20):
        _, twin = run_twin(random_tcp(seed))
        assert sum(twin.injected.values()) == sum(twin.ended.values()) + len(twin.in_flight), f"seed {seed}"


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_headers_are_as_a_wire_would_want_them(first: int) -> None:
    """Segments fit the peer's MSS; numbers never run past what was offered; only a first segment has no ACK."""
    for seed in range(first, first + 20):
        experiment = random_tcp(seed)
        outcome, twin = run_twin(experiment)
        for number, taps in flows_of(twin, outcome.taps).items():
            size = experiment.tcp[number - len(experiment.other)].flow.packet_bytes
            for tap in taps:
                assert tap.size <= max(size, 88), f"seed {seed}: {tap}"
                assert 0 <= tap.seq < 2**32 and 0 <= tap.ack < 2**32
                assert tap.window == (65_535 if tap.flags & SYN else 0 if tap.flags & RST else 49_152)
                assert tap.flags & (SYN | RST) or tap.flags & 16
                assert not (tap.flags & SYN and tap.flags & FIN)


def test_the_random_networks_show_all_that_tcp_does() -> None:
    """Else the comparisons would prove less than they say."""
    seen: Counter[str] = Counter()
    for seed in range(120):
        outcome, twin = run_twin(random_tcp(seed))
        for opener, acceptor in twin.ends.values():
            seen["ended well"] += opener.state == TIME_WAIT and acceptor.state == CLOSED
            seen["retransmits"] += opener.n_retransmits > 0
            seen["timeouts"] += opener.n_timeouts > 0
            seen["acceptor's timeouts"] += acceptor.n_timeouts > 0
            seen["fast recoveries"] += opener.n_fast_recoveries > 0
            seen["partial acknowledgments"] += opener.had_partial_ack
            seen["smaller path"] += opener.path_limit < opener.own_mss + 40
            seen["slow start left early"] += opener.cc.css_round > 0
            seen["given up"] += opener.state == CLOSED and opener.srtt < 0
        seen["refused at the interface"] += any(tap.way == "refused" for some in outcome.taps for tap in some)
        seen["policed"] += any(row[15] for row in outcome.dispositions)
        seen["errors"] += any(flow.errors for flow in twin.flows)
    assert {what: n for what, n in seen.items() if n < 3} == {}


def test_two_equal_flows_at_once_are_told_apart_by_number() -> None:
    network = two_vpcs(rate_bps=10_000_000, queue_bytes=20_000)
    flows = [TcpTraffic(TcpFlow(0, 1, 1000 + k, 80), 0, 50 * MS) for k in range(2)]
    outcome, _ = run_twin(TcpExperiment(network, flows, S))
    first, second = (next(tap for tap in outcome.taps[0] if tap.flow == k) for k in range(2))
    assert (first.at_ns, second.at_ns) == (48, 96)


@pytest.mark.slow
def test_eight_equal_flows_share_fairly() -> None:
    """Jain's index (sum x)^2 / (n sum x^2) of what each got in 60 s; starts spread over the first second."""
    network = two_vpcs(rate_bps=10_000_000, queue_bytes=25_000, delay_ns=10 * MS)
    flows = [TcpTraffic(TcpFlow(0, 1, 1000 + k, 80), k * 131 * MS, 60 * S) for k in range(8)]
    _, twin = run_twin(TcpExperiment(network, flows, 60 * S))
    got = [acceptor.received_bytes for _, acceptor in twin.ends.values()]
    assert sum(got) ** 2 / (8 * sum(x * x for x in got)) >= 0.95
    assert sum(got) * 8 / 60 >= 0.95 * 10_000_000 * 1448 / 1500
