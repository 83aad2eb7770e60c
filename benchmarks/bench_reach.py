"""How fast are all pairs proven?

    python benchmarks/bench_reach.py [--vpcs 1000] [--rules 26000] [--rounds 9]

A research network of regions: a relay hub for each hundred VPCs or so, hubs connected to each other, each
VPC with rules for siblings in its region and a default, some rules taken away. Printed for each round,
interleaved: the time of `reachability` over the compiled Fib, and the rate of a plain-Python walk per
destination with memo over pytricia tables (`pip install pytricia`; without it a dict per prefix length
stands in, and the output says so). The walk takes a sample of the destination atoms; both count
(source, destination atom) pairs. Ratios are per round; the median counts. The number of pairs, and of
those that are delivered, repeats exactly.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np

from netsim.controlplane import edit as e
from netsim.controlplane.inventory import Inventory
from netsim.dataplane import fib as f
from netsim.dataplane.fib import table_of
from netsim.prefix import ANY, Prefix
from netsim.verify.atoms import N_FATES
from netsim.verify.network import Network
from netsim.verify.reachability import Reachability, reachability

REGION = 100
VPC_BITS = 21
SAMPLE = 30
NO_ROUTE, DENIED, LOOP = "no_route", "transit_denied", "loop"


def build(n_vpcs: int, n_rules: int) -> Inventory:
    """Regions of `REGION` VPCs around hubs; about `n_rules` rules."""
    rng = np.random.Generator(np.random.PCG64(7))
    inventory = Inventory("research")
    inventory.apply(e.CreateAccount("acme"))
    cidr = [Prefix(10 << 24 | (k // REGION) << 18 | (k % REGION) << 11, VPC_BITS) for k in range(n_vpcs)]
    names = [f"v{k}" for k in range(n_vpcs)]
    hubs = list(range(0, n_vpcs, REGION))
    edits: list[e.Edit[Any]] = []
    for k in range(n_vpcs):
        edits.append(e.CreateVpc(names[k], "bj", cidr[k], "acme", relay=k % REGION == 0))
        edits.append(e.CreateSubnet(names[k], "a", Prefix(cidr[k].network, 24)))
        if k % REGION:
            hub = k - k % REGION
            edits.append(e.CreatePeerConn(names[hub], names[k], 100, f"c{k}", f"to-{k}", "up"))
    edits += [
        e.CreatePeerConn(names[a], names[b], 1000, f"h{a}-{b}", f"to-{b}", f"to-{a}")
        for a in hubs for b in hubs if a < b
    ]  # fmt: skip
    per_spoke = max(1, round(n_rules / n_vpcs) - 1)
    for k in range(n_vpcs):
        first = k - k % REGION
        siblings = [s for s in range(first + 1, min(first + REGION, n_vpcs)) if s != k]
        if k == first:
            edits += [e.CreateRoute(names[k], ANY, cidr[s], f"to-{s}") for s in siblings if rng.random() < 0.98]
            edits += [
                e.CreateRoute(names[k], ANY, Prefix(10 << 24 | (h // REGION) << 18, 14), f"to-{h}")
                for h in hubs if h != k and rng.random() < 0.95
            ]  # fmt: skip
        else:
            chosen = rng.permutation(siblings)[:per_spoke].tolist()
            edits += [e.CreateRoute(names[k], ANY, cidr[s], "up") for s in chosen]
            edits.append(e.CreateRoute(names[k], ANY, ANY, "up"))
    inventory.apply(*edits)
    return inventory


class DictTable:
    """Longest-prefix match by a dict for each prefix length: what stands in for pytricia."""

    def __init__(self) -> None:
        self._by_length: dict[int, dict[int, Any]] = {}

    def insert(self, network: int, prefix_len: int, value: Any) -> None:
        """Add a prefix."""
        self._by_length.setdefault(prefix_len, {})[network] = value
        self._by_length = dict(sorted(self._by_length.items(), reverse=True))

    def get(self, addr: int) -> Any:
        """The value of the longest prefix that holds the address."""
        for length, table in self._by_length.items():
            value = table.get(addr >> (32 - length) << (32 - length))
            if value is not None:
                return value
        return None


def tables_of(inventory: Inventory) -> tuple[str, list[Any], list[bool]]:
    """One table of next VPCs for each VPC (its own number: local), and which are relays."""
    try:
        from pytricia import PyTricia  # type: ignore[import-not-found]
    except ImportError:
        PyTricia = None  # noqa: N806 - a class that is not there
    number = {vpc_id: k for k, vpc_id in enumerate(inventory.vpcs)}
    far = {}
    for conn in inventory.peer_conns.values():
        far[conn.local.interface_id] = number[conn.peer.vpc_id]
        far[conn.peer.interface_id] = number[conn.local.vpc_id]
    tables = []
    for vpc_id, vpc in inventory.vpcs.items():
        table: Any = DictTable() if PyTricia is None else PyTricia(32)
        for destination, value in [
            (vpc.cidr, number[vpc_id]),
            *((rule.destination, far[rule.next_hop.target]) for rule in inventory.rules_of(vpc_id)),
        ]:
            if PyTricia is None:
                table.insert(destination.network, destination.prefix_len, value)
            else:
                table[str(destination)] = value
        tables.append(table)
    name = "dict per prefix length (no pytricia here)" if PyTricia is None else "pytricia"
    return name, tables, [vpc.relay for vpc in inventory.vpcs.values()]


def walk_atom(tables: list[Any], relays: list[bool], dst: Any) -> list[Any]:
    """Where packets of every VPC to one address end; each (VPC, in transit) is worked out once."""
    memo: dict[int, Any] = {}

    def in_transit(at: int) -> Any:
        if at in memo:
            return memo[at]
        memo[at] = LOOP
        after = tables[at].get(dst)
        end: Any = NO_ROUTE if after is None else at
        if after is not None and after != at:
            end = in_transit(after) if relays[at] else DENIED
        memo[at] = end
        return end

    ends = []
    for at, table in enumerate(tables):
        after = table.get(dst)
        ends.append(NO_ROUTE if after is None else at if after == at else in_transit(after))
    return ends


def check(result: Reachability, atoms: list[int], ends: list[list[Any]]) -> None:
    """Both say the same of the sample."""
    n = result.network.fib.n_nodes
    for atom, column in zip(atoms, ends, strict=True):
        for code, end in zip(result.code[atom].tolist(), column, strict=True):
            assert (code - n - N_FATES == end) == isinstance(end, int), (atom, code, end)


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpcs", type=int, default=1000)
    parser.add_argument("--rules", type=int, default=26_000)
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    inventory = build(chosen.vpcs, chosen.rules)
    began = time.perf_counter()
    network = Network.of(inventory)
    compile_s = time.perf_counter() - began
    n_vpcs, n_rules = len(inventory.vpcs), len(inventory.rules)
    print(f"{n_vpcs} VPCs, {n_rules} rules; Fib compiled in {compile_s:.2f} s")
    name, tables, relays = tables_of(inventory)
    result = reachability(network)
    rng = np.random.Generator(np.random.PCG64(1))
    inside = np.flatnonzero((result.atom_lo >> 24) == 10)
    atoms = sorted(rng.choice(inside, SAMPLE, replace=False).tolist())
    dsts = [int(result.atom_lo[atom]) for atom in atoms]
    check(result, atoms, [walk_atom(tables, relays, dst) for dst in dsts])
    local = result.code >= n_vpcs + N_FATES
    n_rows = len(table_of(network.fib.rule, f.RULE_WORDS))
    print(f"{len(result.atom_lo)} atoms x {len(result.sources)} sources = {result.n_pairs} pairs; "
          f"{int(local.sum())} end at a VPC of their own; {n_rows} rule rows")  # fmt: skip
    seconds, rates, ratios = [], [], []
    for _ in range(chosen.rounds):
        began = time.perf_counter()
        for dst in dsts:
            walk_atom(tables, relays, dst)
        rate = SAMPLE * n_vpcs / (time.perf_counter() - began)
        began = time.perf_counter()
        reachability(network)
        seconds.append(time.perf_counter() - began)
        rates.append(rate)
        ratios.append(result.n_pairs / seconds[-1] / rate)
    median_s = statistics.median(seconds)
    print(f"netsim: all pairs in {median_s:.3f} s, {result.n_pairs / median_s / 1e6:.1f} M pairs/s")
    print(f"{name}: {statistics.median(rates) / 1e6:.3f} M pairs/s")
    print(f"ratio per round, median {statistics.median(ratios):.0f}, "
          f"{min(ratios):.0f} to {max(ratios):.0f} over {chosen.rounds} rounds")  # fmt: skip


if __name__ == "__main__":
    main()
