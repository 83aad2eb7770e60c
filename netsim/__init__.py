"""netsim: a network traffic emulator with packet forwarding for cloud VPC networks.

    import netsim
    lab = netsim.load("topologies/two-vpcs-one-account.netsim.yaml")
    print(lab.ping("web-1", "db-1").received)

Importing is light: what costs time is imported when it is first used.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from netsim.version import __version__

if TYPE_CHECKING:
    from netsim import edit, scapy
    from netsim.controlplane.inventory import Inventory
    from netsim.lab import Lab
    from netsim.traffic.flow import FlowSpec

_HOMES = {
    "Inventory": "netsim.controlplane.inventory",
    "Lab": "netsim.lab",
    "FlowSpec": "netsim.traffic.flow",
}

_MODULES = {"edit": "netsim.edit", "scapy": "netsim.scapy"}

__all__ = ["FlowSpec", "Inventory", "Lab", "__version__", "edit", "load", "scapy"]


def load(path: str | os.PathLike[str], seed: int | None = None) -> Lab:
    """A lab from a topology file; `seed` overrides the file's.

    Raises:
        TopologyError: with every problem of the file, each with line and column.
    """
    lab: Lab = import_module("netsim.lab").Lab.load(os.fspath(path), seed)
    return lab


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'netsim' has no attribute {name!r}")
