"""Every resource and every index over them: what an edit reads and writes.

All dicts of resources are in order of creation. Each index answers one rule in constant or logarithmic
time (is the name taken, does the subnet overlap, is the pair connected), so 200,000 routes load in
seconds. Writers go through `log` (`netsim.controlplane.undo`) without exception; readers outside the
control plane see `netsim.controlplane.view` instead.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TypeVar

from netsim.clock import Clock
from netsim.controlplane.account import Account
from netsim.controlplane.dns_record import DnsRecord
from netsim.controlplane.event import Event
from netsim.controlplane.ids import IdSource
from netsim.controlplane.instance import Instance
from netsim.controlplane.limits import Limits
from netsim.controlplane.peer_conn import PeerConn, Side
from netsim.controlplane.route_table import RouteRule
from netsim.controlplane.subnet import Subnet
from netsim.controlplane.undo import UndoLog
from netsim.controlplane.vpc import Vpc
from netsim.prefix import Prefix

Ids = dict[str, None]
"""An ordered set of ids."""

KINDS = ("vpcs", "instances", "peer_conns")
"""Tables of which it is known when they changed last; a field set in an entry is no change of a table."""

K = TypeVar("K")


class VpcEntry:
    """A VPC with everything in it, and the indices of its own rules.

    `version` is the inventory's version at the last commit that touched this VPC's forwarding.
    """

    __slots__ = (
        "dns",
        "instance_ids",
        "instances",
        "interface_ids",
        "peer_conns",
        "rule_ids",
        "rules",
        "subnet_at",
        "subnet_ids",
        "subnet_starts",
        "subnets",
        "used_addrs",
        "version",
        "vpc",
    )

    def __init__(self, vpc: Vpc, version: int) -> None:
        self.vpc = vpc
        self.version = version
        self.subnets: dict[str, Subnet] = {}
        self.instances: dict[str, Instance] = {}
        self.rules: dict[str, RouteRule] = {}
        self.peer_conns: dict[str, PeerConn] = {}
        self.dns: dict[str, DnsRecord] = {}
        # Subnets are disjoint, so their network addresses in order find the one that may hold an address.
        self.subnet_starts: list[int] = []
        self.subnet_at: dict[int, Subnet] = {}
        self.subnet_ids: dict[str, Ids] = {}  # by name
        self.instance_ids: dict[str, str] = {}  # by name
        self.used_addrs: dict[int, str] = {}  # by whom: instance ids
        self.rule_ids: dict[tuple[Prefix, Prefix], str] = {}  # by (source, destination)
        self.interface_ids: dict[str, Ids] = {}  # by name


class Tables:
    """The state of the control plane; see the module."""

    def __init__(self, limits: Limits, clock: Clock, seed: int) -> None:
        self.limits = limits
        self.clock = clock
        self.ids = IdSource(seed)
        self.log = UndoLog()
        self.version = 0
        self.events: list[Event] = []

        self.accounts: dict[str, Account] = {}
        self.vpcs: dict[str, Vpc] = {}
        self.subnets: dict[str, Subnet] = {}
        self.instances: dict[str, Instance] = {}
        self.rules: dict[str, RouteRule] = {}
        self.peer_conns: dict[str, PeerConn] = {}
        self.entries: dict[str, VpcEntry] = {}  # by VPC id

        self.vpc_ids: dict[str, Ids] = {}  # by name
        self.subnet_ids: dict[str, Ids] = {}
        self.instance_ids: dict[str, Ids] = {}
        self.peer_conn_ids: dict[str, Ids] = {}
        self.route_tables: dict[str, str] = {}  # table id -> VPC id
        self.interfaces: dict[str, tuple[str, Side]] = {}  # interface id -> (connection id, side)
        self.pairs: dict[tuple[str, str], str] = {}  # (smaller VPC id, larger) -> connection id
        self.vpcs_of_account: dict[str, Ids] = {}
        self.vpcs_in_region: dict[tuple[str, str], Ids] = {}  # (account, region)
        self.peer_conns_of_account: dict[str, Ids] = {}  # either side
        self.initiated: dict[str, Ids] = {}

        # (deadline, rank of the connection, its id). An entry counts only while the connection still has
        # that deadline, so nobody has to take one out.
        self._deadlines: list[tuple[int, int, str]] = []
        self._new_deadlines: list[tuple[int, int, str]] = []
        # What changed when, so that who compiles a change need not look at everything there is.
        self.changed_at = dict.fromkeys(KINDS, 0)
        self.touched_at: dict[str, int] = {}  # VPC ids, those touched last at the end
        self._touched: list[str] = []
        self._issued_before: dict[str, int] = {}
        self._events_before = 0

    # ------------------------------------------------------------------ transactions

    def begin(self) -> None:
        """Start a group of changes."""
        self._issued_before = self.ids.issued.copy()
        self._events_before = len(self.events)

    def commit(self) -> None:
        """Keep the group; the version grows by one."""
        self.version += 1
        changed = self.log.changed()
        for kind in KINDS:
            if id(getattr(self, kind)) in changed:
                self.changed_at[kind] = self.version
        for vpc_id in self._touched:
            self.touched_at.pop(vpc_id, None)
            self.touched_at[vpc_id] = self.version
        self._touched.clear()
        self.log.commit()
        for deadline in self._new_deadlines:
            heappush(self._deadlines, deadline)
        self._new_deadlines.clear()

    def rollback(self) -> None:
        """Drop the group: everything, the ids to come included, is as `begin` found it."""
        self._touched.clear()
        self.log.rollback(self.ids.number_of)
        self.ids.issued = self._issued_before
        del self.events[self._events_before :]
        self._new_deadlines.clear()

    # ------------------------------------------------------------------ helpers of writers

    @property
    def now_ns(self) -> int:
        """The control clock, ns."""
        return self.clock.now_ns

    def touch(self, entry: VpcEntry) -> None:
        """Note that this VPC forwards differently from the version being made on."""
        if entry.version != self.version + 1:
            self.log.set_field(entry, "version", self.version + 1)
            self._touched.append(entry.vpc.id)

    def index(self, sets: dict[K, Ids], key: K, resource_id: str) -> None:
        """Add an id to the ordered set under `key`."""
        ids = sets.get(key)
        if ids is None:
            ids = {}
            self.log.put(sets, key, ids)
        self.log.put(ids, resource_id, None)

    def unindex(self, sets: dict[K, Ids], key: K, resource_id: str) -> None:
        """Take an id out of the ordered set under `key`; empty sets go."""
        ids = sets[key]
        self.log.remove_in_order(ids, resource_id)
        if not ids:
            self.log.remove(sets, key)

    def note(self, conn: PeerConn, what: str, at_ns: int | None = None) -> None:
        """Add to the event log, now or at a deadline."""
        self.events.append(Event(self.now_ns if at_ns is None else at_ns, conn.id, what))

    def put_peer_conn(self, conn: PeerConn) -> None:
        """Store a connection, new or changed, wherever it stands, and watch its deadline."""
        log = self.log
        log.put(self.peer_conns, conn.id, conn)
        for side in (conn.local, conn.peer):
            entry = self.entries[side.vpc_id]
            log.put(entry.peer_conns, conn.id, conn)
            self.touch(entry)
        if conn.deadline_ns is not None:
            self._new_deadlines.append((conn.deadline_ns, self.ids.number_of(conn.id), conn.id))

    def pop_due(self) -> PeerConn | None:
        """The connection with the earliest deadline that the clock has reached, None if there is none left."""
        while self._deadlines and self._deadlines[0][0] <= self.now_ns:
            deadline_ns, _, conn_id = heappop(self._deadlines)
            conn = self.peer_conns.get(conn_id)
            if conn is not None and conn.deadline_ns == deadline_ns:
                return conn
        return None

    @property
    def next_deadline_ns(self) -> int | None:
        """A time before which no connection changes by itself, None if none ever will."""
        return self._deadlines[0][0] if self._deadlines else None


def pair_of(vpc_id: str, other: str) -> tuple[str, str]:
    """The key of two VPCs, whichever asks."""
    return (vpc_id, other) if vpc_id < other else (other, vpc_id)
