"""trace: every step of one packet, in words: which rule won, which it beat, what the cap did.

The numbers of the steps are those of the design's list of what happens to a packet, in order:
1 parse, 2 same subnet, 3 lookup, 4 the rule, 5 gate, 6 transit, 7 TTL, 8 MTU, 9 cap, 10 delay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netsim.controlplane.route_choice import choose_route, describe_next_hop, describe_rule
from netsim.dataplane import trace as events
from netsim.dataplane.batch import ERROR, KEPT, REPLY
from netsim.dataplane.disposition import FATES, Disposition
from netsim.dataplane.fib import G_ACTION, LOCAL, PEER, RULE_WORDS
from netsim.dataplane.hop import FROM_PEER, FROM_ROUTER
from netsim.emulator import Emulator
from netsim.packet.summary import summary
from netsim.prefix import format_addr
from netsim.probe.journal import Probe, Record
from netsim.units import NS_PER_MS

PACKET, ANSWER, ICMP_ERROR = "packet", "answer", "icmp_error"


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        number: of the design's list, 0 for what is no step of a router (sent, ended, answered).
        at_ns: packet time.
        whose: `packet`, `answer` or `icmp_error`.
        place: the VPC's or instance's name.
        title: what the step is, in a word or two.
        text: what happened.
        rule: the rule that won, "" if the step has none.
        beaten: the rules that matched too, best first.
        disposition: the fate, where the packet ends here.
    """

    number: int
    at_ns: int
    whose: str
    place: str
    title: str
    text: str
    rule: str = ""
    beaten: tuple[str, ...] = ()
    disposition: Disposition | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """The steps of a packet and of what came back, by time; how the packet and the answer ended.

    `delivered_to` is the name of the instance that got the packet, None otherwise.
    """

    packet: str
    steps: tuple[Step, ...]
    disposition: Disposition
    answer: Disposition | None
    delivered_to: str | None


def trace(emulator: Emulator, raw: bytes, from_id: str) -> Trace:
    """Send one IP packet and tell everything that happens to it and because of it."""
    probe = Probe(emulator, [raw], from_id)
    probe.wait()
    seq = probe.seqs[0]
    records = probe.records[seq]
    steps = tuple(step for record in records for step in _Teller(emulator, record).steps())
    ends = [record for record in records if record.event == events.ENDED]
    forward = [record for record in ends if record.row["role"] == 0]
    back = [record for record in ends if record.row["role"] == REPLY]
    return Trace(
        packet=summary(records[0].row),
        steps=steps,
        disposition=_worst(forward) or Disposition.IN_FLIGHT,
        answer=_worst(back),
        delivered_to=_delivered_to(emulator, forward),
    )


def _worst(ends: list[Record]) -> Disposition | None:
    """The fate of a packet or of its fragments: a drop if any was dropped."""
    fates = [record.disposition for record in ends if record.disposition is not None]
    return next((fate for fate in fates if not FATES[fate].ok), fates[0] if fates else None)


def _delivered_to(emulator: Emulator, ends: list[Record]) -> str | None:
    for record in ends:
        if record.disposition is Disposition.DELIVERED and record.b >= 0:
            return _instance_name(emulator, record.b)
    return None


def _instance_name(emulator: Emulator, inst: int) -> str:
    instance = emulator.inventory.instances.get(emulator.compiler.instance_ids[inst])
    return "a deleted instance" if instance is None else instance.name


