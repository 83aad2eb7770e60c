from __future__ import annotations

import numpy as np
import pytest

from netsim.controlplane.edit import CreateRoute, CreateSubnet, DeletePeerConn
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.route_choice import choose_route, describe_next_hop, describe_rule
from netsim.prefix import ANY, parse_addr
from tests.controlplane.random_cloud import RandomCloud
from tests.reference import linear_lpm

WEB, DB = parse_addr("192.168.0.10"), parse_addr("10.1.0.20")


def shop(inventory: Inventory) -> str:
    return inventory.vpc("shop").id


def texts(inventory: Inventory, src: int, dst: int) -> list[str]:
    return [describe_rule(inventory, c) for c in choose_route(inventory, shop(inventory), src, dst).matching]


def test_nothing_matches_without_rules(linked: Inventory) -> None:
    choice = choose_route(linked, shop(linked), WEB, DB)
    assert choice.winner is None
    assert choice.beaten == ()


def test_the_own_cidr_is_local_for_any_source(linked: Inventory) -> None:
    assert texts(linked, DB, WEB) == ["192.168.0.0/16 local"]


def test_longest_destination_then_longest_source_and_the_beaten_in_order(linked: Inventory) -> None:
    linked.apply(
        CreateSubnet("shop", "office", "192.168.1.0/24"),
        CreateRoute("shop", "0.0.0.0/0", "0.0.0.0/0", "gateway:internet"),
        CreateRoute("shop", "192.168.0.0/24", "10.0.0.0/8", "blackhole"),
        CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "int-1"),
        CreateRoute("shop", "192.168.0.0/28", "10.1.0.0/16", "gateway:vpn"),
        CreateRoute("shop", "192.168.1.0/24", "10.1.0.0/24", "blackhole"),
    )
    assert texts(linked, WEB, DB) == [
        "from 192.168.0.0/28 to 10.1.0.0/16 via gateway:vpn",
        "10.1.0.0/16 via int-1 (shop-data)",
        "from 192.168.0.0/24 to 10.0.0.0/8 via blackhole",
        "0.0.0.0/0 via gateway:internet",
    ]
    assert texts(linked, parse_addr("192.168.1.10"), DB)[0] == "from 192.168.1.0/24 to 10.1.0.0/24 via blackhole"
    # The longer destination wins although the default route has the longer source nowhere.
    assert texts(linked, WEB, parse_addr("8.8.8.8")) == ["0.0.0.0/0 via gateway:internet"]


def test_a_default_route_loses_to_the_own_cidr(linked: Inventory) -> None:
    linked.apply(CreateRoute("shop", "192.168.0.0/24", "0.0.0.0/0", "gateway:internet"))
    assert texts(linked, WEB, WEB + 1) == [
        "192.168.0.0/16 local",
        "from 192.168.0.0/24 to 0.0.0.0/0 via gateway:internet",
    ]


def test_a_next_hop_that_is_gone_says_so(linked: Inventory) -> None:
    rule = linked.apply(CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "int-1"))
    linked.apply(DeletePeerConn("shop-data"))
    winner = choose_route(linked, shop(linked), WEB, DB).winner
    assert winner is not None
    assert describe_next_hop(linked, winner) == f"{rule.next_hop.target} (gone)"


@pytest.mark.parametrize("seed", range(4))
def test_the_winner_is_what_looking_at_every_rule_finds(seed: int) -> None:
    cloud = RandomCloud(seed)
    cloud.grow(250)
    inventory = cloud.inventory
    rng = np.random.Generator(np.random.PCG64(seed))
    won = 0
    for vpc_id, vpc in inventory.vpcs.items():
        rules = inventory.rules_of(vpc_id)
        pairs = [(vpc.cidr, ANY), *((rule.destination, rule.source) for rule in rules)]
        for dst in cloud.addresses(vpc_id, 40):
            src = int(rng.choice(cloud.addresses(vpc_id, 5)))
            found = linear_lpm.lookup(pairs, src, dst)
            winner = choose_route(inventory, vpc_id, src, dst).winner
            expected = None if found <= 0 else rules[found - 1]
            assert (found < 0) == (winner is None)
            assert winner is None or winner.rule == expected, f"seed {seed}, vpc {vpc.name}, {src} -> {dst}"
            won += found > 0
    assert won > 40
