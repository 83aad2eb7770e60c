"""A DNS record: one name and one address in a VPC's private zone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """An A record; `name` is lower-case, without a dot at the end, and unique in its VPC."""

    vpc_id: str
    name: str
    addr: int
