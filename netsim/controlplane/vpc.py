"""A VPC: a private network of one account in one region, with one router."""

from __future__ import annotations

from dataclasses import dataclass

from netsim.controlplane.values import Tags
from netsim.prefix import Prefix

SHORTEST_CIDR = 8
LONGEST_CIDR = 28
"""Prefix lengths a VPC may have (vendor's VPC planning guide)."""


@dataclass(frozen=True, slots=True)
class Vpc:
    """A VPC; its region, account and CIDR never change.

    `relay` lets packets that came in over one peer connection leave by another. Names need not be
    unique; ids are. `route_table_id` is the one table that comes and goes with the VPC.
    """

    id: str
    name: str
    account: str
    region: str
    cidr: Prefix
    relay: bool
    description: str
    created_at_ns: int
    route_table_id: str
    tags: Tags = ()
