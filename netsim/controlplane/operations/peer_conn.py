"""The life of a peer connection after it was asked for: answers, resizing, payment, DNS, deletion, deadlines.

Decisions on points the product's documents leave open:

- Only the initiator deletes, resizes, renews and protects; only the acceptor accepts and rejects. The
  operator may do all. The other party, who sees the connection, is told so (StateError).
- Resizing works while consulting or active; the same bandwidth again changes nothing.
- Delete: postpaid in any state, and anything consult_failed or expired. A prepaid one that is consulting or
  active is paid for, so the product refuses ("submit a ticket").
- A refund takes a prepaid one away all the same; the product's API has it beside its tickets. The amount is
  not emulated.
- A prepaid period starts when the connection becomes active; months are calendar months, UTC.
- Renewing an active connection adds months to its end; an expired one becomes active again and its months
  count from now. One that is not active yet has no end to move: refused.
- DNS sync keeps its switches when a connection expires, and works again after a renewal. Setting a
  switch to what it is changes nothing and is no error.
"""

from __future__ import annotations

from dataclasses import replace

from netsim.controlplane.edit import (
    AcceptPeerConn,
    DeletePeerConn,
    RefundPeerConn,
    RejectPeerConn,
    RenewPeerConn,
    ResizePeerConn,
    SetDeleteProtect,
    SetDnsSync,
    UpdatePeerConn,
)
from netsim.controlplane.operations.peer_check import check_bandwidth, check_interface_name, check_months
from netsim.controlplane.peer_conn import (
    ACCOUNTING_OVERHEAD_BYTES,
    MAX_EXPIRY_NS,
    SIDES,
    PeerConn,
    PeerConnState,
    PeerSide,
    Side,
    add_months,
    default_burst_bytes,
    default_queue_bytes,
)
from netsim.controlplane.tables import Tables, pair_of
from netsim.controlplane.values import check_choice, check_description, check_flag, check_name
from netsim.controlplane.view import View
from netsim.errors import InvalidError, StateError

_PARTY = {"local": "initiator", "peer": "acceptor"}


def accept_peer_conn(tables: Tables, view: View, edit: AcceptPeerConn) -> PeerConn:
    """Consulting becomes active."""
    conn = view.peer_conn(edit.peer_conn, field="peer_conn")
    _check_party(view, conn, "peer", "accept")
    _check_state(conn, "accept", PeerConnState.CONSULTING)
    return activate(tables, conn, "accepted")


def reject_peer_conn(tables: Tables, view: View, edit: RejectPeerConn) -> PeerConn:
    """Consulting becomes consult_failed."""
    conn = view.peer_conn(edit.peer_conn, field="peer_conn")
    _check_party(view, conn, "peer", "reject")
    _check_state(conn, "reject", PeerConnState.CONSULTING)
    return fail(tables, conn, "rejected", tables.now_ns)


def delete_peer_conn(tables: Tables, view: View, edit: DeletePeerConn) -> PeerConn:
    """Remove a connection; rules that point to it stay behind and discard."""
    conn = view.peer_conn(edit.peer_conn, field="peer_conn")
    _check_party(view, conn, "local", "delete")
    if conn.payment == "prepaid" and conn.state in (PeerConnState.ACTIVE, PeerConnState.CONSULTING):
        raise StateError(
            f"{label(conn)}: prepaid and {conn.state}, expected postpaid, consult_failed or expired to be deleted "
            "(submit a ticket)",
            field="peer_conn",
        )
    return _remove(tables, conn, "deleted")


def refund_peer_conn(tables: Tables, view: View, edit: RefundPeerConn) -> PeerConn:
    """Remove a prepaid connection whose period is not over; what is left of it is paid back."""
    conn = view.peer_conn(edit.peer_conn, field="peer_conn")
    _check_party(view, conn, "local", "refund")
    if conn.payment != "prepaid":
        raise StateError(f"{label(conn)}: postpaid, expected prepaid to be refunded", field="peer_conn")
    _check_state(conn, "refund", PeerConnState.ACTIVE, PeerConnState.CONSULTING)
    return _remove(tables, conn, "refunded")


