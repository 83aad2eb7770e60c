"""What would happen if: a copy of the network with the change made, to be compared (`diff.py`).

`what_if` makes any edits the control plane accepts on a copy; nothing happens to the original.
`each_connection_down` asks the commonest question for every connection at once.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsim.controlplane import edit as e
from netsim.controlplane.edit import Edit
from netsim.controlplane.fib_compiler import LinkName
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import SIDES
from netsim.dataplane.fib import K_ACTIVE, LINK_WORDS
from netsim.verify.network import Network
from netsim.verify.pairs import all_pairs


def what_if(network: Network, *edits: Edit[Any]) -> Network:
    """The network after these edits, the operator's; the given one stays as it is.

    Raises:
        RefusedError: a rule of the product says no.
    """
    inventory = copy.deepcopy(network.inventory)
    ports = {i: network.open_ports(i) - set(instance.listen) for i, instance in inventory.instances.items()}
    inventory.apply(*edits)
    # What flows have opened stays open.
    return Network.of(inventory, {i: frozenset(more) for i, more in ports.items() if more and i in inventory.instances})


def connections_down(network: Network, conn_ids: Iterable[str]) -> Network:
    """The network while these connections carry nothing; their states in the inventory stay.

    Raises:
        NotFoundError: no such connection.
    """
    link = network.fib.link.copy()
    for ref in conn_ids:
        conn = network.inventory.peer_conn(ref)
        for side in SIDES:
            link[network.link_of[LinkName(conn.id, side)] * LINK_WORDS + K_ACTIVE] = 0
    changed = copy.copy(network)
    changed.fib = network.fib._replace(link=link).frozen()
    changed.__dict__.pop("view", None)
    return changed


def vpc_gone(inventory: Inventory, ref: str) -> tuple[Edit[Any], ...]:
    """The edits that remove a VPC with all in it, for `what_if`.

    Raises:
        NotFoundError: no such VPC.
    """
    vpc = inventory.vpc(ref)
    edits: list[Edit[Any]] = []
    for conn in inventory.peer_conns_of(vpc.id):
        if conn.delete_protect:
            edits.append(e.SetDeleteProtect(conn.id, delete_protect=False))
        edits.append(e.DeletePeerConn(conn.id))
    edits += [e.DeleteRoute(rule.id) for rule in inventory.rules_of(vpc.id)]  # their sources guard the subnets
    edits += [e.DeleteInstance(instance.id) for instance in inventory.instances_of(vpc.id)]
    edits += [e.DeleteSubnet(subnet.id) for subnet in inventory.subnets_of(vpc.id)]
    return (*edits, e.DeleteVpc(vpc.id))


@dataclass(frozen=True, slots=True)
class Failure:
    """What one connection carries alone: the pairs that are reachable only while it is up.

    `witness` is one of these pairs, by the names of the instances.
    """

    conn_id: str
    name: str
    lost: int
    witness: tuple[str, str] | None

    def to_dict(self) -> dict[str, Any]:
        """The failure as JSON."""
        pair = None if self.witness is None else {"from": self.witness[0], "to": self.witness[1]}
        return {"peer_connection": self.name, "id": self.conn_id, "pairs_lost": self.lost, "witness": pair}


def each_connection_down(network: Network) -> list[Failure]:
    """Every active connection by the pairs lost when it alone is down, most first.

    Cost: one computation of all pairs for each.
    """
    before = all_pairs(network)
    was = before.is_reachable
    names = [network.inventory.instances[i].name for i in before.instance_ids]
    failures = []
    for conn in network.inventory.peer_conns.values():
        if not conn.is_active:
            continue
        lost = np.argwhere(was & ~all_pairs(connections_down(network, [conn.id])).is_reachable)
        witness = (names[int(lost[0][0])], names[int(lost[0][1])]) if len(lost) else None
        failures.append(Failure(conn.id, conn.name, len(lost), witness))
    return sorted(failures, key=lambda failure: -failure.lost)
