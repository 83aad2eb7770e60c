"""Waiting until a router's interfaces carry packets.

An interface that is up need not work yet: the kernel tells bridges and queues about a new carrier in the background, up
to a second later, and until then a bridge drops what an instance sends. From Linux 6.8 on, asking for one interface
makes the kernel do that at once; before, it takes the waiting.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from netsim.errors import CapabilityError
from netsim.kernel.namespace import inside
from netsim.kernel.plan import Namespace
from netsim.kernel.tools import Tools

PATIENCE_S = 5.0
_PAUSE_S = 0.05


def settle(space: Namespace, tools: Tools) -> None:
    """Wait for all bridge ports and connections of a router.

    Raises:
        CapabilityError: one does not come up.
    """
    wanted = [device.name for device in space.devices if device.master or not (device.is_bridge or device.twin)]
    deadline = time.monotonic() + PATIENCE_S
    while wanted:
        with inside(space.name):
            printed = tools.ask("ip", ["-d", "-j", "-batch", "-"], (f"link show dev {name}" for name in wanted))
        wanted = [found["ifname"] for found in _documents(printed) if not _works(found)]
        if wanted:
            if time.monotonic() > deadline:
                raise CapabilityError(f"namespace {space.name}: {wanted[0]} does not come up")
            time.sleep(_PAUSE_S)


def _works(found: dict[str, Any]) -> bool:
    if "LOWER_UP" not in found["flags"]:
        return False
    slave = found.get("linkinfo", {}).get("info_slave_data")
    return slave is None or slave.get("state") == "forwarding"


def _documents(printed: str) -> Iterator[dict[str, Any]]:
    """Each command of a batch prints a JSON array of its own."""
    decoder = json.JSONDecoder()
    at = 0
    while (at := printed.find("[", at)) >= 0:
        found, at = decoder.raw_decode(printed, at)
        yield from found
