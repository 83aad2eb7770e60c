"""Any packet a header can describe goes through: nothing raises, nothing is lost, nothing hangs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netsim.dataplane import state
from netsim.dataplane.batch import COLUMNS, WATCH, PacketBatch
from netsim.dataplane.engine import Engine
from netsim.dataplane.row import TTL
from netsim.prefix import parse_addr
from tests.dataplane.network import NO_LIMIT, Network

ADDRS = ["10.0.0.10", "10.0.0.1", "10.0.0.255", "10.0.0.99", "10.1.0.10", "10.1.0.2", "10.2.0.10", "10.2.9.9",
         "8.8.8.8", "224.0.0.1", "255.255.255.255", "127.0.0.1", "0.0.0.1", "240.0.0.1"]  # fmt: skip


def small_world() -> Network:
    """Three VPCs in a row with odd caps and MTUs; b carries between them."""
    net = Network(transits=NO_LIMIT)
    for k, name in enumerate("abc"):
        net.vpc(name, f"10.{k}.0.0/16", [f"10.{k}.0.0/24"], is_relay=name == "b")
        net.instance(f"{name}1", f"10.{k}.0.10", [(17, port) for port in range(0, 60_000, 7)])
    net.connect("a", "b", mtu_bytes=68, rate_bps=10**9, queue_bytes=2**30, overhead_bytes=38)
    net.connect("b", "c", mtu_bytes=65_535, rate_bps=10**9, police=True)
    for vpc, destination, next_hop in (("a", "0.0.0.0/0", "b"), ("b", "10.0.0.0/16", "a"), ("b", "10.2.0.0/16", "c"),
                                       ("b", "8.0.0.0/8", "a"), ("c", "0.0.0.0/0", "b")):  # fmt: skip
        net.route(vpc, destination, next_hop)
    return net


def random_rows(rng: Any, n: int, largest: int) -> PacketBatch:
    """Headers as a parser could hand them on: each field anywhere in its range, often at its ends."""
    columns: dict[str, Any] = {name: np.zeros(n, np.int64) for name in COLUMNS}
    addrs = np.array([parse_addr(text) for text in ADDRS])
    for name in ("src", "dst"):
        columns[name] = np.where(rng.random(n) < 0.8, rng.choice(addrs, n), rng.integers(0, 2**32, n))
    columns["header_bytes"] = 4 * rng.integers(5, 16, n)
    sizes = [rng.integers(20, largest + 1, n), rng.integers(20, 100, n), rng.choice([68, 69, 576, largest], n)]
    columns["size_bytes"] = np.maximum(np.choose(rng.integers(0, 3, n), sizes), columns["header_bytes"])
    columns["l4"] = np.where(rng.random(n) < 0.5, rng.integers(0, 2**48, n), rng.integers(0, 2**63 - 1, n))
    columns["frag_offset"] = np.where(rng.random(n) < 0.7, 0, 8 * rng.integers(0, 8192, n))
    columns["ident"] = rng.choice([0, 1, 65_535], n)
    columns["ttl"] = rng.choice([0, 1, 2, 3, 4, 64, 64, 64, 64, 255], n)
    columns["proto"] = np.where(rng.random(n) < 0.7, rng.choice([1, 6, 17], n), rng.integers(0, 256, n))
    # A watched packet costs a dozen records: not among many.
    columns["flags"] = rng.integers(0, 32, n) & (~WATCH if n > 2000 else 31)
    columns["role"] = np.where(rng.random(n) < 0.8, 0, rng.integers(0, 4, n))
    columns["inst"] = rng.integers(-1, 3, n)
    for name, bits in (("tcp_seq", 32), ("tcp_ack", 32), ("window", 16), ("ts_echo", 31)):
        columns[name] = rng.choice([0, 1, 2**bits - 1, int(rng.integers(2**bits))], n)
    columns["transits"] = rng.integers(0, 256, n)
    return PacketBatch({name: np.asarray(column, COLUMNS[name]) for name, column in columns.items()})


def drive(seed: int, n: int, largest: int, *, is_compiled: bool = False) -> Engine:
    rng = np.random.default_rng(seed)
    engine = Engine(small_world().fib())
    engine.is_compiled = is_compiled
    first = engine.keep(random_rows(rng, n, largest), rng.integers(0, 2**31, n), np.zeros(n, np.int64))
    flows = np.zeros((3, state.FLOW_WORDS), np.int64)
    flows[:, state.F_INST], flows[:, state.F_DST_INST], flows[:, state.F_FROM_STORE] = [0, 1, 2], [2, 0, -1], 1
    engine.add_flows(flows)
    shares = np.array_split(np.arange(first, first + n), 3)
    for flow, rows in enumerate(shares):
        engine.feed(flow, np.sort(rng.integers(0, n * 20_000, len(rows))), rows)
    for stop_ns in np.linspace(1, n * 20_000, 7).astype(int).tolist():
        engine.advance(stop_ns)
        assert_balanced(engine)
    engine.advance(10**12 + n * 100_000)
    assert_balanced(engine)
    assert engine.totals().in_flight == 0, f"seed {seed}"
    return engine


def assert_balanced(engine: Engine) -> None:
    totals = engine.totals()
    assert totals.injected == totals.delivered + totals.dropped + totals.in_flight
    assert (engine.packets_in_flight()[:, TTL] <= 255).all()
    counters = engine.counters()
    assert all((column >= 0).all() for column in counters)
    assert (engine.node_dispositions() >= 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_random_headers_do_no_harm(seed: int) -> None:
    """Plain: a value that leaves its column raises here (memoryviews), where compiled code would wrap."""
    engine = drive(seed, 1500, 3000)
    assert engine.totals().injected > 2500


@pytest.mark.usefixtures("compiled_kernels")
def test_two_hundred_thousand_random_headers_do_no_harm() -> None:
    engine = drive(99, 200_000, 1600, is_compiled=True)
    assert engine.totals().injected >= 200_000


@pytest.mark.usefixtures("compiled_kernels")
def test_the_largest_packets_in_the_smallest_fragments() -> None:
    """Up to 8185 fragments each; rings and journal grow in mid-event; the same in both modes."""
    plain, compiled = (drive(7, 300, 65_535, is_compiled=is_compiled) for is_compiled in (False, True))
    assert plain.totals()[:4] == compiled.totals()[:4]
    assert plain.totals().injected > 10_000
    assert plain.take_journal().tolist() == compiled.take_journal().tolist()
