"""Inventory -> Fib: resources to arrays, and the index that turns numbers back into resources.

A compiler belongs to one engine. It numbers VPCs, links and instances when it first sees them and
never takes a number back, so that what is in flight survives edits. A VPC is compiled again only
when its `vpc_version` has changed; the others' pieces are reused as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import ACCOUNTING_OVERHEAD_BYTES, SIDES, PeerConn, Side
from netsim.controlplane.route_table import RouteRule
from netsim.controlplane.sliced_array import SlicedArray
from netsim.controlplane.vpc_piece import (
    NOTHING,
    Hosts,
    Ports,
    Table,
    VpcPiece,
    compile_hosts,
    compile_table,
    ints,
)
from netsim.dataplane import fib as f
from netsim.dataplane.token_bucket import NANOBITS_PER_BYTE, fill_ns
from netsim.units import BPS_PER_MBPS

Ints = NDArray[np.int64]

NO_LIMIT = 2**31
SYSTEM_RULE = ""
"""In place of a rule id: the system route of the VPC's own CIDR."""


class LinkName(NamedTuple):
    """A direction of a connection, named by the side that sends."""

    peer_conn_id: str
    side: Side


_WIDTHS = {"dst_src": 2, "rule": f.RULE_WORDS, "subnet": 2}
_NO_INSTANCE = np.zeros(f.INST_WORDS, np.int64)
_NO_INSTANCE[[f.I_NODE, f.I_SUBNET_LAST, f.I_NIC_MBPS]] = -1, -1, 1


