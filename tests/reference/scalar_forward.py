"""The data plane as the design tells it: one heap of events, one packet at a time, no arrays.

Slow and obvious. Events are ordered by (time, kind, ref, sequence): what a router originates itself, then
packets off links, off interfaces, deliveries, sources, each by number. The numbers of the steps are
those of the design's section 3.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from netsim.dataplane.disposition import FATES, N_DISPOSITIONS, Disposition
from netsim.dataplane.tcp_numbers import initial_number
from netsim.prefix import ANY, Prefix, parse_prefix
from tests.dataplane.network import GONE, Network
from tests.reference import linear_lpm
from tests.reference.drop_tail_link import POLICED, DropTailLink

OWN, LINK, NIC, DELIVERY, SOURCE = range(5)
INSTANCE, PEER, ROUTER = "instance", "peer", "router"
ORIGINAL, REPLY, ERROR = 0, 1, 2
ICMP, TCP, UDP = 1, 6, 17
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
DELIVERY_NS, NIC_QUEUE_NS, REASSEMBLY_NS, HELD_DATAGRAMS = 100_000, 50_000_000, 30_000_000_000, 16
NOT_FORWARDED = [parse_prefix(p) for p in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32")]


def is_unforwardable(addr: int) -> bool:
    return any(prefix.has(addr) for prefix in NOT_FORWARDED)


@dataclass
class Packet:
    """`l4` as in `netsim.dataplane.batch`; `df`, `mf`, `quiet`, `watch` are 0 or 1."""

    src: int
    dst: int
    proto: int
    size: int
    ttl: int = 64
    l4: int = 0
    header: int = 20
    frag_offset: int = 0
    ident: int = 0
    df: int = 0
    mf: int = 0
    watch: int = 0
    quiet: int = 0
    kept: int = 0
    role: int = ORIGINAL
    transits: int = 0
    flow: int = 0
    seq: int = 0
    sent_at: int = 0
    inst: int = -1
    tcp_seq: int = 0
    tcp_ack: int = 0
    window: int = 0
    ts_echo: int = 0

    def facts(self) -> tuple[int, ...]:
        flags = self.df | self.mf << 1 | self.watch << 2 | self.quiet << 3 | self.kept << 4
        return (
            self.flow, self.seq, self.role, self.frag_offset, self.src, self.dst, self.proto, self.size, self.ttl,
            flags, self.ident, self.transits, self.l4, self.header, self.sent_at,
            self.tcp_seq, self.tcp_ack, self.window, self.ts_echo,
        )  # fmt: skip


@dataclass
class Flow:
    """What sends: packets like `template` (None: the stored ones), and what is measured of them."""

    inst: int
    dst_inst: int
    template: Packet | None
    payload: int = 0
    next_seq: int = 0
    sent: list[int] = field(default_factory=list)
    sent_datagrams: int = 0
    received_bytes: int = 0
    payloads: list[int] = field(default_factory=list)
    latencies: list[int] = field(default_factory=list)
    rtts: list[int] = field(default_factory=list)
    errors: int = 0
    dropped: int = 0


@dataclass
class Datagram:
    """Fragments of one packet that a holder has got: (offset, payload bytes) each."""

    key: tuple[int, ...]
    started_ns: int
    pieces: list[tuple[int, int]] = field(default_factory=list)
    end: int = 0
    l4: int = 0
    tcp: tuple[int, int, int] = (0, 0, 0)
    header: int = 0


class ScalarForward:
    """Takes the same descriptions as the engine: a `Network`, flows, stored packets, times."""

    def __init__(self, network: Network) -> None:
        self.now_ns = 0
        self.heap: list[tuple[int, int, int, int, Packet]] = []
        self.pushed = 0
        self.flows: list[Flow] = []
        self.store: list[tuple[Packet, int, int]] = []
        self.links: list[DropTailLink] = []
        self.nic_free_ns: Counter[int] = Counter()
        self.held: dict[tuple[str, int], list[Datagram | None]] = {}
        self.injected: Counter[int] = Counter()
        self.ended: Counter[tuple[int, int]] = Counter()
        self.log: list[list[tuple[int, ...]]] = []
        self.install(network)

    # -- what is asked from outside --------------------------------------------------------

    def install(self, network: Network) -> None:
        self.network = network
        self.log += [[] for _ in network.vpcs[len(self.log) :]]
        for cap, link in zip(self.links, network.links, strict=False):
            cap.resize(self.now_ns, link.rate_bps, link.burst_bytes, link.queue_bytes)
        for link in network.links[len(self.links) :]:
            shape = link.rate_bps, link.burst_bytes, link.queue_bytes, link.overhead_bytes, link.police
            self.links.append(DropTailLink(*shape, since_ns=self.now_ns))
        self.rules = [[(vpc.cidr, ANY), *((r.destination, r.source) for r in vpc.rules)] for vpc in network.vpcs]

    def keep(self, packets: Iterable[tuple[Packet, int, int]]) -> int:
        first = len(self.store)
        self.store += packets
        return first

    def feed(self, flow: int, at_ns: Sequence[int], rows: Sequence[int] | None = None) -> None:
        for i, at in enumerate(at_ns):
            self.push(at, SOURCE, flow, Packet(0, 0, 0, 0, seq=rows[i] if rows is not None else 0))

    def advance(self, until_ns: int) -> None:
        while self.heap and self.heap[0][0] < until_ns:
            self.now_ns, kind, ref, _, packet = heapq.heappop(self.heap)
            if kind == SOURCE:
                self.send_next(ref, packet.seq)
            elif kind == NIC:
                if not self.same_subnet(ref, packet):
                    self.route(self.network.instances[ref].vpc, packet, INSTANCE)
            elif kind == LINK:
                node = self.network.links[ref].dst
                self.links[ref].arrivals.append((self.now_ns, packet.size + self.links[ref].overhead_bytes))
                self.route(node, packet, PEER)
            elif kind == OWN:
                self.route(ref, packet, ROUTER)
            elif self.network.instances[packet.inst].is_alive:
                self.receive(packet.inst, packet)
            else:
                self.end(ref, packet, Disposition.HOST_UNREACHABLE)
        self.now_ns = until_ns

    @property
    def in_flight(self) -> list[Packet]:
        return [packet for _, kind, _, _, packet in self.heap if kind != SOURCE]

    # -- bookkeeping -----------------------------------------------------------------------

    def push(self, at_ns: int, kind: int, ref: int, packet: Packet) -> None:
        self.pushed += 1
        heapq.heappush(self.heap, (at_ns, kind, ref, self.pushed, packet))

    def note(self, node: int, what: str, packet: Packet, *details: int) -> None:
        if packet.watch:
            self.log[node].append((what, self.now_ns, *details, *packet.facts()))  # type: ignore[arg-type]

    def end(self, node: int, packet: Packet, disposition: Disposition) -> None:
        self.ended[node, disposition] += 1
        if not FATES[disposition].ok and packet.role == ORIGINAL:
            self.flows[packet.flow].dropped += 1
        self.note(node, "ended", packet, disposition)

    # -- instances -------------------------------------------------------------------------

    def send_next(self, number: int, stored: int) -> None:
        flow = self.flows[number]
        instance = self.network.instances[flow.inst]
        if not instance.is_alive:
            return
        fate = Disposition.IN_FLIGHT
        if flow.template is None:
            kept, _, told = self.store[stored]
            packet, fate = replace(kept, seq=stored), Disposition(told)
        else:
            packet = replace(flow.template, seq=flow.next_seq, ident=flow.next_seq & 0xFFFF)
            if packet.proto == ICMP:
                packet.l4 |= (flow.next_seq & 0xFFFF) << 32
            flow.next_seq += 1
        packet.flow, packet.transits, packet.sent_at = number, 0, self.now_ns
        flow.sent.append(packet.size)
        flow.sent_datagrams += packet.frag_offset == 0
        self.injected[instance.vpc] += 1
        if fate != Disposition.IN_FLIGHT:  # step 1
            self.end(instance.vpc, packet, fate)
        else:
            self.transmit(flow.inst, packet)

    def transmit(self, inst: int, packet: Packet) -> None:
        start_ns = max(self.now_ns, self.nic_free_ns[inst])
        instance = self.network.instances[inst]
        if start_ns - self.now_ns > NIC_QUEUE_NS:
            self.end(instance.vpc, packet, Disposition.QUEUE_FULL)
            return
        self.nic_free_ns[inst] = start_ns + -(-packet.size * 8000 // instance.nic_mbps)
        self.push(self.nic_free_ns[inst], NIC, inst, packet)

    def same_subnet(self, inst: int, packet: Packet) -> bool:
        """Step 2."""
        sender = self.network.instances[inst]
        if not sender.subnet.has(packet.dst) or is_unforwardable(packet.dst):
            return False
        owner = self.owner_of(sender.vpc, packet.dst)
        if owner == "router":
            return False
        if owner == "edge":
            self.end(sender.vpc, packet, Disposition.BAD_DESTINATION)
        elif owner is None:
            self.end(sender.vpc, packet, Disposition.HOST_UNREACHABLE)
            if self.may_cause_error(packet) and self.owner_of(sender.vpc, packet.src) != "edge":
                error = self.icmp_error(packet, sender.addr, sender.addr, 3, 1)
                self.injected[sender.vpc] += 1
                self.note(sender.vpc, "made", error)
                self.deliver(sender.vpc, inst, error)
        else:
            self.deliver(sender.vpc, int(owner), packet)
        return True

    def deliver(self, node: int, inst: int, packet: Packet) -> None:
        packet.inst = inst
        self.push(self.now_ns + DELIVERY_NS, DELIVERY, node, packet)

    def receive(self, inst: int, packet: Packet) -> None:
        instance = self.network.instances[inst]
        self.end(instance.vpc, packet, Disposition.DELIVERED)
        flow = self.flows[packet.flow]
        if packet.role == ORIGINAL and flow.dst_inst == inst:
            flow.received_bytes += packet.size
        got = self.whole_of(("instance", inst), packet)
        if got is None:
            return
        packet, payload = got
        took_ns = self.now_ns - packet.sent_at
        if packet.role == REPLY:
            if flow.inst == inst:
                flow.rtts.append(took_ns)
        elif packet.role != ORIGINAL:
            flow.errors += 1
        elif flow.dst_inst == inst:
            flow.latencies.append(took_ns)
            flow.payloads.append(payload)
        port = (packet.proto, packet.l4 >> 16 & 0xFFFF)
        answer = self.answer(packet, payload, port in instance.ports)
        if answer is not None and self.owner_of(instance.vpc, packet.src) != "edge":
            self.injected[instance.vpc] += 1
            self.note(instance.vpc, "made", answer)
            self.transmit(inst, answer)

    def whole_of(self, holder: tuple[str, int], packet: Packet) -> tuple[Packet, int] | None:
        """The datagram the packet is or completes, and its payload above layer 4."""
        if packet.frag_offset or packet.mf:
            whole = self.put_together(holder, packet)
            if whole is None:
                return None
            transport = {UDP: 8, TCP: 20}.get(whole.proto, whole.size)
            return whole, max(0, whole.size - whole.header - transport)
        flow = self.flows[packet.flow]
        if packet.role != ORIGINAL:
            return packet, 0
        return packet, self.store[packet.seq][1] if flow.template is None else flow.payload

    def answer(self, packet: Packet, payload: int, is_open: bool) -> Packet | None:
        if packet.role != ORIGINAL or packet.quiet or is_unforwardable(packet.src):
            return None
        if packet.proto == UDP:
            return None if is_open else self.icmp_error(packet, packet.dst, packet.src, 3, 3)
        if packet.proto not in {ICMP, TCP}:
            return self.icmp_error(packet, packet.dst, packet.src, 3, 2)
        reply = replace(
            packet,
            src=packet.dst,
            dst=packet.src,
            role=REPLY,
            ttl=64,
            df=0,
            mf=0,
            header=20,
            transits=0,
            frag_offset=0,
            kept=0,
        )
        if packet.proto == ICMP:
            reply.size = 20 + packet.size - packet.header
            reply.l4 = packet.l4 & ~0xFFFF
            return reply if packet.l4 & 0xFF == 8 else None
        says = self.tcp_says(packet.l4 >> 32 & 0xFF, is_open)
        reply.size = 40
        reply.l4 = packet.l4 >> 16 & 0xFFFF | (packet.l4 & 0xFFFF) << 16 | says << 32
        flags = packet.l4 >> 32 & 0xFF
        after = packet.tcp_seq + payload + bool(flags & SYN) + bool(flags & FIN)
        reply.ts_echo, reply.window = 0, 0 if says & RST else 65_535
        reply.tcp_seq, reply.tcp_ack = packet.tcp_ack, after % 2**32
        if says == SYN | ACK:
            ports = packet.l4 >> 16 & 0xFFFF, packet.l4 & 0xFFFF
            reply.tcp_seq, reply.tcp_ack = initial_number(packet.dst, packet.src, *ports), (packet.tcp_seq + 1) % 2**32
        elif says == RST:
            reply.tcp_ack = 0
        elif says == RST | ACK:
            reply.tcp_seq = 0
        return reply if says else None

    @staticmethod
    def tcp_says(flags: int, is_open: bool) -> int:
        if flags & RST:
            return 0
        if not is_open:
            return RST if flags & ACK else RST | ACK
        if flags & SYN:
            return 0 if flags & ACK else SYN | ACK
        return ACK if flags & (FIN | PSH) else 0

    def put_together(self, holder: tuple[str, int], packet: Packet) -> Packet | None:
        slots = self.held.setdefault(holder, [None] * HELD_DATAGRAMS)
        for i, held in enumerate(slots):
            if held is not None and self.now_ns - held.started_ns > REASSEMBLY_NS:
                slots[i] = None
        key = (packet.src, packet.dst, packet.proto, packet.ident, packet.flow, packet.role)
        at = next((i for i, held in enumerate(slots) if held is not None and held.key == key), -1)
        if at < 0:
            at = min(range(len(slots)), key=lambda i: -1 if (held := slots[i]) is None else held.started_ns)
            slots[at] = Datagram(key, self.now_ns)
        datagram = slots[at]
        assert datagram is not None
        payload = packet.size - packet.header
        datagram.pieces.append((packet.frag_offset, payload))
        if packet.frag_offset == 0:
            datagram.l4, datagram.tcp = packet.l4, (packet.tcp_seq, packet.tcp_ack, packet.window)
        if packet.frag_offset == 0 or len(datagram.pieces) == 1:
            datagram.header = packet.header
        if not packet.mf:
            datagram.end = packet.frag_offset + payload
        got = sum(n for _, n in datagram.pieces)
        if not datagram.end or got < datagram.end:
            return None
        slots[at] = None
        reached = 0
        for offset, n in sorted(datagram.pieces):
            if offset != reached:
                return None  # a piece came twice, or two overlap
            reached += n
        if reached != datagram.end or datagram.end + datagram.header > 65535:
            return None
        size = datagram.end + datagram.header
        tcp_seq, tcp_ack, window = datagram.tcp
        return replace(
            packet, l4=datagram.l4, header=datagram.header, size=size, frag_offset=0, mf=0, tcp_seq=tcp_seq,
            tcp_ack=tcp_ack, window=window,
        )  # fmt: skip

    # -- the router ------------------------------------------------------------------------

    def owner_of(self, node: int, addr: int) -> str | int | None:
        for subnet in self.network.vpcs[node].subnets:
            if addr in {subnet.first, subnet.last}:
                return "edge"
            if addr in {subnet.first + 1, subnet.first + 2}:
                return "router"
        for number, instance in enumerate(self.network.instances):
            if instance.vpc == node and instance.addr == addr and instance.is_alive:
                return number
        return None

    def route(self, node: int, packet: Packet, came_from: str) -> None:
        """Steps 3 to 10."""
        fate = self.forward(node, packet, came_from)
        if fate is None:
            return
        disposition, mtu = fate
        self.end(node, packet, disposition)
        icmp = FATES[disposition].icmp
        if icmp[0] < 0 or came_from == ROUTER or not self.may_cause_error(packet):
            return
        if self.owner_of(node, packet.src) == "edge":
            return
        own = self.error_source(node, packet.src)
        if own is not None:
            self.originate(node, self.icmp_error(packet, own, packet.src, *icmp, mtu))

    def forward(  # noqa: C901, PLR0911, PLR0912  # the steps of the design, one after the other
        self, node: int, packet: Packet, came_from: str
    ) -> tuple[Disposition, int] | None:
        vpc = self.network.vpcs[node]
        if is_unforwardable(packet.dst):
            return Disposition.BAD_DESTINATION, 0
        number = linear_lpm.lookup(self.rules[node], packet.src, packet.dst)  # step 3
        if number < 0:
            return Disposition.NO_ROUTE, 0
        owner = None
        if number == 0:  # step 4: the VPC's own CIDR
            owner = self.owner_of(node, packet.dst)
            if owner == "router":
                self.at_router(node, packet, came_from)
                return None
            if owner == "edge":
                return Disposition.BAD_DESTINATION, 0
            if owner is None:
                return Disposition.HOST_UNREACHABLE, 0
            if came_from != ROUTER and packet.ttl <= 1:
                return Disposition.TTL_EXPIRED, 0
            packet.ttl -= came_from != ROUTER
            self.deliver(node, int(owner), packet)
            return None
        rule = vpc.rules[number - 1]
        if rule.action == "blackhole":
            return Disposition.BLACKHOLE, 0
        if rule.action == "peer" and (rule.target == GONE or not self.network.links[rule.target].is_active):
            return Disposition.BAD_STATE_ROUTE, 0  # step 5
        is_transit = came_from == PEER  # step 6
        if is_transit and not (vpc.is_relay and packet.transits < self.network.transits):
            return Disposition.TRANSIT_DENIED, 0
        link = self.network.links[rule.target] if rule.action == "peer" else None
        if came_from != ROUTER and packet.ttl <= 1:  # step 7
            return Disposition.TTL_EXPIRED, 0
        if link is not None and packet.size > link.mtu_bytes and packet.df:  # step 8
            return Disposition.MTU_EXCEEDED, link.mtu_bytes
        packet.ttl -= came_from != ROUTER
        packet.transits = min(packet.transits + is_transit, 255)
        if link is None:
            self.end(node, packet, Disposition.EXITS_NETWORK)
        else:
            for piece in self.fragments(node, packet, link.mtu_bytes):
                self.send_over(node, rule.target, piece)
        return None

    def fragments(self, node: int, packet: Packet, mtu: int) -> list[Packet]:
        if packet.size <= mtu:
            return [packet]
        room = (mtu - packet.header) // 8 * 8
        payload = packet.size - packet.header
        pieces = []
        for at in range(0, payload, room):
            part = min(room, payload - at)
            piece = replace(packet, size=packet.header + part, frag_offset=(packet.frag_offset + at) & 0xFFFF)
            piece.mf = 1 if at + part < payload else packet.mf
            if at and packet.role == ORIGINAL:
                piece.l4 = 0
            pieces.append(piece)
        self.injected[node] += len(pieces) - 1
        return pieces

    def send_over(self, node: int, number: int, packet: Packet) -> None:
        """Steps 9 and 10."""
        outcome = self.links[number].offer(self.now_ns, packet.size)
        if isinstance(outcome, str):
            self.end(node, packet, Disposition.POLICED if outcome == POLICED else Disposition.QUEUE_FULL)
            return
        arrives_ns = outcome + self.network.links[number].delay_ns
        self.note(node, "queued", packet, number, outcome, arrives_ns)
        self.push(arrives_ns, LINK, number, packet)

    def at_router(self, node: int, packet: Packet, came_from: str) -> None:
        self.end(node, packet, Disposition.DELIVERED)
        got = self.whole_of(("router", node), packet)
        if got is None:
            return
        packet, payload = got
        answer = None if came_from == ROUTER else self.answer(packet, payload, is_open=False)
        if answer is not None and self.owner_of(node, packet.src) != "edge":
            self.originate(node, answer)

    def originate(self, node: int, packet: Packet) -> None:
        self.injected[node] += 1
        self.note(node, "made", packet)
        self.push(self.now_ns, OWN, node, packet)

    # -- ICMP errors -----------------------------------------------------------------------

    @staticmethod
    def may_cause_error(packet: Packet) -> bool:
        is_error = packet.proto == ICMP and packet.l4 & 0xFF in {3, 4, 5, 11, 12}
        return not (packet.role & ERROR or is_error or packet.frag_offset or is_unforwardable(packet.src))

    def error_source(self, node: int, toward: int) -> int | None:
        subnets: list[Prefix] = self.network.vpcs[node].subnets
        if not subnets:
            return None
        return next((subnet for subnet in subnets if subnet.has(toward)), subnets[0]).first + 1

    @staticmethod
    def icmp_error(packet: Packet, src: int, dst: int, icmp_type: int, code: int, mtu: int = 0) -> Packet:
        quoted = packet.ttl << 32 | packet.size << 40 | packet.mf << 56
        if packet.proto == TCP:
            quoted |= packet.df << 57 | (packet.l4 >> 32 & 31) << 58
        return replace(
            packet,
            src=src, dst=dst, proto=ICMP, size=20 + 8 + min(packet.size, 576 - 28), ttl=64, header=20, frag_offset=0,
            df=0, mf=0, role=packet.role | ERROR, transits=0, l4=icmp_type | code << 8 | mtu << 16 | quoted,
        )  # fmt: skip

    # -- what came of it -------------------------------------------------------------------

    def dispositions(self) -> list[list[int]]:
        nodes = range(len(self.network.vpcs))
        return [[self.ended[node, disposition] for disposition in range(N_DISPOSITIONS)] for node in nodes]

    def counters(self) -> list[tuple[int, ...]]:
        return [link.counters(self.now_ns) for link in self.links]

    def measures(self) -> list[tuple[int, ...]]:
        """The M_ columns of `netsim.dataplane.state`, in their order."""
        rows: list[tuple[int, ...]] = []
        for flow in self.flows:
            sixteenths = 0  # RFC 3550 appendix A.8
            for before, after in zip(flow.latencies, flow.latencies[1:], strict=False):
                sixteenths += abs(after - before) - (sixteenths + 8 >> 4)
            seen = flow.latencies or [0]
            trips = flow.rtts or [0]
            rows.append((
                flow.next_seq, flow.sent_datagrams, sum(flow.sent), len(flow.rtts), sum(trips), min(trips), max(trips),
                flow.errors, len(flow.latencies), flow.received_bytes, sum(flow.payloads), sum(seen), min(seen),
                max(seen), sixteenths, seen[-1], flow.dropped, 0, 0, 0, 0, 0, 0, 0,
            ))  # fmt: skip
        return rows
