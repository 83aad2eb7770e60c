"""One router hop: lookup, gate, transit, TTL, MTU. Read this first.

`decide` says what a VPC's router does with the packet in hand and changes nothing; the window
(`window.py`) carries it out. The order - lookup, permission, TTL, MTU - is RFC 1812 section
5.2.1.2's and Linux's: a packet with TTL 1 towards no route is told 3/0, not 11/0.

    step 3  lookup      longest destination, then longest source       no_route
    step 4  the rule    local | peer | gateway | blackhole             host_unreachable, bad_destination, blackhole
    step 5  gate        is the connection active?                      bad_state_route
    step 6  transit     came in over a peer: only a relay, not often   transit_denied
    step 7  TTL         a router that forwards takes one off           ttl_expired
    step 8  MTU         of the connection                              mtu_exceeded, or fragments
    steps 9 and 10, cap and delay, are the link's (`link.py`)
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.batch import DF
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.fib import (
    EDGE_ADDR,
    G_ACTION,
    G_TARGET,
    GATEWAY,
    K_ACTIVE,
    K_MTU_BYTES,
    LINK_WORDS,
    LOCAL,
    N_ADDR,
    N_ADDR_COUNT,
    N_RELAY,
    NOBODY,
    NODE_WORDS,
    PEER,
    RULE_WORDS,
    SELF_ADDR,
)
from netsim.dataplane.lpm import find_rule, last_at_most
from netsim.dataplane.row import DST, FLAGS, HEADER, SIZE, SRC, TRANSITS, TTL
from netsim.jit import kernel

# Where the packet comes from.
FROM_INSTANCE, FROM_PEER, FROM_ROUTER = range(3)

# What `decide` writes: the action and its target, the rule, the packet's TTL and transits as it
# goes on, and into how many fragments it is cut (1: none).
O_ACTION, O_TARGET, O_RULE, O_TTL, O_TRANSITS, O_FRAGMENTS = range(6)
OUT_WORDS = 6
TO_NOTHING, TO_ROUTER, TO_INSTANCE, TO_LINK, TO_GATEWAY = range(5)

OK = 0
HOST_UNREACHABLE = int(Disposition.HOST_UNREACHABLE)
BAD_DESTINATION = int(Disposition.BAD_DESTINATION)
NO_ROUTE = int(Disposition.NO_ROUTE)
BLACKHOLE = int(Disposition.BLACKHOLE)
BAD_STATE_ROUTE = int(Disposition.BAD_STATE_ROUTE)
TRANSIT_DENIED = int(Disposition.TRANSIT_DENIED)
TTL_EXPIRED = int(Disposition.TTL_EXPIRED)
MTU_EXCEEDED = int(Disposition.MTU_EXCEEDED)

_MULTICAST_FIRST, _MULTICAST_LAST = 224 << 24, (240 << 24) - 1
_LIMITED_BROADCAST = 0xFFFF_FFFF
_LOOPBACK = 127


@kernel
def is_unforwardable(addr: int) -> bool:
    """Multicast, limited broadcast, loopback or 0/8: no router may forward to it (RFC 1812 section 5.3.7)."""
    if _MULTICAST_FIRST <= addr <= _MULTICAST_LAST or addr == _LIMITED_BROADCAST:
        return True
    top = addr >> 24
    return top == 0 or top == _LOOPBACK


@kernel
def find_addr(node: Any, addr: Any, addr_ref: Any, n: int, wanted: int) -> int:
    """Who has the address at node `n`: an instance, SELF_ADDR, EDGE_ADDR or NOBODY."""
    base = n * NODE_WORDS
    first = node[base + N_ADDR]
    count = node[base + N_ADDR_COUNT]
    if count == 0 or addr[first] > wanted:
        return NOBODY
    at = last_at_most(addr, first, count, wanted)
    if addr[at] != wanted:
        return NOBODY
    return addr_ref[at]  # type: ignore[no-any-return]


@kernel
def is_edge(fib: Any, n: int, wanted: int) -> bool:
    """Whether node `n` knows the address as a network or broadcast address: no single host to answer."""
    return find_addr(fib.node, fib.addr, fib.addr_ref, n, wanted) == EDGE_ADDR


@kernel
def fragment_payload_bytes(mtu_bytes: int, header_bytes: int) -> int:
    """Payload of every fragment but the last: as much as fits, a multiple of 8 (RFC 791 section 3.2)."""
    return (mtu_bytes - header_bytes) // 8 * 8


@kernel
def decide(fib: Any, row: Any, n: int, came_from: int, out: Any) -> int:
    """What router `n` does with the packet in hand: OK and `out`, or the disposition that ends it.

    Reads the packet, changes nothing. `came_from` is FROM_INSTANCE (its own VPC's), FROM_PEER, or
    FROM_ROUTER for what this router itself originates: that is not in transit and keeps its TTL.
    """
    dst = row[DST]
    ttl = row[TTL]
    transits = row[TRANSITS]
    out[O_ACTION] = TO_NOTHING
    out[O_TARGET] = -1
    out[O_RULE] = -1
    out[O_TTL] = ttl
    out[O_TRANSITS] = transits
    out[O_FRAGMENTS] = 1
    if is_unforwardable(dst):
        return BAD_DESTINATION
    rule = find_rule(fib, n, row[SRC], dst)
    out[O_RULE] = rule
    if rule < 0:
        return NO_ROUTE
    action = fib.rule[rule * RULE_WORDS + G_ACTION]
    target = fib.rule[rule * RULE_WORDS + G_TARGET]
    out[O_TARGET] = target

    if action == LOCAL:
        owner = find_addr(fib.node, fib.addr, fib.addr_ref, n, dst)
        out[O_TARGET] = owner
        if owner == SELF_ADDR:
            out[O_ACTION] = TO_ROUTER
            return OK
        if owner == EDGE_ADDR:
            return BAD_DESTINATION
        if owner == NOBODY:
            return HOST_UNREACHABLE
    elif action == PEER:
        if target < 0 or fib.link[target * LINK_WORDS + K_ACTIVE] == 0:
            return BAD_STATE_ROUTE
    elif action != GATEWAY:
        return BLACKHOLE

    if came_from == FROM_PEER and action != LOCAL:
        limit = fib.limit[0]
        if fib.node[n * NODE_WORDS + N_RELAY] == 0 or transits >= limit:
            return TRANSIT_DENIED
        out[O_TRANSITS] = min(transits + 1, 255)

    if came_from != FROM_ROUTER:
        if ttl <= 1:
            return TTL_EXPIRED
        out[O_TTL] = ttl - 1

    if action == LOCAL:
        out[O_ACTION] = TO_INSTANCE
    elif action == GATEWAY:
        out[O_ACTION] = TO_GATEWAY
    else:
        mtu = fib.link[target * LINK_WORDS + K_MTU_BYTES]
        if row[SIZE] > mtu:
            if row[FLAGS] & DF:
                return MTU_EXCEEDED
            room = fragment_payload_bytes(mtu, row[HEADER])
            out[O_FRAGMENTS] = (row[SIZE] - row[HEADER] + room - 1) // room
        out[O_ACTION] = TO_LINK
    return OK
