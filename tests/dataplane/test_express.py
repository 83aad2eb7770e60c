"""The short way does what the general way does: the random networks again, with nobody watching."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from netsim.dataplane import node_step, state
from netsim.dataplane.batch import PROTO_UDP
from tests.dataplane.experiment import Experiment, Outcome, Traffic, run_engine, run_scalar
from tests.dataplane.random_experiment import random_experiment
from tests.dataplane.test_engine import cuts_of, everything
from tests.dataplane.two_vpcs import two_vpcs, udp

MORE = pytest.mark.slow
WAYS = ("forward_express", "receive_express", "send_express")


def unwatched(seed: int) -> Experiment:
    """The random experiment of this seed; watched packets would take the general way.

    Odd seeds open more UDP ports: datagrams that are received and not answered are rare in the others.
    """
    experiment = random_experiment(seed)
    for traffic in experiment.traffic:
        if traffic.template is not None:
            traffic.template = replace(traffic.template, watch=0)
    if seed % 2:
        for network in [experiment.network, *(network for _, network in experiment.edits)]:
            for instance in network.instances:
                instance.ports = sorted({*instance.ports, *((PROTO_UDP, port) for port in range(4))})
    experiment.stored = [(replace(packet, watch=0), payload, fate) for packet, payload, fate in experiment.stored]
    return experiment


def without_log(outcome: Outcome) -> dict[str, Any]:
    """What is left to compare where no journal is written."""
    facts = outcome._asdict()
    del facts["log"]
    return facts


def assert_equals_twin(seed: int) -> None:
    experiment, cuts = unwatched(seed), cuts_of(seed)
    ours, twins = without_log(run_engine(experiment, cuts)), without_log(run_scalar(experiment, cuts))
    for name, value in twins.items():
        assert ours[name] == value, f"seed {seed}: {name}"


@pytest.mark.parametrize("first", range(0, 250, 25))
def test_unwatched_networks_equal_the_scalar_twin(first: int) -> None:
    for seed in range(first, first + 25):
        assert_equals_twin(seed)


@MORE
@pytest.mark.parametrize("first", range(1000, 3000, 100))
def test_and_so_do_thousands_of_others(first: int) -> None:
    for seed in range(first, first + 100):
        assert_equals_twin(seed)


@pytest.mark.usefixtures("compiled_kernels")
@pytest.mark.parametrize("first", range(0, 200, 20))
def test_compiled_equals_plain(first: int) -> None:
    for seed in range(first, first + 20):
        experiment, cuts = unwatched(seed), cuts_of(seed, 2)
        plain = everything(experiment, cuts)
        compiled = everything(experiment, cuts, is_compiled=True)
        for name, value in plain.items():
            assert compiled[name] == value, f"seed {seed}: {name}"


def test_the_random_networks_go_the_short_way_and_leave_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the comparisons above would prove less than they say."""
    taken: Counter[tuple[str, bool]] = Counter()

    def counted(name: str) -> Any:
        way = getattr(node_step, name)

        def go(*args: Any) -> bool:
            went = bool(way(*args))
            taken[name, went] += 1
            return went

        return go

    for name in WAYS:
        monkeypatch.setattr(node_step, name, counted(name))
    for seed in range(80):
        run_engine(unwatched(seed))
    for name in WAYS:
        assert taken[name, True] > 100 and taken[name, False] > 100, (name, taken)


def test_a_later_packet_may_be_the_fastest() -> None:
    """The first waits behind another flow's at the interface, the second does not."""
    large, small = udp(size=1500, watch=0), udp(size=100, watch=0)
    traffic = [Traffic(0, 1, large, [0] * 5), Traffic(0, 1, small, [0, 5_000_000], payload=72)]
    experiment = Experiment(two_vpcs(), traffic, 10**9)
    ours, twins = run_engine(experiment), run_scalar(experiment)
    assert ours.measures == twins.measures
    least, most = ours.measures[1][state.M_LATENCY_MIN_NS], ours.measures[1][state.M_LATENCY_MAX_NS]
    assert most - least == 5 * 1_200  # five frames of 1500 bytes at 10 Gbit/s
