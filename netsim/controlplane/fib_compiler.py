"""Inventory -> Fib: resources to arrays, and the index that turns numbers back into resources.

A compiler belongs to one engine. It numbers VPCs, links and instances when it first sees them and
never takes a number back, so that what is in flight survives edits. A VPC is compiled again only
when its `vpc_version` has changed; the others' pieces are reused as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import ACCOUNTING_OVERHEAD_BYTES, SIDES, PeerConn, Side
from netsim.controlplane.route_table import RouteRule
from netsim.dataplane import fib as f
from netsim.dataplane.lpm import build_table
from netsim.dataplane.token_bucket import NANOBITS_PER_BYTE, fill_ns
from netsim.prefix import ANY
from netsim.units import BPS_PER_MBPS

Ints = NDArray[np.int64]

NO_LIMIT = 2**31
SYSTEM_RULE = ""
"""In place of a rule id: the system route of the VPC's own CIDR."""


class LinkName(NamedTuple):
    """A direction of a connection, named by the side that sends."""

    peer_conn_id: str
    side: Side


class _Piece(NamedTuple):
    """One VPC compiled, all numbers relative to the piece."""

    version: int
    dst_lo: Ints
    dst_src: Ints  # [d, 2]
    src_lo: Ints
    src_rule: Ints
    rule: Ints  # [r, 2]
    rule_ids: list[str]
    addr: Ints
    addr_ref: Ints
    subnet: Ints  # [k, 2]
    is_relay: bool
    inst_numbers: Ints
    inst: Ints  # [i, 7]
    port: Ints


_NONE = np.zeros(0, np.int64)
_NOTHING = _Piece(
    -1, _NONE, _NONE.reshape(0, 2), _NONE, _NONE, _NONE.reshape(0, 2), [], _NONE, _NONE, _NONE.reshape(0, 2), False,
    _NONE, _NONE.reshape(0, f.INST_WORDS), _NONE,
)  # fmt: skip


