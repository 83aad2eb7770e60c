"""Random networks: what the real kernel answers to a datagram is what the walk through the Fib says it must.

From every instance to every other, to routers, resolvers, edges of subnets, addresses nobody has and addresses of
nowhere, with small TTLs and with 64. The expected answer has three parts: where the packet ends and why; who says so,
from which address; and whether that answer finds its way back.
"""

from __future__ import annotations

import os
import select
import socket
import time
from typing import NamedTuple

import numpy as np
import pytest

from netsim.controlplane.inventory import Inventory
from netsim.dataplane.answer import error_source
from netsim.dataplane.disposition import Disposition
from netsim.kernel.namespace import inside
from netsim.prefix import ANY, format_addr, parse_addr
from netsim.verify.network import Network
from netsim.verify.path import Path, Start, start_at, walk
from tests.kernel.conftest import Build
from tests.kernel.prober import CLOSED_PORT, IP_RECVERR, Answer, read_answer
from tests.verify.random_network import RandomNetwork

pytestmark = [pytest.mark.netns, pytest.mark.slow]

NETWORKS = 200 if os.environ.get("NETSIM_LONG") == "1" else 12
FIRST_SEED = 700
SILENCE_S = 0.6

CODES = {
    Disposition.NO_ROUTE: (3, 0),
    Disposition.HOST_UNREACHABLE: (3, 1),
    Disposition.TTL_EXPIRED: (11, 0),
    Disposition.DELIVERED: (3, 3),
}


class Probe(NamedTuple):
    """A datagram: from the instance with this id, to an address, with a TTL."""

    source: str
    dst: int
    ttl: int


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + NETWORKS))
def test_the_kernel_answers_as_the_fib_says(build: Build, seed: int) -> None:
    inventory = RandomNetwork(seed).inventory
    network = Network.of(inventory)
    deployed = build(inventory)
    probes = list(_probes(inventory, seed))
    got = _ask(deployed.nodes, inventory, probes)
    names = {instance.id: instance.name for instance in inventory.instances.values()}
    differences = [
        f"{names[probe.source]} to {format_addr(probe.dst)} TTL {probe.ttl}: expected {want}, got {have}"
        for probe, have in zip(probes, got, strict=True)
        if (want := _expected(network, probe)) != have
    ]
    assert not differences, "\n".join([f"seed {seed}: {len(differences)} of {len(probes)}", *differences[:20]])


def _probes(inventory: Inventory, seed: int) -> list[Probe]:
    rng = np.random.Generator(np.random.PCG64(seed))
    targets = [instance.addr for instance in inventory.instances.values()]
    for subnet in inventory.subnets.values():
        targets += [subnet.router_addr, subnet.resolver_addr, subnet.cidr.last - 1]
    for rule in inventory.rules.values():
        targets += [rule.destination.first + 9] if rule.destination != ANY else [parse_addr("203.0.113.9")]
    usable = sorted({dst for dst in targets if 1 <= dst >> 24 < 224 and dst >> 24 != 127})
    return [
        Probe(source, dst, int(rng.choice([64, 64, 1, 2, 3, 4])))
        for source in inventory.instances
        for dst in usable
        # The subnet's own edges and itself are local matters of the instance's kernel.
        if dst != inventory.instances[source].addr and not _is_edge_at_home(inventory, source, dst)
    ]


def _is_edge_at_home(inventory: Inventory, source: str, dst: int) -> bool:
    cidr = inventory.subnets[inventory.instances[source].subnet_id].cidr
    return dst in (cidr.first, cidr.last)


def _ask(nodes: dict[str, dict[str, object]], inventory: Inventory, probes: list[Probe]) -> list[Answer | None]:
    """All at once, then one wait for all: silence costs its time only once."""
    sockets: list[socket.socket] = []
    space = ""
    try:
        for probe in probes:
            instance = inventory.instances[probe.source]
            space = str(nodes[f"{inventory.vpcs[instance.vpc_id].name}/{instance.name}"]["namespace"])
            with inside(space):
                sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sockets.append(sender)
            sender.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, probe.ttl)
            sender.sendto(_mark(len(sockets)), (format_addr(probe.dst), CLOSED_PORT))
        time.sleep(SILENCE_S)
        return [_answer(sender, _mark(k)) for k, sender in enumerate(sockets, 1)]
    finally:
        for sender in sockets:
            sender.close()


def _mark(k: int) -> bytes:
    """What the k-th datagram says: where VPCs overlap, errors about another instance's may come to this one."""
    return b"probe %d" % k


def _answer(sender: socket.socket, mark: bytes) -> Answer | None:
    poll = select.poll()
    poll.register(sender, 0)
    while poll.poll(0):
        answer, said = read_answer(sender)
        if said == mark:
            return answer
    return None


# --------------------------------------------------------------------------------- what must be


def _expected(network: Network, probe: Probe) -> Answer | None:
    inst = network.inst_of[probe.source]
    src = network.inventory.instances[probe.source].addr
    path = walk(network, start_at(network, inst), src, probe.dst)
    fate, node = _fate(network, path, probe.ttl)
    if fate not in CODES:
        return None
    if not path.hops:
        # Within the subnet: the receiver says that its port is closed, or the sender tells itself that nobody is there.
        told_by = probe.dst if fate is Disposition.DELIVERED else src
        return Answer(*CODES[fate], format_addr(told_by))
    if fate is Disposition.DELIVERED:
        sender = probe.dst
        start = start_at(network, path.inst) if path.inst >= 0 else Start(path.node, -1)
    else:
        sender = error_source(network.view.node, network.view.subnet, node, src)
        start = Start(node, -1)
    if sender == 0:
        return None
    back = walk(network, start, sender, src)
    return Answer(*CODES[fate], format_addr(sender)) if back.inst == inst and back.is_delivered else None


def _fate(network: Network, path: Path, ttl: int) -> tuple[Disposition, int]:
    """How and where it ends when it starts with this TTL: the walk's own is 64."""
    forwards_at_the_end = path.inst >= 0 or path.disposition is Disposition.EXITS_NETWORK
    forwarding = path.hops if forwards_at_the_end else path.hops[:-1]
    for k, hop in enumerate(forwarding):
        if ttl - k <= 1:
            return Disposition.TTL_EXPIRED, network.node_of[hop.vpc_id]
    return path.disposition, path.node
