"""Plan: what a deployment consists of, as data. Nothing here touches the machine.

Namespaces hold devices, addresses, neighbours, policy rules, routes, caps and a filter; links join two of them.
`batch.py` writes it as input of `ip`, `tc` and `nft`, `deploy.py` runs that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from netsim.prefix import Prefix

Kind = Literal["instance", "router", "wires"]


@dataclass(frozen=True, slots=True)
class Device:
    """An interface of a namespace, brought up: an end of a link (or of a pair inside), or a bridge.

    `master` is the bridge it is a port of. Without `has_arp` the kernel asks nobody for addresses there.
    `twin` is the other end of a pair that stays inside the namespace; "" for ends of links and bridges.
    """

    name: str
    mac: str
    mtu_bytes: int
    is_bridge: bool = False
    master: str = ""
    has_arp: bool = True
    twin: str = ""
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """An address of a device."""

    device: str
    addr: int
    prefix_len: int


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A permanent entry: who has an address is known, nobody is asked."""

    device: str
    addr: int
    mac: str


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """Packets with this source look in that table, in order of priority."""

    priority: int
    source: Prefix
    table: int


@dataclass(frozen=True, slots=True)
class Route:
    """A route; no device means blackhole. `via` 0 is none; `src` is the address the router's own packets get."""

    table: int
    destination: Prefix
    device: str
    via: int = 0
    src: int = 0


@dataclass(frozen=True, slots=True)
class Cap:
    """A token bucket on what leaves a device, in bytes of layer 2."""

    device: str
    rate_bps: int
    burst_bytes: int
    queue_bytes: int


@dataclass(frozen=True, slots=True)
class Delay:
    """Propagation delay on what leaves a device; `limit` packets are on their way at once."""

    device: str
    delay_ns: int
    limit: int


@dataclass(frozen=True, slots=True)
class Namespace:
    """One namespace, in the order in which its parts are made.

    Attributes:
        name: below /run/netns.
        kind, node: what it is, and of which instance or VPC (`shop/web-1`, `shop`).
        sysctls: (path below /proc/sys/net, value), written before there is any device.
        device_sysctls: the same, written when the devices are there.
        filters: nft, "" for none.
        has_trains: False where each packet is to leave by itself (no segmentation offload).
    """

    name: str
    kind: Kind
    node: str
    sysctls: tuple[tuple[str, str], ...]
    devices: tuple[Device, ...]
    device_sysctls: tuple[tuple[str, str], ...] = ()
    addresses: tuple[Address, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    rules: tuple[PolicyRule, ...] = ()
    routes: tuple[Route, ...] = ()
    caps: tuple[Cap, ...] = ()
    delays: tuple[Delay, ...] = ()
    filters: str = ""
    has_trains: bool = True


@dataclass(frozen=True, slots=True)
class End:
    """One end of a link: a device of a namespace."""

    namespace: str
    device: str


@dataclass(frozen=True, slots=True)
class Link:
    """A veth pair between two namespaces."""

    a: End
    b: End


@dataclass(frozen=True, slots=True)
class Node:
    """What `exec` may enter: an instance or a VPC's router. `addr` is 0 for a router without subnets."""

    ref: str
    namespace: str
    kind: Kind
    vpc: str
    addr: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole deployment.

    Attributes:
        name: of the deployment; part of every namespace's name.
        namespaces, links: in the order in which they are made.
        nodes: instances as `vpc/name`, then routers by VPC.
        hosts: by VPC, the text of an /etc/hosts with what its instances may call by name.
        notes: what differs from the file's wishes, a sentence each.
        peer_devices: (id of the connection, side) -> the end whose egress is capped; active connections only.
    """

    name: str
    namespaces: tuple[Namespace, ...]
    links: tuple[Link, ...]
    nodes: tuple[Node, ...]
    hosts: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    peer_devices: dict[tuple[str, str], End] = field(default_factory=dict)
