"""Streams: what the ends of TCP conversations with hand-made packets say, byte by byte.

The engine moves segments and counts bytes; what they hold is known here. An `echo` port says what
its peer said, and that is in the packets that were kept; what a host in Python says (a resolver),
it writes here. Both are found by conversation and offset; offset 0 is the first byte after the SYN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from netsim.dataplane.batch import PROTO_TCP, SYN
from netsim.dataplane.tcp_numbers import M32
from netsim.packet.parse import TCP_HEADER_BYTES
from netsim.packet.sent import take_apart

MAX_STREAM_BYTES = 1 << 28
"""Data claimed to lie further behind its SYN is not remembered: somebody makes numbers up."""


class Conversation(NamedTuple):
    """One direction of a conversation: who speaks to whom, and the number of the listener's SYN."""

    local_addr: int
    local_port: int
    remote_addr: int
    remote_port: int
    irs: int


Ends = tuple[int, int, int, int]
"""Address and port of who speaks, address and port of who listens."""


class Said:
    """What one end said since the SYN that is packet `first` of the store."""

    def __init__(self, first: int, isn: int) -> None:
        self.first = first
        self.isn = isn
        self.data = bytearray()

    def add(self, offset: int, data: bytes) -> None:
        """These bytes stand at this offset; what was there is replaced (a repetition says the same)."""
        if offset + len(data) <= MAX_STREAM_BYTES:
            self.data.extend(bytes(max(offset + len(data) - len(self.data), 0)))
            self.data[offset : offset + len(data)] = data


class Streams:
    """The streams of one store of packets.

    Args:
        originals: the packets kept so far; may grow.
        whole_of: (number, packet) -> the datagram that a first fragment begins, else the packet.
    """

    def __init__(self, originals: Sequence[bytes], whole_of: Callable[[int, bytes], bytes]) -> None:
        self._originals = originals
        self._whole_of = whole_of
        self._read = 0
        self._said: dict[Ends, list[Said]] = {}
        self._written: dict[Conversation, bytearray] = {}

    def write(self, conversation: Conversation, offset: int, data: bytes) -> None:
        """A host says these bytes from this offset of its stream on."""
        stream = self._written.setdefault(conversation, bytearray())
        stream.extend(bytes(max(offset + len(data) - len(stream), 0)))
        stream[offset : offset + len(data)] = data

    def read(self, ends: Ends, cause: int, offset: int, n_bytes: int) -> bytes:
        """What an end says: what it wrote, else what it was told. Zeros where nothing is known.

        Args:
            ends: of who speaks and who listens.
            cause: number of the packet in the store that it answers with this.
            offset: of the first byte, from 0, modulo 2^32.
            n_bytes: how many.
        """
        heard = self.heard((*ends[2:], *ends[:2]), cause)
        if heard is None:
            return bytes(n_bytes)
        stream = self._written.get(Conversation(*ends, heard.isn), heard.data)
        return bytes(stream[offset : offset + n_bytes]).ljust(n_bytes, b"\0")

    def heard(self, ends: Ends, until: int) -> Said | None:
        """What was said in the conversation that packet `until` of the store belongs to."""
        self._read_on()
        begun = [said for said in self._said.get(ends, []) if said.first <= until]
        return begun[-1] if begun else None

    def _read_on(self) -> None:
        """Take in the packets that were kept since the last time."""
        for number in range(self._read, len(self._originals)):
            raw = self._originals[number]
            if len(raw) > 9 and raw[9] == PROTO_TCP:
                self._hear(number, raw)
        self._read = len(self._originals)

    def _hear(self, number: int, raw: bytes) -> None:
        sent = take_apart(raw)
        if sent is None or sent.frag_offset:
            return
        sent = take_apart(self._whole_of(number, raw)) or sent
        body = sent.body
        if len(body) < TCP_HEADER_BYTES:
            return
        src_port, dst_port = int.from_bytes(body[0:2], "big"), int.from_bytes(body[2:4], "big")
        sequence, is_syn = int.from_bytes(body[4:8], "big"), body[13] & SYN
        begun = self._said.setdefault((sent.src, src_port, sent.dst, dst_port), [])
        if is_syn and not (begun and begun[-1].isn == sequence):
            begun.append(Said(number, sequence))
        data = body[(body[12] >> 4) * 4 :]
        if begun and data:
            begun[-1].add(sequence + (1 if is_syn else 0) - begun[-1].isn - 1 & M32, data)
