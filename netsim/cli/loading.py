"""Which topology file a command works on, and opening it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netsim.cli.settings import Settings
from netsim.errors import UsageError

if TYPE_CHECKING:
    from netsim.lab import Lab
    from netsim.topology_file import Topology

SUFFIX = ".netsim.yaml"
_SHOWN = 6


def topology_path(settings: Settings, given: str | None = None) -> str:
    """The file that was named (as an argument or by -t), else the only `*.netsim.yaml` here.

    Raises:
        UsageError: two different ones were named, or there is none or several to choose from.
    """
    if given is not None and settings.file not in (None, given):
        raise UsageError(f"two topology files: {given} and -t {settings.file}; name one")
    named = given if given is not None else settings.file
    if named is not None:
        return named
    try:
        # Not glob: it takes an unreadable folder for an empty one.
        names = [path.name for path in Path().iterdir()]
    except OSError as failure:
        raise UsageError(f"this folder can't be read: {failure.strerror}; name a file with -t FILE") from None
    here = sorted(name for name in names if name.endswith(SUFFIX) and not name.startswith("."))
    if len(here) == 1:
        return here[0]
    if not here:
        raise UsageError(f"no topology file: there is no *{SUFFIX} here; name one with -t FILE")
    shown = ", ".join(here[:_SHOWN]) + (", …" if len(here) > _SHOWN else "")
    raise UsageError(f"which topology file? here are {shown}; name one with -t FILE")


def open_topology(settings: Settings, given: str | None = None) -> Topology:
    """The topology of the file that is meant.

    Raises:
        UsageError: it is not clear which.
        TopologyError: the file is wrong.
    """
    from netsim.topology_file import load_topology

    return load_topology(topology_path(settings, given), settings.seed)


def open_lab(settings: Settings, given: str | None = None) -> Lab:
    """The network of the file that is meant, ready to run.

    Raises:
        UsageError: it is not clear which file.
        TopologyError: the file is wrong.
    """
    from netsim.lab import Lab

    return Lab.load(topology_path(settings, given), settings.seed)
