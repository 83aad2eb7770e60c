"""The cap, its queue and its counters, through the engine: what design section 3, step 9, promises."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from netsim.dataplane.disposition import Disposition
from netsim.dataplane.state import M_RECEIVED_BYTES
from netsim.units import NS_PER_S
from tests.dataplane.experiment import Experiment, Outcome, Traffic
from tests.dataplane.network import NO_LIMIT
from tests.dataplane.random_experiment import random_experiment
from tests.dataplane.two_vpcs import both, fates, two_vpcs, udp

FRAME_BYTES = {"l3": 0, "l2": 14, "l1": 38}


def departures(outcome: Outcome, link: int = 0) -> list[tuple[int, int]]:
    """(departure ns, IP bytes) of what the cap accepted, in the order it was offered."""
    return [(r[3], r[3 + 2 + 7]) for log in outcome.log for r in log if r[0] == "queued" and r[2] == link]


def burst_of_packets(n: int, size: int = 1000, step_ns: int = 0, **shape: int) -> Outcome:
    traffic = Traffic(0, 1, udp(size), [k * step_ns for k in range(n)])
    return both(Experiment(two_vpcs(**shape), [traffic], 3 * NS_PER_S))


def assert_within_cap(sent: list[tuple[int, int]], rate_bps: int, burst_bytes: int, overhead: int) -> None:
    """In every window [a, a + t) at most rate x t + burst: it is enough to look at those from one departure
    to just behind another; exact integers, bits x 10^9.
    """
    total = np.cumsum([0, *(size + overhead for _, size in sent)]).tolist()
    for i, (first_ns, _) in enumerate(sent):
        for j in range(i, len(sent)):
            passed = (total[j + 1] - total[i]) * 8 * 10**9
            assert passed <= rate_bps * (sent[j][0] + 1 - first_ns) + burst_bytes * 8 * 10**9, (i, j)


@pytest.mark.parametrize("seed", range(40))
def test_no_window_passes_more_than_rate_and_burst_allow(seed: int) -> None:
    experiment = random_experiment(seed)
    experiment.edits.clear()
    outcome = both(experiment)
    for number, link in enumerate(experiment.network.links):
        assert_within_cap(departures(outcome, number), link.rate_bps, link.burst_bytes, link.overhead_bytes)


@pytest.mark.parametrize("police", [False, True])
@pytest.mark.parametrize("rate_mbps", [1, 3, 7, 1000])
def test_an_overloaded_cap_passes_its_rate_to_within_one_packet(rate_mbps: int, police: bool) -> None:
    rate_bps = rate_mbps * 1_000_000
    step_ns = 1000 * 8 * NS_PER_S // rate_bps * 2 // 3
    outcome = burst_of_packets(
        600, step_ns=step_ns, rate_bps=rate_bps, burst_bytes=2000, queue_bytes=5000, police=police
    )
    sent = departures(outcome)
    assert_within_cap(sent, rate_bps, 2000, 0)
    last_ns = sent[-1][0]
    earned_bytes = 2000 + rate_bps * last_ns // (8 * NS_PER_S)
    assert earned_bytes - 1000 <= 1000 * len(sent) <= earned_bytes


def test_packets_leave_and_arrive_in_the_order_they_came() -> None:
    for seed in range(20):
        experiment = random_experiment(seed)
        outcome = both(experiment)
        for number in range(len(experiment.network.links)):
            queued = [r for log in outcome.log for r in log if r[0] == "queued" and r[2] == number]
            assert all(one[3] <= other[3] and one[4] <= other[4] for one, other in pairwise(queued)), seed


def test_the_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    sent = departures(burst_of_packets(5, rate_bps=8_000_000, burst_bytes=2000))
    assert [at_ns for at_ns, _ in sent] == [800, 1600, 1_000_800, 2_000_800, 3_000_800]


def test_a_full_queue_refuses_and_one_byte_more_of_it_takes() -> None:
    """Two leave at once, one waits; the next would make 2000 bytes of backlog."""
    assert fates(burst_of_packets(4, rate_bps=8_000_000, burst_bytes=2000, queue_bytes=1999)).count("queue_full@0") == 1
    assert "queue_full@0" not in fates(burst_of_packets(4, rate_bps=8_000_000, burst_bytes=2000, queue_bytes=2000))


def test_who_need_not_wait_passes_a_queue_that_has_no_room() -> None:
    assert fates(burst_of_packets(2, rate_bps=8_000_000, burst_bytes=2000, queue_bytes=0)) == ["delivered@1"] * 2


def test_policing_drops_where_a_queue_would_hold() -> None:
    outcome = burst_of_packets(4, rate_bps=8_000_000, burst_bytes=2000, police=True)
    assert fates(outcome).count("policed@0") == 2
    assert outcome.counters[-1][0][2:4] == (2000, 2)
    assert [at_ns for at_ns, _ in departures(outcome)] == [800, 1600]


@pytest.mark.parametrize("accounting", FRAME_BYTES)
def test_cap_queue_and_counters_see_the_bytes_the_accounting_says(accounting: str) -> None:
    overhead = FRAME_BYTES[accounting]
    size = 1000 + overhead
    shape = {"rate_bps": 8 * size * 1000, "burst_bytes": 2 * size, "queue_bytes": 2 * size}
    outcome = burst_of_packets(6, overhead_bytes=overhead, **shape)
    assert departures(outcome)[2] == (1_000_800, 1000)  # the third waits its size / rate: 1 ms
    assert outcome.counters[-1][0] == (4 * size, 4, 2 * size, 2, 4 * size, 4)
    assert outcome.measures[0][M_RECEIVED_BYTES] == 4000  # a flow's figures are layer 3


def test_egress_counts_at_departure_and_ingress_at_arrival() -> None:
    experiment = Experiment(two_vpcs(rate_bps=8_000_000, burst_bytes=1500), [Traffic(0, 1, udp(), [0, 0])], NS_PER_S)
    cuts = (500_800, 500_801, 1_000_800, 1_000_801)
    counters = [counted[0] for counted in both(experiment, cuts).counters]
    # The second waits for 500 bytes, until the very moment the first arrives.
    assert [(c[1], c[5]) for c in counters] == [(1, 0), (2, 1), (2, 1), (2, 2), (2, 2)]


def test_a_fragmented_packet_is_capped_fragment_by_fragment() -> None:
    outcome = burst_of_packets(1, size=3000, rate_bps=8_000_000, burst_bytes=1500, queue_bytes=1500, mtu_bytes=1500)
    assert fates(outcome) == ["queue_full@0", "delivered@1", "delivered@1"]
    assert [size for _, size in departures(outcome)] == [1500, 1500]  # the third, of 40, found the queue full


def test_a_resize_counts_from_its_moment() -> None:
    """What is earned before a resize is earned at the old rate: 5 ms at 1 Mbit/s are 625 bytes, not 625,000."""
    net = two_vpcs(rate_bps=1_000_000, burst_bytes=100_000, police=True)
    faster = two_vpcs(rate_bps=1_000_000_000, burst_bytes=100_000, police=True)
    empties = Traffic(0, 1, udp(), [0] * 100)
    then = Traffic(0, 1, udp(), [5_000_000] * 100)
    sent = departures(both(Experiment(net, [empties, then], NS_PER_S, edits=[(5_000_000, faster)])))
    late = [at_ns for at_ns, _ in sent if at_ns >= 5_000_000]
    # 100 packets come within 80 us, in which the new rate earns ten of them.
    assert len(sent) - len(late) == 100 and len(late) <= 11


def test_a_smaller_cap_keeps_what_was_accepted_and_slows_what_comes() -> None:
    net, slower = two_vpcs(rate_bps=8_000_000, burst_bytes=1000), two_vpcs(rate_bps=800_000, burst_bytes=1000)
    traffic = [Traffic(0, 1, udp(), [0, 0, 0]), Traffic(0, 1, udp(), [1_500_000])]
    sent = departures(both(Experiment(net, traffic, NS_PER_S, edits=[(1_200_000, slower)])))
    assert [at_ns for at_ns, _ in sent] == [800, 1_000_800, 2_000_800, 12_000_800]


def test_what_the_cap_accepted_arrives_though_the_connection_is_switched_off() -> None:
    net = two_vpcs(rate_bps=8_000_000, burst_bytes=1000)
    off = two_vpcs(rate_bps=8_000_000, burst_bytes=1000)
    off.links[0].is_active = False
    traffic = Traffic(0, 1, udp(), [0, 0, 0, 2_000_000])
    outcome = both(Experiment(net, [traffic], NS_PER_S, edits=[(900_000, off)]), (1_500_000,))
    assert sorted(fates(outcome)) == ["bad_state_route@0", *["delivered@1"] * 3]
    assert [counted[0][1] for counted in outcome.counters] == [2, 3]  # also departures are still counted in time


def test_a_connection_switched_on_again_goes_on_counting() -> None:
    net, off = two_vpcs(), two_vpcs()
    off.links[0].is_active = False
    traffic = Traffic(0, 1, udp(), [0, 20_000_000, 40_000_000])
    outcome = both(Experiment(net, [traffic], NS_PER_S, edits=[(10_000_000, off), (30_000_000, net)]))
    assert outcome.counters[-1][0][:2] == (2000, 2)


def test_an_instance_sends_no_faster_than_its_interface() -> None:
    net = two_vpcs()
    net.instances[0].nic_mbps = 8
    sent = departures(both(Experiment(net, [Traffic(0, 1, udp(), [0, 0, 500_000])], NS_PER_S)))
    assert [at_ns for at_ns, _ in sent] == [1_000_000, 2_000_000, 3_000_000]


def test_an_interface_holds_fifty_milliseconds_of_packets() -> None:
    net = two_vpcs()
    net.instances[0].nic_mbps = 8
    outcome = both(Experiment(net, [Traffic(0, 1, udp(), [0] * 60)], NS_PER_S))
    assert outcome.dispositions[0][Disposition.QUEUE_FULL] == 60 - 51
    assert outcome.counters[-1][0][2:4] == (0, 0)  # no drop of the connection's


def test_a_transit_limit_of_none_lets_a_loop_run_until_the_ttl_ends_it() -> None:
    net = two_vpcs()
    net.transits = NO_LIMIT
    for vpc in net.vpcs:
        vpc.is_relay = True
    net.route("a", "8.0.0.0/8", "b")
    net.route("b", "8.0.0.0/8", "a")
    outcome = both(Experiment(net, [Traffic(0, 1, replace(udp(), dst=8 << 24, ttl=9), [0])], NS_PER_S))
    assert len(departures(outcome, 0)) + len(departures(outcome, 1)) == 8
    assert fates(outcome) == ["ttl_expired@0", "delivered@0"]
