"""Signatures: the vendor's recorded vector, the vendor's own signer, and everything that was changed on the way."""

from __future__ import annotations

import random  # noqa: TID251 - seeded, to change bytes of requests
from collections import Counter

import pytest
from baidubce.auth import bce_credentials, bce_v1_signer

from netsim.api.auth import AuthError, Request, authenticate, canonical_request, parse_authorization
from netsim.units import NS_PER_S

VECTOR = "bce-auth-v1/ak1/2026-11-23T15:39:20Z/1800//5a14f38caf9c4aa2ea32e23c68df0c73c9e376d5bf09961509f81bd24c25960a"
VECTOR_HEADERS = [
    ("content-length", "0"),
    ("content-type", "application/json;charset=utf-8"),
    ("host", "127.0.0.1:40761"),
    ("x-bce-date", "2026-11-23T15:39:20Z"),
]
SIGNED_S = 1_795_448_360  # 2026-11-23T15:39:20Z
SECRETS = {"ak1": "sk1", "ak2": "sk2"}


def let_in(request: Request, now_s: int = SIGNED_S) -> str:
    return authenticate(request, SECRETS.get, now_s * NS_PER_S)


def refusal(request: Request, now_s: int = SIGNED_S) -> str:
    with pytest.raises(AuthError) as refused:
        let_in(request, now_s)
    return refused.value.code


def vector(authorization: str = VECTOR, path: str = "/v1/vpc/vpc-1") -> Request:
    return Request("GET", path, "", [*VECTOR_HEADERS, ("Authorization", authorization)])


def signed(
    method: str = "POST",
    path: str = "/v1/vpc",
    params: dict[str, str] | None = None,
    *,
    access_key: str = "ak1",
    secret: str = "sk1",
    only: list[bytes] | None = None,
    seconds: int = 1800,
) -> Request:
    """A request signed by the vendor's own SDK."""
    params = {"clientToken": "t 1/é", "modifyAttribute": ""} if params is None else params
    headers = {
        b"Host": b"127.0.0.1:8080", b"Content-Length": b"17", b"Content-Type": b"application/json;charset=utf-8",
        b"x-bce-date": b"2026-11-23T15:39:20Z", b"User-Agent": b"sdk",
    }  # fmt: skip
    byte_params = {key.encode(): value.encode() for key, value in params.items()}
    credentials = bce_credentials.BceCredentials(access_key, secret)
    authorization = bce_v1_signer.sign(
        credentials, method.encode(), path.encode(), headers, byte_params, SIGNED_S, seconds, only
    )
    from urllib.parse import quote

    query = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in params.items())
    listed = [(name.decode(), value.decode()) for name, value in headers.items()]
    return Request(method, path, query, [*listed, ("Authorization", authorization.decode())])


def test_the_recorded_request_is_let_in() -> None:
    assert let_in(vector()) == "ak1"
    assert canonical_request(vector(), ()) == (
        "GET\n/v1/vpc/vpc-1\n\ncontent-length:0\ncontent-type:application%2Fjson%3Bcharset%3Dutf-8\n"
        "host:127.0.0.1%3A40761\nx-bce-date:2026-11-23T15%3A39%3A20Z"
    )


@pytest.mark.parametrize("only", [None, [b"host"], [b"content-length", b"content-type", b"host", b"x-bce-date"]])
def test_what_the_vendors_signer_signs_is_let_in(only: list[bytes] | None) -> None:
    # Asked to sign some headers only, that signer adds the x-bce- ones all the same, and does not say so.
    request = signed(only=only)
    if only == [b"host"]:
        request = request._replace(headers=[item for item in request.headers if item[0] != "x-bce-date"])
        credentials = bce_credentials.BceCredentials("ak1", "sk1")
        params = {b"clientToken": "t 1/é".encode(), b"modifyAttribute": b""}
        text = bce_v1_signer.sign(
            credentials, b"POST", b"/v1/vpc", {b"Host": b"127.0.0.1:8080"}, params, SIGNED_S, 1800, only
        )
        request = request._replace(headers=[*request.headers[:-1], ("Authorization", text.decode())])
    assert let_in(request) == "ak1"


def test_a_flag_may_come_without_equals_sign() -> None:
    request = signed(params={"accept": "", "clientToken": "x"})
    assert let_in(request._replace(raw_query="clientToken=x&accept")) == "ak1"


