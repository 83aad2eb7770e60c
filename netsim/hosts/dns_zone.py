"""The names of one VPC: its records, its instances, and the way back from addresses.

* A record of `dns:` is a name as it was given.
* An instance is `INSTANCE.VPC.internal`, `web-1.shop.internal`. `internal` is the top-level domain
  reserved for private networks (ICANN, 2024-07-29). A record of the same name takes its place. An
  instance or VPC whose name is no host name (`my server`) has no such name.
* To its own VPC an instance whose name has no dot is also plain `web-1`.
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
_OCTETS = {str(octet): octet for octet in range(256)}

Names = tuple[str, ...]


class Zone:
    """What a VPC's resolver knows of its own.

    Attributes:
        addrs: name -> addresses.
        plain: instance name alone -> addresses; nobody else is told.
    """

    __slots__ = ("_first_octets", "_names_of", "_parents", "addrs", "plain")

    def __init__(self, vpc: Vpc, records: Iterable[DnsRecord], instances: Iterable[Instance]) -> None:
        self.addrs: dict[str, tuple[int, ...]] = {}
        self.plain: dict[str, tuple[int, ...]] = {}
        self._names_of: dict[int, Names] = {}
        for record in records:
            self.addrs[record.name] = (*self.addrs.get(record.name, ()), record.addr)
            self._names_of[record.addr] = (*self._names_of.get(record.addr, ()), record.name)
        recorded = frozenset(self.addrs)
        domain = f"{vpc.name}.{DOMAIN}".lower()
        for instance in instances:
            plain = instance.name.lower()
            if not is_host_name(plain):
                continue
            if "." not in plain:
                self.plain[plain] = (*self.plain.get(plain, ()), instance.addr)
            full = f"{plain}.{domain}"
            if not is_host_name(full):
                continue
            self._names_of[instance.addr] = (full,)
            if full not in recorded:
                self.addrs[full] = (*self.addrs.get(full, ()), instance.addr)
        # Names and parts of addresses that only end others: they exist, and hold nothing (RFC 8020).
        self._parents: set[str] = set()
        for name in self.addrs:
            self._add_parents(name)
        self._first_octets = {(n, addr >> 32 - 8 * n) for addr in self._names_of for n in (1, 2, 3)}

    def names_at(self, name: str) -> Names | None:
        """The names that a reversed address leads to, None if the name is none of those."""
        octets = _reversed_octets(name)
        return None if octets is None or octets[0] != 4 else self._names_of.get(octets[1])

    def has_below(self, name: str) -> bool:
        """Whether some name ends with this one."""
        if name in self._parents:
            return True
        octets = _reversed_octets(name)
        return octets is not None and (octets in self._first_octets or (octets[0] == 0 and bool(self._names_of)))

    def _add_parents(self, name: str) -> None:
        """`b.c` and `c` of `a.b.c`; those of many names are known after the first."""
        parent = name.partition(".")[2]
        while parent and parent not in self._parents:
            self._parents.add(parent)
            parent = parent.partition(".")[2]


def reverse_name(addr: int) -> str:
    """The name whose PTR record tells who has the address (RFC 1035 section 3.5)."""
    return ".".join([*reversed(format_addr(addr).split(".")), REVERSE_DOMAIN])


def _reversed_octets(name: str) -> tuple[int, int] | None:
    """How many octets a name under `in-addr.arpa` has, and their value; None if it is no such name."""
    if name in {REVERSE_DOMAIN, "arpa"}:
        return 0, 0
    head, dot, _ = name.rpartition(f".{REVERSE_DOMAIN}")
    octets = [_OCTETS.get(label, -1) for label in reversed(head.split("."))]
    if not dot or not name.endswith(REVERSE_DOMAIN) or len(octets) > 4 or min(octets) < 0:
        return None
    return len(octets), int.from_bytes(bytes(octets), "big")
