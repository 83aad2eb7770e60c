"""The short way of packets that need nothing special; the same steps as everybody's, with less looking.

Nearly all packets of a busy network are whole or cut pieces that nobody watches, forwarded by a rule
that was looked up a microsecond ago. For these a step needs no packet in hand: the words at rest are
copied from ring to ring, and what the router decided about (source, destination) is remembered.

Each function here handles one kind of event, or says False having changed nothing; then the general
way (`node_step.step`) handles it. So the short way may leave out any case, but must do exactly what the
general way does with what it takes: the twins' experiments run both. It takes no watched packet, no
tapped place, nothing that ends in an ICMP error, is fragmented, or reaches a router.

What is remembered, per node and a few bits of the two addresses: where packets of (source,
destination) go, valid for one version of the Fib.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.batch import MF, PROTO_UDP, WATCH
from netsim.dataplane.drop_tail import S_INGRESS_BYTES, S_INGRESS_PACKETS, S_RING, S_TAP, STATE_WORDS
from netsim.dataplane.endpoint import DELIVERED
from netsim.dataplane.fib import (
    G_ACTION,
    G_TARGET,
    I_NIC_MBPS,
    I_NODE,
    I_PORT,
    I_PORT_COUNT,
    I_SUBNET_FIRST,
    I_SUBNET_LAST,
    INST_WORDS,
    K_ACTIVE,
    K_DELAY_NS,
    K_MTU_BYTES,
    K_OVERHEAD_BYTES,
    LINK_WORDS,
    LOCAL,
    N_RELAY,
    NODE_WORDS,
    PEER,
    RULE_WORDS,
)
from netsim.dataplane.hop import find_addr, is_unforwardable
from netsim.dataplane.latency import count
from netsim.dataplane.link import offer
from netsim.dataplane.lpm import find_rule, last_at_most
from netsim.dataplane.ring import LINK, NIC, R_SEEN, R_TAIL, R_TAIL_SLOT, RING_WORDS, append
from netsim.dataplane.row import WORDS
from netsim.dataplane.state import (
    C_DELIVERY_NS,
    C_FED_RING,
    C_FIB_VERSION,
    C_HOPS,
    C_NIC_QUEUE_NS,
    F_DST,
    F_DST_INST,
    F_FLAGS,
    F_FROM_STORE,
    F_INST,
    F_L4,
    F_PAYLOAD,
    F_PROTO,
    F_SIZE,
    F_SRC,
    F_TTL,
    FLOW_WORDS,
    INST_STATE_WORDS,
    M_DROPPED_PACKETS,
    M_JITTER_16TH_NS,
    M_LAST_TRANSIT_NS,
    M_LATENCY_MAX_NS,
    M_LATENCY_MIN_NS,
    M_LATENCY_SUM_NS,
    M_NEXT_SEQ,
    M_RECEIVED,
    M_RECEIVED_BYTES,
    M_RECEIVED_PAYLOAD_BYTES,
    M_SENT,
    M_SENT_BYTES,
    MEASURE_WORDS,
    NODE_STATE_WORDS,
    V_DELIVERY_RING,
    V_DISPOSITION,
    V_INJECTED,
    X_NIC_FREE_NS,
    X_RING,
    X_RX_PACKETS,
    X_TAP,
    X_TX_PACKETS,
)
from netsim.jit import kernel
from netsim.jit.together import add_shared

PATHS = 64
"""Remembered paths per node; a power of two."""
P_SRC, P_DST, P_VERSION, P_WAY, P_TARGET = range(5)
PATH_WORDS = 5
NODE_PATH_WORDS = PATHS * PATH_WORDS

# ways of a path
GENERAL, TO_PEER, TO_HOST = range(3)

# Bits of the words at rest, see `row.py`.
_M32 = 0xFFFF_FFFF
_ONE_TTL = 1 << 48
_ROLE = 3 << 56
_WATCHED = WATCH << 58
_SPECIAL = WATCH << 58 | MF << 58 | _ROLE
_FRAG_AND_PROTO = 0xFF_FFFF << 32
_WHOLE_UDP = PROTO_UDP << 48
_PLAIN_HEADER = 5 << 56


@kernel
def forward_express(fib: Any, st: Any, n: int, kind: int, ref: int, slot: int) -> bool:
    """The packet in `slot`, at the head of a link's or an interface's ring, is forwarded; False: not this way."""
    pool = st.pool
    w = slot * WORDS
    word2 = pool[w + 2]
    if word2 & _WATCHED or word2 >> 48 & 0xFF <= 1:
        return False
    now_ns = pool[w]
    word1 = pool[w + 1]
    src = word1 & _M32
    dst = word2 & _M32
    if kind == NIC and fib.inst[ref * INST_WORDS + I_SUBNET_FIRST] <= dst <= fib.inst[ref * INST_WORDS + I_SUBNET_LAST]:
        return False  # step 2 of the design
    p = n * NODE_PATH_WORDS + ((src ^ src >> 7 ^ dst * 5 ^ dst >> 9) & PATHS - 1) * PATH_WORDS
    if st.paths[p + P_SRC] != src or st.paths[p + P_DST] != dst or st.paths[p + P_VERSION] != st.control[C_FIB_VERSION]:
        remember(fib, st, n, src, dst, p)
    way = st.paths[p + P_WAY]
    target = st.paths[p + P_TARGET]
    if way == GENERAL:
        return False
    size = word1 >> 32
    word7 = pool[w + 7]
    if way == TO_HOST:
        ring = st.node[n * NODE_STATE_WORDS + V_DELIVERY_RING]
        move(st, w, ring, now_ns + st.control[C_DELIVERY_NS], word2 - _ONE_TTL, word7 >> 32 << 32 | target + 1)
        st.rings[ring * RING_WORDS + R_SEEN] = st.rings[ring * RING_WORDS + R_TAIL]
        st.control[C_FED_RING] = ring
    else:
        transits = word7 >> 32
        if size > fib.link[target * LINK_WORDS + K_MTU_BYTES] or st.link[target * STATE_WORDS + S_TAP]:
            return False
        if kind == LINK:
            if fib.node[n * NODE_WORDS + N_RELAY] == 0 or transits >= fib.limit[0]:
                return False
            transits = min(transits + 1, 255)
        st.control[C_HOPS] += 1
        departs_ns = offer(fib.link, st.link, st.rings, pool, st.chunks, target, size, now_ns)
        if departs_ns < 0:
            st.node[n * NODE_STATE_WORDS + V_DISPOSITION - departs_ns] += 1
            if word2 & _ROLE == 0:
                add_shared(st.measure, (pool[w + 6] & _M32) * MEASURE_WORDS + M_DROPPED_PACKETS, 1)
        else:
            arrives_ns = departs_ns + fib.link[target * LINK_WORDS + K_DELAY_NS]
            move(st, w, st.link[target * STATE_WORDS + S_RING], arrives_ns, word2 - _ONE_TTL, transits << 32)
    if kind == LINK:
        st.link[ref * STATE_WORDS + S_INGRESS_BYTES] += size + fib.link[ref * LINK_WORDS + K_OVERHEAD_BYTES]
        st.link[ref * STATE_WORDS + S_INGRESS_PACKETS] += 1
    return True


@kernel(is_inline=False)
def remember(fib: Any, st: Any, n: int, src: int, dst: int, p: int) -> None:
    """Look (src, dst) up at node `n` and write down where it leads, as far as the short way goes."""
    way = GENERAL
    target = -1
    if not is_unforwardable(dst):
        rule = find_rule(fib, n, src, dst)
        if rule >= 0:
            action = fib.rule[rule * RULE_WORDS + G_ACTION]
            if action == LOCAL:
                target = find_addr(fib.node, fib.addr, fib.addr_ref, n, dst)
                if target >= 0:
                    way = TO_HOST
            elif action == PEER:
                target = fib.rule[rule * RULE_WORDS + G_TARGET]
                if target >= 0 and fib.link[target * LINK_WORDS + K_ACTIVE] != 0:
                    way = TO_PEER
    st.paths[p + P_SRC] = src
    st.paths[p + P_DST] = dst
    st.paths[p + P_VERSION] = st.control[C_FIB_VERSION]
    st.paths[p + P_WAY] = way
    st.paths[p + P_TARGET] = target


@kernel
def move(st: Any, w: int, q: int, at_ns: int, word2: int, word7: int) -> None:
    """Append the packet at `pool[w]` to ring `q`, with two words made new; `ring.push_ahead` for words."""
    pool = st.pool
    to = st.rings[q * RING_WORDS + R_TAIL_SLOT] * WORDS
    # Read before anything is written: the compiler can't know that the two places never overlap.
    word1 = pool[w + 1]
    word3 = pool[w + 3]
    word4 = pool[w + 4]
    word5 = pool[w + 5]
    word6 = pool[w + 6]
    word8 = pool[w + 8]
    word9 = pool[w + 9]
    pool[to] = at_ns
    pool[to + 1] = word1
    pool[to + 2] = word2
    pool[to + 3] = word3
    pool[to + 4] = word4
    pool[to + 5] = word5
    pool[to + 6] = word6
    pool[to + 7] = word7
    pool[to + 8] = word8
    pool[to + 9] = word9
    append(st, q)


@kernel
def receive_express(fib: Any, st: Any, n: int, slot: int) -> bool:
    """An instance takes a generated flow's whole UDP datagram at an open port; False: not this way."""
    pool = st.pool
    w = slot * WORDS
    word6 = pool[w + 6]
    if pool[w + 2] & _SPECIAL or word6 & _FRAG_AND_PROTO != _WHOLE_UDP:
        return False
    i = (pool[w + 7] & _M32) - 1
    x = i * INST_STATE_WORDS
    flow = word6 & _M32
    f = flow * FLOW_WORDS
    if fib.inst[i * INST_WORDS + I_NODE] != n or st.inst[x + X_TAP]:
        return False
    if st.flow[f + F_DST_INST] != i or st.flow[f + F_FROM_STORE]:
        return False
    ports = fib.inst[i * INST_WORDS + I_PORT_COUNT]
    first = fib.inst[i * INST_WORDS + I_PORT]
    wanted = PROTO_UDP << 16 | pool[w + 5] >> 16 & 0xFFFF
    if ports == 0 or fib.port[first] > wanted or fib.port[last_at_most(fib.port, first, ports, wanted)] != wanted:
        return False
    st.node[n * NODE_STATE_WORDS + V_DISPOSITION + DELIVERED] += 1
    st.inst[x + X_RX_PACKETS] += 1
    measure = st.measure
    m = flow * MEASURE_WORDS
    transit = pool[w] - pool[w + 3]
    received = measure[m + M_RECEIVED] + 1
    measure[m + M_RECEIVED] = received
    measure[m + M_RECEIVED_BYTES] += pool[w + 1] >> 32
    measure[m + M_RECEIVED_PAYLOAD_BYTES] += st.flow[f + F_PAYLOAD]
    measure[m + M_LATENCY_SUM_NS] += transit
    if received == 1:
        measure[m + M_LATENCY_MIN_NS] = transit
    else:
        change = transit - measure[m + M_LAST_TRANSIT_NS]
        if change < 0:
            change = -change
        measure[m + M_JITTER_16TH_NS] += change - (measure[m + M_JITTER_16TH_NS] + 8 >> 4)
        if transit < measure[m + M_LATENCY_MIN_NS]:
            measure[m + M_LATENCY_MIN_NS] = transit
    if transit > measure[m + M_LATENCY_MAX_NS]:
        measure[m + M_LATENCY_MAX_NS] = transit
    measure[m + M_LAST_TRANSIT_NS] = transit
    count(st.histogram, flow, transit)
    return True


