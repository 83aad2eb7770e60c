"""The `l4` column read back: the inverses of the `pack_*` functions of `dataplane.batch`."""

from __future__ import annotations

from typing import NamedTuple


class Ports(NamedTuple):
    """Of UDP: what `pack_ports` packed."""

    src_port: int
    dst_port: int


class Tcp(NamedTuple):
    """What `pack_tcp` packed; flags as in the header (FIN 1, SYN 2, RST 4, PSH 8, ACK 16, ...)."""

    src_port: int
    dst_port: int
    tcp_flags: int


class Icmp(NamedTuple):
    """What `pack_icmp` packed; ident and sequence are 0 unless it is an echo message."""

    icmp_type: int
    code: int
    ident: int
    sequence: int


class IcmpError(NamedTuple):
    """What `pack_error` packed.

    The last two speak of a quoted reply only (`ERROR | REPLY`); the flags of a packet that was
    sent are in its bytes.
    """

    icmp_type: int
    code: int
    mtu_bytes: int
    quoted_ttl: int
    quoted_size_bytes: int
    quoted_mf: int
    quoted_df: int
    quoted_tcp_flags: int


def unpack_ports(l4: int) -> Ports:
    """The ports of a UDP or TCP row."""
    return Ports(l4 & 0xFFFF, l4 >> 16 & 0xFFFF)


def unpack_tcp(l4: int) -> Tcp:
    """Ports and flags of a TCP row."""
    return Tcp(l4 & 0xFFFF, l4 >> 16 & 0xFFFF, l4 >> 32 & 0xFF)


def unpack_icmp(l4: int) -> Icmp:
    """Type, code, echo identifier and echo sequence of an ICMP row that is no `ERROR`."""
    return Icmp(l4 & 0xFF, l4 >> 8 & 0xFF, l4 >> 16 & 0xFFFF, l4 >> 32 & 0xFFFF)


def unpack_error(l4: int) -> IcmpError:
    """What a row of role `ERROR` says and quotes."""
    return IcmpError(
        l4 & 0xFF,
        l4 >> 8 & 0xFF,
        l4 >> 16 & 0xFFFF,
        l4 >> 32 & 0xFF,
        l4 >> 40 & 0xFFFF,
        l4 >> 56 & 1,
        l4 >> 57 & 1,
        l4 >> 58 & 0x1F,
    )
