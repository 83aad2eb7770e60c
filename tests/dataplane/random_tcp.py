"""Small random networks with TCP flows, each decided by its seed alone.

Made to hurt: queues of a packet or two, policing, MTUs that shrink along the path, connections that go down and come
back, flows that share a link or run against each other, equal times.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from netsim.dataplane.batch import PROTO_UDP, pack_ports
from tests.dataplane.experiment import Traffic
from tests.dataplane.network import NO_LIMIT, Network
from tests.dataplane.tcp_experiment import TcpExperiment, TcpTraffic
from tests.reference.scalar_forward import Packet
from tests.reference.scalar_segment import FED
from tests.reference.scalar_tcp import TcpFlow

MS, S = 1_000_000, 1_000_000_000
BUDGET_BYTES = 250_000
"""About so much is sent by a flow, whatever the rate: it keeps an experiment short."""


def random_tcp(seed: int, budget_bytes: int = BUDGET_BYTES) -> TcpExperiment:
    """2 to 4 VPCs in a row, 1 to 4 TCP flows and now and then a UDP flow, edits in a third of the cases."""
    rng = np.random.default_rng([seed, 6])
    network = random_chain(rng)
    busy_ns = int(rng.choice([20, 100, 500, 2000])) * MS
    tcp = [random_traffic(rng, network, busy_ns, budget_bytes) for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 4]))]
    other = [random_udp(rng, network, busy_ns)] if rng.random() < 0.25 else []
    end_ns = int(rng.choice([busy_ns, 2 * busy_ns + S, 3 * S, 20 * S, 150 * S, 700 * S])) + int(rng.integers(1000))
    edits: list[tuple[int, Network]] = []
    if rng.random() < 0.35:
        edits = random_edits(rng, network, busy_ns, end_ns)
    return TcpExperiment(network, tcp, end_ns, other, edits)


def random_chain(rng: Any) -> Network:
    network = Network(transits=NO_LIMIT)
    n = int(rng.choice([2, 2, 2, 3, 4]))
    for k in range(n):
        network.vpc(f"v{k}", f"10.{k}.0.0/16", [f"10.{k}.0.0/24", f"10.{k}.1.0/24"], is_relay=True)
        for host in range(rng.integers(1, 3)):
            mbps = int(rng.choice([10_000, 10_000, 10_000, 1000, 100, 20, 1]))
            network.instance(f"i{k}{host}", f"10.{k}.{rng.integers(2)}.{10 + host}", nic_mbps=mbps)
    for k in range(n - 1):
        network.connect(f"v{k}", f"v{k + 1}")
        is_down = bool(rng.random() < 0.05)
        for link in network.links[-2:]:
            link.is_active = not is_down
            link.rate_bps = int(rng.choice([1, 2, 5, 10, 10, 50, 100, 100, 333, 1000])) * 1_000_000
            link.mtu_bytes = int(rng.choice([1500, 1500, 1500, 1500, 9000, 1400, 1000, 576, 300]))
            link.delay_ns = int(rng.choice([50_000, 500_000, 500_000, 5 * MS, 30 * MS, 200 * MS]))
            link.overhead_bytes = int(rng.choice([0, 14, 38]))
            least = link.mtu_bytes + link.overhead_bytes
            link.burst_bytes = least + int(rng.choice([0, 1000, 10_000, 125_000]))
            link.queue_bytes = least + int(rng.choice([0, 1500, 5000, 20_000, 65_536, 10**6]))
            link.police = bool(rng.random() < 0.12)
    for k in range(n):
        for other in range(n):
            if other != k:
                network.route(f"v{k}", f"10.{other}.0.0/16", f"v{k + (1 if other > k else -1)}")
    return network


def random_traffic(rng: Any, network: Network, busy_ns: int, budget_bytes: int) -> TcpTraffic:
    inst, dst_inst = two_instances(rng, network)
    sizes = [1500, 1500, 1500, 1400, 1000, 576, 100, 4000, 9000]
    flow = TcpFlow(inst, dst_inst, int(rng.integers(1024, 65_536)), 80, packet_bytes=int(rng.choice(sizes)))
    open_ns = random_time(rng, busy_ns // 2)
    close_ns = open_ns + random_time(rng, busy_ns) if rng.random() < 0.85 else None
    fed_ns: list[int] = []
    path = path_between(network, inst, dst_inst)
    if rng.random() < 0.4 or not path:
        flow.app = FED
        n = int(rng.integers(0, budget_bytes // flow.packet_bytes // 2 + 2))
        fed_ns = sorted(open_ns + random_time(rng, busy_ns) for _ in range(min(n, budget_bytes // 1250)))
        if rng.random() < 0.3:
            fed_ns = [open_ns] * len(fed_ns)
        if close_ns is not None:
            close_ns = max([close_ns, *fed_ns])
    else:
        slowest_bps = min(network.links[k].rate_bps for k in path)
        trip_ns = 2 * sum(network.links[k].delay_ns for k in path)
        enough_ns = budget_bytes * 8 * S // slowest_bps + trip_ns * int(rng.integers(3))
        close_ns = open_ns + min(busy_ns if close_ns is None else close_ns - open_ns, enough_ns)
    return TcpTraffic(flow, open_ns, close_ns, fed_ns)


def path_between(network: Network, inst: int, dst_inst: int) -> list[int]:
    """The links from one instance to another, along the row."""
    here, there = network.instances[inst].vpc, network.instances[dst_inst].vpc
    return [2 * k for k in range(here, there)] + [2 * k + 1 for k in range(there, here)]


def two_instances(rng: Any, network: Network) -> tuple[int, int]:
    """From one VPC to another in most cases."""
    while True:
        inst, dst_inst = (int(k) for k in rng.integers(len(network.instances), size=2))
        is_far = network.instances[inst].vpc != network.instances[dst_inst].vpc
        if inst != dst_inst and (is_far or rng.random() < 0.1):
            return inst, dst_inst


def random_time(rng: Any, below_ns: int) -> int:
    """Often a multiple of 1 ms, as delays are: ties."""
    at_ns = int(rng.integers(max(below_ns, 1)))
    return at_ns // MS * MS if rng.random() < 0.6 else at_ns


def random_udp(rng: Any, network: Network, busy_ns: int) -> Traffic:
    inst, dst_inst = two_instances(rng, network)
    src, dst = (network.instances[k].addr for k in (inst, dst_inst))
    packet = Packet(src, dst, PROTO_UDP, int(rng.choice([60, 500, 1500])), l4=pack_ports(4000, 53), quiet=1)
    step_ns = int(rng.integers(50_000, 20 * MS))
    at_ns = list(range(0, busy_ns, step_ns))[:200]
    return Traffic(inst, dst_inst, packet, at_ns, payload=packet.size - 28)


def random_edits(rng: Any, network: Network, busy_ns: int, end_ns: int) -> list[tuple[int, Network]]:
    """A connection down and (in most cases) up again, a cap that changes, an instance that goes away."""
    edits: list[tuple[int, Network]] = []
    at_ns = random_time(rng, busy_ns)
    for _ in range(rng.integers(1, 4)):
        at_ns += 1 + random_time(rng, int(rng.choice([busy_ns, 100 * MS, 2 * S, 60 * S])))
        if at_ns >= end_ns:
            break
        network = copy.deepcopy(network)
        what = rng.random()
        pair = 2 * int(rng.integers(len(network.links) // 2))
        if what < 0.7:
            is_up = not network.links[pair].is_active
            for link in network.links[pair : pair + 2]:
                link.is_active = is_up
        elif what < 0.9:
            link = network.links[pair]
            link.rate_bps = max(1_000_000, int(link.rate_bps * rng.choice([0.1, 0.5, 2])))
            link.queue_bytes = link.mtu_bytes + link.overhead_bytes + int(rng.integers(50_000))
        else:
            network.instances[int(rng.integers(len(network.instances)))].is_alive = False
        edits.append((at_ns, network))
    return edits
