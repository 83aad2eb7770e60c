"""`netsim route get`: which rule a packet would take, and which rules it beats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from netsim.cli.frame import subcommand
from netsim.cli.loading import open_lab
from netsim.cli.output import print_json, print_line, safe
from netsim.cli.settings import Settings
from netsim.prefix import format_addr

if TYPE_CHECKING:
    from netsim.controlplane.route_choice import Candidate, RouteChoice
    from netsim.lab import Lab


@subcommand("get", example="netsim route get web-1 db-1 -t shop.netsim.yaml")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def get(settings: Settings, source: str, target: str) -> int:
    """Show the rule that a packet from the instance FROM to TO takes in the VPC of FROM.

    The line is that of `ip route get`; below it stand the rule that wins, the rules it beats, and those that
    fit but for the source. Exits 0 if the packet goes on, 1 if no rule matches or the one that wins discards.
    """
    lab = open_lab(settings)
    answer = _answer(lab, source, target)
    if settings.is_json:
        print_json(answer)
    else:
        _print_answer(answer)
    return 0 if answer["kind"] in ("same_subnet", "local", "peer", "gateway") else 1


def _answer(lab: Lab, source: str, target: str) -> dict[str, Any]:
    sender, dst = lab.instance(source), lab.addr(target)
    subnet = lab.inventory.subnets[sender.subnet_id]
    choice = lab.route_get(source, target)
    answer: dict[str, Any] = {
        "from": source,
        "to": target,
        "src": format_addr(sender.addr),
        "dst": format_addr(dst),
        "vpc": lab.inventory.vpcs[sender.vpc_id].name,
        "kind": "none",
        "interface": None,
        "peer_connection": None,
        "state": None,
        "rule": None,
        "beaten": [_rule(lab, candidate) for candidate in choice.beaten],
        "other_source": _other_source(lab, sender.vpc_id, sender.addr, dst),
    }
    if subnet.cidr.has(dst):
        return answer | {"kind": "same_subnet", "interface": subnet.name, "beaten": [], "other_source": []}
    return answer | _winner(lab, choice)


def _winner(lab: Lab, choice: RouteChoice) -> dict[str, Any]:
    winner = choice.winner
    if winner is None:
        return {}
    won: dict[str, Any] = {"rule": _rule(lab, winner), "kind": "local"}
    if winner.rule is None:
        return won
    hop = winner.rule.next_hop
    conn = lab.inventory.conn_of_interface(hop.target) if hop.kind == "peer" else None
    won["kind"], won["interface"] = hop.kind, hop.target or None
    if hop.kind == "peer":
        won["state"] = "gone" if conn is None else str(conn.state)
        if conn is not None:
            side = conn.side_in(winner.rule.vpc_id)
            won["interface"] = side.interface_name or side.interface_id
            won["peer_connection"] = conn.name or conn.id
        if conn is None or not conn.is_active:
            won["kind"] = "bad_state_route"
    return won


def _rule(lab: Lab, candidate: Candidate) -> dict[str, Any]:
    from netsim.controlplane.route_choice import describe_next_hop, describe_rule

    return {
        "source": str(candidate.source),
        "destination": str(candidate.destination),
        "next_hop": describe_next_hop(lab.inventory, candidate),
        "id": None if candidate.rule is None else candidate.rule.id,
        "text": describe_rule(lab.inventory, candidate),
    }


def _other_source(lab: Lab, vpc_id: str, src: int, dst: int) -> list[dict[str, Any]]:
    """Rules that lead to `dst`, but not for packets from `src`: the usual reason for a surprise."""
    from netsim.controlplane.route_choice import Candidate

    return [
        _rule(lab, Candidate(rule.source, rule.destination, rule))
        for rule in lab.inventory.rules_of(vpc_id)
        if rule.destination.has(dst) and not rule.source.has(src)
    ]


def _print_answer(answer: dict[str, Any]) -> None:
    ends = f"{answer['dst']}{{}} src {answer['src']} vpc {safe(answer['vpc'])}"
    dev = safe(str(answer["interface"]))
    heads = {
        "same_subnet": ends.format(f" dev {dev}"),
        "local": "local " + ends.format(""),
        "peer": ends.format(f" via {dev} dev {safe(str(answer['peer_connection']))}"),
        "gateway": ends.format(f" via gateway:{dev}"),
        "blackhole": "blackhole " + ends.format(""),
        "bad_state_route": "blackhole " + ends.format(f" via {dev} ({answer['state']})"),
        "none": "unreachable " + ends.format(""),
    }
    print_line(heads[answer["kind"]])
    if answer["kind"] == "same_subnet":
        print_line(f"    same subnet {dev}: layer 2, no router and no rule")
        return
    print_line(f"    rule   {safe(answer['rule']['text'])}" if answer["rule"] else "    no rule matches: no_route")
    for beaten in answer["beaten"]:
        print_line(f"    beats  {safe(beaten['text'])}")
    for other in answer["other_source"]:
        print_line(f"    not    {safe(other['text'])}: {answer['src']} is no such source")
