"""What happens at an instance: it sends through its interface, it receives, it answers.

An instance's interface serializes at its own rate and holds what waits for at most
`C_NIC_QUEUE_NS`; beyond that the packet ends as queue_full at the instance. A delivered packet
is counted to its flow; fragments count as packets and bytes when they arrive, and as a datagram
- received, payload, latency - when it is whole.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.batch import ERROR, ORIGINAL, PROTO_TCP, PROTO_UDP, REPLY
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.fib import I_NIC_MBPS, I_PORT, I_PORT_COUNT, INST_WORDS
from netsim.dataplane.latency import count
from netsim.dataplane.lpm import last_at_most
from netsim.dataplane.ring import push
from netsim.dataplane.row import FLOW, HEADER, INST, L4, PROTO, ROLE, SENT, SEQ, SIZE
from netsim.dataplane.state import (
    C_FED_RING,
    C_NIC_QUEUE_NS,
    F_DST_INST,
    F_FROM_STORE,
    F_INST,
    F_PAYLOAD,
    FLOW_WORDS,
    INST_STATE_WORDS,
    M_DROPPED_PACKETS,
    M_ERRORS,
    M_JITTER_16TH_NS,
    M_LAST_TRANSIT_NS,
    M_LATENCY_MAX_NS,
    M_LATENCY_MIN_NS,
    M_LATENCY_SUM_NS,
    M_RECEIVED,
    M_RECEIVED_BYTES,
    M_RECEIVED_PAYLOAD_BYTES,
    M_REPLIES,
    M_RTT_MAX_NS,
    M_RTT_MIN_NS,
    M_RTT_SUM_NS,
    MEASURE_WORDS,
    NODE_STATE_WORDS,
    STORE_WORDS,
    T_PAYLOAD,
    V_DISPOSITION,
    V_INJECTED,
    X_NIC_FREE_NS,
    X_RING,
    X_TAP,
    X_TX_PACKETS,
)
from netsim.dataplane.trace import ANSWERED, ENDED, ERROR_MADE, TAP_SENT, note, record
from netsim.dataplane.trace import SENT as SENT_EVENT
from netsim.jit import kernel
from netsim.jit.together import add_shared

DELIVERED = int(Disposition.DELIVERED)
QUEUE_FULL = int(Disposition.QUEUE_FULL)
EXITS_NETWORK = int(Disposition.EXITS_NETWORK)


@kernel
def end(st: Any, row: Any, n: int, disposition: int, detail: int, now_ns: int) -> None:
    """The packet in hand ends at node `n`; the only place where a disposition is counted."""
    st.node[n * NODE_STATE_WORDS + V_DISPOSITION + disposition] += 1
    if disposition > EXITS_NETWORK and row[ROLE] == ORIGINAL:
        add_shared(st.measure, row[FLOW] * MEASURE_WORDS + M_DROPPED_PACKETS, 1)  # any node may
    note(st.journal, st.journal_used, row, now_ns, ENDED, n, disposition, detail)


@kernel
def begin(st: Any, n: int, packets: int) -> None:
    """Count packets that come to be at node `n`."""
    st.node[n * NODE_STATE_WORDS + V_INJECTED] += packets


@kernel
def transmit(fib: Any, st: Any, row: Any, n: int, i: int, now_ns: int) -> None:
    """Instance `i` hands a packet, already begun, to its interface; it reaches the router when serialized."""
    x = i * INST_STATE_WORDS
    row[INST] = i
    note(st.journal, st.journal_used, row, now_ns, SENT_EVENT, i, n, 0)
    start = st.inst[x + X_NIC_FREE_NS]
    if start < now_ns:
        start = now_ns
    if start - now_ns > st.control[C_NIC_QUEUE_NS]:
        end(st, row, n, QUEUE_FULL, i, now_ns)
        if st.inst[x + X_TAP]:
            record(st.journal, st.journal_used, row, now_ns, TAP_SENT, i, QUEUE_FULL, 0)
        return
    mbps = fib.inst[i * INST_WORDS + I_NIC_MBPS]
    departs_ns = start + (row[SIZE] * 8000 + mbps - 1) // mbps
    st.inst[x + X_NIC_FREE_NS] = departs_ns
    st.inst[x + X_TX_PACKETS] += 1
    if st.inst[x + X_TAP]:
        record(st.journal, st.journal_used, row, departs_ns, TAP_SENT, i, 0, 0)
    st.control[C_FED_RING] = st.inst[x + X_RING]
    push(st, st.inst[x + X_RING], row, departs_ns)


@kernel
def is_listening(fib: Any, i: int, row: Any) -> int:
    """1 if the instance has the packet's destination port open."""
    proto = row[PROTO]
    if proto != PROTO_UDP and proto != PROTO_TCP:
        return 0
    return has_port(fib, i, proto << 16 | row[L4] >> 16 & 0xFFFF)


