"""Description: the peer connections of an inventory as the monitor is told of them.

An edit seldom touches more than one connection and there may be 10,000, so what did not change is
not described again.
"""

from __future__ import annotations

from collections.abc import Callable

from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import PeerConn
from netsim.controlplane.vpc import Vpc
from netsim.monitor.connection import MonitoredConnection, SideInfo
from netsim.units import BPS_PER_MBPS

LinksOf = Callable[[str], tuple[int, int]]
"""The link ids of a connection by id: local -> peer, peer -> local."""


class Description:
    """What was told last; each connection with the resources it was made of."""

    def __init__(self) -> None:
        self._told_at = (-1, -1)
        self._told: dict[str, tuple[tuple[PeerConn, Vpc, Vpc], MonitoredConnection]] = {}

    def update(self, inventory: Inventory, links_of: LinksOf) -> list[MonitoredConnection] | None:
        """All connections there are now, in order of creation; None if that was told already."""
        now = inventory.changed_at("peer_conns"), inventory.changed_at("vpcs")
        if self._told_at == now:
            return None
        self._told_at = now
        vpcs = inventory.vpcs
        before, self._told = self._told, {}
        for conn in inventory.peer_conns.values():
            made_of = (conn, vpcs[conn.local.vpc_id], vpcs[conn.peer.vpc_id])
            entry = before.get(conn.id)
            if entry is None or entry[0] != made_of:
                entry = made_of, _monitored(*made_of, links_of(conn.id))
            self._told[conn.id] = entry
        return None if self._told == before else [connection for _, connection in self._told.values()]


def _monitored(conn: PeerConn, local: Vpc, peer: Vpc, links: tuple[int, int]) -> MonitoredConnection:
    return MonitoredConnection(
        id=conn.id,
        name=conn.name,
        local_link=links[0],
        peer_link=links[1],
        cap_bps=conn.bandwidth_mbps * BPS_PER_MBPS,
        local=SideInfo(local.name, conn.local.interface_name),
        peer=SideInfo(peer.name, conn.peer.interface_name),
    )
