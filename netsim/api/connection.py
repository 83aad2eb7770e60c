"""Connection: one client's HTTP/1.1 connection, with the limits that uvicorn's has not.

Connections beyond the limit are closed at once. Whoever has not sent a whole head or body in time is given
up, and so is who does not take an answer: each connection has its deadlines, and the server looks at them ten times a
second. What is no HTTP is refused in the vendor's form.
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
import uuid
from collections.abc import Sized
from dataclasses import dataclass
from typing import Any, NoReturn

import httptools
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from netsim.api.app import MAX_HEAD_BYTES
from netsim.api.json_codec import dump

MAX_WAITING = 64
"""Requests that one connection may send ahead of their answers."""
LAST_S = 0.3
"""How long a connection of a server that stops may still bring a request."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take.

    Attributes:
        connections: open at once; one more is closed at once.
        head_s: until the whole head of a first request is there.
        body_s: until its whole body is there.
        idle_s: a pause between two requests of a connection.
        write_s: for taking an answer.
    """

    connections: int = 512
    head_s: float = 10.0
    body_s: float = 20.0
    idle_s: float = 30.0
    write_s: float = 20.0


class GuardedConfig(uvicorn.Config):
    """uvicorn's configuration and our limits, which its protocols are handed."""

    limits = Limits()


class HeadError(httptools.HttpParserError):
    """A head that the parser takes and we don't; its callbacks raise it."""


class PatientFlow(FlowControl):
    """uvicorn's flow control, which reads no further while requests wait for their turn."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        """Read on, unless there is enough to do."""
        if not self._waiting:
            super().resume_reading()


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with a limit of connections, and of the time a request or an answer may take."""

    _is_head = _is_refused = _is_stopping = False
    _head_bytes = 0
    _reason = ""
    _answered: Any = None
    _request_due = _answer_due = math.inf  # on the loop's clock

    def connection_made(self, transport: Any) -> None:
        """A client is there: count it, and wait for its head."""
        super().connection_made(transport)
        self.flow = PatientFlow(transport, self.pipeline)
        assert isinstance(self.config, GuardedConfig)
        self._limits = self.config.limits
        if len(self.connections) > self._limits.connections:
            transport.abort()
            return
        self._request_due = self.loop.time() + self._limits.head_s

    def end_if_late(self, now: float) -> None:
        """Give up who took too long."""
        if now >= self._request_due or now >= self._answer_due:
            # The kernel too forgets what the client did not take.
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, or what comes after a refusal."""
        if self._is_refused:
            return
        # The parser keeps a head until it is whole. What arrives together is bounded by the size of a read.
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_head and self._head_bytes > MAX_HEAD_BYTES and not self._is_refused:
            self.send_400_response("the head is too large")

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._is_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """After a head comes a body, which may be empty."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            self._refuse("expected one Host header")
        if len(self.pipeline) >= MAX_WAITING:
            self._refuse(f"more than {MAX_WAITING} requests wait on one connection")
        self._is_head = False
        super().on_headers_complete()
        if self._is_stopping:
            self.cycle.keep_alive = False
        self._request_due = self.loop.time() + self._limits.body_s

    def _refuse(self, reason: str) -> NoReturn:
        self._reason = reason
        raise HeadError(reason)

    def on_message_complete(self) -> None:
        """The request is whole, and the client waits for us."""
        super().on_message_complete()
        self._request_due = math.inf

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """The answer is on its way, and the next request may begin; uvicorn's own timer guards the pause."""
        limits = self._limits
        if not self.pipeline:
            self._request_due = self.loop.time() + limits.idle_s + limits.head_s
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client does not take what we send as fast as we do."""
        super().pause_writing()
        self._answer_due = self.loop.time() + self._limits.write_s

    def resume_writing(self) -> None:
        """It goes on."""
        super().resume_writing()
        if not self._is_refused:
            self._answer_due = math.inf

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is answered like everything else, if an answer has not begun."""
        answered = self._answered
        has_begun = answered is not None and answered.response_started and not answered.response_complete
        if answered is not None and not answered.response_complete:
            answered.disconnected = True  # what handles the request has nobody to answer any more
            answered.message_event.set()
        self.pipeline.clear()
        if not has_begun:
            request_id = str(uuid.uuid4())
            body = dump(
                {"code": "InvalidHTTPRequest", "message": self._reason or msg, "requestId": request_id}
            ).encode()
            self.transport.write(
                b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json;charset=UTF-8\r\nconnection: close\r\n"
                b"content-length: %d\r\nx-bce-request-id: %s\r\n\r\n%s" % (len(body), request_id.encode(), body)
            )
        # Who still writes has not read the answer yet: closing now would take it back.
        self._is_refused = True
        self.flow.resume_reading()
        self.transport.write_eof()
        self._answer_due = self.loop.time() + self._limits.write_s

    def shutdown(self) -> None:
        """The server stops: what is on its way is answered, and says that it was the last."""
        self._is_stopping = True
        if self._is_refused:
            self.transport.close()
        elif self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LAST_S, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def _close_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
