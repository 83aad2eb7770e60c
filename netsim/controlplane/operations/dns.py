"""DNS records of a VPC's private zone: one address a name."""

from __future__ import annotations

from netsim.controlplane.dns_record import DnsRecord, is_host_name
from netsim.controlplane.edit import CreateDnsRecord, DeleteDnsRecord
from netsim.controlplane.tables import Tables
from netsim.controlplane.values import quote, suggest, to_addr
from netsim.controlplane.view import View
from netsim.errors import ConflictError, InvalidError, NotFoundError


def create_dns_record(tables: Tables, view: View, edit: CreateDnsRecord) -> DnsRecord:
    """Give a name an address, any address; case and a dot at the end don't matter."""
    entry = view.entry(edit.vpc, field="vpc")
    name = _to_name(edit.name, f"vpc {entry.vpc.name}: dns record")
    what = f"dns record {name} of vpc {entry.vpc.name}"
    addr = to_addr(edit.addr, f"{what}: addr", "addr")
    if name in entry.dns:
        raise ConflictError(f"{what}: exists already", field="name")
    record = DnsRecord(entry.vpc.id, name, addr)
    tables.log.put(entry.dns, name, record)
    return record


def delete_dns_record(tables: Tables, view: View, edit: DeleteDnsRecord) -> DnsRecord:
    """Remove a name; O(names of the VPC)."""
    entry = view.entry(edit.vpc, field="vpc")
    name = _to_name(edit.name, f"vpc {entry.vpc.name}: dns record")
    if name not in entry.dns:
        raise NotFoundError(
            f"dns record {name} of vpc {entry.vpc.name}: not found{suggest(name, entry.dns)}", field="name"
        )
    # Names are no ids and know no order of creation, so the whole zone is replaced instead.
    rest = {other: record for other, record in entry.dns.items() if other != name}
    record = entry.dns[name]
    tables.log.set_field(entry, "dns", rest)
    return record


def _to_name(given: str, what: str) -> str:
    name = given.removesuffix(".").lower() if isinstance(given, str) else ""
    if not is_host_name(name):
        raise InvalidError(f"{what}: name {quote(given)} is not a host name, expected like shop.local", field="name")
    return name
