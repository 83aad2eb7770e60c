"""Peer connections. Source: cloud.baidu.com/doc/VPC/s/bjwvyue8y, Fjwvyuemr, Wjwvyufcb, Qjwvyuf0h; the vendor's Go SDK.

A connection has two sides with one id; the vendor calls them by `role`. Both parties may read both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from netsim.api.call import Call, Reply, check_id
from netsim.api.error_codes import HttpError
from netsim.api.json_codec import dump, member
from netsim.api.owned import own_peer_conn, own_vpc
from netsim.api.paging import page
from netsim.api.tag import tags_json, tags_of
from netsim.clock import format_utc
from netsim.controlplane import edit
from netsim.controlplane.peer_conn import SIDES, PeerConn, Side
from netsim.controlplane.region import REGIONS
from netsim.controlplane.view import View
from netsim.errors import InvalidError

ROLES: dict[Side, str] = {"local": "initiator", "peer": "acceptor"}
_SIDE_OF: dict[str, Side] = {role: side for side, role in ROLES.items()}
_PAYMENT = {"Prepaid": "prepaid", "Postpaid": "postpaid"}
_TIMING = {ours: theirs for theirs, ours in _PAYMENT.items()}


class SideOf(NamedTuple):
    """One side of a connection."""

    conn: PeerConn
    side: Side


def peer_conn_json(of: SideOf) -> dict[str, Any]:
    """A side of a connection as the vendor writes it."""
    conn, side = of
    here = conn.side(side)
    there = conn.side("peer" if side == "local" else "local")
    return {
        "peerConnId": conn.id,
        "role": ROLES[side],
        "status": str(conn.state),
        # The vendor's pages and its SDKs disagree on the spelling; see the API's notes in docs/serve.md.
        "bandwidthInMbps": conn.bandwidth_mbps,
        "bandwithInMbp": conn.bandwidth_mbps,
        "description": here.description,
        "localIfId": here.interface_id,
        "localIfName": here.interface_name,
        "localVpcId": here.vpc_id,
        "localRegion": here.region,
        "peerVpcId": there.vpc_id,
        "peerRegion": there.region,
        "peerAccountId": there.account,
        "paymentTiming": _TIMING[conn.payment],
        "dnsStatus": "open" if here.dns_sync else "close",
        "createdTime": format_utc(conn.created_at_ns),
        "expiredTime": "" if conn.expires_at_ns is None else format_utc(conn.expires_at_ns),
        "deleteProtect": conn.delete_protect,
        "tags": tags_json(here.tags),
    }


def _own_conn(call: Call, view: View) -> PeerConn:
    return own_peer_conn(call, view, call.params["peerConnId"])


def _role(call: Call) -> Side | None:
    text = call.query.get("role", "")
    if not text:
        return None
    if text not in _SIDE_OF:
        raise HttpError("BadRequest", f"role is {text[:60]!r}, accepted initiator or acceptor")
    return _SIDE_OF[text]


def create_peer_conn(call: Call) -> Reply:
    """POST /v1/peerconn."""
    bandwidth = member(call.body, "bandwidthInMbps", int)
    local_vpc, peer_vpc, peer_region = (call.text(key) for key in ("localVpcId", "peerVpcId", "peerRegion"))
    if peer_region not in REGIONS:
        raise HttpError("BadRequest", f"peerRegion is {peer_region[:60]!r}, accepted {', '.join(REGIONS)}")
    payment, months = _billing(call)
    peer_account = call.text("peerAccountId", "") or call.account
    asked = edit.CreatePeerConn(
        local_vpc,
        peer_vpc,
        bandwidth,
        local_interface=call.text("localIfName", ""),
        peer_interface=call.text("peerIfName", ""),
        peer_account=peer_account,
        peer_region=peer_region,
        payment=payment,
        months=months,
        description=call.text("description", ""),
        delete_protect=member(call.body, "deleteProtect", bool, False),
        tags=tags_of(call.body),
    )

    def plan(view: View) -> tuple[edit.Edit[Any], ...]:
        own_vpc(call, view, local_vpc)
        _check_peer(call, view, asked)
        return (asked,)

    return call.change(plan, lambda conn: {"peerConnId": conn.id})


def _check_peer(call: Call, view: View, asked: edit.CreatePeerConn) -> None:
    """Refuse a VPC of the caller's that is not where it is said to be. Of another's the control plane decides."""
    if asked.peer_account == call.account:
        own_vpc(replace(call, region=asked.peer_region or call.region), view, asked.peer_vpc)
    check_id("vpc", asked.peer_vpc)


def _billing(call: Call) -> tuple[str, int]:
    """Payment and months; a reservation counts for Prepaid only: some SDKs always send one."""
    billing = member(call.body, "billing", dict)
    timing = member(billing, "paymentTiming", str)
    payment = _PAYMENT.get(timing)
    if payment is None:
        raise HttpError("BadRequest", f"paymentTiming is {timing[:60]!r}, accepted Prepaid or Postpaid")
    return payment, _months(billing) if payment == "prepaid" else 1


def _months(billing: dict[str, Any]) -> int:
    reservation = member(billing, "reservation", dict, {})
    unit = member(reservation, "reservationTimeUnit", str, "month")
    if unit.lower() != "month":
        raise HttpError("BadRequest", f"reservationTimeUnit is {unit[:60]!r}, accepted month")
    return member(reservation, "reservationLength", int, 1)


def list_peer_conns(call: Call) -> Reply:
    """GET /v1/peerconn: every side the caller owns in the region, or the one in a VPC."""
    vpc_id = call.query.get("vpcId", "")

    def look(view: View) -> list[SideOf]:
        if vpc_id:
            own_vpc(call, view, vpc_id)
        return [
            SideOf(conn, side)
            for conn in view.peer_conns.values()
            for side in SIDES
            if conn.side(side).account == call.account
            and conn.side(side).region == call.region
            and (not vpc_id or conn.side(side).vpc_id == vpc_id)
        ]

    # Two sides may share the connection's id: a page starts at a side, marked by its interface.
    found = call.read(look)
    answer = page("peerConns", found, lambda of: of.conn.side(of.side).interface_id, peer_conn_json, call.query)
    return Reply(body=dump(answer))


def show_peer_conn(call: Call) -> Reply:
    """GET /v1/peerconn/{peerConnId}[?role=]: without a role the caller's side in this region."""

    def look(view: View) -> dict[str, Any]:
        conn, side = _own_conn(call, view), _role(call)
        if side is None:
            mine = (call.account, call.region)
            side = "local" if (conn.local.account, conn.local.region) == mine else "peer"
        return peer_conn_json(SideOf(conn, side))

    return Reply(body=dump(call.read(look)))