class _Teller:
    """Turns one record into steps."""

    def __init__(self, emulator: Emulator, record: Record) -> None:
        self._emulator = emulator
        self._record = record
        role = record.row["role"]
        self._whose = ICMP_ERROR if role & ERROR else ANSWER if role & REPLY else PACKET

    def steps(self) -> Iterator[Step]:
        """The steps the record stands for; a lookup stands for steps 3 to 6."""
        r = self._record
        if r.event == events.SENT:
            text = f"hands {summary(r.row)} to its interface"
            yield self._step(0, _instance_name(self._emulator, r.place), "sent", text)
        elif r.event == events.SAME_SUBNET:
            text = (
                f"{format_addr(r.row['dst'])} is in the sender's own subnet: delivered at layer 2, no router, TTL stays"
            )
            yield self._step(2, self._vpc(r.place), "same subnet", text)
        elif r.event == events.LOOKED_UP:
            yield from self._lookup()
        elif r.event == events.FORWARDED:
            transits = f", transits used {r.b}" if r.b else ""
            yield self._step(7, self._vpc(r.place), "TTL", f"goes on with {r.a}{transits}")
        elif r.event == events.FRAGMENTED:
            text = f"{r.row['size_bytes']} bytes exceed the MTU of {r.b}: cut into {r.a} fragments"
            yield self._step(8, self._vpc(r.place), "MTU", text)
        elif r.event == events.QUEUED:
            yield from self._cap()
        elif r.event == events.ARRIVED:
            text = f"arrives over {self._link(r.a)}"
            yield self._step(0, self._vpc(r.place), "arrived", text)
        elif r.event == events.ANSWERED:
            yield self._step(0, self._maker(), "answers", summary(r.row))
        elif r.event == events.ERROR_MADE:
            yield self._step(0, self._maker(), "ICMP error", summary(r.row))
        elif r.event == events.ENDED:
            yield self._end()

    def _lookup(self) -> Iterator[Step]:
        r, emulator = self._record, self._emulator
        vpc_id = emulator.compiler.vpc_ids[r.place]
        place = self._vpc(r.place)
        choice = choose_route(emulator.inventory, vpc_id, r.row["src"], r.row["dst"])
        pair = f"({format_addr(r.row['src'])}, {format_addr(r.row['dst'])})"
        winner = choice.winner
        if r.a < 0 or winner is None:
            yield self._step(3, place, "lookup", f"no rule matches {pair}")
            return
        inventory = emulator.inventory
        won = describe_rule(inventory, winner)
        beaten = tuple(describe_rule(inventory, candidate) for candidate in choice.beaten)
        yield self._step(3, place, "lookup", f"{pair} matches {won}", rule=won, beaten=beaten)
        action = int(emulator.fib.rule[r.a * RULE_WORDS + G_ACTION])
        yield self._step(4, place, "the rule", f"next hop is {describe_next_hop(inventory, winner)}")
        if action == PEER and winner.rule is not None:
            conn = inventory.conn_of_interface(winner.rule.next_hop.target)
            state = "gone" if conn is None else str(conn.state)
            yield self._step(5, place, "gate", f"the connection is {state}")
        if r.b == FROM_PEER and action != LOCAL:
            vpc = inventory.vpcs.get(vpc_id)
            relay = "is" if vpc is not None and vpc.relay else "is not"
            text = f"came in over a peer connection; {place} {relay} a relay VPC, transits used {r.row['transits']}"
            yield self._step(6, place, "transit", text)
        elif r.b == FROM_ROUTER and action == PEER:
            yield self._step(6, place, "transit", "starts at this router: not in transit, TTL stays")

    def _cap(self) -> Iterator[Step]:
        r = self._record
        wait_ns = r.a - r.at_ns
        waits = f"waits {wait_ns / NS_PER_MS:.3f} ms" if wait_ns else "passes at once"
        conn = self._emulator.inventory.peer_conns.get(self._emulator.compiler.link_names[r.place].peer_conn_id)
        cap = "" if conn is None else f" of {conn.bandwidth_mbps} Mbps"
        place = self._link(r.place)
        yield self._step(9, place, "cap", f"{r.row['size_bytes']} bytes against the cap{cap}: {waits}")
        yield self._step(10, place, "delay", f"{(r.b - r.a) / NS_PER_MS:.3f} ms to the far side")

    def _end(self) -> Step:
        r = self._record
        fate = Disposition(r.a)
        if fate is Disposition.DELIVERED and r.b >= 0:
            place = _instance_name(self._emulator, r.b)
        else:
            place = self._vpc(r.place)
        if fate is Disposition.EXITS_NETWORK:
            place += f", gateway {self._emulator.compiler.gateways[r.b]}"
        elif fate in (Disposition.QUEUE_FULL, Disposition.POLICED) and r.row["inst"] < 0:
            place = self._link(r.b)
        return self._step(0, place, fate.symbol, FATES[fate].condition, disposition=fate)

    def _step(
        self,
        number: int,
        place: str,
        title: str,
        text: str,
        *,
        rule: str = "",
        beaten: tuple[str, ...] = (),
        disposition: Disposition | None = None,
    ) -> Step:
        at_ns = self._record.at_ns
        return Step(number, at_ns, self._whose, place, title, text, rule, beaten, disposition)

    def _vpc(self, node: int) -> str:
        vpc = self._emulator.inventory.vpcs.get(self._emulator.compiler.vpc_ids[node])
        return "a deleted VPC" if vpc is None else vpc.name

    def _link(self, link: int) -> str:
        conn = self._emulator.inventory.peer_conns.get(self._emulator.compiler.link_names[link].peer_conn_id)
        return "a deleted connection" if conn is None else conn.name or conn.id

    def _maker(self) -> str:
        r = self._record
        if r.a >= 0:
            return _instance_name(self._emulator, r.a)
        return f"{self._vpc(r.place)} {'resolver' if r.row['flags'] & KEPT and not r.row['role'] & ERROR else 'router'}"
