"""Profiles, and single limits on top of them."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.controlplane.edit import CreateAccount, CreateVpc
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.limits import LIMIT_NAMES, Limits, make_limits
from netsim.errors import InvalidError, QuotaError


def test_the_product_as_sold() -> None:
    assert make_limits() == make_limits("product") == Limits(10, 10, 1, 10, 10, 50, relay_may_peer=False)


def test_research_lifts_them_all() -> None:
    limits = make_limits("research")
    assert all(getattr(limits, name) is None for name in LIMIT_NAMES)
    assert limits.relay_may_peer


def test_single_limits_come_after_the_profile() -> None:
    assert make_limits("research", {"transits": 3}).transits == 3
    assert make_limits("research", {"transits": 3}).relay_may_peer
    assert make_limits("product", {"routes_per_vpc": None}).routes_per_vpc is None
    assert make_limits("product", {"peer_connections_per_vpc": 0}).peer_connections_per_account == 10


@pytest.mark.parametrize("value", [-1, 1.5, True, "10"])
def test_a_limit_is_a_whole_number_from_0(value: Any) -> None:
    with pytest.raises(InvalidError, match=r"limits: transits .*, accepted an integer 0") as refusal:
        make_limits("product", {"transits": value})
    assert refusal.value.field == "transits"


def test_unknown_names_are_refused_with_a_suggestion() -> None:
    with pytest.raises(InvalidError, match=r'unknown limit "transit", accepted .*, did you mean "transits"'):
        make_limits("product", {"transit": 1})
    with pytest.raises(InvalidError, match='"relay_may_peer"'):
        make_limits("product", {"relay_may_peer": 1})
    with pytest.raises(InvalidError, match='profile: "reserch", accepted product or research, did you mean "research"'):
        Inventory("reserch")


def test_a_limit_bites_where_it_stands() -> None:
    inventory = Inventory(limits={"vpcs_per_region": 1})
    inventory.apply(CreateAccount("a"), CreateVpc("x", "bj", "10.0.0.0/16", "a"))
    with pytest.raises(QuotaError, match="accepted 1") as refusal:
        inventory.apply(CreateVpc("y", "bj", "10.0.0.0/16", "a"))
    assert refusal.value.accepted == 1
