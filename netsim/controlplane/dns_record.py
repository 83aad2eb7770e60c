"""A DNS record: one name and one address in a VPC's private zone."""

from __future__ import annotations

import re
from dataclasses import dataclass

# RFC 1035 section 2.3.4: labels of 1..63 octets, 253 characters in all. Underscores as in RFC 8552.
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_MAX_CHARS = 253


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """An A record; `name` is lower-case, without a dot at the end, and unique in its VPC."""

    vpc_id: str
    name: str
    addr: int


def is_host_name(name: str) -> bool:
    """Whether a text, lower-case and without a dot at the end, may be a name in a zone."""
    return len(name) <= _MAX_CHARS and all(_LABEL.fullmatch(label) for label in name.split("."))
