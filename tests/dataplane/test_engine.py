"""The engine against its twin, against itself cut elsewhere, and against its own kernels compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netsim.dataplane import ring, state, trace
from netsim.dataplane.batch import PROTO_TCP, PROTO_UDP, SYN, pack_tcp
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.engine import Engine
from netsim.dataplane.latency import BINS, bin_of
from netsim.errors import ClockError
from netsim.prefix import parse_addr
from tests.dataplane.experiment import Experiment, Traffic, assert_same, engine_of, run_engine, run_scalar
from tests.dataplane.network import Network
from tests.dataplane.random_experiment import END_NS, random_experiment
from tests.dataplane.two_vpcs import both, ends, two_vpcs, udp

MORE = pytest.mark.slow


def cuts_of(seed: int, n: int = 5) -> list[int]:
    return sorted({int(at_ns) for at_ns in np.random.default_rng([seed, 1]).integers(1, END_NS, n)})


def assert_equals_twin(seed: int) -> None:
    experiment, cuts = random_experiment(seed), cuts_of(seed)
    assert_same(run_engine(experiment, cuts), run_scalar(experiment, cuts), f"seed {seed}")


@pytest.mark.parametrize("seed", range(250))
def test_every_fate_time_counter_and_measure_equals_the_scalar_twin(seed: int) -> None:
    assert_equals_twin(seed)


@MORE
@pytest.mark.parametrize("first", range(1000, 4000, 100))
def test_and_so_on_thousands_of_other_networks(first: int) -> None:
    for seed in range(first, first + 100):
        assert_equals_twin(seed)


def test_the_random_networks_reach_every_fate() -> None:
    """Else the comparison above would prove less than it says."""
    seen: dict[int, int] = dict.fromkeys(Disposition, 0)
    for seed in range(100):
        for row in run_engine(random_experiment(seed)).dispositions:
            for disposition, n in enumerate(row):
                seen[disposition] += n
    missing = [Disposition(d).symbol for d, n in seen.items() if n < 5 and d != Disposition.IN_FLIGHT]
    assert not missing


def by_node(journal: Any, engine: Engine) -> list[list[Any]]:
    """The journal's records by the node they belong to, in order: where windows end moves nodes past each other."""
    links = engine.fib.link.reshape(-1, 11)
    insts = engine.fib.inst.reshape(-1, 7)
    lists: list[list[Any]] = [[] for _ in range(engine.fib.n_nodes)]
    for record in journal.tolist():
        event, node = record[trace.J_EVENT], record[trace.J_PLACE]
        if event in {trace.QUEUED, trace.TAP_LINK}:
            node = int(links[node, 0])
        elif event == trace.SENT:
            node = record[trace.J_A]
        elif event in {trace.TAP_SENT, trace.TAP_RECEIVED}:
            node = int(insts[node, 0])
        lists[node].append(record)
    return lists


def everything(
    experiment: Experiment, cuts: list[int], *, is_compiled: bool = False, threads: int = 1
) -> dict[str, Any]:
    """All that an engine can tell, and the arrays inside it that don't depend on how often rings grew."""
    engine = engine_of(experiment, is_compiled=is_compiled)
    engine.threads = threads
    journals = []
    for stop_ns in experiment.stops(cuts):
        engine.advance(stop_ns)
        journals.append(engine.take_journal())
        for at_ns, network in experiment.edits:
            if at_ns == stop_ns:
                engine.install(network.fib())
    return {
        "journal": by_node(np.concatenate(journals), engine),
        "counters": [column.tolist() for column in engine.counters()],
        "measures": engine.measures().tolist(),
        "histograms": [engine.histogram(flow).tolist() for flow in range(engine.n_flows)],
        "in flight": engine.packets_in_flight().tolist(),
        "dispositions": engine.node_dispositions().tolist(),
        "links": engine.memory.link.tolist(),
        "held": engine.memory.slots_inst.tolist() + engine.memory.slots_node.tolist(),
        "work": (engine.events, engine.packet_hops, engine.next_event_ns()),
    }


@pytest.mark.parametrize("seed", range(40))
def test_where_a_run_is_cut_changes_nothing(seed: int) -> None:
    experiment = random_experiment(seed)
    whole = everything(experiment, [])
    for n in (1, 7, 60):
        cut = everything(experiment, cuts_of(seed, n))
        for name, value in whole.items():
            assert cut[name] == value, f"seed {seed}, {n} cuts: {name}"


def test_cutting_at_every_single_event_changes_nothing() -> None:
    experiment = random_experiment(3)
    engine, stops = engine_of(experiment), []
    while (next_ns := engine.next_event_ns()) is not None and next_ns < experiment.end_ns:
        stops += [next_ns, next_ns + 1]
        engine.advance(next_ns)
        engine.advance(next_ns + 1)
    assert len(stops) > 100
    assert everything(experiment, stops) == everything(experiment, [])


