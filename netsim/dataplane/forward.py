"""A VPC's router at work: carries out what `hop.decide` says, and everything that follows from it.

Each function is one instant of the packet in hand (`st.hand`); what it sends goes to the tail of
a ring. Numbers of steps are those of the design: 2 same subnet, 3 to 8 `hop.py`, 9 and 10
`link.py`.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.answer import (
    NO_ANSWER,
    error_code,
    error_source,
    make_answer,
    make_error,
    may_cause_error,
)
from netsim.dataplane.batch import MF, ORIGINAL
from netsim.dataplane.delivery import is_for_resolver, resolver_takes
from netsim.dataplane.drop_tail import S_INGRESS_BYTES, S_INGRESS_PACKETS, S_RING, S_TAP, STATE_WORDS
from netsim.dataplane.endpoint import DELIVERED, EXITS_NETWORK, begin, end, note_made, payload_as_sent, payload_of_whole
from netsim.dataplane.fib import (
    EDGE_ADDR,
    I_ADDR,
    I_SUBNET_FIRST,
    I_SUBNET_LAST,
    INST_WORDS,
    K_DELAY_NS,
    K_MTU_BYTES,
    K_OVERHEAD_BYTES,
    LINK_WORDS,
    NOBODY,
    SELF_ADDR,
)
from netsim.dataplane.hop import (
    BAD_DESTINATION,
    FROM_PEER,
    FROM_ROUTER,
    HOST_UNREACHABLE,
    MTU_EXCEEDED,
    O_ACTION,
    O_FRAGMENTS,
    O_RULE,
    O_TARGET,
    O_TRANSITS,
    O_TTL,
    OK,
    TO_GATEWAY,
    TO_INSTANCE,
    TO_LINK,
    TO_ROUTER,
    decide,
    find_addr,
    fragment_payload_bytes,
    is_edge,
    is_unforwardable,
)
from netsim.dataplane.host_call import is_query
from netsim.dataplane.link import offer
from netsim.dataplane.reassembly import gather
from netsim.dataplane.ring import (
    LEAST_FREE,
    make_room,
    push,
    push_ahead,
)
from netsim.dataplane.row import (
    DST,
    FLAGS,
    FRAG,
    HEADER,
    INST,
    L4,
    ROLE,
    SIZE,
    SRC,
    TRANSITS,
    TTL,
)
from netsim.dataplane.state import (
    C_DELIVERY_NS,
    C_HOPS,
    C_HOST_CALLS,
    C_HOST_NODE,
    C_HOST_TCB,
    C_NEED_NODE,
    C_NEED_RECORDS,
    C_NEED_RING,
    C_NEED_SLOTS,
    NODE_STATE_WORDS,
    V_DELIVERY_RING,
    V_FREE,
    V_OWN_RING,
)
from netsim.dataplane.tcp import has_room
from netsim.dataplane.trace import (
    ARRIVED,
    FORWARDED,
    FRAGMENTED,
    JOURNAL_SPARE,
    JOURNAL_WORDS,
    LOOKED_UP,
    QUEUED,
    SAME_SUBNET,
    TAP_LINK,
    note,
    record,
)
from netsim.jit import kernel

# What a kernel call ends with.
DONE, NEED_RINGS, NEED_ROOM, NEED_JOURNAL, NEED_HOST, NEED_ENDS = range(6)


@kernel
def leaves_at_layer_2(fib: Any, st: Any, n: int, i: int, now_ns: int) -> bool:
    """Step 2: to an address of the sender's own subnet no router is needed; True when that settled it."""
    row = st.hand
    dst = row[DST]
    first = fib.inst[i * INST_WORDS + I_SUBNET_FIRST]
    last = fib.inst[i * INST_WORDS + I_SUBNET_LAST]
    if dst < first or dst > last or is_unforwardable(dst):
        return False
    owner = find_addr(fib.node, fib.addr, fib.addr_ref, n, dst)
    if owner == SELF_ADDR:
        return False  # the router itself: it takes the packet, TTL untouched, like any for its own address
    if owner == EDGE_ADDR:
        end(st, row, n, BAD_DESTINATION, -1, now_ns)
        return True
    if owner == NOBODY:
        end(st, row, n, HOST_UNREACHABLE, -1, now_ns)
        if may_cause_error(row) and not is_edge(fib, n, row[SRC]):
            own = fib.inst[i * INST_WORDS + I_ADDR]
            make_error(row, st.other, own, own, error_code(HOST_UNREACHABLE), 0)
            begin(st, n, 1)
            note_made(st, n, i, now_ns)
            deliver(st, st.other, n, i, now_ns)
        return True
    note(st.journal, st.journal_used, row, now_ns, SAME_SUBNET, n, owner, 0)
    deliver(st, row, n, owner, now_ns)
    return True


