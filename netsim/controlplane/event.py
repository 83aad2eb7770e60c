"""What happened to peer connections, in order of time: requested, answered, expired, deleted."""

from __future__ import annotations

from typing import NamedTuple


class Event(NamedTuple):
    """One change of a connection's life: when (control clock, ns), which connection, what.

    `what` is one of: requested, activated, accepted, rejected, timed_out, expired, renewed, resized, refunded,
    deleted.
    What the clock does carries the time of the deadline, however late it was noticed.
    """

    at_ns: int
    peer_conn_id: str
    what: str
