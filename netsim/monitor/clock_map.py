"""From packet time to the control clock: two clocks that do not run together.

Packets move in packet time; people read the control clock (UTC). `clock advance` moves the
control clock alone, so the map is a staircase of offsets: each mark says "from this packet time
on, the control clock reads that". Between two marks both clocks run at one speed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsim.clock import FILE_RUN_START_NS
from netsim.errors import ClockError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ClockMap:
    """Marks in order of packet time; one at packet time 0 to begin with.

    Args:
        utc_ns: what the control clock reads at packet time 0.
    """

    def __init__(self, utc_ns: int = FILE_RUN_START_NS) -> None:
        self._packet_ns = [0]
        self._utc_ns = [utc_ns]

    def mark(self, packet_ns: int, utc_ns: int) -> None:
        """Say that at `packet_ns` the control clock reads `utc_ns`; of two marks there, the later counts.

        Raises:
            ClockError: either clock would run backwards.
        """
        if packet_ns < self._packet_ns[-1] or utc_ns < self.utc_ns(packet_ns):
            raise ClockError(f"clock map: packet time {packet_ns} ns as UTC {utc_ns} ns would run a clock backwards")
        if packet_ns == self._packet_ns[-1]:
            self._utc_ns[-1] = utc_ns
        elif utc_ns != self.utc_ns(packet_ns):
            self._packet_ns.append(packet_ns)
            self._utc_ns.append(utc_ns)

    def utc_ns(self, packet_ns: int) -> int:
        """What the control clock read at this packet time."""
        return int(self.utc_of(np.array([packet_ns], np.int64))[0])

    def utc_of(self, packet_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """`utc_ns` of each; int64[n] in, int64[n] out."""
        marks = np.array(self._packet_ns, np.int64)
        offsets = np.array(self._utc_ns, np.int64) - marks
        step = np.maximum(np.searchsorted(marks, packet_ns, side="right") - 1, 0)
        return packet_ns + offsets[step]
