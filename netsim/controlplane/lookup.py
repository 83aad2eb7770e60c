"""Finding things by reference, through the eyes of one tenant or of the operator.

A tenant sees its own resources and both sides of its connections. Anything else answers exactly like
something that does not exist: same class, same words. References are ids or names; an id wins over a
name, and a name that means several things is refused with the ids to choose from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice

from netsim.controlplane.instance import Instance
from netsim.controlplane.peer_conn import PeerConn, Side
from netsim.controlplane.route_table import RouteRule, RouteTable
from netsim.controlplane.subnet import Subnet
from netsim.controlplane.tables import Ids, Tables, VpcEntry
from netsim.controlplane.values import quote, suggest
from netsim.controlplane.vpc import Vpc
from netsim.errors import InvalidError, NotFoundError

# difflib takes some 10 us a name: enough names to help with a slip, few enough to answer at once.
_NAMES_TRIED = 2_000
_IDS_SHOWN = 4


class Lookup:
    """The tables through the eyes of `account`; None is the operator, who sees all."""

    def __init__(self, tables: Tables, account: str | None = None) -> None:
        self._tables = tables
        self._account = account

    @property
    def account(self) -> str | None:
        """Whose eyes these are."""
        return self._account

    def entry(self, ref: str, *, field: str = "") -> VpcEntry:
        """The VPC with this id or name, and all in it; for the control plane itself."""
        entries = self._tables.entries
        entry = entries.get(ref) if isinstance(ref, str) else None
        if entry is not None and (self._account is None or entry.vpc.account == self._account):
            return entry
        if self._account is None and isinstance(ref, str) and len(named := self._tables.vpc_ids.get(ref, ())) == 1:
            return entries[next(iter(named))]  # as _pick would say, in a third of the time: files name VPCs a lot
        return entries[self._pick("vpc", ref, self._tables.vpc_ids, self._sees_vpc, field)]

    def vpc(self, ref: str, *, field: str = "") -> Vpc:
        """The VPC with this id or name.

        Raises:
            NotFoundError: there is none, or it is another's.
            InvalidError: several have this name.
        """
        return self.entry(ref, field=field).vpc

    def vpc_named(self, name: str) -> Vpc:
        """The VPC with this name, or id; `vpc` by its plain name."""
        return self.vpc(name)

    def subnet(self, ref: str, vpc: str | None = None, *, field: str = "") -> Subnet:
        """The subnet with this id, `vpc/name`, or name (in `vpc`, if given).

        Raises:
            NotFoundError: there is none, or it is another's.
            InvalidError: several have this name.
        """
        subnets = self._tables.subnets
        vpc, ref = _split(vpc, ref)
        if vpc is not None:
            entry = self.entry(vpc, field="vpc" if field else "")
            if ref in entry.subnets:
                return entry.subnets[ref]
            return subnets[self._pick(f"vpc {entry.vpc.name}: subnet", ref, entry.subnet_ids, _sees_all, field)]
        if isinstance(ref, str) and ref in subnets and self._sees_subnet(ref):
            return subnets[ref]
        return subnets[self._pick("subnet", ref, self._tables.subnet_ids, self._sees_subnet, field)]

    def instance(self, ref: str, *, field: str = "") -> Instance:
        """The instance with this id, `vpc/name`, or name.

        Raises:
            NotFoundError: there is none, or it is another's.
            InvalidError: several have this name.
        """
        instances = self._tables.instances
        if isinstance(ref, str) and ref in instances and self._sees_instance(ref):
            return instances[ref]
        vpc, name = _split(None, ref)
        if vpc is None:
            return instances[self._pick("instance", ref, self._tables.instance_ids, self._sees_instance, field)]
        entry = self.entry(vpc, field=field)
        if name not in entry.instance_ids:
            hint = suggest(name, islice(entry.instance_ids, _NAMES_TRIED))
            raise NotFoundError(f"vpc {entry.vpc.name}: instance {quote(name)}: not found{hint}", field=field)
        return instances[entry.instance_ids[name]]

    def rule(self, ref: str, *, field: str = "") -> RouteRule:
        """The rule with this id.

        Raises:
            NotFoundError: there is none, or it is another's.
        """
        rule = self._tables.rules.get(ref) if isinstance(ref, str) else None
        if rule is None or not self._sees_vpc(rule.vpc_id):
            raise NotFoundError(f"route rule {quote(ref)}: not found", field=field)
        return rule

    def route_table(self, ref: str) -> RouteTable:
        """The route table with this id, or of the VPC with this id or name.

        Raises:
            NotFoundError: there is none, or it is another's.
        """
        vpc_id = self._tables.route_tables.get(ref) if isinstance(ref, str) else None
        entry = self.entry(vpc_id if vpc_id is not None and self._sees_vpc(vpc_id) else ref)
        return RouteTable(entry.vpc.route_table_id, entry.vpc.id, tuple(entry.rules.values()))

    def peer_conn(self, ref: str, *, field: str = "") -> PeerConn:
        """The connection with this id or name.

        Raises:
            NotFoundError: there is none, or none of its sides is this account's.
            InvalidError: several have this name.
        """
        conns = self._tables.peer_conns
        if isinstance(ref, str) and ref in conns and self._sees_peer_conn(ref):
            return conns[ref]
        return conns[self._pick("peer connection", ref, self._tables.peer_conn_ids, self._sees_peer_conn, field)]

    def interface(self, ref: str, vpc: str | None = None, *, field: str = "") -> tuple[PeerConn, Side]:
        """The connection and the side of the interface with this id, `vpc/name`, or name (in `vpc`, if given).

        A name without a VPC costs a look at every connection.

        Raises:
            NotFoundError: there is none, or its connection has no side of this account.
            InvalidError: several have this name.
        """
        interfaces = self._tables.interfaces
        vpc, ref = _split(vpc, ref)
        if vpc is not None:
            entry = self.entry(vpc, field="vpc" if field else "")
            if ref not in interfaces or interfaces[ref][0] not in entry.peer_conns or not self._is_in(ref, entry):
                ref = self._pick(f"vpc {entry.vpc.name}: interface", ref, entry.interface_ids, _sees_all, field)
        elif not (isinstance(ref, str) and ref in interfaces and self._sees_interface(ref)):
            named: dict[str, Ids] = {}
            for interface_id in interfaces:
                named.setdefault(self._interface_name(interface_id), {})[interface_id] = None
            ref = self._pick("interface", ref, named, self._sees_interface, field)
        conn_id, side = interfaces[ref]
        return self._tables.peer_conns[conn_id], side

    def conn_of_interface(self, interface_id: str) -> PeerConn | None:
        """The connection a rule's next hop means, None once it is gone (such a rule discards)."""
        found = self._tables.interfaces.get(interface_id)
        return self._tables.peer_conns[found[0]] if found and self._sees_peer_conn(found[0]) else None

    # ------------------------------------------------------------------ names

    def _pick(
        self, what: str, ref: str, ids_by_name: Mapping[str, Ids], sees: Callable[[str], bool], field: str
    ) -> str:
        """The id of the one visible thing of this name."""
        found = [i for i in ids_by_name.get(ref, ()) if sees(i)] if isinstance(ref, str) else []
        if len(found) == 1:
            return found[0]
        if found:
            shown = ", ".join(found[:_IDS_SHOWN]) + (", …" if len(found) > _IDS_SHOWN else "")
            raise InvalidError(
                f"{what} {quote(ref)}: {len(found)} have this name, expected an id: {shown}", field=field
            )
        visible = (name for name, ids in ids_by_name.items() if any(sees(i) for i in ids))
        hint = suggest(ref, islice(visible, _NAMES_TRIED))
        raise NotFoundError(f"{what} {quote(ref)}: not found{hint}", field=field)

    def _interface_name(self, interface_id: str) -> str:
        conn_id, side = self._tables.interfaces[interface_id]
        return self._tables.peer_conns[conn_id].side(side).interface_name

    # ------------------------------------------------------------------ sight, by id

    def _sees_vpc(self, vpc_id: str) -> bool:
        return self._account is None or self._tables.vpcs[vpc_id].account == self._account

    def _sees_subnet(self, subnet_id: str) -> bool:
        return self._account is None or self._sees_vpc(self._tables.subnets[subnet_id].vpc_id)

    def _sees_instance(self, instance_id: str) -> bool:
        return self._account is None or self._sees_vpc(self._tables.instances[instance_id].vpc_id)

    def _sees_peer_conn(self, conn_id: str) -> bool:
        return self._account is None or conn_id in self._tables.peer_conns_of_account.get(self._account, ())

    def _sees_interface(self, interface_id: str) -> bool:
        return self._sees_peer_conn(self._tables.interfaces[interface_id][0])

    def _is_in(self, interface_id: str, entry: VpcEntry) -> bool:
        conn_id, side = self._tables.interfaces[interface_id]
        return self._tables.peer_conns[conn_id].side(side).vpc_id == entry.vpc.id


def _sees_all(_: str) -> bool:
    return True


def _split(vpc: str | None, ref: str) -> tuple[str | None, str]:
    """`shop/web` as (`shop`, `web`), unless the VPC is said already."""
    if vpc is None and isinstance(ref, str) and "/" in ref:
        head, _, tail = ref.partition("/")
        return head, tail
    return vpc, ref
