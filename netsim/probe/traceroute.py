"""traceroute: probes with growing TTL, and who says that they expired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from netsim.dataplane.batch import ERROR, PROTO_ICMP, PROTO_UDP, REPLY
from netsim.dataplane.disposition import Disposition
from netsim.emulator import Emulator
from netsim.errors import UsageError
from netsim.packet.flow_packets import FlowPackets
from netsim.packet.parse import UDP_HEADER_BYTES
from netsim.probe.journal import Probe
from netsim.units import NS_PER_S

FIRST_PORT = 33_434
SRC_PORT = 40_000
PROBE_BYTES = 60
MAX_TTL = 30
WAIT_NS = 5 * NS_PER_S
UNREACHABLE, PORT_UNREACHABLE = 3, 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What one probe got: who answered, after how long, and the ICMP type and code (0, 0: echo reply)."""

    from_addr: int
    rtt_ns: int
    icmp_type: int
    code: int


@dataclass(frozen=True, slots=True)
class Hop:
    """One TTL: its probes' answers in order, None for silence; `vpc_id` of whoever answered first."""

    ttl: int
    answers: tuple[Answer | None, ...]
    vpc_id: str | None

    @property
    def first(self) -> Answer | None:
        """The first answer, None if none came."""
        return next((answer for answer in self.answers if answer is not None), None)


@dataclass(frozen=True, slots=True)
class TracerouteResult:
    """The hops in order, and whether the destination itself answered."""

    src_addr: int
    dst_addr: int
    hops: tuple[Hop, ...]
    reached: bool


def traceroute(
    emulator: Emulator,
    from_id: str,
    dst_addr: int,
    *,
    max_ttl: int = MAX_TTL,
    probes: int = 1,
    protocol: str = "udp",
    wait_ns: int = WAIT_NS,
    told: Callable[[Hop], None] | None = None,
) -> TracerouteResult:
    """Find the path to `dst_addr` by TTL, from 1 up; stops at the destination and at any 3/x.

    `told` hears of each hop when its probes are done.

    Raises:
        UsageError: an argument outside what is accepted.
    """
    if not 1 <= max_ttl <= 255:
        raise UsageError(f"traceroute: the largest TTL is {max_ttl}, accepted 1..255")
    if not 1 <= probes <= 10:
        raise UsageError(f"traceroute: probes per hop are {probes}, accepted 1..10")
    if protocol not in ("udp", "icmp"):
        raise UsageError(f'traceroute: protocol is "{protocol}", accepted udp or icmp')
    src_addr = emulator.inventory.instances[from_id].addr
    hops: list[Hop] = []
    reached = False
    for ttl in range(1, max_ttl + 1):
        answers = []
        for k in range(probes):
            number = (ttl - 1) * probes + k
            answer, node = _probe(emulator, from_id, src_addr, dst_addr, ttl, number, protocol, wait_ns)
            answers.append((answer, node))
        vpc_id = next((emulator.compiler.vpc_ids[node] for answer, node in answers if answer is not None), None)
        hop = Hop(ttl, tuple(answer for answer, _ in answers), vpc_id)
        hops.append(hop)
        if told is not None:
            told(hop)
        reached = any(a is not None and _is_destination(a, dst_addr) for a in hop.answers)
        if reached or any(a is not None and a.icmp_type == UNREACHABLE for a in hop.answers):
            break
    return TracerouteResult(src_addr, dst_addr, tuple(hops), reached)


def _is_destination(answer: Answer, dst_addr: int) -> bool:
    if answer.icmp_type == 0:
        return True
    return answer.from_addr == dst_addr and (answer.icmp_type, answer.code) == (UNREACHABLE, PORT_UNREACHABLE)


def _probe(
    emulator: Emulator, from_id: str, src: int, dst: int, ttl: int, number: int, protocol: str, wait_ns: int
) -> tuple[Answer | None, int]:
    """Send one probe; its answer and the node it came from."""
    packets = FlowPackets(
        flow=0,
        src=src,
        dst=dst,
        proto=PROTO_UDP if protocol == "udp" else PROTO_ICMP,
        src_port=SRC_PORT,
        dst_port=FIRST_PORT + number,
        packet_bytes=PROBE_BYTES if protocol == "udp" else PROBE_BYTES + UDP_HEADER_BYTES,
        ttl=ttl,
    )
    probe = Probe(emulator, [packets.packet(number)], from_id)
    probe.wait(emulator.now_ns + wait_ns)
    seq, inst = probe.seqs[0], emulator.compiler.inst_of[from_id]
    for record in probe.records[seq]:
        row = record.row
        if record.disposition is Disposition.DELIVERED and record.b == inst and row["role"] in (REPLY, ERROR):
            made_at = next(r.place for r in probe.records[seq] if r.row["role"] == row["role"])
            rtt_ns = record.at_ns - row["sent_at_ns"]
            return Answer(row["src"], rtt_ns, row["l4"] & 0xFF, row["l4"] >> 8 & 0xFF), made_at
    return None, -1
