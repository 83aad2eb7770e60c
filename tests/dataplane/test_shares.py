"""Two threads compute what one does, to the last bit; they wait for each other, and never for one that failed."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from netsim import jit
from netsim.dataplane import cache_lines, shares
from netsim.dataplane.engine import Engine
from netsim.dataplane.memory import Memory
from netsim.dataplane.ring_table import LEAST_STOCK, STOCK_SHARE
from netsim.dataplane.shares import Shares
from netsim.dataplane.state import M_REPLIES
from netsim.jit import kernel
from netsim.jit.together import LINE_WORDS, Y_FIRST, add_shared, meet, sync_words
from tests.dataplane.experiment import Experiment, Traffic, engine_of, run_scalar
from tests.dataplane.random_experiment import random_experiment
from tests.dataplane.random_tcp import random_tcp
from tests.dataplane.tcp_engine import tcp_rows
from tests.dataplane.tcp_experiment import TcpExperiment
from tests.dataplane.test_engine import cuts_of, everything
from tests.dataplane.test_express import unwatched
from tests.dataplane.two_vpcs import A1, B1, echo, two_vpcs

pytestmark = pytest.mark.usefixtures("compiled_kernels")
MEETINGS = 3000


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little there is to do, threads do it."""
    monkeypatch.setattr(shares, "LEAST_EVENTS", 0)


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """How many threads calls had."""
    numbers: set[int] = set()
    together = Shares._together

    def noted(self: Shares, run: Any, calls: Any, sync: Any) -> list[int]:
        numbers.add(len(calls))
        return together(self, run, calls, sync)

    monkeypatch.setattr(Shares, "_together", noted)
    return numbers


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("first", range(0, 120, 20))
def test_any_number_of_threads_gives_the_same_bytes(first: int, used: set[int]) -> None:
    for seed in range(first, first + 20):
        experiment, cuts = unwatched(seed), cuts_of(seed, 3)
        alone = everything(experiment, cuts, is_compiled=True)
        for threads in (2, 3):
            shared = everything(experiment, cuts, is_compiled=True, threads=threads)
            for name, value in alone.items():
                assert shared[name] == value, f"seed {seed}, {threads} threads: {name}"
    assert {1, 2, 3} <= used


def outcome_of(experiment: TcpExperiment, threads: int) -> dict[str, Any]:
    """An engine's TCP with nobody listening in."""
    for traffic in experiment.other:
        if traffic.template is not None:
            traffic.template = replace(traffic.template, watch=0)
    engine = engine_of(Experiment(experiment.network, experiment.other, experiment.end_ns), is_compiled=True)
    engine.threads = threads
    for number, tcp in enumerate(experiment.tcp, engine.add_flows(tcp_rows(experiment))):
        engine.feed(number, *(np.array(column, np.int64) for column in tcp.arrivals()))
    for stop_ns in experiment.stops([]):
        engine.advance(stop_ns)
        for at_ns, network in experiment.edits:
            if at_ns == stop_ns:
                engine.install(network.fib())
    return {
        "ends": engine.memory.ends.table.tolist(),
        "measures": engine.measures().tolist(),
        "in flight": engine.packets_in_flight().tolist(),
        "links": engine.memory.link.tolist(),
        "dispositions": engine.node_dispositions().tolist(),
    }


@pytest.mark.usefixtures("always")
def test_conversations_go_the_same_way_too(used: set[int]) -> None:
    for seed in range(40):
        experiment = random_tcp(seed)
        alone, shared = (outcome_of(experiment, threads) for threads in (1, 2))
        for name, value in alone.items():
            assert shared[name] == value, f"seed {seed}: {name}"
    assert 2 in used


@pytest.mark.usefixtures("always")
def test_what_is_recorded_is_recorded_by_one_thread(used: set[int]) -> None:
    """One journal, in one order."""
    for seed in range(5):
        watched, cuts = random_experiment(seed), cuts_of(seed, 2)
        used.clear()
        assert everything(watched, cuts, is_compiled=True, threads=2) == everything(watched, cuts, is_compiled=True)
        assert used == {1}
    engine = engine_of(unwatched(0), is_compiled=True)
    engine.threads = 2
    engine.tap_link(0)
    used.clear()
    engine.advance(10**7)
    assert used == {1}


