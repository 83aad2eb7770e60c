"""The caller's own resources, by id, in the region asked.

What is another's, what is elsewhere and what does not exist are refused in the same words, so that an answer
says nothing about which ids there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from netsim.api.call import Call, check_id
from netsim.controlplane.instance import Instance
from netsim.controlplane.peer_conn import SIDES, PeerConn
from netsim.controlplane.route_table import RouteRule
from netsim.controlplane.subnet import Subnet
from netsim.controlplane.view import View
from netsim.controlplane.vpc import Vpc
from netsim.errors import NotFoundError

T = TypeVar("T")
MAX_SHOWN_CHARS = 60


def not_found(what: str, text: str) -> NotFoundError:
    """The refusal of an id."""
    return NotFoundError(f"{what} {text[:MAX_SHOWN_CHARS]!r}: not found")


def own_vpc(call: Call, view: View, vpc_id: str) -> Vpc:
    """A VPC.

    Raises:
        NotFoundError: as said above; so do all of these.
    """
    return _own("vpc", "vpc", vpc_id, view.vpc, lambda vpc: vpc.region == call.region)


def own_subnet(call: Call, view: View, subnet_id: str) -> Subnet:
    """A subnet."""
    return _own("subnet", "sbn", subnet_id, view.subnet, lambda subnet: _is_here(call, view, subnet.vpc_id))


def own_instance(call: Call, view: View, instance_id: str) -> Instance:
    """An instance."""
    return _own("instance", "i", instance_id, view.instance, lambda inst: _is_here(call, view, inst.vpc_id))


def own_rule(call: Call, view: View, rule_id: str) -> RouteRule:
    """A route rule."""
    return _own("route rule", "rr", rule_id, view.rule, lambda rule: _is_here(call, view, rule.vpc_id))


def own_vpc_of_table(call: Call, view: View, table_id: str) -> Vpc:
    """The VPC of a route table."""
    table = _own("route table", "rt", table_id, view.route_table, lambda table: _is_here(call, view, table.vpc_id))
    return view.vpc(table.vpc_id)


def own_peer_conn(call: Call, view: View, conn_id: str) -> PeerConn:
    """A connection with a side of the caller's in the region."""

    def is_here(conn: PeerConn) -> bool:
        sides = (conn.side(side) for side in SIDES)
        return any((side.account, side.region) == (call.account, call.region) for side in sides)

    return _own("peer connection", "peerconn", conn_id, view.peer_conn, is_here)


def _is_here(call: Call, view: View, vpc_id: str) -> bool:
    return view.vpc(vpc_id).region == call.region


def _own(what: str, kind: str, text: str, find: Callable[[str], T], is_here: Callable[[T], bool]) -> T:
    try:
        found = find(check_id(kind, text))
    except NotFoundError:
        raise not_found(what, text) from None
    if not is_here(found):
        raise not_found(what, text)
    return found
