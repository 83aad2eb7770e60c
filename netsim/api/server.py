"""The HTTP server: uvicorn on loopback, with the limits it has none of itself.

Connections beyond the limit are closed at once; one that has not sent a whole head or body in time, too.
Stopping is graceful: what was begun is answered.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from netsim.api.app import MAX_HEAD_BYTES
from netsim.api.json_codec import dump
from netsim.errors import NetsimError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

STOP_S = 5


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


class ServeError(NetsimError):
    """The server can't listen where it was told to."""

    exit_code = 5


class GuardedConfig(uvicorn.Config):
    """uvicorn's configuration and our limits, which its protocols are handed."""

    limits = Limits()


class GuardedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol with a limit of connections, and of the time a request or an answer may take."""

    _is_body = False
    _is_refused = False

    def connection_made(self, transport: Any) -> None:
        """A client is there: count it, and wait for its head."""
        super().connection_made(transport)
        assert isinstance(self.config, GuardedConfig)
        self._limits = self.config.limits
        self._guards: dict[str, asyncio.TimerHandle] = {}
        if len(self.connections) > self._limits.connections:
            transport.abort()
            return
        self._wait(self._limits.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        for what in tuple(self._guards):
            self._stop_waiting(what)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Something arrived: after a head comes a body, after a body the answer."""
        super().handle_events()
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return
        if cycle.more_body:
            if not self._is_body:
                self._is_body = True
                self._wait(self._limits.body_s)
        else:
            self._is_body = False
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """The answer is on its way, and the next request may begin; uvicorn's own timer guards the pause."""
        self._is_body = False
        self._wait(self._limits.idle_s + self._limits.head_s)
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client does not take what we send as fast as we do."""
        super().pause_writing()
        self._wait(self._limits.write_s, "answer")

    def resume_writing(self) -> None:
        """It goes on."""
        super().resume_writing()
        self._stop_waiting("answer")

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is answered like everything else, if an answer has not begun."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # what handles the request has nobody to answer any more
            self.cycle.message_event.set()
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            request_id = str(uuid.uuid4())
            body = dump({"code": "InvalidHTTPRequest", "message": msg, "requestId": request_id}).encode()
            headers = [
                ("content-type", "application/json;charset=UTF-8"), ("content-length", str(len(body))),
                ("x-bce-request-id", request_id), ("connection", "close"),
            ]  # fmt: skip
            for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        # Who still writes has not read the answer yet: closing now would take it back.
        self._is_refused = True
        self.transport.write_eof()
        self._wait(self._limits.write_s)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, or what comes after a refusal."""
        if not self._is_refused:
            super().data_received(data)

    def _wait(self, seconds: float, what: str = "request") -> None:
        self._stop_waiting(what)
        self._guards[what] = self.loop.call_later(seconds, self.transport.abort)

    def _stop_waiting(self, what: str = "request") -> None:
        guard = self._guards.pop(what, None)
        if guard is not None:
            guard.cancel()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any free one.

    Raises:
        ServeError: the address can't be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # The protocol is named: asyncio turns Nagle's delay off only where it is, and head and body are two writes.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(1024)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ServeError(f"serve: can't listen on {host} port {port}: {reason}") from None
    return sock


class Server(uvicorn.Server):
    """uvicorn's server that leaves signals to whoever started it, and says when it is ready."""

    def __init__(self, app: ASGIApp, on_ready: Callable[[], None] | None = None, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        config = GuardedConfig(
            app,
            http=GuardedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=limits.idle_s,  # type: ignore[arg-type]  # a timer takes fractions
            timeout_graceful_shutdown=STOP_S,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
        config.limits = limits
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup(sockets=sockets)
        if self._on_ready is not None:
            self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the server gracefully, and are done with then (uvicorn would raise them again)."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """End after what was begun; from any thread."""
        self.should_exit = True
