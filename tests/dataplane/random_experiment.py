"""Small random networks with random traffic, each decided by its seed alone.

Made to collide: addresses overlap, times fall together, queues are short, MTUs differ, rules are nested.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from netsim.dataplane.batch import PROTO_ICMP, PROTO_TCP, PROTO_UDP, pack_icmp, pack_ports, pack_tcp
from netsim.prefix import ANY, Prefix, parse_prefix, prefix_of
from tests.dataplane.experiment import Experiment, Traffic
from tests.dataplane.network import GONE, NO_LIMIT, Instance, Link, Network, Rule, Vpc
from tests.reference.scalar_forward import Packet

CIDRS = ["10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16", "10.0.0.0/20", "172.16.0.0/16", "192.168.0.0/24"]
ELSEWHERE = ["0.0.0.0/0", "8.0.0.0/8", "8.8.0.0/16", "8.8.8.8/32", "10.0.0.0/8", "10.1.0.0/24", "10.2.0.0/17"]
ODD_ADDRS = ["224.0.0.1", "255.255.255.255", "127.0.0.1", "0.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "240.0.0.1"]
END_NS = 60_000_000
GRAIN_NS = 50_000
"""Most times are multiples of this, as delays are: ties are common."""


def random_experiment(seed: int) -> Experiment:
    """A network of up to 5 VPCs and up to 8 flows, a few hundred packets, now and then an edit."""
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    stored = [random_stored(rng, network) for _ in range(rng.integers(0, 30))]
    traffic = [random_flow(rng, network) for _ in range(rng.integers(1, 7))]
    for _ in range(2 if stored else 0):
        rows = [int(rng.integers(len(stored))) for _ in range(rng.integers(1, 25))]
        inst = int(rng.integers(len(network.instances)))
        at_ns = sorted(_time(rng, END_NS // 2) for _ in rows)
        traffic.append(Traffic(inst, int(rng.integers(-1, len(network.instances))), None, at_ns, rows=rows))
    edits: list[tuple[int, Network]] = []
    if rng.random() < 0.5:
        for edit_ns in sorted({_time(rng, END_NS) + 1 for _ in range(rng.integers(1, 4))}):
            edits.append((edit_ns, edited(rng, edits[-1][1] if edits else network)))
    return Experiment(network, traffic, END_NS, stored, edits)


def random_network(rng: Any) -> Network:
    network = Network(transits=int(rng.choice([0, 1, 1, 2, NO_LIMIT])))
    for n in range(rng.integers(1, 6)):
        cidr = parse_prefix(CIDRS[rng.integers(len(CIDRS))])
        vpc = Vpc(f"vpc-{n}", cidr, [], bool(rng.random() < 0.5))
        for number in range(rng.integers(0 if n else 1, 4)):
            prefix_len = max(cidr.prefix_len, int(rng.integers(24, 29)))
            subnet = Prefix(cidr.network + number * (cidr.size // 4), max(prefix_len, cidr.prefix_len + 2))
            vpc.subnets.append(subnet)
            for _ in range(rng.integers(0 if n or number else 1, 3)):
                addr = subnet.first + 3 + int(rng.integers(min(subnet.size - 4, 6)))
                if addr not in {instance.addr for instance in network.instances if instance.vpc == n}:
                    ports = sorted({(int(rng.choice([6, 17])), int(rng.integers(1, 4))) for _ in range(3)})
                    ports = ports[: rng.integers(0, 4)]
                    mbps = int(rng.choice([1, 10, 1000, 10_000]))
                    network.instances.append(Instance(f"i{addr}", n, addr, subnet, ports, mbps))
        network.vpcs.append(vpc)
    for a in range(len(network.vpcs)):
        for b in range(a):
            if rng.random() < 0.7:
                network.links += [random_link(rng, a, b), random_link(rng, b, a)]
    for n, vpc in enumerate(network.vpcs):
        random_rules(rng, network, n, vpc)
    return network


def random_link(rng: Any, a: int, b: int) -> Link:
    mtu = int(rng.choice([68, 120, 576, 1400, 1500, 1500, 9000]))
    overhead = int(rng.choice([0, 0, 14, 38]))
    return Link(
        a,
        b,
        rate_bps=int(rng.choice([1, 2, 3, 7, 10, 100, 1000])) * 1_000_000,
        burst_bytes=mtu + overhead + int(rng.integers(3000)),
        queue_bytes=mtu + overhead + int(rng.choice([0, 1000, 10_000, 65_536])),
        mtu_bytes=mtu,
        delay_ns=int(rng.choice([1, 1, 2, 10, 100])) * GRAIN_NS + int(rng.integers(2)),
        overhead_bytes=overhead,
        police=bool(rng.random() < 0.2),
        is_active=bool(rng.random() < 0.95),
    )


def random_rules(rng: Any, network: Network, n: int, vpc: Vpc) -> None:
    outgoing = [k for k, link in enumerate(network.links) if link.src == n]
    sources = [ANY, ANY, *vpc.subnets, *(other.cidr for other in network.vpcs)]
    wanted = [network.vpcs[network.links[k].dst].cidr for k in outgoing if rng.random() < 0.8]
    targets = [k for k in outgoing if network.vpcs[network.links[k].dst].cidr in wanted]
    for destination in [*wanted, *(_destination(rng, network) for _ in range(rng.integers(0, 8)))]:
        source = ANY if targets else sources[rng.integers(len(sources))]
        if vpc.cidr.overlaps(destination) and destination != ANY:
            continue
        if any(rule.destination == destination and rule.source == source for rule in vpc.rules):
            continue
        rule = Rule(destination, source, "peer")
        if targets:
            rule.target = targets.pop(0)
        elif rng.random() < 0.2:
            rule.action, rule.target = [("blackhole", -1), ("gateway", 0), ("peer", GONE)][rng.integers(3)]
        elif outgoing:
            rule.target = int(rng.choice(outgoing))
        vpc.rules.append(rule)


def _destination(rng: Any, network: Network) -> Prefix:
    if rng.random() < 0.4:
        return parse_prefix(ELSEWHERE[rng.integers(len(ELSEWHERE))])
    addr = _addr(rng, network)
    return prefix_of(addr, int(rng.choice([16, 24, 28, 32])))


def _addr(rng: Any, network: Network) -> int:
    """An instance's address in most cases, else one of a subnet's others, or an odd one."""
    if network.instances and rng.random() < 0.75:
        return network.instances[int(rng.integers(len(network.instances)))].addr
    subnets = [subnet for vpc in network.vpcs for subnet in vpc.subnets]
    if rng.random() < 0.7:
        subnet = subnets[int(rng.integers(len(subnets)))]
        return subnet.last if rng.random() < 0.2 else subnet.first + int(rng.choice([0, 1, 2, 9]))
    return parse_prefix(f"{ODD_ADDRS[rng.integers(len(ODD_ADDRS))]}/32").network


def _time(rng: Any, below_ns: int) -> int:
    return int(rng.integers(below_ns // GRAIN_NS)) * GRAIN_NS + (0 if rng.random() < 0.8 else int(rng.integers(100)))


def random_packet(rng: Any, src: int, dst: int) -> Packet:
    proto = int(rng.choice([PROTO_UDP, PROTO_UDP, PROTO_TCP, PROTO_ICMP, 47]))
    size = int(rng.choice([28, 60, 84, 300, 600, 1400, 1500, 1501, 3000, 5000]))
    l4 = {
        PROTO_UDP: pack_ports(int(rng.integers(5)), int(rng.integers(5))),
        PROTO_TCP: pack_tcp(int(rng.integers(5)), int(rng.integers(5)), int(rng.choice([2, 2, 4, 16, 17, 18, 24]))),
        PROTO_ICMP: pack_icmp(int(rng.choice([8, 8, 8, 0, 3, 11, 13])), 0, 7),
    }.get(proto, 0)
    ttl = int(rng.choice([0, 1, 2, 3, 64, 64, 64, 255]))
    return Packet(src, dst, proto, size, ttl, l4, df=int(rng.random() < 0.3), watch=1, quiet=int(rng.random() < 0.1))


def random_flow(rng: Any, network: Network) -> Traffic:
    inst = int(rng.integers(len(network.instances)))
    src = network.instances[inst].addr if rng.random() < 0.9 else _addr(rng, network)
    dst = _addr(rng, network)
    receivers = [number for number, other in enumerate(network.instances) if other.addr == dst] or [-1]
    packet = random_packet(rng, src, dst)
    n = int(rng.integers(1, 50))
    start, step = _time(rng, END_NS // 2), int(rng.choice([0, 1, 2, 4, 13])) * GRAIN_NS
    at_ns = [start + k * step for k in range(n)]
    return Traffic(inst, int(rng.choice(receivers)), packet, at_ns, payload=max(0, packet.size - 28))


def random_stored(rng: Any, network: Network) -> tuple[Packet, int, int]:
    """A packet somebody made: perhaps a fragment, with options, with a fate of its own."""
    packet = random_packet(rng, _addr(rng, network), _addr(rng, network))
    packet.ident = int(rng.integers(3))
    packet.kept = int(rng.random() < 0.2)
    if packet.proto == PROTO_TCP:
        numbers = [0, 1, 2**32 - 1, 2**31, int(rng.integers(2**32))]
        packet.tcp_seq, packet.tcp_ack = (int(rng.choice(numbers)) for _ in range(2))
        packet.window, packet.ts_echo = int(rng.integers(65_536)), int(rng.integers(2**31))
    packet.header = min(int(rng.choice([20, 20, 24, 60])), packet.size // 4 * 4)
    if rng.random() < 0.4:
        packet.frag_offset = int(rng.choice([0, 8, 24, 1480, 65_528]))
        packet.mf = int(rng.random() < 0.5)
        packet.size = packet.header + int(rng.choice([8, 16, 1480]))
    fate = int(rng.choice([3, 4, 5])) if rng.random() < 0.1 else 0
    return packet, int(rng.integers(1000)), fate


def edited(rng: Any, network: Network) -> Network:
    """The network after one edit: a resize, a connection switched off or on, an instance deleted, another rule."""
    network = copy.deepcopy(network)
    what = rng.integers(4)
    if what == 0 and network.links:
        link = network.links[rng.integers(len(network.links))]
        link.rate_bps = int(rng.choice([1, 5, 50, 500])) * 1_000_000
        link.burst_bytes = link.mtu_bytes + link.overhead_bytes + int(rng.integers(5000))
        link.queue_bytes = link.mtu_bytes + link.overhead_bytes + int(rng.integers(50_000))
    elif what == 1 and network.links:
        link = network.links[rng.integers(len(network.links))]
        link.is_active = not link.is_active
    elif what == 2:
        network.instances[rng.integers(len(network.instances))].is_alive = False
    else:
        vpc = network.vpcs[rng.integers(len(network.vpcs))]
        vpc.rules = vpc.rules[1:]
    return network
