"""Scripts of hand-made TCP clients that talk to open ports, each decided by its seed alone.

A client knows the numbers its server will use, so that most of what it says is right; then some packets are lost, come
twice or in another order, or say something wrong.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from netsim.dataplane.batch import ACK, FIN, PROTO_TCP, PSH, RST, SYN, pack_tcp
from netsim.dataplane.fib import ECHO_PROTO
from netsim.dataplane.tcp_numbers import initial_number
from tests.dataplane.experiment import Experiment, Traffic
from tests.dataplane.network import Network
from tests.reference.scalar_forward import Packet

MS, S = 1_000_000, 1_000_000_000
DISCARD_PORT, ECHO_PORT, CLOSED_PORT = 9, 7, 81
Script = list[tuple[int, Packet, int]]
"""(when, packet, payload bytes), by time."""


def random_talk(seed: int) -> Experiment:
    """Up to six conversations at once between clients in one VPC and servers in another."""
    rng = np.random.default_rng([seed, 7])
    network = stage(rng)
    stored: list[tuple[Packet, int, int]] = []
    traffic = []
    for _ in range(rng.integers(1, 7)):
        script = random_script(rng, network)
        rows = range(len(stored), len(stored) + len(script))
        stored += [(packet, payload, 0) for _, packet, payload in script]
        traffic.append(Traffic(script_client(network, script), 2, None, [at for at, _, _ in script], rows=list(rows)))
    return Experiment(network, traffic, int(rng.choice([S, 5 * S, 200 * S])), stored)


def stage(rng: Any) -> Network:
    """Two clients in a, two servers in b."""
    network = Network()
    network.vpc("a", "10.0.0.0/16", ["10.0.0.0/24"])
    network.vpc("b", "10.1.0.0/16", ["10.1.0.0/24"])
    for addr in ("10.0.0.10", "10.0.0.11"):
        network.instance(addr, addr, nic_mbps=int(rng.choice([10_000, 10])))
    for addr in ("10.1.0.10", "10.1.0.11"):
        network.instance(addr, addr, [(PROTO_TCP, ECHO_PORT), (ECHO_PROTO, ECHO_PORT), (PROTO_TCP, DISCARD_PORT)])
    mtu = int(rng.choice([1500, 1500, 600, 300]))
    delay_ns, rate_mbps = int(rng.choice([50_000, 5 * MS])), int(rng.choice([1, 10, 100]))
    queue_bytes = mtu + int(rng.choice([0, 3000, 60_000]))
    network.connect(
        "a", "b", mtu_bytes=mtu, delay_ns=delay_ns, rate_bps=rate_mbps * 10**6, queue_bytes=queue_bytes,
        burst_bytes=mtu + 1000,
    )  # fmt: skip
    network.route("a", "10.1.0.0/16", "b")
    network.route("b", "10.0.0.0/16", "a")
    return network


def script_client(network: Network, script: Script) -> int:
    return next(k for k, instance in enumerate(network.instances) if instance.addr == script[0][1].src)


def random_script(rng: Any, network: Network) -> Script:
    """One client's side of a conversation, with mistakes."""
    client, server = network.instances[int(rng.integers(2))], network.instances[2 + int(rng.integers(2))]
    port, server_port = int(rng.integers(1, 4)), int(rng.choice([DISCARD_PORT, ECHO_PORT, ECHO_PORT, CLOSED_PORT]))
    own = int(rng.choice([0, 2**32 - 700, int(rng.integers(2**32))]))
    other = initial_number(server.addr, client.addr, server_port, port)
    script: Script = []
    at_ns, said, heard = int(rng.integers(20)) * MS, 0, 0
    window = int(rng.choice([65_535, 65_535, 4000, 0]))

    def say(flags: int, length: int = 0, mss: int = 0) -> None:
        nonlocal at_ns, said
        l4 = pack_tcp(port, server_port, flags)
        size = 40 + length + (4 if mss else 0)
        ack = (other + heard) % 2**32 if flags & ACK else 0
        packet = Packet(
            client.addr, server.addr, PROTO_TCP, size, l4=l4, watch=1, tcp_seq=(own + said) % 2**32, tcp_ack=ack,
            window=window, ts_echo=mss,
        )  # fmt: skip
        script.append((at_ns, packet, length))
        said += length + bool(flags & SYN) + bool(flags & FIN)
        at_ns += int(rng.choice([0, 1, 5, 20, 50, 300, 1000], p=[0.2, 0.1, 0.1, 0.25, 0.2, 0.1, 0.05])) * MS

    say(SYN, mss=int(rng.choice([0, 1460, 536, 100])))
    at_ns += 30 * MS
    heard = 1
    say(ACK)
    for _ in range(rng.integers(0, 12)):
        say(ACK | PSH, int(rng.choice([0, 1, 100, 536, 1000, 1460])))
        if server_port == ECHO_PORT:
            heard = min(said, heard + int(rng.choice([0, 100, 1000, 3000])))
        window = int(rng.choice([window, window, 65_535, 1000, 0]))
    if rng.random() < 0.7:
        say(FIN | ACK)
        at_ns += 50 * MS
        heard = said if server_port == ECHO_PORT else 2
        say(ACK)
    return with_mistakes(rng, script)


def with_mistakes(rng: Any, script: Script) -> Script:
    """The script as it is in a third of the cases; else packets are missing, twice there, late or wrong."""
    if rng.random() < 0.33:
        return script
    out: Script = []
    for at_ns, packet, payload in script:
        what = rng.random()
        late_ns = int(rng.choice([2, 40, 500])) * MS if what > 0.94 else 0
        if what < 0.08:
            continue
        if what < 0.16:
            out.append((at_ns, replace(packet), payload))
        out.append((at_ns + late_ns, mistaken(rng, packet) if what > 0.82 else packet, payload))
    return sorted(out or script[:1], key=lambda said: said[0])


def mistaken(rng: Any, packet: Packet) -> Packet:
    """With a wrong number, other flags, or not meant to be answered."""
    what = rng.random()
    off = int(rng.choice([-1, 1, 100, 70_000, 2**31]))
    if what < 0.3:
        return replace(packet, tcp_seq=(packet.tcp_seq + off) % 2**32)
    if what < 0.6:
        return replace(packet, tcp_ack=(packet.tcp_ack + off) % 2**32)
    if what < 0.9:
        flags = int(rng.choice([0, RST, RST | ACK, SYN, SYN | ACK, FIN, PSH, ACK, SYN | FIN]))
        return replace(packet, l4=packet.l4 & 0xFFFF_FFFF | flags << 32)
    return replace(packet, quiet=1)
