"""Opens, checks, writes and generates topology files (`*.netsim.yaml`, JSON too).

`load_topology` reads a file, `read_topology` a text; `dump_topology` writes one as text; `new_topology`
generates one from a template. Importing this package is cheap: YAML, pydantic and the control plane are
loaded with the first use.
"""

from __future__ import annotations

from netsim.topology_file.loader import Topology, load_topology, read_topology
from netsim.topology_file.templates import TEMPLATES, new_topology

__all__ = ["TEMPLATES", "Topology", "dump_topology", "load_topology", "new_topology", "read_topology"]


def dump_topology(topology: Topology) -> str:
    """The text of a topology as it is now; see `netsim.topology_file.dump`."""
    from netsim.topology_file import dump

    return dump.dump_topology(topology)
