"""Resources as rows: what `netsim show`, the control commands and a server's own API tell of them.

The keys are the same everywhere. A row names what the one who looks can see; another tenant's VPC is its id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from netsim.clock import format_utc
from netsim.controlplane.account import Account
from netsim.controlplane.dns_record import DnsRecord
from netsim.controlplane.instance import Instance
from netsim.controlplane.peer_conn import PeerConn, PeerSide
from netsim.controlplane.route_table import NextHop, RouteRule
from netsim.controlplane.subnet import Subnet
from netsim.controlplane.values import quote, suggest
from netsim.controlplane.view import View
from netsim.controlplane.vpc import Vpc
from netsim.errors import NotFoundError
from netsim.prefix import ANY, format_addr
from netsim.traffic.expectation import format_port
from netsim.units import NS_PER_MS

Row = dict[str, Any]


class Rows(NamedTuple):
    """Rows of one kind; `columns` are the keys that a table shows."""

    columns: tuple[str, ...]
    rows: list[Row]


def rows_of(noun: str, view: View, vpc: Vpc | None = None) -> Rows:
    """The rows of a kind of thing (one of `NOUNS`), in order of creation; of one VPC if it is given."""
    columns, rows = _MAKERS[noun]
    return Rows(columns, rows(view, vpc))


def row_of(noun: str, view: View, ref: str) -> Rows:
    """The row of one thing, by its id or name; `vpc/name` too, for subnets, instances and records.

    Raises:
        NotFoundError: there is none that can be seen.
        InvalidError: several have this name.
    """
    wanted = _FINDERS[noun](view, ref)
    columns, rows = _MAKERS[noun]
    found = [row for row in rows(view, None) if row["id"] == wanted]
    if not found:
        raise NotFoundError(f"{noun}: {quote(ref)}: not found")
    return Rows(columns, found)


def noun_and_id(resource: object) -> tuple[str, str]:
    """Where a resource stands: its noun, and what its row has as `id`."""
    if isinstance(resource, DnsRecord):
        return "dns", _record_id(resource)
    return _NOUN_OF[type(resource)], resource.id  # type: ignore[attr-defined]  # all the others have one


def next_hop_text(view: View, next_hop: NextHop) -> str:
    """`int-1 (shop-data)`, `gateway:nat` or `blackhole`, as people named it."""
    if next_hop.kind != "peer":
        return str(next_hop)
    conn = view.conn_of_interface(next_hop.target)
    if conn is None:
        return f"{next_hop.target} (gone)"
    side = conn.local if conn.local.interface_id == next_hop.target else conn.peer
    state = "" if conn.is_active else f", {conn.state}"
    return f"{interface_text(side)} ({conn.name or conn.id}{state})"


def interface_text(side: PeerSide) -> str:
    """The interface's name, its id if it has none."""
    return side.interface_name or side.interface_id


def _accounts(view: View, vpc: Vpc | None) -> list[Row]:
    owned = Counter(known.account for known in view.vpcs.values())
    return [
        {"id": account, "vpcs": owned[account]} for account in view.accounts if vpc is None or vpc.account == account
    ]


def _vpcs(view: View, vpc: Vpc | None) -> list[Row]:
    return [
        {
            "name": known.name,
            "account": known.account,
            "region": known.region,
            "cidr": str(known.cidr),
            "relay": known.relay,
            "subnets": len(view.subnets_of(known.id)),
            "instances": len(view.instances_of(known.id)),
            "routes": len(view.rules_of(known.id)),
            "peers": len(view.peer_conns_of(known.id)),
            "description": known.description,
            "id": known.id,
        }
        for known in _chosen(view, vpc)
    ]


def _subnets(view: View, vpc: Vpc | None) -> list[Row]:
    return [
        {
            "vpc": known.name,
            "name": subnet.name,
            "cidr": str(subnet.cidr),
            "zone": subnet.zone,
            "router": format_addr(subnet.router_addr),
            "resolver": format_addr(subnet.resolver_addr),
            "description": subnet.description,
            "id": subnet.id,
        }
        for known in _chosen(view, vpc)
        for subnet in view.subnets_of(known.id)
    ]


