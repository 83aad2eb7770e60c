"""A request's way: match, authenticate, decode, handle, encode.

An ASGI application; handlers are plain functions, and the answer to a change waits for the disk. Who is let in
is decided on the bytes that came in (`auth.py`), and the same bytes are what handlers get: there is no second
reading of path or query.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from typing import Any

from netsim.api.auth import AuthError, Request, authenticate, query_items
from netsim.api.call import Call
from netsim.api.error_codes import ErrorAnswer, HttpError, answer_to
from netsim.api.http_message import DisconnectError, Receive, Response, Scope, Send, header, read_body, respond
from netsim.api.json_codec import dump, parse_object
from netsim.api.own.operator import check_token, is_disabled
from netsim.api.region import region_of
from netsim.api.service import Service
from netsim.api.url_table import OPERATIONS, UrlTable, own_operations
from netsim.realtime import BusyError
from netsim.store.database import StoreError

MAX_HEAD_BYTES = 32 * 1024
QUICK_PATHS = ("/v1/", "/v2/")
"""Of operations that read or change the network once and do nothing else: these may be begun anew."""
OPERATOR_PATH = "/netsim/v1/operator/"
_ONCE = frozenset({"host", "content-length", "content-type"})
LOG = logging.getLogger("netsim.api")


class Api:
    """The application.

    Args:
        service: the network.
        default_region: of requests to a host that names none.
        wall_utc_ns: the wall clock, ns since 1970 UTC: what signatures expire by.
        operator_token: lets the operator in; "" nobody.
    """

    def __init__(
        self,
        service: Service,
        default_region: str = "bj",
        wall_utc_ns: Callable[[], int] = time.time_ns,
        operator_token: str = "",
    ) -> None:
        self.service = service
        self._default_region = default_region
        self._wall_utc_ns = wall_utc_ns
        self._operator_token = operator_token
        self._urls = UrlTable((*OPERATIONS, *own_operations()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = str(uuid.uuid4())
        try:
            response = await self._respond(scope, await read_body(scope, receive), request_id)
        except DisconnectError:
            return
        except HttpError as error:
            response = _error_response(answer_to(error), request_id)
        await respond(send, response)

    async def _respond(self, scope: Scope, body: bytes, request_id: str) -> Response:
        """Handle it here if that takes no waiting, which is nearly always so, else in a thread."""
        if scope["path"].startswith(QUICK_PATHS):
            try:
                response, owed = self.service.without_waiting(lambda: self._handle(scope, body, request_id))
            except BusyError:
                pass
            else:
                try:
                    await self.service.writer.durable(owed)
                except StoreError as error:
                    LOG.exception("request failed", extra={"request_id": request_id})
                    return _error_response(answer_to(error), request_id)
                return response
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._handle, scope, body, request_id)

    def _handle(self, scope: Scope, body: bytes, request_id: str) -> Response:
        started_ns = time.perf_counter_ns()
        account = operation = ""
        conflict_code = "OperationDenied"
        try:
            signed = _signed_part(scope)
            path = scope["path"]
            is_operator = path.startswith(OPERATOR_PATH)
            account = self._operator_of(signed) if is_operator else self._account_of(signed)
            query = _query_of(signed)
            match = self._urls.find(signed.method, path, query)
            operation = f"{match.operation.method} {match.operation.path} {match.operation.flag}".strip()
            conflict_code = match.operation.conflict_code
            region = region_of(header(scope, b"host") or "", self._default_region)
            content = parse_object(body)
            call = Call(self.service, account, region, signed.method, path, match.params, query, content, request_id)
            reply = match.operation.handler(call)
            response = Response(reply.status, reply.body, request_id=request_id)
        except BusyError:
            raise
        except Exception as error:
            answer = answer_to(error, conflict_code)
            if answer.status >= 500:
                LOG.exception("request failed", extra={"request_id": request_id})
            response = _error_response(answer, request_id)
        LOG.info(
            "request",
            extra={
                "request_id": request_id,
                "account": account,
                "method": scope["method"],
                "operation": operation,
                "status": response.status,
                "duration_ms": (time.perf_counter_ns() - started_ns) / 1e6,
            },
        )
        return response

    def _operator_of(self, signed: Request) -> str:
        given = [value for name, value in signed.headers if name == "authorization"]
        if not self._operator_token:
            raise AuthError("InvalidAccessKeyId", "this server has no operator")
        check_token(given, self._operator_token)
        return ""

    def _account_of(self, signed: Request) -> str:
        keys = self.service.keys

        def secret_of(access_key: str) -> str | None:
            known = keys.get(access_key)
            return None if known is None or is_disabled(known[0]) else known[0]

        access_key = authenticate(signed, secret_of, self._wall_utc_ns())
        known = keys.get(access_key)
        if known is None:  # taken away this very moment
            raise AuthError("InvalidAccessKeyId", "the access key does not exist")
        return known[1]


def _signed_part(scope: Scope) -> Request:
    if scope["http_version"] not in {"1.0", "1.1"}:
        raise HttpError("InvalidHTTPRequest", "accepted HTTP/1.0 and HTTP/1.1")
    head_bytes = len(scope["query_string"]) + len(scope["path"])
    headers: list[tuple[str, str]] = []
    seen = set()
    for raw_name, raw_value in scope["headers"]:
        head_bytes += len(raw_name) + len(raw_value)
        name = raw_name.decode("latin-1")
        if name in _ONCE and name in seen:
            raise HttpError("InvalidHTTPRequest", f"header {name} stands twice")
        seen.add(name)
        headers.append((name, raw_value.decode("latin-1")))
    if head_bytes > MAX_HEAD_BYTES:
        raise HttpError("InvalidHTTPRequest", f"the head has more than {MAX_HEAD_BYTES} bytes")
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
    return Response(answer.status, dump(body), request_id=request_id)
