"""PacketStore: the bytes behind an engine's rows.

An engine moves rows; whoever made a packet keeps its bytes. Packets made by hand (scapy, captures)
are kept here as they are, those of generated flows follow from their number (`FlowPackets`), and
what endpoints and routers answer follows from the packet that was sent. So every row the engine
ever shows - in a journal, at a tap, in flight - has exact bytes: `bytes_of`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane import state
from netsim.dataplane.batch import COLUMNS, KEPT, MF, ORIGINAL, WATCH, PacketBatch
from netsim.dataplane.engine import Engine
from netsim.dataplane.row import FLAGS, FLOW, FRAG, ROLE, SEQ, SIZE, TTL
from netsim.packet.flow_packets import FlowPackets
from netsim.packet.packed import PackedPackets
from netsim.packet.parse import parse_ip
from netsim.packet.reassembly import KeptFragments
from netsim.packet.render import render, slice_of
from netsim.packet.streams import Streams
from netsim.packet.tcp_frames import segment_frames
from netsim.packet.tcp_segments import TcpFlow, TcpSegments

Ints = NDArray[np.int64]


class PacketStore:
    """The packets of one engine, as bytes.

    Args:
        engine: keeps the columns of stored packets, row by row beside the bytes here.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._packets_of: dict[int, FlowPackets] = {}
        self._originals: list[bytes] = []
        self._fragments = KeptFragments()
        self._hand_flow_of: dict[int, int] = {}
        self._answer_to: dict[tuple[int, int], bytes] = {}
        self.streams = Streams(self._originals, self._fragments.whole_of)
        self._segments = TcpSegments(self.streams, self.datagram)

    def describe_flow(self, flow: int, packets: FlowPackets | TcpFlow) -> None:
        """Packets of this engine flow are these."""
        if isinstance(packets, TcpFlow):
            self._segments.describe(packets)
        else:
            self._packets_of[flow] = packets

    def keep(self, batch: PacketBatch, payload_bytes: Ints, disposition: Ints, raws: list[bytes]) -> int:
        """Put hand-made packets, with their bytes, into the store; the number of the first row."""
        self._originals += raws
        first = self._engine.keep(batch, payload_bytes, disposition)
        for i in np.flatnonzero((batch["frag_offset"] > 0) | (batch["flags"] & MF > 0)).tolist():
            self._fragments.add(first + i, raws[i])
        return first

    def keep_raw(self, raws: Sequence[bytes | None], flags: int = WATCH) -> Ints:
        """Put IP packets into the store, whatever they hold; their rows, int64[n]."""
        parsed = [parse_ip(raw) for raw in raws]
        batch = PacketBatch.of_rows([packet.row for packet in parsed])
        batch["flags"][:] |= flags
        payloads = np.array([packet.payload_bytes for packet in parsed], np.int64)
        fates = np.array([int(packet.disposition) for packet in parsed], np.int64)
        first = self.keep(batch, payloads, fates, [raw or b"" for raw in raws])
        return np.arange(first, first + len(raws))

    def inject(self, raws: Sequence[bytes | None], inst: int, at_ns: Sequence[int], flags: int = WATCH) -> Ints:
        """Let an instance, by number, send IP packets at these ascending times; their rows, int64[n]."""
        rows = self.keep_raw(raws, flags)
        self._engine.feed(self.hand_flow(inst), np.array(at_ns, np.int64), rows)
        return rows

    def hand_flow(self, inst: int) -> int:
        """The flow of packets made by hand at an instance."""
        if inst not in self._hand_flow_of:
            row = np.zeros((1, state.FLOW_WORDS), np.int64)
            row[0, state.F_INST], row[0, state.F_DST_INST], row[0, state.F_FROM_STORE] = inst, -1, 1
            self._hand_flow_of[inst] = self._engine.add_flows(row)
        return self._hand_flow_of[inst]

    def original(self, flow: int, seq: int) -> bytes:
        """The IP packet number `seq` of an engine flow, as its sender made it."""
        packets = self._packets_of.get(flow)
        return self._originals[seq] if packets is None else packets.packet(seq)

    def bytes_of(self, row: Mapping[str, int]) -> bytes:
        """The exact IP packet of a row: from the journal, or in flight."""
        if row["flags"] & KEPT:
            return render(row, self._kept)
        segment = self._segments.whole_of(row)
        if segment is not None:
            return slice_of(row, segment)
        return render(row, self.original if row["role"] == ORIGINAL else self.datagram)

    def packed(self, rows: Ints) -> PackedPackets:
        """The exact IP packets of many rows, int64[n, at least N_FIELDS], as `bytes_of` has them.

        Whole packets of generated flows, which are most, are made many at once.
        """
        pieces: list[PackedPackets] = []
        order: list[Ints] = []
        left = np.ones(len(rows), bool)
        is_whole = (rows[:, ROLE] == ORIGINAL) & (rows[:, FRAG] == 0) & (rows[:, FLAGS] & (MF | KEPT) == 0)
        for flow in np.unique(rows[is_whole, FLOW]).tolist():
            described = self._packets_of.get(flow)
            if isinstance(described, FlowPackets):
                mine = np.flatnonzero(is_whole & (rows[:, FLOW] == flow) & (rows[:, SIZE] == described.packet_bytes))
                pieces.append(described.packets(rows[mine, SEQ], rows[mine, TTL]))
                order.append(mine)
                left[mine] = False
        for mine in self._segments.alike(rows):
            first = self.bytes_of(dict(zip(COLUMNS, rows[mine[0]].tolist(), strict=False)))
            pieces.append(segment_frames(first, rows[mine], int(rows[mine[0], FLOW])))
            order.append(mine)
            left[mine] = False
        singly = np.flatnonzero(left)
        names = list(COLUMNS)
        pieces.append(
            PackedPackets.of([self.bytes_of(dict(zip(names, row, strict=False))) for row in rows[singly].tolist()])
        )
        order.append(singly)
        return PackedPackets.joined(pieces).take(np.argsort(np.concatenate(order), kind="stable"))

    def datagram(self, flow: int, seq: int) -> bytes:
        """As `original`, but the datagram a hand-made fragment belongs to: that is what hosts answer."""
        raw = self.original(flow, seq)
        return raw if flow in self._packets_of else self._fragments.whole_of(seq, raw)

    def keep_answer(self, flow: int, seq: int, raw: bytes) -> None:
        """Remember the IP packet that answers packet `seq` of a flow; its row has their numbers, and KEPT."""
        self._answer_to[flow, seq] = raw

    def _kept(self, flow: int, seq: int) -> bytes:
        """The packet of a KEPT row: an answer, or a packet of the store."""
        return self._answer_to.get((flow, seq)) or self._originals[seq]
