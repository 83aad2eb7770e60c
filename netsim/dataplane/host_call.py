"""Host calls: what a resolver is asked is answered by Python, in the middle of a run.

The kernel delivers the packet, finishes its event, and stops; the engine hands a `HostCall` to
whoever set `engine.on_host_call`, and the run goes on at the same instant. What the callback
sends by `engine.originate` leaves the router at that instant too. The callback reads nothing but
its argument and the network's state, so a run stays repeatable.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane import state, trace
from netsim.dataplane.batch import ORIGINAL, PROTO_UDP, QUIET
from netsim.dataplane.fib import N_SUBNET, N_SUBNET_COUNT, NODE_WORDS, Fib
from netsim.dataplane.hop import is_unforwardable
from netsim.dataplane.memory import Memory
from netsim.dataplane.ring import push
from netsim.dataplane.row import AT, DST, FLAGS, INST, L4, N_FIELDS, PROTO, ROLE, SRC, TRANSITS
from netsim.jit import kernel

DNS_PORT = 53
RESOLVER_HOST = 2
"""The resolver has the second host address of each subnet."""

Ints = NDArray[np.int64]


class HostCall(NamedTuple):
    """Something arrived for the resolver of a node.

    Attributes:
        node: of the VPC.
        now_ns: packet time.
        row: int64[21], the packet in hand form; of a TCP call the last segment.
        tcb: number of the TCP end that got bytes, -1 for a UDP datagram.
        offset: of the first new byte in the conversation (0: the first after the SYN).
        n_bytes: how many bytes are new.
    """

    node: int
    now_ns: int
    row: Ints
    tcb: int = -1
    offset: int = 0
    n_bytes: int = 0


@kernel(is_inline=False)
def is_resolver(fib: Any, n: int, addr: int) -> bool:
    """Whether the address is that of the resolver in one of node `n`'s subnets."""
    base = n * NODE_WORDS
    first = fib.node[base + N_SUBNET]
    found = False
    for i in range(first, first + fib.node[base + N_SUBNET_COUNT]):
        if fib.subnet[i * 2] + RESOLVER_HOST == addr:
            found = True
    return found


@kernel
def is_query(fib: Any, row: Any, n: int) -> bool:
    """Whether the whole datagram in hand asks node `n`'s resolver by UDP."""
    if row[PROTO] != PROTO_UDP or row[L4] >> 16 & 0xFFFF != DNS_PORT or row[ROLE] != ORIGINAL:
        return False
    if row[FLAGS] & QUIET or is_unforwardable(row[SRC]):
        return False
    return is_resolver(fib, n, row[DST])


def originate(memory: Memory, fib: Fib, node: int, row: Ints, now_ns: int) -> None:
    """Let the router of `node` send the packet now: counted as injected, recorded as an answer if watched."""
    row = row.astype(np.int64)
    assert row.shape == (N_FIELDS,)
    row[INST], row[TRANSITS], row[AT] = -1, 0, now_ns
    at = node * state.NODE_STATE_WORDS
    memory.node[at + state.V_INJECTED] += 1
    trace.note(memory.journal, memory.journal_used, row, now_ns, trace.ANSWERED, node, -1, 0)
    ring = int(memory.node[at + state.V_OWN_RING])
    memory.rings.grow(ring, 1)
    # memoryviews, as plain kernels get them: Python ints, which never wrap
    _, st = memory.views(fib, is_compiled=False)
    push(st, ring, memoryview(row), now_ns)  # type: ignore[arg-type]
