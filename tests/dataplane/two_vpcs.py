"""Two VPCs and a connection, the stage of most tests; each run is checked against the scalar twin too.

a 10.0.0.0/16 with a1 10.0.0.10 (number 0), b 10.1.0.0/16 with b1 10.1.0.10 (number 1, listens on tcp/80 and
udp/53); link 0 goes from a to b, link 1 back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netsim.dataplane.batch import PROTO_ICMP, PROTO_TCP, PROTO_UDP, pack_icmp, pack_ports, pack_tcp
from netsim.dataplane.disposition import Disposition
from netsim.prefix import parse_addr
from netsim.units import NS_PER_S
from tests.dataplane.experiment import Experiment, Outcome, Traffic, assert_same, run_engine, run_scalar
from tests.dataplane.network import Network
from tests.reference.scalar_forward import Packet

A1, B1 = parse_addr("10.0.0.10"), parse_addr("10.1.0.10")
A_ROUTER, B_ROUTER = parse_addr("10.0.0.1"), parse_addr("10.1.0.1")


def two_vpcs(**shape: Any) -> Network:
    """The network; `shape` is the connection's, see `network.Link`."""
    net = Network()
    net.vpc("a", "10.0.0.0/16", ["10.0.0.0/24"])
    net.vpc("b", "10.1.0.0/16", ["10.1.0.0/24"])
    net.instance("a1", "10.0.0.10")
    net.instance("b1", "10.1.0.10", [(PROTO_TCP, 80), (PROTO_UDP, 53)])
    net.connect("a", "b", **shape)
    net.route("a", "10.1.0.0/16", "b")
    net.route("b", "10.0.0.0/16", "a")
    return net


def udp(size: int = 1000, port: int = 53, **changes: int) -> Packet:
    """From a1 to b1, recorded at each step."""
    return replace(Packet(A1, B1, PROTO_UDP, size, l4=pack_ports(4000, port), watch=1), **changes)


def tcp(flags: int, port: int = 80, **changes: int) -> Packet:
    return replace(Packet(A1, B1, PROTO_TCP, 60, l4=pack_tcp(4000, port, flags), watch=1), **changes)


def echo(size: int = 84, icmp_type: int = 8, **changes: int) -> Packet:
    return replace(Packet(A1, B1, PROTO_ICMP, size, l4=pack_icmp(icmp_type, 0, 7), watch=1), **changes)


def run(network: Network, *packets: Packet, inst: int = 0, end_ns: int = NS_PER_S, edits: Any = ()) -> Outcome:
    """Send the packets from one instance, one each 1 ms, exactly as they are."""
    at_ns = [k * 1_000_000 for k in range(len(packets))]
    traffic = Traffic(inst, 1, None, at_ns, rows=list(range(len(packets))))
    stored = [(packet, max(0, packet.size - packet.header - 8), 0) for packet in packets]
    return both(Experiment(network, [traffic], end_ns, stored, list(edits)))


def both(experiment: Experiment, cuts: tuple[int, ...] = ()) -> Outcome:
    """What the engine makes of it, after comparing with the twin."""
    outcome = run_engine(experiment, cuts)
    assert_same(outcome, run_scalar(experiment, cuts), "twin")
    return outcome


class End:
    """One packet's end."""

    def __init__(self, node: int, record: tuple[Any, ...]) -> None:
        self.node, self.at_ns, self.disposition = node, record[1], Disposition(record[2])
        (
            self.flow, self.seq, self.role, self.frag_offset, self.src, self.dst, self.proto, self.size, self.ttl,
            self.flags, self.ident, self.transits, self.l4, self.header, self.sent_at,
            self.tcp_seq, self.tcp_ack, self.window, self.ts_echo,
        ) = record[3:]  # fmt: skip

    @property
    def icmp(self) -> tuple[int, int]:
        """Type and code."""
        return self.l4 & 0xFF, self.l4 >> 8 & 0xFF

    def __repr__(self) -> str:
        return f"{self.disposition.symbol}@{self.node}"


def ends(outcome: Outcome) -> list[End]:
    """All packets that ended, in order of time."""
    found = [End(n, record) for n, log in enumerate(outcome.log) for record in log if record[0] == "ended"]
    return sorted(found, key=lambda end: end.at_ns)


def fates(outcome: Outcome) -> list[str]:
    """`disposition@node` of each, in order of time."""
    return [repr(end) for end in ends(outcome)]