@pytest.mark.usefixtures("compiled_kernels")
@pytest.mark.parametrize("first", range(0, 200, 20))
def test_compiled_equals_plain_bit_for_bit(first: int) -> None:
    for seed in range(first, first + 20):
        experiment, cuts = random_experiment(seed), cuts_of(seed, 2)
        plain = everything(experiment, cuts)
        compiled = everything(experiment, cuts, is_compiled=True)
        for name, value in plain.items():
            assert compiled[name] == value, f"seed {seed}: {name}"


@pytest.mark.usefixtures("compiled_kernels")
@MORE
@pytest.mark.parametrize("first", range(5000, 7000, 200))
def test_compiled_equals_plain_on_many_more(first: int) -> None:
    for seed in range(first, first + 200):
        experiment, cuts = random_experiment(seed), cuts_of(seed, 2)
        assert everything(experiment, cuts) == everything(experiment, cuts, is_compiled=True), f"seed {seed}"


@pytest.mark.usefixtures("compiled_kernels")
def test_changing_between_plain_and_compiled_in_mid_run_changes_nothing() -> None:
    experiment = random_experiment(5)

    def swap(engine: Engine) -> None:
        engine.is_compiled = not engine.is_compiled

    cuts = cuts_of(5, 8)
    assert_same(run_engine(experiment, cuts, at_stop=swap), run_engine(experiment, cuts), "seed 5")


def test_the_same_run_twice_is_the_same_bytes() -> None:
    assert everything(random_experiment(9), []) == everything(random_experiment(9), [])


@pytest.mark.parametrize("seed", range(30))
def test_no_packet_is_lost_or_made_up_at_any_moment(seed: int) -> None:
    def balance(engine: Engine) -> None:
        totals = engine.totals()
        assert totals.injected == totals.delivered + totals.dropped + totals.in_flight, f"seed {seed}"
        assert totals.in_flight == len(engine.packets_in_flight())
        assert totals.delivered + totals.dropped == totals.by_disposition.sum()

    run_engine(random_experiment(seed), cuts_of(seed, 40), at_stop=balance)


@pytest.mark.parametrize("seed", range(20))
def test_counters_only_grow_and_what_arrives_has_departed(seed: int) -> None:
    experiment = random_experiment(seed)
    counters = np.array(run_engine(experiment, cuts_of(seed, 20)).counters, np.int64)
    if counters.size:
        assert (np.diff(counters, axis=0) >= 0).all()
        assert (counters[:, :, 4] <= counters[:, :, 0]).all()
        assert (counters[:, :, 5] <= counters[:, :, 1]).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_flow_counts_each_latency_in_its_bin(seed: int) -> None:
    from tests.reference.scalar_forward import Flow, ScalarForward

    experiment = random_experiment(seed)
    experiment.edits.clear()
    engine = engine_of(experiment)
    engine.advance(experiment.end_ns)
    twin = ScalarForward(experiment.network)
    twin.keep(experiment.stored)
    for number, traffic in enumerate(experiment.traffic):
        twin.flows.append(Flow(traffic.inst, traffic.dst_inst, traffic.template, traffic.payload))
        twin.feed(number, traffic.at_ns, traffic.rows)
    twin.advance(experiment.end_ns)
    for number, flow in enumerate(twin.flows):
        bins = np.bincount([bin_of(latency_ns) for latency_ns in flow.latencies], minlength=BINS)
        assert engine.histogram(number).tolist() == bins.tolist(), f"seed {seed}"


# ------------------------------------------------------------------------------------------- time


def test_a_packet_takes_the_time_the_design_says() -> None:
    """1000 B at 10 Gbit/s, 0.5 ms on the way, 0.1 ms of delivery, the cap asleep."""
    assert [end.at_ns for end in ends(both(Experiment(two_vpcs(), [Traffic(0, 1, udp(), [1000])], 10**9)))] == [
        1000 + 800 + 500_000 + 100_000
    ]


def test_what_comes_in_over_the_shortest_link_meets_what_was_sent_there_in_order_of_time() -> None:
    """A window may be no longer than the smallest delay: b's packet reaches a between two of a's own."""
    net = Network()
    for k, name in enumerate("abc"):
        net.vpc(name, f"10.{k}.0.0/16", [f"10.{k}.0.0/24"], is_relay=name == "a")
        net.instance(f"{name}1", f"10.{k}.0.10", [(PROTO_UDP, 53)])
    net.connect("b", "a", delay_ns=50_000)
    out = net.connect("a", "c", delay_ns=50_000, rate_bps=1_000_000, burst_bytes=1500)
    net.route("b", "10.2.0.0/16", "a")
    net.route("a", "10.2.0.0/16", "c")
    to_c = udp(dst=parse_addr("10.2.0.10"))
    traffic = [Traffic(0, 2, to_c, [0, 60_000]), Traffic(1, 2, to_c, [0])]
    outcome = both(Experiment(net, traffic, 10**9))
    queued = [record for record in outcome.log[0] if record[0] == "queued" and record[2] == out]
    assert [(record[1], record[5]) for record in queued] == [(800, 0), (50_800, 1), (60_800, 0)]


