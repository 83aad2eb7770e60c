"""Signed requests that were changed on the way, up to the whole application: none gets further than its signature.

What is let in in spite of a change must mean the same: then its canonical form is the one that was signed.
"""

from __future__ import annotations

import random  # noqa: TID251 - seeded, to change bytes of requests
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from netsim.api.auth import Request, canonical_request
from tests.api.wire import Headers, Wire, raw_query_of, signed_headers
from tests.sdk.cloud import Cloud

MUTATIONS = 20_000
OVER_A_SOCKET = 500
KEPT_OUT = {
    "SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidHTTPAuthHeader", "RequestExpired", "InvalidHTTPRequest",
}  # fmt: skip
"""What a stranger hears."""
BODY = b'{"name": "n"}'
CHARS = "abcdefXYZ0189-._~/%=&;: ?#+\t\"'\\é"


class Sent(NamedTuple):
    method: str
    path: str
    query: str
    headers: Headers

    @property
    def canonical(self) -> str:
        return canonical_request(Request(self.method, self.path, self.query, self.headers), ())


def originals() -> list[Sent]:
    shapes = [
        ("GET", "/v1/vpc", {"marker": "", "maxKeys": "10"}, b""),
        ("PUT", "/v1/peerconn/peerconn-000000000000", {"accept": "", "clientToken": "a b/é"}, b""),
        ("POST", "/v1/vpc", {"clientToken": "0f"}, BODY),
        ("DELETE", "/v1/vpc/vpc-00000000", {}, b""),
    ]
    return [
        Sent(method, path, raw_query_of(query), signed_headers("acme", method, path, raw_query_of(query), content))
        for method, path, query, content in shapes
    ]


def changed_text(chance: random.Random, text: str) -> str:
    """One character replaced, inserted, dropped, doubled or re-cased."""
    at = chance.randrange(len(text) + 1)
    before, here, after = text[:at], text[at : at + 1], text[at + 1 :]
    return chance.choice(
        [
            before + chance.choice(CHARS) + after,
            before + chance.choice(CHARS) + here + after,
            before + after,
            before + here * 2 + after,
            before + here.swapcase() + after,
        ]
    )


def changed(chance: random.Random, sent: Sent) -> Sent:
    """One thing of a request otherwise."""
    where = chance.randrange(6)
    if where == 0:
        return sent._replace(method=chance.choice([m for m in ("GET", "PUT", "POST", "DELETE", "PATCH", "get")
                                                   if m != sent.method]))  # fmt: skip
    if where == 1:
        return sent._replace(path="/" + changed_text(chance, sent.path[1:]).replace("?", ""))  # else it is a query
    if where == 2:
        return sent._replace(query=changed_text(chance, sent.query).replace("#", "").replace(" ", ""))
    headers = list(sent.headers)
    at = chance.randrange(len(headers))
    name, value = headers[at]
    if where == 3:
        del headers[at]
    elif where == 4:
        headers.insert(at, (chance.choice(["x-bce-more", name]), value))
    else:
        headers[at] = (name, changed_text(chance, value))
    return sent._replace(headers=headers)


def authorization(sent: Sent) -> list[str]:
    return [value.strip() for name, value in sent.headers if name == "authorization"]


@pytest.mark.slow
def test_twenty_thousand_changed_requests_are_kept_out(tmp_path: Path) -> None:
    wire = Wire(tmp_path / "cloud.db", ("acme",), speed=0)
    chance = random.Random(20_000)
    same = 0
    sources = originals()
    try:
        for sent in sources:
            answer = wire.send(sent.method, sent.path, sent.query, sent.headers, BODY if sent.method == "POST" else b"")
            assert answer.code not in KEPT_OUT  # unchanged it is let in
        kept_out = 0
        while kept_out < MUTATIONS:
            sent = chance.choice(sources)
            other = changed(chance, sent)
            if not (other.path + other.query).isascii() or any("\t" in part for part in (other.path, other.query)):
                continue  # no HTTP server hands these over
            headers = [(name, value.encode("utf-8").decode("latin-1")) for name, value in other.headers]
            content = BODY if sent.method == "POST" else b""
            answer = wire.send(other.method, other.path, other.query, headers, content)
            if answer.code in KEPT_OUT:
                kept_out += 1
            else:
                same += 1
                assert other.canonical == sent.canonical, (sent, other, answer)
                assert authorization(other) == authorization(sent)
    finally:
        wire.close()
    assert same < MUTATIONS / 8


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    served = Cloud(tmp_path / "cloud.db")
    yield served
    served.close()


@pytest.mark.slow
def test_hundreds_of_changed_requests_over_a_socket_are_kept_out(cloud: Cloud) -> None:
    chance = random.Random(500)
    sources = originals()
    for _ in range(OVER_A_SOCKET):
        sent = chance.choice(sources)
        content = BODY if sent.method == "POST" else b""
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.headers)
        whole = f"{sent.method} {sent.path}?{sent.query} HTTP/1.1\r\n{lines}\r\n".encode()
        at = chance.randrange(len(whole) - 4)
        bad = whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :]
        with socket.create_connection(("127.0.0.1", cloud.port), timeout=20) as connection:
            connection.sendall(bad + content)
            connection.shutdown(socket.SHUT_WR)
            said = b""
            while part := connection.recv(65_536):
                said += part
        code = re.search(rb'"code":"(\w+)"', said)
        if said and (code is None or code[1].decode() not in KEPT_OUT):
            assert read(bad).canonical == sent.canonical, (bad, said)
    assert cloud.service.read(lambda emulator: len(emulator.inventory.vpcs)) == 0


def read(whole: bytes) -> Sent:
    """A head taken apart; what is said of a name in any case."""
    first, *lines = whole.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    return Sent(method, path, query, [(name.lower(), value) for name, _, value in (x.partition(":") for x in lines)])
