"""The DNS resolver of each VPC: a message in, the message that answers it out.

A VPC's resolver knows its own names (`dns_zone`), then those of the VPCs it shares DNS with, oldest
connection first: peer connections that are active, with DNS sync on at both sides. The first that
has a name answers for it. Sync reaches one connection far, and ends the moment a switch goes off or
the connection is no longer active. Nobody else is asked: what nobody here has does not exist.

A resolver serves its own VPC: an address from outside its CIDR is REFUSED, sync or not. With sync
the names come to the VPC's own resolver; nobody needs to ask another's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from netsim.controlplane.dns_record import DnsRecord
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.vpc import Vpc
from netsim.hosts.dns_message import CLASS_ANY, CLASS_IN, Found, Query, Question, Rcode, Rtype
from netsim.hosts.dns_query import read_query
from netsim.hosts.dns_zone import Zone

PORT = 53

REFUSED_TYPES = frozenset({Rtype.AXFR, Rtype.IXFR})
"""Zone transfers: there are no secondary servers."""
NOT_IMPLEMENTED_TYPES = frozenset({Rtype.MAILA, Rtype.MAILB})
"""Obsolete since RFC 1035 itself."""


class Resolver:
    """All resolvers of a cloud; always answers from its present state.

    Args:
        inventory: read only.
    """

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._zones: dict[str, tuple[_Names, Zone]] = {}

    def reply(self, vpc_id: str, from_addr: int, message: bytes, max_bytes: int | None = None) -> bytes | None:
        """What the resolver of a VPC answers to a DNS message.

        Args:
            vpc_id: whose resolver.
            from_addr: who asks.
            message: any bytes, without the length that TCP puts before them.
            max_bytes: of the answer; by default what fits a UDP datagram for this query.

        Returns:
            The answer, truncated (TC) if it doesn't fit; None for what is never answered: a
            message too short for a header, and a response.
        """
        from netsim.hosts.dns_reply import write_reply

        query = read_query(message)
        if query is None:
            return None
        found = self._found(vpc_id, from_addr, query)
        return write_reply(query, found, serial=self._inventory.version, max_bytes=max_bytes)

    def find(self, vpc_id: str, question: Question) -> Found:
        """What a VPC's own instances are told."""
        if question.qtype == Rtype.OPT:
            return Found(Rcode.FORMERR)
        if question.qclass not in (CLASS_IN, CLASS_ANY) or question.qtype in REFUSED_TYPES:
            return Found(Rcode.REFUSED)
        if question.qtype in NOT_IMPLEMENTED_TYPES:
            return Found(Rcode.NOTIMP)
        if not question.labels:
            return Found(Rcode.NOERROR, is_soa=question.qtype in (Rtype.SOA, Rtype.ANY))
        return self._look_up(vpc_id, question)

    def _found(self, vpc_id: str, from_addr: int, query: Query) -> Found:
        if query.fault is not Rcode.NOERROR or query.question is None:
            return Found(query.fault)
        if not self._inventory.vpcs[vpc_id].cidr.has(from_addr):
            return Found(Rcode.REFUSED)
        return self.find(vpc_id, query.question)

    def _look_up(self, vpc_id: str, question: Question) -> Found:
        name = _key(question.labels)
        if name is None:
            return Found(Rcode.NXDOMAIN)
        asks_addr, asks_name = (question.qtype in (rtype, Rtype.ANY) for rtype in (Rtype.A, Rtype.PTR))
        own = self._zone(vpc_id)
        zones = [own, *(self._zone(other) for other in self._shared_with(vpc_id))]
        for zone in zones:
            addrs = zone.addrs.get(name) or (zone.plain.get(name) if zone is own else None)
            if addrs:
                return Found(Rcode.NOERROR, addrs=addrs if asks_addr else ())
            names = zone.names_at(name)
            if names:
                return Found(Rcode.NOERROR, names=names if asks_name else ())
        is_parent = any(zone.has_below(name) for zone in zones)
        return Found(Rcode.NOERROR if is_parent else Rcode.NXDOMAIN)

    def _shared_with(self, vpc_id: str) -> Iterator[str]:
        """The VPCs whose names this one resolves, oldest connection first."""
        for conn in self._inventory.peer_conns_of(vpc_id):
            if conn.has_dns_sync:
                yield conn.side_beyond(vpc_id).vpc_id

    def _zone(self, vpc_id: str) -> Zone:
        """Its zone as of now; made anew, O(names), when something changed in the VPC since the last look."""
        inventory = self._inventory
        vpc = inventory.vpcs[vpc_id]
        now = _Names(vpc, inventory.vpc_version(vpc_id), inventory.dns_records_of(vpc_id))
        before, zone = self._zones.get(vpc_id, (None, None))
        if zone is None or before != now:
            zone = Zone(vpc, now.records, inventory.instances_of(vpc_id))
            self._zones[vpc_id] = now, zone
        return zone


class _Names(NamedTuple):
    """What a zone is made of: it is the same if these are. Instances count in the VPC's version."""

    vpc: Vpc
    version: int
    records: tuple[DnsRecord, ...]


def _key(labels: tuple[bytes, ...]) -> str | None:
    """The name as zones write it; None if a label has what no zone's name has."""
    name = b".".join(labels)
    if b"." in b"".join(labels) or not name.isascii():
        return None
    return name.decode("ascii").lower()
