"""Finding: something in a network that is wrong, useless or surprising, with a packet that shows it.

The codes, their severity and meaning stand in `CODES`, the only table of them. An error stops packets
that were meant to pass; a warning probably does; an info is worth knowing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from netsim.prefix import format_addr
from netsim.verify.change import Fix

ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (ERROR, WARNING, INFO)
"""Worst first."""


class Code(NamedTuple):
    """A kind of finding: how bad it is, and what it means in a sentence."""

    severity: str
    meaning: str


CODES: dict[str, Code] = {
    "bad_state_route": Code(ERROR, "A rule points to a connection that is gone or not active: it discards."),
    "loop": Code(ERROR, "Rules of several VPCs send a packet back to where it was: it never arrives."),
    "one_way": Code(ERROR, "Packets arrive, but answers don't: nothing that needs an answer works."),
    "overlapping_cidr": Code(WARNING, "VPCs near each other use the same addresses: one hides the other."),
    "peer_not_routed": Code(WARNING, "A connection has routes on one side or none: no round trip can use it."),
    "transit_denied": Code(WARNING, "A rule sends packets through a VPC that may not pass them on."),
    "ttl_expired": Code(WARNING, "A path has more routers than a packet's TTL of 64 can pass."),
    "isolated_subnet": Code(WARNING, "The instances of a subnet reach nobody outside their VPC, which is connected."),
    "shadowed_rule": Code(WARNING, "A rule never wins: for every packet it matches, a longer match stands before it."),
    "redundant_rule": Code(INFO, "A rule changes nothing: without it the next best sends its packets the same way."),
}


class Witness(NamedTuple):
    """A packet that shows it: sent in this VPC with these addresses."""

    vpc: str
    src: int
    dst: int

    def __str__(self) -> str:
        return f"{format_addr(self.src)} → {format_addr(self.dst)} from {self.vpc}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        code: of `CODES`.
        text: what is wrong where, one sentence.
        vpc: name of the VPC it is about.
        rule: id of the rule to blame, None where it is no single one.
        peer_conn: id of the connection to blame, likewise.
        witness: a packet that shows it, None where no packet can.
        fixes: what to change, in order; the first is the next to make.
        count: how many pairs or rules it stands for.
    """

    code: str
    text: str
    vpc: str
    rule: str | None = None
    peer_conn: str | None = None
    witness: Witness | None = None
    fixes: tuple[Fix, ...] = ()
    count: int = 1

    @property
    def severity(self) -> str:
        """`error`, `warning` or `info`."""
        return CODES[self.code].severity

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON."""
        witness = None
        if self.witness is not None:
            src, dst = format_addr(self.witness.src), format_addr(self.witness.dst)
            witness = {"vpc": self.witness.vpc, "src": src, "dst": dst}
        return {
            "code": self.code,
            "severity": self.severity,
            "text": self.text,
            "vpc": self.vpc,
            "rule": self.rule,
            "peer_connection": self.peer_conn,
            "witness": witness,
            "fix": [fix.text for fix in self.fixes],
            "commands": [command for fix in self.fixes for command in fix.commands],
            "count": self.count,
        }
