"""Probes a deployed network with real sockets: what comes back of a UDP datagram, and with which TTL one arrives.

A datagram to a closed port is answered by its receiver with 3/3, so each probe that is not dropped in silence has an
answer. The kernel hands ICMP errors to the socket that caused them (ip(7), IP_RECVERR), with type, code and sender.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from netsim.kernel.journal import Deployed
from netsim.kernel.namespace import inside
from netsim.prefix import format_addr

IP_RECVERR, IP_RECVTTL, IP_RECVTOS, IP_MTU_DISCOVER, PMTUDISC_PROBE = 11, 12, 13, 10, 3  # linux/in.h
ORIGIN_ICMP = 2  # linux/errqueue.h
CLOSED_PORT, OPEN_PORT = 4404, 4405
"""Below 32,768: no probe of a host itself is sent from there, which would leave it open."""
SILENCE_S = 0.4


class Answer(NamedTuple):
    """An ICMP error: who sent it, and the MTU if it says one."""

    icmp_type: int
    code: int
    sender: str
    mtu_bytes: int = 0


class Prober:
    """Probes between the nodes of a deployment, by their names."""

    def __init__(self, deployed: Deployed) -> None:
        self._deployed = deployed

    def address(self, ref: str) -> str:
        """Of a node; an address stays what it is."""
        node = self._deployed.nodes.get(ref)
        return format_addr(node["addr"]) if node else ref

    @contextlib.contextmanager
    def socket(self, ref: str) -> Iterator[socket.socket]:
        """A UDP socket on a node; it stays there when this thread goes home."""
        with inside(self._deployed.namespace_of(ref)):
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with made:
            yield made

    def ask(self, source: str, target: str, *, ttl: int = 64, size_bytes: int = 60, df: bool = False) -> Answer | None:
        """What is said to one datagram (IP length `size_bytes`) to a closed port; None if nothing."""
        with self.socket(source) as sender:
            sender.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            sender.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE if df else 0)
            sender.sendto(bytes(size_bytes - 28), (self.address(target), CLOSED_PORT))
            return _answer(sender)

    def arrival(self, source: str, target: str, tos: int = 0) -> tuple[int, int] | None:
        """The TTL and TOS with which a datagram of TTL 64 arrives; None if it does not."""
        with self.socket(target) as receiver, self.socket(source) as sender:
            receiver.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
            receiver.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
            receiver.bind(("", OPEN_PORT))
            receiver.settimeout(SILENCE_S)
            sender.sendto(b"x", (self.address(target), OPEN_PORT))
            try:
                _, extra, _, _ = receiver.recvmsg(100, 100)
            except TimeoutError:
                return None
            found = {kind: int.from_bytes(data[:4], "little") for _, kind, data in extra}
            return found[socket.IP_TTL], found[socket.IP_TOS]


def _answer(sender: socket.socket) -> Answer | None:
    poll = select.poll()
    poll.register(sender, 0)  # errors are always reported
    return read_answer(sender)[0] if poll.poll(SILENCE_S * 1000) else None


def read_answer(sender: socket.socket) -> tuple[Answer, bytes]:
    """The error that waits at a socket, and what the datagram it is about said."""
    payload, extra, _, _ = sender.recvmsg(2000, 512, socket.MSG_ERRQUEUE)
    data = extra[0][2]
    _, origin, icmp_type, code, _, info, _ = struct.unpack_from("IBBBBII", data)
    assert origin == ORIGIN_ICMP
    mtu_bytes = info if (icmp_type, code) == (3, 4) else 0
    return Answer(icmp_type, code, socket.inet_ntoa(data[20:24]), mtu_bytes), payload
