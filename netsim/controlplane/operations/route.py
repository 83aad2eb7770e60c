"""Route rules: writing, changing and removing them.

Decisions on points the product's documents leave open:

- The system route (the VPC's own CIDR) does not count in the 50 rules of a VPC.
- The destination rule holds for every next hop, blackholes included.
- A rule may point to a connection in any state; it discards until the connection is active. It can't be
  written towards an interface that this VPC doesn't have, which is also the answer for another's.
- An update that leaves the next hop alone leaves a dangling one alone.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import replace
from functools import lru_cache

from netsim.controlplane.edit import CreateRoute, DeleteRoute, UpdateRoute
from netsim.controlplane.route_table import BLACKHOLE, BLACKHOLE_WORD, GATEWAY_SCHEME, NextHop, RouteRule
from netsim.controlplane.tables import Tables, VpcEntry
from netsim.controlplane.values import check_description, quote, suggest, to_prefix
from netsim.controlplane.view import View
from netsim.errors import ConflictError, InvalidError, NotFoundError, QuotaError
from netsim.prefix import ANY, Prefix

_GATEWAY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@lru_cache(maxsize=4096)
def _via(interface_id: str) -> NextHop:
    """The next hop over an interface; the many rules of one interface share it."""
    return NextHop("peer", interface_id)


def create_route(tables: Tables, view: View, edit: CreateRoute) -> RouteRule:
    """Add a rule to a VPC's table; about 6 us, however many there are."""
    entry = view.entry(edit.vpc, field="vpc")
    vpc = entry.vpc
    source = to_prefix(edit.source, "route: source", "source")
    destination = to_prefix(edit.destination, "route: destination", "destination")
    _check_source(entry, source, destination)
    _check_destination(entry, destination)
    _check_pair_is_free(entry, source, destination)
    most = tables.limits.routes_per_vpc
    if most is not None and len(entry.rules) >= most:
        raise QuotaError(
            f"{_label(entry, destination)}: the VPC has {len(entry.rules)} rules, accepted {most} (routes_per_vpc)",
            limit="routes_per_vpc",
            accepted=most,
            field="vpc",
        )
    next_hop = _to_next_hop(tables, view, entry, edit.next_hop, destination)
    description = check_description(edit.description, "route") if edit.description != "" else ""
    rule = RouteRule(tables.ids.next("rr"), vpc.id, source, destination, next_hop, description)
    log = tables.log
    log.put(tables.rules, rule.id, rule)
    log.put(entry.rules, rule.id, rule)
    log.put(entry.rule_ids, (source, destination), rule.id)
    tables.touch(entry)
    return rule


def update_route(tables: Tables, view: View, edit: UpdateRoute) -> RouteRule:
    """Change a rule in place, under the same checks; what is None stays."""
    rule = view.rule(edit.rule, field="rule")
    entry = tables.entries[rule.vpc_id]
    source, destination, next_hop, description = rule.source, rule.destination, rule.next_hop, rule.description
    if edit.source is not None:
        source = to_prefix(edit.source, f"route {rule.id}: source", "source")
    if edit.destination is not None:
        destination = to_prefix(edit.destination, f"route {rule.id}: destination", "destination")
    _check_source(entry, source, destination)
    _check_destination(entry, destination)
    if (source, destination) != (rule.source, rule.destination):
        _check_pair_is_free(entry, source, destination)
    if edit.next_hop is not None:
        next_hop = _to_next_hop(tables, view, entry, edit.next_hop, destination)
    if edit.description is not None:
        description = check_description(edit.description, f"route {rule.id}")
    changed = replace(rule, source=source, destination=destination, next_hop=next_hop, description=description)
    log = tables.log
    log.put(tables.rules, rule.id, changed)
    log.put(entry.rules, rule.id, changed)
    if (source, destination) != (rule.source, rule.destination):
        log.remove(entry.rule_ids, (rule.source, rule.destination))
        log.put(entry.rule_ids, (source, destination), rule.id)
    tables.touch(entry)
    return changed