@kernel
def send_express(fib: Any, st: Any, n: int, flow: int, slot: int) -> bool:
    """A generated UDP flow hands its next datagram to an interface with room; False: not this way."""
    f = flow * FLOW_WORDS
    if st.flow[f + F_FROM_STORE] or st.flow[f + F_PROTO] != PROTO_UDP or st.flow[f + F_FLAGS] & WATCH:
        return False
    i = st.flow[f + F_INST]
    x = i * INST_STATE_WORDS
    if fib.inst[i * INST_WORDS + I_NODE] != n or st.inst[x + X_TAP]:
        return False
    now_ns = st.arrivals[slot * 2]
    start = st.inst[x + X_NIC_FREE_NS]
    if start < now_ns:
        start = now_ns
    if start - now_ns > st.control[C_NIC_QUEUE_NS]:
        return False
    size = st.flow[f + F_SIZE]
    m = flow * MEASURE_WORDS
    seq = st.measure[m + M_NEXT_SEQ]
    st.measure[m + M_NEXT_SEQ] = seq + 1
    st.measure[m + M_SENT] += 1
    st.measure[m + M_SENT_BYTES] += size
    st.node[n * NODE_STATE_WORDS + V_INJECTED] += 1
    mbps = fib.inst[i * INST_WORDS + I_NIC_MBPS]
    departs_ns = start + (size * 8000 + mbps - 1) // mbps
    st.inst[x + X_NIC_FREE_NS] = departs_ns
    st.inst[x + X_TX_PACKETS] += 1
    q = st.inst[x + X_RING]
    st.control[C_FED_RING] = q
    pool = st.pool
    to = st.rings[q * RING_WORDS + R_TAIL_SLOT] * WORDS
    pool[to] = departs_ns
    pool[to + 1] = st.flow[f + F_SRC] | size << 32
    pool[to + 2] = st.flow[f + F_DST] | (seq & 0xFFFF) << 32 | st.flow[f + F_TTL] << 48 | st.flow[f + F_FLAGS] << 58
    pool[to + 3] = now_ns
    pool[to + 4] = seq
    pool[to + 5] = st.flow[f + F_L4]
    pool[to + 6] = flow | _WHOLE_UDP | _PLAIN_HEADER
    pool[to + 7] = i + 1
    pool[to + 8] = 0
    pool[to + 9] = 0
    append(st, q)
    st.rings[q * RING_WORDS + R_SEEN] = st.rings[q * RING_WORDS + R_TAIL]
    return True
