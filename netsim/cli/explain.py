"""`netsim explain`: what a reason code means, in one sentence."""

from __future__ import annotations

import click

from netsim.cli.frame import subcommand
from netsim.cli.output import print_json, print_line, print_rows
from netsim.cli.settings import Settings
from netsim.errors import NotFoundError

FINDINGS: dict[str, str] = {
    "no_return_route": "Packets arrive, but the way back from the destination has no matching rule: answers are lost.",
    "overlapping_cidr": "Another instance with the same address gets the packet, because address ranges overlap.",
    "loop": "Rules of several VPCs send a packet round in a circle until its TTL is used up (ttl_expired).",
    "peer_not_routed": "A connection has routes on one side or none: no round trip can use it.",
    "shadowed_rule": "A rule never wins: for every packet it matches, a longer match stands before it.",
}
"""Codes that are no packet's fate: they say something about a pair of instances, or about a file."""


@subcommand("explain", example="netsim explain no_route", formats=("table", "json", "csv"), takes_topology=False)
@click.argument("code", metavar="[CODE]", required=False)
def command(settings: Settings, code: str | None) -> None:
    """Say what a reason code means; without CODE, list all."""
    rows = code_rows()
    if code is None:
        print_rows(settings, rows, ("code", "kind", "icmp", "meaning"))
        return
    known = {str(row["code"]): row for row in rows}
    wanted = code.strip().lower().replace("-", "_")
    if wanted not in known:
        from difflib import get_close_matches

        near = get_close_matches(wanted, known, n=1)
        hint = f', did you mean "{near[0]}"?' if near else "; netsim explain lists all"
        raise NotFoundError(f'code "{code}": there is none of that name{hint}')
    row = known[wanted]
    if settings.is_json:
        print_json(row)
    elif settings.format == "csv":
        print_rows(settings, [row], ("code", "kind", "icmp", "meaning"))
    else:
        answer = {"dropped": ", silently" if row["icmp"] is None else f", ICMP {row['icmp']} goes back"}
        print_line(f"{wanted} ({row['kind']}{answer.get(str(row['kind']), '')})")
        print_line(f"  {row['meaning']}")


def code_rows() -> list[dict[str, str | None]]:
    """All codes: first the fates of packets, then the findings."""
    from netsim.dataplane.disposition import FATES, NO_ERROR, Disposition

    rows: list[dict[str, str | None]] = []
    for fate in FATES:
        kind = "delivered" if fate.ok else "dropped"
        rows.append(
            {
                "code": fate.disposition.symbol,
                "kind": "in flight" if fate.disposition is Disposition.IN_FLIGHT else kind,
                "icmp": None if fate.icmp == NO_ERROR else "/".join(map(str, fate.icmp)),
                "meaning": fate.condition,
            }
        )
    rows += [{"code": code, "kind": "finding", "icmp": None, "meaning": text} for code, text in FINDINGS.items()]
    return rows