def _instances(view: View, vpc: Vpc | None) -> list[Row]:
    names = {subnet.id: subnet.name for known in _chosen(view, vpc) for subnet in view.subnets_of(known.id)}
    return [
        {
            "vpc": known.name,
            "name": instance.name,
            "ip": format_addr(instance.addr),
            "subnet": names[instance.subnet_id],
            "listen": [format_port(port) for port in instance.listen],
            "nic_mbps": instance.nic_mbps,
            "id": instance.id,
        }
        for known in _chosen(view, vpc)
        for instance in view.instances_of(known.id)
    ]


def _routes(view: View, vpc: Vpc | None) -> list[Row]:
    rows: list[Row] = []
    for known in _chosen(view, vpc):
        local = {"source": str(ANY), "destination": str(known.cidr), "next_hop": "local", "kind": "system"}
        rows.append({"vpc": known.name, **local, "description": "", "interface": None, "id": None})
        rows += [
            {
                "vpc": known.name,
                "source": str(rule.source),
                "destination": str(rule.destination),
                "next_hop": next_hop_text(view, rule.next_hop),
                "kind": "custom",
                "description": rule.description,
                "interface": rule.next_hop.target if rule.next_hop.kind == "peer" else None,
                "id": rule.id,
            }
            for rule in view.rules_of(known.id)
        ]
    return rows


def _peers(view: View, vpc: Vpc | None) -> list[Row]:
    conns = view.peer_conns.values() if vpc is None else view.peer_conns_of(vpc.id)
    vpcs = view.vpcs
    return [_peer(conn, vpcs, view.account) for conn in conns]


def _peer(conn: PeerConn, vpcs: Mapping[str, Vpc], account: str | None) -> Row:
    row: Row = {"name": conn.name}
    for name, side in (("local", conn.local), ("peer", conn.peer)):
        vpc = vpcs[side.vpc_id].name if side.vpc_id in vpcs else side.vpc_id
        row[name] = f"{vpc}:{interface_text(side)}"
    row |= {
        "bandwidth_mbps": conn.bandwidth_mbps,
        "latency_ms": conn.latency_ns / NS_PER_MS,
        "burst_bytes": conn.burst_bytes,
        "queue_bytes": conn.queue_bytes,
        "mtu_bytes": conn.mtu_bytes,
        "accounting": conn.accounting,
        "police": conn.police,
        "state": str(conn.state),
        "payment": conn.payment,
        "dns_sync": conn.has_dns_sync,
        "delete_protect": conn.delete_protect,
        "role": _role(conn, account),
        "created_at": format_utc(conn.created_at_ns),
        "answer_by": None if conn.consult_until_ns is None else format_utc(conn.consult_until_ns),
        "expires_at": None if conn.expires_at_ns is None else format_utc(conn.expires_at_ns),
    }
    for name, side in (("local", conn.local), ("peer", conn.peer)):
        row |= {
            f"{name}_account": side.account,
            f"{name}_region": side.region,
            f"{name}_vpc": side.vpc_id,
            f"{name}_interface": side.interface_id,
            f"{name}_dns_sync": side.dns_sync,
            f"{name}_description": side.description,
        }
    return row | {"id": conn.id}


def _role(conn: PeerConn, account: str | None) -> str | None:
    """What an account is to a connection; of the operator nothing."""
    if account is None:
        return None
    if conn.is_same_account:
        return "both"
    return "initiator" if conn.local.account == account else "acceptor"


def _dns(view: View, vpc: Vpc | None) -> list[Row]:
    return [
        {"vpc": known.name, "name": record.name, "a": format_addr(record.addr), "id": _record_id(record)}
        for known in _chosen(view, vpc)
        for record in view.dns_records_of(known.id)
    ]


