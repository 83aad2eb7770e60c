"""pingall: every instance sends an echo request to every other one, as mininet's command of this name does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from netsim.controlplane.instance import Instance
from netsim.dataplane.batch import PROTO_ICMP, REPLY
from netsim.dataplane.disposition import Disposition
from netsim.emulator import Emulator
from netsim.packet.flow_packets import FlowPackets
from netsim.probe.echo import DEFAULT_BYTES, IDENT, EchoReply, fate_of, outcome_of
from netsim.probe.journal import Probe
from netsim.units import NS_PER_MS, NS_PER_S

SPACING_NS = NS_PER_MS
"""Between the requests of one instance: apart, so that no queue is filled by asking."""
TIMEOUT_NS = 10 * NS_PER_S


class Answered(NamedTuple):
    """What one request got: the target, the round-trip time, None for no reply; and how request and reply ended."""

    target: Instance
    rtt_ns: int | None
    request: Disposition | None
    reply: Disposition | None


class PingRow(NamedTuple):
    """All requests of one instance, in the order of the instances."""

    source: Instance
    answers: tuple[Answered, ...]


def ping_all(emulator: Emulator, told: Callable[[PingRow], None] | None = None) -> list[PingRow]:
    """Let each instance ask each other one once, one instance after another; `told` hears of each row."""
    instances = list(emulator.inventory.instances.values())
    found = []
    for source in instances:
        row = _row(emulator, source, [target for target in instances if target.id != source.id])
        found.append(row)
        if told is not None:
            told(row)
    return found


def _row(emulator: Emulator, source: Instance, targets: list[Instance]) -> PingRow:
    if not targets:
        return PingRow(source, ())
    raws: list[bytes | None] = []
    for k, target in enumerate(targets, 1):
        asked = FlowPackets(
            flow=0, src=source.addr, dst=target.addr, proto=PROTO_ICMP, src_port=IDENT, packet_bytes=DEFAULT_BYTES
        )
        raws.append(asked.packet(k))
    start_ns = emulator.now_ns
    probe = Probe(emulator, raws, source.id, [start_ns + k * SPACING_NS for k in range(len(raws))])
    probe.wait(probe.sent_at_ns[-1] + TIMEOUT_NS)
    inst = emulator.compiler.inst_of[source.id]
    answers = []
    for k, (seq, target) in enumerate(zip(probe.seqs, targets, strict=True), 1):
        outcome = outcome_of(probe, seq, k, inst, TIMEOUT_NS)
        rtt_ns = outcome.rtt_ns if isinstance(outcome, EchoReply) else None
        answers.append(Answered(target, rtt_ns, fate_of(probe, seq, 0), fate_of(probe, seq, REPLY)))
    return PingRow(source, tuple(answers))
