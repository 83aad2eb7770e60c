"""What the engine does with questions: their packets go through an emulator, one instance after the other."""

from __future__ import annotations

from itertools import groupby

from netsim import jit
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import PeerConn
from netsim.dataplane import trace as events
from netsim.dataplane.batch import PROTO_TCP, PROTO_UDP
from netsim.dataplane.disposition import Disposition
from netsim.emulator import Emulator
from netsim.kernel.places import Places
from netsim.kernel.question import BIG_BYTES, OPEN_PORT, Outcome, Outcomes, Question
from netsim.probe.journal import Probe
from netsim.units import BITS_PER_BYTE, BPS_PER_MBPS, NS_PER_S

_PLAIN_QUESTIONS = 300
"""More are worth loading compiled kernels, when an earlier run has left some."""


def ask_engine(inventory: Inventory, places: Places, questions: list[Question]) -> list[Outcome]:
    """The outcome of each question."""
    emulator = Emulator(inventory)
    emulator.open_ports(
        (instance, (proto, OPEN_PORT)) for instance in inventory.instances for proto in (PROTO_TCP, PROTO_UDP)
    )
    emulator.engine.is_compiled = len(questions) > _PLAIN_QUESTIONS and jit.has_cache()
    outcomes = Outcomes(questions)
    gap_ns = _gap_ns(list(inventory.peer_conns.values()))
    for source_id, group in groupby(enumerate(questions), lambda each: each[1].source_id):
        raws: list[bytes | None] = [question.packet(k + 1) for k, question in group]
        times = [emulator.now_ns + n * gap_ns for n in range(len(raws))]
        probe = Probe(emulator, raws, source_id, times)
        probe.wait()
        _read(emulator, places, probe, outcomes)
    return outcomes.found


def _gap_ns(conns: list[PeerConn]) -> int:
    """Between two packets: enough that no cap has two to hold back; what causes loss is not the question here."""
    slowest_bps = min((conn.bandwidth_mbps for conn in conns), default=1) * BPS_PER_MBPS
    return 4 * BIG_BYTES * BITS_PER_BYTE * NS_PER_S // slowest_bps


def _read(emulator: Emulator, places: Places, probe: Probe, outcomes: Outcomes) -> None:
    compiler = emulator.compiler
    for seq in probe.seqs:
        for record in probe.records[seq]:
            if record.event != events.ENDED:
                continue
            if record.disposition is Disposition.DELIVERED:
                if record.b >= 0:
                    where = places.instances[compiler.instance_ids[record.b]]
                else:
                    where = places.routers[compiler.vpc_ids[record.place]]
            elif record.disposition is Disposition.EXITS_NETWORK:
                where = f"gateway:{compiler.gateways[record.b]}"
            else:
                continue
            outcomes.add(where, emulator.bytes_of(record.row))
