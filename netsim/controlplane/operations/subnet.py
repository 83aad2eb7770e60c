"""Subnets: making, changing and removing them.

Decisions on points the product's documents leave open:

- Names need not be unique in a VPC; an ambiguous reference is refused instead.
- The smallest subnet is /29.
- A subnet can't be deleted while it holds instances, nor while a rule's source lies inside it (in a relay
  VPC any source goes, so there it can): afterwards nobody could write that rule.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

from netsim.controlplane.edit import CreateSubnet, DeleteSubnet, UpdateSubnet
from netsim.controlplane.region import check_zone
from netsim.controlplane.subnet import LONGEST_CIDR, SUBNET_TYPES, Subnet
from netsim.controlplane.tables import Tables, VpcEntry
from netsim.controlplane.values import check_choice, check_description, check_name, check_tags, to_prefix
from netsim.controlplane.view import View
from netsim.errors import ConflictError, InvalidError, QuotaError
from netsim.prefix import ANY, Prefix


def create_subnet(tables: Tables, view: View, edit: CreateSubnet) -> Subnet:
    """Cut a subnet out of a VPC: inside its CIDR, disjoint from the others, 10 per VPC."""
    entry = view.entry(edit.vpc, field="vpc")
    vpc = entry.vpc
    what = f"subnet {check_name(edit.name, f'vpc {vpc.name}: subnet')} of vpc {vpc.name}"
    cidr = to_prefix(edit.cidr, f"{what}: cidr", "cidr")
    if not vpc.cidr.covers(cidr):
        raise InvalidError(f"{what}: cidr {cidr}, accepted inside the VPC's {vpc.cidr}", field="cidr")
    if cidr.prefix_len > LONGEST_CIDR:
        raise InvalidError(f"{what}: cidr {cidr} is too small, accepted up to /{LONGEST_CIDR}", field="cidr")
    sibling = _overlapped(entry, cidr)
    if sibling is not None:
        raise ConflictError(
            f"{what}: cidr {cidr} overlaps {sibling.cidr} of subnet {sibling.name}, expected disjoint subnets",
            field="cidr",
        )
    zone = check_zone(edit.zone, vpc.region, what)
    description = check_description(edit.description, what)
    kind = check_choice(edit.subnet_type, SUBNET_TYPES, what, "subnet_type")
    tags = check_tags(edit.tags, what)
    most = tables.limits.subnets_per_vpc
    if most is not None and len(entry.subnets) >= most:
        raise QuotaError(
            f"{what}: the VPC has {len(entry.subnets)} subnets, accepted {most} (subnets_per_vpc)",
            limit="subnets_per_vpc",
            accepted=most,
            field="vpc",
        )
    subnet_id = tables.ids.next("sbn")
    subnet = Subnet(subnet_id, edit.name, vpc.id, cidr, zone, description, tables.now_ns, kind, tags)
    log = tables.log
    log.put(tables.subnets, subnet.id, subnet)
    log.put(entry.subnets, subnet.id, subnet)
    log.put(entry.subnet_at, cidr.network, subnet)
    log.insert_sorted(entry.subnet_starts, cidr.network)
    tables.index(tables.subnet_ids, subnet.name, subnet.id)
    tables.index(entry.subnet_ids, subnet.name, subnet.id)
    tables.touch(entry)
    return subnet


def update_subnet(tables: Tables, view: View, edit: UpdateSubnet) -> Subnet:
    """Change name or description; what is None stays."""
    subnet = view.subnet(edit.subnet, edit.vpc, field="subnet")
    entry = tables.entries[subnet.vpc_id]
    what = f"subnet {subnet.name} of vpc {entry.vpc.name}"
    name = subnet.name if edit.name is None else check_name(edit.name, what)
    description = subnet.description if edit.description is None else check_description(edit.description, what)
    if name != subnet.name:
        for sets in (tables.subnet_ids, entry.subnet_ids):
            tables.unindex(sets, subnet.name, subnet.id)
            tables.index(sets, name, subnet.id)
    changed = replace(subnet, name=name, description=description)
    log = tables.log
    log.put(tables.subnets, subnet.id, changed)
    log.put(entry.subnets, subnet.id, changed)
    log.put(entry.subnet_at, subnet.cidr.network, changed)
    return changed


def delete_subnet(tables: Tables, view: View, edit: DeleteSubnet) -> Subnet:
    """Remove a subnet that nothing needs; looks at the VPC's instances and rules."""
    subnet = view.subnet(edit.subnet, edit.vpc, field="subnet")
    entry = tables.entries[subnet.vpc_id]
    what = f"subnet {subnet.name} of vpc {entry.vpc.name}"
    held = [instance.name for instance in entry.instances.values() if instance.subnet_id == subnet.id]
    if held:
        raise ConflictError(
            f"{what}: holds {len(held)} instance{'s' * (len(held) > 1)} ({held[0]}{', …' * (len(held) > 1)}), "
            "expected none before it is deleted",
            field="subnet",
        )
    for rule in entry.rules.values():
        if not entry.vpc.relay and rule.source != ANY and subnet.cidr.covers(rule.source):
            raise ConflictError(
                f"{what}: rule {rule.id} has source {rule.source}, expected no rule from here before it is deleted",
                field="subnet",
            )
    log = tables.log
    log.remove_in_order(tables.subnets, subnet.id)
    log.remove_in_order(entry.subnets, subnet.id)
    log.remove(entry.subnet_at, subnet.cidr.network)
    log.delete_sorted(entry.subnet_starts, subnet.cidr.network)
    tables.unindex(tables.subnet_ids, subnet.name, subnet.id)
    tables.unindex(entry.subnet_ids, subnet.name, subnet.id)
    tables.touch(entry)
    return subnet


def _overlapped(entry: VpcEntry, cidr: Prefix) -> Subnet | None:
    """A subnet that shares an address with `cidr`: the last that starts before its end, if any does."""
    i = bisect_right(entry.subnet_starts, cidr.last)
    if i == 0:
        return None
    before = entry.subnet_at[entry.subnet_starts[i - 1]]
    return before if before.cidr.last >= cidr.first else None
