"""The HTTP server: uvicorn, with connections of ours (`connection.py`); what was begun is answered before it stops."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import uvicorn

from netsim.api.connection import Connection, GuardedConfig, Limits
from netsim.errors import NetsimError

STOP_S = 5
THREADS = 32
"""For requests that wait for the network or the disk."""


class ServeError(NetsimError):
    """The server can't listen where it was told to."""

    exit_code = 5


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

    def __init__(
        self, app: Callable[..., Any], on_ready: Callable[[], None] | None = None, limits: Limits | None = None
    ) -> None:
        limits = limits or Limits()
        config = GuardedConfig(
            app,
            http=Connection,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=limits.idle_s,  # type: ignore[arg-type]  # a timer takes fractions
            timeout_graceful_shutdown=STOP_S,
        )
        config.limits = limits
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "netsim-request"))
        await super().startup(sockets=sockets)
        if self._on_ready is not None:
            self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        """Every 0.1 s: who is late?"""
        now = asyncio.get_running_loop().time()
        for connection in tuple(self.server_state.connections):
            assert isinstance(connection, Connection)
            connection.end_if_late(now)
        return await super().on_tick(counter)

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
