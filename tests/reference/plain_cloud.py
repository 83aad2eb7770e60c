"""The control plane once more, slow and obvious: lists, loops, the standard library's prefixes.

A request is a `Request`: who asks, what for, with names for everything. `refusals` gives every reason to
say no (names of error classes, empty for yes), so that it does not matter which one netsim finds first.
`do` carries out what nothing refuses. Rules of the product only; no ids, no indices, no undo.
"""

from __future__ import annotations

# ruff: noqa: ARG002 - each method takes all that its request carries
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Any

DAY_NS = 86_400 * 10**9
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def a_month_after(now_ns: int) -> int:
    """The same day and time next month, or the last day it has."""
    days, rest_ns = divmod(now_ns, DAY_NS)
    today = EPOCH + timedelta(days=days)
    later = today + timedelta(days=31)
    while later.month != today.month % 12 + 1:
        later -= timedelta(days=1)
    later = later.replace(day=1)
    for day in range(today.day, 0, -1):
        if (later + timedelta(days=day - 1)).month == later.month:
            return ((later + timedelta(days=day - 1)) - EPOCH).days * DAY_NS + rest_ns
    raise AssertionError


@dataclass
class PlainVpc:
    name: str
    account: str
    region: str
    cidr: IPv4Network
    relay: bool
    subnets: dict[str, IPv4Network] = field(default_factory=dict)
    instances: dict[str, tuple[str, IPv4Address]] = field(default_factory=dict)
    rules: dict[tuple[str, str], str] = field(default_factory=dict)  # (source, destination) -> next hop


@dataclass
class PlainConn:
    name: str
    local: str
    peer: str
    mbps: int
    payment: str
    state: str
    deadline_ns: int | None
    dns: dict[str, bool] = field(default_factory=lambda: {"local": False, "peer": False})


@dataclass(frozen=True)
class Request:
    actor: str | None
    kind: str
    arguments: dict[str, Any]