def update_peer_conn(call: Call) -> Reply:
    """PUT /v1/peerconn/{peerConnId}: names of the side that has the interface `localIfId`."""
    interface = call.text("localIfId")
    name, description = (member(call.body, key, str, None) for key in ("localIfName", "description"))

    def plan(view: View) -> tuple[edit.Edit[Any], ...]:
        conn = _own_conn(call, view)
        side = next((s for s in SIDES if conn.side(s).interface_id == interface), None)
        if side is None:
            raise InvalidError(f"localIfId {interface[:60]!r} is no interface of {conn.id}")
        return (edit.UpdatePeerConn(conn.id, side=side, interface_name=name, description=description),)

    return call.change(plan)


def _changing(make: Callable[[Call, str], edit.Edit[Any]]) -> Callable[[Call], Reply]:
    def handler(call: Call) -> Reply:
        return call.change(lambda view: (make(call, _own_conn(call, view).id),))

    return handler


def _resized(call: Call, conn_id: str) -> edit.Edit[Any]:
    return edit.ResizePeerConn(conn_id, member(call.body, "newBandwidthInMbps", int))


def _renewed(call: Call, conn_id: str) -> edit.Edit[Any]:
    return edit.RenewPeerConn(conn_id, _months(member(call.body, "billing", dict)))


def _synced(call: Call, conn_id: str, *, enabled: bool) -> edit.Edit[Any]:
    side = _role(call)
    if side is None:
        raise HttpError("BadRequest", "role is missing: initiator or acceptor")
    return edit.SetDnsSync(conn_id, enabled=enabled, side=side)


def _protected(call: Call, conn_id: str) -> edit.Edit[Any]:
    return edit.SetDeleteProtect(conn_id, member(call.body, "deleteProtect", bool))


accept_peer_conn = _changing(lambda _, conn_id: edit.AcceptPeerConn(conn_id))
reject_peer_conn = _changing(lambda _, conn_id: edit.RejectPeerConn(conn_id))
delete_peer_conn = _changing(lambda _, conn_id: edit.DeletePeerConn(conn_id))
resize_peer_conn = _changing(_resized)
renew_peer_conn = _changing(_renewed)
open_dns_sync = _changing(lambda call, conn_id: _synced(call, conn_id, enabled=True))
close_dns_sync = _changing(lambda call, conn_id: _synced(call, conn_id, enabled=False))
protect_peer_conn = _changing(_protected)


def refund_peer_conn(call: Call) -> Reply:
    """PUT /v1/peerconn/{peerConnId}?refund: gives a prepaid connection back, whatever is left of its period."""
    return call.change(lambda view: (edit.RefundPeerConn(_own_conn(call, view).id),))
