"""Caps: what UDP and TCP get through each connection of a network, by the emulator and by the kernel.

Each cap is looked at in a network of its own, the same on both sides: two VPCs, an instance in each, and the connection
with the bandwidth, burst, queue, MTU and policing of the file. Two things are made equal: bytes count as in layer 2,
which is what tbf does, and the delay is the shortest there is, as a kernel may have none to give.

Both sides get the same offered rate: the one that the real sender managed. A machine with something else to do can
only do worse, so a run that differs is made again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from netsim.controlplane import edit as e
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import PeerConn
from netsim.dataplane import state as m
from netsim.emulator import Emulator
from netsim.kernel.cap_load import DATAGRAM_BYTES, SEGMENT_BYTES, Load, send_tcp, send_udp
from netsim.kernel.deploy import deploy, destroy, write_sysctls
from netsim.kernel.journal import Deployed, Journal
from netsim.kernel.namespace import inside
from netsim.kernel.planner import plan
from netsim.prefix import format_addr
from netsim.traffic.flow import FlowSpec
from netsim.units import BITS_PER_BYTE, BPS_PER_MBPS, NS_PER_S

Progress = Callable[[int, int], None]

FACTORS = (0.5, 1.0, 1.6)
PACKET_BYTES, FRAME_BYTES = 1500, 1514
START_S = 1.0
"""Of TCP: what is not measured."""
ATTEMPTS = 3
RATE_TOLERANCE, FAST_RATE_TOLERANCE, LOSS_TOLERANCE = 0.02, 0.03, 0.01
FAST_MBPS = 500
"""Above, the wider tolerance holds."""
_SHORTEST_MS = 0.05
_MBPS_PER_DATAGRAM_IN_TRAIN, _LONGEST_TRAIN = 25, 40


@dataclass(frozen=True, slots=True)
class CapResult:
    """One run here and there.

    Attributes:
        connection: by name.
        cap_mbps: of layer 2.
        kind, factor: `udp` or `tcp`, and how much of the cap was offered.
        seconds: how long it ran; a bucket may pass burst and queue on top, 60 ms' worth by default.
        offered_bps: of layer 3.
        netsim_bps, kernel_bps: received; of udp throughput (layer 3), of tcp goodput.
        netsim_loss, kernel_loss: lost datagrams; of tcp, segments sent again, which is not judged.
    """

    connection: str
    cap_mbps: int
    kind: str
    factor: float
    seconds: float
    offered_bps: float
    netsim_bps: float
    kernel_bps: float
    netsim_loss: float
    kernel_loss: float

    @property
    def difference_ratio(self) -> float:
        """By how much netsim is above the kernel."""
        return self.netsim_bps / self.kernel_bps - 1 if self.kernel_bps else float(self.netsim_bps > 0)

    @property
    def agrees(self) -> bool:
        """Whether rate and, of udp, loss are as near as they have to be."""
        tolerance = FAST_RATE_TOLERANCE if self.cap_mbps > FAST_MBPS else RATE_TOLERANCE
        is_loss_near = self.kind == "tcp" or abs(self.netsim_loss - self.kernel_loss) <= LOSS_TOLERANCE
        return abs(self.difference_ratio) <= tolerance and is_loss_near

    def to_dict(self) -> dict[str, Any]:
        """The object of the JSON output."""
        names = ("connection", "cap_mbps", "kind", "factor", "seconds", "offered_bps")
        sides = ("netsim_bps", "kernel_bps", "netsim_loss", "kernel_loss")
        judged = {"difference_ratio": self.difference_ratio, "agrees": self.agrees}
        return {name: getattr(self, name) for name in (*names, *sides)} | judged


def check_caps(
    inventory: Inventory,
    seconds: float,
    *,
    factors: Sequence[float] = FACTORS,
    journal: Journal | None = None,
    progress: Progress | None = None,
) -> list[CapResult]:
    """UDP and TCP at each factor, for each active connection; of those with the same settings, the first.

    Raises:
        CapabilityError: the machine can't.
    """
    conns: dict[tuple[object, ...], PeerConn] = {}
    for conn in inventory.peer_conns.values():
        if conn.is_active:
            conns.setdefault(_settings(conn), conn)
    results: list[CapResult] = []
    total = len(conns) * len(factors) * 2
    for conn in conns.values():
        network = _network_of(conn)
        name = f"crosscheck-caps-{os.getpid()}"
        made = journal or Journal()
        try:
            deployed = deploy(plan(network, name), journal=made)
            made.mark(deployed, "destroying")  # a leftover, should this process be killed
            for ref in ("a-1", "b-1"):
                with inside(deployed.namespace_of(ref)):
                    write_sysctls([("ipv4/tcp_sack", "0")])  # as emulated flows have none
            for kind in ("udp", "tcp"):
                for factor in factors:
                    if progress is not None:
                        progress(len(results), total)
                    results.append(_compared(network, deployed, conn, kind, factor, seconds))
        finally:
            destroy(name, journal=made)
    return results


def _settings(conn: PeerConn) -> tuple[object, ...]:
    return conn.bandwidth_mbps, conn.burst_bytes, conn.queue_bytes, conn.mtu_bytes, conn.police


def _network_of(conn: PeerConn) -> Inventory:
    inventory = Inventory("research")
    inventory.apply(
        e.CreateAccount("acme"),
        e.CreateVpc("a", "bj", "10.1.0.0/16", "acme"),
        e.CreateVpc("b", "bj", "10.2.0.0/16", "acme"),
        e.CreateSubnet("a", "s", "10.1.0.0/24"),
        e.CreateSubnet("b", "s", "10.2.0.0/24"),
        e.CreateInstance("a-1", "a/s", "10.1.0.10"),
        e.CreateInstance("b-1", "b/s", "10.2.0.10"),
        e.CreatePeerConn(
            "a",
            "b",
            conn.bandwidth_mbps,
            "a-b",
            "to-b",
            "to-a",
            latency_ms=_SHORTEST_MS,
            burst_bytes=max(conn.burst_bytes, conn.mtu_bytes + FRAME_BYTES - PACKET_BYTES),
            queue_bytes=conn.queue_bytes,
            mtu_bytes=conn.mtu_bytes,
            accounting="l2",
            police=conn.police,
        ),
        e.CreateRoute("a", "0.0.0.0/0", "10.2.0.0/16", "to-b"),
        e.CreateRoute("b", "0.0.0.0/0", "10.1.0.0/16", "to-a"),
    )
    return inventory


def _compared(
    network: Inventory, deployed: Deployed, conn: PeerConn, kind: str, factor: float, seconds: float
) -> CapResult:
    """The best of a few runs: the first that agrees, else the one that comes nearest."""
    tried = []
    for _ in range(ATTEMPTS):
        tried.append(_run(network, deployed, conn, kind, factor, seconds))
        if tried[-1].agrees:
            return tried[-1]
    return min(tried, key=lambda each: abs(each.difference_ratio))


def _run(network: Inventory, deployed: Deployed, conn: PeerConn, kind: str, factor: float, seconds: float) -> CapResult:
    source, target = deployed.namespace_of("a-1"), deployed.namespace_of("b-1")
    address = format_addr(deployed.node("b-1")["addr"])
    payload_bytes = DATAGRAM_BYTES if kind == "udp" else SEGMENT_BYTES
    wanted_bps = factor * conn.bandwidth_mbps * BPS_PER_MBPS * payload_bytes / FRAME_BYTES
    if kind == "udp":
        train = max(1, min(_LONGEST_TRAIN, conn.bandwidth_mbps // _MBPS_PER_DATAGRAM_IN_TRAIN))
        load = send_udp(source, target, address, wanted_bps, seconds, train)
        offered_bps = load.sent_bytes * BITS_PER_BYTE / load.seconds * PACKET_BYTES / payload_bytes
        kernel_bps = load.received_bytes * BITS_PER_BYTE / load.seconds * PACKET_BYTES / payload_bytes
    else:
        load = send_tcp(source, target, address, wanted_bps, seconds, START_S)
        offered_bps = wanted_bps * PACKET_BYTES / payload_bytes
        kernel_bps = load.received_bytes * BITS_PER_BYTE / load.seconds
    netsim_bps, netsim_loss = _emulated(network, kind, offered_bps, load)
    return CapResult(
        conn.name or conn.id, conn.bandwidth_mbps, kind, factor, seconds, offered_bps, netsim_bps, kernel_bps,
        netsim_loss, load.loss_ratio,
    )  # fmt: skip


def _emulated(network: Inventory, kind: str, offered_bps: float, load: Load) -> tuple[float, float]:
    """Rate and loss of the same load in netsim."""
    emulator = Emulator(network)
    ids = {instance.name: instance.id for instance in network.instances.values()}
    length_ns = round(load.seconds * NS_PER_S)
    start_ns = round(START_S * NS_PER_S) if kind == "tcp" else 0
    spec = FlowSpec(
        name="load",
        from_ref="a-1",
        to_ref="b-1",
        kind="udp" if kind == "udp" else "tcp",
        duration_ns=start_ns + length_ns,
        rate_bps=round(offered_bps),
        packet_bytes=PACKET_BYTES,
    )
    flow = emulator.start_flow(spec, ids["a-1"], ids["b-1"])
    number = flow.engine_flows.start
    emulator.advance(start_ns)
    before = int(emulator.engine.measures()[number, m.M_RECEIVED_PAYLOAD_BYTES])
    # As at the kernel, what is on its way at the end of a datagram flow still counts.
    emulator.advance(start_ns + length_ns + (NS_PER_S if kind == "udp" else 0))
    now = emulator.engine.measures()[number]
    sent = int(now[m.M_SENT])
    if kind == "udp":
        received = int(now[m.M_RECEIVED])
        loss = (sent - received) / sent if sent else 0.0
        return received * PACKET_BYTES * BITS_PER_BYTE / load.seconds, loss
    got = int(now[m.M_RECEIVED_PAYLOAD_BYTES]) - before
    return got * BITS_PER_BYTE / load.seconds, int(now[m.M_RETRANSMITS]) / sent if sent else 0.0