class PlainCloud:
    def __init__(self, limits: dict[str, int], now_ns: int) -> None:
        self.limits = limits
        self.now_ns = now_ns
        self.vpcs: dict[str, PlainVpc] = {}
        self.conns: dict[str, PlainConn] = {}

    def advance_to(self, now_ns: int) -> None:
        self.now_ns = now_ns
        for conn in self.conns.values():
            if conn.deadline_ns is not None and conn.deadline_ns <= now_ns:
                conn.state = {"consulting": "consult_failed", "active": "expired"}[conn.state]
                conn.deadline_ns = None

    def refusals(self, request: Request) -> set[str]:
        return set(getattr(self, f"_refuse_{request.kind}")(request.actor, **request.arguments))

    def do(self, request: Request) -> None:
        getattr(self, f"_do_{request.kind}")(**request.arguments)

    # -------------------------------------------------------------- who sees what

    def _sees_vpc(self, actor: str | None, vpc: str) -> bool:
        return vpc in self.vpcs and actor in (None, self.vpcs[vpc].account)

    def _sees_conn(self, actor: str | None, conn: str) -> bool:
        return conn in self.conns and (actor is None or actor in self.parties(self.conns[conn]))

    def parties(self, conn: PlainConn) -> tuple[str, str]:
        return self.vpcs[conn.local].account, self.vpcs[conn.peer].account

    def conns_of(self, vpc: str) -> list[PlainConn]:
        return [conn for conn in self.conns.values() if vpc in (conn.local, conn.peer)]

    # -------------------------------------------------------------- VPCs

    def _refuse_create_vpc(
        self, actor: str | None, name: str, account: str, region: str, cidr: str, relay: bool
    ) -> Iterator[str]:
        if actor not in (None, account):
            yield "NotFoundError"
        network = IPv4Network(cidr)
        if not network.is_private or not 8 <= network.prefixlen <= 28:
            yield "InvalidError"
        siblings = [vpc for vpc in self.vpcs.values() if (vpc.account, vpc.region) == (account, region)]
        if len(siblings) >= self.limits["vpcs_per_region"]:
            yield "QuotaError"

    def _do_create_vpc(self, name: str, account: str, region: str, cidr: str, relay: bool) -> None:
        self.vpcs[name] = PlainVpc(name, account, region, IPv4Network(cidr), relay)

    def _refuse_delete_vpc(self, actor: str | None, vpc: str) -> Iterator[str]:
        if not self._sees_vpc(actor, vpc):
            yield "NotFoundError"
        elif self.vpcs[vpc].subnets or self.conns_of(vpc):
            yield "ConflictError"

    def _do_delete_vpc(self, vpc: str) -> None:
        del self.vpcs[vpc]

    def _refuse_set_relay(self, actor: str | None, vpc: str, relay: bool) -> Iterator[str]:
        if not self._sees_vpc(actor, vpc):
            yield "NotFoundError"
            return
        mine = self.vpcs[vpc]
        if relay and not mine.relay:
            for conn in self.conns_of(vpc):
                other = conn.peer if conn.local == vpc else conn.local
                if self.vpcs[other].relay and conn.state != "consult_failed":
                    yield "ConflictError"
        if mine.relay and not relay and not all(self._is_local(mine, source) for source, _ in mine.rules):
            yield "ConflictError"

    def _do_set_relay(self, vpc: str, relay: bool) -> None:
        self.vpcs[vpc].relay = relay

    @staticmethod
    def _is_local(vpc: PlainVpc, source: str) -> bool:
        return source == "0.0.0.0/0" or any(IPv4Network(source).subnet_of(s) for s in vpc.subnets.values())

    # -------------------------------------------------------------- subnets, instances

    def _refuse_create_subnet(self, actor: str | None, vpc: str, name: str, cidr: str) -> Iterator[str]:
        if not self._sees_vpc(actor, vpc):
            yield "NotFoundError"
            return
        network = IPv4Network(cidr)
        if not network.subnet_of(self.vpcs[vpc].cidr) or network.prefixlen > 29:
            yield "InvalidError"
        if any(network.overlaps(other) for other in self.vpcs[vpc].subnets.values()):
            yield "ConflictError"
        if len(self.vpcs[vpc].subnets) >= self.limits["subnets_per_vpc"]:
            yield "QuotaError"

    def _do_create_subnet(self, vpc: str, name: str, cidr: str) -> None:
        self.vpcs[vpc].subnets[name] = IPv4Network(cidr)

    def _refuse_delete_subnet(self, actor: str | None, vpc: str, subnet: str) -> Iterator[str]:
        if not self._sees_vpc(actor, vpc) or subnet not in self.vpcs[vpc].subnets:
            yield "NotFoundError"
            return
        mine = self.vpcs[vpc]
        if any(home == subnet for home, _ in mine.instances.values()):
            yield "ConflictError"
        network = mine.subnets[subnet]
        if not mine.relay and any(s != "0.0.0.0/0" and IPv4Network(s).subnet_of(network) for s, _ in mine.rules):
            yield "ConflictError"

    def _do_delete_subnet(self, vpc: str, subnet: str) -> None:
        del self.vpcs[vpc].subnets[subnet]

    def _refuse_create_instance(self, actor: str | None, vpc: str, subnet: str, name: str, addr: str) -> Iterator[str]:
        if not self._sees_vpc(actor, vpc) or subnet not in self.vpcs[vpc].subnets:
            yield "NotFoundError"
            return
        mine = self.vpcs[vpc]
        if IPv4Address(addr) not in list(mine.subnets[subnet].hosts())[2:]:
            yield "InvalidError"
        if any(taken == IPv4Address(addr) for _, taken in mine.instances.values()):
            yield "ConflictError"

    def _do_create_instance(self, vpc: str, subnet: str, name: str, addr: str) -> None:
        self.vpcs[vpc].instances[name] = (subnet, IPv4Address(addr))

    def _refuse_delete_instance(self, actor: str | None, vpc: str, instance: str) -> Iterator[str]:
        if not self._sees_vpc(actor, vpc) or instance not in self.vpcs[vpc].instances:
            yield "NotFoundError"

    def _do_delete_instance(self, vpc: str, instance: str) -> None:
        del self.vpcs[vpc].instances[instance]

    # -------------------------------------------------------------- routes

    def _refuse_create_route(
        self, actor: str | None, vpc: str, source: str, destination: str, next_hop: str
    ) -> Iterator[str]:
        if not self._sees_vpc(actor, vpc):
            yield "NotFoundError"
            return
        mine = self.vpcs[vpc]
        if not mine.relay and not self._is_local(mine, source):
            yield "InvalidError"
        if destination != "0.0.0.0/0" and IPv4Network(destination).overlaps(mine.cidr):
            yield "InvalidError"
        if (source, destination) in mine.rules:
            yield "ConflictError"
        if len(mine.rules) >= self.limits["routes_per_vpc"]:
            yield "QuotaError"
        if next_hop != "blackhole" and next_hop not in {f"if-{conn.name}" for conn in self.conns_of(vpc)}:
            yield "NotFoundError"

    def _do_create_route(self, vpc: str, source: str, destination: str, next_hop: str) -> None:
        self.vpcs[vpc].rules[source, destination] = next_hop

    def _refuse_delete_route(self, actor: str | None, vpc: str, source: str, destination: str) -> Iterator[str]:
        if not self._sees_vpc(actor, vpc) or (source, destination) not in self.vpcs[vpc].rules:
            yield "NotFoundError"

    def _do_delete_route(self, vpc: str, source: str, destination: str) -> None:
        del self.vpcs[vpc].rules[source, destination]

    # -------------------------------------------------------------- connections

    def _refuse_create_peer_conn(
        self, actor: str | None, local: str, peer: str, name: str, mbps: int, payment: str
    ) -> Iterator[str]:
        if not self._sees_vpc(actor, local) or peer not in self.vpcs:
            yield "NotFoundError"
            return
        here, there = self.vpcs[local], self.vpcs[peer]
        if local == peer or not 1 <= mbps <= 1000 or (payment == "prepaid" and here.region == there.region):
            yield "InvalidError"
        if any({conn.local, conn.peer} == {local, peer} for conn in self.conns.values()):
            yield "ConflictError"
        if here.relay and there.relay:
            yield "ConflictError"
        most = self.limits["peer_connections_per_vpc"]
        if len(self.conns_of(local)) >= most or len(self.conns_of(peer)) >= most:
            yield "QuotaError"
        initiated = [conn for conn in self.conns.values() if self.vpcs[conn.local].account == here.account]
        if len(initiated) >= self.limits["peer_connections_per_account"]:
            yield "QuotaError"

    def _do_create_peer_conn(self, local: str, peer: str, name: str, mbps: int, payment: str) -> None:
        conn = PlainConn(name, local, peer, mbps, payment, "consulting", self.now_ns + 7 * DAY_NS)
        self.conns[name] = conn
        if self.vpcs[local].account == self.vpcs[peer].account:
            self._activate(conn)

    def _activate(self, conn: PlainConn) -> None:
        conn.state = "active"
        conn.deadline_ns = a_month_after(self.now_ns) if conn.payment == "prepaid" else None

    def _refuse_by_party(self, actor: str | None, conn: str, party: int, states: tuple[str, ...]) -> Iterator[str]:
        if not self._sees_conn(actor, conn):
            yield "NotFoundError"
            return
        if actor not in (None, self.parties(self.conns[conn])[party]):
            yield "StateError"
        if self.conns[conn].state not in states:
            yield "StateError"

    def _refuse_accept(self, actor: str | None, conn: str) -> Iterator[str]:
        return self._refuse_by_party(actor, conn, 1, ("consulting",))

    def _do_accept(self, conn: str) -> None:
        self._activate(self.conns[conn])

    _refuse_reject = _refuse_accept

    def _do_reject(self, conn: str) -> None:
        self.conns[conn].state, self.conns[conn].deadline_ns = "consult_failed", None

    def _refuse_delete_peer_conn(self, actor: str | None, conn: str) -> Iterator[str]:
        free: tuple[str, ...] = ("consult_failed", "expired")
        if conn in self.conns and self.conns[conn].payment == "postpaid":
            free = ("consult_failed", "expired", "active", "consulting")
        return self._refuse_by_party(actor, conn, 0, free)

    def _do_delete_peer_conn(self, conn: str) -> None:
        del self.conns[conn]

    def _refuse_resize(self, actor: str | None, conn: str, mbps: int) -> Iterator[str]:
        yield from self._refuse_by_party(actor, conn, 0, ("active", "consulting"))
        if self._sees_conn(actor, conn):
            if not 1 <= mbps <= 1000:
                yield "InvalidError"
            if self.conns[conn].payment == "prepaid" and mbps < self.conns[conn].mbps:
                yield "StateError"

    def _do_resize(self, conn: str, mbps: int) -> None:
        self.conns[conn].mbps = mbps

    def _refuse_set_dns(self, actor: str | None, conn: str, side: str, enabled: bool) -> Iterator[str]:
        if not self._sees_conn(actor, conn):
            yield "NotFoundError"
            return
        initiator, acceptor = self.parties(self.conns[conn])
        if initiator != acceptor and actor not in (None, initiator if side == "local" else acceptor):
            yield "StateError"
        if self.conns[conn].state != "active":
            yield "StateError"

    def _do_set_dns(self, conn: str, side: str, enabled: bool) -> None:
        initiator, acceptor = self.parties(self.conns[conn])
        for each in ("local", "peer") if initiator == acceptor else (side,):
            self.conns[conn].dns[each] = enabled
