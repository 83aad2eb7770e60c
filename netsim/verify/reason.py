"""Verdicts, and the reasons that are no packet's fate.

A reason is the symbol of the forward disposition if that is not `delivered`; else, of the way back,
`no_return_route` for `no_route` and the symbol for the rest; or one of the words below.
"""

from __future__ import annotations

from netsim.dataplane.disposition import Disposition

REACHABLE, ONE_WAY, NOT_REACHABLE = "reachable", "one_way", "not_reachable"
VERDICTS = (REACHABLE, ONE_WAY, NOT_REACHABLE)

NO_RETURN_ROUTE = "no_return_route"
OVERLAPPING_CIDR = "overlapping_cidr"
PORT_CLOSED = "port_closed"

SENTENCES = {
    NO_RETURN_ROUTE: "Packets arrive, but the way back from the destination has no matching rule: answers are lost.",
    OVERLAPPING_CIDR: "Another instance with the same address gets the packet, because address ranges overlap.",
    PORT_CLOSED: "Packets arrive and answers come back, but nothing listens on the port: the answer is a refusal.",
}
"""What each means; the fates' sentences stand in `dataplane/disposition.py`."""


def reason_of_return(disposition: Disposition) -> str:
    """The reason when packets arrive and answers end like this."""
    return NO_RETURN_ROUTE if disposition is Disposition.NO_ROUTE else disposition.symbol