@kernel
def deliver(st: Any, row: Any, n: int, i: int, now_ns: int) -> None:
    """Send the packet the last stretch, to instance `i` of the node's own VPC."""
    row[INST] = i
    ring = st.node[n * NODE_STATE_WORDS + V_DELIVERY_RING]
    push(st, ring, row, now_ns + st.control[C_DELIVERY_NS])


@kernel
def arrive(fib: Any, st: Any, n: int, link: int, now_ns: int) -> int:
    """A packet comes in over a link: counted as ingress, then routed - never delivered at layer 2."""
    row = st.hand
    size = row[SIZE] + fib.link[link * LINK_WORDS + K_OVERHEAD_BYTES]
    recorded = st.journal_used[0]
    note(st.journal, st.journal_used, row, now_ns, ARRIVED, n, link, 0)
    status = route(fib, st, n, FROM_PEER, now_ns)
    if status == DONE:
        st.link[link * STATE_WORDS + S_INGRESS_BYTES] += size
        st.link[link * STATE_WORDS + S_INGRESS_PACKETS] += 1
    else:
        st.journal_used[0] = recorded  # it arrives again once there is room
    return status


@kernel
def route(fib: Any, st: Any, n: int, came_from: int, now_ns: int) -> int:
    """Steps 3 to 10 for the packet in hand."""
    row = st.hand
    out = st.out
    fate = decide(fib, row, n, came_from, out)
    action = out[O_ACTION]
    if fate == OK and action == TO_LINK and out[O_FRAGMENTS] > 1:
        wanted = out[O_FRAGMENTS] + LEAST_FREE
        ring = st.link[out[O_TARGET] * STATE_WORDS + S_RING]
        if not make_room(st, ring, wanted):
            st.control[C_NEED_RING] = ring
            st.control[C_NEED_SLOTS] = wanted
            return NEED_ROOM
        records = 3 * out[O_FRAGMENTS] + JOURNAL_SPARE
        if (st.journal_used[0] + records) * JOURNAL_WORDS > len(st.journal):
            st.control[C_NEED_RECORDS] = records
            return NEED_JOURNAL
    if action == TO_ROUTER and came_from != FROM_ROUTER and is_for_resolver(fib, st, n, row):
        if st.node[n * NODE_STATE_WORDS + V_FREE] == 0:
            st.control[C_NEED_NODE] = n
            return NEED_ENDS
        if not has_room(st, st.node[n * NODE_STATE_WORDS + V_OWN_RING]):
            return NEED_ROOM
    note(st.journal, st.journal_used, row, now_ns, LOOKED_UP, n, out[O_RULE], came_from)
    if fate != OK:
        detail = -1
        if out[O_RULE] >= 0:
            detail = out[O_TARGET]
        end(st, row, n, fate, detail, now_ns)
        if came_from != FROM_ROUTER:
            raise_error(fib, st, n, fate, now_ns)
        return DONE
    if action == TO_ROUTER:
        at_router(fib, st, n, came_from, now_ns)
        return DONE
    row[TTL] = out[O_TTL]
    row[TRANSITS] = out[O_TRANSITS]
    note(st.journal, st.journal_used, row, now_ns, FORWARDED, n, row[TTL], row[TRANSITS])
    if action == TO_INSTANCE:
        deliver(st, row, n, out[O_TARGET], now_ns)
    elif action == TO_GATEWAY:
        end(st, row, n, EXITS_NETWORK, out[O_TARGET], now_ns)
    elif out[O_FRAGMENTS] == 1:
        offer_one(fib, st, n, out[O_TARGET], now_ns)
    else:
        offer_fragments(fib, st, n, out[O_TARGET], out[O_FRAGMENTS], now_ns)
    return DONE


