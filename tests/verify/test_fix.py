"""Fixes: what to change, in words, as edits and as commands; and that it helps."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable

import pytest

from netsim.controlplane.edit import (
    CreateAccount,
    CreateInstance,
    CreatePeerConn,
    CreateRoute,
    CreateSubnet,
    CreateVpc,
    DeletePeerConn,
    DeleteRoute,
    RejectPeerConn,
    SetRelay,
)
from netsim.controlplane.inventory import Inventory
from netsim.verify.endpoint import Endpoint, instance_endpoint
from netsim.verify.fix import with_fixes
from netsim.verify.network import Network
from netsim.verify.reach import Port, Reach, judge, reach
from tests.clouds import chain, two_vpcs
from tests.verify.random_network import RandomNetwork

MOST_STEPS = 12


def ask(inventory: Inventory, source: str, target: str, port: Port | None = None) -> Reach:
    return reach(Network.of(inventory), source, target, port)


def follow(inventory: Inventory, source: str, target: str, port: Port | None = None) -> list[str]:
    """Make the first fix again and again until the pair is reachable; the texts."""
    texts = []
    while (answer := ask(inventory, source, target, port)).fixes and answer.fixes[0].edits:
        texts.append(answer.fixes[0].text)
        inventory.apply(*answer.fixes[0].edits)
        assert len(texts) <= MOST_STEPS
    assert answer.is_reachable, (answer.reason, texts)
    return texts


def cross_account(state: str) -> Inventory:
    """shop and data of two accounts; connection and routes are there, its state is not active."""
    inventory = Inventory()
    inventory.apply(CreateAccount("acme"), CreateAccount("data-team"))
    for name, region, account, cidr in (("shop", "bj", "acme", "10.0"), ("data", "gz", "data-team", "10.1")):
        inventory.apply(
            CreateVpc(name, region, f"{cidr}.0.0/16", account),
            CreateSubnet(name, "s", f"{cidr}.0.0/24"),
            CreateInstance(f"{name}-1", f"{name}/s", f"{cidr}.0.10"),
        )
    payment = "prepaid" if state == "expired" else "postpaid"
    inventory.apply(
        CreatePeerConn("shop", "data", 10, "shop-data", "int-1", "int-2", state=state, payment=payment),
        CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "int-1"),
        CreateRoute("data", "0.0.0.0/0", "10.0.0.0/16", "int-2"),
    )
    return inventory


def test_a_missing_route_back_is_named_exactly() -> None:
    inventory = two_vpcs()
    inventory.apply(DeleteRoute(inventory.rules_of("data")[0].id))
    (fix,) = ask(inventory, "web-1", "db-1").fixes
    assert fix.text == ("in data's route table: source 10.1.0.0/24, destination 192.168.0.0/24, next hop int-data")
    assert fix.commands == (
        "netsim route create --vpc data --source 10.1.0.0/24 --destination 192.168.0.0/24 --next-hop int-data",
    )
    inventory.apply(*fix.edits)
    assert ask(inventory, "web-1", "db-1").is_reachable


def test_a_yes_needs_no_fix() -> None:
    assert ask(two_vpcs(), "web-1", "db-1").fixes == ()


def test_a_request_is_to_be_accepted() -> None:
    assert follow(cross_account("consulting"), "shop-1", "data-1") == [
        "peer connection shop-data: data-team must accept the request"
    ]


def test_an_expired_connection_is_to_be_renewed() -> None:
    assert follow(cross_account("expired"), "shop-1", "data-1") == [
        "peer connection shop-data: its prepaid period is over, renew it"
    ]


def test_after_a_refusal_one_deletes_and_asks_again() -> None:
    inventory = cross_account("consulting")
    inventory.apply(RejectPeerConn("shop-data"))
    texts = follow(inventory, "shop-1", "data-1")
    assert texts[0] == "peer connection shop-data: the request failed; delete it and ask data-team again"
    assert texts[1] == "peer connection shop-data: data-team must accept the request"
    assert all("route table" in text for text in texts[2:])


def test_a_rule_whose_connection_is_gone_gets_a_new_one() -> None:
    inventory = two_vpcs()
    inventory.apply(DeletePeerConn("shop-data"))
    texts = follow(inventory, "web-1", "db-1")
    assert texts[0] == "connect shop and data: nothing leads from one to the other"
    assert len(texts) == 3


def test_a_blackhole_is_overruled_for_the_two_subnets() -> None:
    inventory = two_vpcs()
    inventory.apply(CreateRoute("shop", "192.168.0.0/24", "10.1.0.0/24", "blackhole"))
    assert follow(inventory, "web-1", "db-1") == [
        "in shop's route table: source 192.168.0.0/24, destination 10.1.0.20/32, next hop int-shop"
    ]


def test_a_rule_for_just_this_pair_is_turned() -> None:
    inventory = two_vpcs()
    inventory.apply(CreateRoute("shop", "192.168.0.10/32", "10.1.0.20/32", "gateway:internet"))
    (fix,) = ask(inventory, "web-1", "db-1").fixes
    assert fix.commands == (
        "netsim route update --vpc shop --source 192.168.0.10/32 --destination 10.1.0.20/32 --next-hop int-shop",
    )
    assert follow(inventory, "web-1", "db-1") == [fix.text]


def test_transit_wants_the_relay_role() -> None:
    inventory = chain(3)
    inventory.apply(SetRelay("v1", relay=False))
    assert follow(inventory, "i0", "i2") == ["v1: turn the relay role on, so that packets may pass through"]


def test_a_loop_is_led_out_of() -> None:
    inventory = chain(3)
    wrong = next(rule for rule in inventory.rules_of("v1") if str(rule.destination) == "10.2.0.0/16")
    inventory.apply(DeleteRoute(wrong.id), CreateRoute("v1", "0.0.0.0/0", "10.2.0.0/16", "left"))
    answer = ask(inventory, "i0", "i2")
    assert answer.reason == "ttl_expired"
    assert [fix.text for fix in answer.fixes] == [
        "in v1's route table: source 10.0.0.0/24, destination 10.2.0.0/24, next hop right"
    ]
    assert follow(inventory, "i0", "i2") == [answer.fixes[0].text]


def test_a_closed_port_is_to_be_opened() -> None:
    inventory = two_vpcs()
    assert follow(inventory, "web-1", "db-1", (6, 443)) == ["on db-1: listen on tcp/443"]
    assert ask(inventory, "web-1", "db-1", (6, 5432)).is_reachable
    assert (
        ask(inventory, "web-1", "10.1.0.1", (6, 443)).fixes[0].text.startswith("the router of data listens on no port")
    )


def test_an_address_that_nobody_has_gets_an_instance() -> None:
    inventory = two_vpcs()
    assert follow(inventory, "web-1", "10.1.0.99") == [
        "in data's subnet db: nobody has 10.1.0.99; start an instance with that address"
    ]


def test_addresses_outside_of_everything() -> None:
    inventory = two_vpcs()
    assert ask(inventory, "web-1", "198.51.100.1").fixes[0].text.startswith("no subnet of any VPC holds 198.51.100.1")
    assert ask(inventory, "web-1", "10.1.0.255").fixes[0].text == "10.1.0.255 is no host's address: ask for another"
    inventory.apply(CreateRoute("shop", "0.0.0.0/0", "0.0.0.0/0", "gateway:internet"))
    assert "gateway:internet" in ask(inventory, "web-1", "198.51.100.1").fixes[0].text


def test_a_route_to_an_address_that_somebody_has() -> None:
    inventory = two_vpcs()
    inventory.apply(DeleteRoute(inventory.rules_of("shop")[0].id))
    assert len(follow(inventory, "web-1", "10.1.0.20")) == 1


def test_overlapping_cidrs_can_only_be_rebuilt() -> None:
    inventory = two_vpcs()
    inventory.apply(
        CreateVpc("twin", "bj", "192.168.0.0/16", "acme"),
        CreateSubnet("twin", "s", "192.168.0.0/24"),
        CreateInstance("twin-1", "twin/s", "192.168.0.11"),
    )
    answer = ask(inventory, "web-1", "twin-1")
    assert answer.reason == "overlapping_cidr"
    assert answer.fixes[0].edits == ()
    assert "shop and twin need CIDRs that do not overlap" in answer.fixes[0].text


def test_limits_that_leave_no_way_are_named() -> None:
    inventory = Inventory(limits={"peer_connections_per_vpc": 0})
    inventory.apply(CreateAccount("acme"))
    for k in range(2):
        inventory.apply(
            CreateVpc(f"v{k}", "bj", f"10.{k}.0.0/16", "acme"),
            CreateSubnet(f"v{k}", "a", f"10.{k}.0.0/24"),
            CreateInstance(f"i{k}", f"v{k}/a", f"10.{k}.0.10"),
        )
    (fix,) = ask(inventory, "i0", "i1").fixes
    assert fix.edits == () and "Raise one, or free a place" in fix.text


def test_no_fix_makes_relays_of_two_peers() -> None:
    """With two transits allowed the way v0, v1, v2, v3 would do, were it not for the rule about relays."""
    inventory = Inventory(limits={"transits": 2})
    inventory.apply(CreateAccount("acme"))
    for k in range(4):
        inventory.apply(
            CreateVpc(f"v{k}", "bj", f"10.{k}.0.0/16", "acme"),
            CreateSubnet(f"v{k}", "a", f"10.{k}.0.0/24"),
            CreateInstance(f"i{k}", f"v{k}/a", f"10.{k}.0.10"),
        )
    inventory.apply(*(CreatePeerConn(f"v{k}", f"v{k + 1}", 10, f"c{k}", "right", "left") for k in range(3)))
    texts = follow(inventory, "i0", "i3")
    assert texts[0] == "connect v0 and v3: nothing leads from one to the other"


# ------------------------------------------------------------------------------- random networks


def check_fixes(seeds: Iterable[int]) -> Counter[str]:
    """Mend one broken pair of each network by its fixes, one at a time; the first reasons."""
    found: Counter[str] = Counter()
    for seed in seeds:
        inventory = RandomNetwork(seed).inventory
        pairs = list(itertools.permutations(inventory.instances, 2))
        pairs = pairs[seed % len(pairs) :] + pairs[: seed % len(pairs)]
        network = Network.of(inventory)
        for pair in pairs:
            ends = [instance_endpoint(network, each) for each in pair]
            answer = judge(network, ends[0], ends[1])
            if not answer.is_reachable:
                found[answer.reason] += 1
                check_all_at_once(RandomNetwork(seed).inventory, answer)
                found[mend(inventory, network, ends[0], ends[1], f"seed {seed}: ")] += 1
                break
    return found


def check_all_at_once(inventory: Inventory, answer: Reach) -> None:
    """All changes made, the direction that failed works."""
    fixes = with_fixes(Network.of(inventory), answer).fixes
    if all(fix.edits for fix in fixes):
        for fix in fixes:
            inventory.apply(*fix.edits)
        after = judge(Network.of(inventory), answer.source, answer.target)
        assert after.is_reachable or (answer.verdict == "not_reachable" and after.verdict == "one_way")


def mend(inventory: Inventory, network: Network, a: Endpoint, b: Endpoint, label: str) -> str:
    """Fix after fix, until the pair is reachable or no edit helps; which of the two."""
    label += f"{a.name} to {b.name}"
    left = {"forward": MOST_STEPS, "back": MOST_STEPS}
    for _ in range(2 * MOST_STEPS):
        answer = with_fixes(network, judge(network, a, b))
        if answer.is_reachable:
            return "mended"
        assert answer.fixes, label
        if not answer.fixes[0].edits:
            return "no edit helps"
        way = "back" if answer.verdict == "one_way" else "forward"
        assert len(answer.fixes) < left[way], f"{label}: {answer.fixes[0].text} made nothing better"
        left[way] = len(answer.fixes)
        inventory.apply(*answer.fixes[0].edits)
        network = Network.of(inventory)
    raise AssertionError(f"{label}: no end of fixes")


def test_fixes_mend_random_networks() -> None:
    found = check_fixes(range(60))
    assert found["mended"] > 40, found


@pytest.mark.slow
def test_fixes_mend_many_more_random_networks() -> None:
    found = check_fixes(range(5000, 5600))
    assert found["mended"] + found["no edit helps"] >= 500
    assert found["mended"] > 450, found
