"""Atoms: the address space cut where some table changes its mind, so that a whole piece behaves alike.

Destinations are cut at every interval border of every VPC's table, sources at every border of a source
list. All packets of one (source atom, destination atom) pair, sent in one VPC, meet the same rules all
the way; they differ at most in who has the very address at the end.

Codes say what a VPC does with an atom, in one integer (V is the number of VPCs):

    0 .. V-1            goes on to that VPC
    V + d               ends with disposition d
    V + 16 + v          is local to VPC v: delivered there, if somebody has the address
    2V + 16 + v         the same, arriving with TTL 1: routers get it, instances don't
    -1 - k              depends on the source: source list k
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane import fib as f
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.fib import Fib, table_of
from netsim.prefix import MAX_ADDR

Ints = NDArray[np.int64]

N_FATES = 16
UNFORWARDABLE = ((0, 1 << 24), (127 << 24, 128 << 24), (224 << 24, 240 << 24), (MAX_ADDR, MAX_ADDR + 1))
"""First address of each, and the one after: no router forwards to these (`dataplane/hop.py`)."""


class Codes(NamedTuple):
    """The Fib as codes.

    `start` is what a VPC's router does with a packet of its own VPC, `transit` with one that came in
    over a connection, transits left; both by destination interval of the Fib. `list_keys` (list << 32 |
    first source address, ascending) and `list_start`, `list_transit` resolve codes -1 - list.
    """

    n_nodes: int
    interval_node: Ints
    start: Ints
    transit: Ints
    list_keys: Ints
    list_start: Ints
    list_transit: Ints

    @property
    def local_base(self) -> int:
        """Code of what is local to VPC 0."""
        return self.n_nodes + N_FATES

    @property
    def late_base(self) -> int:
        """Code of what is local to VPC 0 and arrives with TTL 1."""
        return 2 * self.n_nodes + N_FATES

    @property
    def n_codes(self) -> int:
        """One more than the largest code."""
        return 3 * self.n_nodes + N_FATES

    def ends(self, disposition: Disposition) -> int:
        """The code of packets that end so."""
        return self.n_nodes + int(disposition)


def codes_of(fib: Fib) -> Codes:
    """The codes of every destination interval and source list."""
    n_nodes = fib.n_nodes
    node = table_of(fib.node, f.NODE_WORDS)
    dst_src = fib.dst_src.reshape(-1, 2)
    interval_node = np.repeat(np.arange(n_nodes, dtype=np.int64), node[:, f.N_DST_COUNT])

    lists, list_of = np.unique(dst_src[:, 0], return_inverse=True)
    list_count = np.zeros(len(lists), np.int64)
    list_count[list_of] = dst_src[:, 1]
    list_node = np.zeros(len(lists), np.int64)
    list_node[list_of] = interval_node  # lists are shared within a VPC only
    entry_list = np.repeat(np.arange(len(lists), dtype=np.int64), list_count)
    entry_start = _rule_codes(fib, list_node[entry_list])
    entry_transit = _in_transit(fib, entry_start, list_node[entry_list])
    is_plain = list_count == 1
    deferred = -1 - np.arange(len(lists), dtype=np.int64)
    list_start = np.where(is_plain, entry_start[lists], deferred) if len(lists) else deferred
    list_transit = np.where(is_plain, entry_transit[lists], deferred) if len(lists) else deferred
    return Codes(
        n_nodes=n_nodes,
        interval_node=interval_node,
        start=list_start[list_of],
        transit=list_transit[list_of],
        list_keys=entry_list << 32 | fib.src_lo,
        list_start=entry_start,
        list_transit=entry_transit,
    )


def _rule_codes(fib: Fib, entry_node: Ints) -> Ints:
    """The code of the rule of each entry of the source lists, for a packet of the VPC itself."""
    n_nodes = fib.n_nodes
    if not len(fib.src_rule):
        return np.zeros(0, np.int64)
    rule = table_of(fib.rule, f.RULE_WORDS)[np.maximum(fib.src_rule, 0)]
    action, target = rule[:, f.G_ACTION], rule[:, f.G_TARGET]
    code = np.full(len(entry_node), n_nodes + int(Disposition.BLACKHOLE), np.int64)
    code[action == f.LOCAL] = n_nodes + N_FATES + entry_node[action == f.LOCAL]
    code[action == f.GATEWAY] = n_nodes + int(Disposition.EXITS_NETWORK)
    is_peer = action == f.PEER
    code[is_peer] = n_nodes + int(Disposition.BAD_STATE_ROUTE)
    link = table_of(fib.link, f.LINK_WORDS)
    if len(link):
        is_up = is_peer & (target >= 0) & (link[np.maximum(target * is_peer, 0), f.K_ACTIVE] != 0)
        code[is_up] = link[target[is_up], f.K_DST_NODE]
    code[fib.src_rule < 0] = n_nodes + int(Disposition.NO_ROUTE)
    return code


def _in_transit(fib: Fib, code: Ints, entry_node: Ints) -> Ints:
    """What becomes of the codes for packets in transit: only relays send them on."""
    is_relay = table_of(fib.node, f.NODE_WORDS)[:, f.N_RELAY] != 0
    denied = fib.n_nodes + int(Disposition.TRANSIT_DENIED)
    return np.where(goes_on(code, fib.n_nodes) & ~is_relay[entry_node], denied, code)


def goes_on(code: Ints, n_nodes: int) -> NDArray[np.bool_]:
    """Whether the packet leaves the VPC: by a connection or a gateway."""
    result: NDArray[np.bool_] = ((code >= 0) & (code < n_nodes)) | (code == n_nodes + int(Disposition.EXITS_NETWORK))
    return result


def destination_atoms(fib: Fib) -> Ints:
    """First address of each destination atom, ascending from 0."""
    cuts = [cut for piece in UNFORWARDABLE for cut in piece if cut <= MAX_ADDR]
    return np.unique(np.concatenate([fib.dst_lo, np.array(cuts, np.int64)]))


def source_atoms(fib: Fib) -> Ints:
    """First address of each source atom, ascending from 0."""
    return np.unique(np.concatenate([fib.src_lo, np.zeros(1, np.int64)]))


def is_unforwardable(atom_lo: Ints) -> NDArray[np.bool_]:
    """Which destination atoms no router forwards to."""
    result = np.zeros(len(atom_lo), np.bool_)
    for first, after in UNFORWARDABLE:
        result |= (atom_lo >= first) & (atom_lo < after)
    return result
