"""A TCP client made of packets by hand: says something, hears the answer, and goes.

It sends one segment at a time and waits for what comes: enough for a question and its answer.
What was lost it sends again after a second, two, four (RFC 6298 section 2 without a measurement).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from netsim.dataplane.batch import ACK, ERROR, FIN, PROTO_TCP, PSH, RST, SYN
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.tcp_numbers import M32, initial_number
from netsim.emulator import Emulator
from netsim.packet.answer import tcp_segment
from netsim.packet.header import DF_BIT, header_of
from netsim.packet.parse import MIN_HEADER_BYTES, TCP_HEADER_BYTES
from netsim.packet.sent import take_apart
from netsim.probe.journal import Record, read_journal
from netsim.units import NS_PER_MS, NS_PER_S

FIRST_RTO_NS = NS_PER_S
TIMED_OUT, RESET = "timed out", "connection reset"
FAILURES = {(3, 0): "network unreachable", (3, 1): "host unreachable", (3, 3): "connection refused"}
"""What a program hears from its system about an ICMP error (type, code)."""
_LATE_NS = NS_PER_MS
"""In a busy network the client looks for what came this often, so it answers at most so much late."""


class Heard(NamedTuple):
    """What came back: `failure` is "" if it was all that was wanted.

    `said_at_ns` is when the client spoke first, after connecting, `at_ns` when the last of the answer came.
    """

    failure: str
    data: bytes = b""
    said_at_ns: int = -1
    at_ns: int = -1


class TcpClient:
    """One conversation from an instance.

    Args:
        emulator: where.
        from_id: the instance.
        server: address and port of the other end.
        src_port: the client's own.
    """

    def __init__(self, emulator: Emulator, from_id: str, server: tuple[int, int], src_port: int) -> None:
        self._emulator = emulator
        self._from_id = from_id
        self._inst = emulator.compiler.inst_of[from_id]
        self._src = emulator.inventory.instances[from_id].addr
        self._server, self._port = server
        self._src_port = src_port
        self._next = initial_number(self._src, self._server, src_port, self._port)
        self._unacked: tuple[int, int, bytes] | None = None  # number, flags and data of what may have to be sent again
        self._rcv_next: int | None = None
        self._seqs: set[int] = set()
        self._is_closed = False
        self._failure = ""
        self._data = b""
        self._at_ns = -1

    def exchange(self, data: bytes, is_whole: Callable[[bytes], bool], timeout_ns: int) -> Heard:
        """Connect, send `data` (at most what one segment holds), listen until `is_whole`, and close.

        The time-out is for all of it but the close.
        """
        deadline_ns = self._emulator.now_ns + timeout_ns
        self._emulator.take_journal()
        self._say(SYN)
        if not self._wait(lambda: self._rcv_next is not None, deadline_ns):
            return Heard(self._failure or TIMED_OUT)
        said_at_ns = self._emulator.now_ns
        self._say(PSH | ACK, data)
        if not self._wait(lambda: is_whole(self._data), deadline_ns):
            return Heard(self._failure or TIMED_OUT)
        heard = Heard("", self._data, said_at_ns, self._at_ns)
        self._say(FIN | ACK)
        self._wait(lambda: self._is_closed and self._unacked is None, self._emulator.now_ns + FIRST_RTO_NS)
        return heard

    def _say(self, flags: int, data: bytes = b"") -> None:
        """Send what takes room in the stream: it is sent again until it is acknowledged."""
        self._unacked = self._next, flags, data
        self._send(*self._unacked)
        self._next = self._next + len(data) + (1 if flags & (SYN | FIN) else 0) & M32

    def _send(self, number: int, flags: int, data: bytes = b"") -> None:
        body = tcp_segment(
            src=self._src,
            dst=self._server,
            src_port=self._src_port,
            dst_port=self._port,
            sequence=number,
            acknowledged=self._rcv_next or 0,
            tcp_flags=flags,
            data=data,
        )
        head = header_of(
            size_bytes=MIN_HEADER_BYTES + len(body),
            ident=len(self._seqs) & 0xFFFF,
            flag_bits=DF_BIT,
            ttl=64,
            proto=PROTO_TCP,
            src=self._src,
            dst=self._server,
        )
        self._seqs |= set(self._emulator.inject([head + body], self._from_id, [self._emulator.now_ns]).tolist())

    def _wait(self, is_done: Callable[[], bool], deadline_ns: int) -> bool:
        """Let time pass until it is done, repeating what nobody acknowledges; False: failed, or too late."""
        emulator = self._emulator
        rto_ns = FIRST_RTO_NS
        again_ns = emulator.now_ns + rto_ns
        while not is_done():
            if self._failure or emulator.now_ns >= deadline_ns:
                return False
            if emulator.now_ns >= again_ns and self._unacked is not None:
                self._send(*self._unacked)
                rto_ns *= 2
                again_ns = emulator.now_ns + rto_ns
            next_ns = emulator.engine.next_event_ns()
            stop_ns = deadline_ns if next_ns is None else max(next_ns + 1, emulator.now_ns + _LATE_NS)
            if self._unacked is not None:
                stop_ns = min(stop_ns, again_ns)
            emulator.advance(min(stop_ns, deadline_ns))
            for record in read_journal(emulator):
                self._hear(record)
        return True

    def _hear(self, record: Record) -> None:
        row = record.row
        if record.disposition is not Disposition.DELIVERED or record.b != self._inst or row["seq"] not in self._seqs:
            return
        if row["role"] & ERROR:
            self._failure = self._failure or FAILURES.get((row["l4"] & 0xFF, row["l4"] >> 8 & 0xFF), "")
            return
        sent = take_apart(self._emulator.bytes_of(row))
        if sent is None or sent.proto != PROTO_TCP or len(sent.body) < TCP_HEADER_BYTES or sent.src != self._server:
            return
        number, acknowledged = (int.from_bytes(sent.body[at : at + 4], "big") for at in (4, 8))
        self._take(number, acknowledged, sent.body[13], sent.body[(sent.body[12] >> 4) * 4 :], record.at_ns)

    def _take(self, number: int, acknowledged: int, flags: int, data: bytes, at_ns: int) -> None:
        """A segment: RFC 9293 section 3.10.7, as far as a client with nothing under way but its last words needs it."""
        if flags & RST:
            self._failure = "connection refused" if self._rcv_next is None else RESET
            return
        if flags & ACK and acknowledged == self._next:
            self._unacked = None
        if self._rcv_next is None:
            if flags & SYN and flags & ACK and self._unacked is None:
                self._rcv_next = number + 1 & M32
                self._send(self._next, ACK)
            return
        if number == self._rcv_next and (data or flags & FIN):
            self._data += data
            self._rcv_next = number + len(data) + (1 if flags & FIN else 0) & M32
            self._is_closed |= bool(flags & FIN)
            self._at_ns = at_ns
        if data or flags & (SYN | FIN):
            self._send(self._next, ACK)
