"""Routes: each VPC has one table of rules; the longest match on (source, destination) wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from netsim.prefix import Prefix

GATEWAY_SCHEME = "gateway:"
BLACKHOLE_WORD = "blackhole"


class NextHop(NamedTuple):
    """Where a matching packet goes: a peer connection, a door out of the emulated world, or nowhere.

    `target` is the id of the local interface (`qpif-…`), the gateway's name, or "".
    """

    kind: Literal["peer", "gateway", "blackhole"]
    target: str

    def __str__(self) -> str:
        if self.kind == "gateway":
            return GATEWAY_SCHEME + self.target
        return self.target or BLACKHOLE_WORD


BLACKHOLE = NextHop("blackhole", "")


@dataclass(frozen=True, slots=True)
class RouteRule:
    """A rule. The pair (source, destination) is unique in its VPC.

    A peer next hop was the interface of a connection of this VPC when the rule was written; once the
    connection is deleted the rule stays, and discards.
    """

    id: str
    vpc_id: str
    source: Prefix
    destination: Prefix
    next_hop: NextHop
    description: str


@dataclass(frozen=True, slots=True)
class RouteTable:
    """The table of a VPC as it was when asked for; the system route of the VPC's own CIDR is not in it."""

    id: str
    vpc_id: str
    rules: tuple[RouteRule, ...]