def _quotas(view: View, vpc: Vpc | None) -> list[Row]:
    """What is used of each limit of a number, and how much there may be; None is no limit."""
    limits = view.limits
    rows: list[Row] = []

    def add(quota: str, of: str, used: int, accepted: int | None) -> None:
        left = None if accepted is None else max(0, accepted - used)
        rows.append({"quota": quota, "of": of, "used": used, "accepted": accepted, "left": left, "id": f"{quota}/{of}"})

    if vpc is None:
        regions = Counter((known.account, known.region) for known in view.vpcs.values())
        for (account, region), n in regions.items():
            add("vpcs_per_region", f"{account} {region}", n, limits.vpcs_per_region)
        initiated = Counter(conn.local.account for conn in view.peer_conns.values())
        for account in view.accounts:
            add("peer_connections_per_account", account, initiated[account], limits.peer_connections_per_account)
    for known in _chosen(view, vpc):
        add("peer_connections_per_vpc", known.name, len(view.peer_conns_of(known.id)), limits.peer_connections_per_vpc)
        add("subnets_per_vpc", known.name, len(view.subnets_of(known.id)), limits.subnets_per_vpc)
        add("routes_per_vpc", known.name, len(view.rules_of(known.id)), limits.routes_per_vpc)
    return rows


def _record_id(record: DnsRecord) -> str:
    return f"{record.vpc_id}/{record.name}"


def _chosen(view: View, vpc: Vpc | None) -> Iterable[Vpc]:
    return view.vpcs.values() if vpc is None else (vpc,)


_MAKERS: dict[str, tuple[tuple[str, ...], Callable[[View, Vpc | None], list[Row]]]] = {
    "accounts": (("id", "vpcs"), _accounts),
    "vpcs": (
        ("name", "account", "region", "cidr", "relay", "subnets", "instances", "routes", "peers", "id"),
        _vpcs,
    ),
    "subnets": (("vpc", "name", "cidr", "zone", "router", "resolver", "id"), _subnets),
    "instances": (("vpc", "name", "ip", "subnet", "listen", "nic_mbps", "id"), _instances),
    "routes": (("vpc", "source", "destination", "next_hop", "kind", "description"), _routes),
    "peers": (
        ("name", "local", "peer", "bandwidth_mbps", "latency_ms", "state", "payment", "dns_sync", "id"),
        _peers,
    ),
    "dns": (("vpc", "name", "a"), _dns),
    "quotas": (("quota", "of", "used", "accepted", "left"), _quotas),
}
NOUNS = tuple(_MAKERS)


def _account_id(view: View, ref: str) -> str:
    if ref in view.accounts:
        return ref
    raise NotFoundError(f"account {quote(ref)}: not found{suggest(ref, view.accounts)}")


def _id_of_record(view: View, ref: str) -> str:
    vpc, _, name = ref.partition("/")
    key = name.removesuffix(".").lower()
    found = next((record for record in view.dns_records_of(vpc) if record.name == key), None)
    if found is None:
        raise NotFoundError(f"dns record {quote(name)} of vpc {view.vpc(vpc).name}: not found")
    return _record_id(found)


_FINDERS: dict[str, Callable[[View, str], str]] = {
    "accounts": _account_id,
    "vpcs": lambda view, ref: view.vpc(ref).id,
    "subnets": lambda view, ref: view.subnet(ref).id,
    "instances": lambda view, ref: view.instance(ref).id,
    "routes": lambda view, ref: view.rule(ref).id,
    "peers": lambda view, ref: view.peer_conn(ref).id,
    "dns": _id_of_record,
    "quotas": lambda _, ref: ref,
}
_NOUN_OF: dict[type, str] = {
    Account: "accounts",
    Vpc: "vpcs",
    Subnet: "subnets",
    Instance: "instances",
    RouteRule: "routes",
    PeerConn: "peers",
}