def test_threads_are_for_those_who_have_work(used: set[int]) -> None:
    experiment = unwatched(1)
    engine = engine_of(experiment, is_compiled=True)
    engine.threads = 2
    engine.advance((engine.next_event_ns() or 0) + 1)
    assert used == {2}  # nothing is known yet
    for stop_ns in range(engine.now_ns, experiment.end_ns, experiment.end_ns // 20):
        engine.advance(stop_ns)
    assert used == {1, 2} and engine._shares.used == 1


@pytest.mark.usefixtures("always")
def test_the_number_of_threads_may_change_in_mid_run() -> None:
    experiment, cuts = unwatched(7), cuts_of(7, 30)

    def counts(numbers: list[int]) -> list[Any]:
        engine = engine_of(experiment, is_compiled=True)
        for stop_ns in experiment.stops(cuts):
            engine.threads = numbers[0]
            numbers = numbers[1:] + numbers[:1]
            engine.advance(stop_ns)
            install_due(engine, experiment, stop_ns)
        return [column.tolist() for column in engine.counters()] + [engine.measures().tolist()]

    assert counts([1]) == counts([2, 1, 3])


def install_due(engine: Engine, experiment: Experiment, stop_ns: int) -> None:
    for at_ns, network in experiment.edits:
        if at_ns == stop_ns:
            engine.install(network.fib())


# ------------------------------------------------------------------------------------ meeting


@kernel(is_inline=False)
def take_turns(sync: Any, words: Any, share: int, threads: int, times: int) -> int:
    """Each time: write one's own word, meet, read the others', meet; how often one had not been written."""
    missed = 0
    for k in range(times):
        words[share * LINE_WORDS] = k + 1
        meet(sync, threads)
        for other in range(threads):
            if words[other * LINE_WORDS] != k + 1:
                missed += 1
        add_shared(sync, Y_FIRST, 1)
        meet(sync, threads)
    return missed


def together(threads: int) -> Shares:
    """Shares with workers that are there."""
    made = Shares()
    assert made._has_workers(threads - 1)
    return made


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_what_was_written_before_a_meeting_is_read_after_it(threads: int) -> None:
    sync = cache_lines.zeros(sync_words(threads))
    words = cache_lines.zeros(threads * LINE_WORDS)
    calls = [(sync, words, share, threads, MEETINGS) for share in range(threads)]
    assert together(threads)._together(jit.compiled(take_turns), calls, sync) == [0] * threads
    assert sync[Y_FIRST] == threads * MEETINGS


def test_nobody_waits_for_one_that_failed() -> None:
    sync, words = cache_lines.zeros(sync_words(2)), cache_lines.zeros(2 * LINE_WORDS)
    turns = jit.compiled(take_turns)

    def run(is_broken: bool, *arguments: Any) -> int:
        if is_broken:
            raise MemoryError
        return int(turns(*arguments))

    for broken in (0, 1):
        sync[:] = 0
        calls = [(share == broken, sync, words, share, 2, MEETINGS) for share in range(2)]
        with pytest.raises(MemoryError):
            together(2)._together(run, calls, sync)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("broken", [0, 1])
def test_a_run_that_was_broken_off_goes_on_where_it_was(broken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C before a share's kernel began, again and again, caught by a notebook."""
    real, n_interrupts = Shares._together, 0
    for seed in range(12):
        experiment = unwatched(seed)
        alone = everything(experiment, [], is_compiled=True)
        calls_until = [seed % 3]

        def interrupted(self: Shares, run: Any, calls: Any, sync: Any, left: list[int] = calls_until) -> list[int]:
            left[0] -= 1
            if left[0] >= 0 or len(calls) == 1:
                return real(self, run, calls, sync)
            left[0] = 1

            def fails(*arguments: Any) -> int:
                if arguments[3] == broken:
                    raise KeyboardInterrupt
                return int(run(*arguments))

            return real(self, fails, calls, sync)

        monkeypatch.setattr(Shares, "_together", interrupted)
        engine = engine_of(experiment, is_compiled=True)
        engine.threads = 2
        for stop_ns in experiment.stops([]):
            while engine.now_ns < stop_ns:
                try:
                    engine.advance(stop_ns)
                except KeyboardInterrupt:
                    n_interrupts += 1
            install_due(engine, experiment, stop_ns)
        assert engine.measures().tolist() == alone["measures"]
        assert [column.tolist() for column in engine.counters()] == alone["counters"]
        monkeypatch.setattr(Shares, "_together", real)
    assert n_interrupts > 5


@pytest.mark.usefixtures("always")
def test_a_system_that_has_no_more_threads_runs_with_one(monkeypatch: pytest.MonkeyPatch, used: set[int]) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def refuses_the_second(self: threading.Thread) -> None:
        started.append(self)
        if len(started) > 1:
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuses_the_second)
    experiment = unwatched(3)
    shared = everything(experiment, [], is_compiled=True, threads=3)
    assert used == {1} and shared == everything(experiment, [], is_compiled=True)


@pytest.mark.usefixtures("always")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_makes_threads_of_its_own() -> None:
    experiment = unwatched(5)
    engine = engine_of(experiment, is_compiled=True)
    engine.threads = 2
    engine.advance(10**6)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        engine.advance(experiment.end_ns)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_many_threads_hold_no_more_chunks_in_stock_than_few() -> None:
    for threads in (1, 20, 64):
        memory = Memory(1, 1)
        memory.add_nodes(2000)
        before = memory.rings._chunks_used
        memory.lend_hands(threads)
        for share in range(threads):
            memory.fill_stock(share)
        assert memory.rings._chunks_used - before <= max(before // STOCK_SHARE, threads * LEAST_STOCK) * 1.1


@pytest.mark.usefixtures("always")
def test_answers_count_where_the_sender_is() -> None:
    """Hand-made echo requests with a far address as source: the answers go there, and are nobody's."""
    packets = [echo(watch=0), echo(watch=0, src=B1, dst=A1)]
    traffic = Traffic(0, 1, None, [1000, 2000], rows=[0, 1])
    experiment = Experiment(two_vpcs(), [traffic], 10**9, [(packet, 0, 0) for packet in packets])
    results = [everything(experiment, [], is_compiled=True, threads=threads)["measures"][0] for threads in (1, 2)]
    assert results[0] == results[1]
    assert results[0][M_REPLIES] == run_scalar(experiment).measures[0][M_REPLIES] == 1


def test_records_of_whole_lines_begin_at_a_line_however_they_grow() -> None:
    array, expected = np.zeros(0, np.int64), []
    moves = 0
    for k in range(1, 200):
        fresh = np.arange(k, 2 * k)
        place = array.ctypes.data
        array = cache_lines.extended(array, fresh)
        expected += fresh.tolist()
        moves += array.ctypes.data != place
        assert array.ctypes.data % cache_lines.LINE_BYTES == 0
        assert array.tolist() == expected and array.flags.c_contiguous
    assert moves < 30
