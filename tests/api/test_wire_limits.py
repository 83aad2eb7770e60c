"""Bytes on a real socket that no well-meaning client sends: answered in the vendor's form or closed, in time."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from netsim.api.client import Client
from netsim.api.connection import Limits
from netsim.api.json_codec import MAX_BODY_BYTES, MAX_DEPTH
from tests.api.raw_wire import PATIENCE_S, RawWire, asked, request
from tests.api.wire import Headers, signed_headers
from tests.sdk.cloud import Cloud

LIMITS = Limits(connections=460, head_s=2.0, body_s=2.0, idle_s=2.0, write_s=2.0)
HALF_OPEN = 400


pytestmark = pytest.mark.usefixtures("no_tracebacks")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    served = Cloud(tmp_path_factory.mktemp("limits") / "cloud.db", limits=LIMITS)
    yield served
    served.close()


# -- a request that is not finished -------------------------------------------------------------


@pytest.mark.slow
def test_four_hundred_half_open_connections_disturb_nobody(cloud: Cloud) -> None:
    body = b'{"name": "never", "cidr": "10.0.0.0/16"}'
    whole = request("POST", "/v1/vpc", body=body)
    beginnings = [b"", whole[:60], whole[: -len(body)], whole[:-1]]
    client = Client(f"http://127.0.0.1:{cloud.port}", "ak-acme", "sk-acme")
    assert client.call("GET", "/v1/vpc")["vpcs"] == []
    began = time.monotonic()
    wires = [RawWire(cloud).send(beginnings[n % len(beginnings)]) for n in range(HALF_OPEN)]
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
    with RawWire(cloud) as wire:
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
        with RawWire(cloud) as wire:
            assert wire.send(request("GET", "/v1/vpc")).answer().status == 200
            start = time.monotonic()
            assert wire.send(more).is_closed()
            assert time.monotonic() - start < LIMITS.idle_s + LIMITS.head_s + 5


@pytest.mark.slow
def test_one_who_does_not_take_the_answers_is_let_go(cloud: Cloud) -> None:
    cloud.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)  # else the kernel takes megabytes of them
    with RawWire(cloud) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.socket.settimeout(0.2)
        page = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 10_000 + b"\r\n\r\n"
        assert was_ended(wire, page * 10)


def was_ended(wire: RawWire, data: bytes) -> bool:
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
    wires = [RawWire(cloud) for _ in range(LIMITS.connections + 20)]
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
    with RawWire(cloud) as wire:
        made = json.loads(wire.send(request("POST", "/v1/vpc", body=body)).answer().body)["vpcId"]
        assert wire.send(request("DELETE", f"/v1/vpc/{made}")).answer().body == b""