def test_a_path_may_be_encoded_or_not() -> None:
    assert let_in(vector(path="/v1/vpc/vpc%2D1")) == "ak1"


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "InvalidHTTPAuthHeader"),
        ("Basic abc", "InvalidHTTPAuthHeader"),
        (VECTOR.replace("v1", "v2", 1), "InvalidHTTPAuthHeader"),
        (VECTOR.replace("//", "/"), "InvalidHTTPAuthHeader"),
        (VECTOR.replace("//", "/content-length/"), "InvalidHTTPAuthHeader"),
        (VECTOR.replace("//", "/host;host/"), "InvalidHTTPAuthHeader"),
        (VECTOR.replace("1800", "0"), "InvalidHTTPAuthHeader"),
        (VECTOR.replace("1800", "99999999999999"), "InvalidHTTPAuthHeader"),
        (VECTOR.replace("1800", "١٨٠٠"), "InvalidHTTPAuthHeader"),
        (VECTOR.replace("2026-11-23", "2026-13-23"), "InvalidHTTPAuthHeader"),
        (VECTOR.upper(), "InvalidHTTPAuthHeader"),
        (VECTOR[:-1], "InvalidHTTPAuthHeader"),
        (VECTOR.replace("ak1", "ak9"), "InvalidAccessKeyId"),
        (VECTOR.replace("ak1", "ak2"), "SignatureDoesNotMatch"),
        (VECTOR.replace("1800", "1801"), "SignatureDoesNotMatch"),
        (VECTOR[:-1] + "b", "SignatureDoesNotMatch"),
        (VECTOR.replace("//", "/host/"), "SignatureDoesNotMatch"),
    ],
)
def test_each_refusal_has_the_vendors_code(authorization: str, code: str) -> None:
    assert refusal(vector(authorization)) == code


def test_two_authorizations_are_none() -> None:
    request = vector()
    assert refusal(request._replace(headers=[*request.headers, request.headers[-1]])) == "InvalidHTTPAuthHeader"


def test_a_signature_expires_and_does_not_come_from_the_future() -> None:
    assert let_in(vector(), SIGNED_S + 1800) == "ak1"
    assert refusal(vector(), SIGNED_S + 1801) == "RequestExpired"
    assert let_in(vector(), SIGNED_S - 900) == "ak1"
    assert refusal(vector(), SIGNED_S - 901) == "RequestExpired"


def test_the_host_must_be_among_what_is_signed() -> None:
    with pytest.raises(AuthError, match="host"):
        parse_authorization(VECTOR.replace("//", "/content-type/"))


def test_twenty_thousand_changed_requests_are_all_refused() -> None:
    """One byte of method, path, query, a signed header or the Authorization differs from what was signed."""
    source = random.Random(7)
    request = signed("PUT", "/v1/peerconn/peerconn-9td54fmx143e", {"resize": "", "clientToken": "6ba7b810-9dad"})
    assert let_in(request) == "ak1"
    codes: Counter[str] = Counter()
    same = 0
    while codes.total() < 20_000:
        changed = mutated(request, source)
        if canonical_request(changed, ()) == canonical_request(request, ()) and auth_of(changed) == auth_of(request):
            same += 1  # spelled otherwise
        else:
            codes[refusal(changed)] += 1
    assert codes["SignatureDoesNotMatch"] > 10_000
    assert same < 1_500


def auth_of(request: Request) -> list[str]:
    return [value for name, value in request.headers if name.lower() == "authorization"]


def mutated(request: Request, source: random.Random) -> Request:
    where = source.randrange(4 + 3)
    if where == 0:
        return request._replace(method=changed_text(request.method, source))
    if where == 1:
        return request._replace(raw_path=changed_text(request.raw_path, source))
    if where == 2:
        return request._replace(raw_query=changed_text(request.raw_query, source))
    headers = list(request.headers)
    at = source.choice([i for i, (name, _) in enumerate(headers) if name != "User-Agent"])
    name, value = headers[at]
    if where == 3:
        del headers[at]
    else:
        headers[at] = (name, changed_text(value, source))
    return request._replace(headers=headers)


def changed_text(text: str, source: random.Random) -> str:
    at = source.randrange(len(text))
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-_.~/%&=?;: ABCXYZé\x00"
    how = source.randrange(3)
    if how == 0:
        return text[:at] + source.choice(letters) + text[at + 1 :]
    if how == 1:
        return text[:at] + text[at + 1 :]
    return text[:at] + source.choice(letters) + text[at:]
