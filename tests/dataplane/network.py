"""A network in a few readable lines, compiled to a Fib without the control plane.

    net = Network()
    net.vpc("a", "10.0.0.0/16", ["10.0.0.0/24"])
    net.vpc("b", "10.1.0.0/16", ["10.1.0.0/24"])
    net.instance("a1", "10.0.0.10")
    net.instance("b1", "10.1.0.10", ports=[(PROTO_UDP, 53)])
    net.connect("a", "b", rate_bps=10_000_000)
    net.route("a", "10.1.0.0/16", "b")
    engine = Engine(net.fib())

VPCs, links and instances are numbered in the order they are made. A description may be changed and
compiled again: `net.links[0].rate_bps = ...`, then `engine.install(net.fib())`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netsim.dataplane import fib as f
from netsim.dataplane.lpm import build_table
from netsim.dataplane.token_bucket import NANOBITS_PER_BYTE, fill_ns
from netsim.prefix import ANY, Prefix, parse_addr, parse_prefix

NO_LIMIT = 2**31
GONE = -1
"""Target of a rule whose connection was deleted."""


@dataclass
class Rule:
    """`action` is peer, gateway or blackhole; `target` a link's number (GONE) or a gateway's."""

    destination: Prefix
    source: Prefix
    action: str
    target: int = GONE


@dataclass
class Vpc:
    name: str
    cidr: Prefix
    subnets: list[Prefix]
    is_relay: bool
    rules: list[Rule] = field(default_factory=list)


@dataclass
class Instance:
    name: str
    vpc: int
    addr: int
    subnet: Prefix
    ports: list[tuple[int, int]]
    nic_mbps: int
    is_alive: bool = True


@dataclass
class Link:
    """One direction of a connection."""

    src: int
    dst: int
    rate_bps: int = 100_000_000
    burst_bytes: int = 125_000
    queue_bytes: int = 625_000
    mtu_bytes: int = 1500
    delay_ns: int = 500_000
    overhead_bytes: int = 0
    police: bool = False
    is_active: bool = True


@dataclass
class Network:
    """What there is; see the module."""

    transits: int = 1
    vpcs: list[Vpc] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    def vpc(self, name: str, cidr: str, subnets: Iterable[str] = (), *, is_relay: bool = False) -> int:
        """Add a VPC; its number."""
        self.vpcs.append(Vpc(name, parse_prefix(cidr), [parse_prefix(subnet) for subnet in subnets], is_relay))
        return len(self.vpcs) - 1

    def instance(
        self, name: str, addr: str, ports: Iterable[tuple[int, int]] = (), nic_mbps: int = 10_000, vpc: str = ""
    ) -> int:
        """Add an instance to the (last, or named) VPC with a subnet that holds the address; its number."""
        number = parse_addr(addr)
        for n, home in reversed(list(enumerate(self.vpcs))):
            for subnet in home.subnets:
                if subnet.has(number) and vpc in {"", home.name}:
                    self.instances.append(Instance(name, n, number, subnet, sorted(ports), nic_mbps))
                    return len(self.instances) - 1
        raise AssertionError(f"no subnet for {addr}")

    def connect(self, a: str, b: str, **shape: Any) -> int:
        """Add a connection: the link a -> b, whose number is returned, and right after it b -> a."""
        near, far = self.number_of(a), self.number_of(b)
        self.links += [Link(near, far, **shape), Link(far, near, **shape)]
        return len(self.links) - 2

    def route(self, vpc: str, destination: str, next_hop: str, source: str = "0.0.0.0/0") -> None:
        """Add a rule; the next hop is a VPC (over the first link to it), gateway:NUMBER, blackhole or gone."""
        n = self.number_of(vpc)
        rule = Rule(parse_prefix(destination), parse_prefix(source), "peer")
        if next_hop.startswith("gateway:"):
            rule.action, rule.target = "gateway", int(next_hop[8:])
        elif next_hop == "blackhole":
            rule.action = "blackhole"
        elif next_hop != "gone":
            far = self.number_of(next_hop)
            rule.target = next(k for k, link in enumerate(self.links) if (link.src, link.dst) == (n, far))
        self.vpcs[n].rules.append(rule)

    def number_of(self, vpc: str) -> int:
        """Number of the VPC with that name."""
        return next(n for n, home in enumerate(self.vpcs) if home.name == vpc)

    def fib(self) -> f.Fib:
        """The description as arrays."""
        columns: dict[str, list[int]] = {name: [] for name in f.Fib._fields}
        for n, vpc in enumerate(self.vpcs):
            self._add_vpc(columns, n, vpc)
        for link in self.links:
            columns["link"] += [
                link.src, link.dst, int(link.is_active), link.rate_bps, link.burst_bytes * NANOBITS_PER_BYTE,
                fill_ns(link.rate_bps, link.burst_bytes), link.queue_bytes, link.mtu_bytes, link.overhead_bytes,
                int(link.police), link.delay_ns,
            ]  # fmt: skip
        for instance in self.instances:
            columns["inst"] += [
                instance.vpc if instance.is_alive else -1, instance.addr, instance.subnet.first, instance.subnet.last,
                instance.nic_mbps, len(columns["port"]), len(instance.ports),
            ]  # fmt: skip
            columns["port"] += [proto << 16 | port for proto, port in instance.ports]
        columns["limit"].append(self.transits)
        arrays = {name: np.array(values, np.int64) for name, values in columns.items() if name != "direct"}
        return f.Fib(**arrays, direct=np.zeros(0, np.int32)).frozen()

    def _add_vpc(self, columns: dict[str, list[int]], n: int, vpc: Vpc) -> None:
        actions = {"peer": f.PEER, "gateway": f.GATEWAY, "blackhole": f.DISCARD}
        first_rule = len(columns["rule"]) // f.RULE_WORDS
        columns["rule"] += [f.LOCAL, -1]
        for rule in vpc.rules:
            columns["rule"] += [actions[rule.action], rule.target]
        triples = [(rule.destination, rule.source, i) for i, rule in enumerate(vpc.rules, first_rule + 1)]
        table = build_table([(vpc.cidr, ANY, first_rule), *triples])
        owners = [(i.addr, number) for number, i in enumerate(self.instances) if i.vpc == n and i.is_alive]
        for subnet in vpc.subnets:
            owners += [(subnet.first, f.EDGE_ADDR), (subnet.last, f.EDGE_ADDR)]
            owners += [(subnet.first + 1, f.SELF_ADDR), (subnet.first + 2, f.SELF_ADDR)]
        owners.sort()
        slices = [len(columns["dst_lo"]), len(table.dst_lo), len(columns["addr"]), len(owners)]
        columns["node"] += [*slices, len(columns["subnet"]) // 2, len(vpc.subnets), int(vpc.is_relay), -1, first_rule]
        columns["dst_lo"] += table.dst_lo
        for sources in table.sources:
            columns["dst_src"] += [len(columns["src_lo"]), len(sources)]
            columns["src_lo"] += [lo for lo, _ in sources]
            columns["src_rule"] += [rule for _, rule in sources]
        columns["addr"] += [addr for addr, _ in owners]
        columns["addr_ref"] += [owner for _, owner in owners]
        for subnet in vpc.subnets:
            columns["subnet"] += [subnet.first, subnet.last]
