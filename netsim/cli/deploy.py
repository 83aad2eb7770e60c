"""`netsim deploy`: the topology on this machine's Linux kernel."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from netsim.cli.frame import subcommand
from netsim.cli.loading import open_topology, topology_path
from netsim.cli.output import print_json, print_line, print_text, safe
from netsim.cli.progress import Progress
from netsim.cli.settings import Settings

if TYPE_CHECKING:
    from netsim.kernel.journal import Deployed
    from netsim.kernel.plan import Plan


@subcommand("deploy", example="netsim deploy shop.netsim.yaml")
@click.argument("file", required=False)
@click.option("--name", metavar="NAME", help="Of the deployment (default: the topology's).")
@click.option("--replace", is_flag=True, help="Take away a different deployment of this name first.")
@click.option("--dry-run", is_flag=True, help="Print what would be run; needs no root.")
def command(settings: Settings, file: str | None, name: str | None, replace: bool, dry_run: bool) -> int:
    """Build FILE's network from Linux namespaces, so that real programs run on its instances.

    Each instance and each VPC's router is a namespace; peer connections are capped links between them. All of it
    stays inside these namespaces. Needs root; `netsim doctor` says what else. Again on the same file: nothing to do.
    """
    from netsim.kernel import capability
    from netsim.kernel.deploy import deploy
    from netsim.kernel.naming import default_name
    from netsim.kernel.planner import plan

    path = topology_path(settings, file)
    topology = open_topology(settings, file)
    name = default_name(topology.name) if name is None else name
    if dry_run:
        from netsim.kernel.batch import script

        print_text(script(plan(topology.inventory, name)))
        return 0
    wanted = plan(topology.inventory, name)  # a bad name is refused before the machine is looked at
    capability.require()
    if capability.has_netem():
        wanted = plan(topology.inventory, name, has_delay=True)
    for which in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(which, _stop)
    with Progress(settings, "deploy") as progress:
        deployed = deploy(wanted, path, replaces=replace, progress=progress)
    if settings.is_json:
        print_json(_as_json(wanted, deployed))
    else:
        _print(settings, wanted, deployed)
    return 0


def _stop(number: int, frame: object) -> None:
    """Ends the deploy as Ctrl-C does: what was made goes away again."""
    del frame
    sys.exit(128 + number)


def _print(settings: Settings, plan: Plan, deployed: Deployed) -> None:
    instances = [node for node in plan.nodes if node.kind == "instance"]
    routers = len(plan.nodes) - len(instances)
    print_line(
        f"{deployed.name}: {_counted(routers, 'VPC')}, {_counted(len(instances), 'instance')}, "
        f"{_counted(len(plan.peer_devices) // 2, 'active connection')}"
    )
    for text in deployed.notes:
        settings.note(text)
    if instances:
        first = instances[0].ref.partition("/")[2]
        settings.note(f"try: netsim exec {safe(first)} -- ip route")


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _as_json(plan: Plan, deployed: Deployed) -> dict[str, Any]:
    from netsim.prefix import format_addr

    return {
        "name": deployed.name,
        "file": deployed.file,
        "nodes": [
            {
                "name": node.ref,
                "kind": node.kind,
                "namespace": node.namespace,
                "address": format_addr(node.addr) if node.addr else None,
            }
            for node in plan.nodes
        ],
        "notes": list(deployed.notes),
    }
