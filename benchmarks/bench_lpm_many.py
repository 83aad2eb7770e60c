"""How fast is longest-prefix match over 1,000 tables of 100 rules, queries mixed?

    python -m benchmarks.bench_lpm_many [--quick]

The tables are a Fib compiled from an inventory; the peer is a list of pytricia tries with the same
prefixes, and must find the same rules. One and two threads (of netsim: the trie holds the GIL).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import AbsentError, Plan, Row, Sample, Side, Stopwatch, compare, standalone
from benchmarks.peers import tries
from netsim.controlplane import edit as e
from netsim.controlplane.fib_compiler import FibCompiler
from netsim.controlplane.inventory import Inventory
from netsim.dataplane.fib import N_RULE, NODE_WORDS, table_of
from netsim.dataplane.lookup_batch import LookupBatch
from netsim.prefix import prefix_of

Ints = NDArray[np.int64]

TABLES, RULES = 1000, 100


def inventory_of(tables: int) -> Inventory:
    """Each VPC with rules of lengths 12 to 28 that nest, all over the address space."""
    rng = np.random.Generator(np.random.PCG64(5))
    inventory = Inventory("research")
    inventory.apply(e.CreateAccount("bench"))
    edits: list[e.Edit[object]] = []
    for k in range(tables):
        own = prefix_of(10 << 24 | k << 12, 24)
        edits.append(e.CreateVpc(f"v{k}", "bj", own, "bench"))
        made = {own}
        while len(made) < RULES:
            # Half of them inside one of a few /12s, so that prefixes nest.
            addr = (
                int(rng.integers(11 << 24, 200 << 24)) if rng.random() < 0.5 else 172 << 24 | int(rng.integers(1 << 22))
            )
            made.add(prefix_of(addr, int(rng.integers(12, 29))))
        edits += [e.CreateRoute(f"v{k}", "0.0.0.0/0", prefix, "blackhole") for prefix in sorted(made - {own})]
    inventory.apply(*edits)
    return inventory


def queries(tables: int, n: int) -> tuple[Ints, Ints]:
    """A table and an address each; half of the addresses where prefixes nest."""
    rng = np.random.Generator(np.random.PCG64(6))
    dst = np.where(rng.random(n) < 0.5, rng.integers(0, 2**32, n), 172 << 24 | rng.integers(0, 1 << 22, n))
    return rng.integers(0, tables, n), dst


def run(plan: Plan) -> list[Row]:
    """One thread, two threads."""
    tables = plan.size(100, TABLES)
    inventory = inventory_of(tables)
    fib = FibCompiler().compile(inventory)
    base = table_of(fib.node, NODE_WORDS)[:, N_RULE]
    node, dst = queries(tables, plan.size(200_000, 4_000_000))
    peer_node, peer_dst = (column[: plan.size(20_000, 500_000)].tolist() for column in (node, dst))
    peer: Side | AbsentError
    try:
        kinds = [
            tries.trie_of(
                tries.load(), [(str(vpc.cidr), 0), *((str(r.destination), i) for i, r in enumerate(rules, 1))]
            )
            for vpc, rules in ((vpc, inventory.rules_of(vpc.id)) for vpc in inventory.vpcs.values())
        ]
        expected = tries.lookup_in(kinds, peer_node, peer_dst)

        def look() -> Sample:
            watch = Stopwatch()
            found = tries.lookup_in(kinds, peer_node, peer_dst)
            return Sample(watch.seconds, len(found), {"lookups": len(found), "matched": sum(r >= 0 for r in found)})

        peer = Side("list of pytricia", look)
    except AbsentError as absent:
        peer, expected = absent, []
    rows = []
    for threads, name, target in ((1, "one thread", 20), (2, "two threads", 35)):
        found = LookupBatch(fib).find(node, dst, dst, threads)
        own = np.where(found >= 0, found - base[node], -1)
        assert own[: len(expected)].tolist() == expected, "netsim and pytricia disagree"

        def ours(threads: int = threads) -> Sample:
            watch = Stopwatch()
            found = LookupBatch(fib).find(node, dst, dst, threads)
            return Sample(watch.seconds, len(found), {"lookups": len(found), "matched": int((found >= 0).sum())})

        question = f"LPM, {tables:,} tables x {RULES} rules, mixed queries, {name}"
        rows += compare(question, "lookups/s", Side("netsim", ours), [(peer, "list of pytricia", target)], plan.rounds)
    return rows


if __name__ == "__main__":
    standalone(run, __doc__)
