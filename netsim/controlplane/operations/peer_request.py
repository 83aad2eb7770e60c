"""Asking for a peer connection: every check of a create, and what follows by itself.

Decisions on points the product's documents leave open:

- A pair of VPCs has at most one connection, in either direction and in every state.
- Connections count in the quota of both VPCs and of the initiator's account, in every state.
- A tenant names another's VPC by id and account; a wrong account or region reads like no such VPC.
- Interface names need not be unique; a route that uses an ambiguous one is refused.
- Tags are the initiator's own: the other side has them only where it is the same account's.
"""

from __future__ import annotations

from netsim.controlplane.edit import CreatePeerConn
from netsim.controlplane.operations.peer_check import (
    check_bandwidth,
    check_interface_name,
    check_months,
    check_payment,
    link_shape,
)
from netsim.controlplane.operations.peer_conn import activate, expire, fail
from netsim.controlplane.peer_conn import CONSULT_NS, PeerConn, PeerConnState, PeerSide
from netsim.controlplane.region import check_region, delay_ns
from netsim.controlplane.tables import Tables, VpcEntry, pair_of
from netsim.controlplane.values import Tags, check_choice, check_description, check_flag, check_name, check_tags, quote
from netsim.controlplane.view import View
from netsim.errors import ConflictError, InvalidError, NotFoundError, QuotaError


def create_peer_conn(tables: Tables, view: View, edit: CreatePeerConn) -> PeerConn:
    """Ask for a connection; within one account it is active at once."""
    what = f"peer connection {check_name(edit.name, 'peer connection')}" if edit.name != "" else "peer connection"
    local = view.entry(edit.local_vpc, field="local_vpc")
    peer = _peer_entry(tables, view, edit, local, what)
    check_bandwidth(edit.bandwidth_mbps, what)
    _check_interface_names(view, edit, peer, what)
    check_description(edit.description, what)
    same_region = local.vpc.region == peer.vpc.region
    check_payment(edit.payment, same_region, what)
    months = check_months(edit.months, what) if edit.payment == "prepaid" else 0
    wanted = _check_state(view, edit, local, peer, what)
    check_flag(edit.delete_protect, what, "delete_protect")
    tags = check_tags(edit.tags, what)
    shape = link_shape(edit, what)
    _check_pair(tables, local, peer, what)
    _check_relay(tables, local, peer, what)
    _check_quotas(tables, local, peer, what)

    now_ns = tables.now_ns
    conn_id = tables.ids.next("peerconn")
    conn = PeerConn(
        id=conn_id,
        name=edit.name or conn_id,
        local=_side(tables, local, edit.local_interface, edit.description, tags),
        peer=_side(tables, peer, edit.peer_interface, "", tags if peer.vpc.account == local.vpc.account else ()),
        bandwidth_mbps=edit.bandwidth_mbps,
        latency_ns=delay_ns(local.vpc.region, peer.vpc.region) if shape.latency_ns is None else shape.latency_ns,
        burst_bytes=shape.burst_bytes,
        queue_bytes=shape.queue_bytes,
        mtu_bytes=edit.mtu_bytes,
        accounting=edit.accounting,
        police=edit.police,
        payment=edit.payment,
        months=months,
        state=PeerConnState.CONSULTING,
        state_since_ns=now_ns,
        created_at_ns=now_ns,
        consult_until_ns=now_ns + CONSULT_NS,
        expires_at_ns=None,
        burst_given=edit.burst_bytes is not None,
        queue_given=edit.queue_bytes is not None,
        delete_protect=edit.delete_protect,
    )
    _enter(tables, conn)
    tables.note(conn, "requested")
    return _play(tables, conn, wanted)


def _peer_entry(tables: Tables, view: View, edit: CreatePeerConn, local: VpcEntry, what: str) -> VpcEntry:
    asked = view.account or local.vpc.account
    account = edit.peer_account
    if edit.peer_region is not None:
        check_region(edit.peer_region, what, "peer_region")
    entry: VpcEntry | None
    if view.account is None or account is None or account == asked:
        entry = view.entry(edit.peer_vpc, field="peer_vpc")
    else:
        entry = tables.entries.get(edit.peer_vpc) if isinstance(edit.peer_vpc, str) else None
    if (
        entry is None
        or (account is not None and entry.vpc.account != account)
        or (edit.peer_region is not None and entry.vpc.region != edit.peer_region)
    ):
        place = f" in region {edit.peer_region}" if edit.peer_region is not None else ""
        owner = f" of account {quote(account)}" if account is not None else ""
        raise NotFoundError(f"{what}: vpc {quote(edit.peer_vpc)}{owner}{place}: not found", field="peer_vpc")
    if entry is local:
        raise InvalidError(f"{what}: peer VPC {entry.vpc.name} is the local one, expected another", field="peer_vpc")
    return entry


