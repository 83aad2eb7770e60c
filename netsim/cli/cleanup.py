"""`netsim cleanup`: takes away what a killed deploy or destroy left."""

from __future__ import annotations

import os

from netsim.cli.frame import subcommand
from netsim.cli.output import print_json, print_line
from netsim.cli.settings import Settings
from netsim.errors import CapabilityError


@subcommand("cleanup", example="netsim cleanup --json", takes_topology=False)
def command(settings: Settings) -> int:
    """Remove what killed commands left of deployments; complete ones stay (netsim destroy).

    Only namespaces that are written down as netsim's are touched. Waits for a deploy that is at work.
    """
    from netsim.kernel.deploy import cleanup
    from netsim.kernel.journal import Journal

    journal = Journal()
    is_needed = bool(journal.partials()) or any(each.phase != "complete" for each in journal.all())
    if is_needed and os.geteuid():
        raise CapabilityError("cleanup: needs root (sudo netsim cleanup)")
    cleaned = cleanup(journal=journal) if is_needed else []
    if settings.is_json:
        print_json({"cleaned": cleaned})
        return 0
    for name in cleaned:
        print_line(f"{name}: leftovers removed")
    if not cleaned:
        settings.note("no leftovers")
    return 0
