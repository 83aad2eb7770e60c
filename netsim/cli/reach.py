"""`netsim reach`: can A reach B, and B answer? Proven, not tried; with the fix if not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from netsim.cli.file_change import diff, open_editable, write
from netsim.cli.fix_places import all_edits, places_of
from netsim.cli.frame import subcommand
from netsim.cli.output import print_json, print_line, print_text
from netsim.cli.reach_text import answer_lines, head_line
from netsim.cli.settings import Settings
from netsim.cli.values import Port
from netsim.errors import UsageError

if TYPE_CHECKING:
    from netsim.topology_file import Topology
    from netsim.topology_file.edited import EditableFile
    from netsim.verify.network import Network
    from netsim.verify.reach import Reach

_MOST_FIXES = 5
"""Of answers with all their lines; the rest are one line each."""


@subcommand("reach", example="netsim reach web-1 db-1 -t shop.netsim.yaml")
@click.argument("source", metavar="[FROM]", required=False)
@click.argument("target", metavar="[TO]", required=False)
@click.option("--port", type=Port(), metavar="PROTO/PORT", help="A port that must answer, like tcp/443.")
@click.option("--explain", is_flag=True, help="Show each hop, the rules it beat, and what the reason means.")
@click.option("--by", type=click.Choice(("vpc", "subnet")), default="vpc", help="All pairs: rows of the matrix.")
@click.option("--apply", "is_applied", is_flag=True, help="Write the fix into the topology file; comments stay.")
@click.option("--dry-run", is_flag=True, help="Show as a diff what --apply would write.")
def command(
    settings: Settings,
    source: str | None,
    target: str | None,
    port: tuple[int, int] | None,
    explain: bool,
    by: str,
    is_applied: bool,
    dry_run: bool,
) -> int:
    """Prove whether FROM reaches TO and the answer comes back; say why not, and what to change.

    FROM and TO are instances, subnets, VPCs or addresses. Without them: all pairs of instances. Nothing is
    sent: the paths come from the rules that packets meet. Exits 0 if all asked for is reachable, else 1.
    """
    file = open_editable(settings)
    network = network_of(file.topology)
    if source is None or target is None:
        if source is not None:
            raise click.UsageError("missing argument 'TO'")
        if port is not None or explain or is_applied or dry_run:
            raise click.UsageError("--port, --explain, --apply and --dry-run need FROM and TO")
        from netsim.cli.reach_matrix import print_all_pairs

        return print_all_pairs(settings, network, by)
    from netsim.verify.reach import reach_all

    answers = reach_all(network, source, target, port)
    if is_applied or dry_run:
        return _apply(settings, file, answers, is_written=is_applied and not dry_run, is_explained=explain)
    _print(settings, file, network, answers, is_explained=explain)
    return 0 if all(answer.is_reachable for answer in answers) else 1


def network_of(topology: Topology) -> Network:
    """The network of a file; flows open the ports they send to."""
    from netsim.dataplane.batch import PROTO_TCP, PROTO_UDP
    from netsim.verify.network import Network

    ports: dict[str, frozenset[tuple[int, int]]] = {}
    for flow in topology.traffic:
        proto = {"udp": PROTO_UDP, "tcp": PROTO_TCP}.get(flow.kind)
        if proto is not None and flow.dst_port is not None:
            receiver = topology.inventory.instance(flow.to_ref).id
            ports[receiver] = ports.get(receiver, frozenset()) | {(proto, flow.dst_port)}
    return Network.of(topology.inventory, ports)


def _print(
    settings: Settings, file: EditableFile, network: Network, answers: list[Reach], *, is_explained: bool
) -> None:
    if settings.is_json:
        print_json(answers[0].to_dict() if len(answers) == 1 else _many(answers))
        return
    n_long = 0
    for answer in answers:
        is_long = len(answers) == 1 or is_explained or (not answer.is_reachable and n_long < _MOST_FIXES)
        if not is_long:
            print_line(head_line(settings, answer))
            continue
        n_long += not answer.is_reachable
        places = places_of(file, answer.fixes)
        for line in answer_lines(settings, network, answer, is_explained=is_explained, places=places):
            print_line(line)
    if len(answers) > 1:
        print_line(_total(answers))


def _many(answers: list[Reach]) -> dict[str, Any]:
    from collections import Counter

    from netsim.verify.reason import VERDICTS

    verdicts = Counter(answer.verdict for answer in answers)
    reasons = Counter(answer.reason for answer in answers if answer.reason)
    summary = {"pairs": len(answers), **{verdict: verdicts[verdict] for verdict in VERDICTS}}
    return {"pairs": [answer.to_dict() for answer in answers], "summary": summary | {"reasons": dict(reasons)}}


def _total(answers: list[Reach]) -> str:
    n = sum(answer.is_reachable for answer in answers)
    return f"{len(answers)} pairs: {n} reachable, {len(answers) - n} not"


def _apply(
    settings: Settings, file: EditableFile, answers: list[Reach], *, is_written: bool, is_explained: bool
) -> int:
    """Write the fix of the one answer that is asked for, and ask again."""
    from netsim.verify.reach import reach

    if len(answers) != 1:
        raise UsageError(f"--apply: {len(answers)} pairs are meant, expected one FROM and one TO")
    (answer,) = answers
    if answer.is_reachable:
        _print(settings, file, network_of(file.topology), answers, is_explained=is_explained)
        return 0
    changed = file.with_edits(all_edits(answer.fixes))
    network = network_of(changed.topology)
    after = reach(network, answer.source.name, answer.target.name, answer.port)
    shown = diff(file, changed)
    if is_written:
        write(file, changed)
        settings.note(f"{file.path}: the fix is written")
        if settings.is_json:
            print_json(after.to_dict() | {"diff": shown})
        else:
            print_text(shown)
            for line in answer_lines(settings, network, after, is_explained=is_explained, places=[]):
                print_line(line)
    elif settings.is_json:
        print_json(answer.to_dict() | {"diff": shown, "after": after.verdict})
    else:
        print_text(shown)
    return 0 if after.is_reachable else 1
