"""Memory: every array of an engine, and how they grow.

Arrays are replaced when they grow, so kernels get them anew for each call (`views`). What is in
them is said in `state.py`, `drop_tail.py`, `ring.py` and `trace.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim import jit
from netsim.dataplane import drop_tail, ring, state, trace
from netsim.dataplane.batch import WATCH
from netsim.dataplane.cache_lines import extended
from netsim.dataplane.ends import Ends
from netsim.dataplane.express import NODE_PATH_WORDS
from netsim.dataplane.fib import I_NODE, INST_WORDS, K_BURST_NANOBITS, K_DST_NODE, LINK_WORDS, Fib, table_of
from netsim.dataplane.hop import OUT_WORDS
from netsim.dataplane.latency import BINS
from netsim.dataplane.reassembly import HOLDER_WORDS
from netsim.dataplane.ring_table import RingTable
from netsim.dataplane.row import FLAGS, N_FIELDS, WORDS, pack_words

Ints = NDArray[np.int64]

FIRST_STORE_ROWS = 64
FIRST_RECORDS = 256
MOST_RECORDS = 8192
"""The journal grows to this many records; when full it is emptied and the run goes on."""


class Hands:
    """What a thread has for itself: its control block, the packets in its hands, its agenda, chunks for rings."""

    def __init__(self, control: Ints) -> None:
        self.control = control
        self.hand: Ints = np.zeros(N_FIELDS, np.int64)
        self.other: Ints = np.zeros(N_FIELDS, np.int64)
        self.out: Ints = np.zeros(OUT_WORDS, np.int64)
        self.agenda: Ints = np.zeros((3, 0), np.int64)
        self.stock: Ints = np.zeros(0, np.int64)


class Layout(NamedTuple):
    """Which rings each node reads: node n those in `order[first[n]:first[n + 1]]`; the most a node has, of so many."""

    first: Ints
    order: Ints
    widest: int
    n_rings: int

    def borders(self, threads: int) -> list[int]:
        """Nodes from one border to the next are a thread's: neighbours together, about as many rings each."""
        wanted = np.arange(1, threads) * len(self.order) // threads
        return [0, *np.searchsorted(self.first, wanted).tolist(), len(self.first) - 1]


