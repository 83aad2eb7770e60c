"""ping: ICMP echo requests from an instance, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from netsim.dataplane.batch import ERROR, PROTO_ICMP, REPLY
from netsim.dataplane.disposition import Disposition
from netsim.emulator import Emulator
from netsim.errors import UsageError
from netsim.packet.flow_packets import FlowPackets
from netsim.prefix import format_addr
from netsim.probe.journal import Probe
from netsim.units import NS_PER_MS, NS_PER_S

IDENT = 0x6E73
DEFAULT_BYTES = 84
"""20 of IP, 8 of ICMP, 56 of data: what `ping` sends."""
MAX_COUNT = 65_535
REPLY_TIMEOUT_NS = 10 * NS_PER_S
_AT_ONCE = 64
"""Requests made before the first of them is sent."""


@dataclass(frozen=True, slots=True)
class EchoReply:
    """A reply: its sequence from 1 on, IP size, TTL on arrival, round-trip time, sender."""

    sequence: int
    size_bytes: int
    ttl: int
    rtt_ns: int
    from_addr: int


@dataclass(frozen=True, slots=True)
class EchoError:
    """An ICMP error instead of a reply: who says so, and what."""

    sequence: int
    from_addr: int
    icmp_type: int
    code: int
    mtu_bytes: int


@dataclass(frozen=True, slots=True)
class PingResult:
    """What became of `sent` echo requests; `duration_ns` from the first request to the end.

    `outcomes`: one per sequence in order, a reply, an error, or None for silence; `fates`: how
    each request and each reply ended, by sequence (None: no such packet, or still on its way).
    """

    src_addr: int
    dst_addr: int
    size_bytes: int
    sent: int
    duration_ns: int
    outcomes: tuple[EchoReply | EchoError | None, ...]
    fates: tuple[tuple[Disposition | None, Disposition | None], ...]

    def __repr__(self) -> str:
        """What a person wants to see first: how many came back, and how long it took."""
        ends = f"{format_addr(self.src_addr)} -> {format_addr(self.dst_addr)}"
        rtts = [reply.rtt_ns / NS_PER_MS for reply in self.replies]
        shown = f", rtt {min(rtts):.3f}/{sum(rtts) / len(rtts):.3f}/{max(rtts):.3f} ms" if rtts else ""
        return f"<PingResult {ends}: {self.received} of {self.sent} received{shown}>"

    @property
    def replies(self) -> tuple[EchoReply, ...]:
        """The replies that came."""
        return tuple(outcome for outcome in self.outcomes if isinstance(outcome, EchoReply))

    @property
    def errors(self) -> tuple[EchoError, ...]:
        """The errors that came."""
        return tuple(outcome for outcome in self.outcomes if isinstance(outcome, EchoError))

    @property
    def received(self) -> int:
        """How many replies came."""
        return len(self.replies)


def ping(
    emulator: Emulator,
    from_id: str,
    dst_addr: int,
    *,
    count: int = 1,
    size_bytes: int = DEFAULT_BYTES,
    interval_ns: int = NS_PER_S,
    ttl: int = 64,
    df: bool = False,
    timeout_ns: int = REPLY_TIMEOUT_NS,
    told: Callable[[EchoReply | EchoError], None] | None = None,
) -> PingResult:
    """Send `count` echo requests, one every `interval_ns`, and wait for the answers.

    `told` hears of each answer when it comes.

    Raises:
        UsageError: count, TTL or interval outside what is accepted.
        InvalidError: a size outside 28..65535.
    """
    if not 1 <= count <= MAX_COUNT:
        raise UsageError(f"ping: count is {count}, accepted 1..{MAX_COUNT}")
    if not 1 <= ttl <= 255:
        raise UsageError(f"ping: TTL is {ttl}, accepted 1..255")
    if interval_ns < 0 or timeout_ns < 0:
        raise UsageError("ping: interval and time-out must not be negative")
    src_addr = emulator.inventory.instances[from_id].addr
    packets = FlowPackets(
        flow=0,
        src=src_addr,
        dst=dst_addr,
        proto=PROTO_ICMP,
        src_port=IDENT,
        packet_bytes=size_bytes,
        df=df,
        ttl=ttl,
    )
    start_ns = emulator.now_ns
    probe = Probe(emulator, [], from_id)
    inst = emulator.compiler.inst_of[from_id]
    sequence_of: dict[int, int] = {}
    found: dict[int, EchoReply | EchoError] = {}

    def read(seq: int) -> None:
        sequence = sequence_of[seq]
        outcome = None if sequence in found else outcome_of(probe, seq, sequence, inst, timeout_ns)
        if outcome is not None:
            found[sequence] = outcome
            if told is not None:
                told(outcome)

    for first in range(0, count, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, count))
        raws = [packets.packet(k + 1) for k in numbers]
        probe.send(raws, [start_ns + k * interval_ns for k in numbers])
        sequence_of |= zip(probe.seqs[first:], range(first + 1, numbers.stop + 1), strict=True)
        is_last = numbers.stop == count
        probe.wait(probe.sent_at_ns[-1] + timeout_ns if is_last else start_ns + numbers.stop * interval_ns, read)
    outcomes = tuple(found.get(sequence) for sequence in range(1, count + 1))
    fates = tuple((fate_of(probe, seq, 0), fate_of(probe, seq, REPLY)) for seq in probe.seqs)
    return PingResult(src_addr, dst_addr, size_bytes, count, emulator.now_ns - start_ns, outcomes, fates)


def outcome_of(probe: Probe, seq: int, sequence: int, inst: int, timeout_ns: int) -> EchoReply | EchoError | None:
    """What came back to instance `inst` for packet `seq`, which has this sequence number, if anything did so far."""
    payload_bytes = 0
    for record in probe.records[seq]:
        row = record.row
        if record.disposition is not Disposition.DELIVERED or record.b != inst:
            continue
        rtt_ns = record.at_ns - row["sent_at_ns"]
        if row["role"] == ERROR:
            return EchoError(sequence, row["src"], row["l4"] & 0xFF, row["l4"] >> 8 & 0xFF, row["l4"] >> 16 & 0xFFFF)
        if row["role"] == REPLY and rtt_ns <= timeout_ns:
            payload_bytes += row["size_bytes"] - row["header_bytes"]
            whole_bytes = row["header_bytes"] + payload_bytes
            if not row["flags"] & 2 and row["frag_offset"] + row["size_bytes"] - row["header_bytes"] == payload_bytes:
                return EchoReply(sequence, whole_bytes, row["ttl"], rtt_ns, row["src"])
    return None


def fate_of(probe: Probe, seq: int, role: int) -> Disposition | None:
    """How the packet of this role ended; for fragments the first bad end, if there is one."""
    ends = [record.disposition for record in probe.fates(seq, role)]
    return next((end for end in ends if end is not Disposition.DELIVERED), ends[0] if ends else None)
