"""The bytes of the segments that the engine's TCP ends make, and of errors about them.

A row has a segment's numbers, window and echoed time; the rest follows from the conversation:

* Ends of a generated flow send MSS, window scale and timestamps in SYN and SYN-ACK, timestamps
  ever after (RFC 7323; the clock ticks every 1024 ns). Their stream says where it is: every eight
  bytes are the flow number and their own offset, modulo 2^32, big-endian.
* Ends that talk with hand-made packets send MSS in their SYN-ACK, and no other option. An `echo`
  port says what it was told, a host what it wrote (`streams.py`).
* Resets carry neither options nor data.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane.batch import ERROR, KEPT, MF, PROTO_TCP, REPLY, RST, SYN
from netsim.dataplane.row import FLAGS, FLOW, FRAG, L4, PROTO, ROLE, SIZE
from netsim.dataplane.tcb import (
    MSS_OPTION_BYTES,
    OPTION_BYTES,
    PLAIN_BYTES,
    SYN_OPTION_BYTES,
    WINDOW_SHIFT,
)
from netsim.dataplane.tcp_numbers import M32, initial_number, tick
from netsim.packet.answer import error_message, error_tos
from netsim.packet.checksum import with_pseudo_header
from netsim.packet.header import DF_BIT, MF_BIT, header_of
from netsim.packet.l4 import IcmpError, unpack_error, unpack_tcp
from netsim.packet.parse import TCP_HEADER_BYTES
from netsim.packet.render import Whole
from netsim.packet.sent import take_apart
from netsim.packet.streams import Streams

HAND_MADE_MSS = 1460
"""What a port tells somebody's packets: an Ethernet frame's worth."""
BLOCK_BYTES = 8

_TCP = struct.Struct("!HHIIBBHHH")
_BLOCKS = struct.Struct("!II")

Row = Mapping[str, int]
Ints = NDArray[np.int64]


class TcpFlow(NamedTuple):
    """A generated TCP flow: its number, its opener and acceptor, and its largest packet."""

    flow: int
    src: int
    dst: int
    src_port: int
    dst_port: int
    packet_bytes: int


class _Segment(NamedTuple):
    """A segment as its columns have it, and what they don't say."""

    src: int
    dst: int
    src_port: int
    dst_port: int
    tcp_flags: int
    size_bytes: int
    mss: int
    flow: int | None  # generated; None: with hand-made packets
    tos: int


