"""Do a topology's expectations hold? Answered by really sending, and by proof.

Reachability is asked with a packet there and what it causes back: an echo request and its reply,
or for a port a TCP SYN and the SYN-ACK, or a UDP datagram and one the other way. A flow's
figures are read from a run. The proof (`netsim.verify`) must say the same of reachability: if it does
not, one of the two is wrong, and that is a defect of netsim, never of the topology.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netsim.controlplane.instance import Instance
from netsim.dataplane.batch import PROTO_ICMP, PROTO_TCP, REPLY, SYN
from netsim.dataplane.disposition import FATES, Disposition
from netsim.emulator import Emulator
from netsim.packet.answer import tcp_segment
from netsim.packet.flow_packets import FlowPackets
from netsim.packet.header import header_of
from netsim.packet.parse import MIN_HEADER_BYTES
from netsim.probe.journal import Probe, Record
from netsim.traffic.expectation import Expectation
from netsim.units import BPS_PER_MBPS
from netsim.verify.endpoint import instance_endpoint
from netsim.verify.network import Network
from netsim.verify.reach import judge

PROBE_PORT = 50_000
TCP_BYTES = 20
PORT_CLOSED = "port_closed"
NO_RETURN_ROUTE = "no_return_route"
OVERLAPPING_CIDR = "overlapping_cidr"

NOT_PROVEN = frozenset(
    fate.symbol
    for fate in (Disposition.IN_FLIGHT, Disposition.QUEUE_FULL, Disposition.POLICED, Disposition.MTU_EXCEEDED)
)
"""Fates that depend on sizes, caps and delays; proofs are about rules."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What sending from A to B showed.

    `verdict` is reachable, one_way or not_reachable; `reason` the symbol, "" when reachable;
    `forward` and `back` are the fates of the packet and of what came back.
    """

    verdict: str
    reason: str
    forward: Disposition
    back: Disposition | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One expectation and whether it holds; `found` says what happened instead, or as expected.

    `proven` is what the proof says, in the same words; "" of flows, which it does not cover.
    `is_disputed`: the two differ, which is a defect of netsim. `share` of a flow is its fair share and
    what sets it, "" of paths.
    """

    expectation: Expectation
    holds: bool
    found: str
    proven: str = ""
    is_disputed: bool = False
    share: str = ""


def probe_pair(emulator: Emulator, a: Instance, b: Instance, port: tuple[int, int] | None = None) -> Reached:
    """Send from `a` to `b` (to a port, if given) and see what comes back."""
    if port is None:
        return _judge(emulator, a, b, _packet(a, b, PROTO_ICMP, 1), expects_reply=True)
    proto, number = port
    if proto == PROTO_TCP:
        return _judge(emulator, a, b, _syn(a, b, number), expects_reply=True)
    there = _judge(emulator, a, b, _packet(a, b, proto, PROBE_PORT, number), expects_reply=False)
    if there.verdict != "reachable":
        return there
    back = _judge(emulator, b, a, _packet(b, a, proto, number, PROBE_PORT), expects_reply=False)
    if back.forward is Disposition.DELIVERED and back.reason in ("", PORT_CLOSED):
        return Reached("reachable", "", there.forward, back.forward)
    reason = NO_RETURN_ROUTE if back.forward is Disposition.NO_ROUTE else back.reason
    return Reached("one_way", reason, there.forward, back.forward)


def check_expectation(
    emulator: Emulator, expectation: Expectation, flows: dict[str, dict[str, Any]], network: Network | None = None
) -> Verdict:
    """Whether it holds; `flows` are the flows of a run's result, by name.

    `network` saves making one for the proof; one that the emulator has gone on from is not used.
    """
    if expectation.is_about_flow:
        return _check_flow(expectation, flows)
    inventory = emulator.inventory
    a, b = inventory.instance(expectation.from_ref or ""), inventory.instance(expectation.to_ref or "")
    reached = probe_pair(emulator, a, b, expectation.port)
    is_reachable = reached.verdict == "reachable"
    holds = is_reachable == expectation.reachable and expectation.because in (None, reached.reason)
    if network is None or network.fib is not emulator.fib:
        network = Network(emulator.fib, emulator.compiler, inventory)
    ends = instance_endpoint(network, a.id), instance_endpoint(network, b.id)
    proven = judge(network, *ends, expectation.port)
    differs = (reached.verdict, reached.reason) != (proven.verdict, proven.reason)
    return Verdict(
        expectation,
        holds,
        _words(reached.verdict, reached.reason),
        _words(proven.verdict, proven.reason),
        is_disputed=differs and reached.reason not in NOT_PROVEN,
    )