@kernel(is_inline=False)
def raise_error(fib: Any, st: Any, n: int, fate: int, now_ns: int) -> None:
    """Router `n` tells the source of the packet in hand why it was dropped, unless it must not."""
    row = st.hand
    code = error_code(fate)
    if code < 0 or not may_cause_error(row) or is_edge(fib, n, row[SRC]):
        return
    src = error_source(fib.node, fib.subnet, n, row[SRC])
    if src == 0:
        return
    mtu = 0
    if fate == MTU_EXCEEDED:
        mtu = fib.link[st.out[O_TARGET] * LINK_WORDS + K_MTU_BYTES]
    make_error(row, st.other, src, row[SRC], code, mtu)
    originate(st, n, now_ns)


@kernel(is_inline=False)
def originate(st: Any, n: int, now_ns: int) -> None:
    """Router `n` sends the packet in `other`; it is looked up next, at the same instant."""
    begin(st, n, 1)
    st.other[INST] = -1
    note_made(st, n, -1, now_ns)
    push(st, st.node[n * NODE_STATE_WORDS + V_OWN_RING], st.other, now_ns)


@kernel(is_inline=False)
def at_router(fib: Any, st: Any, n: int, came_from: int, now_ns: int) -> None:
    """The packet is for the router or resolver itself: delivered, TTL untouched, perhaps answered."""
    row = st.hand
    end(st, row, n, DELIVERED, -1, now_ns)
    if row[FRAG] > 0 or row[FLAGS] & MF:
        if not gather(st.slots_node, n, row, now_ns):
            return
        payload_bytes = payload_of_whole(row)
    else:
        payload_bytes = payload_as_sent(st, row)
    if came_from == FROM_ROUTER or is_edge(fib, n, row[SRC]):
        return
    if st.control[C_HOST_CALLS] and is_query(fib, row, n):
        st.control[C_HOST_NODE] = n
        st.control[C_HOST_TCB] = -1
        return
    if is_for_resolver(fib, st, n, row) and resolver_takes(fib, st, n, payload_bytes, now_ns):
        return
    if make_answer(row, st.other, 0, payload_bytes) != NO_ANSWER:
        originate(st, n, now_ns)


@kernel(is_inline=False)
def offer_fragments(fib: Any, st: Any, n: int, link: int, fragments: int, now_ns: int) -> None:
    """Step 8, and 9 and 10 for each fragment by itself."""
    row = st.hand
    header = row[HEADER]
    mtu = fib.link[link * LINK_WORDS + K_MTU_BYTES]
    room = fragment_payload_bytes(mtu, header)
    left = row[SIZE] - header
    more = row[FLAGS] & MF
    begin(st, n, fragments - 1)
    note(st.journal, st.journal_used, row, now_ns, FRAGMENTED, n, fragments, mtu)
    for _ in range(fragments):
        part = left
        if part > room:
            part = room
        left -= part
        row[SIZE] = header + part
        row[FLAGS] = row[FLAGS] & ~MF | more
        if left > 0:
            row[FLAGS] = row[FLAGS] | MF
        offer_one(fib, st, n, link, now_ns)
        row[FRAG] = row[FRAG] + part & 0xFFFF  # past the end of what offsets can say they wrap, as on the wire
        if row[ROLE] == ORIGINAL:
            row[L4] = 0  # the ports went with the first; made packets keep theirs, to be rendered from


@kernel
def offer_one(fib: Any, st: Any, n: int, link: int, now_ns: int) -> None:
    """Offer the packet in hand to the link's cap."""
    row = st.hand
    row[INST] = -1
    st.control[C_HOPS] += 1
    departs_ns = offer(fib.link, st.link, st.rings, st.pool, st.chunks, link, row[SIZE], now_ns)
    if departs_ns < 0:
        end(st, row, n, -departs_ns, link, now_ns)
        if st.link[link * STATE_WORDS + S_TAP]:
            record(st.journal, st.journal_used, row, now_ns, TAP_LINK, link, -departs_ns, 0)
        return
    k = link * LINK_WORDS
    arrives_ns = departs_ns + fib.link[k + K_DELAY_NS]
    note(st.journal, st.journal_used, row, now_ns, QUEUED, link, departs_ns, arrives_ns)
    if st.link[link * STATE_WORDS + S_TAP]:
        record(st.journal, st.journal_used, row, departs_ns, TAP_LINK, link, 0, 0)
    push_ahead(st, st.link[link * STATE_WORDS + S_RING], row, arrives_ns)