class TcpSegments:
    """The segments of one engine's ends.

    Args:
        streams: what ends that talk with hand-made packets say.
        datagram: (flow, seq) -> the hand-made datagram a reply answers.
    """

    def __init__(self, streams: Streams, datagram: Callable[[int, int], bytes]) -> None:
        self._streams = streams
        self._datagram = datagram
        self._flows: dict[int, TcpFlow] = {}

    def describe(self, flow: TcpFlow) -> None:
        """Segments of this engine flow are those of a generated one."""
        self._flows[flow.flow] = flow

    def alike(self, rows: Ints) -> Iterator[Ints]:
        """Which of many rows, int64[n, N_FIELDS], are segments of one generated flow, direction and size.

        Left out are SYN, resets, errors, and what is alone.
        """
        is_plain = (rows[:, PROTO] == PROTO_TCP) & (rows[:, ROLE] & ERROR == 0) & (rows[:, FLAGS] & (MF | KEPT) == 0)
        is_plain &= (rows[:, L4] >> 32 & (SYN | RST) == 0) & (rows[:, FRAG] == 0)
        places = np.flatnonzero(is_plain & np.isin(rows[:, FLOW], list(self._flows)))
        keys = rows[places][:, [FLOW, ROLE, SIZE]]
        _, numbers, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
        for number in np.flatnonzero(counts > 1).tolist():
            yield places[numbers.reshape(-1) == number]

    def whole_of(self, row: Row) -> Whole | None:
        """The message of a row that is a segment of an end, or an error about one; None for other rows."""
        is_error = row["role"] & ERROR
        if not is_error and row["proto"] != PROTO_TCP:
            return None
        error = unpack_error(row["l4"]) if is_error else None
        segment = self._segment(row, error)
        if segment is None:
            return None
        body = self._segment_bytes(row, segment)
        if error is None:
            return Whole(segment.tos, 0, b"", body, 0)
        return Whole(error_tos(segment.tos), 0, b"", error_message(error, _as_received(row, error, segment, body)), 0)

    def _segment(self, row: Row, error: IcmpError | None) -> _Segment | None:
        flow = self._flows.get(row["flow"])
        if flow is not None:
            ends = (flow.src, flow.dst, flow.src_port, flow.dst_port)
            if row["role"] & REPLY:
                ends = (flow.dst, flow.src, flow.dst_port, flow.src_port)
            mss, tos = flow.packet_bytes - PLAIN_BYTES, 0
        elif row["role"] & REPLY:
            sent = take_apart(self._datagram(row["flow"], row["seq"]))
            if sent is None or sent.proto != PROTO_TCP:
                return None
            ports = int.from_bytes(sent.body[2:4], "big"), int.from_bytes(sent.body[0:2], "big")
            ends = (sent.dst, sent.src, *ports)
            mss, tos = HAND_MADE_MSS, sent.tos
        else:
            return None
        if error is None:
            tcp_flags, size_bytes = unpack_tcp(row["l4"]).tcp_flags, row["size_bytes"]
        else:
            tcp_flags, size_bytes = error.quoted_tcp_flags, error.quoted_size_bytes
        return _Segment(*ends, tcp_flags, size_bytes, mss, None if flow is None else flow.flow, tos)

    def _segment_bytes(self, row: Row, segment: _Segment) -> bytes:
        options = _options(row, segment)
        n_bytes = max(segment.size_bytes - PLAIN_BYTES - len(options), 0)
        data = self._data(row, segment, n_bytes) if n_bytes else b""
        fields = [
            segment.src_port, segment.dst_port, row["tcp_seq"], row["tcp_ack"],
            (TCP_HEADER_BYTES + len(options)) // 4 << 4, segment.tcp_flags, row["window"], 0, 0,
        ]  # fmt: skip
        fields[7] = with_pseudo_header(segment.src, segment.dst, PROTO_TCP, _TCP.pack(*fields) + options + data)
        return _TCP.pack(*fields) + options + data

    def _data(self, row: Row, segment: _Segment, n_bytes: int) -> bytes:
        ends = (segment.src, segment.src_port, segment.dst, segment.dst_port)
        iss = initial_number(segment.src, segment.dst, segment.src_port, segment.dst_port)
        offset = row["tcp_seq"] - iss - 1 & M32
        if segment.flow is None:
            return self._streams.read(ends, row["seq"], offset, n_bytes)
        return flow_bytes(segment.flow, offset, n_bytes)


def flow_bytes(flow: int, offset: int, n_bytes: int) -> bytes:
    """A stretch of a generated flow's stream: every eight bytes the flow number and their own offset."""
    first = offset - offset % BLOCK_BYTES
    blocks = b"".join(_BLOCKS.pack(flow, at & M32) for at in range(first, offset + n_bytes, BLOCK_BYTES))
    return blocks[offset - first : offset - first + n_bytes]


def _options(row: Row, segment: _Segment) -> bytes:
    """RFC 9293 section 3.2 (MSS), RFC 7323 sections 2.2 and 3.2, laid out as its appendix A recommends."""
    if segment.tcp_flags & RST:
        return b""
    timestamps = struct.pack("!BBBBII", 1, 1, 8, 10, tick(row["sent_at_ns"]), row["ts_echo"])
    if not segment.tcp_flags & SYN:
        return b"" if segment.flow is None else timestamps[:OPTION_BYTES]
    mss = struct.pack("!BBH", 2, MSS_OPTION_BYTES, segment.mss)
    if segment.size_bytes - PLAIN_BYTES < SYN_OPTION_BYTES:
        return mss
    return mss + struct.pack("!BBBB", 1, 3, 3, WINDOW_SHIFT) + timestamps


def _as_received(row: Row, error: IcmpError, segment: _Segment, body: bytes) -> bytes:
    """The segment as whoever sends the error about it received it."""
    head = header_of(
        tos=segment.tos,
        size_bytes=segment.size_bytes,
        ident=row["ident"],
        flag_bits=(DF_BIT if error.quoted_df else 0) | (MF_BIT if error.quoted_mf else 0),
        ttl=error.quoted_ttl,
        proto=PROTO_TCP,
        src=segment.src,
        dst=segment.dst,
    )
    return (head + body)[: segment.size_bytes]