class FibCompiler:
    """Compiles an inventory, again and again; holds the numbers.

    Attributes:
        node_of, inst_of: number of a VPC or an instance, by id.
        link_of: number of a link direction, by `LinkName`.
        vpc_ids, instance_ids, link_names, gateways: the other way round, by number.
        rule_ids: of each rule row of the Fib compiled last; `SYSTEM_RULE` for a VPC's own CIDR.
    """

    def __init__(self) -> None:
        self.node_of: dict[str, int] = {}
        self.inst_of: dict[str, int] = {}
        self.link_of: dict[LinkName, int] = {}
        self.vpc_ids: list[str] = []
        self.instance_ids: list[str] = []
        self.link_names: list[LinkName] = []
        self.gateways: list[str] = []
        self.rule_ids: list[str] = []
        self._gateway_of: dict[str, int] = {}
        self._pieces: list[_Piece] = []
        self._link_rows: list[list[int]] = []
        self._conns: dict[str, PeerConn] = {}
        self._ports: Mapping[str, frozenset[tuple[int, int]]] = {}

    def compile(
        self, inventory: Inventory, open_ports: Mapping[str, frozenset[tuple[int, int]]] | None = None
    ) -> f.Fib:
        """The Fib of the inventory as it is now.

        Args:
            inventory: always the same one.
            open_ports: (protocol, port) pairs by instance id, beside what instances listen on.
        """
        for vpc_id in inventory.vpcs:
            if vpc_id not in self.node_of:
                self.node_of[vpc_id] = len(self.vpc_ids)
                self.vpc_ids.append(vpc_id)
                self._pieces.append(_NOTHING)
        self._compile_links(inventory)
        for instance_id in inventory.instances:
            if instance_id not in self.inst_of:
                self.inst_of[instance_id] = len(self.instance_ids)
                self.instance_ids.append(instance_id)
        ports = dict(open_ports or {})
        stale = {
            inventory.instances[i].vpc_id
            for i in set(ports) | set(self._ports)
            if ports.get(i) != self._ports.get(i) and i in inventory.instances
        }
        self._ports = ports
        for n, vpc_id in enumerate(self.vpc_ids):
            if vpc_id not in inventory.vpcs:
                self._pieces[n] = _NOTHING
            elif vpc_id in stale or self._pieces[n].version != inventory.vpc_version(vpc_id):
                self._pieces[n] = self._compile_vpc(inventory, vpc_id)
        return self._assemble(inventory)

    def _compile_links(self, inventory: Inventory) -> None:
        conns = inventory.peer_conns
        for conn_id in [gone for gone in self._conns if gone not in conns]:
            for side in SIDES:
                self._link_rows[self.link_of[LinkName(conn_id, side)]][f.K_ACTIVE] = 0
            del self._conns[conn_id]
        for conn_id, conn in conns.items():
            if self._conns.get(conn_id) is conn:
                continue
            self._conns[conn_id] = conn
            for side in SIDES:
                name = LinkName(conn_id, side)
                row = self._link_row(conn, side)
                if name in self.link_of:
                    self._link_rows[self.link_of[name]] = row
                else:
                    self.link_of[name] = len(self.link_names)
                    self.link_names.append(name)
                    self._link_rows.append(row)

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

    def _compile_vpc(self, inventory: Inventory, vpc_id: str) -> _Piece:
        vpc = inventory.vpcs[vpc_id]
        rules = inventory.rules_of(vpc_id)
        links = {
            conn.side_in(vpc_id).interface_id: self.link_of[
                LinkName(conn.id, "local" if conn.local.vpc_id == vpc_id else "peer")
            ]
            for conn in inventory.peer_conns_of(vpc_id)
        }
        actions = [(f.LOCAL, -1), *(self._action(rule, links) for rule in rules)]
        triples = [(vpc.cidr, ANY, 0), *((rule.destination, rule.source, i) for i, rule in enumerate(rules, 1))]
        table = build_table(triples)
        starts: dict[int, int] = {}
        src_lo: list[int] = []
        src_rule: list[int] = []
        dst_src = []
        for sources in table.sources:
            if id(sources) not in starts:
                starts[id(sources)] = len(src_lo)
                src_lo += [lo for lo, _ in sources]
                src_rule += [rule for _, rule in sources]
            dst_src.append((starts[id(sources)], len(sources)))

        owners = []
        subnets = []
        for subnet in inventory.subnets_of(vpc_id):
            subnets.append((subnet.cidr.first, subnet.cidr.last))
            owners += [(subnet.cidr.first, f.EDGE_ADDR), (subnet.cidr.last, f.EDGE_ADDR)]
            owners += [(subnet.router_addr, f.SELF_ADDR), (subnet.resolver_addr, f.SELF_ADDR)]
        numbers: list[int] = []
        rows: list[tuple[int, ...]] = []
        ports: list[int] = []
        for instance in inventory.instances_of(vpc_id):
            number = self.inst_of[instance.id]
            cidr = inventory.subnets[instance.subnet_id].cidr
            listening = sorted({*instance.listen, *self._ports.get(instance.id, ())})
            owners.append((instance.addr, number))
            numbers.append(number)
            node = self.node_of[vpc_id]
            rows.append((node, instance.addr, cidr.first, cidr.last, instance.nic_mbps, len(ports), len(listening)))
            ports += [proto << 16 | port for proto, port in listening]
        owners.sort()
        return _Piece(
            version=inventory.vpc_version(vpc_id),
            dst_lo=_ints(table.dst_lo),
            dst_src=_ints(dst_src).reshape(-1, 2),
            src_lo=_ints(src_lo),
            src_rule=_ints(src_rule),
            rule=_ints(actions).reshape(-1, 2),
            rule_ids=[SYSTEM_RULE, *(rule.id for rule in rules)],
            addr=_ints([addr for addr, _ in owners]),
            addr_ref=_ints([owner for _, owner in owners]),
            subnet=_ints(subnets).reshape(-1, 2),
            is_relay=vpc.relay,
            inst_numbers=_ints(numbers),
            inst=_ints(rows).reshape(-1, f.INST_WORDS),
            port=_ints(ports),
        )

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

    def _assemble(self, inventory: Inventory) -> f.Fib:
        pieces = self._pieces
        node = np.zeros((len(pieces), f.NODE_WORDS), np.int64)
        dst_first, node[:, f.N_DST_COUNT] = _extents(len(p.dst_lo) for p in pieces)
        addr_first, node[:, f.N_ADDR_COUNT] = _extents(len(p.addr) for p in pieces)
        subnet_first, node[:, f.N_SUBNET_COUNT] = _extents(len(p.subnet) for p in pieces)
        node[:, f.N_DST], node[:, f.N_ADDR], node[:, f.N_SUBNET] = dst_first, addr_first, subnet_first
        node[:, f.N_RELAY] = [p.is_relay for p in pieces]
        src_first, src_count = _extents(len(p.src_lo) for p in pieces)
        rule_first, _ = _extents(len(p.rule) for p in pieces)
        port_first, _ = _extents(len(p.port) for p in pieces)

        dst_src = _joined([p.dst_src for p in pieces], 2)
        dst_src[:, 0] += np.repeat(src_first, node[:, f.N_DST_COUNT])
        src_rule = _joined([p.src_rule for p in pieces])
        src_rule += np.where(src_rule >= 0, np.repeat(rule_first, src_count), 0)
        inst = np.zeros((len(self.instance_ids), f.INST_WORDS), np.int64)
        inst[:, f.I_NODE] = -1
        inst[:, f.I_SUBNET_LAST] = -1
        inst[:, f.I_NIC_MBPS] = 1
        for p, first in zip(pieces, port_first.tolist(), strict=True):
            if len(p.inst_numbers):
                inst[p.inst_numbers] = p.inst
                inst[p.inst_numbers, f.I_PORT] += first
        self.rule_ids = [rule_id for p in pieces for rule_id in p.rule_ids]
        transits = inventory.limits.transits
        return f.Fib(
            node=node.reshape(-1),
            dst_lo=_joined([p.dst_lo for p in pieces]),
            dst_src=dst_src.reshape(-1),
            src_lo=_joined([p.src_lo for p in pieces]),
            src_rule=src_rule,
            rule=_joined([p.rule for p in pieces], 2).reshape(-1),
            addr=_joined([p.addr for p in pieces]),
            addr_ref=_joined([p.addr_ref for p in pieces]),
            subnet=_joined([p.subnet for p in pieces], 2).reshape(-1),
            link=_ints(self._link_rows).reshape(-1),
            inst=inst.reshape(-1),
            port=_joined([p.port for p in pieces]),
            limit=_ints([NO_LIMIT if transits is None else transits]),
        ).frozen()


def _ints(values: object) -> Ints:
    return np.array(values, np.int64)


def _joined(arrays: list[Ints], width: int = 0) -> Ints:
    if not arrays:
        return np.zeros((0, width) if width else 0, np.int64)
    return np.concatenate(arrays)


def _extents(counts: Iterable[int]) -> tuple[Ints, Ints]:
    """First index and length of each of the slices laid end to end."""
    lengths = np.fromiter(counts, np.int64)
    return np.cumsum(lengths) - lengths, lengths
