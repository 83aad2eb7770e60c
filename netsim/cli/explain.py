"""`netsim explain`: what a reason code means, in one sentence."""

from __future__ import annotations

import click

from netsim.cli.frame import subcommand
from netsim.cli.output import print_json, print_line, print_rows
from netsim.cli.settings import Settings

# Those of `verify/finding.py`, but for the fates: a table of its own, since that one's module loads numpy.
FINDINGS: dict[str, str] = {
    "one_way": "Packets arrive, but answers don't: nothing that needs an answer works.",
    "loop": "Rules of several VPCs send a packet back to where it was: it never arrives (ttl_expired).",
    "peer_not_routed": "A connection has routes on one side or none: no round trip can use it.",
    "isolated_subnet": "The instances of a subnet reach nobody outside their VPC, which is connected.",
    "shadowed_rule": "A rule never wins: for every packet it matches, a longer match stands before it.",
    "redundant_rule": "A rule changes nothing: without it the next best sends its packets the same way.",
}
"""What `lint` finds that is no packet's fate and no reason."""


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
        raise click.UsageError(f'code "{code}": there is none of that name{hint}')
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
    """All codes: first the fates of packets, then the reasons and findings of proofs."""
    from netsim.dataplane.disposition import FATES, NO_ERROR, Disposition
    from netsim.verify.reason import SENTENCES

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
    found = SENTENCES | FINDINGS
    rows += [{"code": code, "kind": "finding", "icmp": None, "meaning": text} for code, text in found.items()]
    return rows
