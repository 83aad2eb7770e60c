"""`netsim graph`: a picture of the network, as SVG or for Graphviz."""

from __future__ import annotations

from pathlib import PurePath

import click

from netsim.cli.files import write_file
from netsim.cli.frame import subcommand
from netsim.cli.loading import open_topology
from netsim.cli.output import print_json, print_text
from netsim.cli.settings import Settings

KINDS = ("svg", "dot")


@subcommand("graph", example="netsim graph -o shop.svg -t shop.netsim.yaml")
@click.option("-o", "--output", metavar="FILE", help="Write FILE.svg or FILE.dot (default: stdout).")
@click.option("--as", "kind", type=click.Choice(KINDS), help="svg or dot, whatever the file's name says.")
def command(settings: Settings, output: str | None, kind: str | None) -> None:
    """Draw VPCs, subnets, instances and peer connections.

    Without -o and --as it prints dot, the language of Graphviz; with --json the graph in node-link form.
    """
    kind = kind or _kind_of(output)
    topology = open_topology(settings)
    if settings.is_json:
        if output is not None:
            raise click.UsageError("--json prints to stdout, take off -o")
        import networkx as nx

        from netsim.controlplane.graph import build_graph

        print_json(nx.node_link_data(build_graph(topology.inventory), edges="edges"))
        return
    if kind == "svg":
        from netsim.cli.topology_svg import topology_svg

        text = topology_svg(topology.inventory, topology.name)
    else:
        from netsim.cli.topology_dot import topology_dot

        text = topology_dot(topology.inventory, topology.name)
    if output is None:
        print_text(text)
    else:
        write_file(output, text)
        settings.note(f"wrote {output}")


def _kind_of(output: str | None) -> str:
    if output is None:
        return "dot"
    suffix = PurePath(output).suffix.lower().removeprefix(".")
    if suffix not in {*KINDS, "gv"}:
        raise click.UsageError(f'"{output}" ends neither in .svg nor in .dot; say which with --as')
    return "svg" if suffix == "svg" else "dot"
