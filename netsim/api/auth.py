"""bce-auth-v1: is a request signed with the secret of the access key it names?

    Authorization: bce-auth-v1/{access key}/{timestamp}/{expiry in s}/{signed headers}/{signature}

A pure function of the request as it came in: the raw path and query, headers byte for byte, and a
time. Host must be signed, whatever else is; the vendor's Python SDK sends an empty list of signed headers
and then means a default set. A body is covered by its length at most, as in the vendor's cloud.

Source: cloud.baidu.com/doc/Reference/s/njwvz1yfu (authentication), and the vendor's Python and Go SDKs.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from netsim.errors import NetsimError
from netsim.units import NS_PER_S

VERSION = "bce-auth-v1"
MAX_EXPIRY_S = 86_400
CLOCK_SKEW_S = 900
"""How far into the future a timestamp may lie; the vendor does not say."""
DEFAULT_SIGNED = frozenset({"host", "content-length", "content-type", "content-md5"})
_BCE_HEADER = "x-bce-"
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_EXPIRY = re.compile(r"\d{1,6}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NAME = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_NO_SECRET = "no such key"  # noqa: S105 - signs for keys that do not exist


class AuthError(NetsimError):
    """The request is not let in; `code` is the vendor's word for why."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Signature(NamedTuple):
    """An Authorization header taken apart; `signed` is empty where the default set is meant."""

    access_key: str
    timestamp: str
    expiry: str
    signed: tuple[str, ...]
    digest: str

    @property
    def prefix(self) -> str:
        """What the signing key is made from."""
        return f"{VERSION}/{self.access_key}/{self.timestamp}/{self.expiry}"


class Request(NamedTuple):
    """What is signed of a request: the path and query as on the request line, headers in order."""

    method: str
    raw_path: str
    raw_query: str
    headers: Sequence[tuple[str, str]]


def authenticate(request: Request, secret_of: Callable[[str], str | None], now_ns: int) -> str:
    """The access key the request is signed with.

    Args:
        request: as it came in.
        secret_of: access key -> secret key, None if there is no such key.
        now_ns: the wall clock, ns since 1970 UTC.

    Raises:
        AuthError: InvalidHTTPAuthHeader (absent, twice, malformed), InvalidAccessKeyId, RequestExpired, or
            SignatureDoesNotMatch.
    """
    given = [value for name, value in request.headers if name.lower() == "authorization"]
    if len(given) != 1:
        raise AuthError("InvalidHTTPAuthHeader", f"expected one Authorization header, got {len(given)}")
    signature = parse_authorization(given[0])
    _check_time(signature, now_ns)
    secret = secret_of(signature.access_key)
    expected = sign(request, signature, secret or _NO_SECRET)
    # Computed and compared for unknown keys too: how long it takes says nothing about which keys exist.
    is_equal = hmac.compare_digest(expected, signature.digest)
    if secret is None:
        raise AuthError("InvalidAccessKeyId", "the access key does not exist")
    if not is_equal:
        raise AuthError("SignatureDoesNotMatch", "the signature does not match the request and the secret key")
    return signature.access_key


def parse_authorization(text: str) -> Signature:
    """The parts of an Authorization header.

    Raises:
        AuthError: InvalidHTTPAuthHeader.
    """
    parts = text.split("/")
    if len(parts) != 6 or parts[0] != VERSION:
        raise AuthError("InvalidHTTPAuthHeader", f"Authorization has no {VERSION} form")
    _, access_key, timestamp, expiry, listed, digest = parts
    signed = tuple(listed.split(";")) if listed else ()
    well_formed = (
        0 < len(access_key) <= 128
        and access_key.isascii()
        and access_key.isprintable()
        and _TIMESTAMP.fullmatch(timestamp)
        and _EXPIRY.fullmatch(expiry)
        and 0 < int(expiry) <= MAX_EXPIRY_S
        and _SIGNATURE.fullmatch(digest)
        and all(_NAME.fullmatch(name) for name in signed)
        and len(set(signed)) == len(signed)
    )
    if not well_formed:
        raise AuthError("InvalidHTTPAuthHeader", f"a part of the {VERSION} Authorization is malformed")
    if signed and "host" not in signed:
        raise AuthError("InvalidHTTPAuthHeader", "the host header must be signed")
    return Signature(access_key, timestamp, expiry, signed, digest)


def _check_time(signature: Signature, now_ns: int) -> None:
    try:
        moment = datetime.fromisoformat(signature.timestamp)  # its form is checked, Z is UTC
    except ValueError:
        raise AuthError("InvalidHTTPAuthHeader", "the timestamp is no date") from None
    signed_s, now_s = int(moment.timestamp()), now_ns // NS_PER_S
    if not signed_s - CLOCK_SKEW_S <= now_s <= signed_s + int(signature.expiry):
        raise AuthError("RequestExpired", f"signed at {signature.timestamp} for {signature.expiry} s")


def sign(request: Request, signature: Signature, secret: str) -> str:
    """The digest that the request should carry: 64 hex digits."""
    signing_key = _hmac(secret, signature.prefix)
    return _hmac(signing_key, canonical_request(request, signature.signed))


def _hmac(key: str, message: str) -> str:
    return hmac.digest(key.encode(), message.encode(), "sha256").hex()


def canonical_request(request: Request, signed: Iterable[str]) -> str:
    """The text that is signed: method, path, query and headers, each in its one spelling."""
    wanted = frozenset(signed)
    headers = []
    for name, value in request.headers:
        lower, trimmed = name.lower(), value.strip()
        is_wanted = lower in wanted if wanted else lower in DEFAULT_SIGNED or lower.startswith(_BCE_HEADER)
        if is_wanted and trimmed:
            headers.append(f"{_encode(lower.encode())}:{_encode(trimmed.encode('utf-8', 'surrogateescape'))}")
    path = quote(unquote_to_bytes(request.raw_path) or b"/", safe="/-._~")
    return "\n".join([request.method, path, canonical_query(request.raw_query), "\n".join(sorted(headers))])


def canonical_query(raw_query: str) -> str:
    """`key=value` of every item, in order; a key alone has an empty value, `authorization` is left out."""
    items = query_items(raw_query)
    return "&".join(
        sorted(f"{_encode(key)}={_encode(value)}" for key, value in items if key.lower() != b"authorization")
    )


def query_items(raw_query: str) -> list[tuple[bytes, bytes]]:
    """The items of a query, decoded; who handles a request reads them here too, lest it sees other
    ones than were signed. A plus is a plus (RFC 3986 section 3.4), an item without "=" has an empty value.
    """
    parts = [item.partition("=") for item in raw_query.split("&") if item]
    return [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in parts]


@lru_cache(maxsize=1024)
def _encode(text: bytes) -> str:
    return quote(text, safe="-._~")
