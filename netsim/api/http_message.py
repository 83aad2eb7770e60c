"""What passes between the HTTP server and what answers: requests and responses in ASGI's form, no framework between.

Source: ASGI specification, "HTTP & WebSocket ASGI Message Format" (asgi.readthedocs.io).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from netsim.api.error_codes import HttpError
from netsim.api.json_codec import MAX_BODY_BYTES

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = "application/json;charset=UTF-8"
TEXT = "text/plain; charset=utf-8"
DRAINED_BODIES = 8


class Response(NamedTuple):
    """A whole answer; `request_id` "" is of pages that have none."""

    status: int
    body: str
    content_type: str = JSON
    request_id: str = ""


class DisconnectError(Exception):
    """The client has gone before its request was whole."""


def header(scope: Scope, name: bytes) -> str | None:
    """The value of a header, its first; None if it is not there. `name` in small letters."""
    return next((value.decode("latin-1") for given, value in scope["headers"] if given == name), None)


async def read_body(scope: Scope, receive: Receive, most_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The body, as long as it is not too large.

    One that is a few times too large is read to its end before it is refused: who still writes does not read.

    Raises:
        HttpError: RequestEntityTooLarge; what was said or sent is more than `most_bytes`.
        DisconnectError: nobody waits for an answer.
    """
    announced = header(scope, b"content-length") or "0"
    too_large = HttpError("RequestEntityTooLarge", f"the body has more than {most_bytes} bytes")
    if announced.isdecimal() and int(announced[:20]) > DRAINED_BODIES * most_bytes:
        raise too_large
    parts: list[bytes] = []
    size = 0
    is_more = True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectError
        part, is_more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size > DRAINED_BODIES * most_bytes:
            raise too_large
        if size <= most_bytes:
            parts.append(part)
    if size > most_bytes:
        raise too_large
    return b"".join(parts)


async def respond(send: Send, response: Response) -> None:
    """Send it."""
    body = response.body.encode()
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", response.content_type.encode("latin-1"))]
    if response.request_id:
        headers.append((b"x-bce-request-id", response.request_id.encode("latin-1")))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
