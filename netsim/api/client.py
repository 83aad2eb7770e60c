"""Client: signed requests to a running server, for the command line and for tests."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast
from urllib.parse import quote, urlsplit

from netsim.api.auth import VERSION, Request, Signature, sign
from netsim.errors import NetsimError, RefusedError, UsageError

EXPIRY_S = 1800
TIMEOUT_S = 60.0
MAX_ANSWER_BYTES = 64 << 20
_REGION = re.compile(r"[a-z]{1,20}", re.ASCII)
_EXPECTED = "is no URL, expected like http://127.0.0.1:8410"
_CREDENTIALS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidHTTPAuthHeader",
    "RequestExpired",
    "AccessDenied",
}


class ServerError(NetsimError):
    """No server, no answer, or credentials it does not take."""

    exit_code = 5


class RefusedByServerError(RefusedError):
    """The server says no; `code` is the vendor's word for why, `reason` its message without that."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{reason} ({code})")


class Client:
    """One account in one region of a server.

    Args:
        url: like http://127.0.0.1:8410.
        access_key, secret_key: what requests are signed with.
        region: asked for by the host name that is sent; "" for the server's default.
        operator_token: of requests to /netsim/v1/operator.
        timeout_s: how long a request may take, from the connection to the last byte of its answer.

    Raises:
        UsageError: the URL is none, or a key can't be one; keys and what may hold one are not shown.
    """

    def __init__(
        self,
        url: str,
        access_key: str = "",
        secret_key: str = "",
        region: str = "",
        operator_token: str = "",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._host, self._port, self._is_secure, netloc = _parts_of(url)
        self._url = url
        for what, key in (("access key", access_key), ("secret key", secret_key), ("operator token", operator_token)):
            if not all("!" <= char <= "~" for char in key):
                raise UsageError(f"the {what} holds a character that no key has")
        if region and not _REGION.fullmatch(region):
            raise UsageError(f"region {region[:20]!r} does not exist, expected like bj")
        self._host_header = f"{region}.localhost" if region else netloc
        self._access_key, self._secret_key, self._operator_token = access_key, secret_key, operator_token
        self._timeout_s = timeout_s

    def call(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The answer to a request; {} where there is none.

        Raises:
            RefusedError: the server says no; the message is the server's.
            ServerError: it can't be reached, or does not take the credentials.
        """
        raw_path = quote(path, safe="/-._~")
        raw_query = "&".join(
            f"{quote(key, safe='-._~')}={quote(value, safe='-._~')}" for key, value in (query or {}).items()
        )
        content = b"" if body is None else json.dumps(body).encode()
        headers = [("host", self._host_header), ("content-length", str(len(content)))]
        if content:
            headers.append(("content-type", "application/json;charset=utf-8"))
        headers.append(("authorization", self._authorization(method, raw_path, raw_query, headers)))
        status, answer = self._exchange(method, f"{raw_path}?{raw_query}" if raw_query else raw_path, headers, content)
        return self._read(status, answer)

    def _authorization(self, method: str, path: str, query: str, headers: list[tuple[str, str]]) -> str:
        if path.startswith("/netsim/v1/operator/"):
            return f"Bearer {self._operator_token}"
        timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        signed = tuple(sorted(name for name, _ in headers))
        signature = Signature(self._access_key, timestamp, str(EXPIRY_S), signed, "")
        digest = sign(Request(method, path, query, headers), signature, self._secret_key)
        return f"{VERSION}/{self._access_key}/{timestamp}/{EXPIRY_S}/{';'.join(signed)}/{digest}"

    def _exchange(self, method: str, target: str, headers: list[tuple[str, str]], content: bytes) -> tuple[int, bytes]:
        connection: http.client.HTTPConnection
        if self._is_secure:
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=context)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        connected: list[socket.socket] = []
        is_late = threading.Event()
        # A socket's own time-out is for each piece: one that drips its answer would never be late.
        watch = threading.Timer(self._timeout_s, lambda: _hang_up(connected, is_late))
        watch.daemon = True
        try:
            connection.connect()
            connected.append(connection.sock)
            watch.start()
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(content)
            answer = connection.getresponse()
            said, rest = answer.read(MAX_ANSWER_BYTES), answer.length
        except (OSError, http.client.HTTPException) as error:
            if is_late.is_set() or isinstance(error, TimeoutError):
                raise self._late() from None
            raise ServerError(f"server {self._url}: {_reason_of(error)}") from None
        finally:
            watch.cancel()
            connection.close()
        # Neither heads nor bodies mind an end that comes too early.
        if is_late.is_set():
            raise self._late()
        if rest:
            raise ServerError(f"server {self._url}: the answer was cut off, or is too large")
        return answer.status, said

    def _late(self) -> ServerError:
        return ServerError(f"server {self._url}: no answer within {self._timeout_s:g} s")

    def _read(self, status: int, answer: bytes) -> dict[str, Any]:
        try:
            said = json.loads(answer) if answer.strip() else {}
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise ServerError(f"server {self._url}: answered {status} with something that is no JSON object")
        if 200 <= status < 300:
            return cast("dict[str, Any]", said)
        code, message = _shown(said.get("code", status)), _shown(said.get("message", "no reason given"))
        if code in _CREDENTIALS or not 400 <= status < 500:
            raise ServerError(f"server {self._url}: {code}: {message}")
        raise RefusedByServerError(code, message)


def _shown(said: Any) -> str:
    """What a server says, without what commands a terminal."""
    return "".join(char if char.isprintable() else " " for char in str(said))


def _parts_of(url: str) -> tuple[str, int | None, bool, str]:
    """Host, port, whether it is https, and what the Host header says."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UsageError(f"what is given as the server {_EXPECTED}") from None
    if parts.username is not None or parts.password is not None:
        raise UsageError("the URL of the server holds a user name or password, expected like http://127.0.0.1:8410")
    is_url = parts.scheme in ("http", "https") and parts.hostname and url.isascii() and url.isprintable()
    if not is_url or " " in url or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UsageError(f"server {url[:100]!r} {_EXPECTED}")
    assert parts.hostname is not None  # looked at above
    return parts.hostname, port, parts.scheme == "https", parts.netloc


def _hang_up(connected: list[socket.socket], is_late: threading.Event) -> None:
    """Wake whoever waits for more on a socket."""
    is_late.set()
    for sock in connected:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _reason_of(error: OSError | http.client.HTTPException) -> str:
    """Why there is no answer, in a few words."""
    if isinstance(error, http.client.RemoteDisconnected):
        return "it hung up without an answer"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return f"what it answers is no HTTP ({type(error).__name__})"
