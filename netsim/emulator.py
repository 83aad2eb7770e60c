"""Emulator: owns inventory, engine, monitor and clocks; edits go in, packets move, figures come out.

One object for every use: a file run, a ping, a lesson, later a server. An edit is committed by
the inventory, compiled, and installed between two events; time advances to where it is told,
stopping wherever the monitor takes a sample or the control clock makes something due.

The two clocks advance together when packets move; `advance_control_clock` moves the control
clock alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim import jit
from netsim.clock import VirtualClock
from netsim.controlplane.fib_compiler import FibCompiler, LinkName
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import SIDES
from netsim.dataplane import state
from netsim.dataplane.batch import PROTO_TCP, PROTO_UDP, WATCH, PacketBatch
from netsim.dataplane.engine import Engine, Totals
from netsim.dataplane.fib import I_NIC_MBPS, I_NODE, INST_WORDS, K_RATE_BPS, LINK_WORDS, Fib, table_of
from netsim.errors import UsageError
from netsim.hosts.dns_service import DnsService
from netsim.monitor.clock_map import ClockMap
from netsim.monitor.description import Description
from netsim.monitor.monitor import Monitor
from netsim.packet.recorded import Recorded
from netsim.packet.store import PacketStore
from netsim.traffic.flow import FlowSpec
from netsim.traffic.running import RunningFlow, Start, start_all
from netsim.units import BPS_PER_MBPS, NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from netsim.controlplane.edit import Edit

Ints = NDArray[np.int64]


class StoredSide(NamedTuple):
    """What one instance sends of packets made before: rows by ascending `at_ns` and their bytes."""

    from_id: str
    to_id: str | None
    batch: PacketBatch
    payload_bytes: Ints
    raws: list[bytes]


Progress = Callable[[int, int], None]
"""Called with (ns done, ns in all) now and then."""

RUN_SAMPLE_NS = NS_PER_S
STEP_NS = 100 * NS_PER_MS
"""Longest stretch between two reports of progress, and how far ahead sources are asked."""

COMPILE_AT_EVENTS = 1_000_000
COMPILE_AT_EVENTS_WHEN_CACHED = 50_000
"""Runs with more expected events use compiled kernels: plain ones do some 90,000 a second,
compiling takes a quarter of a minute once, loading what an earlier run compiled half a second."""


class Emulator:
    """A running network.

    Args:
        inventory: the control plane; from here on change it through `apply` only.
        seed: of all random draws of the traffic.
        sample_period_ns: base period of the monitor.
    """

    def __init__(self, inventory: Inventory, seed: int = 0, sample_period_ns: int = RUN_SAMPLE_NS) -> None:
        self.inventory = inventory
        self.seed = seed
        self.compiler = FibCompiler()
        self._open_ports: dict[str, frozenset[tuple[int, int]]] = {}
        self._installed_version = -1
        self.engine = Engine(self._compile())
        self.monitor = Monitor(sample_period_ns)
        self._description = Description()
        self.monitor.clock = ClockMap(inventory.clock.now_ns)
        self._describe_connections()
        self.flows: list[RunningFlow] = []
        self.packets = PacketStore(self.engine)
        self.engine.on_host_call = DnsService(self.engine, self.packets, inventory, self.compiler)
        self.recorded = Recorded()

    # -- control plane --------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """Packet time, ns since the start."""
        return self.engine.now_ns

    @property
    def fib(self) -> Fib:
        """The forwarding state in force."""
        return self.engine.fib

    def apply(self, *edits: Edit[Any], account: str | None = None) -> Any:
        """Commit edits - all or none - and forward by them from now on.

        Returns what `Inventory.apply` returns.

        Raises:
            RefusedError: a rule says no; nothing has changed.
        """
        result = self.inventory.apply(*edits, account=account)
        self.settle()
        return result

    def commit(self, *edits: Edit[Any], account: str | None = None) -> Any:
        """As `apply`, but what is forwarded by is only made when packets next move, or by `settle`.

        To packets that is the same; many changes between two of their steps are compiled once. Until then
        `fib`, `compiler`, `links_of` and the monitor do not know of them.
        """
        return self.inventory.apply(*edits, account=account)

    def settle(self) -> None:
        """Forward by all that was committed."""
        if self._installed_version != self.inventory.version:
            self.engine.install(self._compile())
            self._describe_connections()

    def advance_control_clock(self, delta_ns: int) -> None:
        """Let control time pass while packets stand still: requests and prepaid periods expire.

        Raises:
            ClockError: `delta_ns` is negative.
        """
        self._clock.advance_by(delta_ns)
        self.monitor.clock.mark(self.now_ns, self._clock.now_ns)
        self.inventory.tick()
        self.settle()

    def graph(self) -> Any:
        """The networkx graph of VPCs, subnets, instances and peer links, as of now."""
        from netsim.controlplane.graph import build_graph

        return build_graph(self.inventory)

    @property
    def _clock(self) -> VirtualClock:
        clock = self.inventory.clock
        if not isinstance(clock, VirtualClock):
            raise UsageError("emulator: the inventory's clock is not one that can be advanced")
        return clock

    def _compile(self) -> Fib:
        self._installed_version = self.inventory.version
        return self.compiler.compile(self.inventory, self._open_ports)

    def _describe_connections(self) -> None:
        described = self._description.update(self.inventory, self.links_of)
        if described is not None:
            self.monitor.describe(self.now_ns, described, self.engine.counters()._asdict())

    # -- traffic --------------------------------------------------------------------------

    def open_ports(self, ports: Iterable[tuple[str, tuple[int, int]]]) -> None:
        """Open (protocol, port) at instances, by id, beside what they listen on."""
        changed = False
        for instance_id, port in ports:
            before = self._open_ports.get(instance_id, frozenset())
            self._open_ports[instance_id] = before | {port}
            changed |= port not in before
        if changed:
            self.engine.install(self._compile())

    def start_flow(self, spec: FlowSpec, from_id: str, to_id: str | int, index: int | None = None) -> RunningFlow:
        """Let a udp, icmp or tcp flow send between two instances; its times count from now.

        Opens its destination port. `to_id` may be an address that is nobody's: udp and icmp may be sent
        there, and count as received nowhere. `index` is its place in a run's list (by default the next):
        it chooses the flow's random stream and source port.
        """
        return self.start_flows([(spec, from_id, to_id, len(self.flows) if index is None else index)])[0]

    def start_flows(self, wanted: Sequence[tuple[FlowSpec, str, str | int, int]]) -> list[RunningFlow]:
        """`start_flow` for many, as (spec, from_id, to_id, index); their number does not make each dearer."""
        self.open_ports(
            (to_id, (PROTO_UDP if spec.kind == "udp" else PROTO_TCP, spec.dst_port))
            for spec, _, to_id, _ in wanted
            if isinstance(to_id, str) and spec.kind in ("udp", "tcp") and spec.dst_port is not None
        )
        starts = []
        for spec, from_id, to_id, index in wanted:
            if isinstance(to_id, int):
                to_addr, receiver = to_id, -1
            else:
                to_addr, receiver = self.inventory.instances[to_id].addr, self.compiler.inst_of[to_id]
            insts = self.compiler.inst_of[from_id], receiver
            starts.append(Start(spec, index, insts, (self.inventory.instances[from_id].addr, to_addr)))
        flows = start_all(self.engine, starts, seed=self.seed)
        for start, flow in zip(starts, flows, strict=True):
            if start.spec.kind == "tcp":
                flow.pace_bps = self._most_bps(*start.insts)
            if flow.packets is not None:
                self.packets.describe_flow(flow.engine_flows.start, flow.packets)
        self.flows += flows
        return flows

    def _most_bps(self, *insts: int) -> int:
        """No flow between these instances gets more: their interfaces and, between VPCs, the largest cap there is."""
        ends = table_of(self.fib.inst, INST_WORDS)[list(insts)]
        most = int(ends[:, I_NIC_MBPS].min()) * BPS_PER_MBPS
        caps = table_of(self.fib.link, LINK_WORDS)[:, K_RATE_BPS]
        return min(most, int(caps.max())) if len(caps) and ends[0, I_NODE] != ends[1, I_NODE] else most

    def start_stored(self, spec: FlowSpec, sides: Sequence[StoredSide]) -> RunningFlow:
        """Let instances send packets that were made before, at times counted from now.

        Packets of a side are counted as received when they reach its `to_id`.
        """
        flows = np.zeros((len(sides), state.FLOW_WORDS), np.int64)
        for k, side in enumerate(sides):
            flows[k, state.F_INST] = self.compiler.inst_of[side.from_id]
            flows[k, state.F_DST_INST] = -1 if side.to_id is None else self.compiler.inst_of[side.to_id]
            flows[k, state.F_FROM_STORE] = 1
        first = self.engine.add_flows(flows)
        last_ns = self.now_ns + spec.start_ns
        for k, side in enumerate(sides):
            if not len(side.batch):
                continue
            at_ns = side.batch["at_ns"] + self.now_ns + spec.start_ns
            if spec.end_ns is not None:
                at_ns = at_ns[at_ns < self.now_ns + spec.end_ns]
            stored = self.keep_packets(side.batch, side.payload_bytes, np.zeros(len(side.batch), np.int64), side.raws)
            self.engine.feed(first + k, at_ns, np.arange(stored, stored + len(at_ns)))
            last_ns = max(last_ns, int(at_ns[-1]) + 1 if len(at_ns) else 0)
        flow = RunningFlow(spec, self.now_ns, range(first, first + len(sides)), last_ns=last_ns)
        self.flows.append(flow)
        return flow

    def keep_packets(self, batch: PacketBatch, payload_bytes: Ints, disposition: Ints, raws: list[bytes]) -> int:
        """Put hand-made packets, with their bytes, into the store; the number of the first row."""
        return self.packets.keep(batch, payload_bytes, disposition, raws)

    def inject(self, raws: list[bytes | None], instance_id: str, at_ns: list[int], flags: int = WATCH) -> Ints:
        """Let an instance send IP packets at these ascending times; their rows in the store, int64[n].

        Every step of a watched packet, and of what it causes, is recorded. Bytes that do not
        parse are sent all the same, and end in the disposition that says so.
        """
        return self.packets.inject(raws, self.compiler.inst_of[instance_id], at_ns, flags)

    def hand_flow(self, instance_id: str) -> int:
        """The flow of packets made by hand at an instance."""
        return self.packets.hand_flow(self.compiler.inst_of[instance_id])

    def original(self, flow: int, seq: int) -> bytes:
        """The IP packet number `seq` of an engine flow, as its sender made it."""
        return self.packets.original(flow, seq)

    def bytes_of(self, row: Mapping[str, int]) -> bytes:
        """The exact IP packet of a row: from the journal, or in flight."""
        return self.packets.bytes_of(row)

    # -- time -----------------------------------------------------------------------------

    def advance(self, until_ns: int, progress: Progress | None = None) -> None:
        """Move packets until `until_ns`, sampling and expiring on the way.

        Raises:
            ClockError: that lies in the past.
        """
        self.settle()
        start_ns = self.now_ns
        self._choose_speed(until_ns)
        while True:
            stop_ns = min(until_ns, self.monitor.next_boundary_ns)
            if self._is_busy():
                stop_ns = min(stop_ns, self.now_ns + STEP_NS)
            deadline_ns = self.inventory.next_deadline_ns
            if deadline_ns is not None:
                stop_ns = max(self.now_ns, min(stop_ns, self.now_ns + deadline_ns - self._clock.now_ns))
            for flow in self.flows:
                flow.feed(self.engine, stop_ns)
            before_ns = self.now_ns
            self.engine.advance(stop_ns)
            self._clock.advance_by(stop_ns - before_ns)
            self.inventory.tick()
            self.settle()
            if stop_ns == self.monitor.next_boundary_ns or stop_ns >= until_ns:
                self.monitor.observe(stop_ns, self.engine.counters()._asdict())
            self.recorded.add(self.engine.take_journal())
            if progress is not None:
                progress(stop_ns - start_ns, until_ns - start_ns)
            if stop_ns >= until_ns:
                return

    def _is_busy(self) -> bool:
        """Whether something sends or is on its way; idle time passes in larger steps."""
        return any(flow.source is not None for flow in self.flows) or self.engine.next_event_ns() is not None

    def _choose_speed(self, until_ns: int) -> None:
        if self.engine.is_compiled:
            return
        expected = sum(flow.expected_events(self.now_ns, until_ns) for flow in self.flows)
        limit = COMPILE_AT_EVENTS
        if expected > COMPILE_AT_EVENTS_WHEN_CACHED and jit.has_cache():
            limit = COMPILE_AT_EVENTS_WHEN_CACHED
        if expected > limit:
            self.on_compile()
            self.engine.is_compiled = True

    def on_compile(self) -> None:
        """Called before kernels are compiled or loaded; a front end may say so."""

    def tapped(self) -> Ints:
        """Every packet that passed a tap so far, int64[n, 25], by time; see `dataplane/trace.py`."""
        return self.recorded.tapped()

    def take_journal(self) -> Ints:
        """What was recorded of watched packets since the last call, int64[n, 25]."""
        return self.recorded.take_steps()

    def totals(self) -> Totals:
        """All packets accounted for."""
        return self.engine.totals()

    def links_of(self, peer_conn_id: str) -> tuple[int, int]:
        """Numbers of the link directions local -> peer and peer -> local."""
        local, peer = (self.compiler.link_of[LinkName(peer_conn_id, side)] for side in SIDES)
        return local, peer
