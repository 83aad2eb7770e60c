"""What one tenant, or the operator, sees of the inventory: read only, and always the present state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

from netsim.controlplane.account import Account
from netsim.controlplane.dns_record import DnsRecord
from netsim.controlplane.event import Event
from netsim.controlplane.instance import Instance
from netsim.controlplane.limits import Limits
from netsim.controlplane.lookup import Lookup
from netsim.controlplane.peer_conn import PeerConn
from netsim.controlplane.route_table import RouteRule
from netsim.controlplane.subnet import Subnet
from netsim.controlplane.tables import VpcEntry
from netsim.controlplane.vpc import Vpc

T = TypeVar("T")


class View(Lookup):
    """All that is visible, in order of creation; the operator's mappings cost nothing, a tenant's their size."""

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self._tables.limits

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The tenants by id; a tenant sees itself."""
        accounts = self._tables.accounts
        return MappingProxyType(accounts if self._account is None else {self._account: accounts[self._account]})

    @property
    def vpcs(self) -> Mapping[str, Vpc]:
        """VPCs by id."""
        vpcs = self._tables.vpcs
        return MappingProxyType(vpcs if self._account is None else {e.vpc.id: e.vpc for e in self._own_entries()})

    @property
    def subnets(self) -> Mapping[str, Subnet]:
        """Subnets by id."""
        if self._account is None:
            return MappingProxyType(self._tables.subnets)
        return self._in_order({i: subnet for entry in self._own_entries() for i, subnet in entry.subnets.items()})

    @property
    def instances(self) -> Mapping[str, Instance]:
        """Instances by id."""
        if self._account is None:
            return MappingProxyType(self._tables.instances)
        return self._in_order({i: inst for entry in self._own_entries() for i, inst in entry.instances.items()})

    @property
    def rules(self) -> Mapping[str, RouteRule]:
        """Rules by id."""
        if self._account is None:
            return MappingProxyType(self._tables.rules)
        return self._in_order({i: rule for entry in self._own_entries() for i, rule in entry.rules.items()})

    @property
    def peer_conns(self) -> Mapping[str, PeerConn]:
        """Connections by id, in any state; a tenant's are those with a side of its own."""
        conns = self._tables.peer_conns
        if self._account is None:
            return MappingProxyType(conns)
        return MappingProxyType({i: conns[i] for i in self._tables.peer_conns_of_account.get(self._account, ())})

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened to the visible connections, in order of time; a tenant's deleted ones are gone with them."""
        return tuple(event for event in self._tables.events if self._account is None or self._sees_event(event))

    def subnets_of(self, vpc: str) -> tuple[Subnet, ...]:
        """The subnets of a VPC."""
        return tuple(self.entry(vpc).subnets.values())

    def instances_of(self, vpc: str) -> tuple[Instance, ...]:
        """The instances of a VPC."""
        return tuple(self.entry(vpc).instances.values())

    def rules_of(self, vpc: str) -> tuple[RouteRule, ...]:
        """The rules of a VPC; the system route of its own CIDR is not one of them."""
        return tuple(self.entry(vpc).rules.values())

    def peer_conns_of(self, vpc: str) -> tuple[PeerConn, ...]:
        """The connections with a side in a VPC, in any state."""
        return tuple(self.entry(vpc).peer_conns.values())

    def dns_records_of(self, vpc: str) -> tuple[DnsRecord, ...]:
        """The VPC's own DNS records."""
        return tuple(self.entry(vpc).dns.values())

    def vpc_version(self, vpc: str) -> int:
        """A number that changes with whatever decides how this VPC forwards.

        That is its relay role, subnets, instances and rules, and the connections with a side in it: which
        there are, their state, their properties.
        """
        return self.entry(vpc).version

    def resolve(self, vpc: str, name: str) -> int | None:
        """The address a record gives a name in the eyes of a VPC, or None; instances have names too (`hosts`).

        Its own records come first, then those of the VPCs it shares DNS with, oldest connection first.
        Sharing reaches one connection far, as the product's does.
        """
        entry = self.entry(vpc)
        key = name.rstrip(".").lower()
        shared = [conn.side_beyond(entry.vpc.id).vpc_id for conn in entry.peer_conns.values() if conn.has_dns_sync]
        zones = [entry.dns, *(self._tables.entries[vpc_id].dns for vpc_id in shared)]
        return next((zone[key].addr for zone in zones if key in zone), None)

    def _own_entries(self) -> Iterable[VpcEntry]:
        tables = self._tables
        return (tables.entries[vpc_id] for vpc_id in tables.vpcs_of_account.get(self._account or "", ()))

    def _in_order(self, found: dict[str, T]) -> Mapping[str, T]:
        number_of = self._tables.ids.number_of
        return MappingProxyType(dict(sorted(found.items(), key=lambda item: number_of(item[0]))))

    def _sees_event(self, event: Event) -> bool:
        return event.peer_conn_id in self._tables.peer_conns and self._sees_peer_conn(event.peer_conn_id)
