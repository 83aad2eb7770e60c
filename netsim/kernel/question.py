"""Question: one packet that engine, verifier and kernel are asked about, and what can be seen of its fate.

The engine and the kernel get the very same bytes. Each packet carries its number where everything it causes shows it
again: as IP identification (ICMP errors quote it), as echo identifier and sequence, as TCP sequence number and source
port. `read_packet` finds it, in a packet of either side.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from netsim.dataplane.batch import ACK, PROTO_ICMP, PROTO_TCP, PROTO_UDP, RST, SYN
from netsim.packet.answer import tcp_segment, udp_datagram
from netsim.packet.checksum import checksum
from netsim.packet.header import DF_BIT, header_of
from netsim.packet.parse import ECHO_REPLY, ECHO_REQUEST, MIN_HEADER_BYTES
from netsim.prefix import format_addr

CLOSED_PORT, OPEN_PORT = 4404, 4405
FIRST_SOURCE_PORT = 10_000
MAX_QUESTIONS = 50_000
"""In one round: a question's number has 16 bits, and a source port of its own."""

SMALL_BYTES, BIG_BYTES = 60, 1500
START_TTL = 64
_ECHO_IDENT = 0x6E73
_UNREACHABLE, _TIME_EXCEEDED, _FRAGMENTATION_NEEDED = 3, 11, 4
_PROTOCOLS = {"icmp": PROTO_ICMP, "udp": PROTO_UDP, "tcp": PROTO_TCP}


@dataclass(frozen=True, slots=True)
class Question:
    """A packet: from an instance (id), to an address.

    Attributes:
        kind: `icmp` (an echo request), `udp` or `tcp` (a SYN).
        is_open: whether instances listen on the port it is for.
        size_bytes: the whole IP packet, of udp; the others have their own.
    """

    source_id: str
    src: int
    dst: int
    kind: str
    is_open: bool = False
    ttl: int = START_TTL
    size_bytes: int = SMALL_BYTES
    df: bool = False

    @property
    def proto(self) -> int:
        """The IP protocol number."""
        return _PROTOCOLS[self.kind]

    @property
    def words(self) -> str:
        """What kind of packet it is: `udp to a closed port, TTL 2`."""
        text = (
            "icmp echo" if self.kind == "icmp" else f"{self.kind} to {'an open' if self.is_open else 'a closed'} port"
        )
        if self.size_bytes != SMALL_BYTES:
            text += f", {self.size_bytes} bytes{' DF' if self.df else ''}"
        return text if self.ttl == START_TTL else f"{text}, TTL {self.ttl}"

    @property
    def is_on_the_way(self) -> bool:
        """Whether its TTL is there to end it on the way: one line of the pair's hop list."""
        return self.ttl != START_TTL

    def packet(self, number: int) -> bytes:
        """Its bytes as question number 1..MAX_QUESTIONS of a round."""
        body = self._body(number)
        flag_bits = DF_BIT if self.df else 0
        size_bytes = MIN_HEADER_BYTES + len(body)
        head = header_of(
            size_bytes=size_bytes, ident=number, flag_bits=flag_bits, ttl=self.ttl, proto=self.proto, src=self.src,
            dst=self.dst,
        )  # fmt: skip
        return head + body

    def _body(self, number: int) -> bytes:
        port = OPEN_PORT if self.is_open else CLOSED_PORT
        src_port = FIRST_SOURCE_PORT + number
        if self.kind == "icmp":
            filling = bytes(SMALL_BYTES - MIN_HEADER_BYTES - 8)
            body = struct.pack("!BBHHH", ECHO_REQUEST, 0, 0, _ECHO_IDENT, number) + filling
            return body[:2] + checksum(body).to_bytes(2, "big") + body[4:]
        if self.kind == "udp":
            data = bytes(self.size_bytes - MIN_HEADER_BYTES - 8)
            return udp_datagram(src=self.src, dst=self.dst, src_port=src_port, dst_port=port, data=data)
        return tcp_segment(
            src=self.src, dst=self.dst, src_port=src_port, dst_port=port, sequence=number, acknowledged=0, tcp_flags=SYN
        )


class Outcome(NamedTuple):
    """What one side says becomes of a question.

    Attributes:
        arrived_at: who got it, `shop/web-1`, `router of shop` or `gateway:NAME`; "" for nobody.
        ttl: with which it arrived.
        answer: `echo reply`, `syn-ack`, `rst`, an ICMP error as `3/1`; "" for silence.
        sender: address the answer comes from.
        answer_at, answer_ttl: who got the answer, and with which TTL.
        mtu_bytes: what a 3/4 says.
    """

    arrived_at: str = ""
    ttl: int = 0
    answer: str = ""
    sender: int = 0
    answer_at: str = ""
    answer_ttl: int = 0
    mtu_bytes: int = 0

    def __str__(self) -> str:
        """In words."""
        there = f"arrives at {self.arrived_at} with TTL {self.ttl}" if self.arrived_at else "arrives nowhere"
        if not self.answer:
            return f"{there}, silence"
        mtu = f" (MTU {self.mtu_bytes})" if self.mtu_bytes else ""
        answer = f"{self.answer}{mtu} from {format_addr(self.sender)}"
        return f"{there}, {answer} comes to {self.answer_at} with TTL {self.answer_ttl}"