def delete_route(tables: Tables, view: View, edit: DeleteRoute) -> RouteRule:
    """Remove a rule."""
    rule = view.rule(edit.rule, field="rule")
    entry = tables.entries[rule.vpc_id]
    log = tables.log
    log.remove_in_order(tables.rules, rule.id)
    log.remove_in_order(entry.rules, rule.id)
    log.remove(entry.rule_ids, (rule.source, rule.destination))
    tables.touch(entry)
    return rule


def is_local_source(entry: VpcEntry, source: Prefix) -> bool:
    """Whether any VPC may have a rule with this source: everything, or inside one of its subnets."""
    if source == ANY:
        return True
    i = bisect_right(entry.subnet_starts, source.network)
    if i == 0:
        return False
    cidr = entry.subnet_at[entry.subnet_starts[i - 1]].cidr
    return cidr.prefix_len <= source.prefix_len and source.network <= cidr.last


def _label(entry: VpcEntry, destination: Prefix) -> str:
    return f"route {destination} of vpc {entry.vpc.name}"


def _check_source(entry: VpcEntry, source: Prefix, destination: Prefix) -> None:
    if not entry.vpc.relay and not is_local_source(entry, source):
        raise InvalidError(
            f"{_label(entry, destination)}: source {source}, accepted 0.0.0.0/0 or inside a subnet of the VPC "
            "(any in a relay VPC)",
            field="source",
        )


def _check_destination(entry: VpcEntry, destination: Prefix) -> None:
    if destination != ANY and destination.overlaps(entry.vpc.cidr):
        raise InvalidError(
            f"{_label(entry, destination)}: destination overlaps the VPC's own {entry.vpc.cidr}, accepted 0.0.0.0/0 "
            "or outside of it",
            field="destination",
        )


def _check_pair_is_free(entry: VpcEntry, source: Prefix, destination: Prefix) -> None:
    if (source, destination) in entry.rule_ids:
        taken = entry.rule_ids[source, destination]
        raise ConflictError(
            f"{_label(entry, destination)}: rule {taken} has source {source} and this destination already, "
            "expected a new pair",
            field="destination",
        )


def _to_next_hop(tables: Tables, view: View, entry: VpcEntry, given: str | NextHop, destination: Prefix) -> NextHop:
    """The next hop meant: an interface of this VPC by id or name, a gateway, or the blackhole."""
    if isinstance(given, NextHop):
        if given == BLACKHOLE:
            return BLACKHOLE
        given = GATEWAY_SCHEME + str(given.target) if given.kind == "gateway" else given.target
    if isinstance(given, str):
        found = tables.interfaces.get(given)
        if found is not None:
            conn_id, side = found
            if conn_id in entry.peer_conns and tables.peer_conns[conn_id].side(side).vpc_id == entry.vpc.id:
                return _via(given)
        if given == BLACKHOLE_WORD:
            return BLACKHOLE
        if given.startswith(GATEWAY_SCHEME):
            name = given[len(GATEWAY_SCHEME) :]
            if not _GATEWAY_NAME.fullmatch(name):
                raise InvalidError(
                    f"{_label(entry, destination)}: next hop {quote(given)}, expected gateway:NAME with letters, "
                    "digits, dots, dashes and underscores",
                    field="next_hop",
                )
            return NextHop("gateway", name)
        named = entry.interface_ids.get(given)
        if named is not None:
            if len(named) > 1:
                view.interface(given, entry.vpc.id, field="next_hop")  # refuses, and lists the ids
            return _via(next(iter(named)))
    if isinstance(given, str) and given in entry.peer_conns:
        hint = f", did you mean {quote(entry.peer_conns[given].side_in(entry.vpc.id).interface_id)}?"
    else:
        hint = suggest(given, entry.interface_ids)
    raise NotFoundError(
        f"{_label(entry, destination)}: next hop {quote(given)}: not found, expected a peer connection interface of "
        f"this VPC (name or id), gateway:NAME or blackhole{hint}",
        field="next_hop",
    )
