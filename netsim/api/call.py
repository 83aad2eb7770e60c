"""Call: a signed request on its way through a handler; Reply: what it says back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from netsim.api.error_codes import HttpError
from netsim.api.json_codec import dump, member
from netsim.api.service import Service
from netsim.controlplane.edit import Edit
from netsim.controlplane.view import View
from netsim.emulator import Emulator
from netsim.errors import NotFoundError

R = TypeVar("R")

MAX_TOKEN_CHARS = 64
_ID = re.compile(r"(?P<kind>[a-z]+)-[0-9a-z]{1,32}", re.ASCII)


class Reply(NamedTuple):
    """A status and the text of a body; "" is no body."""

    status: int = 200
    body: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler gets.

    Attributes:
        service: the network.
        account: who signed.
        region: which region's host was asked.
        method, path: as matched; part of what a client token stands for.
        params: the parts of the path.
        query: decoded, last of each; flags have an empty value.
        body: the JSON object, {} if there was none.
        request_id: what the answer is called.
    """

    service: Service
    account: str
    region: str
    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: dict[str, Any] = field(default_factory=dict)
    request_id: str = ""

    def read(self, look: Callable[[View], R]) -> R:
        """What `look` finds in what this account sees."""
        return self.service.view(self.account, look)

    def change(
        self,
        plan: Callable[[View], tuple[Edit[Any], ...]],
        answer: Callable[[Any], dict[str, Any]] | None = None,
    ) -> Reply:
        """Make the edits that `plan` wants, and answer what `answer` makes of the result: once for a client token.

        Raises:
            HttpError: the token was used for another request.
        """
        request_hash = self._request_hash()

        def write(result: Any) -> tuple[int, str]:
            return 200, "" if answer is None else dump(answer(result))

        def edits(emulator: Emulator) -> tuple[Edit[Any], ...]:
            return plan(emulator.inventory.visible_to(self.account))

        token = self._token()
        changed = self.service.change(
            account=self.account, token=token, request_hash=request_hash, answer=write, plan=edits
        )
        known = changed.answer
        if known is None:
            return Reply(*write(changed.result))
        if known.request_hash != request_hash:
            raise HttpError("IdempotentParameterMismatch", "the clientToken was used for another request")
        return Reply(known.status, known.body)

    def text(self, name: str, default: str | None = None) -> str:
        """A text of the body; required without a default."""
        return member(self.body, name, str) if default is None else member(self.body, name, str, default)

    def _token(self) -> str:
        token = self.query.get("clientToken", "")
        if len(token) > MAX_TOKEN_CHARS or not token.isascii():
            raise HttpError("BadRequest", f"clientToken is longer than {MAX_TOKEN_CHARS} ASCII characters")
        return token

    def _request_hash(self) -> str:
        rest = sorted((key, value) for key, value in self.query.items() if key.lower() != "authorization")
        text = dump({"method": self.method, "path": self.path, "query": rest, "body": self.body, "region": self.region})
        return hashlib.sha256(text.encode()).hexdigest()


def check_id(kind: str, text: str) -> str:
    """An id of this kind; names, which the control plane takes too, are no ids.

    Raises:
        NotFoundError: it is none: the same words as for one that does not exist.
    """
    match = _ID.fullmatch(text)
    if match is None or match["kind"] != kind:
        raise NotFoundError(f"{text[:60]!r}: not found")
    return text
