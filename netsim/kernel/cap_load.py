"""Load for a cap on the real kernel: UDP in trains at a rate, or one TCP connection, between two namespaces.

Nothing is measured but payload that a program sent and a program got.

Trains (UDP_SEGMENT): one at a time, 1500-byte datagrams can't overload 500 Mbit/s on a small machine. A sender that
was late catches up, so that what it offers is right on average.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from netsim.kernel.ask_kernel import SO_RCVBUFFORCE
from netsim.kernel.namespace import inside

UDP_SEGMENT, UDP_GRO = 103, 104  # linux/udp.h
SO_SNDBUFFORCE = 32  # asm/socket.h
DATAGRAM_BYTES, SEGMENT_BYTES = 1472, 1448
"""Payload of a 1500-byte packet: of UDP, and of TCP with timestamps."""
PORT = 5201
_QUIET_S = 0.3
_BUFFER_BYTES = 1 << 24
_TICK_S = 0.01
_TCP_INFO_BYTES = 160
_TOTAL_RETRANS, _DATA_SEGS_OUT = 100, 156  # offsets in struct tcp_info, linux/tcp.h


class Load(NamedTuple):
    """What was offered and what came: payload bytes, in how many seconds, and how many packets were lost of how many.

    Of TCP, `lost` are the segments sent again.
    """

    sent_bytes: int
    received_bytes: int
    seconds: float
    lost: int
    packets: int

    @property
    def loss_ratio(self) -> float:
        """Lost packets of those sent."""
        return self.lost / self.packets if self.packets else 0.0


class Receiver:
    """Counts what a socket gets, in a thread; a context manager that ends it."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.received_bytes = 0
        self.last_at = time.monotonic()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="receiver", daemon=True)

    def __enter__(self) -> Receiver:
        self._socket.settimeout(0.1)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._thread.join()

    def wait_for_silence(self) -> None:
        """Until what was on its way is there."""
        self.last_at = time.monotonic()
        while time.monotonic() < self.last_at + _QUIET_S:
            time.sleep(_TICK_S)

    def _run(self) -> None:
        buffer = bytearray(1 << 18)
        while not self._is_over:
            try:
                n = self._socket.recv_into(buffer)
            except TimeoutError:
                continue
            if n == 0 and self._socket.type == socket.SOCK_STREAM:
                return
            self.received_bytes += n
            self.last_at = time.monotonic()


def send_udp(source: str, target: str, address: str, payload_bps: float, seconds: float, train: int) -> Load:
    """Datagrams from one namespace to the other, `train` in one piece, at a rate of payload."""
    with contextlib.ExitStack() as stack:
        receiving, sending = (stack.enter_context(_made(space, socket.SOCK_DGRAM)) for space in (target, source))
        receiving.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        receiving.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _BUFFER_BYTES)
        receiving.bind(("", PORT))
        sending.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("i", DATAGRAM_BYTES))
        sending.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, _BUFFER_BYTES)
        sending.connect((address, PORT))
        receiver = stack.enter_context(Receiver(receiving))
        piece = bytes(train * DATAGRAM_BYTES)
        n = 0
        start = time.monotonic()
        for _ in _pace(len(piece) * 8 / payload_bps, start + seconds):
            sending.send(piece)
            n += train
        took_s = time.monotonic() - start
        receiver.wait_for_silence()
        got = receiver.received_bytes
    return Load(n * DATAGRAM_BYTES, got, took_s, n - got // DATAGRAM_BYTES, n)


def send_tcp(source: str, target: str, address: str, payload_bps: float, seconds: float, start_s: float) -> Load:
    """One TCP connection whose sender writes at a rate; what it does in the first `start_s` seconds is left out."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_made(target, socket.SOCK_STREAM))
        listener.bind(("", PORT))
        listener.listen(1)
        sending = stack.enter_context(_made(source, socket.SOCK_STREAM))
        sending.settimeout(10)
        sending.connect((address, PORT))
        receiving = stack.enter_context(listener.accept()[0])
        receiver = stack.enter_context(Receiver(receiving))
        piece = bytes(max(1, round(payload_bps / 8 * _TICK_S)))
        begin = start = time.monotonic()
        got = sent = 0
        is_measured = False
        for _ in _pace(_TICK_S, begin + start_s + seconds):
            if not is_measured and time.monotonic() >= begin + start_s:
                is_measured, start, got = True, time.monotonic(), receiver.received_bytes
            sending.sendall(piece)
            sent += len(piece) if is_measured else 0
        took_s = time.monotonic() - start
        got = receiver.received_bytes - got
        info = sending.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        # What is still queued is not waited for.
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    again, segments = (struct.unpack_from("I", info, at)[0] for at in (_TOTAL_RETRANS, _DATA_SEGS_OUT))
    return Load(sent, got, took_s, again, segments)


def _made(space: str, kind: socket.SocketKind) -> socket.socket:
    with inside(space):
        return socket.socket(socket.AF_INET, kind)


def _pace(interval_s: float, until: float) -> Iterator[None]:
    """Once per interval; late ones follow at once."""
    due = time.monotonic()
    while (now := time.monotonic()) < until:
        if now < due:
            time.sleep(due - now)
        yield
        due += interval_s
