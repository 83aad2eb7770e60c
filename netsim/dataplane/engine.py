"""Engine: owns the state, calls the kernels, makes room when they ask.

One engine moves every packet: a ping, a scapy packet, a replay, a million-packet flow. It knows
nodes, links and instances by number only; `install` gives it a new Fib between events. Time is
packet time; `advance(until_ns)` handles every event *before* `until_ns`, so that an interval
[a, b) has its events exactly once, wherever runs are cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane import drop_tail, ring, state, token_bucket, trace, window
from netsim.dataplane.batch import PacketBatch
from netsim.dataplane.disposition import N_DISPOSITIONS, is_ok
from netsim.dataplane.ends import Conversation
from netsim.dataplane.fib import (
    K_BURST_NANOBITS,
    K_DELAY_NS,
    K_FULL_AFTER_NS,
    K_RATE_BPS,
    LINK_WORDS,
    Fib,
    table_of,
)
from netsim.dataplane.host_call import HostCall, originate
from netsim.dataplane.latency import BINS
from netsim.dataplane.memory import Hands, Memory
from netsim.dataplane.row import AT, WORDS, rows_of_batch, unpack_words
from netsim.dataplane.shares import Shares
from netsim.dataplane.tcp_app import SAYS_CLOSE
from netsim.dataplane.tcp_timer import NEVER
from netsim.errors import ClockError, InvalidError
from netsim.units import MAX_TIME_NS, NS_PER_MS

DELIVERY_NS = 100_000
"""Delivery inside a VPC: 0.1 ms."""
NIC_QUEUE_NS = 50 * NS_PER_MS
"""What waits at an instance's interface for longer than this does not fit."""

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
        self.memory = Memory(DELIVERY_NS, NIC_QUEUE_NS)
        self.now_ns = 0
        self.is_compiled = False
        self.threads = 1
        """How many a compiled run may use; what comes of it is the same with any number."""
        self._shares = Shares()
        self.on_host_call: Callable[[HostCall], None] | None = None
        """Answers what resolvers are asked, with `originate`; None: their ports are closed."""
        self._call_ns = -1
        self._written: list[Ints] = []
        self.install(fib)

    # -- forwarding state -----------------------------------------------------------------

    def install(self, fib: Fib) -> None:
        """Replace the forwarding state between two events; numbers keep their meaning.

        New nodes, links and instances get their rings; packets in flight keep their fate. A cap
        that changes has earned what it earned at its old rate.
        """
        self._settle_caps(fib)
        memory = self.memory
        memory.add_nodes(fib.n_nodes - len(memory.node) // state.NODE_STATE_WORDS)
        memory.add_links(fib, self.now_ns)
        memory.add_instances(fib)
        self.fib = fib
        delays = table_of(fib.link, LINK_WORDS)[:, K_DELAY_NS]
        shortest_ns = int(delays.min()) if len(delays) else MAX_TIME_NS // 2
        if shortest_ns < 1:
            raise InvalidError(f"link: propagation delay is {shortest_ns} ns, must be 1 ns or more")
        self._window_ns = shortest_ns
        self.memory.set_all(state.C_FIB_VERSION, int(self.memory.hands[0].control[state.C_FIB_VERSION]) + 1)

    def _settle_caps(self, fib: Fib) -> None:
        n = len(self.memory.link) // drop_tail.STATE_WORDS
        if n == 0:
            return
        shape = [K_RATE_BPS, K_BURST_NANOBITS]
        before, after = (table_of(version.link, LINK_WORDS)[:n] for version in (self.fib, fib))
        bucket = memoryview(self.memory.link)  # type: ignore[arg-type]  # an array is a buffer
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

    # -- traffic --------------------------------------------------------------------------

    def add_flows(self, flows: Ints) -> int:
        """Add flows, int64[n, 11 to 13] of the F_ fields; the number of the first. They do what `feed` says."""
        return self.memory.add_flows(self.fib, flows)

    @property
    def n_flows(self) -> int:
        """How many flows there are."""
        return self.memory.n_flows

    def keep(self, batch: PacketBatch, payload_bytes: Ints, disposition: Ints) -> int:
        """Put hand-made packets into the store; the number of the first row.

        `payload_bytes` and `disposition` are int[n]: goodput of each packet, and the fate of those
        that did not parse (0 for the others).
        """
        return self.memory.keep(rows_of_batch(batch), payload_bytes, disposition)

    def feed(self, flow: int, at_ns: Ints, rows: Ints | int = 0) -> None:
        """Let the flow send at these ascending times, none before what it was fed already.

        `rows` are store rows for a flow with F_FROM_STORE; for one with F_APP what its opener does then
        (`tcp_app.SAYS_OPEN` and others); one for all, or int64[n].

        Raises:
            ClockError: a time lies in the past, or before one the flow was fed already.
        """
        if len(at_ns) == 0:
            return
        last_ns = max(self.now_ns, self.memory.rings.last_arrival_ns(int(self.memory.flow_ring[flow])))
        if at_ns[0] < last_ns or (at_ns[1:] < at_ns[:-1]).any():
            raise ClockError(f"flow {flow}: send times must ascend, and not lie before {last_ns} ns")
        self.memory.rings.push_arrivals(int(self.memory.flow_ring[flow]), at_ns, rows)

    def silence(self, flow: int) -> None:
        """The flow sends nothing more of what it was fed; a TCP flow closes now, and sends again what gets lost."""
        self.memory.rings.drop_arrivals(int(self.memory.flow_ring[flow]))
        if self.memory.flow[flow * state.FLOW_WORDS + state.F_TCB]:
            self.feed(flow, np.array([self.now_ns], np.int64), np.array([SAYS_CLOSE], np.int64))

    # -- time -----------------------------------------------------------------------------

    def advance(self, until_ns: int) -> None:
        """Handle every event before `until_ns`; then it is `until_ns`.

        Raises:
            ClockError: that lies in the past.
        """
        if until_ns < self.now_ns:
            raise ClockError(f"engine: asked to go from {self.now_ns} ns back to {until_ns} ns")
        if not self._is_idle(until_ns):
            self._run(until_ns)
        self.now_ns = until_ns

    def _run(self, until_ns: int) -> None:
        self._resume()
        while True:
            self.memory.set_all(state.C_HOST_CALLS, self.on_host_call is not None)
            statuses = self._shares.run(
                self.memory, self.fib, is_compiled=self.is_compiled, threads=self.threads, until_ns=until_ns,
                window_ns=self._window_ns,
            )  # fmt: skip
            if set(statuses) == {window.DONE}:
                break
            for share, status in enumerate(statuses):
                self._make_room(share, status)
        self._drain_journal()

    def _resume(self) -> None:
        """Do what a call asked for that was broken off (Ctrl-C, a host call that failed) before it was done."""
        for hands in self.memory.hands:
            if hands.control[state.C_HOST_NODE] >= 0:
                self._call_host(hands)
        if any(hands.control[state.C_CURSOR] >= 0 for hands in self.memory.hands):
            self.memory.rings.grow_short()

    def _is_idle(self, until_ns: int) -> bool:
        """Whether nothing happens before `until_ns`, and nothing that departs by then is to be counted."""
        due_ns = self.next_event_ns()
        if due_ns is not None and due_ns < until_ns:
            return False
        table = self.memory.rings.table
        return not ((table[:, ring.R_KIND] == ring.LINK) & (table[:, ring.R_RELEASED] != table[:, ring.R_TAIL])).any()

    def next_event_ns(self) -> int | None:
        """When something happens next, None when nothing waits anywhere."""
        table = self.memory.rings.table
        busy = table[table[:, ring.R_HEAD] != table[:, ring.R_TAIL]]
        due_ns = self.memory.ends.next_timer_ns()
        if not len(busy):
            return due_ns if due_ns < NEVER else None
        slots = busy[:, ring.R_HEAD_SLOT]
        is_source = busy[:, ring.R_KIND] == ring.SOURCE
        times = [self.memory.rings.pool[slots[~is_source] * WORDS], self.memory.rings.arrivals[slots[is_source] * 2]]
        return min(due_ns, int(np.concatenate(times).min()))

    def _make_room(self, share: int, status: int) -> None:
        memory = self.memory
        control = memory.hands[share].control
        memory.fill_stock(share)
        if status == window.NEED_RINGS:
            memory.rings.grow_short()
        elif status == window.NEED_ROOM:
            memory.rings.grow(int(control[state.C_NEED_RING]), int(control[state.C_NEED_SLOTS]))
        elif status == window.NEED_ENDS:
            memory.ends.add_free(int(control[state.C_NEED_NODE]), memory.node)
        elif status == window.NEED_HOST:
            self._call_host(memory.hands[share])
        elif status == window.NEED_JOURNAL:
            self._drain_journal()
            memory.enlarge_journal(int(control[state.C_NEED_RECORDS]))

    def _call_host(self, hands: Hands) -> None:
        memory, control = self.memory, hands.control
        node = int(control[state.C_HOST_NODE])
        row = hands.hand.copy()
        self._call_ns = int(row[AT])
        control[state.C_HOST_NODE] = -1
        control[state.C_SHORT] = 0
        memory.rings.grow_short()
        assert self.on_host_call is not None
        try:
            tcb, offset, n_bytes = (
                int(control[word]) for word in (state.C_HOST_TCB, state.C_HOST_OFFSET, state.C_HOST_BYTES)
            )
            call = HostCall(node, self._call_ns, row)
            self.on_host_call(call if tcb < 0 else call._replace(tcb=tcb, offset=offset, n_bytes=n_bytes))
        finally:
            self._call_ns = -1

    def originate(self, node: int, row: Ints) -> None:
        """Let the router of `node` send a packet, int64[21], now: in a host call its instant, else `now_ns`.

        Its identity (flow, seq), role and SENT are the caller's; with KEPT in its flags `seq` is a store row.
        """
        if (self.memory.journal_used[0] + 1) * trace.JOURNAL_WORDS > len(self.memory.journal):
            self._drain_journal()
        originate(self.memory, self.fib, node, row, self._call_ns if self._call_ns >= 0 else self.now_ns)

    def tcp_write(self, tcb: int, n_bytes: int) -> None:
        """Queue bytes for a TCP end to send (what they are is the caller's to know); they leave at this instant.

        Nothing happens if the conversation is over, or its FIN is out.
        """
        now_ns = self._call_ns if self._call_ns >= 0 else self.now_ns
        self.memory.ends.write(tcb, n_bytes, now_ns, self.memory.node)

    def tcp_conversation(self, tcb: int) -> Conversation:
        """Who talks to whom at a TCP end, and where the numbers of both start."""
        return self.memory.ends.conversation(tcb)

    # -- what came of it ------------------------------------------------------------------

    def _drain_journal(self) -> None:
        used = int(self.memory.journal_used[0])
        if used:
            self._written.append(self.memory.journal[: used * trace.JOURNAL_WORDS].reshape(used, -1).copy())
            self.memory.journal_used[0] = 0

    def take_journal(self) -> Ints:
        """Everything recorded since the last call, int64[n, 25], by node and time within a window."""
        written, self._written = self._written, []
        return np.concatenate(written) if written else np.zeros((0, trace.JOURNAL_WORDS), np.int64)

    def tap_link(self, link: int, is_on: bool = True) -> None:
        """Record every packet that departs over this link direction."""
        self.memory.link[link * drop_tail.STATE_WORDS + drop_tail.S_TAP] = int(is_on)

    def tap_instance(self, inst: int, is_on: bool = True) -> None:
        """Record every packet the instance sends and receives."""
        self.memory.inst[inst * state.INST_STATE_WORDS + state.X_TAP] = int(is_on)

    def is_tapped(self, inst: int) -> bool:
        """Whether the instance's packets are recorded."""
        return bool(self.memory.inst[inst * state.INST_STATE_WORDS + state.X_TAP])

    def counters(self) -> LinkCounters:
        """Cumulative counters of all link directions, as of now."""
        table = self.memory.link.reshape(-1, drop_tail.STATE_WORDS)
        words = (
            drop_tail.S_EGRESS_BYTES, drop_tail.S_EGRESS_PACKETS, drop_tail.S_DROPPED_BYTES,
            drop_tail.S_DROPPED_PACKETS, drop_tail.S_INGRESS_BYTES, drop_tail.S_INGRESS_PACKETS,
        )  # fmt: skip
        return LinkCounters(*(table[:, word].copy() for word in words))

    def totals(self) -> Totals:
        """All packets accounted for; `in_flight` is counted in the rings, not derived."""
        table = self.memory.node.reshape(-1, state.NODE_STATE_WORDS)
        by_disposition = table[:, state.V_DISPOSITION :].sum(axis=0)
        ok = np.array([is_ok(d) for d in range(N_DISPOSITIONS)])
        return Totals(
            injected=int(table[:, state.V_INJECTED].sum()),
            delivered=int(by_disposition[ok].sum()),
            dropped=int(by_disposition[~ok].sum()),
            in_flight=int(self.memory.rings.waiting().sum()),
            by_disposition=by_disposition,
        )

    def node_dispositions(self) -> Ints:
        """Packets that ended at each node, by disposition, int64[nodes, dispositions]."""
        return self.memory.node.reshape(-1, state.NODE_STATE_WORDS)[:, state.V_DISPOSITION :].copy()

    def measures(self) -> Ints:
        """Figures of all flows, int64[flows, 24] of the M_ fields."""
        measures = self.memory.measure.reshape(-1, state.MEASURE_WORDS).copy()
        self.memory.ends.fill_measures(measures, self.memory.flow.reshape(-1, state.FLOW_WORDS))
        return measures

    def histogram(self, flow: int) -> NDArray[np.int32]:
        """Latency bins of a flow (see `latency.py`)."""
        return self.memory.histogram[flow * BINS : (flow + 1) * BINS].copy()

    def packets_in_flight(self) -> Ints:
        """Every packet in flight in hand form, int64[n, 21]."""
        return unpack_words(self.memory.rings.packets())

    @property
    def events(self) -> int:
        """Events processed so far."""
        return self.memory.sum_of(state.C_EVENTS)

    @property
    def packet_hops(self) -> int:
        """Packets offered to links so far."""
        return self.memory.sum_of(state.C_HOPS)
