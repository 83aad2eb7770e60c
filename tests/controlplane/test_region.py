"""Regions and the delays between them."""

from __future__ import annotations

from itertools import permutations

import pytest

from netsim.controlplane.region import DELAY_NS_PER_KM, REGIONS, delay_ns, distance_km
from netsim.units import NS_PER_MS

# Published great-circle distances of the cities, km, to a few per cent (centres differ between sources).
KNOWN_KM = {("bj", "fsh"): 1067, ("bj", "gz"): 1889, ("bj", "hkg"): 1972, ("hkg", "sin"): 2578, ("bj", "cd"): 1516}


@pytest.mark.parametrize(("pair", "km"), KNOWN_KM.items())
def test_distances_are_those_of_the_map(pair: tuple[str, str], km: int) -> None:
    assert distance_km(*pair) == pytest.approx(km, rel=0.01)


def test_a_kilometre_takes_one_and_a_half_at_200_km_per_ms() -> None:
    assert DELAY_NS_PER_KM == 7500
    assert delay_ns("bj", "gz") == distance_km("bj", "gz") * 7500
    assert 14 * NS_PER_MS < delay_ns("bj", "gz") < 14.5 * NS_PER_MS


def test_delays_are_whole_symmetric_and_never_below_a_regions_own() -> None:
    for code in REGIONS:
        assert delay_ns(code, code) == NS_PER_MS // 2
    for a, b in permutations(REGIONS, 2):
        assert isinstance(delay_ns(a, b), int)
        assert delay_ns(a, b) == delay_ns(b, a) >= NS_PER_MS // 2
