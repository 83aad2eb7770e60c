"""Opens, checks, writes and generates topology files (`*.netsim.yaml`, JSON too).

`load_topology` reads a file, `read_topology` a text, `dump_topology` writes one. Importing this package
is cheap; YAML, pydantic and the control plane are loaded with the first file.
"""

from __future__ import annotations

from netsim.topology_file.loader import Topology, load_topology, read_topology

__all__ = ["Topology", "load_topology", "read_topology"]
