"""Every fate of a packet: the only table of them.

A packet ends with exactly one disposition, so that at any moment

    injected = delivered + dropped (by reason) + in flight

`ok` dispositions count as delivered. `silent` drops send no ICMP error; the others say which
(type, code) goes back to the source, as RFC 792 and RFC 1812 section 4.3 have it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Disposition(IntEnum):
    """The fates by number; the numbers are what kernels store."""

    IN_FLIGHT = 0
    DELIVERED = 1
    EXITS_NETWORK = 2
    MALFORMED = 3
    BAD_CHECKSUM = 4
    NOT_IPV4 = 5
    HOST_UNREACHABLE = 6
    BAD_DESTINATION = 7
    NO_ROUTE = 8
    BLACKHOLE = 9
    BAD_STATE_ROUTE = 10
    TRANSIT_DENIED = 11
    TTL_EXPIRED = 12
    MTU_EXCEEDED = 13
    QUEUE_FULL = 14
    POLICED = 15

    @property
    def symbol(self) -> str:
        """The name in JSON, files and on the command line: `no_route`."""
        return self.name.lower()


N_DISPOSITIONS = len(Disposition)
NO_ERROR = (-1, -1)


class Fate(NamedTuple):
    """What a disposition means.

    `condition` is the exact condition, one sentence; `icmp` the (type, code) of the error that
    goes back to the source, or `NO_ERROR` for a silent one; `ok` whether it counts as delivered.
    """

    disposition: Disposition
    ok: bool
    icmp: tuple[int, int]
    condition: str


_D = Disposition
FATES: tuple[Fate, ...] = (
    Fate(_D.IN_FLIGHT, False, NO_ERROR, "The packet is on its way: in a queue or on a link."),
    Fate(
        _D.DELIVERED,
        True,
        NO_ERROR,
        "The packet reached an instance, a VPC router or a resolver that has its destination address.",
    ),
    Fate(
        _D.EXITS_NETWORK,
        True,
        NO_ERROR,
        "The winning rule points to a gateway, a door out of the emulated world.",
    ),
    Fate(
        _D.MALFORMED,
        False,
        NO_ERROR,
        "The IPv4 header does not parse: its version, header length, total length or options are wrong.",
    ),
    Fate(_D.BAD_CHECKSUM, False, NO_ERROR, "The IPv4 header checksum is wrong."),
    Fate(_D.NOT_IPV4, False, NO_ERROR, "The frame carries something that is not IPv4."),
    Fate(
        _D.HOST_UNREACHABLE,
        False,
        (3, 1),
        "The destination lies in the VPC or in the sender's own subnet, and nobody there has that address.",
    ),
    Fate(
        _D.BAD_DESTINATION,
        False,
        NO_ERROR,
        "The destination is a subnet's network or broadcast address, or multicast, loopback or 0.0.0.0/8.",
    ),
    Fate(_D.NO_ROUTE, False, (3, 0), "No rule of the VPC matches both source and destination."),
    Fate(_D.BLACKHOLE, False, NO_ERROR, "The winning rule discards on purpose."),
    Fate(
        _D.BAD_STATE_ROUTE,
        False,
        NO_ERROR,
        "The winning rule points to a peer connection that is gone or not active.",
    ),
    Fate(
        _D.TRANSIT_DENIED,
        False,
        NO_ERROR,
        "The packet came in over a peer connection and would leave again, but the VPC is no relay VPC or the "
        "packet has used up its transits.",
    ),
    Fate(_D.TTL_EXPIRED, False, (11, 0), "A router would have to forward the packet with a TTL of zero."),
    Fate(
        _D.MTU_EXCEEDED,
        False,
        (3, 4),
        "The packet is larger than the MTU of the peer connection and must not be fragmented (DF).",
    ),
    Fate(
        _D.QUEUE_FULL,
        False,
        NO_ERROR,
        "The bandwidth cap holds the packet back and the queue in front of it has no room left.",
    ),
    Fate(_D.POLICED, False, NO_ERROR, "The packet exceeds the bandwidth cap and the cap polices instead of queueing."),
)
"""In order of number."""


def is_ok(disposition: int) -> bool:
    """Whether it counts as delivered."""
    return FATES[disposition].ok


def icmp_error_of(disposition: int) -> tuple[int, int]:
    """The (type, code) of the ICMP error this drop sends, `NO_ERROR` when silent."""
    return FATES[disposition].icmp
