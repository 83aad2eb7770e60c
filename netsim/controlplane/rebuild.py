"""The edits that make an inventory again: how a topology file becomes the first change of a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netsim.controlplane import edit
from netsim.controlplane.edit import Edit
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import PeerConn
from netsim.units import NS_PER_MS


def edits_of(inventory: Inventory) -> Iterator[Edit[Any]]:
    """Edits for the operator of a new inventory of the same seed, profile and limits; ids come out the same.

    Only for one in which nothing was ever deleted, as a file makes it. What depends on time - creation,
    deadlines - starts when the edits are applied.
    """
    for account in inventory.accounts.values():
        yield edit.CreateAccount(account.id)
    for vpc in inventory.vpcs.values():
        yield edit.CreateVpc(vpc.name, vpc.region, vpc.cidr, vpc.account, vpc.relay, vpc.description, vpc.tags)
    for subnet in inventory.subnets.values():
        yield edit.CreateSubnet(
            subnet.vpc_id, subnet.name, subnet.cidr, subnet.zone, subnet.description, subnet.subnet_type, subnet.tags
        )
    for made in inventory.instances.values():
        yield edit.CreateInstance(
            made.name, made.subnet_id, made.addr, made.vpc_id, listen=made.listen, nic_mbps=made.nic_mbps
        )
    for conn in inventory.peer_conns.values():
        yield from _peer_conn_edits(conn)
    for rule in inventory.rules.values():
        yield edit.CreateRoute(rule.vpc_id, rule.source, rule.destination, rule.next_hop, rule.description)
    for vpc in inventory.vpcs.values():
        for record in inventory.dns_records_of(vpc.id):
            yield edit.CreateDnsRecord(vpc.id, record.name, record.addr)


def _peer_conn_edits(conn: PeerConn) -> Iterator[Edit[Any]]:
    yield edit.CreatePeerConn(
        conn.local.vpc_id,
        conn.peer.vpc_id,
        conn.bandwidth_mbps,
        conn.name if conn.name != conn.id else "",
        conn.local.interface_name,
        conn.peer.interface_name,
        payment=conn.payment,
        months=conn.months or 1,
        description=conn.local.description,
        delete_protect=conn.delete_protect,
        latency_ms=conn.latency_ns / NS_PER_MS,
        burst_bytes=conn.burst_bytes if conn.burst_given else None,
        queue_bytes=conn.queue_bytes if conn.queue_given else None,
        mtu_bytes=conn.mtu_bytes,
        accounting=conn.accounting,
        police=conn.police,
        state=str(conn.state),
        tags=conn.local.tags,
    )
    if conn.is_active:
        for side in ("local", "peer"):
            if conn.side(side).dns_sync:
                yield edit.SetDnsSync(conn.id, enabled=True, side=side)
