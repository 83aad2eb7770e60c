"""IPv4 addresses and prefixes as integers; text only at the border.

An address is a host-order int in 0..2^32-1. A `Prefix` is a network and a length, and never
has host bits set: `parse_prefix` refuses them and names the right prefix.
"""

from __future__ import annotations

from typing import NamedTuple

from netsim.errors import InvalidError

ADDR_BITS = 32
MAX_ADDR = 2**32 - 1


class Prefix(NamedTuple):
    """An IPv4 prefix: `network` (host bits zero) and `prefix_len` 0..32. Sorts by network."""

    network: int
    prefix_len: int

    @property
    def first(self) -> int:
        """The lowest address inside (the network address)."""
        return self.network

    @property
    def last(self) -> int:
        """The highest address inside (the broadcast address of a subnet)."""
        return self.network | (MAX_ADDR >> self.prefix_len)

    @property
    def size(self) -> int:
        """How many addresses lie inside."""
        return 1 << (ADDR_BITS - self.prefix_len)

    def has(self, addr: int) -> bool:
        """Whether the address lies inside."""
        return self.network <= addr <= self.last

    def covers(self, other: Prefix) -> bool:
        """Whether every address of `other` lies inside."""
        return self.prefix_len <= other.prefix_len and self.has(other.network)

    def overlaps(self, other: Prefix) -> bool:
        """Whether the two share an address (then one covers the other)."""
        return self.covers(other) or other.covers(self)

    def __str__(self) -> str:
        return f"{format_addr(self.network)}/{self.prefix_len}"


ANY = Prefix(0, 0)
PRIVATE_RANGES = (
    Prefix(10 << 24, 8),
    Prefix((172 << 24) | (16 << 16), 12),
    Prefix((192 << 24) | (168 << 16), 16),
)
"""RFC 1918 section 3."""


def format_addr(addr: int) -> str:
    """Dotted quad of a host-order address."""
    return f"{addr >> 24 & 255}.{addr >> 16 & 255}.{addr >> 8 & 255}.{addr & 255}"


def parse_addr(text: str) -> int:
    """The address of a dotted quad: four decimal octets, no leading zeros, no signs or spaces.

    Raises:
        InvalidError: anything else.
    """
    octets = text.split(".") if isinstance(text, str) else []
    if len(octets) != 4:
        raise InvalidError(f'"{text}" is not an IPv4 address, expected like 10.1.0.20')
    addr = 0
    for octet in octets:
        # isascii: int() would take other scripts' digits too.
        if not (octet.isascii() and octet.isdigit()) or (octet[0] == "0" and octet != "0"):
            raise InvalidError(f'"{text}" is not an IPv4 address, expected like 10.1.0.20')
        if len(octet) > 3 or (value := int(octet)) > 255:
            raise InvalidError(f'"{text}" is not an IPv4 address, expected like 10.1.0.20')
        addr = addr << 8 | value
    return addr


def parse_prefix(text: str) -> Prefix:
    """The prefix of `a.b.c.d/len`.

    Raises:
        InvalidError: not a prefix, or host bits set (the message names the right prefix).
    """
    head, slash, tail = text.partition("/") if isinstance(text, str) else ("", "", "")
    well_formed = slash and tail.isascii() and tail.isdigit() and len(tail) <= 2
    if not well_formed or (tail[0] == "0" and tail != "0") or int(tail) > ADDR_BITS:
        raise InvalidError(f'"{text}" is not a prefix, expected like 10.1.0.0/16')
    try:
        addr = parse_addr(head)
    except InvalidError:
        raise InvalidError(f'"{text}" is not a prefix, expected like 10.1.0.0/16') from None
    prefix = prefix_of(addr, int(tail))
    if prefix.network != addr:
        raise InvalidError(f"{text} has host bits set, did you mean {prefix}?")
    return prefix


def prefix_of(addr: int, prefix_len: int) -> Prefix:
    """The prefix of this length that holds the address."""
    return Prefix(addr & ~(MAX_ADDR >> prefix_len) & MAX_ADDR, prefix_len)
