"""Fragments back to datagrams, as far as a host needs it: when is it whole, and how large.

Each holder (an instance, a router) has a few slots, one per datagram in the making, keyed as
RFC 791 section 3.2 says: source, destination, protocol, identification; and by flow and role,
because each flow counts its identifications from 0 where a host would hand out different ones.
A datagram is whole when the payload received adds up to where its last fragment ends, and so
do the differences end^2 - start^2 of its fragments to the square of that: pieces that lie side
by side telescope, others don't. Duplicate or overlapping fragments spoil their datagram. The
oldest slot makes room; a slot dies after 30 s (Linux's ipfrag_time).
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.batch import MF
from netsim.dataplane.row import (
    DST,
    FLAGS,
    FLOW,
    FRAG,
    HEADER,
    IDENT,
    L4,
    PROTO,
    ROLE,
    SIZE,
    SRC,
    TCP_ACK,
    TCP_SEQ,
    WINDOW,
)
from netsim.jit import kernel
from netsim.units import NS_PER_S

(
    P_SRC, P_DST, P_KEY, P_GOT, P_TOTAL, P_L4, P_HEADER, P_STARTED, P_SQUARES, P_TCP_SEQ, P_TCP_ACK, P_WINDOW,
) = range(12)  # fmt: skip
SLOT_WORDS = 12
SLOTS = 16
"""One for each peer connection a VPC may have, and some for datagrams that will never be whole."""
HOLDER_WORDS = SLOT_WORDS * SLOTS
TIMEOUT_NS = 30 * NS_PER_S
_IN_USE = 1 << 60


@kernel(is_inline=False)
def gather(slots: Any, holder: int, row: Any, now_ns: int) -> bool:
    """Take a fragment; True when its datagram is whole, which then is the packet in hand."""
    key = row[IDENT] | row[PROTO] << 16 | row[ROLE] << 24 | row[FLOW] << 26 | _IN_USE
    base = holder * HOLDER_WORDS
    slot = base
    found = False
    oldest = -1
    oldest_started = 0
    for i in range(SLOTS):
        s = base + i * SLOT_WORDS
        if slots[s + P_KEY] != 0 and now_ns - slots[s + P_STARTED] > TIMEOUT_NS:
            slots[s + P_KEY] = 0
        if slots[s + P_KEY] == key and slots[s + P_SRC] == row[SRC] and slots[s + P_DST] == row[DST]:
            slot = s
            found = True
        if not found:
            started = slots[s + P_STARTED]
            if slots[s + P_KEY] == 0:
                started = -1
            if oldest < 0 or started < oldest_started:
                oldest = s
                oldest_started = started
    if not found:
        slot = oldest
        slots[slot + P_KEY] = key
        slots[slot + P_SRC] = row[SRC]
        slots[slot + P_DST] = row[DST]
        slots[slot + P_GOT] = 0
        slots[slot + P_TOTAL] = 0
        slots[slot + P_L4] = 0
        slots[slot + P_TCP_SEQ] = 0
        slots[slot + P_TCP_ACK] = 0
        slots[slot + P_WINDOW] = 0
        slots[slot + P_HEADER] = row[HEADER]
        slots[slot + P_STARTED] = now_ns
        slots[slot + P_SQUARES] = 0
    payload = row[SIZE] - row[HEADER]
    slots[slot + P_GOT] += payload
    slots[slot + P_SQUARES] += payload * (2 * row[FRAG] + payload)
    if row[FRAG] == 0:
        slots[slot + P_L4] = row[L4]
        slots[slot + P_TCP_SEQ] = row[TCP_SEQ]
        slots[slot + P_TCP_ACK] = row[TCP_ACK]
        slots[slot + P_WINDOW] = row[WINDOW]
        slots[slot + P_HEADER] = row[HEADER]
    if row[FLAGS] & MF == 0:
        slots[slot + P_TOTAL] = row[FRAG] + payload
    total = slots[slot + P_TOTAL]
    if total == 0 or slots[slot + P_GOT] < total:
        return False
    slots[slot + P_KEY] = 0
    if slots[slot + P_GOT] > total or slots[slot + P_SQUARES] != total * total:
        return False
    if total + slots[slot + P_HEADER] > 65535:
        return False
    row[L4] = slots[slot + P_L4]
    row[TCP_SEQ] = slots[slot + P_TCP_SEQ]
    row[TCP_ACK] = slots[slot + P_TCP_ACK]
    row[WINDOW] = slots[slot + P_WINDOW]
    row[HEADER] = slots[slot + P_HEADER]
    row[SIZE] = total + slots[slot + P_HEADER]
    row[FRAG] = 0
    row[FLAGS] = row[FLAGS] & ~MF
    return True
