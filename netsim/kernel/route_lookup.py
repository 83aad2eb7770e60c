"""Asking the kernel's routing, many times at once: RTM_GETROUTE for forwarded packets, over netlink.

`ip route get DST from SRC iif DEV mark N` in bulk: some 100,000 a second instead of one process each.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

# linux/netlink.h, linux/rtnetlink.h
NLM_F_REQUEST, NLMSG_ERROR, RTM_NEWROUTE, RTM_GETROUTE = 1, 2, 24, 26
RTA_DST, RTA_SRC, RTA_IIF, RTA_OIF, RTA_MARK = 1, 2, 3, 4, 16
RTN_LOCAL = 2
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h
_HEADER_BYTES, _ROUTE_BYTES, _TYPE_AT = 16, 12, 16 + 7
_AT_ONCE = 200
_ROOM_BYTES = 32 << 20

_REQUEST = np.dtype(
    [
        ("length", "=u4"), ("kind", "=u2"), ("flags", "=u2"), ("sequence", "=u4"), ("port", "=u4"),
        ("family", "u1"), ("dst_len", "u1"), ("src_len", "u1"), ("rest", "V9"),
        ("dst_rta", "=u2", 2), ("dst", ">u4"), ("src_rta", "=u2", 2), ("src", ">u4"),
        ("iif_rta", "=u2", 2), ("iif", "=u4"), ("mark_rta", "=u2", 2), ("mark", "=u4"),
    ]
)  # fmt: skip


class Lookup(NamedTuple):
    """A packet that comes in: which, and the mark that says in whose table it is looked up."""

    src: int
    dst: int
    mark: int


LOCAL, DISCARD = "local", "blackhole"


class RouteLookup:
    """A netlink socket in the namespace of the thread that made it."""

    def __init__(self, iif: str) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM_BYTES)
        self._socket.settimeout(10)
        self._iif = socket.if_nametoindex(iif)
        self._names = dict(socket.if_nameindex())

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def ask(self, lookups: Sequence[Lookup]) -> list[str]:
        """For each: the device it would leave by, `local`, or `blackhole`.

        Raises:
            OSError: the kernel did not answer.
        """
        answers: list[str] = []
        for at in range(0, len(lookups), _AT_ONCE):
            answers += self._ask(lookups[at : at + _AT_ONCE])
        return answers

    def _ask(self, lookups: Sequence[Lookup]) -> Iterator[str]:
        requests = np.zeros(len(lookups), _REQUEST)
        requests["length"], requests["kind"], requests["flags"] = _REQUEST.itemsize, RTM_GETROUTE, NLM_F_REQUEST
        requests["sequence"] = np.arange(len(lookups))
        requests["family"], requests["dst_len"], requests["src_len"] = socket.AF_INET, 32, 32
        for name, kind in (("dst", RTA_DST), ("src", RTA_SRC), ("iif", RTA_IIF), ("mark", RTA_MARK)):
            requests[f"{name}_rta"] = (8, kind)
        requests["iif"] = self._iif
        for name, column in zip(("src", "dst", "mark"), zip(*lookups, strict=True), strict=True):
            requests[name] = column
        self._socket.send(requests.tobytes())
        for k in range(len(lookups)):
            answer = self._socket.recv(65_536)
            _, kind, _, sequence, _ = struct.unpack_from("=IHHII", answer)
            if sequence != k:
                raise OSError(0, f"answer {sequence} instead of {k}")
            yield self._meaning(kind, answer)

    def _meaning(self, kind: int, answer: bytes) -> str:
        if kind != RTM_NEWROUTE:
            number = -struct.unpack_from("=i", answer, _HEADER_BYTES)[0]
            # A route that says `unreachable` or `prohibit`, or none at all, would be another number.
            return DISCARD if number == 22 else f"error {number}"  # EINVAL
        if answer[_TYPE_AT] == RTN_LOCAL:
            return LOCAL
        at = _HEADER_BYTES + _ROUTE_BYTES
        while at < len(answer):
            length, attribute = struct.unpack_from("=HH", answer, at)
            if attribute == RTA_OIF:
                return self._names[struct.unpack_from("=I", answer, at + 4)[0]]
            at += (length + 3) & ~3
        return "nothing"
