"""What happened to packets sent by hand, read from the engine's journal.

`Probe` sends watched packets and waits until they and everything they caused have ended, or a
deadline. Waiting costs nothing that matters: it is packet time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from numpy.typing import NDArray

from netsim.dataplane import trace as events
from netsim.dataplane.batch import COLUMNS
from netsim.dataplane.disposition import Disposition
from netsim.emulator import Emulator
from netsim.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    import numpy as np

WAIT_NS = 10 * NS_PER_S
"""How long an answer is waited for, of packet time, unless the caller says."""
_SLICE_NS = 5 * NS_PER_MS


class Record(NamedTuple):
    """One line of the journal: the packet as it was then, and what happened (`dataplane/trace.py`)."""

    at_ns: int
    event: int
    place: int
    a: int
    b: int
    row: dict[str, int]

    @property
    def disposition(self) -> Disposition | None:
        """The fate, where this record ends the packet."""
        return Disposition(self.a) if self.event == events.ENDED else None


class Probe:
    """Packets sent from one instance, and their records so far.

    Args:
        emulator: where.
        raws: IP packets.
        from_id: the instance that sends.
        at_ns: when each is sent, ascending, not in the past; all now if not given.
    """

    def __init__(
        self, emulator: Emulator, raws: Sequence[bytes | None], from_id: str, at_ns: Sequence[int] | None = None
    ) -> None:
        self.emulator = emulator
        self.from_id = from_id
        self.sent_at_ns: list[int] = []
        self.seqs: list[int] = []
        self.records: dict[int, list[Record]] = {}
        self._open: dict[int, int] = {}
        self._n_open = 0
        emulator.take_journal()
        self.flow = emulator.hand_flow(from_id)
        self.send(raws, at_ns)

    def send(self, raws: Sequence[bytes | None], at_ns: Sequence[int] | None = None) -> None:
        """Send more, not before those that were sent already."""
        times = [self.emulator.now_ns] * len(raws) if at_ns is None else list(at_ns)
        seqs: list[int] = self.emulator.inject(list(raws), self.from_id, times).tolist()
        self.sent_at_ns += times
        self.seqs += seqs
        self.records |= {seq: [] for seq in seqs}
        self._open |= dict.fromkeys(seqs, 1)
        self._n_open += len(seqs)

    def wait(self, until_ns: int | None = None, told: Callable[[int], None] | None = None) -> None:
        """Let time pass until every packet and all it caused has ended, at most until `until_ns`
        (by default `WAIT_NS` after the last was sent).

        `told` hears of each record when it is read: the number of the packet it is about.
        """
        emulator = self.emulator
        deadline_ns = self.sent_at_ns[-1] + WAIT_NS if until_ns is None else until_ns
        while self._n_open and emulator.now_ns < deadline_ns:
            next_ns = emulator.engine.next_event_ns()
            if next_ns is None:
                break
            emulator.advance(min(deadline_ns, max(next_ns + 1, emulator.now_ns + _SLICE_NS)))
            self._read(told)

    def is_settled(self, seq: int) -> bool:
        """Whether packet `seq` and all it caused has ended."""
        return self._open[seq] == 0

    def fates(self, seq: int, role: int) -> list[Record]:
        """The records that end the packets of this role: one, or one for each fragment."""
        return [r for r in self.records[seq] if r.event == events.ENDED and r.row["role"] == role]

    def _read(self, told: Callable[[int], None] | None) -> None:
        for record in read_journal(self.emulator):
            seq = record.row["seq"]
            if record.row["flow"] != self.flow or seq not in self.records:
                continue
            self.records[seq].append(record)
            more = 0
            if record.event in (events.ANSWERED, events.ERROR_MADE):
                more = 1
            elif record.event == events.FRAGMENTED:
                more = record.a - 1
            elif record.event == events.ENDED:
                more = -1
            self._open[seq] += more
            self._n_open += more
            if told is not None:
                told(seq)


def let_settle(emulator: Emulator, wait_ns: int = WAIT_NS) -> None:
    """Let time pass until nothing is under way, at most `wait_ns`."""
    deadline_ns = emulator.now_ns + wait_ns
    while emulator.now_ns < deadline_ns and (next_ns := emulator.engine.next_event_ns()) is not None:
        emulator.advance(min(deadline_ns, max(next_ns + 1, emulator.now_ns + _SLICE_NS)))


def read_journal(emulator: Emulator) -> Iterator[Record]:
    """What was recorded since the last look, by time; at one instant in the order it happened."""
    return records_of(emulator.take_journal())


def records_of(rows: NDArray[np.int64]) -> Iterator[Record]:
    """Journal rows, int64[n, 25], as records, by time; at one instant in the order they were written."""
    names = list(COLUMNS)
    for values in rows[rows[:, 0].argsort(kind="stable")].tolist():
        yield Record(
            at_ns=values[0],
            event=values[events.J_EVENT],
            place=values[events.J_PLACE],
            a=values[events.J_A],
            b=values[events.J_B],
            row=dict(zip(names, values, strict=False)),
        )
