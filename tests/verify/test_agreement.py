"""Three opinions about each pair: the verifier's, the engine's with packets, and a plain walk over a graph."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable

import pytest

from netsim.lab import Lab
from netsim.probe.expectations import probe_pair
from netsim.verify.endpoint import instance_endpoint
from netsim.verify.network import Network
from netsim.verify.reach import judge
from tests.reference.plain_walk import PlainWalk
from tests.verify.random_network import RandomNetwork

REASONS = {
    "no_route", "no_return_route", "bad_state_route", "overlapping_cidr", "exits_network", "blackhole",
    "host_unreachable", "transit_denied", "ttl_expired",
}  # fmt: skip
"""Every way in which a small packet between two instances can fail."""


def check_agreement(seeds: Iterable[int]) -> Counter[str]:
    """Compare the three on every pair of each network; how often each reason came up."""
    found: Counter[str] = Counter()
    for seed in seeds:
        lab = Lab(RandomNetwork(seed).inventory)
        network = Network(lab.fib, lab.compiler, lab.inventory)
        plain = PlainWalk(lab.inventory)
        for a, b in itertools.permutations(lab.inventory.instances.values(), 2):
            proven = judge(network, instance_endpoint(network, a.id), instance_endpoint(network, b.id))
            sent = probe_pair(lab, a, b)
            answers = {(proven.verdict, proven.reason), (sent.verdict, sent.reason), plain.verdict(a, b)}
            assert len(answers) == 1, f"seed {seed}: {a.name} to {b.name}: {answers}"
            found[proven.reason or "reachable"] += 1
    return found


@pytest.mark.parametrize("first", range(0, 150, 25))
def test_verifier_engine_and_plain_walk_agree(first: int) -> None:
    found = check_agreement(range(first, first + 25))
    assert 0.3 <= found["reachable"] / found.total() <= 0.7
    assert len(found) >= 7, found


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 3000, 200))
def test_verifier_engine_and_plain_walk_agree_on_many_more(first: int) -> None:
    found = check_agreement(range(first, first + 200))
    assert 0.3 <= found["reachable"] / found.total() <= 0.7
    assert set(found) <= REASONS | {"reachable"}
    assert len(found) >= len(REASONS), found
