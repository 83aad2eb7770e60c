"""The signed API without a socket: requests go to the ASGI application as the HTTP server hands them over."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from netsim.api.app import Api
from netsim.api.auth import VERSION, Request, Signature, sign
from netsim.api.service import Service, Start
from netsim.api.site import Site
from netsim.controlplane import edit

Headers = list[tuple[str, str]]
EXPIRY_S = 1800


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body) if self.body else {}
        return found

    @property
    def code(self) -> str:
        """The vendor's code of a refusal, which says all it must; "" of what went well."""
        if self.status == 200:
            return ""
        said = self.json
        assert all(isinstance(said[name], str) and said[name] for name in ("code", "message", "requestId")), said
        assert said["requestId"] == self.headers["x-bce-request-id"]
        return str(said["code"])


def raw_query_of(query: Mapping[str, str] | None) -> str:
    return "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in (query or {}).items())


def signed_headers(
    account: str, method: str, raw_path: str, raw_query: str, content: bytes, host: str = "bcc.bj.baidubce.com"
) -> Headers:
    """What the vendor's Python SDK sends: nothing listed as signed, which means a default set."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    headers: Headers = [
        ("host", host),
        ("content-length", str(len(content))),
        ("content-type", "application/json;charset=utf-8"),
        ("x-bce-date", stamp),
    ]
    signature = Signature(f"ak-{account}", stamp, str(EXPIRY_S), (), "")
    digest = sign(Request(method, raw_path, raw_query, headers), signature, f"sk-{account}")
    return [*headers, ("authorization", f"{VERSION}/ak-{account}/{stamp}/{EXPIRY_S}//{digest}")]


class Wire:
    """A served network of some accounts, each with the keys ak-ACCOUNT and sk-ACCOUNT."""

    def __init__(self, path: Path, accounts: tuple[str, ...], speed: float = 1.0, **start: Any) -> None:
        edits = tuple(edit.CreateAccount(account) for account in accounts)
        self.service = Service(path, time.time_ns, Start(edits=edits, **start), speed)
        for account in accounts:
            self.service.keys[f"ak-{account}"] = (f"sk-{account}", account)
        self.site = Site(Api(self.service, operator_token="operator-token"))
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        self.service.close()

    def send(self, method: str, raw_path: str, raw_query: str, headers: Headers, content: bytes = b"") -> Answer:
        """Hand over a request just so; the answer."""
        return self._loop.run_until_complete(self._send(method, raw_path, raw_query, headers, content))

    async def _send(self, method: str, raw_path: str, raw_query: str, headers: Headers, content: bytes) -> Answer:
        from urllib.parse import unquote

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method,
            "path": unquote(raw_path), "raw_path": raw_path.encode("latin-1"),
            "query_string": raw_query.encode("latin-1"), "root_path": "", "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        }  # fmt: skip
        said: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            said.append(message)

        await self.site(scope, receive, send)
        names = {name.decode(): value.decode() for name, value in said[0]["headers"]}
        return Answer(said[0]["status"], names, b"".join(part.get("body", b"") for part in said[1:]))

    def ask(
        self,
        account: str,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        region: str = "bj",
    ) -> Answer:
        """A signed request."""
        content = b"" if body is None else json.dumps(body).encode()
        raw_path, raw_query = quote(path, safe="/-._~"), raw_query_of(query)
        host = f"bcc.{region}.baidubce.com"
        return self.send(
            method, raw_path, raw_query, signed_headers(account, method, raw_path, raw_query, content, host), content
        )

    def must(self, *args: Any, **more: Any) -> dict[str, Any]:
        """A request that is granted; its answer."""
        answer = self.ask(*args, **more)
        assert answer.status == 200, answer
        return answer.json
