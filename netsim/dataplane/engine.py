"""Engine: owns the state, calls the kernels, makes room when they ask.

One engine moves every packet: a ping, a scapy packet, a replay, a million-packet flow. It knows
nodes, links and instances by number only; `install` gives it a new Fib between events. Time is
packet time; `advance(until_ns)` handles every event *before* `until_ns`, so that an interval
[a, b) has its events exactly once, wherever runs are cut.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim import jit
from netsim.dataplane import drop_tail, ring, state, token_bucket, trace, window
from netsim.dataplane.batch import PacketBatch
from netsim.dataplane.disposition import N_DISPOSITIONS, is_ok
from netsim.dataplane.fib import (
    I_NODE,
    INST_WORDS,
    K_BURST_NANOBITS,
    K_DELAY_NS,
    K_DST_NODE,
    K_FULL_AFTER_NS,
    K_OVERHEAD_BYTES,
    K_RATE_BPS,
    LINK_WORDS,
    Fib,
    table_of,
)
from netsim.dataplane.hop import OUT_WORDS
from netsim.dataplane.latency import BINS
from netsim.dataplane.reassembly import HOLDER_WORDS
from netsim.dataplane.row import N_FIELDS, WORDS, pack_row, rows_of_batch, unpack_words
from netsim.errors import ClockError
from netsim.units import MAX_TIME_NS, NS_PER_MS

DELIVERY_NS = 100_000
"""Delivery inside a VPC: 0.1 ms."""
NIC_QUEUE_NS = 50 * NS_PER_MS
"""What waits at an instance's interface for longer than this does not fit."""
MIN_WINDOW_NS = 50_000
"""Propagation delays are at least 0.05 ms."""

Ints = NDArray[np.int64]


class LinkCounters(NamedTuple):
    """Cumulative counters of n link directions, int64[n] each; bytes in the link's accounting."""

    egress_bytes: Ints
    egress_packets: Ints
    dropped_bytes: Ints
    dropped_packets: Ints
    ingress_bytes: Ints
    ingress_packets: Ints


class Totals(NamedTuple):
    """Where all packets are: injected = delivered + dropped + in flight, always."""

    injected: int
    delivered: int
    dropped: int
    in_flight: int
    by_disposition: Ints


