"""The HTTP server: uvicorn on loopback, with the limits it has none of itself.

Connections beyond the limit are closed at once; one that has not sent a whole head or body in time, too.
Stopping is graceful: what was begun is answered.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from netsim.errors import NetsimError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

MAX_CONNECTIONS = 512
HEAD_S = 10.0
BODY_S = 20.0
IDLE_S = 30
MAX_HEAD_BYTES = 32 * 1024
STOP_S = 5


class ServeError(NetsimError):
    """The server can't listen where it was told to."""

    exit_code = 5


class GuardedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol with a limit of connections, and of the time a request may take to arrive."""

    _guard: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client is there: count it, and wait for its head."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        self._wait(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._stop_waiting()
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
                self._wait(BODY_S)
        else:
            self._is_body = False
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """The next request of the connection may begin; uvicorn's own timer guards the pause."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self._wait(IDLE_S + HEAD_S)

    _is_body = False

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._guard = self.loop.call_later(seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._guard is not None:
            self._guard.cancel()
            self._guard = None

    def _give_up(self) -> None:
        self.transport.abort()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any free one.

    Raises:
        ServeError: the address can't be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(1024)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ServeError(f"serve: can't listen on {host} port {port}: {reason}") from None
    return sock


class Server(uvicorn.Server):
    """uvicorn's server that leaves signals to whoever started it, and says when it is ready."""

    def __init__(self, app: ASGIApp, on_ready: Callable[[], None] | None = None) -> None:
        config = uvicorn.Config(
            app,
            http=GuardedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=STOP_S,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
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