def test_an_interval_has_its_first_moment_and_not_its_last() -> None:
    experiment = Experiment(two_vpcs(), [Traffic(0, 1, udp(), [0])], 10**9)
    engine = engine_of(experiment)
    engine.advance(800)
    assert engine.counters().egress_packets.tolist() == [0, 0]
    engine.advance(801)
    assert engine.counters().egress_packets.tolist() == [1, 0]
    engine.advance(500_800)
    assert engine.counters().ingress_packets.tolist() == [0, 0]
    engine.advance(500_801)
    assert engine.counters().ingress_packets.tolist() == [1, 0]


def test_time_does_not_run_backwards() -> None:
    engine = Engine(two_vpcs().fib())
    engine.advance(100)
    engine.advance(100)
    with pytest.raises(ClockError, match="from 100 ns back to 99 ns"):
        engine.advance(99)


def test_a_flow_cannot_send_in_the_past() -> None:
    engine = engine_of(Experiment(two_vpcs(), [Traffic(0, 1, udp(), [])], 0))
    engine.advance(100)
    with pytest.raises(ClockError, match="flow 0: send times must ascend, and not lie before 100 ns"):
        engine.feed(0, np.array([99], np.int64))


def test_a_silenced_flow_sends_nothing_more() -> None:
    engine = engine_of(Experiment(two_vpcs(), [Traffic(0, 1, udp(), [0, 10, 20])], 0))
    engine.advance(11)
    engine.silence(0)
    engine.advance(10**9)
    assert engine.totals()[:3] == (2, 2, 0)


def test_nothing_to_do_is_no_event() -> None:
    engine = Engine(two_vpcs().fib())
    assert engine.next_event_ns() is None
    engine.advance(2**61)
    assert engine.events == 0 and engine.now_ns == 2**61


def test_an_instance_that_is_not_there_yet_gets_its_own_rings() -> None:
    net = two_vpcs()
    engine = engine_of(Experiment(net, [Traffic(0, 1, udp(), [0])], 0))
    engine.advance(10**8)
    net.vpc("c", "10.2.0.0/16", ["10.2.0.0/24"])
    net.instance("c1", "10.2.0.10")
    net.connect("a", "c")
    net.route("a", "10.2.0.0/16", "c")
    engine.install(net.fib())
    packet = udp(dst=parse_addr("10.2.0.10"), l4=pack_tcp(1, 2, SYN), proto=PROTO_TCP)
    assert engine.add_flows(np.array([[0, 2, packet.src, packet.dst, 60, PROTO_TCP, packet.l4, 4, 64, 0, 0]])) == 1
    engine.feed(1, np.array([10**8], np.int64))
    engine.advance(2 * 10**8)
    assert engine.node_dispositions()[:, Disposition.DELIVERED].tolist() == [0, 1, 2]
    assert engine.node_dispositions()[2, Disposition.NO_ROUTE] == 1  # the reset finds no way back, says the router


def test_rings_start_tiny_and_grow_without_losing_a_packet() -> None:
    """500 packets at one instant through a queue that takes all of them."""
    net = two_vpcs(rate_bps=1_000_000_000, queue_bytes=2_000_000)
    engine = engine_of(Experiment(net, [Traffic(0, 1, udp(), [0] * 500)], 0))
    assert engine.memory.rings.table[:, ring.R_MASK][engine.memory.rings.table[:, ring.R_KIND] != ring.SOURCE].max() < 8
    engine.advance(1_500_000)
    assert engine.totals().in_flight > 200
    engine.advance(10**9)
    assert engine.totals()[:4] == (500, 500, 0, 0)
    sizes = engine.memory.rings.table[:, ring.R_MASK] + 1
    assert (sizes & sizes - 1 == 0).all()


def test_send_times_that_do_not_ascend_are_refused() -> None:
    """Rings are sorted by time because their writers are; a source's writer is the caller."""
    engine = Engine(random_experiment(1).network.fib())
    flow = engine.add_flows(np.zeros((1, state.FLOW_WORDS), np.int64))
    engine.feed(flow, np.array([5, 9], np.int64))
    for times in ([8], [12, 11]):
        with pytest.raises(ClockError, match="ascend"):
            engine.feed(flow, np.array(times, np.int64))


def test_time_passes_without_a_kernel_where_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = random_experiment(4)
    engine = engine_of(experiment)
    engine.advance(experiment.end_ns)
    while engine.next_event_ns() is not None:
        engine.advance(engine.now_ns + 10**9)
    before = [column.tolist() for column in engine.counters()], engine.totals().by_disposition.tolist()
    assert before[0][0] == before[0][4]  # all that left has arrived
    calls = []
    monkeypatch.setattr(engine._shares, "run", lambda *_, **__: calls.append(1))
    engine.advance(engine.now_ns + 10**12)
    assert not calls and engine.next_event_ns() is None
    assert before == ([column.tolist() for column in engine.counters()], engine.totals().by_disposition.tolist())
