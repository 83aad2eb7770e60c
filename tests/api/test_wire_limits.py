"""Bytes on a real socket that no well-meaning client sends: answered in the vendor's form or closed, in time."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import pytest

from netsim.api.client import Client
from netsim.api.json_codec import MAX_BODY_BYTES, MAX_DEPTH
from netsim.api.server import Limits
from tests.api.wire import Headers, signed_headers
from tests.sdk.cloud import Cloud

LIMITS = Limits(connections=460, head_s=2.0, body_s=2.0, idle_s=2.0, write_s=2.0)
HALF_OPEN = 400
PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    served = Cloud(tmp_path_factory.mktemp("limits") / "cloud.db", limits=LIMITS)
    yield served
    served.close()


@pytest.fixture(autouse=True)
def _no_tracebacks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever arrives, nothing of it is an error of the server."""
    caplog.set_level(logging.ERROR)
    yield
    assert not caplog.records, caplog.text


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


class Wire:
    """A raw connection."""

    def __init__(self, cloud: Cloud) -> None:
        self.socket = socket.create_connection(("127.0.0.1", cloud.port), timeout=PATIENCE_S)
        self._got = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> Wire:
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
    with Wire(cloud) as wire:
        return wire.send(data).answer()


# -- a request that is not finished -------------------------------------------------------------


