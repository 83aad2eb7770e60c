"""What becomes of a packet, worked out on a networkx graph from the tenants' resources alone.

The third opinion beside the engine and the verifier: no Fib, no kernels, no arrays. A MultiDiGraph has
a node for each VPC and an edge for each direction of each active connection, keyed by the interface that
leads into it; `fate` walks it by the rules of the design, section 3.
"""

from __future__ import annotations

from typing import Any

import networkx as nx

from netsim.controlplane.instance import Instance
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.route_table import RouteRule

Fate = tuple[str, str | None]
"""Disposition and the id of the instance that got the packet ("router" for a router or resolver)."""


class PlainWalk:
    """The graph of an inventory as it is now."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.graph: Any = nx.MultiDiGraph()
        self.graph.add_nodes_from(inventory.vpcs)
        for conn in inventory.peer_conns.values():
            if conn.state.value == "active":
                self.graph.add_edge(conn.local.vpc_id, conn.peer.vpc_id, key=conn.local.interface_id)
                self.graph.add_edge(conn.peer.vpc_id, conn.local.vpc_id, key=conn.peer.interface_id)

    def verdict(self, a: Instance, b: Instance) -> tuple[str, str]:
        """Verdict and reason of a packet there and its answer back."""
        end, who = self.fate(a, a.addr, b.addr)
        if end != "delivered":
            return "not_reachable", end
        if who != b.id:
            return "not_reachable", "overlapping_cidr"
        end, who = self.fate(b, b.addr, a.addr)
        if end != "delivered":
            return "one_way", "no_return_route" if end == "no_route" else end
        return ("reachable", "") if who == a.id else ("one_way", "overlapping_cidr")

    def fate(self, sender: Instance, src: int, dst: int) -> Fate:
        """How a packet of TTL 64 from `sender` ends."""
        subnet = self.inventory.subnets[sender.subnet_id].cidr
        found = self.owner(sender.vpc_id, dst)
        if subnet.has(dst) and found != "router":
            return self.handed_over(found)
        return self.fate_of_router(sender.vpc_id, src, dst)

    def fate_of_router(self, vpc: str, src: int, dst: int) -> Fate:
        """How a packet ends that an instance of `vpc` hands to its router; nothing is said of its subnet."""
        octet = dst >> 24
        if octet in (0, 127) or 224 <= octet <= 239 or dst == 0xFFFFFFFF:
            return "bad_destination", None
        return self.routed(vpc, src, dst)

    def routed(self, vpc: str, src: int, dst: int) -> Fate:
        """How a packet that a router of `vpc` gets from an instance of its own ends."""
        for used in range(64):
            rule = self.best(vpc, src, dst)
            is_last = used == 63
            if rule is None and self.inventory.vpcs[vpc].cidr.has(dst):
                found = self.owner(vpc, dst)
                if is_last and found not in ("router", "edge", "nobody"):
                    break
                return self.handed_over(found)
            end = "no_route" if rule is None else self.obstacle(vpc, rule, used)
            if end or rule is None:
                return end, None
            if is_last:
                break
            if rule.next_hop.kind == "gateway":
                return "exits_network", None
            vpc = self.far_end(vpc, rule.next_hop.target) or ""
        return "ttl_expired", None

    def obstacle(self, vpc: str, rule: RouteRule, used: int) -> str:
        """What stops a packet that `used` connections have brought here and `rule` sends on, "" for nothing."""
        kind, target = rule.next_hop
        if kind == "blackhole":
            return "blackhole"
        if kind == "peer" and self.far_end(vpc, target) is None:
            return "bad_state_route"
        limit = self.inventory.limits.transits
        has_transit = self.inventory.vpcs[vpc].relay and (limit is None or used - 1 < limit)
        return "" if used == 0 or has_transit else "transit_denied"

    def far_end(self, vpc: str, interface: str) -> str | None:
        """Where an interface leads while its connection is active."""
        return next((far for _, far, key in self.graph.out_edges(vpc, keys=True) if key == interface), None)

    def best(self, vpc: str, src: int, dst: int) -> RouteRule | None:
        """The tenant's rule that wins, None when none matches or the VPC's own CIDR is longer."""
        own = self.inventory.vpcs[vpc].cidr
        floor = own.prefix_len if own.has(dst) else -1
        rules = [r for r in self.inventory.rules_of(vpc) if r.source.has(src) and r.destination.has(dst)]
        rules = [r for r in rules if r.destination.prefix_len > floor]
        return max(rules, key=lambda r: (r.destination.prefix_len, r.source.prefix_len), default=None)

    def owner(self, vpc: str, addr: int) -> str:
        """Id of the instance that has the address in this VPC, or router, edge, nobody."""
        for subnet in self.inventory.subnets_of(vpc):
            if addr in (subnet.cidr.first, subnet.cidr.last):
                return "edge"
            if addr in (subnet.cidr.first + 1, subnet.cidr.first + 2):
                return "router"
        return next((i.id for i in self.inventory.instances_of(vpc) if i.addr == addr), "nobody")

    @staticmethod
    def handed_over(found: str) -> Fate:
        """The fate of a packet whose address is looked for at layer 2 or in the router's own VPC."""
        return {"edge": ("bad_destination", None), "nobody": ("host_unreachable", None)}.get(
            found, ("delivered", found)
        )
