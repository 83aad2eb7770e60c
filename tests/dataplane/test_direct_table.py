"""The huge form of a table says what the small one says, and what looking at every rule says."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netsim import jit
from netsim.controlplane.vpc_piece import compile_table
from netsim.dataplane import direct_table, lpm
from netsim.dataplane import fib as f
from netsim.dataplane.direct_table import SLOT_ADDRS, SLOTS, direct_of, intervals_of
from netsim.dataplane.fib import Fib
from netsim.prefix import ANY, MAX_ADDR, Prefix, parse_prefix, prefix_of
from tests.reference import interval_table, linear_lpm

NOTHING = np.zeros(0, np.int64)

Pairs = list[tuple[Prefix, Prefix]]


def random_prefixes(seed: int, n: int, longest: int = 32) -> list[Prefix]:
    """Nested and crowded: few first octets, every length."""
    rng = np.random.default_rng(seed)
    addrs = rng.choice([10 << 24, 10 << 24 | 255, MAX_ADDR, 0, 200 << 24], n) ^ rng.integers(0, 1 << 14, n)
    made = {prefix_of(int(a), int(k)) for a, k in zip(addrs, rng.integers(0, longest + 1, n), strict=True)}
    return [sorted(made)[i] for i in rng.permutation(len(made))]


def columns(prefixes: list[Prefix]) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(prefixes, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def fib_of(pairs: Pairs, is_direct: bool, first_rule: int = 0) -> Fib:
    """One node (number 1) with these rules; the rules of another node come before them."""
    table = lpm.build_table((dst, src, i) for i, (dst, src) in enumerate(pairs))
    dst_src: list[int] = []
    src_lo: list[int] = []
    src_rule: list[int] = []
    single = []
    for sources in table.sources:
        dst_src += [len(src_lo), len(sources)]
        src_lo += [lo for lo, _ in sources]
        src_rule += [rule + first_rule if rule >= 0 else rule for _, rule in sources]
        single.append(sources[0][1] if len(sources) == 1 else -2)
    dst_lo = np.array(table.dst_lo, np.int64)
    direct = direct_of(dst_lo, np.array(single)) if is_direct else np.zeros(0, np.int32)
    node = np.zeros((2, f.NODE_WORDS), np.int64)
    node[:, f.N_DIRECT] = -1
    node[1, [f.N_DST_COUNT, f.N_DIRECT, f.N_RULE]] = len(dst_lo), 0 if is_direct else -1, first_rule
    rest = dict.fromkeys(Fib._fields, NOTHING)
    made = {"node": node.reshape(-1), "dst_lo": dst_lo, "dst_src": dst_src, "src_lo": src_lo, "src_rule": src_rule}
    arrays = {name: np.array(values, np.int64) for name, values in (rest | made).items()}
    return Fib(**arrays | {"direct": direct})  # type: ignore[arg-type]


def view(column: Any) -> Any:
    """An array as plain kernels take it."""
    return memoryview(column)


def edges_of(prefixes: list[Prefix]) -> list[int]:
    """Every address at which an answer may change, and those beside it."""
    near = {a for p in prefixes for a in (p.first - 1, p.first, p.last, p.last + 1)} | {0, MAX_ADDR}
    return sorted(addr for addr in near if 0 <= addr <= MAX_ADDR)


@pytest.mark.parametrize("seed", range(8))
def test_intervals_by_columns_are_those_of_the_twin_and_of_the_small_build(seed: int) -> None:
    prefixes = random_prefixes(seed, 60)
    dst_lo, rule = intervals_of(*columns(prefixes))
    assert list(zip(dst_lo.tolist(), rule.tolist(), strict=True)) == interval_table.intervals(prefixes)
    table = lpm.build_table((prefix, ANY, i) for i, prefix in enumerate(prefixes))
    assert (dst_lo.tolist(), [((0, r),) for r in rule.tolist()]) == (table.dst_lo, table.sources)


def test_no_rules_are_one_interval_without_a_rule() -> None:
    dst_lo, rule = intervals_of(NOTHING, NOTHING)
    assert (dst_lo.tolist(), rule.tolist()) == ([0], [-1])


def test_the_sweep_compiled_is_the_sweep_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    network, prefix_len = columns(random_prefixes(5, 400))
    plain = intervals_of(network, prefix_len)
    monkeypatch.setattr(direct_table, "_COMPILE_FROM", 1)
    fast = intervals_of(network, prefix_len)
    assert [column.tolist() for column in plain] == [column.tolist() for column in fast]


@pytest.mark.slow  # a direct table has 16 million entries
@pytest.mark.parametrize("seed", range(3))
def test_a_lookup_through_the_direct_table_is_one_that_looks_at_every_rule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs: Pairs = [(p, ANY) for p in random_prefixes(seed, 50)]
    pairs += [(p, prefix_of(int(rng.integers(2**32)), 1 + i % 3)) for i, (p, _) in enumerate(pairs[:9])]
    fib = jit.plain_view(fib_of(pairs, is_direct=True, first_rule=7))
    assert len(fib.direct) == SLOTS
    for dst in edges_of([p for p, _ in pairs]):
        for src in (0, MAX_ADDR, int(rng.integers(2**32))):
            rule = linear_lpm.lookup(pairs, src, dst)
            assert lpm.find_rule(fib, 1, src, dst) == (rule + 7 if rule >= 0 else rule), (src, dst)


@pytest.mark.slow
def test_many_lookups_at_once_are_as_many_single_ones_plain_and_compiled() -> None:
    pairs: Pairs = [(p, ANY) for p in random_prefixes(3, 300)]
    dst = np.array(edges_of([p for p, _ in pairs]), np.int64)
    expected = [linear_lpm.lookup(pairs, 0, int(d)) for d in dst]
    found = np.empty_like(dst)
    fib = fib_of(pairs, is_direct=True, first_rule=5)
    for run, arrays in (
        (jit.compiled(lpm.find_rules_at), (fib, 1, dst, found)),
        (lpm.find_rules_at, (jit.plain_view(fib), 1, view(dst), view(found))),
    ):
        found[:] = -9
        run(*arrays)
        assert found.tolist() == expected


@pytest.mark.slow
def test_every_slot_says_what_its_first_address_says_or_that_it_is_cut() -> None:
    prefixes = random_prefixes(11, 200)
    dst_lo, rule = intervals_of(*columns(prefixes))
    direct = direct_of(dst_lo, rule)
    interval = np.searchsorted(dst_lo, np.arange(SLOTS) * SLOT_ADDRS, side="right") - 1
    is_cut = np.zeros(SLOTS, bool)
    is_cut[[lo // SLOT_ADDRS for lo in dst_lo.tolist() if lo % SLOT_ADDRS]] = True
    assert is_cut.any()
    assert (direct == np.where(is_cut, direct_table.IN_INTERVAL - interval, rule[interval])).all()


def test_a_vpc_with_many_rules_is_compiled_by_columns_to_the_same_table() -> None:
    from netsim.controlplane.edit import CreateAccount, CreateRoute, CreateVpc
    from netsim.controlplane.inventory import Inventory

    own = parse_prefix("192.168.0.0/16")
    inventory = Inventory("research")
    inventory.apply(CreateAccount("a"), CreateVpc("v", "bj", own, "a"))
    prefixes = [p for p in random_prefixes(2, 3000) if p == ANY or not p.overlaps(own)]
    inventory.apply(*(CreateRoute("v", ANY, p, "blackhole") for p in prefixes))
    rules = inventory.rules_of("v")
    assert len(rules) > 1000
    table = compile_table(own, rules, lambda _: (f.DISCARD, -1))
    triples = [(own, ANY, 0), *((r.destination, r.source, i) for i, r in enumerate(rules, 1))]
    small = lpm.build_table(triples)
    assert table.dst_lo.tolist() == small.dst_lo
    assert [((0, rule),) for rule in table.src_rule.tolist()] == small.sources
    assert len(table.direct) == 0


def test_a_real_routers_table_agrees_with_a_dict_for_each_length(shared_data: Path) -> None:
    with gzip.open(shared_data / "fib" / "internet2-atla.csv.gz", "rt") as file:
        prefixes = [parse_prefix(row["prefix"]) for row in csv.DictReader(file)]
    by_length: dict[int, dict[int, int]] = {}
    for i, prefix in enumerate(prefixes):
        by_length.setdefault(prefix.prefix_len, {})[prefix.network] = i
    lengths = sorted(by_length, reverse=True)
    dst_lo, rule = intervals_of(*columns(prefixes))
    addrs = np.random.default_rng(0).integers(0, 2**32, 3000)
    addrs = np.concatenate((addrs, np.array([p.last for p in prefixes[::10]])))
    got = rule[np.searchsorted(dst_lo, addrs, side="right") - 1]
    for addr, found in zip(addrs.tolist(), got.tolist(), strict=True):
        nets = ((k, addr >> (32 - k) << (32 - k)) for k in lengths)
        assert found == next((by_length[k][net] for k, net in nets if net in by_length[k]), -1), addr
