from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.dataplane.fib import NODE_WORDS
from netsim.dataplane.lpm import NO_RULE, build_table, last_at_most, lookup
from netsim.prefix import ANY, MAX_ADDR, Prefix, parse_addr, parse_prefix, prefix_of
from tests.reference import linear_lpm

Pairs = list[tuple[Prefix, Prefix]]
Lookup = Callable[[Pairs, int, int], int]


def by_table(pairs: Pairs, src: int, dst: int) -> int:
    table = build_table((destination, source, i) for i, (destination, source) in enumerate(pairs))
    columns: dict[str, list[int]] = {"dst_src": [], "src_lo": [], "src_rule": []}
    for sources in table.sources:
        columns["dst_src"] += [len(columns["src_lo"]), len(sources)]
        columns["src_lo"] += [lo for lo, _ in sources]
        columns["src_rule"] += [rule for _, rule in sources]
    node = [0, len(table.dst_lo), *[0] * (NODE_WORDS - 2)]
    return lookup(node, table.dst_lo, columns["dst_src"], columns["src_lo"], columns["src_rule"], 0, src, dst)


@pytest.fixture(params=[by_table, linear_lpm.lookup], ids=["table", "linear"])
def find(request: pytest.FixtureRequest) -> Lookup:
    found: Lookup = request.param
    return found


def pair(destination: str, source: str = "0.0.0.0/0") -> tuple[Prefix, Prefix]:
    return parse_prefix(destination), parse_prefix(source)


A, B = parse_addr("10.0.0.9"), parse_addr("10.1.2.3")


def test_nothing_matches_an_empty_table(find: Lookup) -> None:
    assert find([], A, B) == NO_RULE


def test_a_node_without_a_table_has_no_rule() -> None:
    assert lookup([0] * NODE_WORDS, [], [], [], [], 0, A, B) == NO_RULE


def test_the_longest_destination_wins(find: Lookup) -> None:
    rules = [pair("10.0.0.0/8"), pair("10.1.2.0/24"), pair("10.1.0.0/16")]
    assert find(rules, A, B) == 1


def test_the_destination_decides_before_the_source(find: Lookup) -> None:
    rules = [pair("10.0.0.0/8", "10.0.0.9/32"), pair("10.1.0.0/16")]
    assert find(rules, A, B) == 1


def test_of_equal_destinations_the_longest_source_wins(find: Lookup) -> None:
    rules = [pair("10.1.0.0/16"), pair("10.1.0.0/16", "10.0.0.0/24"), pair("10.1.0.0/16", "10.0.0.0/16")]
    assert find(rules, A, B) == 1
    assert find(rules, parse_addr("10.0.7.1"), B) == 2
    assert find(rules, parse_addr("11.0.0.1"), B) == 0


def test_a_rule_whose_source_does_not_match_leaves_the_shorter_destination_to_win(find: Lookup) -> None:
    rules = [pair("10.0.0.0/8"), pair("10.1.0.0/16", "192.168.0.0/16")]
    assert find(rules, A, B) == 0


def test_first_and_last_address_of_a_prefix_belong_to_it(find: Lookup) -> None:
    rules = [pair("10.1.0.0/16")]
    hits = [find(rules, A, parse_addr(dst)) for dst in ("10.0.255.255", "10.1.0.0", "10.1.255.255", "10.2.0.0")]
    assert hits == [NO_RULE, 0, 0, NO_RULE]


def test_the_ends_of_the_address_space_are_no_special_case(find: Lookup) -> None:
    rules = [pair("0.0.0.0/1", "255.255.255.255/32"), pair("255.255.255.255/32", "0.0.0.0/32")]
    assert find(rules, MAX_ADDR, 0) == 0
    assert find(rules, 0, MAX_ADDR) == 1
    assert find(rules, 1, MAX_ADDR) == NO_RULE


# Few distinct bits, so that prefixes nest, touch and share both ends of the space.
CROWDED = st.sampled_from([0, 1, 2, 3, 4, 7, 8, 2**31 - 1, 2**31, MAX_ADDR - 8, MAX_ADDR - 1, MAX_ADDR])
PREFIXES = st.builds(prefix_of, CROWDED, st.sampled_from([0, 1, 2, 28, 29, 30, 31, 32]))


@given(st.lists(st.tuples(PREFIXES, PREFIXES), unique=True, max_size=14), st.data())
def test_every_address_pair_agrees_with_looking_at_every_rule(pairs: Pairs, data: st.DataObject) -> None:
    borders = {0, MAX_ADDR, *(a for p in pairs for q in p for a in (q.first - 1, q.first, q.last, q.last + 1))}
    inside = sorted(border for border in borders if 0 <= border <= MAX_ADDR)
    src = data.draw(st.sampled_from(inside))
    for dst in inside:
        assert by_table(pairs, src, dst) == linear_lpm.lookup(pairs, src, dst)


def test_a_thousand_random_rules_agree_with_looking_at_every_rule() -> None:
    rng = np.random.default_rng(11)
    pairs = list(
        {
            (prefix_of(int(d), int(n)), ANY if s % 3 else prefix_of(int(s), 12))
            for d, n, s in zip(
                rng.integers(10 << 24, 11 << 24, 1000), rng.integers(8, 33, 1000), rng.integers(0, 2**32, 1000),
                strict=True,
            )
        }
    )  # fmt: skip
    table = build_table((destination, source, i) for i, (destination, source) in enumerate(pairs))
    for dst in rng.integers(10 << 24, 11 << 24, 200).tolist():
        src = int(rng.integers(2**32))
        sources = table.sources[last_at_most(table.dst_lo, 0, len(table.dst_lo), dst)]
        got = sources[last_at_most([lo for lo, _ in sources], 0, len(sources), src)][1]
        assert got == linear_lpm.lookup(pairs, src, dst), (src, dst)


def test_intervals_are_as_few_as_the_answers_change() -> None:
    table = build_table([(*pair("10.0.0.0/9"), 0), (*pair("10.128.0.0/9"), 0)])
    assert table.dst_lo == [0, 10 << 24, 11 << 24]
