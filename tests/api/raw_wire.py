"""A raw connection to a server, for bytes that no well-meaning client sends."""

from __future__ import annotations

import json
import socket
from typing import NamedTuple

from tests.api.wire import Headers, signed_headers
from tests.sdk.cloud import Cloud

PATIENCE_S = 20.0


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        if self.status == 200:
            return ""
        said = json.loads(self.body)
        assert all(isinstance(said[name], str) and said[name] for name in ("code", "message", "requestId")), said
        assert said["requestId"] == self.headers["x-bce-request-id"]
        return str(said["code"])


class RawWire:
    """A raw connection."""

    def __init__(self, cloud: Cloud) -> None:
        self.socket = socket.create_connection(("127.0.0.1", cloud.port), timeout=PATIENCE_S)
        self._got = b""

    def __enter__(self) -> RawWire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> RawWire:
        self.socket.sendall(data)
        return self

    def answer(self) -> Answer:
        """The next answer, by its Content-Length."""
        while b"\r\n\r\n" not in self._got:
            part = self.socket.recv(65_536)
            assert part, f"closed after {self._got!r}"
            self._got += part
        head, self._got = self._got.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        while len(self._got) < int(headers["content-length"]):
            self._got += self.socket.recv(65_536)
        size = int(headers["content-length"])
        body, self._got = self._got[:size], self._got[size:]
        return Answer(int(first.split()[1]), headers, body)

    def is_closed(self) -> bool:
        """Whether the server ends the connection within the patience."""
        try:
            while part := self.socket.recv(65_536):
                self._got += part
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True


def request(method: str, path: str, query: str = "", body: bytes = b"", headers: Headers | None = None) -> bytes:
    """A signed request of acme's."""
    given = signed_headers("acme", method, path, query, body) if headers is None else headers
    target = f"{path}?{query}" if query else path
    lines = "".join(f"{name}: {value}\r\n" for name, value in given)
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


def asked(cloud: Cloud, data: bytes) -> Answer:
    with RawWire(cloud) as wire:
        return wire.send(data).answer()
