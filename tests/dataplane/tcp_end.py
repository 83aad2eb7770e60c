"""One scalar TCP end in hand: what it sent, and segments for it made in a word each.

Offsets instead of sequence numbers: 0 is the SYN, 1 the first byte. `smss` is 1,000.
"""

from __future__ import annotations

from typing import Any

from tests.reference.scalar_segment import ACK, BULK, DISCARD, ESTABLISHED, OWN_WINDOW, SYN, Segment, reset_for, tick
from tests.reference.scalar_tcb import Tcb

OWN_ISS, PEER_ISS = 2**32 - 500, 2**31 - 700
"""Both numbers pass 2^32, or half of it, within the first segment."""
MSS = 1012
TICK_NS = 1024


class End:
    """A `Tcb` and its peer's side, played by the test."""

    def __init__(self, app: str = BULK, mss: int = MSS, **changes: Any) -> None:
        self.sent: list[Segment] = []
        self.tcb = Tcb(app, OWN_ISS, self.sent.append, own_mss=mss, **changes)

    @classmethod
    def opener(cls, now: int = 0, app: str = BULK, **changes: Any) -> End:
        """Established by its own SYN; what it sent since is in `sent`."""
        end = cls(app, is_opener=True, **changes)
        end.tcb.open(now)
        end.sent.clear()
        end.arrives(now, flags=SYN | ACK, at=0, ack=1, mss=MSS)
        assert end.tcb.state == ESTABLISHED
        end.tcb.snd_wnd = OWN_WINDOW  # an acknowledgment that only says so would be no duplicate
        return end

    @classmethod
    def acceptor(cls, now: int = 0, app: str = DISCARD, **changes: Any) -> End:
        """Established by the peer's SYN."""
        end = cls(app, **changes)
        end.tcb.listen(Segment(PEER_ISS, 0, SYN, window=65_535, mss=MSS), now)
        end.arrives(now, at=1, ack=1)
        assert end.tcb.state == ESTABLISHED
        end.sent.clear()
        return end

    def arrives(
        self, now: int, *, at: int = 1, ack: int = 1, length: int = 0, flags: int = ACK, echo_of: int = -1,
        mss: int = 0, window: int = 49_152,
    ) -> list[tuple[int, int]]:  # fmt: skip
        """A segment of the peer's; (offset, length) of what is sent in response. `echo_of`: when what it acks left."""
        before = len(self.sent)
        echo = tick(now if echo_of < 0 else echo_of)
        segment = Segment(
            (PEER_ISS + at) % 2**32, (OWN_ISS + ack) % 2**32, flags, length, window, echo, sent_at=now, mss=mss
        )
        self.tcb.segment_arrives(segment, now)
        if self.tcb.is_refused:
            self.sent.append(reset_for(segment, now))
        return [(self.at(sent), sent.length) for sent in self.sent[before:]]

    @staticmethod
    def at(segment: Segment) -> int:
        """Offset of a segment it sent."""
        return (segment.seq - OWN_ISS) % 2**32

    @staticmethod
    def acked(segment: Segment) -> int:
        """Offset of the peer that a segment acknowledges."""
        return (segment.ack - PEER_ISS) % 2**32

    def acks(self, now: int, **fields: Any) -> list[int]:
        """A segment of the peer's; the acknowledgments that answer it."""
        before = len(self.sent)
        self.arrives(now, **fields)
        return [self.acked(sent) for sent in self.sent[before:]]

    def wakes(self, until: int) -> list[int]:
        """Fire its timers in order up to a moment; when each fired."""
        fired = []
        while running := [(at, which) for which, at in enumerate(self.tcb.timers) if 0 <= at <= until]:
            at, which = min(running)
            fired.append(at)
            self.tcb.fire(which, at)
        return fired
