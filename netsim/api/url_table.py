"""The URL table: which operation a request asks for.

PUT /v1/peerconn/{id} is seven operations: a key without a value in the query (`?accept`) says which.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from netsim.api import monitor, peer_conn, route, subnet, vpc, zone
from netsim.api.call import Call, Reply
from netsim.api.error_codes import HttpError
from netsim.api.own import flow, instance, operator, resource

Handler = Callable[[Call], Reply]


class Operation(NamedTuple):
    """One operation: how it is called, what handles it, what a conflict of it is called."""

    method: str
    path: str
    handler: Handler
    flag: str = ""
    conflict_code: str = "OperationDenied"


OPERATIONS: tuple[Operation, ...] = (
    Operation("POST", "/v1/vpc", vpc.create_vpc),
    Operation("GET", "/v1/vpc", vpc.list_vpcs),
    # Before the detail: "resourceIp" would read as an id.
    Operation("GET", "/v1/vpc/resourceIp", vpc.used_by_resources),
    Operation("GET", "/v1/vpc/{vpcId}", vpc.show_vpc),
    Operation("PUT", "/v1/vpc/{vpcId}", vpc.update_vpc, flag="modifyAttribute"),
    Operation("DELETE", "/v1/vpc/{vpcId}", vpc.delete_vpc, conflict_code="ResourceNeedRelease"),
    Operation("PUT", "/v1/vpc/openRelay/{vpcId}", vpc.open_relay),
    Operation("PUT", "/v1/vpc/shutdownRelay/{vpcId}", vpc.shut_relay),
    Operation("GET", "/v1/vpc/{vpcId}/privateIpAddressInfo", vpc.used_addresses),
    Operation("POST", "/v1/subnet", subnet.create_subnet, conflict_code="CidrConflict"),
    Operation("GET", "/v1/subnet", subnet.list_subnets),
    # Before the detail: "ipreserve" would read as an id.
    Operation("POST", "/v1/subnet/ipreserve", subnet.reserve_addresses),
    Operation("GET", "/v1/subnet/ipreserve", subnet.reserve_addresses),
    Operation("DELETE", "/v1/subnet/ipreserve/{ipReserveId}", subnet.reserve_addresses),
    Operation("GET", "/v1/subnet/{subnetId}", subnet.show_subnet),
    Operation("PUT", "/v1/subnet/{subnetId}", subnet.update_subnet, flag="modifyAttribute"),
    Operation("DELETE", "/v1/subnet/{subnetId}", subnet.delete_subnet),
    Operation("GET", "/v1/route", route.show_table),
    Operation("GET", "/v1/route/rule", route.list_rules),
    Operation("POST", "/v1/route/rule", route.create_rule),
    Operation("PUT", "/v1/route/rule/{routeRuleId}", route.update_rule),
    Operation("PUT", "/v1/route/rule/{routeRuleId}", route.switch_rule, flag="switchRouteHA"),
    Operation("DELETE", "/v1/route/rule/{routeRuleId}", route.delete_rule),
    Operation("POST", "/v1/peerconn", peer_conn.create_peer_conn),
    Operation("GET", "/v1/peerconn", peer_conn.list_peer_conns),
    Operation("GET", "/v1/peerconn/{peerConnId}", peer_conn.show_peer_conn),
    Operation("PUT", "/v1/peerconn/{peerConnId}", peer_conn.update_peer_conn),
    Operation("PUT", "/v1/peerconn/{peerConnId}", peer_conn.accept_peer_conn, flag="accept"),
    Operation("PUT", "/v1/peerconn/{peerConnId}", peer_conn.reject_peer_conn, flag="reject"),
    Operation("PUT", "/v1/peerconn/{peerConnId}", peer_conn.resize_peer_conn, flag="resize"),
    Operation("PUT", "/v1/peerconn/{peerConnId}", peer_conn.renew_peer_conn, flag="purchaseReserved"),
    Operation("PUT", "/v1/peerconn/{peerConnId}", peer_conn.open_dns_sync, flag="open"),
    Operation("PUT", "/v1/peerconn/{peerConnId}", peer_conn.close_dns_sync, flag="close"),
    Operation("PUT", "/v1/peerconn/{peerConnId}", peer_conn.refund_peer_conn, flag="refund"),
    Operation("PUT", "/v1/peerconn/{peerConnId}/deleteProtect", peer_conn.protect_peer_conn),
    Operation("DELETE", "/v1/peerconn/{peerConnId}", peer_conn.delete_peer_conn),
    Operation("GET", "/v2/zone", zone.list_zones),
    # Before the single query: "batch" would read as a user.
    Operation("GET", "/json-api/v1/metricdata/batch/{userId}/{scope}", monitor.query_batch),
    Operation("GET", "/json-api/v1/metricdata/{userId}/{scope}/{metricName}", monitor.query_metric),
)


def own_operations() -> tuple[Operation, ...]:
    """netsim's own, with a memory of flows and pings of its own."""
    talks = flow.Talks()
    flows, pings = flow.handlers(talks, "flow"), flow.handlers(talks, "ping")
    return (
        Operation("POST", "/netsim/v1/instance", instance.create_instance),
        Operation("GET", "/netsim/v1/instance", instance.list_instances),
        Operation("GET", "/netsim/v1/instance/{instanceId}", instance.show_instance),
        Operation("DELETE", "/netsim/v1/instance/{instanceId}", instance.delete_instance),
        Operation("POST", "/netsim/v1/dns", instance.create_record),
        Operation("GET", "/netsim/v1/dns", instance.list_records),
        Operation("DELETE", "/netsim/v1/dns/{vpcId}/{name}", instance.delete_record),
        Operation("GET", "/netsim/v1/resource/{noun}", resource.list_resources),
        Operation("POST", "/netsim/v1/resource", resource.change_resources),
        *(
            operation
            for kind, handler in (("flow", flows), ("ping", pings))
            for operation in (
                Operation("POST", f"/netsim/v1/{kind}", handler["create"]),
                Operation("GET", f"/netsim/v1/{kind}", handler["list"]),
                Operation("GET", f"/netsim/v1/{kind}/{{id}}", handler["show"]),
                Operation("PUT", f"/netsim/v1/{kind}/{{id}}/stop", handler["stop"]),
                Operation("DELETE", f"/netsim/v1/{kind}/{{id}}", handler["forget"]),
            )
        ),
        Operation("GET", "/netsim/v1/operator/state", operator.show_state),
        Operation("GET", "/netsim/v1/operator/clock", operator.show_clock),
        Operation("POST", "/netsim/v1/operator/clock", operator.move_clock),
        Operation("GET", "/netsim/v1/operator/account", operator.list_accounts),
        Operation("POST", "/netsim/v1/operator/account", operator.create_account),
        Operation("PUT", "/netsim/v1/operator/account/{id}/disable", operator.disable_account),
        Operation("GET", "/netsim/v1/operator/key", operator.list_keys),
        Operation("POST", "/netsim/v1/operator/key", operator.create_key),
        Operation("PUT", "/netsim/v1/operator/key/{accessKey}/enable", operator.enable_key),
        Operation("PUT", "/netsim/v1/operator/key/{accessKey}/disable", operator.disable_key),
        Operation("DELETE", "/netsim/v1/operator/key/{accessKey}", operator.delete_key),
    )