@kernel
def has_port(fib: Any, i: int, wanted: int) -> int:
    """1 if instance `i` has this protocol << 16 | port among its ports."""
    count_ = fib.inst[i * INST_WORDS + I_PORT_COUNT]
    if count_ == 0:
        return 0
    first = fib.inst[i * INST_WORDS + I_PORT]
    if fib.port[first] > wanted:
        return 0
    if fib.port[last_at_most(fib.port, first, count_, wanted)] == wanted:
        return 1
    return 0


@kernel
def note_made(st: Any, n: int, i: int, now_ns: int) -> None:
    """Record what made the packet in `other`: an answer or an error by instance `i` (-1: the router)."""
    if st.other[ROLE] & ERROR:
        note(st.journal, st.journal_used, st.other, now_ns, ERROR_MADE, n, i, st.other[L4] & 0xFFFF)
    else:
        note(st.journal, st.journal_used, st.other, now_ns, ANSWERED, n, i, 0)


@kernel
def measure_packet(st: Any, row: Any, i: int) -> None:
    """Bytes of a flow that reached the instance they were meant for."""
    flow = row[FLOW]
    if row[ROLE] == ORIGINAL and st.flow[flow * FLOW_WORDS + F_DST_INST] == i:
        st.measure[flow * MEASURE_WORDS + M_RECEIVED_BYTES] += row[SIZE]


@kernel
def payload_as_sent(st: Any, row: Any) -> int:
    """Payload above layer 4 of a datagram that came in one piece: its sender knows."""
    if row[ROLE] != ORIGINAL:
        return 0
    f = row[FLOW] * FLOW_WORDS
    if st.flow[f + F_FROM_STORE]:
        return st.store[row[SEQ] * STORE_WORDS + T_PAYLOAD]  # type: ignore[no-any-return]
    return st.flow[f + F_PAYLOAD]  # type: ignore[no-any-return]


@kernel
def payload_of_whole(row: Any) -> int:
    """Payload above UDP or TCP (taken to have no options) of a datagram put together from fragments."""
    if row[PROTO] == PROTO_UDP:
        return max(row[SIZE] - row[HEADER] - 8, 0)  # type: ignore[no-any-return]
    if row[PROTO] == PROTO_TCP:
        return max(row[SIZE] - row[HEADER] - 20, 0)  # type: ignore[no-any-return]
    return 0


@kernel
def measure_datagram(st: Any, row: Any, i: int, payload_bytes: int, now_ns: int) -> None:
    """Figures of the flow: latency, jitter (RFC 3550 A.8, in sixteenths), replies and errors."""
    flow = row[FLOW]
    f = flow * FLOW_WORDS
    m = flow * MEASURE_WORDS
    transit = now_ns - row[SENT]
    if row[ROLE] == REPLY:
        if st.flow[f + F_INST] != i:
            return  # an answer to an address that was not the sender's own
        st.measure[m + M_REPLIES] += 1
        st.measure[m + M_RTT_SUM_NS] += transit
        if st.measure[m + M_REPLIES] == 1 or transit < st.measure[m + M_RTT_MIN_NS]:
            st.measure[m + M_RTT_MIN_NS] = transit
        if transit > st.measure[m + M_RTT_MAX_NS]:
            st.measure[m + M_RTT_MAX_NS] = transit
        return
    if row[ROLE] != ORIGINAL:
        add_shared(st.measure, m + M_ERRORS, 1)  # both ends of a conversation may be told
        return
    if st.flow[f + F_DST_INST] != i:
        return
    st.measure[m + M_RECEIVED] += 1
    st.measure[m + M_RECEIVED_PAYLOAD_BYTES] += payload_bytes
    st.measure[m + M_LATENCY_SUM_NS] += transit
    if st.measure[m + M_RECEIVED] == 1:
        st.measure[m + M_LATENCY_MIN_NS] = transit
    else:
        change = transit - st.measure[m + M_LAST_TRANSIT_NS]
        if change < 0:
            change = -change
        st.measure[m + M_JITTER_16TH_NS] += change - (st.measure[m + M_JITTER_16TH_NS] + 8 >> 4)
        if transit < st.measure[m + M_LATENCY_MIN_NS]:
            st.measure[m + M_LATENCY_MIN_NS] = transit
    if transit > st.measure[m + M_LATENCY_MAX_NS]:
        st.measure[m + M_LATENCY_MAX_NS] = transit
    st.measure[m + M_LAST_TRANSIT_NS] = transit
    count(st.histogram, flow, transit)
