"""The client against servers that behave badly, and URLs and keys that can't be."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from netsim.api.client import Client, RefusedByServerError, ServerError
from netsim.errors import UsageError

TIMEOUT_S = 0.4
Behave = Callable[[socket.socket], None]


@contextmanager
def server(behave: Behave) -> Iterator[str]:
    """A socket that takes one connection and does `behave` with it; its URL."""
    listening = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with suppress(OSError):
            taken, _ = listening.accept()
            with taken:
                behave(taken)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.close()
        thread.join(10)
        assert not thread.is_alive()


def drips(before: bytes) -> Behave:
    def behave(taken: socket.socket) -> None:
        with suppress(OSError):
            taken.sendall(before)
            for _ in range(200):
                time.sleep(0.05)
                taken.sendall(b" ")

    return behave


def says(answer: bytes) -> Behave:
    def behave(taken: socket.socket) -> None:
        taken.recv(65_536)
        taken.sendall(answer)

    return behave


def silent(taken: socket.socket) -> None:
    with suppress(OSError):
        while taken.recv(65_536):
            pass


@pytest.mark.parametrize(
    "behave",
    [
        silent, drips(b"HTTP/1.1 200 OK\r\nX-Slow: "), drips(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"),
        drips(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
    ],
)  # fmt: skip
def test_no_server_is_waited_for_longer_than_asked(behave: Behave) -> None:
    with server(behave) as url:
        started_s = time.monotonic()
        with pytest.raises(ServerError, match=r"no answer within 0\.4 s"):
            Client(url, "ak", "sk", timeout_s=TIMEOUT_S).call("GET", "/v1/vpc")
        assert time.monotonic() - started_s < 5


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "hung up without an answer"),
        (b"SSH-2.0-OpenSSH\r\n", "is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "cut off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<htm>", "no JSON object"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "no JSON object"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}", "503: no reason given"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://example.test/\r\nContent-Length: 0\r\n\r\n", "302: no reason"),
    ],
)
def test_an_odd_answer_is_told_in_a_line(answer: bytes, message: str) -> None:
    with server(says(answer)) as url, pytest.raises(ServerError, match=message) as raised:
        Client(url, "ak", "sk", timeout_s=5).call("GET", "/v1/vpc")
    assert url in str(raised.value) and "\n" not in str(raised.value)


def test_a_refusal_keeps_the_vendors_word_and_its_reason() -> None:
    body = b'{"code":"NoSuchObject","message":"vpc x: not found"}'
    answer = b"HTTP/1.1 404 X\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with server(says(answer)) as url, pytest.raises(RefusedByServerError) as raised:
        Client(url, "ak", "sk", timeout_s=5).call("GET", "/v1/vpc")
    assert (raised.value.code, raised.value.reason) == ("NoSuchObject", "vpc x: not found")
    assert str(raised.value) == "vpc x: not found (NoSuchObject)"


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "127.0.0.1:8410", "ftp://127.0.0.1", "http://", "http://h:port", "http://h:99999", "http://[::1", "http://h/path",
        "http://h?x=1", "http://h#x", "http://h\r\nX: y", "http://a b", "http://\u4e2d",
    ],
)  # fmt: skip
def test_what_is_no_url_is_wrong_usage(url: str) -> None:
    with pytest.raises(UsageError, match=r"no URL|no server"):
        Client(url, "ak", "sk")


def test_errors_show_no_secrets() -> None:
    for url, keys in (
        ("http://me:hidden@127.0.0.1", ("ak", "sk")),
        ("http://127.0.0.1", ("ak", "hidden\r\nX: y")),
        ("http://127.0.0.1", ("hidden \u4e2d", "sk")),
    ):
        with pytest.raises(UsageError) as raised:
            Client(url, *keys)
        assert "hidden" not in str(raised.value)
