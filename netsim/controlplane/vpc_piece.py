"""VpcPiece: one VPC compiled to arrays in which rules, source lists and ports are numbered from 0.

`fib_compiler` lays the pieces of all VPCs end to end; a piece is made again when its VPC changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.controlplane.inventory import Inventory
from netsim.controlplane.route_table import RouteRule
from netsim.dataplane import fib as f
from netsim.dataplane.batch import PROTO_TCP
from netsim.dataplane.direct_table import DIRECT_FROM, direct_of, intervals_of
from netsim.dataplane.lpm import build_table
from netsim.prefix import ANY, Prefix

Ints = NDArray[np.int64]

_MANY_RULES = 1_000
"""From here on a table is built by columns, where no rule asks for a source."""

Ports = Mapping[str, frozenset[tuple[int, int]]]
"""(protocol, port) pairs by instance id."""


class Table(NamedTuple):
    """The forwarding table; the columns are those of the Fib."""

    dst_lo: Ints
    dst_src: Ints  # [d * 2]
    src_lo: Ints
    src_rule: Ints
    rule: Ints  # [r * 2]
    direct: NDArray[np.int32]  # of a huge table, else nothing


class Hosts(NamedTuple):
    """Who has which address, and the ports of the instances; the columns are those of the Fib."""

    addr: Ints
    addr_ref: Ints
    subnet: Ints  # [k * 2]
    port: Ints


class VpcPiece(NamedTuple):
    """A VPC as of a version of its own; `inst` are the rows of `inst_numbers`, [i, 7]."""

    version: int
    is_relay: bool
    table: Table
    rule_ids: list[str]
    hosts: Hosts
    inst_numbers: Ints
    inst: Ints


def ints(values: object) -> Ints:
    """An int64 array of them."""
    return np.array(values, np.int64)


def pairs(values: Iterable[tuple[int, int]]) -> Ints:
    """The same of pairs, int64[n, 2]: in a tenth of the time numpy takes to look into each, and none needs to stay."""
    return np.fromiter(chain.from_iterable(values), np.int64).reshape(-1, 2)


_NONE = ints([])
_NO_DIRECT = np.zeros(0, np.int32)
NOTHING = VpcPiece(
    -1,
    False,
    Table(_NONE, _NONE, _NONE, _NONE, _NONE, _NO_DIRECT),
    [],
    Hosts(*[_NONE] * 4),
    _NONE,
    _NONE.reshape(0, f.INST_WORDS),
)
"""What is left of a VPC that is gone."""


def compile_table(cidr: Prefix, rules: Iterable[RouteRule], action: Callable[[RouteRule], tuple[int, int]]) -> Table:
    """The table of a VPC: rule 0 is the system route, the others follow in their order.

    `action` says what a rule does: `G_ACTION` and `G_TARGET`.
    """
    rules = list(rules)
    actions = pairs(chain([(f.LOCAL, -1)], map(action, rules)))
    if len(rules) >= _MANY_RULES and all(rule.source.prefix_len == 0 for rule in rules):
        return _plain_table([cidr, *(rule.destination for rule in rules)], actions)
    table = build_table([(cidr, ANY, 0), *((rule.destination, rule.source, i) for i, rule in enumerate(rules, 1))])
    starts: dict[int, int] = {}
    src_lo: list[int] = []
    src_rule: list[int] = []
    dst_src = []
    for sources in table.sources:
        # Lists are shared: what lies behind a more specific prefix goes on as before it.
        start = starts.setdefault(id(sources), len(src_lo))
        if start == len(src_lo):
            src_lo += [lo for lo, _ in sources]
            src_rule += [rule for _, rule in sources]
        dst_src.append((start, len(sources)))
    columns = ints(table.dst_lo), pairs(dst_src), ints(src_lo), ints(src_rule)
    if len(columns[0]) < DIRECT_FROM:
        return Table(*columns, actions, _NO_DIRECT)
    first, count = columns[1].reshape(-1, 2).T
    return Table(*columns, actions, direct_of(columns[0], np.where(count == 1, columns[3][first], -2)))


def _plain_table(destinations: list[Prefix], actions: Ints) -> Table:
    """The same for many rules, none of which asks for a source."""
    prefixes = pairs(destinations)
    dst_lo, rule = intervals_of(prefixes[:, 0], prefixes[:, 1])
    each = np.arange(len(dst_lo))
    sources = np.stack((each, np.ones_like(each)), axis=1).reshape(-1)
    return Table(
        dst_lo,
        sources,
        np.zeros_like(each),
        rule,
        actions,
        direct_of(dst_lo, rule) if len(dst_lo) >= DIRECT_FROM else _NO_DIRECT,
    )


def compile_hosts(
    inventory: Inventory, vpc_id: str, node: int, inst_of: Mapping[str, int], open_ports: Ports
) -> tuple[Hosts, Ints, Ints]:
    """The hosts of a VPC, the numbers of its instances, and their rows."""
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
        number = inst_of[instance.id]
        cidr = inventory.subnets[instance.subnet_id].cidr
        listening = {*instance.listen, *open_ports.get(instance.id, ())}
        # What echoes is a TCP port too.
        listening |= {(PROTO_TCP, port) for proto, port in listening if proto == f.ECHO_PROTO}
        owners.append((instance.addr, number))
        numbers.append(number)
        rows.append((node, instance.addr, cidr.first, cidr.last, instance.nic_mbps, len(ports), len(listening)))
        ports += [proto << 16 | port for proto, port in sorted(listening)]
    owners.sort()
    hosts = Hosts(
        addr=ints([addr for addr, _ in owners]),
        addr_ref=ints([owner for _, owner in owners]),
        subnet=ints(subnets),
        port=ints(ports),
    )
    return hosts, ints(numbers), ints(rows).reshape(-1, f.INST_WORDS)
