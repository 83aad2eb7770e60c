"""`netsim pingall`: every instance pings every other one, in mininet's matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netsim.cli.frame import subcommand
from netsim.cli.loading import open_lab
from netsim.cli.output import print_json, print_line, print_now, safe
from netsim.cli.settings import Settings
from netsim.units import NS_PER_MS

if TYPE_CHECKING:
    from netsim.probe.pingall import PingRow


@subcommand("pingall", example="netsim pingall -t shop.netsim.yaml")
def command(settings: Settings) -> int:
    """Let every instance ping every other one once; X stands for no reply.

    A row is an instance and those that answered it. Exits 0 if all did, else 1.
    """
    from netsim.probe.pingall import ping_all

    lab = open_lab(settings)
    if not settings.is_json:
        print_now("*** Ping: testing ping reachability")
    rows = ping_all(lab, None if settings.is_json else _print_row)
    answers = [answer for row in rows for answer in row.answers]
    sent, received = len(answers), sum(answer.rtt_ns is not None for answer in answers)
    if settings.is_json:
        print_json(_as_json(rows, sent, received))
    elif sent:
        print_line(f"*** Results: {100 * (sent - received) // sent}% dropped ({received}/{sent} received)")
    else:
        print_line("*** Warning: No packets sent")
    return 0 if received == sent else 1


def _print_row(row: PingRow) -> None:
    # mininet writes a space behind each name, the last one too.
    names = "".join(f"{'X' if answer.rtt_ns is None else safe(answer.target.name)} " for answer in row.answers)
    print_now(f"{safe(row.source.name)} -> {names}")


def _as_json(rows: list[PingRow], sent: int, received: int) -> dict[str, Any]:
    return {
        "sent": sent,
        "received": received,
        "loss_ratio": (sent - received) / sent if sent else 0,
        "pairs": [
            {
                "from": row.source.name,
                "to": answer.target.name,
                "received": answer.rtt_ns is not None,
                "rtt_ms": None if answer.rtt_ns is None else answer.rtt_ns / NS_PER_MS,
                "request": None if answer.request is None else answer.request.symbol,
                "reply": None if answer.reply is None else answer.reply.symbol,
            }
            for row in rows
            for answer in row.answers
        ],
    }
