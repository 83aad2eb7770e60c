"""Ends: owns the TCP blocks and their nodes' timer heaps; adds to them between kernel calls."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.dataplane import state
from netsim.dataplane import tcb as b
from netsim.dataplane.batch import WATCH
from netsim.dataplane.cache_lines import extended
from netsim.dataplane.fib import I_NODE, INST_WORDS, Fib, table_of
from netsim.dataplane.tcp_numbers import initial_number
from netsim.dataplane.tcp_timer import NEVER, reschedule

Ints = NDArray[np.int64]

FIRST_FREE = 16


class Conversation(NamedTuple):
    """A TCP end seen from outside; byte k of a direction has number (iss or irs) + 1 + k, modulo 2^32."""

    local_addr: int
    local_port: int
    remote_addr: int
    remote_port: int
    flow: int
    irs: int
    iss: int


class Ends:
    """The TCP ends of one engine: `tcb` int64[t*201], `timers` int64[t]; replaced when they grow."""

    def __init__(self) -> None:
        self.tcb: Ints = np.zeros(0, np.int64)
        self.timers: Ints = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self.tcb) // b.TCB_WORDS

    @property
    def table(self) -> Ints:
        """The blocks as int64[t, 201]."""
        return self.tcb.reshape(-1, b.TCB_WORDS)

    def add_flows(self, fib: Fib, first: int, flows: Ints) -> None:
        """Give each TCP flow among these, int64[n, 14] numbered from `first`, its opener and its acceptor.

        Writes their numbers into the flows.
        """
        chosen = np.flatnonzero(flows[:, state.F_APP])
        nodes = table_of(fib.inst, INST_WORDS)[:, I_NODE]
        fresh = np.zeros((2 * len(chosen), b.TCB_WORDS), np.int64)
        for k, i in enumerate(chosen.tolist()):
            flow = flows[i]
            flow[state.F_TCB] = len(self) + 2 * k + 1
            # What one arrival of data adds: what a full segment holds.
            flow[state.F_PAYLOAD] = flow[state.F_SIZE] - b.PLAIN_BYTES - b.OPTION_BYTES
            opener, acceptor = fresh[2 * k], fresh[2 * k + 1]
            ports = int(flow[state.F_L4]) & 0xFFFF, int(flow[state.F_L4]) >> 16 & 0xFFFF
            sides = (opener, state.F_INST, state.F_SRC, state.F_DST, ports), (
                acceptor, state.F_DST_INST, state.F_DST, state.F_SRC, ports[::-1],
            )  # fmt: skip
            for end, owner, local, remote, (local_port, remote_port) in sides:
                end[b.B_OWNER], end[b.B_NODE] = flow[owner], nodes[flow[owner]]
                end[b.B_LOCAL], end[b.B_REMOTE] = flow[local], flow[remote]
                end[b.B_LOCAL_PORT], end[b.B_REMOTE_PORT] = local_port, remote_port
                end[b.B_ISS] = initial_number(int(flow[local]), int(flow[remote]), local_port, remote_port)
                end[b.B_FLOW], end[b.B_IS_OF_FLOW] = first + i, 1
                end[b.B_OWN_MSS] = end[b.B_PEER_MSS] = flow[state.F_SIZE] - b.PLAIN_BYTES
                end[b.B_PATH_LIMIT], end[b.B_HAS_OPTIONS] = flow[state.F_SIZE], 1
                end[b.B_WATCH] = flow[state.F_FLAGS] & WATCH
                end[b.B_CC], end[b.B_SLOT], end[b.B_DUE] = flow[state.F_CC], -1, NEVER
                b.start(end, 0)
            opener[b.B_IS_OPENER], opener[b.B_APP], opener[b.B_STATE] = 1, flow[state.F_APP], b.CLOSED
            acceptor[b.B_APP], acceptor[b.B_STATE] = b.DISCARD, b.LISTEN
        if len(chosen):
            self.tcb = extended(self.tcb, fresh.reshape(-1))

    def add_free(self, node: int, nodes: Ints) -> None:
        """Give a node blocks for conversations at its ports: some, then as many as it has."""
        n = max(FIRST_FREE, int((self.table[:, b.B_NODE] == node).sum()))
        first = len(self)
        fresh = np.zeros((n, b.TCB_WORDS), np.int64)
        fresh[:, b.B_NODE], fresh[:, b.B_SLOT], fresh[:, b.B_DUE] = node, -1, NEVER
        at = node * state.NODE_STATE_WORDS + state.V_FREE
        fresh[:, b.B_NEXT] = np.arange(first + 2, first + n + 2)
        fresh[-1, b.B_NEXT], nodes[at] = nodes[at], first + 1
        self.tcb = extended(self.tcb, fresh.reshape(-1))

    def chain(self, inst: Ints, first: int) -> None:
        """Hook the ends from number `first` on into their owners' chains."""
        for t, end in enumerate(self.table[first:], first):
            at = int(end[b.B_OWNER]) * state.INST_STATE_WORDS + state.X_END
            end[b.B_NEXT], inst[at] = inst[at], t + 1

    def lay_out_timers(self, node: Ints) -> None:
        """Make each node's slice of `timers` as large as the node has ends, if there are new ones."""
        if len(self.timers) == len(self):
            return
        table, nodes = self.table, node.reshape(-1, state.NODE_STATE_WORDS)
        counts = np.bincount(table[:, b.B_NODE], minlength=len(nodes))
        nodes[:, state.V_TIMER_FIRST] = np.cumsum(counts) - counts
        self.timers = np.zeros(len(self), np.int64)
        nodes[:, state.V_TIMER_COUNT] = 0
        # Ascending times are a heap.
        for t in np.lexsort((np.arange(len(table)), table[:, b.B_DUE])).tolist():
            if table[t, b.B_DUE] == NEVER:
                break
            home = nodes[table[t, b.B_NODE]]
            slot = int(home[state.V_TIMER_COUNT])
            self.timers[int(home[state.V_TIMER_FIRST]) + slot] = t
            table[t, b.B_SLOT] = slot
            home[state.V_TIMER_COUNT] += 1

    def write(self, t: int, n_bytes: int, now_ns: int, node: Ints) -> None:
        """Give end `t` so many more bytes to send, at `now_ns`."""
        end = self.table[t]
        has_sent_fin = end[b.B_CLOSING] and end[b.B_MAX_NXT] > end[b.B_APP_LIMIT]
        if end[b.B_STATE] != b.OPEN or has_sent_fin:
            return
        end[b.B_APP_LIMIT] += n_bytes
        end[b.B_BURST_AT] = now_ns
        reschedule(self.tcb, node, self.timers, t)

    def conversation(self, t: int) -> Conversation:
        """What `Conversation` says of end `t`."""
        words = (
            b.B_LOCAL, b.B_LOCAL_PORT, b.B_REMOTE, b.B_REMOTE_PORT, b.B_FLOW, b.B_IRS, b.B_ISS,
        )  # fmt: skip
        return Conversation(*(int(self.table[t, word]) for word in words))

    def next_timer_ns(self) -> int:
        """When the next timer of any end is due; `NEVER` if none is set."""
        return int(self.table[:, b.B_DUE].min()) if len(self) else NEVER

    def fill_measures(self, measures: Ints, flows: Ints) -> None:
        """Write what the ends of TCP flows know into measures, int64[n, 24], of flows, int64[n, 14]."""
        chosen = np.flatnonzero(flows[:, state.F_TCB])
        openers = self.table[flows[chosen, state.F_TCB] - 1]
        acceptors = self.table[flows[chosen, state.F_TCB]]
        for column, word in (
            (state.M_RETRANSMITS, b.B_RETRANSMITS),
            (state.M_TIMEOUTS, b.B_TIMEOUT_COUNT),
            (state.M_FAST_RECOVERIES, b.B_FAST_RECOVERIES),
            (state.M_CWND_BYTES, b.B_CWND),
            (state.M_SRTT_NS, b.B_SRTT),
            (state.M_OPENED_AT, b.B_OPENED_AT),
            (state.M_CLOSED_AT, b.B_CLOSED_AT),
        ):
            measures[chosen, column] = openers[:, word]
        measures[chosen, state.M_RECEIVED_PAYLOAD_BYTES] = acceptors[:, b.B_IN_BYTES]
