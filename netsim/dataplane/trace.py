"""The journal: what happened to chosen packets, step by step.

A record is the packet in hand (21 fields, `row[AT]` being the moment) and four words: the event,
where, and two details. Packets flagged WATCH are recorded at every step; a tap on a link or an
instance records whatever passes there. Everything people see of single packets - ping, trace,
scapy's answers, capture files - is read from here.
"""

from __future__ import annotations

from typing import Any

from netsim.dataplane.batch import WATCH
from netsim.dataplane.row import FLAGS, N_FIELDS
from netsim.jit import kernel

J_EVENT, J_PLACE, J_A, J_B = range(N_FIELDS, N_FIELDS + 4)
JOURNAL_WORDS = N_FIELDS + 4
JOURNAL_SPARE = 112
"""Records that must be free when an event starts: more than any one event writes, fragments aside."""

# Events; in brackets: place, a, b
(
    SENT,  # (instance, node, 0) handed to the interface
    ANSWERED,  # (node, instance or -1, 0) an endpoint or router made this packet
    ERROR_MADE,  # (node, instance or -1, type | code << 8) an instance or the router made this ICMP error
    SAME_SUBNET,  # (node, instance, 0) goes straight to it, no router
    LOOKED_UP,  # (node, rule or -1, where from)
    FORWARDED,  # (node, ttl now, transits now) passed gate, transit and TTL
    FRAGMENTED,  # (node, number of fragments, MTU)
    QUEUED,  # (link, departure ns, arrival ns) the cap accepted it
    ARRIVED,  # (node, link, 0) over a peer connection
    ENDED,  # (node, disposition, instance | link | gateway or -1)
    TAP_LINK,  # (link, 0, 0) departs now; (link, disposition, 0) the cap refuses it now
    TAP_SENT,  # (instance, 0, 0); (instance, disposition, 0) its interface refuses it now
    TAP_RECEIVED,  # (instance, 0, 0)
) = range(13)
TAPS = (TAP_LINK, TAP_SENT, TAP_RECEIVED)


@kernel(is_inline=False)
def record(journal: Any, used: Any, row: Any, at_ns: int, event: int, place: int, a: int, b: int) -> None:
    """Append one record. `used[0]` counts records; the caller made sure that one fits."""
    at = used[0] * JOURNAL_WORDS
    for i in range(N_FIELDS):
        journal[at + i] = row[i]
    journal[at] = at_ns
    journal[at + J_EVENT] = event
    journal[at + J_PLACE] = place
    journal[at + J_A] = a
    journal[at + J_B] = b
    used[0] += 1


@kernel
def note(journal: Any, used: Any, row: Any, at_ns: int, event: int, place: int, a: int, b: int) -> None:
    """Record it if the packet is watched."""
    if row[FLAGS] & WATCH:
        record(journal, used, row, at_ns, event, place, a, b)
