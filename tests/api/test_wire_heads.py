"""Heads of requests as odd as they come: what is no HTTP is refused in the vendor's form, the rest by its name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netsim.api.connection import MAX_WAITING
from tests.api.raw_wire import RawWire, asked, request
from tests.sdk.cloud import Cloud

pytestmark = pytest.mark.usefixtures("no_tracebacks")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    served = Cloud(tmp_path_factory.mktemp("heads") / "cloud.db")
    yield served
    served.close()


def test_two_requests_at_once_are_answered_in_order(cloud: Cloud) -> None:
    with RawWire(cloud) as wire:
        wire.send(request("GET", "/v1/vpc") + request("GET", "/v1/vpc/vpc-none") + request("GET", "/v2/zone"))
        assert [wire.answer().status for _ in range(3)] == [200, 404, 200]


def test_garbage_after_requests_ends_the_connection_and_nothing_else(cloud: Cloud) -> None:
    with RawWire(cloud) as wire:
        wire.send(request("GET", "/netsim/v1/instance") * 3 + b"\x00\x01")
        assert wire.is_closed() and wire._got.count(b"InvalidHTTPRequest") <= 1


def test_more_requests_at_once_than_one_connection_may_send_are_refused(cloud: Cloud) -> None:
    with RawWire(cloud) as wire:
        wire.send(request("GET", "/netsim/v1/instance") * (2 * MAX_WAITING))
        assert wire.is_closed() and b"requests wait on one connection" in wire._got
    with RawWire(cloud) as wire:
        wire.send(request("GET", "/v2/zone") * MAX_WAITING)
        assert [wire.answer().status for _ in range(MAX_WAITING)] == [200] * MAX_WAITING


def test_http_1_0_is_answered_and_closed(cloud: Cloud) -> None:
    with RawWire(cloud) as wire:
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
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        GET + b" folded: into the host\r\n\r\n",  # RFC 9112 section 5.2: such a line is refused
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the beginning of TLS
    ],
)
def test_what_is_no_http_is_refused_in_the_vendors_form(cloud: Cloud, data: bytes) -> None:
    with RawWire(cloud) as wire:
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
        (b"GET http://a/v1/vpc HTTP/1.1\r\nHost: a\r\n\r\n", "InvalidHTTPAuthHeader"),
        (b"GET /%ff%00%2e%2e/ HTTP/1.1\r\nHost: a\r\n\r\n", "InvalidHTTPAuthHeader"),
        (GET + b"upgrade: websocket\r\nconnection: upgrade\r\n\r\n", "InvalidHTTPAuthHeader"),
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
    with RawWire(cloud) as wire:
        waits = []
        for _ in range(30):
            start = time.monotonic()
            assert wire.send(request("GET", "/v1/vpc")).answer().status == 200
            waits.append(time.monotonic() - start)
    assert sorted(waits)[len(waits) // 2] < 0.03


@pytest.mark.slow
def test_a_server_that_stops_answers_and_says_that_it_was_the_last(tmp_path: Path) -> None:
    served = Cloud(tmp_path / "cloud.db")
    with RawWire(served) as wire, RawWire(served) as fresh:
        served.server.stop()
        answer = wire.send(request("GET", "/v1/vpc")).answer()
        while "connection" not in answer.headers:
            answer = wire.send(request("GET", "/v1/vpc")).answer()
        assert answer.status == 200 and answer.headers["connection"] == "close" and wire.is_closed()
        assert fresh.send(request("GET", "/v1/vpc")).answer().headers["connection"] == "close"
    served.close()


def test_a_head_answer_has_no_body(cloud: Cloud) -> None:
    with RawWire(cloud) as wire:
        wire.send(b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert wire.is_closed() and wire._got.endswith(b"\r\n\r\n")