@pytest.mark.slow
def test_four_hundred_half_open_connections_disturb_nobody(cloud: Cloud) -> None:
    body = b'{"name": "never", "cidr": "10.0.0.0/16"}'
    whole = request("POST", "/v1/vpc", body=body)
    beginnings = [b"", whole[:60], whole[: -len(body)], whole[:-1]]
    client = Client(f"http://127.0.0.1:{cloud.port}", "ak-acme", "sk-acme")
    assert client.call("GET", "/v1/vpc")["vpcs"] == []
    began = time.monotonic()
    wires = [Wire(cloud).send(beginnings[n % len(beginnings)]) for n in range(HALF_OPEN)]
    try:
        waits = []
        for _ in range(30):
            start = time.monotonic()
            assert client.call("GET", "/v1/vpc")["vpcs"] == []
            waits.append(time.monotonic() - start)
        assert sorted(waits)[len(waits) // 2] < 0.25
        assert all(wire.is_closed() for wire in wires)
        assert time.monotonic() - began < LIMITS.head_s + LIMITS.body_s + PATIENCE_S / 2
    finally:
        for wire in wires:
            wire.socket.close()
    assert client.call("GET", "/v1/vpc")["vpcs"] == []


@pytest.mark.parametrize("already", [b"", request("POST", "/v1/vpc", body=b"{" + b" " * 1000)[:-1000]])
@pytest.mark.slow
def test_one_who_sends_a_byte_at_a_time_is_not_waited_for(cloud: Cloud, already: bytes) -> None:
    with Wire(cloud) as wire:
        wire.send(already)
        start = time.monotonic()
        rest = b" " * 1000 if already else b"GET /v1/vpc HTTP/1.1\r\nx-y: " + b"z" * 1000
        with suppress(ConnectionError):
            for byte in rest:
                wire.send(bytes([byte]))
                time.sleep(0.05)
        assert LIMITS.head_s * 0.9 < time.monotonic() - start < LIMITS.head_s + 5


@pytest.mark.slow
def test_a_kept_connection_is_closed_when_nothing_comes_or_half_a_head(cloud: Cloud) -> None:
    for more in (b"", b"GET /v1"):
        with Wire(cloud) as wire:
            assert wire.send(request("GET", "/v1/vpc")).answer().status == 200
            start = time.monotonic()
            assert wire.send(more).is_closed()
            assert time.monotonic() - start < LIMITS.idle_s + LIMITS.head_s + 5


@pytest.mark.slow
def test_one_who_does_not_take_the_answers_is_let_go(cloud: Cloud) -> None:
    with Wire(cloud) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.socket.settimeout(0.2)
        page = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        assert was_ended(wire, page * 100)


def was_ended(wire: Wire, data: bytes) -> bool:
    """Whether the server ends a connection that sends this over and over and takes nothing."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            wire.send(data)
        except TimeoutError:  # buffers are full on the way
            continue
        except ConnectionError:
            return True
    return False


@pytest.mark.slow
def test_more_connections_than_the_limit_are_closed_at_once(cloud: Cloud) -> None:
    wires = [Wire(cloud) for _ in range(LIMITS.connections + 20)]
    time.sleep(0.5)
    closed = 0
    for wire in wires:
        wire.socket.settimeout(0.001)
        closed += wire.is_closed()
        wire.socket.close()
    assert closed == 20
    time.sleep(0.5)
    assert asked(cloud, request("GET", "/v1/vpc")).status == 200


# -- bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 4 * MAX_BODY_BYTES])
def test_a_body_of_more_than_a_mebibyte_is_refused_and_the_client_hears_it(cloud: Cloud, size: int) -> None:
    answer = asked(cloud, request("POST", "/v1/vpc", body=b" " * size))
    assert (answer.status, answer.code) == (413, "RequestEntityTooLarge")


def test_a_body_of_a_mebibyte_is_read(cloud: Cloud) -> None:
    answer = asked(cloud, request("POST", "/v1/vpc", body=b'{"name": 1}'.ljust(MAX_BODY_BYTES)))
    assert (answer.status, answer.code) == (400, "InappropriateJSON")


def test_an_enormous_announcement_is_refused_before_anything_comes(cloud: Cloud) -> None:
    headers = [*signed_headers("acme", "POST", "/v1/vpc", "", b""), ("content-length", "9" * 18)]
    headers = [pair for pair in headers if pair != ("content-length", "0")]
    assert asked(cloud, request("POST", "/v1/vpc", headers=headers)).code == "RequestEntityTooLarge"


def test_chunked_bodies_are_read_and_limited(cloud: Cloud) -> None:
    stamp = signed_headers("acme", "POST", "/v1/vpc", "", b"")
    from netsim.api.auth import VERSION, Request, Signature, sign

    date = dict(stamp)["x-bce-date"]
    headers: Headers = [("host", "bcc.bj.baidubce.com"), ("transfer-encoding", "chunked")]
    digest = sign(Request("POST", "/v1/vpc", "", headers), Signature("ak-acme", date, "1800", ("host",), ""), "sk-acme")
    headers.append(("authorization", f"{VERSION}/ak-acme/{date}/1800/host/{digest}"))
    head = request("POST", "/v1/vpc", headers=headers)
    assert asked(cloud, head + b'8\r\n{"name":\r\n7\r\n "a b"}\r\n0\r\n\r\n').code == "InappropriateJSON"
    assert asked(cloud, head + b"100001\r\n" + b" " * 0x100001 + b"\r\n0\r\n\r\n").code == "RequestEntityTooLarge"
    assert asked(cloud, head + b"zz\r\n").code == "InvalidHTTPRequest"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "MalformedJSON"),
        (b"[]", "InappropriateJSON"),
        (b"null", "InappropriateJSON"),
        (b'{"name": "a", "name": "b"}', "MalformedJSON"),
        (b'{"x": {"y": 1, "y": 1}}', "MalformedJSON"),
        (b'{"x":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH, "InappropriateJSON"),
        (b'{"x":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), "MalformedJSON"),
        (b"[" * 500_000, "MalformedJSON"),
        (b'{"name": NaN}', "MalformedJSON"),
        (b'{"name": 1e999}', "InappropriateJSON"),
        (b'{"name": ' + b"9" * 5000 + b"}", "MalformedJSON"),
        (b'{"name": "\xff"}', "InvalidHTTPRequest"),
        ('{"name": "a"}'.encode("utf-16"), "InvalidHTTPRequest"),
        (b'\xef\xbb\xbf{"name": "a"}', "MalformedJSON"),
        (rb'{"name": "a", "cidr": "10.0.0.0/16", "description": "\ud800"}', "MalformedJSON"),
        (rb'{"\udfff": 1}', "MalformedJSON"),
        (rb'{"name": "a\u0000", "cidr": "10.0.0.0/16"}', "BadRequest"),
        (b'{"name": true, "cidr": "10.0.0.0/16"}', "InappropriateJSON"),
    ],
)
def test_what_is_no_good_json_is_refused(cloud: Cloud, body: bytes, code: str) -> None:
    answer = asked(cloud, request("POST", "/v1/vpc", body=body))
    assert (answer.code, answer.status) == (code, 400)


def test_brackets_in_a_text_are_no_nesting(cloud: Cloud) -> None:
    body = json.dumps({"name": "brackets", "cidr": "10.0.0.0/16", "description": '[{"\\' * 40}).encode()
    with Wire(cloud) as wire:
        made = json.loads(wire.send(request("POST", "/v1/vpc", body=body)).answer().body)["vpcId"]
        assert wire.send(request("DELETE", f"/v1/vpc/{made}")).answer().body == b""


# -- heads ----------------------------------------------------------------------------------------


def test_two_requests_at_once_are_answered_in_order(cloud: Cloud) -> None:
    with Wire(cloud) as wire:
        wire.send(request("GET", "/v1/vpc") + request("GET", "/v1/vpc/vpc-none") + request("GET", "/v2/zone"))
        assert [wire.answer().status for _ in range(3)] == [200, 404, 200]


def test_http_1_0_is_answered_and_closed(cloud: Cloud) -> None:
    with Wire(cloud) as wire:
        answer = wire.send(request("GET", "/v1/vpc").replace(b"HTTP/1.1", b"HTTP/1.0")).answer()
        assert answer.status == 200 and wire.is_closed()


def test_a_signed_get_may_carry_a_body(cloud: Cloud) -> None:
    assert asked(cloud, request("GET", "/v1/vpc", body=b"{}")).status == 200
    assert asked(cloud, request("GET", "/v1/vpc", body=b"what")).code == "MalformedJSON"


VPC = b'{"name": "v", "cidr": "10.0.0.0/16"}'
GET = b"GET /v1/vpc HTTP/1.1\r\nHost: bcc.bj.baidubce.com\r\n"


@pytest.mark.parametrize(
    "data",
    [
        request("GET", "/v1/vpc").replace(b"\r\n", b"\r\nhost: bcc.gz.baidubce.com\r\n", 1),
        b"\x00\x01\x02\x03 not http\r\n\r\n",
        b"GET\r\n\r\n",
        GET + b"x: " + b"y" * 700_000,
        b"GET /v1/vpc HTTP/1.1\r\n\r\n",  # no Host
        GET + b"content-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        GET + b"content-length: -1\r\n\r\n",
        GET + b"transfer-encoding: gzip\r\n\r\n",
        GET + b"na me: x\r\n\r\n",
        GET + b"x: a\x00b\r\n\r\n",
        "GET /v1/vpc/é HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the beginning of TLS
    ],
)
def test_what_is_no_http_is_refused_in_the_vendors_form(cloud: Cloud, data: bytes) -> None:
    with Wire(cloud) as wire:
        answer = wire.send(data).answer()
        assert (answer.status, answer.code) == (400, "InvalidHTTPRequest")
        assert wire.is_closed()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET /v1/vpc HTTP/9.9\r\nHost: a\r\n\r\n", "InvalidHTTPRequest"),
        (GET + b"x: " + b"y" * 70_000 + b"\r\n\r\n", "InvalidHTTPRequest"),
        (GET + b"".join(b"x%d: y\r\n" % n for n in range(10_000)) + b"\r\n", "InvalidHTTPRequest"),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", "InvalidHTTPRequest"),
        (GET + b"\r\n", "InvalidHTTPAuthHeader"),
        (GET + b"authorization: \r\n\r\n", "InvalidHTTPAuthHeader"),
        (GET + b"authorization: " + b"/" * 30_000 + b"\r\n\r\n", "InvalidHTTPAuthHeader"),
        (GET + b"authorization: bce-auth-v1/\xe9/\xff//\xff/\r\n\r\n", "InvalidHTTPAuthHeader"),
        (GET + b"content-type: a\r\ncontent-type: b\r\n\r\n", "InvalidHTTPRequest"),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "InvalidHTTPAuthHeader"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "InvalidHTTPAuthHeader"),
        (b"GET http://a/v1/vpc HTTP/1.1\r\nHost: a\r\n\r\n", "InvalidHTTPAuthHeader"),
        (b"GET /%ff%00%2e%2e/ HTTP/1.1\r\nHost: a\r\n\r\n", "InvalidHTTPAuthHeader"),
        (GET + b"upgrade: websocket\r\nconnection: upgrade\r\n\r\n", "InvalidHTTPAuthHeader"),
        (GET + b" folded: into the host\r\n\r\n", "InvalidHTTPAuthHeader"),
        (request("GET", "/v9/vpc"), "InvalidVersion"),
        (request("GET", "/v1/nothing"), "InvalidURI"),
        (request("GET", "/v1/vpc/%ff%00"), "NoSuchObject"),
        (request("PATCH", "/v1/vpc"), "MethodNotAllowed"),
        (request("GET", "/v1/vpc", "marker=%ff"), "InvalidURI"),
        (request("GET", "/v1/vpc", "marker=a&marker=b"), "BadRequest"),
        (request("GET", "/v1/vpc", "maxKeys=0"), "BadRequest"),
        (request("GET", "/v1/vpc", "maxKeys=" + "9" * 5000), "BadRequest"),
        (request("POST", "/v1/vpc", "clientToken=" + "x" * 65, VPC), "BadRequest"),
        (request("POST", "/v1/vpc", "clientToken=%C3%A9", VPC), "BadRequest"),
    ],
)
def test_odd_requests_are_refused_by_their_name(cloud: Cloud, data: bytes, code: str) -> None:
    assert asked(cloud, data).code == code


def test_an_answer_on_a_kept_connection_does_not_wait_for_an_acknowledgement(cloud: Cloud) -> None:
    """Head and body are two writes; held back by Nagle's algorithm the second came 40 ms later."""
    with Wire(cloud) as wire:
        waits = []
        for _ in range(30):
            start = time.monotonic()
            assert wire.send(request("GET", "/v1/vpc")).answer().status == 200
            waits.append(time.monotonic() - start)
    assert sorted(waits)[len(waits) // 2] < 0.03


def test_a_head_answer_has_no_body(cloud: Cloud) -> None:
    with Wire(cloud) as wire:
        wire.send(b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert wire.is_closed() and wire._got.endswith(b"\r\n\r\n")
