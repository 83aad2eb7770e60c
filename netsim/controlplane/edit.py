"""Edits: the only operations that change the control plane, as values.

An edit names things by reference: an id, or a name where the one who asks sees only one thing of that
name (`shop`, `shop/web-1`). Prefixes and addresses may be text or integers. What an edit makes or
changes is the result of `Inventory.apply`; a deleting edit gives back what is gone. Unset fields (None)
of an Update edit leave things as they are. The rules stand in `netsim.controlplane.operations`.

Field names are part of the contract: a refusal's `field` is one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from netsim.controlplane.account import Account
from netsim.controlplane.dns_record import DnsRecord
from netsim.controlplane.instance import DEFAULT_NIC_MBPS, Instance
from netsim.controlplane.peer_conn import DEFAULT_MTU_BYTES, PeerConn
from netsim.controlplane.route_table import NextHop, RouteRule
from netsim.controlplane.subnet import DEFAULT_SUBNET_TYPE, Subnet
from netsim.controlplane.values import Tags
from netsim.controlplane.vpc import Vpc
from netsim.prefix import Prefix

ResultT_co = TypeVar("ResultT_co", covariant=True)


class Edit(Generic[ResultT_co]):
    """One operation; the parameter is what it results in."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class CreateAccount(Edit[Account]):
    """Add a tenant; the operator's to do."""

    id: str


@dataclass(frozen=True, slots=True)
class CreateVpc(Edit[Vpc]):
    """Make a VPC with an empty route table; `account` may be left out by the tenant who asks."""

    name: str
    region: str
    cidr: str | Prefix
    account: str | None = None
    relay: bool = False
    description: str = ""
    tags: Tags = ()


@dataclass(frozen=True, slots=True)
class UpdateVpc(Edit[Vpc]):
    """Change a VPC's name or description."""

    vpc: str
    name: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class SetRelay(Edit[Vpc]):
    """Turn a VPC's relay role on or off."""

    vpc: str
    relay: bool


@dataclass(frozen=True, slots=True)
class DeleteVpc(Edit[Vpc]):
    """Remove a VPC without subnets and connections; its rules and DNS records go with it."""

    vpc: str


@dataclass(frozen=True, slots=True)
class CreateSubnet(Edit[Subnet]):
    """Cut a subnet out of a VPC; no zone given means the region's first."""

    vpc: str
    name: str
    cidr: str | Prefix
    zone: str = ""
    description: str = ""
    subnet_type: str = DEFAULT_SUBNET_TYPE
    tags: Tags = ()


@dataclass(frozen=True, slots=True)
class UpdateSubnet(Edit[Subnet]):
    """Change a subnet's name or description."""

    subnet: str
    name: str | None = None
    description: str | None = None
    vpc: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteSubnet(Edit[Subnet]):
    """Remove a subnet without instances."""

    subnet: str
    vpc: str | None = None


@dataclass(frozen=True, slots=True)
class CreateInstance(Edit[Instance]):
    """Start an instance; no address given means the lowest free one, `vpc` is where a subnet's name is looked up."""

    name: str
    subnet: str
    addr: str | int | None = None
    vpc: str | None = None
    listen: Iterable[str | tuple[int, int]] = ()
    nic_mbps: int = DEFAULT_NIC_MBPS


@dataclass(frozen=True, slots=True)
class UpdateInstance(Edit[Instance]):
    """Change an instance's name, open ports or interface rate."""

    instance: str
    name: str | None = None
    listen: Iterable[str | tuple[int, int]] | None = None
    nic_mbps: int | None = None


@dataclass(frozen=True, slots=True)
class DeleteInstance(Edit[Instance]):
    """Remove an instance."""

    instance: str


@dataclass(frozen=True, slots=True)
class CreateRoute(Edit[RouteRule]):
    """Add a rule; the next hop is a local interface (name or id), `gateway:NAME`, `blackhole`, or a `NextHop`."""

    vpc: str
    source: str | Prefix
    destination: str | Prefix
    next_hop: str | NextHop
    description: str = ""