def _words(verdict: str, reason: str) -> str:
    return verdict.replace("_", " ") + (f" because {reason}" if reason else "")


def _check_flow(expectation: Expectation, flows: dict[str, dict[str, Any]]) -> Verdict:
    figures = flows.get(expectation.flow or "")
    if figures is None:
        return Verdict(expectation, False, f'no flow "{expectation.flow}" ran')
    values = {
        "throughput_mbps": figures["throughput_bps"] / BPS_PER_MBPS,
        "goodput_mbps": figures["goodput_bps"] / BPS_PER_MBPS,
        "loss_ratio": figures["loss_ratio"],
    }
    holds = all(bounds.hold(values[name]) for name, bounds in expectation.bounds)
    found = ", ".join(f"{name} {values[name]:.6g}" for name, _ in expectation.bounds)
    return Verdict(expectation, holds, found, share=_share(figures))


def _share(figures: dict[str, Any]) -> str:
    if figures.get("fair_share_bps") is None:
        return ""
    bottleneck = figures["bottleneck"]
    why = "all it offers" if bottleneck is None else f"set by {bottleneck['text']}"
    return f"{figures['fair_share_bps'] / BPS_PER_MBPS:.6g} Mbit/s, {why}"


def _packet(a: Instance, b: Instance, proto: int, src_port: int, dst_port: int = 0) -> bytes:
    return FlowPackets(
        flow=0, src=a.addr, dst=b.addr, proto=proto, src_port=src_port, dst_port=dst_port, packet_bytes=84
    ).packet(1)


def _syn(a: Instance, b: Instance, port: int) -> bytes:
    segment = tcp_segment(
        src=a.addr, dst=b.addr, src_port=PROBE_PORT, dst_port=port, sequence=1, acknowledged=0, tcp_flags=SYN
    )
    head = header_of(
        tos=0, size_bytes=MIN_HEADER_BYTES + TCP_BYTES, ident=1, flag_bits=0, ttl=64, proto=PROTO_TCP, src=a.addr,
        dst=b.addr,
    )  # fmt: skip
    return head + segment


def _judge(emulator: Emulator, a: Instance, b: Instance, raw: bytes, *, expects_reply: bool) -> Reached:
    probe = Probe(emulator, [raw], a.id)
    probe.wait()
    seq = probe.seqs[0]
    there = _end(probe.fates(seq, 0))
    forward = Disposition.IN_FLIGHT if there is None else Disposition(there.a)
    inst_of = emulator.compiler.inst_of
    if there is None or forward is not Disposition.DELIVERED:
        return Reached("not_reachable", forward.symbol, forward, None)
    if there.b != inst_of[b.id]:
        return Reached("not_reachable", OVERLAPPING_CIDR, forward, None)
    if not expects_reply:
        is_closed = any(record.row["role"] & 2 for record in probe.records[seq])
        reason = PORT_CLOSED if is_closed else ""
        return Reached("not_reachable" if is_closed else "reachable", reason, forward, None)
    end = _end(probe.fates(seq, REPLY))
    if end is None:
        return Reached("one_way", Disposition.IN_FLIGHT.symbol, forward, None)
    back = Disposition(end.a)
    if back is not Disposition.DELIVERED:
        return Reached("one_way", NO_RETURN_ROUTE if back is Disposition.NO_ROUTE else back.symbol, forward, back)
    if end.b != inst_of[a.id]:
        return Reached("one_way", OVERLAPPING_CIDR, forward, back)
    if end.row["proto"] == PROTO_TCP and not end.row["l4"] >> 32 & SYN:
        return Reached("not_reachable", PORT_CLOSED, forward, back)
    return Reached("reachable", "", forward, back)


def _end(ends: list[Record]) -> Record | None:
    """The record that decides: the first drop, else the first delivery."""
    return next((end for end in ends if not FATES[end.a].ok), ends[0] if ends else None)
