"""A topology in dot, the language of Graphviz: a cluster per VPC, an edge per peer connection."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.controlplane.inventory import Inventory
from netsim.prefix import format_addr
from netsim.units import NS_PER_MS


def topology_dot(inventory: Inventory, name: str) -> str:
    """The text; nodes and edges are named by id, in order of creation."""
    return "".join(f"{line}\n" for line in _lines(inventory, name))


def _lines(inventory: Inventory, name: str) -> Iterator[str]:
    yield f"graph {_quote(name)} {{"
    yield "  compound=true; layout=fdp; splines=true; K=1.2"
    yield '  node [shape=box, style="rounded,filled", fillcolor=white, fontname="Helvetica", fontsize=10]'
    yield '  edge [fontname="Helvetica", fontsize=9]'
    yield '  graph [fontname="Helvetica", fontsize=11, style=rounded, color="#b4bcc6"]'
    for vpc in inventory.vpcs.values():
        relay = ", relay" if vpc.relay else ""
        yield f"  subgraph {_quote('cluster_' + vpc.id)} {{"
        yield f"    label={_quote(f'{vpc.name}  {vpc.cidr}', f'{vpc.region}, {vpc.account}{relay}')}"
        yield f'    {_quote(vpc.id)} [label="router", shape=circle, fillcolor="#dbe7ff"]'
        for subnet in inventory.subnets_of(vpc.id):
            label = _quote(subnet.name, str(subnet.cidr))
            yield f'    {_quote(subnet.id)} [label={label}, fillcolor="#f3f5f8"]'
            yield f"    {_quote(vpc.id)} -- {_quote(subnet.id)}"
        for instance in inventory.instances_of(vpc.id):
            yield f"    {_quote(instance.id)} [label={_quote(instance.name, format_addr(instance.addr))}]"
            yield f"    {_quote(instance.subnet_id)} -- {_quote(instance.id)}"
        yield "  }"
    for conn in inventory.peer_conns.values():
        figures = f"{conn.bandwidth_mbps} Mbit/s, {round(conn.latency_ns / NS_PER_MS, 2):g} ms"
        state = () if conn.is_active else (str(conn.state),)
        style = 'color="#2563d9", penwidth=2' if conn.is_active else 'color="#cf2e49", style=dashed'
        label = _quote(conn.name or conn.id, figures, *state)
        yield f"  {_quote(conn.local.vpc_id)} -- {_quote(conn.peer.vpc_id)} [label={label}, {style}]"
    yield "}"


def _quote(*lines: str) -> str:
    r"""A quoted string of dot; several lines are centred with `\n`."""
    return '"' + "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines) + '"'
