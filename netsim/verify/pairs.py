"""Every ordered pair of instances: verdict and reason, and what they add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane import fib as f
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.fib import table_of
from netsim.verify.atoms import N_FATES
from netsim.verify.network import Network
from netsim.verify.reachability import Reachability, reachability
from netsim.verify.reason import (
    NOT_REACHABLE,
    ONE_WAY,
    OVERLAPPING_CIDR,
    REACHABLE,
    VERDICTS,
    reason_of_return,
)

DELIVERED = int(Disposition.DELIVERED)
ASTRAY = N_FATES
"""In place of a disposition: delivered, but not to the instance that was meant."""


MOST_FIXES = 1_000
"""Pairs of a table in JSON that are given their fix."""


class Pair(NamedTuple):
    """One row of the table; ids and names of the instances."""

    source_id: str
    target_id: str
    source: str
    target: str
    verdict: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The pair of the JSON contract, without its paths."""
        return {"from": self.source, "to": self.target, "verdict": self.verdict, "reason": self.reason or None}


class PairTable:
    """Verdict and reason of every ordered pair.

    Attributes:
        instance_ids: the instances, in order of creation.
        end: int8[n, n]; how a packet from row to column ends: a disposition's number, or ASTRAY. The
            diagonal is DELIVERED.
    """

    def __init__(self, network: Network, instance_ids: list[str], end: NDArray[np.int8]) -> None:
        self.network = network
        self.instance_ids = instance_ids
        self.end = end

    @property
    def is_reachable(self) -> NDArray[np.bool_]:
        """bool[n, n]: packets arrive and answers come back; the diagonal is True."""
        arrives = self.end == DELIVERED
        result: NDArray[np.bool_] = arrives & arrives.T
        return result

    def answer(self, a: int, b: int) -> tuple[str, str]:
        """Verdict and reason of row `a` to row `b`."""
        there, back = int(self.end[a, b]), int(self.end[b, a])
        if there != DELIVERED:
            return NOT_REACHABLE, OVERLAPPING_CIDR if there == ASTRAY else Disposition(there).symbol
        if back != DELIVERED:
            return ONE_WAY, OVERLAPPING_CIDR if back == ASTRAY else reason_of_return(Disposition(back))
        return REACHABLE, ""

    def __len__(self) -> int:
        return len(self.instance_ids) * (len(self.instance_ids) - 1)

    def __iter__(self) -> Iterator[Pair]:
        names = [self.network.instance_name(i) for i in self.instance_ids]
        for a, source_id in enumerate(self.instance_ids):
            for b, target_id in enumerate(self.instance_ids):
                if a != b:
                    yield Pair(source_id, target_id, names[a], names[b], *self.answer(a, b))

    def counts(self) -> dict[str, int]:
        """How many pairs have each verdict."""
        n = len(self.instance_ids)
        arrives = self.end == DELIVERED
        n_arrives = int(arrives.sum()) - n
        n_both = int((arrives & arrives.T).sum()) - n
        return dict(zip(VERDICTS, (n_both, n_arrives - n_both, len(self) - n_arrives), strict=True))

    def reasons(self) -> dict[str, int]:
        """How many pairs have each reason, the commonest first; the reachable ones have none."""
        numbers, counts = np.unique(self.end.astype(np.int64) * 32 + self.end.T, return_counts=True)
        found: Counter[str] = Counter()
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            there, back = divmod(number, 32)
            twin = PairTable(self.network, ["", ""], np.array([[DELIVERED, there], [back, DELIVERED]], np.int8))
            found[twin.answer(0, 1)[1]] += count
        del found[""]
        return dict(found.most_common())

    def groups(self) -> list[list[str]]:
        """The instances that nothing tells apart: same answers from and to everybody; ids, largest group first."""
        alike: dict[bytes, list[str]] = {}
        for i, instance_id in enumerate(self.instance_ids):
            alike.setdefault(self.end[i].tobytes() + self.end[:, i].tobytes(), []).append(instance_id)
        return sorted(alike.values(), key=lambda group: -len(group))

    def by_vpc(self) -> dict[tuple[str, str], dict[str, int]]:
        """Pairs of each verdict between two VPCs, by their ids."""
        return self._by([self.network.inventory.instances[i].vpc_id for i in self.instance_ids])

    def by_subnet(self) -> dict[tuple[str, str], dict[str, int]]:
        """Pairs of each verdict between two subnets, by their ids."""
        return self._by([self.network.inventory.instances[i].subnet_id for i in self.instance_ids])

    def _by(self, keys: list[str]) -> dict[tuple[str, str], dict[str, int]]:
        names = list(dict.fromkeys(keys))
        number = _numbers(keys, names)
        arrives = self.end == DELIVERED
        both = arrives & arrives.T
        n = len(names)
        cell = number[:, None] * n + number[None, :]
        off_diagonal = ~np.eye(len(keys), dtype=np.bool_)
        tables = [np.bincount(cell[mask & off_diagonal], minlength=n * n) for mask in (both, arrives & ~both, ~arrives)]
        found = {}
        for k in range(n * n):
            counts = [int(table[k]) for table in tables]
            if sum(counts):
                found[names[k // n], names[k % n]] = dict(zip(VERDICTS, counts, strict=True))
        return found

    def to_dict(self, most_fixes: int = MOST_FIXES) -> dict[str, Any]:
        """The JSON of `reach` without FROM and TO; pairs without paths.

        A fix takes a millisecond or two, so only the first `most_fixes` pairs that want one have one; the
        others say null.
        """
        vpcs = self.network.inventory.vpcs
        matrix = [
            {"from": vpcs[a].name, "to": vpcs[b].name, **counts} for (a, b), counts in self.by_vpc().items()
        ]  # fmt: skip
        names = {i: self.network.instance_name(i) for i in self.instance_ids}
        groups = [[names[i] for i in group] for group in self.groups()]
        summary = {"pairs": len(self), **self.counts(), "reasons": self.reasons(), "vpcs": matrix, "groups": groups}
        return {"pairs": list(self._with_fixes(most_fixes)), "summary": summary}

    def _with_fixes(self, left: int) -> Iterator[dict[str, Any]]:
        from netsim.verify.reach import reach

        for pair in self:
            fix: list[str] | None = []
            if pair.verdict != REACHABLE:
                answer = reach(self.network, pair.source_id, pair.target_id) if left > 0 else None
                fix = None if answer is None else [one.text for one in answer.fixes]
                left -= 1
            yield pair.to_dict() | {"fix": fix}


def _numbers(keys: list[str], names: list[str]) -> NDArray[np.int64]:
    number_of = {name: k for k, name in enumerate(names)}
    return np.array([number_of[key] for key in keys], np.int64)


def all_pairs(network: Network, result: Reachability | None = None) -> PairTable:
    """The table of a network; `result` saves computing it again.

    Cost: n^2 bytes and some 20 ns a pair.
    """
    result = reachability(network) if result is None else result
    ids = [i for i in network.inventory.instances if i in network.inst_of]
    numbers = np.array([network.inst_of[i] for i in ids], np.int64)
    record = network.instances[numbers]
    nodes, addrs = record[:, f.I_NODE], record[:, f.I_ADDR]
    rows = result.rows_of(nodes, addrs)
    atoms = np.searchsorted(result.atom_lo, addrs, side="right") - 1
    owner_keys, owners = _owners(network)
    end = np.empty((len(ids), len(ids)), np.int8)
    for b in range(len(ids)):
        end[:, b] = _column(network, result.code[atoms[b]][rows], int(addrs[b]), int(numbers[b]), owner_keys, owners)
    np.fill_diagonal(end, DELIVERED)
    return PairTable(network, ids, end)


def _owners(network: Network) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(VPC << 32 | address) of every address somebody has, ascending, and who."""
    fib = network.fib
    counts = table_of(fib.node, f.NODE_WORDS)[:, f.N_ADDR_COUNT]
    nodes = np.repeat(np.arange(fib.n_nodes, dtype=np.int64), counts)
    return nodes << 32 | fib.addr, fib.addr_ref


def _column(
    network: Network,
    code: NDArray[np.signedinteger],
    addr: int,
    target: int,
    owner_keys: NDArray[np.int64],
    owners: NDArray[np.int64],
) -> NDArray[np.int64]:
    """How packets to `addr` end, meant for instance `target`, by the codes they end with."""
    n_nodes = network.fib.n_nodes
    code = code.astype(np.int64)
    end = code - n_nodes
    is_local = end >= N_FATES
    if not is_local.any():
        return end
    local = code[is_local]
    at = (local - n_nodes - N_FATES) % n_nodes
    is_late = local >= 2 * n_nodes + N_FATES
    keys = at << 32 | addr
    found = np.minimum(np.searchsorted(owner_keys, keys), len(owner_keys) - 1)
    owner = np.where(owner_keys[found] == keys, owners[found], f.NOBODY)
    fate = np.where(owner == target, DELIVERED, ASTRAY)
    fate[(owner >= 0) & is_late] = int(Disposition.TTL_EXPIRED)
    fate[owner == f.EDGE_ADDR] = int(Disposition.BAD_DESTINATION)
    fate[owner == f.NOBODY] = int(Disposition.HOST_UNREACHABLE)
    end[is_local] = fate
    return end
