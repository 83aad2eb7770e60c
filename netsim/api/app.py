"""The URL table, and a request's way: match, authenticate, decode, handle, encode.

An ASGI application of starlette's requests and responses; handlers are plain functions run in threads,
since a change waits for the disk. Who is let in is decided on the bytes that came in (`auth.py`), and the
same bytes are what handlers get: there is no second reading of path or query.

PUT /v1/peerconn/{id} is seven operations: a key without a value in the query (`?accept`) says which.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from netsim.api import monitor, peer_conn, route, subnet, vpc, zone
from netsim.api.auth import AuthError, Request, authenticate, query_items
from netsim.api.call import Call, Reply
from netsim.api.error_codes import ErrorAnswer, HttpError, answer_to
from netsim.api.json_codec import MAX_BODY_BYTES, dump, parse_object
from netsim.api.region import region_of
from netsim.api.service import Service

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

Handler = Callable[[Call], Reply]

JSON = "application/json;charset=UTF-8"
LOG = logging.getLogger("netsim.api")


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
    Operation("GET", "/v1/vpc/{vpcId}", vpc.show_vpc),
    Operation("PUT", "/v1/vpc/{vpcId}", vpc.update_vpc, flag="modifyAttribute"),
    Operation("DELETE", "/v1/vpc/{vpcId}", vpc.delete_vpc, conflict_code="ResourceNeedRelease"),
    Operation("PUT", "/v1/vpc/openRelay/{vpcId}", vpc.open_relay),
    Operation("PUT", "/v1/vpc/shutdownRelay/{vpcId}", vpc.shut_relay),
    Operation("GET", "/v1/vpc/{vpcId}/privateIpAddressInfo", vpc.used_addresses),
    Operation("POST", "/v1/subnet", subnet.create_subnet, conflict_code="CidrConflict"),
    Operation("GET", "/v1/subnet", subnet.list_subnets),
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


class Match(NamedTuple):
    """The operation a request asks for, and the parts of its path."""

    operation: Operation
    params: dict[str, str]


class UrlTable:
    """Finds the operation of a request."""

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        self._rows = [(_pattern(operation.path), operation) for operation in operations]
        self._flags = {operation.flag for operation in operations if operation.flag}

    def find(self, method: str, path: str, query: dict[str, str]) -> Match:
        """The operation for a decoded path and query.

        Raises:
            HttpError: no such path (or version of it), no such method there, or two flags at once.
        """
        matched = [(found, row) for pattern, row in self._rows if (found := pattern.fullmatch(path))]
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


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


class Api:
    """The application.

    Args:
        service: the network.
        default_region: of requests to a host that names none.
        wall_utc_ns: the wall clock, ns since 1970 UTC: what signatures expire by.
    """

    def __init__(
        self,
        service: Service,
        default_region: str = "bj",
        wall_utc_ns: Callable[[], int] = time.time_ns,
        operations: tuple[Operation, ...] = OPERATIONS,
    ) -> None:
        self.service = service
        self._default_region = default_region
        self._wall_utc_ns = wall_utc_ns
        self._urls = UrlTable(operations)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = HttpRequest(scope, receive)
        request_id = str(uuid.uuid4())
        try:
            body = await read_body(request)
        except ClientDisconnect:
            return
        except HttpError as error:
            answer = answer_to(error)
            response = _error_response(answer, request_id)
        else:
            response = await run_in_threadpool(self._handle, request, body, request_id)
        await response(scope, receive, send)

    def _handle(self, request: HttpRequest, body: bytes, request_id: str) -> Response:
        started_ns = time.perf_counter_ns()
        account = operation = ""
        conflict_code = "OperationDenied"
        try:
            signed = _signed_part(request)
            account = self._account_of(signed)
            query = _query_of(signed)
            path = request.scope["path"]
            match = self._urls.find(signed.method, path, query)
            operation = f"{match.operation.method} {match.operation.path} {match.operation.flag}".strip()
            conflict_code = match.operation.conflict_code
            region = region_of(request.headers.get("host", ""), self._default_region)
            call = Call(self.service, account, region, signed.method, path, match.params, query, parse_object(body))
            reply = match.operation.handler(call)
            response = Response(reply.body, reply.status, media_type=None, headers={"Content-Type": JSON})
        except Exception as error:
            answer = answer_to(error, conflict_code)
            if answer.status >= 500:
                LOG.exception("request failed", extra={"request_id": request_id})
            response = _error_response(answer, request_id)
        response.headers["x-bce-request-id"] = request_id
        LOG.info(
            "request",
            extra={
                "request_id": request_id,
                "account": account,
                "method": request.method,
                "operation": operation,
                "status": response.status_code,
                "duration_ms": (time.perf_counter_ns() - started_ns) / 1e6,
            },
        )
        return response

    def _account_of(self, signed: Request) -> str:
        keys = self.service.keys

        def secret_of(access_key: str) -> str | None:
            known = keys.get(access_key)
            return None if known is None else known[0]

        access_key = authenticate(signed, secret_of, self._wall_utc_ns())
        known = keys.get(access_key)
        if known is None:  # taken away this very moment
            raise AuthError("InvalidAccessKeyId", "the access key does not exist")
        return known[1]


async def read_body(request: HttpRequest, most_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The body, as long as it is not too large.

    Raises:
        HttpError: RequestEntityTooLarge; what was said or sent is more than `most_bytes`.
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > most_bytes:
        raise HttpError("RequestEntityTooLarge", f"the body has {announced} bytes, accepted {most_bytes}")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most_bytes:
            raise HttpError("RequestEntityTooLarge", f"the body has more than {most_bytes} bytes")
        parts.append(part)
    return b"".join(parts)


def _signed_part(request: HttpRequest) -> Request:
    scope = request.scope
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    for once in ("host", "content-length", "content-type"):
        if sum(1 for name, _ in headers if name == once) > 1:
            raise HttpError("InvalidHTTPRequest", f"header {once} stands twice")
    raw_path = scope.get("raw_path") or scope["path"].encode()
    return Request(
        scope["method"], raw_path.partition(b"?")[0].decode("latin-1"), scope["query_string"].decode("latin-1"), headers
    )


def _query_of(signed: Request) -> dict[str, str]:
    query: dict[str, str] = {}
    for key, value in query_items(signed.raw_query):
        try:
            name, text = key.decode(), value.decode()
        except UnicodeDecodeError:
            raise HttpError("InvalidURI", "the query is not UTF-8") from None
        if name in query:
            raise HttpError("BadRequest", f"{name[:60]!r} stands twice in the query")
        query[name] = text
    return query


def _error_response(answer: ErrorAnswer, request_id: str) -> Response:
    body: dict[str, Any] = {"code": answer.code, "message": answer.message, "requestId": request_id}
    return Response(dump(body), answer.status, headers={"Content-Type": JSON, "x-bce-request-id": request_id})
