"""Lookups by the batch are lookups one by one, whatever the tables, the threads and the number of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netsim import jit
from netsim.controlplane import edit as e
from netsim.controlplane.fib_compiler import FibCompiler
from netsim.dataplane import lookup_batch
from netsim.dataplane.fib import Fib
from netsim.dataplane.lookup_batch import BY_SOURCE, LookupBatch, find_pairs
from netsim.dataplane.lpm import find_rule
from netsim.prefix import MAX_ADDR
from tests.controlplane.random_cloud import RandomCloud


def random_fib(seed: int) -> Fib:
    """Tables with and without sources, and dead nodes without any."""
    cloud = RandomCloud(seed)
    cloud.grow(220)
    compiler = FibCompiler()
    compiler.compile(cloud.inventory)
    (empty,) = cloud.inventory.apply(e.CreateVpc("gone", "bj", "10.99.0.0/24", "acme"), e.CreateAccount("x"))[:1]
    compiler.compile(cloud.inventory)
    cloud.inventory.apply(e.DeleteVpc(empty.id))
    return compiler.compile(cloud.inventory)


def random_rows(fib: Fib, seed: int, n: int) -> tuple[Any, Any, Any]:
    """Addresses at the borders of intervals and beside them."""
    rng = np.random.default_rng(seed)
    borders = np.clip(rng.choice(fib.dst_lo, n) + rng.integers(-1, 2, n), 0, MAX_ADDR)
    sources = np.clip(rng.choice(fib.src_lo, n) + rng.integers(-1, 2, n), 0, MAX_ADDR)
    return rng.integers(0, fib.n_nodes, n), sources, borders


def one_by_one(fib: Fib, node: Any, src: Any, dst: Any) -> list[int]:
    plain = jit.plain_view(fib)
    return [find_rule(plain, int(n), int(s), int(d)) for n, s, d in zip(node, src, dst, strict=True)]


@pytest.mark.parametrize("seed", range(6))
def test_a_batch_answers_as_single_lookups_do(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup_batch, "CHUNK", 64)  # several chunks, the last one odd
    fib = random_fib(seed)
    rows = random_rows(fib, seed, 301)
    batch = LookupBatch(fib)
    expected = one_by_one(fib, *rows)
    assert batch.find(*rows).tolist() == expected
    assert batch.find(*rows, threads=2).tolist() == expected


def test_these_clouds_have_tables_that_ask_for_sources_and_nodes_without_one() -> None:
    fibs = [random_fib(seed) for seed in range(6)]
    assert any((LookupBatch(fib).wins == BY_SOURCE).any() for fib in fibs)
    assert any((LookupBatch(fib).first_count[1::2] == 0).any() for fib in fibs), "no dead node"


def test_the_batch_plain_is_the_batch_compiled() -> None:
    fib = random_fib(2)
    node, src, dst = random_rows(fib, 9, 75)
    batch = LookupBatch(fib)
    found: Any = np.empty(75, np.int64)
    columns: list[Any] = [batch.first_count, batch.low, batch.wins, node, src, dst, found]
    find_pairs(jit.plain_view(fib), *(memoryview(column) for column in columns))
    assert found.tolist() == batch.find(node, src, dst).tolist()


def test_no_rows_are_no_answers() -> None:
    nothing = np.zeros(0, np.int64)
    assert LookupBatch(random_fib(0)).find(nothing, nothing, nothing).tolist() == []