def _remove(tables: Tables, conn: PeerConn, what: str) -> PeerConn:
    """Take a connection out; rules that point to it stay behind and discard."""
    if conn.delete_protect:
        raise StateError(f"{label(conn)}: delete protection is on, expected off", field="peer_conn")
    log = tables.log
    log.remove_in_order(tables.peer_conns, conn.id)
    log.remove(tables.pairs, pair_of(conn.local.vpc_id, conn.peer.vpc_id))
    tables.unindex(tables.peer_conn_ids, conn.name, conn.id)
    tables.unindex(tables.initiated, conn.local.account, conn.id)
    for account in dict.fromkeys((conn.local.account, conn.peer.account)):
        tables.unindex(tables.peer_conns_of_account, account, conn.id)
    for side in (conn.local, conn.peer):
        entry = tables.entries[side.vpc_id]
        log.remove_in_order(entry.peer_conns, conn.id)
        log.remove(tables.interfaces, side.interface_id)
        if side.interface_name:
            tables.unindex(entry.interface_ids, side.interface_name, side.interface_id)
        tables.touch(entry)
    tables.note(conn, what)
    return conn


def resize_peer_conn(tables: Tables, view: View, edit: ResizePeerConn) -> PeerConn:
    """Change the bandwidth; burst and queue follow unless they were given as numbers."""
    conn = view.peer_conn(edit.peer_conn, field="peer_conn")
    _check_party(view, conn, "local", "resize")
    bandwidth = check_bandwidth(edit.bandwidth_mbps, label(conn))
    _check_state(conn, "resize", PeerConnState.ACTIVE, PeerConnState.CONSULTING)
    if conn.payment == "prepaid" and bandwidth < conn.bandwidth_mbps:
        raise StateError(
            f"{label(conn)}: bandwidth_mbps {bandwidth}, accepted {conn.bandwidth_mbps} or more "
            "(prepaid bandwidth only goes up)",
            field="bandwidth_mbps",
        )
    if bandwidth == conn.bandwidth_mbps:
        return conn
    burst, queue = conn.burst_bytes, conn.queue_bytes
    if not conn.burst_given:
        burst = default_burst_bytes(bandwidth, conn.mtu_bytes)
    if not conn.queue_given:
        queue = default_queue_bytes(bandwidth, conn.mtu_bytes + ACCOUNTING_OVERHEAD_BYTES[conn.accounting])
    tables.note(conn, "resized")
    return _put(tables, replace(conn, bandwidth_mbps=bandwidth, burst_bytes=burst, queue_bytes=queue))


def renew_peer_conn(tables: Tables, view: View, edit: RenewPeerConn) -> PeerConn:
    """Pay for more months: from the present end, or from now if that is over."""
    conn = view.peer_conn(edit.peer_conn, field="peer_conn")
    _check_party(view, conn, "local", "renew")
    if conn.payment != "prepaid":
        raise StateError(f"{label(conn)}: postpaid, expected prepaid to be renewed", field="peer_conn")
    months = check_months(edit.months, label(conn))
    _check_state(conn, "renew", PeerConnState.ACTIVE, PeerConnState.EXPIRED)
    tables.note(conn, "renewed")
    if not conn.is_active:
        return _put(tables, _start(tables, replace(conn, months=months)))
    assert conn.expires_at_ns is not None  # an active prepaid connection has an end
    return _put(tables, replace(conn, months=months, expires_at_ns=_end_ns(conn, conn.expires_at_ns, months)))


def update_peer_conn(tables: Tables, view: View, edit: UpdatePeerConn) -> PeerConn:
    """Change names and descriptions; what is None stays. No state forbids it."""
    conn = view.peer_conn(edit.peer_conn, field="peer_conn")
    what = label(conn)
    changed = conn
    if edit.interface_name is not None or edit.description is not None:
        side = _side_meant(view, conn, edit.side, "update")
        old = conn.side(side)
        name, description = old.interface_name, old.description
        if edit.interface_name is not None:
            name = check_interface_name(edit.interface_name, what, "interface_name")
        if edit.description is not None:
            description = check_description(edit.description, what)
        changed = _with_side(changed, side, replace(old, interface_name=name, description=description))
    if edit.name is not None:
        _check_party(view, conn, "local", "rename")
        changed = replace(changed, name=check_name(edit.name, what))
    if changed.name != conn.name:
        tables.unindex(tables.peer_conn_ids, conn.name, conn.id)
        tables.index(tables.peer_conn_ids, changed.name, conn.id)
    for old, new in ((conn.local, changed.local), (conn.peer, changed.peer)):
        if old.interface_name != new.interface_name:
            names = tables.entries[old.vpc_id].interface_ids
            if old.interface_name:
                tables.unindex(names, old.interface_name, old.interface_id)
            if new.interface_name:
                tables.index(names, new.interface_name, new.interface_id)
    return _put(tables, changed)


