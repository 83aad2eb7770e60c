"""When a flow's packets leave: constant bit rate, Poisson, on-off; in blocks of fixed size.

    source = ArrivalSource(spec, seed, flow_index)
    while len(block := source.next_block()): ...        # int64[<= BLOCK], ascending ns

The rules readers may rely on:

- Block k of a flow depends on (spec, seed, flow index, k) alone. Who asks for it, when, and what
  other flows do changes nothing, so a run may be cut anywhere.
- All blocks are full but the last; after it every block is empty.
- Times are integers from the start. Floats decide single gaps, never a sum of them, so nothing
  drifts: CBR packet k leaves at exactly start + floor(k * size * 8e9 / rate) ns.
- on_off is a CBR source whose clock stands still while it is off. The number of packets is then
  in exact proportion to the time spent on, and the spacing carries over a silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from netsim.errors import UsageError
from netsim.traffic.flow import FlowSpec
from netsim.units import BITS_PER_BYTE, MAX_TIME_NS, NS_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 1024
"""Packets in a block; part of the result (the order of random draws), so never a setting."""

_PHASES = 256
"""On/off pairs drawn at once."""

_MAX_DRAW_NS = 2**51
"""Single gaps and phases are cut at 26 days: a block of them still fits into int64."""

_NONE: NDArray[np.int64] = np.empty(0, np.int64)
_STEPS: NDArray[np.int64] = np.arange(BLOCK, dtype=np.int64)


class _Process(Protocol):
    """A stream of arrivals, ns after its start: full blocks, or empty past `MAX_TIME_NS`."""

    def next_block(self) -> NDArray[np.int64]: ...


class ArrivalSource:
    """The send times of one flow, block by block.

    Args:
        spec: a udp or icmp flow, or a tcp flow with a rate: when its application writes a segment's worth.
        seed: of the run, 0 or more.
        flow_index: the place of the flow in the run's list, 0 or more.

    Raises:
        UsageError: a flow that paces itself, or a negative number.
    """

    def __init__(self, spec: FlowSpec, seed: int, flow_index: int) -> None:
        if spec.kind == "replay" or spec.rate_bps is None:
            raise UsageError(f"flow {spec.name!r}: a {spec.kind} flow without a rate has no arrival process")
        if seed < 0 or flow_index < 0:
            raise UsageError(f"flow {spec.name!r}: seed {seed} and index {flow_index} must be 0 or more")
        self._start_ns = spec.start_ns
        # Relative to the start; an open end is the end of time.
        self._limit_ns = MAX_TIME_NS - spec.start_ns if spec.duration_ns is None else spec.duration_ns
        self._process = _process_of(spec, spec.rate_bps, self._limit_ns, seed, flow_index)
        self._has_ended = False

    def next_block(self) -> NDArray[np.int64]:
        """The next send times, absolute ns, ascending (equal ones possible), before the flow's end.

        Returns:
            int64[BLOCK]; int64[< BLOCK] for the last block; int64[0] from then on. The caller owns it.
        """
        if self._has_ended:
            return _NONE.copy()
        offsets = self._process.next_block()
        n = int(np.searchsorted(offsets, self._limit_ns))
        self._has_ended = n < BLOCK
        return offsets[:n] + np.int64(self._start_ns)


def _process_of(spec: FlowSpec, rate_bps: int, limit_ns: int, seed: int, flow_index: int) -> _Process:
    """The process that `spec.arrivals` names."""
    if spec.arrivals == "cbr":
        return _Cbr(spec.packet_bytes, rate_bps)
    # A stream of its own for each flow: adding a flow at the end changes no other.
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, flow_index])))
    if spec.arrivals == "poisson":
        return _Poisson(spec.packet_bytes, rate_bps, rng)
    return _OnOff(_Cbr(spec.packet_bytes, rate_bps), spec.on_ns, spec.off_ns, limit_ns, rng)


class _Cbr:
    """Packet k at floor(k * spacing), where the spacing is the fraction `_numerator / rate`."""

    def __init__(self, packet_bytes: int, rate_bps: int) -> None:
        self._numerator = packet_bytes * BITS_PER_BYTE * NS_PER_S
        self._rate_bps = rate_bps
        self._sent = 0
        # Whole ns from packet to packet: all blocks have the same steps, and nothing is divided.
        self._is_even = self._numerator % rate_bps == 0
        self._steps = _STEPS * (self._numerator // rate_bps)

    def next_block(self) -> NDArray[np.int64]:
        # Python's integers carry the block's start, so int64 sees only what one block adds:
        # at most 1024 * 65535 * 8e9 = 5.4e17.
        whole, rest = divmod(self._sent * self._numerator, self._rate_bps)
        if whole > MAX_TIME_NS:
            return _NONE
        self._sent += BLOCK
        if self._is_even:
            return whole + self._steps
        return whole + (_STEPS * self._numerator + rest) // self._rate_bps


class _Poisson:
    """Independent exponential gaps, each to the nearest ns; the first packet comes after one."""

    def __init__(self, packet_bytes: int, rate_bps: int, rng: np.random.Generator) -> None:
        self._mean_ns = packet_bytes * BITS_PER_BYTE * NS_PER_S / rate_bps
        self._rng = rng
        self._last_ns = 0

    def next_block(self) -> NDArray[np.int64]:
        if self._last_ns > MAX_TIME_NS:
            return _NONE
        offsets = self._last_ns + np.cumsum(_draw(self._rng, self._mean_ns, BLOCK))
        self._last_ns = int(offsets[-1])
        return offsets


class _OnOff:
    """A CBR clock that runs through exponential on-phases and stands still in between.

    Two arrays by phase: `_on_end`, the CBR clock at the end of the on-phase, and
    `_silence`, all off-time before it. A packet of CBR time t lies in the first phase
    that ends after t, and leaves at t + its silence. It starts on.
    """

    def __init__(self, cbr: _Cbr, on_ns: int, off_ns: int, limit_ns: int, rng: np.random.Generator) -> None:
        self._cbr = cbr
        self._on_ns = on_ns
        self._off_ns = off_ns
        self._limit_ns = limit_ns
        self._rng = rng
        self._on_end = _NONE
        self._silence = _NONE
        self._drawn_on_ns = 0
        self._drawn_off_ns = 0

    def next_block(self) -> NDArray[np.int64]:
        clock = self._cbr.next_block()
        if not len(clock):
            return _NONE
        # Past the flow's end nobody looks: no need to draw phases up to the block's last packet.
        while self._drawn_on_ns <= clock[-1] and self._drawn_on_ns + self._drawn_off_ns <= self._limit_ns:
            self._draw_phases()
        phase = np.searchsorted(self._on_end, clock, side="right")
        known = phase < len(self._on_end)
        offsets = clock + self._silence[np.where(known, phase, 0)]
        offsets[~known] = self._limit_ns
        # Phases that lie behind are done with.
        passed = int(phase[0])
        self._on_end, self._silence = self._on_end[passed:], self._silence[passed:]
        return offsets

    def _draw_phases(self) -> None:
        on = _draw(self._rng, self._on_ns, _PHASES)
        off = _draw(self._rng, self._off_ns, _PHASES)
        on_end = self._drawn_on_ns + np.cumsum(on)
        off_end = self._drawn_off_ns + np.cumsum(off)
        self._on_end = np.concatenate((self._on_end, on_end))
        self._silence = np.concatenate((self._silence, off_end - off))
        self._drawn_on_ns, self._drawn_off_ns = int(on_end[-1]), int(off_end[-1])


def _draw(rng: np.random.Generator, mean_ns: float, n: int) -> NDArray[np.int64]:
    """Exponential times of this mean, n of them, to the nearest ns and none above `_MAX_DRAW_NS`."""
    return np.rint(np.minimum(rng.standard_exponential(n) * mean_ns, _MAX_DRAW_NS)).astype(np.int64)
