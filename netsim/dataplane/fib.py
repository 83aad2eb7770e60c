"""Fib: the compiled, immutable, versioned forwarding state. Engine and verifier read the same one.

Plain int64 arrays of fixed-width records; a record field is `array[i * WIDTH + FIELD]`. Numbers of
nodes, links and instances stay the same from one version to the next for as long as an engine
lives; what is gone stays as a dead record (`K_ACTIVE` 0, `I_NODE` -1, an empty table).

A node's forwarding table is two-dimensional. Destinations are cut into disjoint intervals
(`dst_lo`, ascending from 0); each interval has a list of source intervals (`src_lo`, ascending
from 0), nearly always just one, and each of those names the winning rule or -1. Lists are shared.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

# node: slices of the arrays below, as (first, count)
N_DST, N_DST_COUNT, N_ADDR, N_ADDR_COUNT, N_SUBNET, N_SUBNET_COUNT, N_RELAY, N_DIRECT, N_RULE = range(9)
NODE_WORDS = 9
"""`N_DIRECT` is where a huge table's entries begin in `direct` (-1: it has none), `N_RULE` its first rule."""

# rule
G_ACTION, G_TARGET = range(2)
RULE_WORDS = 2
LOCAL, PEER, GATEWAY, DISCARD = range(4)
"""What a rule says; `G_TARGET` is a link for PEER (-1: the connection is gone) and a gateway's number for GATEWAY."""

# link: one direction of a peer connection
(
    K_SRC_NODE, K_DST_NODE, K_ACTIVE, K_RATE_BPS, K_BURST_NANOBITS, K_FULL_AFTER_NS, K_QUEUE_BYTES, K_MTU_BYTES,
    K_OVERHEAD_BYTES, K_POLICE, K_DELAY_NS,
) = range(11)  # fmt: skip
LINK_WORDS = 11

# instance
I_NODE, I_ADDR, I_SUBNET_FIRST, I_SUBNET_LAST, I_NIC_MBPS, I_PORT, I_PORT_COUNT = range(7)
INST_WORDS = 7

ECHO_PROTO = 254
"""A TCP port that echoes is in `port` twice: as TCP, and under this number, which RFC 3692 leaves to experiments."""

# addr_ref: what has an address: an instance's number, or
SELF_ADDR = -1  # the VPC's router or resolver
EDGE_ADDR = -2  # a subnet's network or broadcast address
NOBODY = -3


class Fib(NamedTuple):
    """The arrays, all int64 but `direct`, int32.

    node[n*9], dst_lo[d], dst_src[d*2] (first, count in src_lo), src_lo[s], src_rule[s],
    rule[r*2], addr[a] ascending per node, addr_ref[a], subnet[k*2] (first and last address, in
    order of creation per node), link[l*11], inst[i*7], port[p] (proto << 16 | port, ascending
    per instance), limit[1] (transits a packet may use), direct[h*2^24] (`direct_table.py`; h huge tables).
    """

    node: Ints
    dst_lo: Ints
    dst_src: Ints
    src_lo: Ints
    src_rule: Ints
    rule: Ints
    addr: Ints
    addr_ref: Ints
    subnet: Ints
    link: Ints
    inst: Ints
    port: Ints
    limit: Ints
    direct: NDArray[Any]

    @property
    def n_nodes(self) -> int:
        """How many nodes there are, dead ones included."""
        return len(self.node) // NODE_WORDS

    @property
    def n_links(self) -> int:
        """How many link directions there are, dead ones included."""
        return len(self.link) // LINK_WORDS

    @property
    def n_instances(self) -> int:
        """How many instances there are, dead ones included."""
        return len(self.inst) // INST_WORDS

    def frozen(self) -> Fib:
        """The same arrays, read-only."""
        for array in self:
            array.flags.writeable = False
        return self


def table_of(array: Any, width: int) -> Any:
    """A record array as [n, width]."""
    return array.reshape(-1, width)
