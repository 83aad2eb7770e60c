"""Site: everything a server answers, by the first part of the path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from netsim.api.app import Api
from netsim.api.health import health, is_local, metrics

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


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
        request = Request(scope)
        response: Response
        if not is_local(request):
            response = PlainTextResponse("asked under a name or from an origin that is not this machine's\n", 403)
        elif request.method not in {"GET", "HEAD"}:
            response = PlainTextResponse("GET only\n", 405)
        else:
            response = await run_in_threadpool(page, self._api.service)
        await response(scope, receive, send)
