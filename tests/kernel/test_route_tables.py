"""Random route tables: what the kernel looks up in what `deploy` loads is what the Fib says."""

from __future__ import annotations

import os

import pytest

from netsim.kernel.policy_routing import segment_of, segment_tables
from netsim.kernel.random_tables import MAX_RULES, RandomTables
from netsim.kernel.route_check import check_route_tables
from netsim.prefix import ANY, parse_addr, parse_prefix

IS_LONG = os.environ.get("NETSIM_LONG") == "1"
TABLES = 50_000 if IS_LONG else 2_000
LOOKUPS = 200
# The same tables every time in CI and at a desk; the long run has others by its number alone.
SEED = 20_000


@pytest.mark.netns
@pytest.mark.slow
@pytest.mark.usefixtures("real_kernel")
def test_the_kernel_and_the_fib_agree_on_every_lookup() -> None:
    """A difference prints the seed and the number of the table, which make it again."""
    found = check_route_tables(TABLES, LOOKUPS, SEED)
    assert not found.differences, "\n".join(map(str, found.differences[:10]))
    assert found.lookups == TABLES * LOOKUPS
    # Every kind of answer is there often enough to mean something.
    assert set(found.answers) >= {"peer0", "peer1", "peer2", "gate0", "gate1", "sub0", "local", "blackhole", "nonet"}
    assert min(found.answers.values()) > found.lookups // 200


def test_the_random_tables_are_random_tables() -> None:
    tables = RandomTables(40, 7)
    sizes = [len(tables.inventory.rules_of(vpc_id)) for vpc_id in tables.vpc_ids]
    rules = [rule for vpc_id in tables.vpc_ids for rule in tables.inventory.rules_of(vpc_id)]
    assert max(sizes) <= MAX_RULES and min(sizes) < 5 and max(sizes) > 25
    assert {0, 32} <= {rule.destination.prefix_len for rule in rules}
    assert len({rule.source for rule in rules}) > 100
    assert {rule.next_hop.kind for rule in rules} == {"peer", "gateway", "blackhole"}
    again = RandomTables(40, 7)
    assert [again.questions(vpc_id, 5) for vpc_id in again.vpc_ids] == [
        tables.questions(vpc_id, 5) for vpc_id in tables.vpc_ids
    ]


# ------------------------------------------------------------------------------ the tables themselves


def test_a_segment_has_every_rule_whose_source_covers_it() -> None:
    """And of those with one destination the one with the longest source."""
    web, host = parse_prefix("192.168.0.0/24"), parse_prefix("192.168.0.7/32")
    ten, one = parse_prefix("10.0.0.0/8"), parse_prefix("10.1.0.0/16")
    tables = segment_tables([(host, one, "d"), (ANY, ten, "a"), (web, ten, "b"), (ANY, one, "c")])
    assert tables == {host: {ten: "b", one: "d"}, web: {ten: "b", one: "c"}, ANY: {ten: "a", one: "c"}}
    assert list(tables) == [host, web, ANY], "longest first: Linux takes the first rule that matches"


def test_there_is_always_a_table_for_any_source() -> None:
    assert segment_tables([]) == {ANY: {}}
    assert segment_of(parse_addr("10.0.0.1"), segment_tables([])) == ANY


def test_segments_that_nest_through_one_that_is_missing() -> None:
    """/16 around /32, with no /24 between them."""
    outer, inner, other = (parse_prefix(text) for text in ("10.1.0.0/16", "10.1.2.3/32", "10.2.0.0/16"))
    tables = segment_tables([(inner, other, 1), (outer, outer, 2), (other, inner, 3)])
    assert tables[inner] == {other: 1, outer: 2}
    assert tables[other] == {inner: 3}
    assert segment_of(parse_addr("10.1.2.3"), tables) == inner
    assert segment_of(parse_addr("10.1.2.4"), tables) == outer