class Found(NamedTuple):
    """A packet of ours: question `number` itself (`answer` "") or an answer to it."""

    number: int
    answer: str
    src: int
    dst: int
    ttl: int
    mtu_bytes: int = 0
    about: tuple[int, int] | None = None
    """Of an ICMP error: source and destination of the packet it quotes."""


def read_packet(raw: bytes) -> Found | None:
    """Which question this packet is, or answers; None for any other packet, and later fragments."""
    if len(raw) < MIN_HEADER_BYTES or raw[0] >> 4 != 4:
        return None
    header_bytes = (raw[0] & 15) * 4
    fragment, ttl, proto = int.from_bytes(raw[6:8], "big") & 0x1FFF, raw[8], raw[9]
    body = raw[header_bytes:]
    if fragment or len(body) < 8:
        return None
    src, dst, ident = int.from_bytes(raw[12:16], "big"), int.from_bytes(raw[16:20], "big"), raw[4] << 8 | raw[5]
    if proto == PROTO_ICMP:
        return _read_icmp(body, src, dst, ttl)
    from_port, to_port = struct.unpack_from("!HH", body)
    if proto == PROTO_UDP:
        return Found(ident, "", src, dst, ttl) if to_port in (OPEN_PORT, CLOSED_PORT) else None
    if proto != PROTO_TCP or len(body) < MIN_HEADER_BYTES:
        return None
    acknowledged, flags = int.from_bytes(body[8:12], "big"), body[13]
    if to_port in (OPEN_PORT, CLOSED_PORT):
        return Found(ident, "", src, dst, ttl) if flags == SYN else None
    if from_port not in (OPEN_PORT, CLOSED_PORT) or to_port != FIRST_SOURCE_PORT + acknowledged - 1:
        return None
    answer = {RST | ACK: "rst", SYN | ACK: "syn-ack"}.get(flags & (RST | SYN | ACK), "")
    return Found(acknowledged - 1, answer, src, dst, ttl) if answer else None


def _read_icmp(body: bytes, src: int, dst: int, ttl: int) -> Found | None:
    icmp_type, code = body[0], body[1]
    ident, sequence = struct.unpack_from("!HH", body, 4)
    if icmp_type in (ECHO_REQUEST, ECHO_REPLY):
        if ident != _ECHO_IDENT:
            return None
        return Found(sequence, "echo reply" if icmp_type == ECHO_REPLY else "", src, dst, ttl)
    quoted = body[8:]
    if icmp_type not in (_UNREACHABLE, _TIME_EXCEEDED) or len(quoted) < MIN_HEADER_BYTES:
        return None
    mtu_bytes = sequence if (icmp_type, code) == (_UNREACHABLE, _FRAGMENTATION_NEEDED) else 0
    about = int.from_bytes(quoted[12:16], "big"), int.from_bytes(quoted[16:20], "big")
    return Found(quoted[4] << 8 | quoted[5], f"{icmp_type}/{code}", src, dst, ttl, mtu_bytes, about)


class Outcomes:
    """Puts together what is seen of the questions of a round, in any order; `questions[0]` is number 1."""

    def __init__(self, questions: list[Question]) -> None:
        self._questions = questions
        self.found = [Outcome() for _ in questions]

    def add(self, where: str, raw: bytes) -> int | None:
        """A packet was received there; the index of the question it is about, if it is one of ours."""
        seen = read_packet(raw)
        if seen is None or not 1 <= seen.number <= len(self.found):
            return None
        k = seen.number - 1
        question, outcome = self._questions[k], self.found[k]
        # An error may be about an answer, whose identification is anything.
        if seen.about is not None and seen.about != (question.src, question.dst):
            return None
        if not seen.answer:
            if (seen.src, seen.dst) == (question.src, question.dst) and not outcome.arrived_at:
                self.found[k] = outcome._replace(arrived_at=where, ttl=seen.ttl)
        elif seen.dst == question.src and not outcome.answer:
            self.found[k] = outcome._replace(
                answer=seen.answer, sender=seen.src, answer_at=where, answer_ttl=seen.ttl, mtu_bytes=seen.mtu_bytes
            )
        return k

    def refused(self, k: int, why: str) -> None:
        """The sender's own system did not take it."""
        self.found[k] = Outcome(answer=f"not sent: {why}", answer_at="the sender")