class Match(NamedTuple):
    """The operation a request asks for, and the parts of its path."""

    operation: Operation
    params: dict[str, str]


class UrlTable:
    """Finds the operation of a request."""

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        self._rows = [(_pattern(operation.path), operation) for operation in operations]
        self._by_shape: dict[tuple[int, str], list[tuple[re.Pattern[str], Operation]]] = {}
        for row in self._rows:
            self._by_shape.setdefault(_shape(row[1].path), []).append(row)
        self._flags = {operation.flag for operation in operations if operation.flag}

    def find(self, method: str, path: str, query: dict[str, str]) -> Match:
        """The operation for a decoded path and query.

        Raises:
            HttpError: no such path (or version of it), no such method there, or two flags at once.
        """
        # Rows of other first parts and lengths can't match: most of them.
        rows = self._by_shape.get(_shape(path), ())
        matched = [(found, row) for pattern, row in rows if (found := pattern.fullmatch(path))]
        if not matched:
            version = re.match(r"/v\d+/", path)
            is_known = version is None or any(row.path.startswith(version[0]) for _, row in self._rows)
            raise HttpError("InvalidURI" if is_known else "InvalidVersion", f"no such path: {path[:100]!r}")
        here = [(found, row) for found, row in matched if row.method == method]
        if not here:
            raise HttpError("MethodNotAllowed", f"{method} is no method of {path[:100]!r}")
        flags = self._flags & query.keys() if method == "PUT" else set()
        if len(flags) > 1:
            raise HttpError("BadRequest", f"one of {', '.join(sorted(flags))} at a time")
        flag = next(iter(flags), "")
        for found, row in here:
            if row.flag == flag:
                return Match(row, found.groupdict())
        raise HttpError("BadRequest", f"{flag or 'a request without flag'} is no operation of {path[:100]!r}")


def _shape(path: str) -> tuple[int, str]:
    """How many parts a path has, and the first two of them: no operation takes those as parameters."""
    parts = path.split("/", 3)
    return path.count("/"), "/".join(parts[1:3])


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