def _check_interface_names(view: View, edit: CreatePeerConn, peer: VpcEntry, what: str) -> None:
    check_interface_name(edit.local_interface, what, "local_interface")
    check_interface_name(edit.peer_interface, what, "peer_interface")
    if edit.peer_interface and view.account is not None and peer.vpc.account != view.account:
        raise InvalidError(
            f"{what}: peer interface {quote(edit.peer_interface)}, accepted only where both VPCs are of one account; "
            f"its owner can name it",
            field="peer_interface",
        )


def _check_pair(tables: Tables, local: VpcEntry, peer: VpcEntry, what: str) -> None:
    taken = tables.pairs.get(pair_of(local.vpc.id, peer.vpc.id))
    if taken is not None:
        conn = tables.peer_conns[taken]
        raise ConflictError(
            f"{what}: {conn.name} ({conn.state}) connects {local.vpc.id} and {peer.vpc.id} already, accepted one "
            "connection per VPC pair",
            field="peer_vpc",
        )


def _check_relay(tables: Tables, local: VpcEntry, peer: VpcEntry, what: str) -> None:
    if local.vpc.relay and peer.vpc.relay and not tables.limits.relay_may_peer:
        raise ConflictError(
            f"{what}: {local.vpc.id} and {peer.vpc.id} are both relay VPCs, accepted at most one", field="peer_vpc"
        )


def _check_quotas(tables: Tables, local: VpcEntry, peer: VpcEntry, what: str) -> None:
    limits = tables.limits
    most = limits.peer_connections_per_vpc
    for entry, field in ((local, "local_vpc"), (peer, "peer_vpc")):
        if most is not None and len(entry.peer_conns) >= most:
            raise QuotaError(
                f"{what}: vpc {entry.vpc.id} has {len(entry.peer_conns)} peer connections, accepted {most} "
                "(peer_connections_per_vpc)",
                limit="peer_connections_per_vpc",
                accepted=most,
                field=field,
            )
    most = limits.peer_connections_per_account
    initiated = len(tables.initiated.get(local.vpc.account, ()))
    if most is not None and initiated >= most:
        raise QuotaError(
            f"{what}: account {local.vpc.account} has initiated {initiated} peer connections, accepted {most} "
            "(peer_connections_per_account)",
            limit="peer_connections_per_account",
            accepted=most,
            field="local_vpc",
        )


def _check_state(view: View, edit: CreatePeerConn, local: VpcEntry, peer: VpcEntry, what: str) -> PeerConnState | None:
    """The state a file asks for, if operations can lead there."""
    if edit.state is None:
        return None
    if view.account is not None:
        raise InvalidError(f"{what}: state follows from accept, reject and time, expected none given", field="state")
    state = PeerConnState(check_choice(edit.state, tuple(PeerConnState), what, "state"))
    if state in (PeerConnState.CONSULTING, PeerConnState.CONSULT_FAILED) and local.vpc.account == peer.vpc.account:
        raise InvalidError(
            f"{what}: state {state}, but both VPCs are of account {local.vpc.account}, accepted active or expired",
            field="state",
        )
    if state is PeerConnState.EXPIRED and edit.payment != "prepaid":
        raise InvalidError(f"{what}: state expired, accepted only with payment prepaid", field="state")
    return state


def _side(tables: Tables, entry: VpcEntry, interface_name: str, description: str, tags: Tags) -> PeerSide:
    vpc = entry.vpc
    interface_id = tables.ids.next("qpif")
    return PeerSide(vpc.id, vpc.account, vpc.region, interface_id, interface_name, False, description, tags)


def _enter(tables: Tables, conn: PeerConn) -> None:
    """Put a new connection into every index; its rows follow with `put_peer_conn`."""
    log = tables.log
    log.put(tables.pairs, pair_of(conn.local.vpc_id, conn.peer.vpc_id), conn.id)
    log.put(tables.interfaces, conn.local.interface_id, (conn.id, "local"))
    log.put(tables.interfaces, conn.peer.interface_id, (conn.id, "peer"))
    tables.index(tables.peer_conn_ids, conn.name, conn.id)
    tables.index(tables.initiated, conn.local.account, conn.id)
    for account in dict.fromkeys((conn.local.account, conn.peer.account)):
        tables.index(tables.peer_conns_of_account, account, conn.id)
    for side in (conn.local, conn.peer):
        if side.interface_name:
            tables.index(tables.entries[side.vpc_id].interface_ids, side.interface_name, side.interface_id)


def _play(tables: Tables, conn: PeerConn, wanted: PeerConnState | None) -> PeerConn:
    """Take a request to where it goes by itself, or to the state a file asks for."""
    if wanted is PeerConnState.CONSULT_FAILED:
        return fail(tables, conn, "rejected", tables.now_ns)
    if (wanted is None and not conn.is_same_account) or wanted is PeerConnState.CONSULTING:
        tables.put_peer_conn(conn)
        return conn
    conn = activate(tables, conn, "activated" if conn.is_same_account else "accepted")
    if wanted is PeerConnState.EXPIRED:
        conn = expire(tables, conn, tables.now_ns)
    return conn
