"""Instances: starting, changing and removing them.

Names are unique in a VPC, so that `vpc/name` means one instance. An instance without a given address
takes the lowest free one of its subnet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netsim.controlplane.edit import CreateInstance, DeleteInstance, UpdateInstance
from netsim.controlplane.instance import MAX_NIC_MBPS, PROTOCOL_NUMBERS, Instance
from netsim.controlplane.subnet import RESERVED_HEAD, Subnet
from netsim.controlplane.tables import Tables, VpcEntry
from netsim.controlplane.values import check_integer, check_name, quote, to_addr
from netsim.controlplane.view import View
from netsim.dataplane.fib import ECHO_PROTO
from netsim.errors import ConflictError, InvalidError, QuotaError
from netsim.prefix import format_addr

_MAX_PORT = 65_535


def create_instance(tables: Tables, view: View, edit: CreateInstance) -> Instance:
    """Start an instance: a free host address of its subnet, and a name that is new in the VPC."""
    what = f"instance {check_name(edit.name, 'instance')}"
    subnet = view.subnet(edit.subnet, edit.vpc, field="subnet")
    entry = tables.entries[subnet.vpc_id]
    _check_name_is_free(entry, edit.name, what)
    if edit.addr is None:
        addr = _lowest_free(entry, subnet, what)
    else:
        addr = _check_addr(entry, subnet, to_addr(edit.addr, f"{what}: addr", "addr"), what)
    listen = _to_listen(edit.listen, what) if edit.listen else ()
    nic_mbps = check_integer(edit.nic_mbps, 1, MAX_NIC_MBPS, what, "nic_mbps")
    instance = Instance(
        tables.ids.next("i"), edit.name, subnet.vpc_id, subnet.id, addr, listen, nic_mbps, tables.now_ns
    )
    log = tables.log
    log.put(tables.instances, instance.id, instance)
    log.put(entry.instances, instance.id, instance)
    log.put(entry.used_addrs, addr, instance.id)
    log.put(entry.instance_ids, instance.name, instance.id)
    tables.index(tables.instance_ids, instance.name, instance.id)
    tables.touch(entry)
    return instance


def update_instance(tables: Tables, view: View, edit: UpdateInstance) -> Instance:
    """Change name, open ports or interface rate; what is None stays."""
    instance = view.instance(edit.instance, field="instance")
    entry = tables.entries[instance.vpc_id]
    what = f"instance {instance.name}"
    name, listen, nic_mbps = instance.name, instance.listen, instance.nic_mbps
    if edit.listen is not None:
        listen = _to_listen(edit.listen, what)
    if edit.nic_mbps is not None:
        nic_mbps = check_integer(edit.nic_mbps, 1, MAX_NIC_MBPS, what, "nic_mbps")
    if edit.name is not None and edit.name != name:
        name = check_name(edit.name, what)
        _check_name_is_free(entry, name, what)
        tables.log.remove(entry.instance_ids, instance.name)
        tables.log.put(entry.instance_ids, name, instance.id)
        tables.unindex(tables.instance_ids, instance.name, instance.id)
        tables.index(tables.instance_ids, name, instance.id)
    changed = replace(instance, name=name, listen=listen, nic_mbps=nic_mbps)
    tables.log.put(tables.instances, instance.id, changed)
    tables.log.put(entry.instances, instance.id, changed)
    tables.touch(entry)
    return changed


def delete_instance(tables: Tables, view: View, edit: DeleteInstance) -> Instance:
    """Remove an instance; DNS records that name its address stay."""
    instance = view.instance(edit.instance, field="instance")
    entry = tables.entries[instance.vpc_id]
    log = tables.log
    log.remove_in_order(tables.instances, instance.id)
    log.remove_in_order(entry.instances, instance.id)
    log.remove(entry.used_addrs, instance.addr)
    log.remove(entry.instance_ids, instance.name)
    tables.unindex(tables.instance_ids, instance.name, instance.id)
    tables.touch(entry)
    return instance


def _check_name_is_free(entry: VpcEntry, name: str, what: str) -> None:
    if name in entry.instance_ids:
        raise ConflictError(f"{what}: vpc {entry.vpc.name} has an instance of this name already", field="name")


def _check_addr(entry: VpcEntry, subnet: Subnet, addr: int, what: str) -> int:
    """A host address of the subnet that nobody has; refused with the reason."""
    cidr = subnet.cidr
    first, last = cidr.first + RESERVED_HEAD, cidr.last - 1
    if not first <= addr <= last:
        taken_by = {
            cidr.first: ", the network address",
            subnet.router_addr: ", the VPC's router",
            subnet.resolver_addr: ", the DNS resolver",
            cidr.last: ", the broadcast address",
        }.get(addr, "")
        raise InvalidError(
            f"{what}: addr {format_addr(addr)}{taken_by}, accepted {format_addr(first)} to {format_addr(last)} "
            f"in subnet {subnet.name}",
            field="addr",
        )
    if addr in entry.used_addrs:
        owner = entry.instances[entry.used_addrs[addr]]
        raise ConflictError(f"{what}: addr {format_addr(addr)} belongs to instance {owner.name}", field="addr")
    return addr


def _lowest_free(entry: VpcEntry, subnet: Subnet, what: str) -> int:
    hosts = range(subnet.cidr.first + RESERVED_HEAD, subnet.cidr.last)
    for addr in hosts:
        if addr not in entry.used_addrs:
            return addr
    raise QuotaError(
        f"{what}: subnet {subnet.name} has no free address left, accepted {len(hosts)} instances in {subnet.cidr}",
        limit="addresses_per_subnet",
        accepted=len(hosts),
        field="subnet",
    )


def _to_listen(given: Iterable[str | tuple[int, int]], what: str) -> tuple[tuple[int, int], ...]:
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise InvalidError(f"{what}: listen {quote(given)}, expected a list like [tcp/80, udp/53]", field="listen")
    return tuple(sorted({_to_port(item, what) for item in given}))


def _to_port(item: str | tuple[int, int], what: str) -> tuple[int, int]:
    """`tcp/80` or (6, 80) as (6, 80); `tcp/7/echo` as (ECHO_PROTO, 7)."""
    if isinstance(item, str):
        protocol, _, digits = item.partition("/")
        number = PROTOCOL_NUMBERS.get(protocol, 0)
        if protocol == "tcp" and digits.endswith("/echo"):
            number, digits = ECHO_PROTO, digits.removesuffix("/echo")
        port = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 5 else 0
    elif isinstance(item, tuple) and len(item) == 2 and type(item[0]) is int and type(item[1]) is int:
        number, port = item
    else:
        number = port = 0
    if number not in {*PROTOCOL_NUMBERS.values(), ECHO_PROTO} or not 1 <= port <= _MAX_PORT:
        raise InvalidError(
            f"{what}: listen {quote(item)}, accepted tcp/PORT, udp/PORT or tcp/PORT/echo with a port 1..{_MAX_PORT}",
            field="listen",
        )
    return number, port
