"""Client: signed requests to a running server, for the command line and for tests."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote, urlsplit

from netsim.api.auth import VERSION, Request, Signature, sign
from netsim.errors import NetsimError, RefusedError, UsageError

EXPIRY_S = 1800
TIMEOUT_S = 60.0
MAX_ANSWER_BYTES = 64 << 20
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


class Client:
    """One account in one region of a server.

    Args:
        url: like http://127.0.0.1:8410.
        access_key, secret_key: what requests are signed with.
        region: asked for by the host name that is sent; "" for the server's default.
        operator_token: of requests to /netsim/v1/operator.

    Raises:
        UsageError: the URL is none.
    """

    def __init__(
        self, url: str, access_key: str = "", secret_key: str = "", region: str = "", operator_token: str = ""
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise UsageError(f"server {url!r} is no URL like http://127.0.0.1:8410")
        self._url = url
        self._host, self._port, self._is_secure = parts.hostname, parts.port, parts.scheme == "https"
        self._host_header = f"{region}.localhost" if region else parts.netloc
        self._access_key, self._secret_key, self._operator_token = access_key, secret_key, operator_token

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
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT_S, context=context)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(content)
            answer = connection.getresponse()
            said, rest = answer.read(MAX_ANSWER_BYTES), answer.length
        except (OSError, http.client.HTTPException) as error:
            reason = (
                error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"
            )
            raise ServerError(f"server {self._url}: {reason}") from None
        finally:
            connection.close()
        if rest:  # `read` with a size does not mind an end that came too early
            raise ServerError(f"server {self._url}: the answer was cut off, or is too large")
        return answer.status, said

    def _read(self, status: int, answer: bytes) -> dict[str, Any]:
        try:
            said = json.loads(answer) if answer.strip() else {}
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise ServerError(f"server {self._url}: answered {status} with something that is no JSON object")
        if 200 <= status < 300:
            return cast("dict[str, Any]", said)
        code, message = str(said.get("code", status)), str(said.get("message", "no reason given"))
        if code in _CREDENTIALS or status >= 500:
            raise ServerError(f"server {self._url}: {code}: {message}")
        raise RefusedError(f"{message} ({code})")
