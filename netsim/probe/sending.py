"""send: any IP packets from an instance, and what becomes of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from netsim.dataplane import trace as events
from netsim.dataplane.disposition import Disposition
from netsim.emulator import Emulator
from netsim.probe.journal import Probe, Record


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet that reached an instance: its name, packet time, and the IP bytes as they came."""

    instance: str
    at_ns: int
    raw: bytes

    @property
    def packet(self) -> Any:
        """As a scapy packet."""
        # By name: the core below may not know scapy, and this is the one place it would be handy.
        from importlib import import_module

        return import_module("netsim.wire.scapy_packets").scapy_packet_of(self.raw)


@dataclass(frozen=True, slots=True)
class SentPacket:
    """One packet sent.

    Attributes:
        dispositions: its fate; several when it was fragmented, one for each fragment.
        delivered: where it arrived (the fragments, if it was cut).
        answers: what reached its sender because of it: replies and ICMP errors.
        elsewhere: what reached other instances because of it: the source address was theirs, or
            the error was about a reply.
    """

    dispositions: tuple[Disposition, ...]
    delivered: tuple[Arrival, ...]
    answers: tuple[Arrival, ...]
    elsewhere: tuple[Arrival, ...]

    @property
    def disposition(self) -> Disposition:
        """The fate: the first drop if a part was dropped; `IN_FLIGHT` if waiting ended before it did."""
        drops = [d for d in self.dispositions if d not in (Disposition.DELIVERED, Disposition.EXITS_NETWORK)]
        return next(iter([*drops, *self.dispositions]), Disposition.IN_FLIGHT)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the packets sent, in order."""

    packets: tuple[SentPacket, ...]

    def __iter__(self) -> Iterator[SentPacket]:
        return iter(self.packets)

    def __len__(self) -> int:
        return len(self.packets)

    @property
    def disposition(self) -> Disposition:
        """The fate of the first packet."""
        return self.packets[0].disposition

    @property
    def delivered(self) -> list[Any]:
        """What arrived at destinations, as scapy packets, by time."""
        return _scapy(arrival for packet in self.packets for arrival in packet.delivered)

    @property
    def answers(self) -> list[Any]:
        """What came back to the sender, as scapy packets, by time."""
        return _scapy(arrival for packet in self.packets for arrival in packet.answers)


def send(emulator: Emulator, raws: list[bytes | None], from_id: str, wait_ns: int) -> Sent:
    """Send IP packets now, one after the other, and wait until all is over, at most `wait_ns`."""
    probe = Probe(emulator, raws, from_id)
    probe.wait(emulator.now_ns + wait_ns)
    sender = emulator.compiler.inst_of[from_id]
    return Sent(tuple(_sent_packet(emulator, probe, seq, sender) for seq in probe.seqs))


def _sent_packet(emulator: Emulator, probe: Probe, seq: int, sender: int) -> SentPacket:
    ends = [record for record in probe.records[seq] if record.event == events.ENDED]
    arrived = [end for end in ends if end.disposition is Disposition.DELIVERED and end.b >= 0]
    caused = [end for end in arrived if end.row["role"] != 0]
    return SentPacket(
        dispositions=tuple(Disposition(end.a) for end in ends if end.row["role"] == 0),
        delivered=tuple(_arrival(emulator, end) for end in arrived if end.row["role"] == 0),
        answers=tuple(_arrival(emulator, end) for end in caused if end.b == sender),
        elsewhere=tuple(_arrival(emulator, end) for end in caused if end.b != sender),
    )


def _arrival(emulator: Emulator, end: Record) -> Arrival:
    instance = emulator.inventory.instances.get(emulator.compiler.instance_ids[end.b])
    return Arrival("" if instance is None else instance.name, end.at_ns, emulator.bytes_of(end.row))


def _scapy(arrivals: Iterator[Arrival]) -> list[Any]:
    return [arrival.packet for arrival in sorted(arrivals, key=lambda arrival: arrival.at_ns)]
