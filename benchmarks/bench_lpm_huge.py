"""How fast is longest-prefix match in one table of 600,000 prefixes, and how fast is it built?

    python -m benchmarks.bench_lpm_huge [--quick]

The table is synthetic: prefix lengths in the shares that routing tables of the Internet show (six in ten
are /24, few are longer), networks random over the unicast space. Addresses are random. The peer is one
pytricia trie; both must find the same. Building starts from columns of integers here and from prefixes
as text there, which is the fastest each takes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import AbsentError, Plan, Row, Sample, Side, Stopwatch, compare, standalone
from benchmarks.peers import tries
from netsim import jit
from netsim.dataplane.direct_table import direct_of, intervals_of
from netsim.dataplane.fib import N_DIRECT, N_DST_COUNT, NODE_WORDS, Fib
from netsim.dataplane.lpm import find_rules_at
from netsim.prefix import Prefix

Ints = NDArray[np.int64]

PREFIXES = 600_000
SHARES = {
    8: 16, 9: 13, 10: 40, 11: 100, 12: 300, 13: 580, 14: 1_200, 15: 2_000, 16: 13_600, 17: 8_200, 18: 13_700,
    19: 25_000, 20: 41_000, 21: 48_000, 22: 104_000, 23: 89_000, 24: 590_000, 25: 300, 26: 300, 27: 250, 28: 250,
    29: 300, 30: 300, 32: 400,
}  # fmt: skip
"""How many prefixes of each length a table of some 940,000 has: an estimate of the public one, mostly /24."""


def prefixes_of(n: int) -> tuple[Ints, Ints]:
    """n different prefixes in random order: networks, lengths."""
    rng = np.random.Generator(np.random.PCG64(9))
    lengths = rng.choice(list(SHARES), n * 2, p=np.array(list(SHARES.values())) / sum(SHARES.values()))
    networks = rng.integers(1 << 24, 224 << 24, n * 2) >> (32 - lengths) << (32 - lengths)
    keys = rng.permutation(np.unique(networks << 6 | lengths))[:n]
    return keys >> 6, keys & 63


def fib_of(dst_lo: Ints, rule: Ints, direct: NDArray[np.int32]) -> Fib:
    """A Fib of one node with this table, as the compiler lays it out."""
    node = np.zeros(NODE_WORDS, np.int64)
    node[N_DST_COUNT], node[N_DIRECT] = len(dst_lo), 0
    each = np.arange(len(dst_lo))
    nothing = np.zeros(0, np.int64)
    arrays = dict.fromkeys(Fib._fields, nothing) | {
        "node": node, "dst_lo": dst_lo, "src_rule": rule, "src_lo": np.zeros_like(rule),
        "dst_src": np.stack((each, np.ones_like(each)), axis=1).reshape(-1),
    }  # fmt: skip
    return Fib(**arrays | {"direct": direct})


def build(network: Ints, prefix_len: Ints) -> Fib:
    """Columns of prefixes to a table that can be asked."""
    dst_lo, rule = intervals_of(network, prefix_len)
    return fib_of(dst_lo, rule, direct_of(dst_lo, rule))


def run(plan: Plan) -> list[Row]:
    """Lookups, then the build."""
    n = plan.size(120_000, PREFIXES)
    network, prefix_len = prefixes_of(n)
    dst = np.random.Generator(np.random.PCG64(10)).integers(0, 2**32, plan.size(400_000, 8_000_000))
    fib = build(network, prefix_len)
    kernel = jit.compiled(find_rules_at)
    found = np.zeros(len(dst), np.int64)

    def ours() -> Sample:
        watch = Stopwatch()
        kernel(fib, 0, dst, found)
        return Sample(watch.seconds, len(dst), {"lookups": len(dst), "matched": int((found >= 0).sum())})

    def ours_built() -> Sample:
        watch = Stopwatch()
        made = build(network, prefix_len)
        return Sample(watch.seconds, n, {"prefixes": n, "intervals": len(made.dst_lo)})

    ours()
    few = dst[: plan.size(20_000, 400_000)].tolist()
    lookups: Side | AbsentError
    building: Side | AbsentError
    try:
        trie_class = tries.load()
        texts = [(str(Prefix(*p)), i) for i, p in enumerate(zip(network.tolist(), prefix_len.tolist(), strict=True))]
        trie = tries.trie_of(trie_class, texts)
        assert tries.lookup(trie, few) == found[: len(few)].tolist(), "netsim and pytricia disagree"

        def look() -> Sample:
            watch = Stopwatch()
            got = tries.lookup(trie, few)
            return Sample(watch.seconds, len(got), {"lookups": len(got), "matched": sum(r >= 0 for r in got)})

        def built() -> Sample:
            watch = Stopwatch()
            made = tries.trie_of(trie_class, texts)
            return Sample(watch.seconds, n, {"prefixes": len(made)})

        lookups, building = Side("pytricia", look), Side("pytricia", built)
    except AbsentError as absent:
        lookups = building = absent
    question = f"LPM, one table of {n:,} prefixes, random addresses, one thread"
    return [
        *compare(question, "lookups/s", Side("netsim", ours), [(lookups, "pytricia", 100)], plan.rounds),
        *compare(
            f"{question}: its build", "prefixes/s", Side("netsim", ours_built), [(building, "pytricia", 1)], plan.rounds
        ),
    ]


if __name__ == "__main__":
    standalone(run, __doc__)