class FibCompiler:
    """Compiles an inventory, again and again; holds the numbers.

    Attributes:
        node_of, inst_of: number of a VPC or an instance, by id.
        link_of: number of a link direction, by `LinkName`.
        vpc_ids, instance_ids, link_names, gateways: the other way round, by number.
    """

    def __init__(self) -> None:
        self.node_of: dict[str, int] = {}
        self.inst_of: dict[str, int] = {}
        self.link_of: dict[LinkName, int] = {}
        self.vpc_ids: list[str] = []
        self.instance_ids: list[str] = []
        self.link_names: list[LinkName] = []
        self.gateways: list[str] = []
        self._rule_ids: list[str] | None = None
        self._gateway_of: dict[str, int] = {}
        self._version = -1
        self._pieces: list[VpcPiece] = []
        self._conns: dict[str, PeerConn] = {}
        self._ports: Ports = {}
        # The Fib in parts, by field; those with first numbers of other parts in them still relative.
        self._columns = {
            name: SlicedArray(_WIDTHS.get(name, 1), np.int32 if name == "direct" else np.int64)
            for name in (*Table._fields, *Hosts._fields)
        }
        self._inst = np.zeros((0, f.INST_WORDS), np.int64)
        self._link = np.zeros((0, f.LINK_WORDS), np.int64)

    @property
    def rule_ids(self) -> list[str]:
        """Of each rule row of the Fib compiled last; `SYSTEM_RULE` for a VPC's own CIDR."""
        if self._rule_ids is None:
            self._rule_ids = list(chain.from_iterable(piece.rule_ids for piece in self._pieces))
        return self._rule_ids

    def compile(self, inventory: Inventory, open_ports: Ports | None = None) -> f.Fib:
        """The Fib of the inventory as it is now.

        Args:
            inventory: always the same one.
            open_ports: (protocol, port) pairs by instance id, beside what instances listen on.
        """
        ports = dict(open_ports or {})
        stale = {
            inventory.instances[i].vpc_id
            for i in {*ports, *self._ports}
            if ports.get(i) != self._ports.get(i) and i in inventory.instances
        }
        self._ports = ports
        if self._version != inventory.version:
            before, self._version = self._version, inventory.version
            if before < max(inventory.changed_at("vpcs"), inventory.changed_at("instances")):
                self._number(inventory)
            if before < inventory.changed_at("peer_conns"):
                self._compile_links(inventory)
            if before < inventory.changed_at("vpcs"):
                stale.update(self._changed_vpcs(inventory))
            else:
                stale.update(inventory.touched_since(before))
        # In order of number, so that gateways get theirs in the same order in every run.
        nodes = sorted(self.node_of[vpc_id] for vpc_id in stale)
        ids = {node: self.vpc_ids[node] for node in nodes}
        is_alive = inventory.vpcs.__contains__
        self._put({n: self._compile_vpc(inventory, i) if is_alive(i) else NOTHING for n, i in ids.items()})
        return self._fib(inventory)

    def _number(self, inventory: Inventory) -> None:
        for vpc_id in inventory.vpcs:
            if vpc_id not in self.node_of:
                self.node_of[vpc_id] = len(self.vpc_ids)
                self.vpc_ids.append(vpc_id)
                self._pieces.append(NOTHING)
        for instance_id in inventory.instances:
            if instance_id not in self.inst_of:
                self.inst_of[instance_id] = len(self.instance_ids)
                self.instance_ids.append(instance_id)

    def _changed_vpcs(self, inventory: Inventory) -> list[str]:
        return [
            vpc_id
            for vpc_id, piece in zip(self.vpc_ids, self._pieces, strict=True)
            if piece.version != (inventory.vpc_version(vpc_id) if vpc_id in inventory.vpcs else NOTHING.version)
        ]

    def _compile_links(self, inventory: Inventory) -> None:
        conns = inventory.peer_conns
        rows: dict[int, list[int]] = {}
        gone = [conn_id for conn_id in self._conns if conn_id not in conns]
        for conn_id, conn in conns.items():
            if self._conns.get(conn_id) is conn:
                continue
            self._conns[conn_id] = conn
            for side in SIDES:
                name = LinkName(conn_id, side)
                if name not in self.link_of:
                    self.link_of[name] = len(self.link_names)
                    self.link_names.append(name)
                rows[self.link_of[name]] = self._link_row(conn, side)
        if rows or gone:
            self._link = _with_rows(self._link, len(self.link_names), rows.keys(), list(rows.values()))
        for conn_id in gone:
            del self._conns[conn_id]
            for side in SIDES:
                self._link[self.link_of[LinkName(conn_id, side)], f.K_ACTIVE] = 0

    def _link_row(self, conn: PeerConn, side: Side) -> list[int]:
        near = self.node_of[conn.side(side).vpc_id]
        far = self.node_of[conn.side("peer" if side == "local" else "local").vpc_id]
        rate_bps = conn.bandwidth_mbps * BPS_PER_MBPS
        row = [0] * f.LINK_WORDS
        row[f.K_SRC_NODE], row[f.K_DST_NODE] = near, far
        row[f.K_ACTIVE] = int(conn.is_active)
        row[f.K_RATE_BPS] = rate_bps
        row[f.K_BURST_NANOBITS] = conn.burst_bytes * NANOBITS_PER_BYTE
        row[f.K_FULL_AFTER_NS] = fill_ns(rate_bps, conn.burst_bytes)
        row[f.K_QUEUE_BYTES] = conn.queue_bytes
        row[f.K_MTU_BYTES] = conn.mtu_bytes
        row[f.K_OVERHEAD_BYTES] = ACCOUNTING_OVERHEAD_BYTES[conn.accounting]
        row[f.K_POLICE] = int(conn.police)
        row[f.K_DELAY_NS] = conn.latency_ns
        return row

    def _compile_vpc(self, inventory: Inventory, vpc_id: str) -> VpcPiece:
        node = self.node_of[vpc_id]
        piece = self._pieces[node]
        version = inventory.vpc_version(vpc_id)
        if piece.version != version:
            vpc, rules = inventory.vpcs[vpc_id], inventory.rules_of(vpc_id)
            links = {
                conn.side_in(vpc_id).interface_id: self.link_of[
                    LinkName(conn.id, "local" if conn.local.vpc_id == vpc_id else "peer")
                ]
                for conn in inventory.peer_conns_of(vpc_id)
            }
            table = compile_table(vpc.cidr, rules, lambda rule: self._action(rule, links))
            rule_ids = [SYSTEM_RULE, *(rule.id for rule in rules)]
            piece = piece._replace(version=version, is_relay=vpc.relay, table=table, rule_ids=rule_ids)
        hosts, numbers, rows = compile_hosts(inventory, vpc_id, node, self.inst_of, self._ports)
        return piece._replace(hosts=hosts, inst_numbers=numbers, inst=rows)

    def _action(self, rule: RouteRule, links: Mapping[str, int]) -> tuple[int, int]:
        kind, target = rule.next_hop
        if kind == "peer":
            return f.PEER, links.get(target, -1)
        if kind == "gateway":
            if target not in self._gateway_of:
                self._gateway_of[target] = len(self.gateways)
                self.gateways.append(target)
            return f.GATEWAY, self._gateway_of[target]
        return f.DISCARD, -1

    def _put(self, pieces: Mapping[int, VpcPiece]) -> None:
        """Lay other pieces into the arrays; those that did not change are not touched."""
        before = {node: self._pieces[node] for node in pieces}
        tables = {n: p.table for n, p in pieces.items() if p.table is not before[n].table}
        for name in Table._fields:
            self._columns[name].replace({n: getattr(t, name) for n, t in tables.items()}, len(self._pieces))
        for name in Hosts._fields:
            self._columns[name].replace({n: getattr(p.hosts, name) for n, p in pieces.items()}, len(self._pieces))
        for node, piece in pieces.items():
            self._pieces[node] = piece
        if tables:
            self._rule_ids = None

        # An instance may leave one VPC's piece only: numbers are never taken back.
        gone = [n for piece in before.values() for n in piece.inst_numbers.tolist()]
        inst = _with_rows(self._inst, len(self.instance_ids), gone, _NO_INSTANCE, fill=_NO_INSTANCE)
        for piece in pieces.values():
            inst[piece.inst_numbers] = piece.inst
        self._inst = inst

    def _fib(self, inventory: Inventory) -> f.Fib:
        columns = self._columns
        node = np.zeros((len(self._pieces), f.NODE_WORDS), np.int64)
        node[:, f.N_DST], node[:, f.N_DST_COUNT] = columns["dst_lo"].first, columns["dst_lo"].count
        node[:, f.N_ADDR], node[:, f.N_ADDR_COUNT] = columns["addr"].first, columns["addr"].count
        node[:, f.N_SUBNET], node[:, f.N_SUBNET_COUNT] = columns["subnet"].first, columns["subnet"].count
        node[:, f.N_RELAY] = [piece.is_relay for piece in self._pieces]
        node[:, f.N_DIRECT] = np.where(columns["direct"].count > 0, columns["direct"].first, -1)
        node[:, f.N_RULE] = columns["rule"].first
        dst_src = columns["dst_src"].array.copy()
        dst_src[:, 0] += np.repeat(columns["src_lo"].first, columns["dst_src"].count)
        src_rule = columns["src_rule"].flat.copy()
        src_rule += np.where(src_rule >= 0, np.repeat(columns["rule"].first, columns["src_rule"].count), 0)
        inst = self._inst.copy()
        alive = inst[:, f.I_NODE] >= 0
        inst[alive, f.I_PORT] += columns["port"].first[inst[alive, f.I_NODE]]
        transits = inventory.limits.transits
        return f.Fib(
            node=node.reshape(-1),
            dst_lo=columns["dst_lo"].flat,
            dst_src=dst_src.reshape(-1),
            src_lo=columns["src_lo"].flat,
            src_rule=src_rule,
            rule=columns["rule"].flat,
            addr=columns["addr"].flat,
            addr_ref=columns["addr_ref"].flat,
            subnet=columns["subnet"].flat,
            link=self._link.reshape(-1).copy(),
            inst=inst.reshape(-1),
            port=columns["port"].flat,
            limit=ints([NO_LIMIT if transits is None else transits]),
            direct=columns["direct"].flat,
        ).frozen()


def _with_rows(table: Ints, n: int, at: Iterable[int], rows: Ints | list[list[int]], fill: Ints | int = 0) -> Ints:
    """A copy with n rows, `fill` in new ones, and these rows in these places."""
    grown = np.empty((n, table.shape[1]), np.int64)
    grown[: len(table)] = table
    grown[len(table) :] = fill
    places = ints(list(at))
    if len(places):
        grown[places] = rows
    return grown
