"""A subnet: a part of a VPC's CIDR in one zone, where instances live."""

from __future__ import annotations

from dataclasses import dataclass

from netsim.controlplane.values import Tags
from netsim.prefix import Prefix

LONGEST_CIDR = 29
"""Four addresses of a subnet are taken (network, router, resolver, broadcast), so /29 is the smallest of use."""

SUBNET_TYPES = ("BCC", "BCC_NAT", "BBC")
"""What the product calls the kinds of machines that a subnet is for. Packets don't care."""
DEFAULT_SUBNET_TYPE = SUBNET_TYPES[0]

RESERVED_HEAD = 3
"""Network, router and resolver: the addresses at the start that no instance gets."""


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet; its CIDR, zone and type never change."""

    id: str
    name: str
    vpc_id: str
    cidr: Prefix
    zone: str
    description: str
    created_at_ns: int
    subnet_type: str = DEFAULT_SUBNET_TYPE
    tags: Tags = ()

    @property
    def router_addr(self) -> int:
        """The VPC's router in this subnet: the first host address."""
        return self.cidr.network + 1

    @property
    def resolver_addr(self) -> int:
        """The VPC's DNS resolver in this subnet: the second host address."""
        return self.cidr.network + 2

    @property
    def broadcast(self) -> int:
        """The broadcast address: the last."""
        return self.cidr.last