class Memory:
    """The arrays of one engine by the names they have in `State`; `hands` one for each thread."""

    def __init__(self, delivery_ns: int, nic_queue_ns: int) -> None:
        self.rings = RingTable()
        self.link: Ints = np.zeros(0, np.int64)
        self.inst: Ints = np.zeros(0, np.int64)
        self.node: Ints = np.zeros(0, np.int64)
        self.paths: Ints = np.zeros(0, np.int64)
        self.ends = Ends()
        self.slots_inst: Ints = np.zeros(0, np.int64)
        self.slots_node: Ints = np.zeros(0, np.int64)
        self.flow: Ints = np.zeros(0, np.int64)
        self.flow_ring: Ints = np.zeros(0, np.int64)
        self.measure: Ints = np.zeros(0, np.int64)
        self.histogram: NDArray[np.int32] = np.zeros(0, np.int32)
        self.store: Ints = np.zeros(FIRST_STORE_ROWS * state.STORE_WORDS, np.int64)
        self.stored = 0
        self.journal: Ints = np.zeros(FIRST_RECORDS * trace.JOURNAL_WORDS, np.int64)
        self.journal_used: Ints = np.zeros(1, np.int64)
        control: Ints = np.zeros(state.CONTROL_WORDS, np.int64)
        control[state.C_CURSOR] = -1
        control[state.C_HOST_NODE] = -1
        control[state.C_DELIVERY_NS] = delivery_ns
        control[state.C_NIC_QUEUE_NS] = nic_queue_ns
        self.hands = [Hands(control)]
        self._layout: Layout | None = None
        self.is_watched = False
        """Whether a packet that is watched was ever kept or described."""

    def lend_hands(self, threads: int) -> None:
        """Have as many hands as threads; between windows."""
        while len(self.hands) < threads:
            control = self.hands[0].control.copy()
            control[[state.C_EVENTS, state.C_HOPS, state.C_WINDOWS, state.C_STOCK]] = 0
            self.hands.append(Hands(control))

    def fill_stock(self, share: int) -> None:
        """Give a thread chunks to give to its rings, when it has no more."""
        hands = self.hands[share]
        if hands.control[state.C_STOCK] == 0:
            hands.stock = self.rings.stock(len(self.hands))
            hands.control[state.C_STOCK] = len(hands.stock)

    def set_all(self, word: int, value: int) -> None:
        """Set a word of every control block."""
        for hands in self.hands:
            hands.control[word] = value

    def sum_of(self, word: int) -> int:
        """The sum of a word over all control blocks."""
        return sum(int(hands.control[word]) for hands in self.hands)

    @property
    def n_flows(self) -> int:
        """How many flows there are."""
        return len(self.flow) // state.FLOW_WORDS

    def add_nodes(self, n: int) -> None:
        """Add `n` nodes with their two rings; nothing if n <= 0."""
        if n <= 0:
            return
        first = len(self.node) // state.NODE_STATE_WORDS
        nodes = np.arange(first, first + n)
        fresh = np.zeros((n, state.NODE_STATE_WORDS), np.int64)
        fresh[:, state.V_OWN_RING] = self.rings.add(np.full(n, ring.OWN), nodes, nodes) + np.arange(n)
        fresh[:, state.V_DELIVERY_RING] = self.rings.add(np.full(n, ring.DELIVERY), nodes, nodes) + np.arange(n)
        self.node = extended(self.node, fresh.reshape(-1))
        self.paths = np.zeros((first + n) * NODE_PATH_WORDS, np.int64)
        self.slots_node = np.concatenate([self.slots_node, np.zeros(n * HOLDER_WORDS, np.int64)])

    def add_links(self, fib: Fib, now_ns: int) -> None:
        """Add the links that are new in `fib`, each with a full bucket."""
        first = len(self.link) // drop_tail.STATE_WORDS
        n = fib.n_links - first
        if n <= 0:
            return
        link = table_of(fib.link, LINK_WORDS)[first:]
        fresh = np.zeros((n, drop_tail.STATE_WORDS), np.int64)
        fresh[:, drop_tail.S_TOKENS] = link[:, K_BURST_NANOBITS]
        fresh[:, drop_tail.S_FILLED_AT] = now_ns
        added = self.rings.add(np.full(n, ring.LINK), np.arange(first, first + n), link[:, K_DST_NODE])
        fresh[:, drop_tail.S_RING] = added + np.arange(n)
        self.link = extended(self.link, fresh.reshape(-1))

    def add_instances(self, fib: Fib) -> None:
        """Add the instances that are new in `fib`."""
        first = len(self.inst) // state.INST_STATE_WORDS
        n = fib.n_instances - first
        if n <= 0:
            return
        inst = table_of(fib.inst, INST_WORDS)[first:]
        fresh = np.zeros((n, state.INST_STATE_WORDS), np.int64)
        added = self.rings.add(np.full(n, ring.NIC), np.arange(first, first + n), inst[:, I_NODE])
        fresh[:, state.X_RING] = added + np.arange(n)
        self.inst = extended(self.inst, fresh.reshape(-1))
        self.slots_inst = np.concatenate([self.slots_inst, np.zeros(n * HOLDER_WORDS, np.int64)])

    def add_flows(self, fib: Fib, flows: Ints) -> int:
        """Add flows, int64[n, 11 to 13] of the F_ fields; the number of the first."""
        first, n = self.n_flows, len(flows)
        flows = np.pad(flows.astype(np.int64), ((0, 0), (0, state.FLOW_WORDS - flows.shape[1])))
        self.is_watched |= bool((flows[:, state.F_FLAGS] & WATCH).any())
        n_ends = len(self.ends)
        self.ends.add_flows(fib, first, flows)
        self.ends.chain(self.inst, n_ends)
        nodes = table_of(fib.inst, INST_WORDS)[flows[:, state.F_INST], I_NODE]
        rings = self.rings.add(np.full(n, ring.SOURCE), np.arange(first, first + n), nodes) + np.arange(n)
        self.flow = extended(self.flow, flows.reshape(-1))
        self.flow_ring = extended(self.flow_ring, rings)
        self.measure = extended(self.measure, np.zeros(n * state.MEASURE_WORDS, np.int64))
        self.histogram = extended(self.histogram, np.zeros(n * BINS, np.int32))
        return first

    def keep(self, rows: Ints, payload_bytes: Ints, disposition: Ints) -> int:
        """Put packets, int64[n, 21], into the store; the number of the first row."""
        n, first = len(rows), self.stored
        self.is_watched |= bool((rows[:, FLAGS] & WATCH).any())
        while (first + n) * state.STORE_WORDS > len(self.store):
            self.store = np.concatenate([self.store, np.zeros_like(self.store)])
        kept = self.store.reshape(-1, state.STORE_WORDS)[first : first + n]
        kept[:, :WORDS] = pack_words(rows)
        kept[:, state.T_PAYLOAD] = payload_bytes
        kept[:, state.T_DISPOSITION] = disposition
        self.stored += n
        return first

    def views(self, fib: Fib, is_compiled: bool, share: int = 0) -> tuple[Any, Any]:
        """Fib and `State` as a kernel call takes them, with the hands of this share's thread."""
        layout = self.layout(fib.n_nodes)
        self.ends.lay_out_timers(self.node)
        own = self.hands[share]
        if own.agenda.shape[1] != layout.widest:
            own.agenda = np.zeros((3, layout.widest), np.int64)
        heap = own.agenda
        st = state.State(
            self.rings.rings, self.rings.pool, self.rings.chunks, self.rings.arrivals, self.link, self.inst,
            self.node, self.flow, self.measure, self.histogram, self.store, self.slots_inst, self.slots_node,
            self.journal, self.journal_used, own.hand, own.other, own.out, heap[0], heap[1], heap[2],
            layout.first, layout.order, own.control, own.stock,
            self.paths, self.ends.tcb, self.ends.timers,
        )  # fmt: skip
        return (fib, st) if is_compiled else (jit.plain_view(fib), jit.plain_view(st))

    def layout(self, n_nodes: int) -> Layout:
        """Which rings each node reads."""
        if self._layout is None or self._layout.n_rings != len(self.rings):
            nodes = self.rings.table[:, ring.R_NODE]
            live = nodes >= 0
            order = np.argsort(np.where(live, nodes, len(nodes)), kind="stable")[: int(live.sum())]
            first = np.searchsorted(nodes[order], np.arange(n_nodes + 1))
            widest = int(np.diff(first).max()) if len(first) > 1 else 0
            self._layout = Layout(first.astype(np.int64), order.astype(np.int64), widest + 1, len(self.rings))
        return self._layout

    def enlarge_journal(self, records: int) -> None:
        """Make room for `records` more, once what is written has been taken."""
        wanted = 2 * records * trace.JOURNAL_WORDS
        size = min(max(wanted, 2 * len(self.journal)), max(wanted, MOST_RECORDS * trace.JOURNAL_WORDS))
        self.journal = np.zeros(size, np.int64)
