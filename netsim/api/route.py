"""Route tables and rules. Source: cloud.baidu.com/doc/VPC/s/Ljwvyugpl, Zjztap8pz; the vendor's Go SDK, services/vpc.

Next hops: `peerConn` with the id of the local interface (`qpif-…`, not of the connection); and, beside the vendor's,
`gateway` with a name and `blackhole`, which a topology file knows and a listing must be able to show.
"""

from __future__ import annotations

from typing import Any

from netsim.api.call import Call, Reply, check_id
from netsim.api.error_codes import HttpError
from netsim.api.json_codec import dump, member
from netsim.api.owned import own_rule, own_vpc, own_vpc_of_table
from netsim.api.paging import page
from netsim.controlplane import edit
from netsim.controlplane.route_table import BLACKHOLE, NextHop, RouteRule
from netsim.controlplane.view import View
from netsim.controlplane.vpc import Vpc
from netsim.prefix import ANY

_KINDS = {"peerConn": "peer", "gateway": "gateway", "blackhole": "blackhole"}
_TYPES = {kind: name for name, kind in _KINDS.items()}
OTHERS = ("custom", "vpn", "nat", "dcGateway", "ipv6gateway", "enic", "havip", "defaultGateway")
"""The vendor's next hops that netsim does not emulate."""


def rule_json(vpc: Vpc, rule: RouteRule) -> dict[str, Any]:
    """A rule as the vendor writes it."""
    return {
        "routeRuleId": rule.id,
        "routeTableId": vpc.route_table_id,
        "sourceAddress": str(rule.source),
        "destinationAddress": str(rule.destination),
        "nexthopId": rule.next_hop.target,
        "nexthopType": _TYPES[rule.next_hop.kind],
        "description": rule.description,
        "pathType": "normal",
    }


def _system_rule(vpc: Vpc) -> dict[str, Any]:
    return {
        "routeRuleId": "",
        "routeTableId": vpc.route_table_id,
        "sourceAddress": str(ANY),
        "destinationAddress": str(vpc.cidr),
        "nexthopId": "",
        "nexthopType": "sys",
        "description": "",
        "pathType": "normal",
    }


def _vpc_asked(call: Call, view: View) -> Vpc:
    table_id, vpc_id = call.query.get("routeTableId", ""), call.query.get("vpcId", "")
    if table_id:
        return own_vpc_of_table(call, view, table_id)
    if not vpc_id:
        raise HttpError("BadRequest", "neither routeTableId nor vpcId is given")
    return own_vpc(call, view, vpc_id)


def _rules(view: View, vpc: Vpc) -> list[dict[str, Any]]:
    return [_system_rule(vpc), *(rule_json(vpc, rule) for rule in view.rules_of(vpc.id))]


def show_table(call: Call) -> Reply:
    """GET /v1/route."""

    def look(view: View) -> dict[str, Any]:
        vpc = _vpc_asked(call, view)
        return {
            "name": "default",
            "routeTableId": vpc.route_table_id,
            "vpcId": vpc.id,
            "routeRules": _rules(view, vpc),
        }

    return Reply(body=dump(call.read(look)))


def list_rules(call: Call) -> Reply:
    """GET /v1/route/rule. The system rule, which has no id, is marked by the id of its table."""
    rules = call.read(lambda view: _rules(view, _vpc_asked(call, view)))

    def id_of(rule: dict[str, Any]) -> str:
        return str(rule["routeRuleId"] or rule["routeTableId"])

    return Reply(body=dump(page("routeRules", rules, id_of, lambda rule: rule, call.query)))


def create_rule(call: Call) -> Reply:
    """POST /v1/route/rule."""
    table_id, source, destination = (call.text(k) for k in ("routeTableId", "sourceAddress", "destinationAddress"))
    if member(call.body, "nextHopList", list, []):
        raise HttpError("BadRequest", "nextHopList (several paths) is not emulated, expected nexthopType and nexthopId")
    if str(call.body.get("ipVersion") or "4") != "4":
        raise HttpError("BadRequest", 'ipVersion accepted "4"')
    hop = _next_hop(call.text("nexthopType"), call.text("nexthopId", ""))
    description = call.text("description", "")

    def plan(view: View) -> tuple[edit.Edit[Any], ...]:
        vpc = own_vpc_of_table(call, view, table_id)
        return (edit.CreateRoute(vpc.id, source, destination, hop, description),)

    return call.change(plan, lambda rule: {"routeRuleId": rule.id})


def update_rule(call: Call) -> Reply:
    """PUT /v1/route/rule/{routeRuleId}. The vendor's Go SDK sends empty addresses for "leave as it is"."""
    source, destination, kind, target = (
        call.text(key, "") for key in ("sourceAddress", "destinationAddress", "nexthopType", "nexthopId")
    )
    description = member(call.body, "description", str, None)

    def plan(view: View) -> tuple[edit.Edit[Any], ...]:
        rule = own_rule(call, view, call.params["routeRuleId"])
        hop = None
        if kind or target:
            hop = _next_hop(kind or _TYPES[rule.next_hop.kind], target or rule.next_hop.target)
        return (
            edit.UpdateRoute(
                rule.id, source=source or None, destination=destination or None, next_hop=hop, description=description
            ),
        )

    return call.change(plan)


def delete_rule(call: Call) -> Reply:
    """DELETE /v1/route/rule/{routeRuleId}."""
    return call.change(lambda view: (edit.DeleteRoute(own_rule(call, view, call.params["routeRuleId"]).id),))


def switch_rule(call: Call) -> Reply:
    """PUT /v1/route/rule/{routeRuleId}?switchRouteHA: for several paths, which no rule here has."""
    call.read(lambda view: own_rule(call, view, call.params["routeRuleId"]))
    raise HttpError("OperationDenied", "the rule has one path, there is nothing to switch to")


def _next_hop(kind: str, target: str) -> NextHop:
    if kind in OTHERS:
        raise HttpError("BadRequest", f"nexthopType {kind} is not emulated, accepted {', '.join(_KINDS)}")
    if kind not in _KINDS:
        raise HttpError("BadRequest", f"nexthopType is {kind[:60]!r}, accepted {', '.join(_KINDS)}")
    if kind == "blackhole":
        return BLACKHOLE
    if kind == "peerConn":
        return NextHop("peer", check_id("qpif", target))
    if not target:
        raise HttpError("BadRequest", "nexthopId is missing: the name of the gateway")
    return NextHop("gateway", target)
