"""What the monitor is told about a peer connection, and how its links lie in the counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netsim.monitor.metrics import Side

LINK_FIELDS: Final = (
    "egress_bytes",
    "egress_packets",
    "dropped_bytes",
    "dropped_packets",
    "ingress_bytes",
    "ingress_packets",
)
"""Cumulative counters of one link, one int64 array each, indexed by link id."""


@dataclass(frozen=True, slots=True)
class SideInfo:
    """One side of a connection: its VPC and its interface, by name."""

    vpc: str
    interface: str = ""


@dataclass(frozen=True, slots=True)
class MonitoredConnection:
    """A peer connection as the monitor sees it.

    Attributes:
        id, name: the name may be empty or shared; the id is neither.
        local_link: link id of the direction local -> peer.
        peer_link: link id of the direction peer -> local.
        cap_bps: the bandwidth cap of each direction, now.
        local, peer: the two sides.
    """

    id: str
    name: str
    local_link: int
    peer_link: int
    cap_bps: int
    local: SideInfo
    peer: SideInfo

    def side(self, side: Side) -> SideInfo:
        """The side of this name."""
        return self.local if side == "local" else self.peer
