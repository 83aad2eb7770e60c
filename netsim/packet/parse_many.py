"""IP bytes -> packet columns, a whole capture at once; equal to `parse_ip` bit for bit.

Each step reads one byte position of all packets of a block (a gather) and narrows the rows
that are still alive, so the cost is some forty numpy passes whatever the packets hold.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane.batch import DF, MF, PROTO_ICMP, PROTO_TCP, PROTO_UDP, SYN, PacketBatch
from netsim.dataplane.disposition import Disposition
from netsim.packet.checksum import fold
from netsim.packet.packed import PackedPackets, heads, only_held
from netsim.packet.parse import (
    ECHO_REPLY,
    ECHO_REQUEST,
    END_OF_OPTIONS,
    ICMP_HEADER_BYTES,
    MAX_PACKET_BYTES,
    MIN_HEADER_BYTES,
    MSS_OPTION,
    MSS_OPTION_BYTES,
    NO_OPERATION,
    TCP_HEADER_BYTES,
    UDP_HEADER_BYTES,
)

# Rows worked on at once: the temporaries (some 40 int64 columns) stay in the cache's reach.
BLOCK = 1 << 13
HEAD_BYTES, DEEP_HEAD_BYTES = 48, 128
"""Enough for headers without options, and for any: an IP and a TCP header are at most 120 together."""

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class ParsedBatch(NamedTuple):
    """n packets as columns; the fields are those of `parse.ParsedPacket`, one entry per packet.

    `dispositions` uint8[n], `payload_bytes` int64[n].
    """

    batch: PacketBatch
    payload_bytes: Ints
    dispositions: NDArray[np.uint8]


def parse_many(packets: PackedPackets) -> ParsedBatch:
    """The columns of n packets, as `parse_ip` gives them for each; never raises on any bytes.

    A negative length marks a frame without IPv4: `NOT_IPV4`.
    """
    n = len(packets)
    parsed = ParsedBatch(PacketBatch.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.uint8))
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        _Block(packets, rows).parse_into(parsed, rows)
    return parsed


class _Block:
    """The packets of one block, with reads that give zero beyond what was captured."""

    def __init__(self, packets: PackedPackets, rows: slice) -> None:
        self.lengths = packets.lengths[rows]
        self.buffer, self.offsets, self.captured = packets.buffer, packets.offsets[rows], packets.captured[rows]
        self.heads = only_held(heads(self.buffer, self.offsets, HEAD_BYTES), self.captured)
        self.head_words = self.heads.view(">u2")

    @cached_property
    def deep_heads(self) -> NDArray[np.uint8]:
        """As `heads`, and options too."""
        return only_held(heads(self.buffer, self.offsets, DEEP_HEAD_BYTES), self.captured)

    def byte(self, at: Ints | int, rows: Ints | slice = slice(None)) -> Ints:
        """The byte at position `at` of each packet (or of those at `rows`), int64."""
        is_deep = at >= HEAD_BYTES if isinstance(at, int) else bool(len(at)) and at.max() >= HEAD_BYTES
        return (self.deep_heads if is_deep else self.heads)[rows, at].astype(np.int64)

    def word(self, at: Ints | int, rows: Ints | slice = slice(None)) -> Ints:
        """The big-endian 16-bit word at position `at`."""
        if isinstance(at, int) and at % 2 == 0 and at < HEAD_BYTES:
            return self.head_words[rows, at // 2].astype(np.int64)
        return self.byte(at, rows) << 8 | self.byte(at + 1, rows)

    def parse_into(self, parsed: ParsedBatch, rows: slice) -> None:
        header_bytes, dispositions, words = self._headers()
        size = words[1]
        alive = dispositions == Disposition.IN_FLIGHT
        header_read = alive | (dispositions == Disposition.BAD_CHECKSUM)
        fragment = words[3]
        columns: dict[str, Ints] = {
            "src": words[6] << 16 | words[7],
            "dst": words[8] << 16 | words[9],
            "ttl": words[4] >> 8,
            "proto": words[4] & 0xFF,
            "flags": (fragment >> 14 & 1) * DF | (fragment >> 13 & 1) * MF,
            "frag_offset": (fragment & 0x1FFF) * 8,
            "ident": words[2],
            "header_bytes": header_bytes,
        }
        for name, column in columns.items():
            parsed.batch[name][rows] = np.where(header_read, column, 0)
        given = np.clip(self.lengths, 0, MAX_PACKET_BYTES)
        parsed.batch["size_bytes"][rows] = np.where(alive, size, given)
        parsed.dispositions[rows] = dispositions
        self._transport(parsed, rows, np.flatnonzero(alive), columns, size)

    def _headers(self) -> tuple[Ints, Ints, list[Ints]]:
        """(header_bytes, dispositions, the ten words of the fixed header)."""
        lengths = self.lengths
        first = self.byte(0)
        header_bytes = (first & 0xF) * 4
        words = [self.word(2 * j) for j in range(MIN_HEADER_BYTES // 2)]
        is_ipv6 = (lengths < 0) | ((first >> 4 == 6) & (lengths > 0))
        malformed = (first >> 4 != 4) | (header_bytes < MIN_HEADER_BYTES) | (header_bytes > lengths)
        sums = np.sum(words, axis=0)
        with_options = np.flatnonzero(~malformed & (header_bytes > MIN_HEADER_BYTES))
        options_parse = np.ones(len(lengths), np.bool_)
        if len(with_options):
            bound = header_bytes[with_options]
            for at in range(MIN_HEADER_BYTES, 60, 2):
                sums[with_options] += np.where(at < bound, self.word(at, with_options), 0)
            options_parse[with_options] = self._options_parse(with_options, bound)
        bad_checksum = fold(sums) != 0xFFFF
        bad_length = (words[1] < header_bytes) | (words[1] > lengths) | ~options_parse
        dispositions = np.select(
            [is_ipv6, malformed, bad_checksum, bad_length],
            [Disposition.NOT_IPV4, Disposition.MALFORMED, Disposition.BAD_CHECKSUM, Disposition.MALFORMED],
            Disposition.IN_FLIGHT,
        ).astype(np.int64)
        return header_bytes, dispositions, words

    def _options_parse(self, rows: Ints, bound: Ints) -> Mask:
        """`parse.options_parse` of the rows with options, walking all of them in step."""
        at = np.full(len(rows), MIN_HEADER_BYTES, np.int64)
        good = np.ones(len(rows), np.bool_)
        while len(walking := np.flatnonzero(good & (at < bound))):
            here, end = at[walking], bound[walking]
            kind = self.byte(here, rows[walking])
            length = self.byte(here + 1, rows[walking])
            is_end, is_noop = kind == END_OF_OPTIONS, kind == NO_OPERATION
            fits = (here + 1 < end) & (length >= 2) & (here + length <= end)
            good[walking] = is_end | is_noop | fits
            at[walking] = np.where(is_end, end, here + np.where(is_noop, 1, length))
        return good

    def _mss(self, rows: Ints, at: Ints, bound: Ints) -> Ints:
        """`parse.mss_of` of the rows, whose TCP options lie at [at, bound), walking all of them in step."""
        at, found = at.copy(), np.zeros(len(rows), np.int64)
        walks = at + 1 < bound
        while len(walking := np.flatnonzero(walks)):
            here, end = at[walking], bound[walking]
            kind = self.byte(here, rows[walking])
            length = np.where(kind == NO_OPERATION, 1, self.byte(here + 1, rows[walking]))
            holds = (kind != END_OF_OPTIONS) & (length >= 1) & (here + length <= end)
            is_mss = holds & (kind == MSS_OPTION) & (length == MSS_OPTION_BYTES)
            found[walking] = np.where(is_mss, self.word(here + 2, rows[walking]), 0)
            at[walking] = here + length
            walks[walking] = holds & ~is_mss & (here + length + 1 < end)
        return found

    def _transport(self, parsed: ParsedBatch, rows: slice, alive: Ints, columns: dict[str, Ints], size: Ints) -> None:
        """Fill `l4` and `payload_bytes` of the rows alive; see `parse._transport` for the rules."""
        l4 = parsed.batch["l4"][rows]
        payload_bytes = parsed.payload_bytes[rows]
        proto = columns["proto"][alive]
        at = columns["header_bytes"][alive]
        body = size[alive] - at
        later = columns["frag_offset"][alive] > 0
        more = (columns["flags"][alive] & MF) > 0

        whole = later & ((proto == PROTO_UDP) | (proto == PROTO_TCP))
        payload_bytes[alive[whole]] = body[whole]

        def start_of(some: Ints) -> Ints | int:
            """Where the transport header of some packets starts; nearly always one place for all."""
            here = at[some]
            return int(here[0]) if (here == here[0]).all() else here

        udp = np.flatnonzero(~later & (proto == PROTO_UDP) & (body >= UDP_HEADER_BYTES))
        if len(udp):
            i, here, n = alive[udp], start_of(udp), body[udp]
            udp_bytes = self.word(here + 4, i)
            good = (udp_bytes >= UDP_HEADER_BYTES) & ((udp_bytes <= n) | more[udp])
            l4[i] = np.where(good, self.word(here, i) | self.word(here + 2, i) << 16, 0)
            payload_bytes[i] = np.where(good, np.minimum(udp_bytes, n) - UDP_HEADER_BYTES, 0)

        tcp = np.flatnonzero(~later & (proto == PROTO_TCP) & (body >= TCP_HEADER_BYTES))
        if len(tcp):
            i, here, n = alive[tcp], start_of(tcp), body[tcp]
            header = (self.byte(here + 12, i) >> 4) * 4
            good = (header >= TCP_HEADER_BYTES) & (header <= n)
            ports = self.word(here, i) | self.word(here + 2, i) << 16
            l4[i] = np.where(good, ports | self.byte(here + 13, i) << 32, 0)
            payload_bytes[i] = np.where(good, n - header, 0)
            # As `parse_ip`: what gives no ports gives no numbers either.
            good &= l4[i] != 0
            for name, words in (("tcp_seq", 2), ("tcp_ack", 4)):
                number = self.word(here + 2 * words, i) << 16 | self.word(here + 2 * words + 2, i)
                parsed.batch[name][rows][i] = np.where(good, number, 0)
            parsed.batch["window"][rows][i] = np.where(good, self.word(here + 14, i), 0)
            syn = np.flatnonzero(good & (self.byte(here + 13, i) & SYN > 0))
            parsed.batch["ts_echo"][rows][i[syn]] = self._mss(
                i[syn], at[tcp[syn]] + TCP_HEADER_BYTES, (here + header)[syn]
            )

        icmp = np.flatnonzero(~later & (proto == PROTO_ICMP) & (body >= ICMP_HEADER_BYTES))
        if len(icmp):
            i, here = alive[icmp], start_of(icmp)
            kind = self.byte(here, i)
            echo = (kind == ECHO_REPLY) | (kind == ECHO_REQUEST)
            numbers = self.word(here + 4, i) << 16 | self.word(here + 6, i) << 32
            l4[i] = kind | self.byte(here + 1, i) << 8 | np.where(echo, numbers, 0)
