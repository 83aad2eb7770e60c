"""Recorded: what an engine's journal said so far, taps and steps kept apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane.trace import J_EVENT, JOURNAL_WORDS, TAPS

Ints = NDArray[np.int64]


class Recorded:
    """Journal rows as the engine gave them, int64[n, JOURNAL_WORDS] each; see `dataplane/trace.py`.

    Attributes:
        on_tapped: called with the rows of taps, by time, as soon as they are there.
    """

    def __init__(self) -> None:
        self.on_tapped: list[Callable[[Ints], None]] = []
        self._steps: list[Ints] = []
        self._tapped: list[Ints] = []

    def add(self, rows: Ints) -> None:
        """Sort in what was recorded since the last time."""
        is_tap = np.isin(rows[:, J_EVENT], TAPS)
        self._steps.append(rows[~is_tap])
        if is_tap.any():
            tapped = rows[is_tap]
            self._tapped.append(tapped)
            for tell in self.on_tapped:
                tell(tapped[np.argsort(tapped[:, 0], kind="stable")])

    def tapped(self) -> Ints:
        """Every packet that passed a tap so far, by time; stays."""
        rows = np.concatenate([*self._tapped, np.zeros((0, JOURNAL_WORDS), np.int64)])
        self._tapped = [rows]
        return rows[np.argsort(rows[:, 0], kind="stable")]

    def take_steps(self) -> Ints:
        """What was recorded of watched packets since the last call."""
        written, self._steps = self._steps, []
        return np.concatenate([*written, np.zeros((0, JOURNAL_WORDS), np.int64)])
