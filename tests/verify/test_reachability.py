"""All pairs and all headers: against single walks, a plain graph, and networks whose answer is known."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest

from netsim.controlplane.edit import (
    CreateAccount,
    CreateInstance,
    CreatePeerConn,
    CreateRoute,
    CreateSubnet,
    CreateVpc,
    DeleteVpc,
    Edit,
)
from netsim.controlplane.inventory import Inventory
from netsim.dataplane.disposition import Disposition
from netsim.prefix import MAX_ADDR, parse_addr
from netsim.verify.endpoint import instance_endpoint
from netsim.verify.network import Network
from netsim.verify.pairs import all_pairs
from netsim.verify.path import start_at, walk
from netsim.verify.reach import judge
from netsim.verify.reachability import reachability
from tests.clouds import chain, two_vpcs
from tests.reference.plain_walk import PlainWalk
from tests.verify.random_network import RandomNetwork
from tests.verify.test_path import loop


def chain_edits(n: int) -> list[Edit[Any]]:
    """Relays in a row, each with an instance and with rules for all the others."""
    edits: list[Edit[Any]] = [CreateAccount("acme")]
    for k in range(n):
        edits += [
            CreateVpc(f"v{k}", "bj", f"10.{k}.0.0/16", "acme", relay=True),
            CreateSubnet(f"v{k}", "a", f"10.{k}.0.0/24"),
            CreateInstance(f"i{k}", f"v{k}/a", f"10.{k}.0.10"),
        ]
    edits += [CreatePeerConn(f"v{k}", f"v{k + 1}", 10, f"c{k}", "right", "left") for k in range(n - 1)]
    for k, far in itertools.permutations(range(n), 2):
        edits.append(CreateRoute(f"v{k}", "0.0.0.0/0", f"10.{far}.0.0/16", "right" if far > k else "left"))
    return edits


def interesting_addresses(inventory: Inventory) -> list[int]:
    """The borders of everything, and their neighbours."""
    prefixes = [vpc.cidr for vpc in inventory.vpcs.values()] + [subnet.cidr for subnet in inventory.subnets.values()]
    prefixes += [prefix for rule in inventory.rules.values() for prefix in (rule.source, rule.destination)]
    edges = {addr for prefix in prefixes for end in (prefix.first, prefix.last) for addr in (end - 1, end, end + 1)}
    edges |= {instance.addr for instance in inventory.instances.values()} | {1 << 24, 127 << 24, 224 << 24, 240 << 24}
    return sorted(addr for addr in edges if 0 <= addr <= MAX_ADDR)


@pytest.mark.parametrize("seed", range(12))
def test_any_header_ends_as_a_plain_walk_says(seed: int) -> None:
    """Any source, also one the sender does not have, to any destination."""
    inventory = RandomNetwork(seed).inventory
    network, plain = Network.of(inventory), PlainWalk(inventory)
    result = reachability(network, any_source=True)
    rng = np.random.Generator(np.random.PCG64(seed))
    addresses = interesting_addresses(inventory)
    for _ in range(500):
        vpc = network.vpc_ids[int(rng.integers(len(network.vpc_ids)))]
        src, dst = (addresses[int(rng.integers(len(addresses)))] for _ in range(2))
        disposition, _, inst = result.fate(network.node_of[vpc], src, dst)
        expected, who = plain.fate_of_router(vpc, src, dst)
        got = network.instance_ids[inst] if inst >= 0 else "router" if disposition is Disposition.DELIVERED else None
        assert (disposition.symbol, got) == (expected, who), (seed, vpc, src, dst)


@pytest.mark.parametrize("seed", range(100, 125))
def test_every_pair_is_as_it_is_alone(seed: int) -> None:
    network = Network.of(RandomNetwork(seed).inventory)
    table = all_pairs(network)
    alone = {}
    for a, b in itertools.permutations(network.inventory.instances, 2):
        answer = judge(network, instance_endpoint(network, a), instance_endpoint(network, b))
        alone[a, b] = answer.verdict, answer.reason
    assert {(pair.source_id, pair.target_id): (pair.verdict, pair.reason) for pair in table} == alone
    assert table.counts() == {
        verdict: sum(v == verdict for v, _ in alone.values()) for verdict in ("reachable", "one_way", "not_reachable")
    }
    assert table.reasons() == dict(Counter(reason for _, reason in alone.values() if reason).most_common())


def test_ttl_runs_out_in_long_chains_just_where_a_packets_does() -> None:
    inventory = chain(65)
    network = Network.of(inventory)
    result = reachability(network)
    for dst in ("10.62.0.10", "10.63.0.10", "10.63.0.1", "10.63.0.0", "10.63.0.77", "10.64.0.1"):
        start = start_at(network, 0)
        found = walk(network, start, inventory.instance("i0").addr, parse_addr(dst))
        disposition, _, inst = result.fate(0, inventory.instance("i0").addr, parse_addr(dst))
        assert (disposition, inst) == (found.disposition, found.inst), dst


def test_a_pair_too_far_apart_is_known_as_such() -> None:
    table = all_pairs(Network.of(chain(65)))
    assert table.answer(0, 62) == ("reachable", "")
    assert table.answer(0, 63) == ("not_reachable", "ttl_expired")
    assert table.reasons() == {"ttl_expired": 6}


def test_the_limit_of_transits_counts_from_the_second_vpc() -> None:
    inventory = Inventory("research", {"transits": 1})
    inventory.apply(*chain_edits(4))
    table = all_pairs(Network.of(inventory))
    assert table.answer(0, 2) == ("reachable", "")
    assert table.answer(0, 3) == ("not_reachable", "transit_denied")


def test_loops_end() -> None:
    network = Network.of(loop())
    result = reachability(network)
    assert result.fate(0, parse_addr("10.0.0.10"), parse_addr("10.99.0.1"))[0] is Disposition.TTL_EXPIRED


def test_the_pieces_of_a_source_cover_the_whole_address_space_once() -> None:
    network = Network.of(two_vpcs())
    pieces = list(reachability(network).pieces(0))
    assert pieces[0].first == 0 and pieces[-1].last == MAX_ADDR
    assert all(b.first == a.last + 1 for a, b in itertools.pairwise(pieces))
    found = {(piece.disposition.symbol, piece.node) for piece in pieces}
    assert found == {("bad_destination", -1), ("no_route", -1), ("delivered", 0), ("delivered", 1)}


def test_source_segments_make_sources_of_their_own() -> None:
    inventory = two_vpcs()
    assert len(reachability(Network.of(inventory)).sources) == 2
    inventory.apply(CreateRoute("shop", "192.168.0.10/32", "10.1.0.0/24", "blackhole"))
    network = Network.of(inventory)
    result = reachability(network)
    assert len(result.sources) == 4  # shop below, at and above the segment; data
    assert result.fate(0, parse_addr("192.168.0.10"), parse_addr("10.1.0.20"))[0] is Disposition.BLACKHOLE
    assert result.fate(0, parse_addr("192.168.0.11"), parse_addr("10.1.0.20"))[0] is Disposition.DELIVERED
    with pytest.raises(LookupError, match="no such source"):
        result.fate(1, parse_addr("192.168.0.10"), parse_addr("10.1.0.20"))


def test_a_summary_by_vpc_and_subnet() -> None:
    inventory = two_vpcs()
    table = all_pairs(Network.of(inventory))
    shop, data = inventory.vpcs
    assert len(table) == 12
    assert table.by_vpc()[shop, data] == {"reachable": 3, "one_way": 0, "not_reachable": 0}
    assert (data, data) not in table.by_vpc()
    web, office, db = inventory.subnets
    assert table.by_subnet()[web, office]["reachable"] == 2
    assert table.by_subnet()[office, db]["reachable"] == 1
    found = table.to_dict()
    assert found["summary"]["reachable"] == 12
    assert found["pairs"][0] == {"from": "web-1", "to": "web-2", "verdict": "reachable", "reason": None, "fix": []}


def test_instances_that_nothing_tells_apart_are_a_group() -> None:
    inventory = two_vpcs()
    inventory.apply(CreateRoute("shop", "192.168.1.0/24", "10.1.0.0/24", "blackhole"))
    names = [[inventory.instances[i].name for i in group] for group in all_pairs(Network.of(inventory)).groups()]
    assert names == [["web-1", "web-2"], ["desk-1"], ["db-1"]]


def test_networks_without_anything_are_networks_too() -> None:
    for inventory in (Inventory(), chain(1)):
        network = Network.of(inventory)
        assert len(all_pairs(network)) == 0
        assert all_pairs(network).to_dict()["summary"]["pairs"] == 0
    inventory = two_vpcs()
    inventory.apply(CreateVpc("gone", "bj", "10.9.0.0/16", "acme"))
    lab_network = Network.of(inventory)
    inventory.apply(DeleteVpc("gone"))
    assert all_pairs(lab_network).counts()["reachable"] == 12
