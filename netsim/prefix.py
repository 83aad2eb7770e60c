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


# Looking texts up is strict - no leading zeros, signs, spaces or other scripts' digits - and the
# quickest way there is: a third of what checking each octet takes, and files hold 200,000 prefixes.
_OCTETS = {str(octet): octet for octet in range(256)}
_LENGTHS = {str(prefix_len): prefix_len for prefix_len in range(ADDR_BITS + 1)}
_NOT_FOUR_OCTETS = (AttributeError, TypeError, ValueError, KeyError)  # not a text; not four parts; not an octet


def parse_addr(text: str) -> int:
    """The address of a dotted quad: four decimal octets, no leading zeros, no signs or spaces.

    Raises:
        InvalidError: anything else.
    """
    try:
        return _dotted_quad(text)
    except _NOT_FOUR_OCTETS:
        raise InvalidError(f'"{text}" is not an IPv4 address, expected like 10.1.0.20') from None


def looks_like_addr(text: str) -> bool:
    """Whether an address was meant: four numbers with dots, whatever they are."""
    parts = text.split(".")
    return len(parts) == 4 and all(part.isascii() and part.isdigit() for part in parts)


def parse_prefix(text: str) -> Prefix:
    """The prefix of `a.b.c.d/len`.

    Raises:
        InvalidError: not a prefix, or host bits set (the message names the right prefix).
    """
    try:
        head, tail = text.split("/")
        addr, prefix_len = _dotted_quad(head), _LENGTHS[tail]
    except _NOT_FOUR_OCTETS:
        raise InvalidError(f'"{text}" is not a prefix, expected like 10.1.0.0/16') from None
    if addr & (MAX_ADDR >> prefix_len):
        raise InvalidError(f"{text} has host bits set, did you mean {prefix_of(addr, prefix_len)}?")
    return Prefix(addr, prefix_len)


def _dotted_quad(text: str) -> int:
    a, b, c, d = text.split(".")
    return _OCTETS[a] << 24 | _OCTETS[b] << 16 | _OCTETS[c] << 8 | _OCTETS[d]


def prefix_of(addr: int, prefix_len: int) -> Prefix:
    """The prefix of this length that holds the address."""
    return Prefix(addr & ~(MAX_ADDR >> prefix_len) & MAX_ADDR, prefix_len)
