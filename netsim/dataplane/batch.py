"""PacketBatch: n packets as columns. A scapy packet is a batch of one.

The same columns describe a packet everywhere: on its way through the engine, in the store of
replayed and hand-made packets, and in the journal. Nothing here holds payload bytes: whoever
made the packet keeps them, and finds them again by `(flow, seq)`.

Signed integers only: kernels run plain and compiled, and unsigned arithmetic is where the two
would part. An address is a host-order value 0..2^32-1 in an int64.

Identity: (flow, seq, role, frag_offset). A flow numbers its packets with `seq`; what an
endpoint or a router sends *because of* a packet keeps its flow and seq and says so in `role`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLUMNS: dict[str, Any] = {
    "at_ns": np.int64,  # when the next thing happens to it; in a journal: when this happened
    "src": np.int64,
    "dst": np.int64,
    "sent_at_ns": np.int64,  # when its sender handed it to its interface
    "seq": np.int64,  # number within the flow; in a store flow the row of the store
    "l4": np.int64,  # see pack_ports, pack_tcp, pack_icmp, pack_error
    "size_bytes": np.int32,  # the whole IP packet
    "flow": np.int32,
    "frag_offset": np.int32,  # bytes; 0 for a whole packet and for a first fragment
    "ident": np.int32,  # IP identification 0..65535
    "inst": np.int32,  # the instance that sends it or is to receive it next, else -1
    "ttl": np.uint8,
    "proto": np.uint8,  # IP protocol number
    "flags": np.uint8,  # DF | MF | WATCH | QUIET | KEPT
    "role": np.uint8,  # ORIGINAL | REPLY | ERROR
    "transits": np.uint8,  # peer connection to peer connection steps so far
    "header_bytes": np.uint8,  # of the IP header: 20..60
    "tcp_seq": np.int64,  # of a TCP segment (and of an error about one), as in its header; else 0
    "tcp_ack": np.int64,
    "window": np.int32,  # the header field, 0..65535
    "ts_echo": np.int32,  # TSecr of an end's segment, 31 bits (TSval is sent_at_ns); of somebody's SYN its MSS option
}
BYTES_PER_PACKET = sum(np.dtype(dtype).itemsize for dtype in COLUMNS.values())

PROTO_ICMP, PROTO_TCP, PROTO_UDP = 1, 6, 17

# flags
DF = 1  # don't fragment
MF = 2  # more fragments
WATCH = 4  # every step goes into the journal
QUIET = 8  # endpoints take it without answering (a replay brings its own answers)
KEPT = 16  # its bytes are in the store at row `seq`, whatever its role

# role
ORIGINAL = 0
REPLY = 1  # what an endpoint answered to (flow, seq): echo reply, SYN-ACK, RST
ERROR = 2  # an ICMP error about (flow, seq); ERROR | REPLY: about the answer to it

# TCP flag bits, as in the header
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


class PacketBatch:
    """n packets as columns of equal length, one array per name in `COLUMNS`."""

    __slots__ = ("columns",)

    def __init__(self, columns: Mapping[str, NDArray[Any]]) -> None:
        self.columns = dict(columns)

    @classmethod
    def zeros(cls, n: int) -> PacketBatch:
        """n packets, all columns zero."""
        return cls({name: np.zeros(n, dtype) for name, dtype in COLUMNS.items()})

    @classmethod
    def of_rows(cls, rows: Iterable[Mapping[str, int]]) -> PacketBatch:
        """One packet per mapping of column name to value; absent columns are zero."""
        listed = list(rows)
        batch = cls.zeros(len(listed))
        for i, row in enumerate(listed):
            for name, value in row.items():
                batch.columns[name][i] = value
        return batch

    def __len__(self) -> int:
        return len(self.columns["at_ns"])

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def row(self, i: int) -> dict[str, int]:
        """Packet i as Python ints."""
        return {name: int(column[i]) for name, column in self.columns.items()}

    def take(self, rows: Any) -> PacketBatch:
        """The packets at these rows (an index array, mask or slice), as a copy."""
        return PacketBatch({name: column[rows].copy() for name, column in self.columns.items()})


def pack_ports(src_port: int, dst_port: int) -> int:
    """`l4` of UDP: source port in bits 0-15, destination port in 16-31."""
    return src_port | dst_port << 16


def pack_tcp(src_port: int, dst_port: int, tcp_flags: int) -> int:
    """`l4` of TCP: ports as UDP, flags (low 8 bits of the field) in 32-39."""
    return src_port | dst_port << 16 | tcp_flags << 32


def pack_icmp(icmp_type: int, code: int, ident: int = 0, sequence: int = 0) -> int:
    """`l4` of ICMP: type in bits 0-7, code 8-15, echo identifier 16-31, echo sequence 32-47."""
    return icmp_type | code << 8 | ident << 16 | sequence << 32


def pack_error(
    icmp_type: int,
    code: int,
    mtu_bytes: int,
    quoted_ttl: int,
    quoted_size_bytes: int,
    quoted_mf: int,
    quoted_df: int = 0,
    quoted_tcp_flags: int = 0,
) -> int:
    """`l4` of an ICMP error the emulator made: what it says, and how the quoted packet looked.

    Type in bits 0-7, code 8-15, next-hop MTU 16-31 (0 unless 3/4), and of the packet as
    received: TTL 32-39, size 40-55, more-fragments bit 56. Of a quoted TCP segment, whose bytes
    perhaps nobody keeps, also don't-fragment bit 57 and the TCP flags FIN..ACK 58-62. Which packet:
    `(flow, seq)` and the REPLY bit of `role`. With ports absent (non-first fragments) no error is
    ever made.
    """
    quoted = quoted_ttl << 32 | quoted_size_bytes << 40 | quoted_mf << 56 | quoted_df << 57 | quoted_tcp_flags << 58
    return icmp_type | code << 8 | mtu_bytes << 16 | quoted