class Engine:
    """The data plane of one emulator."""

    def __init__(self, fib: Fib) -> None:
        self.rings = ring.RingTable()
        self.now_ns = 0
        self.is_compiled = False
        self._link = np.zeros(0, np.int64)
        self._inst = np.zeros(0, np.int64)
        self._node = np.zeros(0, np.int64)
        self._slots_inst = np.zeros(0, np.int64)
        self._slots_node = np.zeros(0, np.int64)
        self._flow = np.zeros(0, np.int64)
        self._flow_ring = np.zeros(0, np.int64)
        self._measure = np.zeros(0, np.int64)
        self._histogram = np.zeros(0, np.int32)
        self._store = np.zeros(64 * state.STORE_WORDS, np.int64)
        self._stored = 0
        self._journal = np.zeros(256 * trace.JOURNAL_WORDS, np.int64)
        self._journal_used = np.zeros(1, np.int64)
        self._written: list[Ints] = []
        self._hand = np.zeros(N_FIELDS, np.int64)
        self._other = np.zeros(N_FIELDS, np.int64)
        self._out = np.zeros(OUT_WORDS, np.int64)
        self._control = np.zeros(state.CONTROL_WORDS, np.int64)
        self._control[state.C_CURSOR] = -1
        self._control[state.C_DELIVERY_NS] = DELIVERY_NS
        self._control[state.C_NIC_QUEUE_NS] = NIC_QUEUE_NS
        self._layout: tuple[Ints, Ints, Ints] | None = None
        self.install(fib)

    # -- forwarding state -----------------------------------------------------------------

    def install(self, fib: Fib) -> None:
        """Replace the forwarding state between two events; numbers keep their meaning.

        New nodes, links and instances get their rings; packets in flight keep their fate. A cap
        that changes has earned what it earned at its old rate.
        """
        self._settle_caps(fib)
        self._add_nodes(fib.n_nodes - len(self._node) // state.NODE_STATE_WORDS)
        self._add_links(fib)
        self._add_instances(fib)
        self.fib = fib
        delays = table_of(fib.link, LINK_WORDS)[:, K_DELAY_NS]
        self._window_ns = int(delays.min()) if len(delays) else MAX_TIME_NS // 2
        self._layout = None

    def _settle_caps(self, fib: Fib) -> None:
        n = len(self._link) // drop_tail.STATE_WORDS
        if n == 0:
            return
        shape = [K_RATE_BPS, K_BURST_NANOBITS]
        before, after = (table_of(version.link, LINK_WORDS)[:n] for version in (self.fib, fib))
        bucket = memoryview(self._link)  # type: ignore[arg-type]  # an array is a buffer
        for k in np.flatnonzero((before[:, shape] != after[:, shape]).any(axis=1)).tolist():
            b = k * drop_tail.STATE_WORDS
            if bucket[b + token_bucket.B_FILLED_AT] >= self.now_ns:
                continue  # it earns again from its last departure on, and that at the new rate
            rate_bps, burst, full_after_ns = (
                int(before[k, field]) for field in (K_RATE_BPS, K_BURST_NANOBITS, K_FULL_AFTER_NS)
            )
            tokens = token_bucket.tokens_at(bucket, b, self.now_ns, rate_bps, burst, full_after_ns)
            bucket[b + token_bucket.B_TOKENS] = min(tokens, int(after[k, K_BURST_NANOBITS]))
            bucket[b + token_bucket.B_FILLED_AT] = self.now_ns

    def _add_nodes(self, n: int) -> None:
        if n <= 0:
            return
        first = len(self._node) // state.NODE_STATE_WORDS
        nodes = np.arange(first, first + n)
        fresh = np.zeros((n, state.NODE_STATE_WORDS), np.int64)
        fresh[:, state.V_OWN_RING] = self.rings.add(np.full(n, ring.OWN), nodes, nodes) + np.arange(n)
        fresh[:, state.V_DELIVERY_RING] = self.rings.add(np.full(n, ring.DELIVERY), nodes, nodes) + np.arange(n)
        self._node = np.concatenate([self._node, fresh.reshape(-1)])
        self._slots_node = np.concatenate([self._slots_node, np.zeros(n * HOLDER_WORDS, np.int64)])

    def _add_links(self, fib: Fib) -> None:
        first = len(self._link) // drop_tail.STATE_WORDS
        n = fib.n_links - first
        if n <= 0:
            return
        link = table_of(fib.link, LINK_WORDS)[first:]
        fresh = np.zeros((n, drop_tail.STATE_WORDS), np.int64)
        fresh[:, drop_tail.S_TOKENS] = link[:, K_BURST_NANOBITS]
        fresh[:, drop_tail.S_FILLED_AT] = self.now_ns
        added = self.rings.add(np.full(n, ring.LINK), np.arange(first, first + n), link[:, K_DST_NODE])
        fresh[:, drop_tail.S_RING] = added + np.arange(n)
        self._link = np.concatenate([self._link, fresh.reshape(-1)])

    def _add_instances(self, fib: Fib) -> None:
        first = len(self._inst) // state.INST_STATE_WORDS
        n = fib.n_instances - first
        if n <= 0:
            return
        inst = table_of(fib.inst, INST_WORDS)[first:]
        fresh = np.zeros((n, state.INST_STATE_WORDS), np.int64)
        added = self.rings.add(np.full(n, ring.NIC), np.arange(first, first + n), inst[:, I_NODE])
        fresh[:, state.X_RING] = added + np.arange(n)
        self._inst = np.concatenate([self._inst, fresh.reshape(-1)])
        self._slots_inst = np.concatenate([self._slots_inst, np.zeros(n * HOLDER_WORDS, np.int64)])

    # -- traffic --------------------------------------------------------------------------

    def add_flows(self, flows: Ints) -> int:
        """Add flows, int64[n, 11] of the F_ fields; the number of the first. They send what `feed` says."""
        first, n = self.n_flows, len(flows)
        nodes = table_of(self.fib.inst, INST_WORDS)[flows[:, state.F_INST], I_NODE]
        rings = self.rings.add(np.full(n, ring.SOURCE), np.arange(first, first + n), nodes) + np.arange(n)
        self._flow = np.concatenate([self._flow, flows.astype(np.int64).reshape(-1)])
        self._flow_ring = np.concatenate([self._flow_ring, rings])
        self._measure = np.concatenate([self._measure, np.zeros(n * state.MEASURE_WORDS, np.int64)])
        self._histogram = np.concatenate([self._histogram, np.zeros(n * BINS, np.int32)])
        self._layout = None
        return first

    @property
    def n_flows(self) -> int:
        """How many flows there are."""
        return len(self._flow) // state.FLOW_WORDS

    def keep(self, batch: PacketBatch, payload_bytes: Ints, disposition: Ints) -> int:
        """Put hand-made packets into the store; the number of the first row.

        `payload_bytes` and `disposition` are int[n]: goodput of each packet, and the fate of those
        that did not parse (0 for the others).
        """
        n, first = len(batch), self._stored
        while (first + n) * state.STORE_WORDS > len(self._store):
            self._store = np.concatenate([self._store, np.zeros_like(self._store)])
        rows = rows_of_batch(batch)
        words = np.zeros((n, WORDS), np.int64)
        for i in range(n):
            pack_row(rows[i], words[i], 0)
        kept = self._store.reshape(-1, state.STORE_WORDS)[first : first + n]
        kept[:, :WORDS] = words
        kept[:, state.T_PAYLOAD] = payload_bytes
        kept[:, state.T_DISPOSITION] = disposition
        self._stored += n
        return first

    def feed(self, flow: int, at_ns: Ints, rows: Ints | None = None) -> None:
        """Let the flow send at these ascending times, none before what it was fed already.

        `rows` are store rows for a flow with F_FROM_STORE.

        Raises:
            ClockError: the first time lies in the past.
        """
        if len(at_ns) == 0:
            return
        if at_ns[0] < self.now_ns:
            raise ClockError(f"flow {flow}: asked to send at {at_ns[0]} ns, now is {self.now_ns} ns")
        stored = rows if rows is not None else np.zeros(len(at_ns), np.int64)
        self.rings.push_arrivals(int(self._flow_ring[flow]), at_ns, stored)

    def silence(self, flow: int) -> None:
        """The flow sends nothing more of what it was fed."""
        self.rings.drop_arrivals(int(self._flow_ring[flow]))

    # -- time -----------------------------------------------------------------------------

    def advance(self, until_ns: int) -> None:
        """Handle every event before `until_ns`; then it is `until_ns`.

        Raises:
            ClockError: that lies in the past.
        """
        if until_ns < self.now_ns:
            raise ClockError(f"engine: asked to go from {self.now_ns} ns back to {until_ns} ns")
        run = jit.compiled(window.run_until) if self.is_compiled else window.run_until
        while True:
            fib, st = self._views()
            status = run(fib, st, until_ns, self._window_ns)
            if status == window.DONE:
                break
            self._make_room(status)
        self._drain_journal()
        self._release_departed(until_ns - 1)
        self.now_ns = until_ns

    def next_event_ns(self) -> int | None:
        """When something happens next, None when nothing waits anywhere."""
        table = self.rings.table
        busy = table[table[:, ring.R_HEAD] != table[:, ring.R_TAIL]]
        if not len(busy):
            return None
        slots = busy[:, ring.R_BASE] + (busy[:, ring.R_HEAD] & busy[:, ring.R_MASK])
        is_source = busy[:, ring.R_KIND] == ring.SOURCE
        times = [self.rings.pool[slots[~is_source] * WORDS], self.rings.arrivals[slots[is_source] * 2]]
        return int(np.concatenate(times).min())

    def _views(self) -> tuple[Any, Any]:
        first, order, heap = self._ring_layout()
        st = state.State(
            self.rings.rings, self.rings.pool, self.rings.arrivals, self._link, self._inst, self._node, self._flow,
            self._measure, self._histogram, self._store, self._slots_inst, self._slots_node, self._journal,
            self._journal_used, self._hand, self._other, self._out, heap[0], heap[1], heap[2], self._in_heap, first,
            order, self._control,
        )  # fmt: skip
        if self.is_compiled:
            return self.fib, st
        return jit.plain_view(self.fib), jit.plain_view(st)

    def _ring_layout(self) -> tuple[Ints, Ints, Ints]:
        if self._layout is None:
            nodes = self.rings.table[:, ring.R_NODE]
            live = nodes >= 0
            order = np.argsort(np.where(live, nodes, len(nodes)), kind="stable")[: int(live.sum())]
            first = np.searchsorted(nodes[order], np.arange(self.fib.n_nodes + 1))
            widest = int(np.diff(first).max()) if len(first) > 1 else 0
            self._in_heap = np.zeros(len(self.rings), np.int64)
            self._layout = (first.astype(np.int64), order.astype(np.int64), np.zeros((3, widest + 1), np.int64))
        return self._layout

    def _make_room(self, status: int) -> None:
        if status == window.NEED_RINGS:
            self.rings.grow_short()
        elif status == window.NEED_ROOM:
            self.rings.grow(int(self._control[state.C_NEED_RING]), int(self._control[state.C_NEED_SLOTS]))
        else:
            self._drain_journal()
            wanted = 2 * int(self._control[state.C_NEED_RECORDS]) * trace.JOURNAL_WORDS
            size = min(max(wanted, 2 * len(self._journal)), max(wanted, 8192 * trace.JOURNAL_WORDS))
            self._journal = np.zeros(size, np.int64)

    def _release_departed(self, until_ns: int) -> None:
        table = self.rings.table
        waiting = (table[:, ring.R_KIND] == ring.LINK) & (table[:, ring.R_RELEASED] < table[:, ring.R_TAIL])
        queues = np.flatnonzero(waiting)
        if not len(queues):
            return
        link = table_of(self.fib.link, LINK_WORDS)
        run = jit.compiled(drop_tail.release) if self.is_compiled else drop_tail.release
        arrays = (self.rings.rings, self.rings.pool, self._link)
        rings, pool, counters = arrays if self.is_compiled else tuple(memoryview(array) for array in arrays)  # type: ignore[arg-type]  # an array is a buffer
        for q in queues.tolist():
            k = int(table[q, ring.R_REF])
            delay_ns, overhead = int(link[k, K_DELAY_NS]), int(link[k, K_OVERHEAD_BYTES])
            run(rings, pool, counters, q, k, until_ns, delay_ns, overhead)

    # -- what came of it ------------------------------------------------------------------

    def _drain_journal(self) -> None:
        used = int(self._journal_used[0])
        if used:
            self._written.append(self._journal[: used * trace.JOURNAL_WORDS].reshape(used, -1).copy())
            self._journal_used[0] = 0

    def take_journal(self) -> Ints:
        """Everything recorded since the last call, int64[n, 21], by node and time within a window."""
        written, self._written = self._written, []
        return np.concatenate(written) if written else np.zeros((0, trace.JOURNAL_WORDS), np.int64)

    def tap_link(self, link: int, is_on: bool = True) -> None:
        """Record every packet that departs over this link direction."""
        self._link[link * drop_tail.STATE_WORDS + drop_tail.S_TAP] = int(is_on)

    def tap_instance(self, inst: int, is_on: bool = True) -> None:
        """Record every packet the instance sends and receives."""
        self._inst[inst * state.INST_STATE_WORDS + state.X_TAP] = int(is_on)

    def counters(self) -> LinkCounters:
        """Cumulative counters of all link directions, as of now."""
        table = self._link.reshape(-1, drop_tail.STATE_WORDS)
        return LinkCounters(
            table[:, drop_tail.S_EGRESS_BYTES].copy(),
            table[:, drop_tail.S_EGRESS_PACKETS].copy(),
            table[:, drop_tail.S_DROPPED_BYTES].copy(),
            table[:, drop_tail.S_DROPPED_PACKETS].copy(),
            table[:, drop_tail.S_INGRESS_BYTES].copy(),
            table[:, drop_tail.S_INGRESS_PACKETS].copy(),
        )

    def totals(self) -> Totals:
        """All packets accounted for; `in_flight` is counted in the rings, not derived."""
        table = self._node.reshape(-1, state.NODE_STATE_WORDS)
        by_disposition = table[:, state.V_DISPOSITION :].sum(axis=0)
        ok = np.array([is_ok(d) for d in range(N_DISPOSITIONS)])
        return Totals(
            injected=int(table[:, state.V_INJECTED].sum()),
            delivered=int(by_disposition[ok].sum()),
            dropped=int(by_disposition[~ok].sum()),
            in_flight=int(self.rings.waiting().sum()),
            by_disposition=by_disposition,
        )

    def node_dispositions(self) -> Ints:
        """Packets that ended at each node, by disposition, int64[nodes, dispositions]."""
        return self._node.reshape(-1, state.NODE_STATE_WORDS)[:, state.V_DISPOSITION :].copy()

    def measures(self) -> Ints:
        """Figures of all flows, int64[flows, 17] of the M_ fields."""
        return self._measure.reshape(-1, state.MEASURE_WORDS).copy()

    def histogram(self, flow: int) -> NDArray[np.int32]:
        """Latency bins of a flow (see `latency.py`)."""
        return self._histogram[flow * BINS : (flow + 1) * BINS].copy()

    def packets_in_flight(self) -> Ints:
        """Every packet in flight in hand form, int64[n, 17]."""
        return unpack_words(self.rings.packets())

    @property
    def events(self) -> int:
        """Events processed so far."""
        return int(self._control[state.C_EVENTS])

    @property
    def packet_hops(self) -> int:
        """Packets offered to links so far."""
        return int(self._control[state.C_HOPS])
