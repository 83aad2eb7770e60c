"""VPCs: making, changing and removing them.

Decisions on points the product's documents leave open:

- A VPC with subnets or connections (in any state) can't be deleted. Its rules and DNS records are parts
  of it and go with it.
- Turning relay off is refused while a rule has a source that only a relay VPC may have, because
  afterwards nobody could write that rule.
- "Peered with a relay VPC" means any connection that is not `consult_failed`: such a one can never carry
  a packet, every other may come to.
"""

from __future__ import annotations

from dataclasses import replace

from netsim.controlplane.edit import CreateVpc, DeleteVpc, SetRelay, UpdateVpc
from netsim.controlplane.operations.route import is_local_source
from netsim.controlplane.peer_conn import PeerConnState
from netsim.controlplane.region import check_region
from netsim.controlplane.tables import Tables, VpcEntry
from netsim.controlplane.values import check_description, check_flag, check_name, check_tags, quote, suggest, to_prefix
from netsim.controlplane.view import View
from netsim.controlplane.vpc import LONGEST_CIDR, SHORTEST_CIDR, Vpc
from netsim.errors import ConflictError, InvalidError, NotFoundError, QuotaError
from netsim.prefix import PRIVATE_RANGES, Prefix


def create_vpc(tables: Tables, view: View, edit: CreateVpc) -> Vpc:
    """Make a VPC: known account and region, private CIDR of /8 to /28, 10 per account and region."""
    what = f"vpc {check_name(edit.name, 'vpc')}"
    account = _owner(view, edit.account, what)
    region = check_region(edit.region, what)
    cidr = _check_cidr(to_prefix(edit.cidr, f"{what}: cidr", "cidr"), what)
    relay = check_flag(edit.relay, what, "relay")
    description = check_description(edit.description, what)
    tags = check_tags(edit.tags, what)
    in_region = tables.vpcs_in_region.get((account, region), ())
    most = tables.limits.vpcs_per_region
    if most is not None and len(in_region) >= most:
        raise QuotaError(
            f"{what}: account {account} has {len(in_region)} VPCs in {region}, accepted {most} (vpcs_per_region)",
            limit="vpcs_per_region",
            accepted=most,
            field="region",
        )
    vpc_id, table_id = tables.ids.next("vpc"), tables.ids.next("rt")
    vpc = Vpc(vpc_id, edit.name, account, region, cidr, relay, description, tables.now_ns, table_id, tags)
    log = tables.log
    log.put(tables.vpcs, vpc_id, vpc)
    log.put(tables.entries, vpc_id, VpcEntry(vpc, tables.version + 1))
    log.put(tables.route_tables, table_id, vpc_id)
    tables.index(tables.vpc_ids, vpc.name, vpc_id)
    tables.index(tables.vpcs_of_account, account, vpc_id)
    tables.index(tables.vpcs_in_region, (account, region), vpc_id)
    return vpc


def update_vpc(tables: Tables, view: View, edit: UpdateVpc) -> Vpc:
    """Change name or description; what is None stays."""
    entry = view.entry(edit.vpc, field="vpc")
    vpc = entry.vpc
    name = vpc.name if edit.name is None else check_name(edit.name, f"vpc {vpc.name}")
    description = vpc.description
    if edit.description is not None:
        description = check_description(edit.description, f"vpc {vpc.name}")
    if name != vpc.name:
        tables.unindex(tables.vpc_ids, vpc.name, vpc.id)
        tables.index(tables.vpc_ids, name, vpc.id)
    return _store(tables, entry, replace(vpc, name=name, description=description))


def set_relay(tables: Tables, view: View, edit: SetRelay) -> Vpc:
    """Turn relay on or off; on only while no peer is a relay VPC, off only while no rule needs it."""
    entry = view.entry(edit.vpc, field="vpc")
    vpc = entry.vpc
    what = f"vpc {vpc.name}"
    if check_flag(edit.relay, what, "relay") == vpc.relay:
        return vpc
    if edit.relay and not tables.limits.relay_may_peer:
        for conn in entry.peer_conns.values():
            peer = tables.vpcs[conn.side_beyond(vpc.id).vpc_id]
            if peer.relay and conn.state is not PeerConnState.CONSULT_FAILED:
                raise ConflictError(
                    f"{what}: relay can't be turned on, peer connection {conn.name} leads to relay VPC {peer.id}; "
                    "two relay VPCs can't be peered",
                    field="relay",
                )
    if not edit.relay:
        for rule in entry.rules.values():
            if not is_local_source(entry, rule.source):
                raise ConflictError(
                    f"{what}: relay can't be turned off, rule {rule.id} has source {rule.source}, which is inside "
                    "no subnet; only a relay VPC accepts that",
                    field="relay",
                )
    tables.touch(entry)
    return _store(tables, entry, replace(vpc, relay=edit.relay))


def delete_vpc(tables: Tables, view: View, edit: DeleteVpc) -> Vpc:
    """Remove a VPC that holds no subnet and no connection."""
    entry = view.entry(edit.vpc, field="vpc")
    vpc = entry.vpc
    for things, noun in ((entry.subnets, "subnet"), (entry.peer_conns, "peer connection")):
        if things:
            plural = "s" * (len(things) > 1)
            raise ConflictError(
                f"vpc {vpc.name}: has {len(things)} {noun}{plural}, expected none before it is deleted",
                field="vpc",
            )
    log = tables.log
    for rule_id in entry.rules:
        log.remove_in_order(tables.rules, rule_id)
    log.remove(tables.route_tables, vpc.route_table_id)
    log.remove_in_order(tables.vpcs, vpc.id)
    log.remove_in_order(tables.entries, vpc.id)
    tables.unindex(tables.vpc_ids, vpc.name, vpc.id)
    tables.unindex(tables.vpcs_of_account, vpc.account, vpc.id)
    tables.unindex(tables.vpcs_in_region, (vpc.account, vpc.region), vpc.id)
    return vpc


def _store(tables: Tables, entry: VpcEntry, vpc: Vpc) -> Vpc:
    tables.log.put(tables.vpcs, vpc.id, vpc)
    tables.log.set_field(entry, "vpc", vpc)
    return vpc


def _owner(view: View, given: str | None, what: str) -> str:
    account = view.account if given is None else given
    if account is None:
        raise InvalidError(f"{what}: no account given, expected the id of its owner", field="account")
    visible = view.accounts
    if not isinstance(account, str) or account not in visible:
        raise NotFoundError(f"{what}: account {quote(account)}: not found{suggest(account, visible)}", field="account")
    return account


def _check_cidr(cidr: Prefix, what: str) -> Prefix:
    if not SHORTEST_CIDR <= cidr.prefix_len <= LONGEST_CIDR:
        raise InvalidError(
            f"{what}: cidr {cidr} has mask /{cidr.prefix_len}, accepted /{SHORTEST_CIDR} to /{LONGEST_CIDR}",
            field="cidr",
        )
    if not any(private.covers(cidr) for private in PRIVATE_RANGES):
        ranges = ", ".join(map(str, PRIVATE_RANGES))
        raise InvalidError(f"{what}: cidr {cidr} is not private, accepted inside one of {ranges}", field="cidr")
    return cidr
