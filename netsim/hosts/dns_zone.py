"""The names of one VPC: its records, its instances, and the way back from addresses.

* A record of `dns:` is a name as it was given.
* An instance is `INSTANCE.VPC.internal`, `web-1.shop.internal`. `internal` is the top-level domain
  reserved for private networks (ICANN, 2024-07-29). A record of the same name takes its place. An
  instance or VPC whose name is no host name (`my server`) has no such name.
* To its own VPC an instance is also plain `web-1`.
* An address leads back to its instance, `10.0.168.192.in-addr.arpa` to `web-1.shop.internal`, else to
  all records with that address.

Names are lower-case here, without a dot at the end.
"""

from __future__ import annotations

from collections.abc import Iterable

from netsim.controlplane.dns_record import DnsRecord, is_host_name
from netsim.controlplane.instance import Instance
from netsim.controlplane.vpc import Vpc
from netsim.prefix import format_addr

DOMAIN = "internal"
REVERSE_DOMAIN = "in-addr.arpa"

Names = tuple[str, ...]


class Zone:
    """What a VPC's resolver knows of its own.

    Attributes:
        addrs: name -> addresses.
        plain: instance name alone -> addresses; nobody else is told.
        pointers: reversed address under `in-addr.arpa` -> names.
        parents: names that are only the ends of others: they exist, and hold nothing (RFC 8020).
    """

    __slots__ = ("addrs", "parents", "plain", "pointers")

    def __init__(self, vpc: Vpc, records: Iterable[DnsRecord], instances: Iterable[Instance]) -> None:
        self.addrs: dict[str, tuple[int, ...]] = {}
        self.plain: dict[str, tuple[int, ...]] = {}
        named: dict[int, Names] = {}
        for record in records:
            self.addrs[record.name] = (*self.addrs.get(record.name, ()), record.addr)
            named[record.addr] = (*named.get(record.addr, ()), record.name)
        recorded = frozenset(self.addrs)
        for instance in instances:
            plain = instance.name.lower()
            full = full_name(instance, vpc)
            if is_host_name(plain):
                self.plain[plain] = (*self.plain.get(plain, ()), instance.addr)
            if full is not None:
                named[instance.addr] = (full,)
                if full not in recorded:
                    self.addrs[full] = (*self.addrs.get(full, ()), instance.addr)
        self.pointers = {reverse_name(addr): names for addr, names in named.items()}
        self.parents = {parent for name in (*self.addrs, *self.pointers) for parent in _parents(name)}


def full_name(instance: Instance, vpc: Vpc) -> str | None:
    """`web-1.shop.internal`, None if that is no host name."""
    name = f"{instance.name}.{vpc.name}.{DOMAIN}".lower()
    return name if is_host_name(name) else None


def reverse_name(addr: int) -> str:
    """The name whose PTR record tells who has the address (RFC 1035 section 3.5)."""
    return ".".join([*reversed(format_addr(addr).split(".")), REVERSE_DOMAIN])


def _parents(name: str) -> list[str]:
    """`b.c` and `c` of `a.b.c`."""
    labels = name.split(".")
    return [".".join(labels[k:]) for k in range(1, len(labels))]
