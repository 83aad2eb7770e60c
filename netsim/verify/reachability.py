"""All pairs, all headers: what becomes of every packet that any VPC can send, exactly.

One sweep over the destination atoms in order (`atoms.py`). At each, only the VPCs whose tables change
there are touched; then all sources walk at once, one array step per connection crossed:

    code[sources] = table[code[sources]]

A code that says how the packet ended maps to itself, so the walk stops when nothing moves. The number of
steps taken is the number of connections crossed, hence also the transits used and the TTL. Source lists
(rules with a source segment) are looked up only by the sources that meet one.

The result holds for whole pieces of the header space; only who has the very address at its end is asked
per address (`fate`). Cost: a few operations per (source, atom), about 10 ns in all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane import fib as f
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.fib import table_of
from netsim.dataplane.hop import find_addr
from netsim.prefix import MAX_ADDR
from netsim.verify.atoms import N_FATES, Codes, codes_of, destination_atoms, goes_on, is_unforwardable, source_atoms
from netsim.verify.network import Network
from netsim.verify.path import START_TTL

Ints = NDArray[np.int64]

LAST_HOP = START_TTL - 1
"""Connections crossed when a packet arrives with TTL 1."""

LOOK_AGAIN = 32
"""Every so many atoms the walker looks after each step whether it is done."""


class Source(NamedTuple):
    """Packets alike: sent in the VPC `node` with a source address in [first, last]."""

    node: int
    first: int
    last: int


class Piece(NamedTuple):
    """Destinations alike for one source, as `Reachability.pieces` tells them.

    `node` is the VPC to whose own addresses they belong and where a packet is delivered if somebody has
    its address; -1 where `disposition` says how it ends instead.
    """

    first: int
    last: int
    disposition: Disposition
    node: int


class Reachability:
    """What becomes of every packet.

    Attributes:
        network: the state it is about.
        atom_lo: int64[d]; first address of each destination atom.
        sources: the sources, by VPC and address.
        code: [d, s]; what becomes of a packet (`atoms.py`), always a code of an end.
    """

    def __init__(self, network: Network, atom_lo: Ints, sources: list[Source], code: NDArray[np.signedinteger]) -> None:
        self.network = network
        self.atom_lo = atom_lo
        self.sources = sources
        self.code = code
        bounds = np.array(sources, np.int64).reshape(-1, 3)
        self._nodes, self._lasts = bounds[:, 0], bounds[:, 2]
        self._keys = bounds[:, 0] << 32 | bounds[:, 1]

    @property
    def n_pairs(self) -> int:
        """How many (source, destination atom) pairs the result holds."""
        return self.code.size

    def rows_of(self, nodes: Ints, addrs: Ints) -> Ints:
        """Number of the source that each (VPC, source address) belongs to.

        Raises:
            LookupError: a VPC does not send from such an address.
        """
        rows = np.searchsorted(self._keys, nodes << 32 | addrs, side="right") - 1
        if len(rows) and (rows.min() < 0 or np.any((self._nodes[rows] != nodes) | (self._lasts[rows] < addrs))):
            raise LookupError("no such source: an address in no subnet of its VPC")
        return rows

    def fate(self, node: int, src: int, dst: int) -> tuple[Disposition, int, int]:
        """How a packet of VPC `node` ends: disposition, the VPC and the instance that got it (-1: none).

        Raises:
            LookupError: the VPC does not send from `src`; ask for `any_source`.
        """
        row = int(self.rows_of(np.array([node]), np.array([src]))[0])
        atom = int(np.searchsorted(self.atom_lo, dst, side="right")) - 1
        code, n_nodes = int(self.code[atom, row]), self.network.fib.n_nodes
        if code < n_nodes + N_FATES:
            return Disposition(code - n_nodes), -1, -1
        at, is_late = (code - n_nodes - N_FATES) % n_nodes, code >= 2 * n_nodes + N_FATES
        view = self.network.view
        owner = find_addr(view.node, view.addr, view.addr_ref, at, dst)
        if owner >= 0:
            return (Disposition.TTL_EXPIRED, -1, -1) if is_late else (Disposition.DELIVERED, at, owner)
        ends = {
            f.SELF_ADDR: Disposition.DELIVERED, f.EDGE_ADDR: Disposition.BAD_DESTINATION,
            f.NOBODY: Disposition.HOST_UNREACHABLE,
        }  # fmt: skip
        return ends[owner], at if owner == f.SELF_ADDR else -1, -1

    def pieces(self, row: int) -> Iterator[Piece]:
        """What becomes of everything source number `row` can send, in order of destination."""
        codes = self.code[:, row]
        starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
        n_nodes = self.network.fib.n_nodes
        for k, at in enumerate(starts.tolist()):
            last = int(self.atom_lo[starts[k + 1]]) - 1 if k + 1 < len(starts) else MAX_ADDR
            code = int(codes[at])
            if code < n_nodes + N_FATES:
                yield Piece(int(self.atom_lo[at]), last, Disposition(code - n_nodes), -1)
            else:
                end = Disposition.TTL_EXPIRED if code >= 2 * n_nodes + N_FATES else Disposition.DELIVERED
                yield Piece(int(self.atom_lo[at]), last, end, (code - n_nodes - N_FATES) % n_nodes)


def reachability(network: Network, *, any_source: bool = False) -> Reachability:
    """What becomes of every packet of every VPC.

    Args:
        network: read only.
        any_source: for every source address there is, also those the sender does not have; by default
            for the addresses of the VPC's own subnets.
    """
    codes = codes_of(network.fib)
    atom_lo = destination_atoms(network.fib)
    sources = _all_sources(network) if any_source else _own_sources(network)
    return Reachability(network, atom_lo, sources, _sweep(network, codes, atom_lo, sources))


def _sweep(network: Network, codes: Codes, atom_lo: Ints, sources: list[Source]) -> NDArray[np.signedinteger]:
    fib, n_nodes = network.fib, codes.n_nodes
    atom_of = np.searchsorted(atom_lo, fib.dst_lo)
    order = np.argsort(atom_of, kind="stable")
    borders = np.searchsorted(atom_of[order], np.arange(len(atom_lo) + 1))
    nodes, start, transit = codes.interval_node[order], codes.start[order], codes.transit[order]
    walker = _Walker(codes, sources, int(fib.limit[0]))
    here = np.full(n_nodes, codes.ends(Disposition.NO_ROUTE), np.int64)
    unforwardable = is_unforwardable(atom_lo).tolist()
    # int16 halves the memory traffic; 10,000 VPCs fit.
    result = np.empty((len(atom_lo), len(sources)), np.int16 if codes.n_codes < 2**15 else np.int32)
    for k, (first, last) in enumerate(zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)):
        if first != last:
            changed = nodes[first:last]
            here[changed] = start[first:last]
            walker.table[changed] = transit[first:last]
        if unforwardable[k]:
            result[k] = codes.ends(Disposition.BAD_DESTINATION)
        else:
            result[k] = walker.walk(here)
    return result


class _Walker:
    """All sources walking towards one atom.

    `table` is what each code becomes at the next VPC, in transit; codes of ends map to themselves.
    """

    def __init__(self, codes: Codes, sources: list[Source], most_transits: int) -> None:
        self.table = np.arange(codes.n_codes, dtype=np.int64)
        self.table[: codes.n_nodes] = codes.ends(Disposition.NO_ROUTE)
        self._codes = codes
        self._node = np.array([source.node for source in sources], np.int64)
        self._src = np.array([source.first for source in sources], np.int64)
        self._is_identity = np.array_equal(self._node, np.arange(codes.n_nodes))
        self._has_lists = bool((codes.start < 0).any() or (codes.transit < 0).any())
        # Where the first connection ends no transit is used yet: leaving that VPC uses the first.
        self._most_transits = most_transits
        self._last_free = min(most_transits, LAST_HOP - 1)
        self._steps = self._walks = 0
        self._buffers = np.empty(len(sources), np.int64), np.empty(len(sources), np.int64)

    def walk(self, here: Ints) -> Ints:
        """The codes of the ends; `here` is what each VPC does with its own packets."""
        n_nodes, table, buffers = self._codes.n_nodes, self.table, self._buffers
        now = here if self._is_identity else here[self._node]
        if self._has_lists:
            now = self._resolved(now, self._codes.list_start)
        crossed = 1
        # Ends stay as they are, so as many steps as the atom before took need no look in between (a third faster).
        unseen = self._steps
        while unseen > 0 or (len(now) and now.min() < n_nodes):
            unseen -= 1
            after = buffers[crossed & 1]
            table.take(now, out=after, mode="clip")  # twice as fast as with bounds checked: codes are in range
            if self._has_lists:
                self._resolve(after, self._codes.list_transit)
            if crossed > self._last_free:
                self._stop(now, after, crossed)
            now = after
            crossed += 1
        self._walks += 1
        self._steps = crossed - 1 if self._walks % LOOK_AGAIN else 0
        return now

    def _resolved(self, code: Ints, by_entry: Ints) -> Ints:
        code = code.copy()
        self._resolve(code, by_entry)
        return code

    def _resolve(self, code: Ints, by_entry: Ints) -> None:
        """Replace codes that depend on the source, in place."""
        rows = np.flatnonzero(code < 0)
        if len(rows):
            keys = (-1 - code[rows]) << 32 | self._src[rows]
            code[rows] = by_entry[np.searchsorted(self._codes.list_keys, keys, side="right") - 1]

    def _stop(self, before: Ints, after: Ints, crossed: int) -> None:
        """Out of transits, or of TTL: what would go on ends, in place. Permission comes before TTL."""
        codes = self._codes
        moved = before < codes.n_nodes
        leaving = moved & goes_on(after, codes.n_nodes)
        if crossed - 1 >= self._most_transits:
            after[leaving] = codes.ends(Disposition.TRANSIT_DENIED)
        elif crossed >= LAST_HOP:
            after[leaving] = codes.ends(Disposition.TTL_EXPIRED)
        if crossed >= LAST_HOP:
            local = moved & (after >= codes.local_base) & (after < codes.late_base)
            after[local] += codes.n_nodes


def _own_sources(network: Network) -> list[Source]:
    """The addresses of each VPC's subnets, cut at the source atoms; what lies in one atom is one source."""
    fib = network.fib
    cuts = source_atoms(fib)
    node = table_of(fib.node, f.NODE_WORDS)
    subnets = fib.subnet.reshape(-1, 2)
    firsts = np.searchsorted(cuts, subnets[:, 0], side="right") - 1
    lasts = np.searchsorted(cuts, subnets[:, 1], side="right") - 1
    ends = np.append(cuts[1:] - 1, MAX_ADDR)
    sources = []
    for n, (at, count) in enumerate(node[:, [f.N_SUBNET, f.N_SUBNET_COUNT]].tolist()):
        atoms = {a for k in range(at, at + count) for a in range(firsts[k], lasts[k] + 1)}
        sources += [Source(n, int(cuts[a]), int(ends[a])) for a in sorted(atoms)]
    return sources


def _all_sources(network: Network) -> list[Source]:
    cuts = source_atoms(network.fib)
    spans = list(zip(cuts.tolist(), [*(cuts[1:] - 1).tolist(), MAX_ADDR], strict=True))
    return [Source(n, first, last) for n in range(network.fib.n_nodes) for first, last in spans]