def set_dns_sync(tables: Tables, view: View, edit: SetDnsSync) -> PeerConn:
    """Set a side's switch, or both within one account; only while active."""
    conn = view.peer_conn(edit.peer_conn, field="peer_conn")
    enabled = check_flag(edit.enabled, label(conn), "enabled")
    if edit.side is not None:
        check_choice(edit.side, SIDES, label(conn), "side")
    sides = SIDES if conn.is_same_account else (_side_meant(view, conn, edit.side, "switch DNS sync of"),)
    _check_state(conn, "switch DNS sync of", PeerConnState.ACTIVE)
    for side in sides:
        conn = _with_side(conn, side, replace(conn.side(side), dns_sync=enabled))
    return _put(tables, conn)


def set_delete_protect(tables: Tables, view: View, edit: SetDeleteProtect) -> PeerConn:
    """Guard against deletion, or stop that."""
    conn = view.peer_conn(edit.peer_conn, field="peer_conn")
    _check_party(view, conn, "local", "protect")
    protect = check_flag(edit.delete_protect, label(conn), "delete_protect")
    return _put(tables, replace(conn, delete_protect=protect))


# ---------------------------------------------------------------------- changes of state


def activate(tables: Tables, conn: PeerConn, what: str) -> PeerConn:
    """Start to carry packets; a prepaid period starts now."""
    tables.note(conn, what)
    return _put(tables, _start(tables, conn))


def fail(tables: Tables, conn: PeerConn, what: str, at_ns: int) -> PeerConn:
    """The consultation is over without a yes."""
    tables.note(conn, what, at_ns)
    return _put(tables, replace(conn, state=PeerConnState.CONSULT_FAILED, state_since_ns=at_ns, consult_until_ns=None))


def expire(tables: Tables, conn: PeerConn, at_ns: int) -> PeerConn:
    """The prepaid period is over."""
    tables.note(conn, "expired", at_ns)
    return _put(tables, replace(conn, state=PeerConnState.EXPIRED, state_since_ns=at_ns, expires_at_ns=at_ns))


def meet_deadline(tables: Tables, conn: PeerConn) -> PeerConn:
    """What the clock does to a connection whose deadline it has reached, as of the deadline."""
    assert conn.deadline_ns is not None
    if conn.state is PeerConnState.CONSULTING:
        return fail(tables, conn, "timed_out", conn.deadline_ns)
    return expire(tables, conn, conn.deadline_ns)


def label(conn: PeerConn) -> str:
    """How messages call a connection."""
    return f"peer connection {conn.name}"


def _put(tables: Tables, conn: PeerConn) -> PeerConn:
    tables.put_peer_conn(conn)
    return conn


def _start(tables: Tables, conn: PeerConn) -> PeerConn:
    now_ns = tables.now_ns
    return replace(
        conn,
        state=PeerConnState.ACTIVE,
        state_since_ns=now_ns,
        consult_until_ns=None,
        expires_at_ns=_end_ns(conn, now_ns, conn.months) if conn.payment == "prepaid" else None,
    )


def _end_ns(conn: PeerConn, start_ns: int, months: int) -> int:
    end_ns = add_months(start_ns, months)
    if end_ns > MAX_EXPIRY_NS:
        raise InvalidError(
            f"{label(conn)}: {months} months more end after the year 2262, accepted fewer", field="months"
        )
    return end_ns


def _with_side(conn: PeerConn, side: Side, new: PeerSide) -> PeerConn:
    return replace(conn, local=new) if side == "local" else replace(conn, peer=new)


def _check_party(view: View, conn: PeerConn, side: Side, verb: str) -> None:
    owner = conn.side(side).account
    if view.account is not None and view.account != owner:
        raise StateError(
            f"{label(conn)}: account {view.account} can't {verb} it, expected its {_PARTY[side]} {owner}",
            field="peer_conn",
        )


def _side_meant(view: View, conn: PeerConn, given: str | None, verb: str) -> Side:
    """The side given, or the only one of the asking account."""
    if given is not None:
        check_choice(given, SIDES, label(conn), "side")
        side: Side = "local" if given == "local" else "peer"
        _check_party(view, conn, side, f"{verb} the {side} side of")
        return side
    if view.account is None or conn.is_same_account:
        raise InvalidError(f"{label(conn)}: no side given, accepted local or peer", field="side")
    return "local" if conn.local.account == view.account else "peer"


def _check_state(conn: PeerConn, verb: str, *accepted: PeerConnState) -> None:
    if conn.state not in accepted:
        raise StateError(
            f"{label(conn)}: is {conn.state}, expected {' or '.join(accepted)} to {verb} it", field="peer_conn"
        )
