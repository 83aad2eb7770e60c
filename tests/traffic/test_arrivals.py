"""Arrivals: spacing, rates, and that nothing but (spec, seed, index) decides them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.errors import UsageError
from netsim.traffic.arrivals import BLOCK, ArrivalSource
from netsim.traffic.flow import FlowSpec
from netsim.units import MAX_TIME_NS, NS_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

MS = 1_000_000


def make(**changes: Any) -> FlowSpec:
    given: dict[str, Any] = {
        "name": "f",
        "from_ref": "a",
        "to_ref": "b",
        "rate_bps": 20_000_000,
        "packet_bytes": 512,
        "duration_ns": 10 * NS_PER_S,
    }
    return FlowSpec(**{**given, **changes})


ON_OFF: dict[str, Any] = {"arrivals": "on_off", "on_ns": 20 * MS, "off_ns": 30 * MS}
PROCESSES: list[dict[str, Any]] = [{}, {"arrivals": "poisson"}, ON_OFF]
each_process = pytest.mark.parametrize("process", PROCESSES, ids=["cbr", "poisson", "on_off"])


def all_of(source: ArrivalSource) -> NDArray[np.int64]:
    blocks = []
    while len(block := source.next_block()):
        blocks.append(block)
    return np.concatenate(blocks) if blocks else np.empty(0, np.int64)


@given(
    st.integers(1, 10**12),
    st.integers(28, 65_535),
    st.integers(0, 10**15),
    st.integers(1, 3 * BLOCK),
    st.integers(0, 9),
)
def test_cbr_equals_the_integer_formula_packet_by_packet(
    rate_bps: int, size: int, start_ns: int, n: int, extra_ns: int
) -> None:
    end_offset_ns = (n - 1) * size * 8 * NS_PER_S // rate_bps + 1 + extra_ns
    spec = make(rate_bps=rate_bps, packet_bytes=size, start_ns=start_ns, duration_ns=min(end_offset_ns, MAX_TIME_NS))
    expected = []
    for k in range(4 * BLOCK):
        offset_ns = k * size * 8 * NS_PER_S // rate_bps
        if offset_ns >= (spec.duration_ns or 0):
            break
        expected.append(start_ns + offset_ns)
    source = ArrivalSource(spec, 0, 0)
    blocks = [source.next_block() for _ in range(4)]
    assert np.concatenate(blocks).tolist() == expected


def test_cbr_does_not_drift_over_a_long_run() -> None:
    # 1500 bytes at 7 Mbit/s: 1714285.714... ns apart, a third of a ms off after an hour if rounded first.
    source = ArrivalSource(make(rate_bps=7_000_000, packet_bytes=1500, duration_ns=None), 0, 0)
    for _ in range(2000):
        block = source.next_block()
    assert int(block[-1]) == (2000 * BLOCK - 1) * 1500 * 8 * NS_PER_S // 7_000_000


@each_process
def test_blocks_are_full_but_the_last_then_empty(process: dict[str, Any]) -> None:
    source = ArrivalSource(make(**process), 1, 0)
    lengths = []
    while len(block := source.next_block()):
        assert block.dtype == np.int64
        lengths.append(len(block))
    assert set(lengths[:-1]) == {BLOCK}
    assert lengths[-1] <= BLOCK
    assert len(source.next_block()) == 0


@each_process
def test_times_ascend_inside_the_flow(process: dict[str, Any]) -> None:
    times = all_of(ArrivalSource(make(**process, start_ns=123), 5, 3))
    assert (np.diff(times) >= 0).all()
    assert times[0] >= 123
    assert times[-1] < 123 + 10 * NS_PER_S


@each_process
def test_same_seed_same_bytes(process: dict[str, Any]) -> None:
    first, again = (all_of(ArrivalSource(make(**process), 7, 2)).tobytes() for _ in range(2))
    assert first == again


@pytest.mark.parametrize("process", PROCESSES[1:], ids=["poisson", "on_off"])
def test_seed_and_flow_index_each_give_another_stream(process: dict[str, Any]) -> None:
    streams = {all_of(ArrivalSource(make(**process), *pair)).tobytes() for pair in ((0, 0), (0, 1), (1, 0), (1, 1))}
    assert len(streams) == 4


@each_process
def test_interleaving_sources_changes_nothing(process: dict[str, Any]) -> None:
    together = [ArrivalSource(make(**process), 3, i) for i in range(3)]
    mixed: list[list[NDArray[np.int64]]] = [[], [], []]
    for _ in range(5):
        for i in (2, 0, 1):
            mixed[i].append(together[i].next_block())
    for i in range(3):
        alone = ArrivalSource(make(**process), 3, i)
        assert np.concatenate(mixed[i]).tolist() == np.concatenate([alone.next_block() for _ in range(5)]).tolist()


@each_process
def test_a_later_end_only_adds_packets(process: dict[str, Any]) -> None:
    short = all_of(ArrivalSource(make(**process, duration_ns=4 * NS_PER_S + 1), 11, 0))
    long = all_of(ArrivalSource(make(**process), 11, 0))
    assert len(short) < len(long)
    assert short.tolist() == long[: len(short)].tolist()
    assert long[len(short)] >= 4 * NS_PER_S + 1


@each_process
def test_a_later_start_only_shifts(process: dict[str, Any]) -> None:
    early = all_of(ArrivalSource(make(**process), 2, 0))
    late = all_of(ArrivalSource(make(**process, start_ns=777), 2, 0))
    assert (late - early == 777).all()


def test_poisson_gaps_have_the_mean_and_deviation_of_an_exponential() -> None:
    gaps = np.diff(all_of(ArrivalSource(make(arrivals="poisson", duration_ns=100 * NS_PER_S), 42, 0)))
    mean_ns = 512 * 8 * NS_PER_S / 20_000_000
    # 488,000 gaps: the standard error of the mean is 0.14 %, of the deviation 0.2 %.
    assert gaps.mean() == pytest.approx(mean_ns, rel=0.008)
    assert gaps.std() == pytest.approx(mean_ns, rel=0.012)
    # memoryless: P(gap > 2 means) = e^-2
    assert (gaps > 2 * mean_ns).mean() == pytest.approx(np.exp(-2), rel=0.03)


def test_on_off_sends_its_rate_while_on_and_the_share_of_it_overall() -> None:
    times = all_of(ArrivalSource(make(**ON_OFF, duration_ns=400 * NS_PER_S), 9, 0))
    spacing_ns = 512 * 8 * NS_PER_S / 20_000_000
    # 8,000 cycles of on 20 ms, off 30 ms: the share's standard error is about 0.9 %.
    assert len(times) * spacing_ns / (400 * NS_PER_S) == pytest.approx(0.4, rel=0.04)
    gaps = np.diff(times)
    within = gaps[gaps <= spacing_ns + 1]
    assert set(within.tolist()) <= {204_800}
    silences = gaps[gaps > spacing_ns + 1] - spacing_ns
    assert silences.mean() == pytest.approx(30 * MS, rel=0.05)
    assert silences.std() == pytest.approx(30 * MS, rel=0.06)


def test_on_off_with_the_silences_taken_out_is_cbr() -> None:
    times = all_of(ArrivalSource(make(**ON_OFF), 4, 0))
    gaps = np.diff(times)
    # A packet lost or doubled at the edge of a phase would leave an on-run of another spacing.
    assert gaps.min() == 204_800


@pytest.mark.parametrize("process", PROCESSES[1:], ids=["poisson", "on_off"])
def test_the_bytes_of_a_stream_are_pinned(process: dict[str, Any]) -> None:
    """A changed digest is a changed result for every user of this seed: say so in the changelog."""
    digest = hashlib.sha256(all_of(ArrivalSource(make(**process), 7, 1)).astype("<i8").tobytes()).hexdigest()[:16]
    assert digest == {"poisson": "74873fbc59a89f85", "on_off": "378e591f33667359"}[process["arrivals"]]


@pytest.mark.parametrize("arrivals", ["cbr", "poisson", "on_off"])
def test_the_slowest_flow_ends_with_time_itself(arrivals: str) -> None:
    slow = make(
        arrivals=arrivals, rate_bps=1, packet_bytes=65_535, duration_ns=None, start_ns=0,
        **({"on_ns": 10**18, "off_ns": 10**18} if arrivals == "on_off" else {}),
    )  # fmt: skip
    times = all_of(ArrivalSource(slow, 0, 0))
    assert 0 < len(times) < 10_000
    assert (np.diff(times) > 0).all()
    assert times[-1] < MAX_TIME_NS


def test_a_flow_that_paces_itself_has_no_arrivals() -> None:
    with pytest.raises(UsageError, match="tcp flow without a rate has no arrival process"):
        ArrivalSource(make(kind="tcp", rate_bps=None), 0, 0)


def test_an_application_writes_a_tcp_segment_at_a_time() -> None:
    written, sent = (all_of(ArrivalSource(make(kind=kind), 0, 0)) for kind in ("tcp", "udp"))
    assert written.tolist() == sent.tolist()


@pytest.mark.parametrize("pair", [(-1, 0), (0, -1)])
def test_negative_seed_or_index_is_refused(pair: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="0 or more"):
        ArrivalSource(make(), *pair)