@dataclass(frozen=True, slots=True)
class UpdateRoute(Edit[RouteRule]):
    """Change a rule in place; it keeps its id."""

    rule: str
    source: str | Prefix | None = None
    destination: str | Prefix | None = None
    next_hop: str | NextHop | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteRoute(Edit[RouteRule]):
    """Remove a rule."""

    rule: str


@dataclass(frozen=True, slots=True)
class CreatePeerConn(Edit[PeerConn]):
    """Connect two VPCs; the local one is the initiator's.

    `peer_account` and `peer_region` say whose VPC is meant and where: a tenant must name the account to reach
    another's VPC, and then by its id. `state` is the operator's (a file says how things stand): the edit
    then plays the operations that lead there. None leaves the life cycle to itself. Unset burst, queue and
    latency take their defaults.
    """

    local_vpc: str
    peer_vpc: str
    bandwidth_mbps: int
    name: str = ""
    local_interface: str = ""
    peer_interface: str = ""
    peer_account: str | None = None
    peer_region: str | None = None
    payment: str = "postpaid"
    months: int = 1
    description: str = ""
    delete_protect: bool = False
    latency_ms: float | None = None
    burst_bytes: int | None = None
    queue_bytes: int | None = None
    mtu_bytes: int = DEFAULT_MTU_BYTES
    accounting: str = "l3"
    police: bool = False
    state: str | None = None
    tags: Tags = ()


@dataclass(frozen=True, slots=True)
class AcceptPeerConn(Edit[PeerConn]):
    """Say yes to a request; the acceptor's to do."""

    peer_conn: str


@dataclass(frozen=True, slots=True)
class RejectPeerConn(Edit[PeerConn]):
    """Say no to a request; the acceptor's to do."""

    peer_conn: str


@dataclass(frozen=True, slots=True)
class DeletePeerConn(Edit[PeerConn]):
    """Remove a connection; the initiator's to do. Rules that point to it stay, and discard."""

    peer_conn: str


@dataclass(frozen=True, slots=True)
class RefundPeerConn(Edit[PeerConn]):
    """Give a prepaid connection back before its period is over: it is removed, as by a ticket."""

    peer_conn: str


@dataclass(frozen=True, slots=True)
class ResizePeerConn(Edit[PeerConn]):
    """Change the bandwidth; the initiator's to do, prepaid only up."""

    peer_conn: str
    bandwidth_mbps: int


@dataclass(frozen=True, slots=True)
class RenewPeerConn(Edit[PeerConn]):
    """Pay a prepaid connection for more months; the initiator's to do."""

    peer_conn: str
    months: int = 1


@dataclass(frozen=True, slots=True)
class UpdatePeerConn(Edit[PeerConn]):
    """Change the connection's name (the initiator's), or one side's interface name or description (its owner's)."""

    peer_conn: str
    side: str | None = None
    interface_name: str | None = None
    description: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class SetDnsSync(Edit[PeerConn]):
    """Turn DNS sync on or off: both sides at once in one account, else one side; a tenant's own if not said."""

    peer_conn: str
    enabled: bool
    side: str | None = None


@dataclass(frozen=True, slots=True)
class SetDeleteProtect(Edit[PeerConn]):
    """Guard a connection against deletion, or stop that; the initiator's to do."""

    peer_conn: str
    delete_protect: bool


@dataclass(frozen=True, slots=True)
class CreateDnsRecord(Edit[DnsRecord]):
    """Give a name an address in a VPC's private zone."""

    vpc: str
    name: str
    addr: str | int


@dataclass(frozen=True, slots=True)
class DeleteDnsRecord(Edit[DnsRecord]):
    """Remove a name from a VPC's private zone."""

    vpc: str
    name: str
