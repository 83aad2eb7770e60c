"""Which rule wins for a packet, and which it beats: the lookup explained from the tenant's rules.

The slow, readable twin of the Fib: among the rules that match both source and destination, the
longest destination prefix wins, then the longest source segment.
"""

from __future__ import annotations

from typing import NamedTuple

from netsim.controlplane.route_table import RouteRule
from netsim.controlplane.view import View
from netsim.prefix import ANY, Prefix


class Candidate(NamedTuple):
    """A rule that matches; `rule` is None for the system route of the VPC's own CIDR."""

    source: Prefix
    destination: Prefix
    rule: RouteRule | None


class RouteChoice(NamedTuple):
    """The matching rules of a VPC in order: the first wins, the others are beaten."""

    matching: tuple[Candidate, ...]

    @property
    def winner(self) -> Candidate | None:
        """None when no rule matches."""
        return self.matching[0] if self.matching else None

    @property
    def beaten(self) -> tuple[Candidate, ...]:
        """The rules that match too, best first."""
        return self.matching[1:]


def choose_route(view: View, vpc_id: str, src: int, dst: int) -> RouteChoice:
    """The rules of the VPC that match (src, dst), best first; linear in its rules."""
    candidates = [Candidate(ANY, view.vpc(vpc_id).cidr, None)]
    candidates += [Candidate(rule.source, rule.destination, rule) for rule in view.rules_of(vpc_id)]
    matching = [c for c in candidates if c.source.has(src) and c.destination.has(dst)]
    matching.sort(key=lambda c: (-c.destination.prefix_len, -c.source.prefix_len))
    return RouteChoice(tuple(matching))


def describe_next_hop(view: View, candidate: Candidate) -> str:
    """`local`, `gateway:NAME`, `blackhole`, or a connection by interface and name: `int-1 (shop-data)`."""
    if candidate.rule is None:
        return "local"
    hop = candidate.rule.next_hop
    if hop.kind != "peer":
        return str(hop)
    conn = view.conn_of_interface(hop.target)
    if conn is None:
        return f"{hop.target} (gone)"
    side = conn.side_in(candidate.rule.vpc_id)
    return f"{side.interface_name or side.interface_id} ({conn.name or conn.id})"


def describe_rule(view: View, candidate: Candidate) -> str:
    """`10.1.0.0/16 via int-1 (shop-data)`, with the source segment when there is one; `10.0.0.0/16 local`."""
    if candidate.rule is None:
        return f"{candidate.destination} local"
    segment = "" if candidate.source == ANY else f"from {candidate.source} to "
    return f"{segment}{candidate.destination} via {describe_next_hop(view, candidate)}"
