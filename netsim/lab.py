"""Lab: an Emulator with the adapters people use: topology files, scapy packets, capture files.

    lab = netsim.load("topologies/two-vpcs-one-account.netsim.yaml")
    lab.ping("web-1", "db-1").received
    lab.run(10).to_dict()["flows"]

Instances are named `web-1` or `shop/web-1`; a destination may also be an address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsim import jit
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.route_choice import RouteChoice, choose_route
from netsim.emulator import Progress, StoredSide
from netsim.errors import UsageError
from netsim.jit.together import processors
from netsim.prefix import parse_addr
from netsim.probe.echo import DEFAULT_BYTES, EchoError, EchoReply, PingResult, ping
from netsim.probe.expectations import Reached, Verdict, check_expectation, probe_pair
from netsim.probe.journal import let_settle
from netsim.probe.names import Names
from netsim.probe.sending import Sent, send
from netsim.probe.steps import Trace, trace
from netsim.probe.traceroute import Hop, TracerouteResult, traceroute
from netsim.run_result import RunResult, make_result
from netsim.topology_file import Topology, load_topology
from netsim.traffic.expectation import PROTOCOLS
from netsim.traffic.flow import FlowSpec
from netsim.traffic.running import RunningFlow
from netsim.units import NS_PER_S, s_to_ns
from netsim.verify.proofs import Proofs
from netsim.version import __version__
from netsim.wire.recording import Recording

if TYPE_CHECKING:
    from netsim.probe.throughput import Throughput, ThroughputPlan
    from netsim.verify.bottleneck import Share
    from netsim.verify.network import Network

DEFAULT_RUN_NS = 10 * NS_PER_S
"""How long a run lasts when neither the caller nor any flow says."""


class Lab(Names, Recording, Proofs):
    """A network to work with.

    Args:
        topology: a loaded file, or an `Inventory` built in code.
        seed: of the traffic; by default the topology's.
        threads: how many a large run may use; by default one for each processor. Results are the same with any.
    """

    def __init__(self, topology: Topology | Inventory, seed: int | None = None, *, threads: int | None = None) -> None:
        if isinstance(topology, Inventory):
            topology = Topology(topology, name="in code", seed=topology.seed, profile=topology.profile)
        super().__init__(topology.inventory, topology.seed if seed is None else seed)
        self.engine.threads = threads or processors()
        self.topology = topology
        self._notice: Callable[[str], None] | None = None

    def __repr__(self) -> str:
        """Which network, how large, and what time it is there."""
        inventory = self.inventory
        counts = f"{len(inventory.vpcs)} VPCs, {len(inventory.instances)} instances, {len(inventory.rules)} rules"
        conns = f"{len(inventory.peer_conns)} peer connections"
        return f"<Lab {self.topology.name}: {counts}, {conns}, at {self.now_ns / NS_PER_S:g} s>"

    def fair_shares(self) -> list[Share | None]:
        """What each flow of the topology could get and what sets it, if all send at once; None for a replay."""
        from netsim.flow_shares import flow_shares

        return flow_shares(self.network(), self.topology.traffic)

    @classmethod
    def load(cls, path: str | Path, seed: int | None = None) -> Lab:
        """A lab from a topology file.

        Raises:
            TopologyError: with every problem of the file.
        """
        return cls(load_topology(path, seed), seed)

    def ping(
        self,
        src: str,
        dst: str,
        count: int = 1,
        *,
        size_bytes: int = DEFAULT_BYTES,
        interval_s: float = 1.0,
        ttl: int = 64,
        df: bool = False,
        timeout_s: float = 10.0,
        told: Callable[[EchoReply | EchoError], None] | None = None,
    ) -> PingResult:
        """Send `count` ICMP echo requests and wait for the answers; `told` hears of each when it comes."""
        return ping(
            self,
            self.instance(src).id,
            self.resolve(src, dst),
            count=count,
            size_bytes=size_bytes,
            interval_ns=s_to_ns(interval_s),
            ttl=ttl,
            df=df,
            timeout_ns=s_to_ns(timeout_s),
            told=told,
        )

    def traceroute(
        self,
        src: str,
        dst: str,
        *,
        max_ttl: int = 30,
        probes: int = 1,
        protocol: str = "udp",
        told: Callable[[Hop], None] | None = None,
    ) -> TracerouteResult:
        """Find the path by growing TTL; `told` hears of each hop when its probes are done."""
        from_id, to_addr = self.instance(src).id, self.resolve(src, dst)
        return traceroute(self, from_id, to_addr, max_ttl=max_ttl, probes=probes, protocol=protocol, told=told)

    def iperf(self, src: str, dst: str, plan: ThroughputPlan | None = None) -> Throughput | None:
        """Measure what two instances get between them from now on, by default with TCP for 10 s; None if no
        connection came about. Traffic that is running goes on.
        """
        from netsim.probe.throughput import ThroughputPlan, measure_throughput

        return measure_throughput(self, self.instance(src).id, self.instance(dst).id, plan or ThroughputPlan())

    def trace(self, src: str, dst: str, *, raw: bytes | None = None, size_bytes: int = DEFAULT_BYTES) -> Trace:
        """Every step of one packet: an echo request, or the IP packet `raw` (then `dst` is not used)."""
        from netsim.dataplane.batch import PROTO_ICMP
        from netsim.packet.flow_packets import FlowPackets

        sender = self.instance(src)
        if raw is None:
            packets = FlowPackets(
                flow=0, src=sender.addr, dst=self.addr(dst), proto=PROTO_ICMP, src_port=1, packet_bytes=size_bytes
            )
            raw = packets.packet(1)
        return trace(self, raw, sender.id)

    def route_get(self, src: str, dst: str) -> RouteChoice:
        """The rules of the sender's VPC that match (src, dst); the first wins."""
        sender = self.instance(src)
        return choose_route(self.inventory, sender.vpc_id, sender.addr, self.addr(dst))

    def probe(self, src: str, dst: str, port: tuple[int, int] | None = None) -> Reached:
        """Whether `dst` is reachable from `src` and back, found out by sending."""
        return probe_pair(self, self.instance(src), self.instance(dst), port)

    def network(self) -> Network:
        """What proofs are about: the very arrays that packets meet now; after an edit, ask for another."""
        from netsim.verify.network import Network

        return Network(self.fib, self.compiler, self.inventory)

    def check(self, progress: Progress | None = None, notice: Callable[[str], None] | None = None) -> list[Verdict]:
        """Whether the topology's expectations hold: reachability by probes and by proof, flows by a run.

        The flows run first, in a network that has seen no other packet; when the queues they
        filled are empty again, the probes follow.
        """
        is_run = any(expectation.is_about_flow for expectation in self.topology.expect)
        return self.verdicts(self.run(progress=progress, notice=notice) if is_run else None)

    def verdicts(self, result: RunResult | None) -> list[Verdict]:
        """As `check`, after a run: flows by its figures; for the paths, packets are sent now."""
        flows: dict[str, dict[str, Any]] = {}
        if result is not None:
            flows = {flow["name"]: flow for flow in result.to_dict()["flows"]}
            let_settle(self)
        network = self.network()
        return [check_expectation(self, expectation, flows, network) for expectation in self.topology.expect]

    def send(self, packets: Any, from_: str, wait_s: float = 10.0) -> Sent:
        """Send scapy packets (one, a list, or `bytes` of IP packets) from an instance and wait.

        A source address left open is the instance's own.

        Raises:
            UsageError: not a packet, or one that scapy can't build.
        """
        sender = self.instance(from_)
        if isinstance(packets, bytes):
            raws: list[bytes | None] = [packets]
        elif isinstance(packets, list) and packets and all(isinstance(packet, bytes) for packet in packets):
            raws = list(packets)
        else:
            from netsim.wire.scapy_packets import ip_bytes_of

            raws = ip_bytes_of(packets, src=sender.addr)
        if not raws:
            raise UsageError("send: nothing to send, expected one packet or more")
        return send(self, raws, sender.id, s_to_ns(wait_s))

    def replay(
        self,
        path: str | Path,
        from_: str,
        to: str,
        *,
        mapping: Mapping[str, str] | None = None,
        time_scale: Fraction | int = 1,
        name: str = "replay",
    ) -> RunningFlow:
        """Let instances send what a capture holds, from now on; `run` or `advance` moves it.

        Args:
            path: a classic pcap file.
            from_: plays the first sender of the capture.
            to: plays its counterpart.
            mapping: address in the capture -> instance, for any number of hosts, instead of the two.
            time_scale: gaps are multiplied by this.
            name: of the flow in the result.

        Raises:
            CaptureError: the file can't be used; says where.
        """
        spec = FlowSpec(name=name, from_ref=from_, to_ref=to, kind="replay", pcap=str(path))
        return self._start_replay(spec, Path(path), mapping, Fraction(time_scale))

    def _start_replay(
        self, spec: FlowSpec, path: Path, mapping: Mapping[str, str] | None, time_scale: Fraction
    ) -> RunningFlow:
        from netsim.wire.capture_file import read_capture
        from netsim.wire.replay import plan_replay

        ends = [self.instance(spec.from_ref), self.instance(spec.to_ref)]
        players = {parse_addr(addr): self.instance(ref) for addr, ref in (mapping or {}).items()}
        plan = plan_replay(
            read_capture(path),
            ends[0].addr,
            ends[1].addr,
            mapping={addr: player.addr for addr, player in players.items()} or None,
            time_scale=time_scale,
        )
        by_addr = {instance.addr: instance.id for instance in [*players.values(), *ends]}
        sides = []
        for side in plan.sides:
            # One for each of its counterparts: a packet counts as received where it was meant to go.
            for addr in sorted({int(dst) for dst in side.batch["dst"]}):
                mine = (side.batch["dst"] == addr).nonzero()[0]
                raws = [side.packets[k] for k in mine.tolist()]
                batch, payloads = side.batch.take(mine), side.payload_bytes[mine]
                sides.append(StoredSide(by_addr[side.addr], by_addr[addr], batch, payloads, raws))
        return self.start_stored(spec, sides)

    def run(
        self,
        seconds: float | None = None,
        progress: Progress | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> RunResult:
        """Run the topology's traffic; the figures.

        Lasts `seconds`, else until the last flow ends (10 s if none says when). Flows without an
        end stop with the run. Figures count from the start of the lab: for separate ones make a
        new lab for each run. `notice` is told what a person may wonder about (a compile).

        Raises:
            UsageError: a flow of a kind that can't be sent; nothing was sent.
            CaptureError: a capture that can't be used.
        """
        if seconds is not None and not 0 < seconds < 10**9:
            raise UsageError(f"run: duration is {seconds} s, accepted more than 0 and less than 10^9")
        self._notice = notice
        start_ns = self.now_ns
        flows = self.start_traffic(self.topology.traffic)
        if seconds is not None:
            until_ns = start_ns + s_to_ns(seconds)
        else:
            ends = [flow.end_ns for flow in flows if flow.end_ns is not None]
            until_ns = max(ends, default=start_ns + DEFAULT_RUN_NS)
        self.advance(until_ns, progress)
        for flow in flows:
            flow.stop(self.engine)
        return self.result(start_ns)

    def start_traffic(self, specs: Iterable[FlowSpec]) -> list[RunningFlow]:
        """Let flows send from now on, each as its spec says.

        Raises:
            UsageError: a flow of a kind that can't be sent; nothing was started.
        """
        specs = list(specs)
        ends = [(self.instance(spec.from_ref).id, self.instance(spec.to_ref).id) for spec in specs]
        self.open_ports(
            (to_id, (PROTOCOLS[spec.kind], spec.dst_port))
            for spec, (_, to_id) in zip(specs, ends, strict=True)
            if spec.kind in PROTOCOLS and spec.dst_port is not None
        )
        flows: list[RunningFlow] = []
        wanted: list[tuple[FlowSpec, str, str | int, int]] = []
        for index, (spec, (from_id, to_id)) in enumerate(zip(specs, ends, strict=True)):
            if spec.kind == "replay":
                # Flows are numbered in the order of the list.
                flows += self.start_flows(wanted)
                wanted = []
                path = self.topology.beside(spec.pcap or "")
                flows.append(self._start_replay(spec, path, None, Fraction(str(spec.time_scale))))
            else:
                wanted.append((spec, from_id, to_id, index))
        return flows + self.start_flows(wanted)

    def result(self, start_ns: int = 0) -> RunResult:
        """The figures of everything so far, of a run that began at `start_ns`."""
        return make_result(self, version=__version__, topology=self.topology.name, start_ns=start_ns, flows=self.flows)

    def on_compile(self) -> None:
        """Tell whoever asked for notices, when it will take a while."""
        if self._notice is not None and not jit.has_cache():
            self._notice("compiling the packet kernels, some 15 seconds (the next run finds them ready)")
