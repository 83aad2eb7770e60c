"""Site: everything a server answers, by the first part of the path."""

from __future__ import annotations

import asyncio

from netsim.api.app import Api
from netsim.api.health import health, is_local, metrics
from netsim.api.http_message import TEXT, Receive, Response, Scope, Send, respond


class Site:
    """The vendor's API, and what stands beside it.

    Args:
        api: the signed API.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._pages = {"/healthz": health, "/metrics": metrics}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        page = self._pages.get(scope["path"])
        if page is None:
            await self._api(scope, receive, send)
            return
        if not is_local(scope):
            response = Response(403, "asked under a name or from an origin that is not this machine's\n", TEXT)
        elif scope["method"] not in {"GET", "HEAD"}:
            response = Response(405, "GET only\n", TEXT)
        else:
            response = await asyncio.get_running_loop().run_in_executor(None, page, self._api.service)
        await respond(send, response)
