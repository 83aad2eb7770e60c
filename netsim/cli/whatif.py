"""`netsim whatif`: what a change would do, without making it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from netsim.cli.diff_text import counted, diff_lines
from netsim.cli.frame import subcommand
from netsim.cli.loading import open_topology
from netsim.cli.output import print_json, print_line, safe, table
from netsim.cli.reach import network_of
from netsim.cli.reach_text import answer_lines, head_line
from netsim.cli.settings import Settings
from netsim.cli.values import Port
from netsim.errors import UsageError

if TYPE_CHECKING:
    from netsim.controlplane.edit import Edit
    from netsim.controlplane.inventory import Inventory
    from netsim.verify.network import Network

KINDS = {
    "down": "down=PEER",
    "gone": "gone=VPC",
    "add": "add=VPC,SOURCE,DESTINATION,NEXT_HOP",
    "remove": "remove=VPC,SOURCE,DESTINATION",
    "relay": "relay=VPC,on",
}


@subcommand("whatif", example="netsim whatif down=shop-data web-1 db-1 -t shop.netsim.yaml")
@click.argument("words", metavar="[CHANGE]... [FROM TO]", nargs=-1)
@click.option(
    "--port", type=Port(), metavar="PROTO/PORT", help="With FROM and TO: a port that must answer, like tcp/443."
)
@click.option("--each-connection-down", is_flag=True, help="Rank the connections by the pairs lost without each.")
def command(
    settings: Settings, words: tuple[str, ...], port: tuple[int, int] | None, each_connection_down: bool
) -> int:
    """Say which pairs a change would disconnect or connect; the file stays as it is.

    \b
    CHANGE is one of, and there may be several:
      down=PEER                            a connection carries nothing
      gone=VPC                             a VPC with all in it is gone
      add=VPC,SOURCE,DESTINATION,NEXT_HOP  a rule
      remove=VPC,SOURCE,DESTINATION        a rule
      relay=VPC,on                         the relay role of a VPC (on, off)

    With FROM and TO: only their answer, before and after. Exits 1 if a pair is lost, or not reachable after.
    """  # noqa: D301 - click's mark for a block is the character itself
    changes = [word for word in words if word.partition("=")[0] in KINDS and "=" in word]
    ends = [word for word in words if word not in changes]
    if each_connection_down and words:
        raise click.UsageError("--each-connection-down takes no CHANGE, FROM and TO")
    if not each_connection_down and (not changes or len(ends) not in (0, 2)):
        wrong = next((word for word in ends if "=" in word), None)
        if wrong is not None:
            raise click.UsageError(f'"{wrong}" is no change, accepted {", ".join(KINDS.values())}')
        raise click.UsageError(f"expected a CHANGE ({', '.join(KINDS.values())}), and FROM and TO or neither")
    if port is not None and not ends:
        raise click.UsageError("--port needs FROM and TO")
    network = network_of(open_topology(settings))
    if each_connection_down:
        return _rank(settings, network)
    after = changed(network, changes)
    return _pair(settings, network, after, ends, port) if ends else _all(settings, network, after)


def changed(network: Network, changes: list[str]) -> Network:
    """The network with the changes made.

    Raises:
        UsageError: a change that can't be read.
        RefusedError: a rule of the product says no, or something is not there.
    """
    from netsim.verify.whatif import connections_down, what_if

    edits: list[Edit[Any]] = []
    down: list[str] = []
    for change in changes:
        kind, _, value = change.partition("=")
        parts = [part.strip() for part in value.split(",")]
        if len(parts) != KINDS[kind].count(",") + 1 or not all(parts):
            raise UsageError(f'whatif: "{change}" can\'t be read, expected {KINDS[kind]}')
        if kind == "down":
            down.append(network.inventory.peer_conn(parts[0]).id)
        else:
            edits += _edits(network.inventory, kind, parts)
    after = what_if(network, *edits) if edits else network
    return connections_down(after, [conn for conn in down if conn in after.inventory.peer_conns])


def _edits(inventory: Inventory, kind: str, parts: list[str]) -> list[Edit[Any]]:
    from netsim.controlplane.edit import CreateRoute, DeleteRoute, SetRelay
    from netsim.verify.whatif import vpc_gone

    if kind == "gone":
        return list(vpc_gone(inventory, parts[0]))
    if kind == "add":
        return [CreateRoute(parts[0], parts[1], parts[2], parts[3])]
    if kind == "relay":
        if parts[1] not in ("on", "off"):
            raise UsageError(f'whatif: relay is "{parts[1]}", accepted on or off')
        return [SetRelay(parts[0], relay=parts[1] == "on")]
    vpc = inventory.vpc(parts[0])
    for rule in inventory.rules_of(vpc.id):
        if (str(rule.source), str(rule.destination)) == (parts[1], parts[2]):
            return [DeleteRoute(rule.id)]
    raise UsageError(f"whatif: {vpc.name} has no rule with source {parts[1]} and destination {parts[2]}")


def _pair(settings: Settings, before: Network, after: Network, ends: list[str], port: tuple[int, int] | None) -> int:
    from netsim.verify.reach import reach_all

    source, target = ends
    # Without fixes: they would undo the change.
    answers = [
        [replace(answer, fixes=()) for answer in reach_all(network, source, target, port)]
        for network in (before, after)
    ]
    if settings.is_json:
        print_json(dict(zip(("before", "after"), ([a.to_dict() for a in each] for each in answers), strict=True)))
    else:
        for answer in answers[0]:
            print_line(f"before  {head_line(settings, answer)}")
        for answer in answers[1]:
            for k, line in enumerate(answer_lines(settings, after, answer, is_explained=False, places=[])):
                print_line(f"{'after ' if k == 0 else '      '}  {line}")
    return 0 if all(answer.is_reachable for answer in answers[1]) else 1


def _all(settings: Settings, before: Network, after: Network) -> int:
    from netsim.verify.diff import diff

    found = diff(before, after)
    if settings.is_json:
        print_json(found.to_dict())
    elif found.is_same:
        print_line(counted(found))
    else:
        for line in diff_lines(settings, found):
            print_line(line)
    return 1 if found.lost else 0


def _rank(settings: Settings, network: Network) -> int:
    from netsim.verify.whatif import each_connection_down

    failures = each_connection_down(network)
    if settings.is_json:
        print_json([failure.to_dict() for failure in failures])
        return 0
    rows = [
        (failure.name, failure.lost, "" if failure.witness is None else " → ".join(map(safe, failure.witness)))
        for failure in failures
    ]
    print_line(table(rows, ("connection", "pairs lost", "such as")))
    return 0
