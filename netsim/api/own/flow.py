"""Flows and pings in the running network: started, looked at, stopped. They end with the server.

A ping is a flow of echo requests without an end; what it has got so far shows at once whether a route
that was just added works. The receiver is an instance of the caller's, or an address: then whoever has it
in the caller's VPC or beyond one of its connections.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from netsim.api.call import Call, Reply
from netsim.api.error_codes import HttpError
from netsim.api.json_codec import dump, member
from netsim.api.owned import own_instance
from netsim.controlplane.instance import Instance
from netsim.emulator import Emulator
from netsim.errors import InvalidError, NotFoundError
from netsim.prefix import parse_addr
from netsim.run_result import flow_figures
from netsim.traffic.flow import FlowSpec
from netsim.traffic.running import RunningFlow
from netsim.units import BITS_PER_BYTE, BPS_PER_MBPS, NS_PER_S

Kind = Literal["flow", "ping"]
MAX_RUNNING = 1000
PING_BYTES = 84
_FLOW_KINDS = ("udp", "tcp", "icmp")


@dataclass(frozen=True, slots=True)
class Talk:
    """A flow or a ping of an account."""

    id: str
    kind: Kind
    account: str
    region: str
    flow: RunningFlow
    from_id: str
    to: str


class Talks:
    """All flows and pings of a server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._talks: dict[str, Talk] = {}

    def add(self, kind: Kind, call: Call, flow: RunningFlow, from_id: str, to: str) -> Talk:
        """Remember one that was started."""
        with self._lock:
            talk = Talk(f"{kind}-{next(self._numbers)}", kind, call.account, call.region, flow, from_id, to)
            self._talks[talk.id] = talk
            return talk

    def of(self, kind: Kind, call: Call) -> list[Talk]:
        """The caller's, in the region asked, in order of start."""
        with self._lock:
            found = list(self._talks.values())
        return [talk for talk in found if (talk.kind, talk.account, talk.region) == (kind, call.account, call.region)]

    def one(self, kind: Kind, call: Call, talk_id: str) -> Talk:
        """The caller's of this id.

        Raises:
            NotFoundError: there is none, or it is another's.
        """
        for talk in self.of(kind, call):
            if talk.id == talk_id:
                return talk
        raise NotFoundError(f"{kind} {talk_id[:60]!r}: not found")

    def forget(self, talk: Talk) -> None:
        """Know it no more."""
        with self._lock:
            self._talks.pop(talk.id, None)


def handlers(talks: Talks, kind: Kind) -> dict[str, Callable[[Call], Reply]]:
    """What handles `create`, `list`, `show`, `stop` and `forget` of flows or of pings."""

    def create(call: Call) -> Reply:
        spec_of = _flow_spec if kind == "flow" else _ping_spec
        spec = spec_of(call)
        if len(talks.of(kind, call)) >= MAX_RUNNING:
            raise HttpError("LimitExceeded", f"{MAX_RUNNING} {kind}s are known, stopped ones included: delete some")

        def start(emulator: Emulator) -> Talk:
            view = emulator.inventory.visible_to(call.account)
            sender = own_instance(call, view, call.text("from"))
            to = call.text("to")
            receiver = _receiver(emulator, sender, to)
            if spec.kind == "tcp" and isinstance(receiver, int):
                raise NotFoundError(f"to {to[:60]!r}: nobody there to talk TCP with")
            return talks.add(kind, call, emulator.start_flow(spec, sender.id, receiver), sender.id, to)

        return Reply(body=dump({f"{kind}Id": call.service.read(start).id}))

    def show(call: Call) -> Reply:
        talk = talks.one(kind, call, call.params["id"])
        return Reply(body=dump(call.service.read(lambda emulator: talk_json(emulator, talk))))

    def list_(call: Call) -> Reply:
        found = talks.of(kind, call)
        listed = call.service.read(lambda emulator: [talk_json(emulator, talk) for talk in found])
        return Reply(body=dump({f"{kind}s": listed}))

    def stop(call: Call) -> Reply:
        talk = talks.one(kind, call, call.params["id"])
        call.service.read(lambda emulator: talk.flow.stop(emulator.engine))
        return Reply()

    def forget(call: Call) -> Reply:
        stop(call)
        talks.forget(talks.one(kind, call, call.params["id"]))
        return Reply()

    return {"create": create, "list": list_, "show": show, "stop": stop, "forget": forget}


def talk_json(emulator: Emulator, talk: Talk) -> dict[str, Any]:
    """A flow or ping and its figures so far."""
    figures = flow_figures(emulator, talk.flow)
    ends_ns = talk.flow.end_ns
    has_sender = talk.from_id in emulator.inventory.instances
    head = {
        f"{talk.kind}Id": talk.id,
        "from": talk.from_id,
        "to": talk.to,
        "status": "running" if has_sender and (ends_ns is None or emulator.now_ns < ends_ns) else "ended",
    }
    if talk.kind == "flow":
        return head | {name: value for name, value in figures.items() if name not in {"from", "to"}}
    sent, received = figures["packets_sent"], figures["replies_received"]
    return head | {
        "transmitted": sent,
        "received": received,
        "errors": figures["errors_received"],
        "rtt_ms": figures["rtt_ms"],
    }


def _receiver(emulator: Emulator, sender: Instance, to: str) -> str | int:
    """The id of an instance, or an address that nobody near has."""
    inventory = emulator.inventory
    try:
        addr = parse_addr(to)
    except InvalidError:
        found = inventory.instances.get(to)
        owner = inventory.vpcs[sender.vpc_id].account
        if found is None or inventory.vpcs[found.vpc_id].account != owner:
            raise NotFoundError(f"instance {to[:60]!r}: not found") from None
        return found.id
    near = [sender.vpc_id, *(c.side_beyond(sender.vpc_id).vpc_id for c in inventory.peer_conns_of(sender.vpc_id))]
    for vpc_id in near:
        for inst in inventory.instances_of(vpc_id):
            if inst.addr == addr:
                return inst.id
    return addr


def _number(call: Call, name: str, default: float | None = None) -> float | None:
    value = call.body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10**9:
        raise HttpError("BadRequest", f"{name} is {value!r}, accepted a number above 0 and below 10^9")
    return float(value)


def _flow_spec(call: Call) -> FlowSpec:
    kind = call.text("kind", "udp")
    if kind not in _FLOW_KINDS:
        raise HttpError("BadRequest", f"kind is {kind[:60]!r}, accepted {', '.join(_FLOW_KINDS)}")
    rate_mbps, duration_s = _number(call, "rateMbps"), _number(call, "durationS")
    more: dict[str, Any] = {}
    if call.body.get("dstPort") is not None:
        more["dst_port"] = member(call.body, "dstPort", int)
    return FlowSpec(
        name=call.text("name", "flow"),
        from_ref=call.text("from"),
        to_ref=call.text("to"),
        kind=kind,  # type: ignore[arg-type]  # one of _FLOW_KINDS
        rate_bps=None if rate_mbps is None else max(1, round(rate_mbps * BPS_PER_MBPS)),
        packet_bytes=member(call.body, "packetBytes", int, 0),
        duration_ns=None if duration_s is None else max(1, round(duration_s * NS_PER_S)),
        arrivals=call.text("arrivals", "cbr"),  # type: ignore[arg-type]  # checked by FlowSpec
        **more,
    )


def _ping_spec(call: Call) -> FlowSpec:
    interval_s = _number(call, "intervalS", 1.0)
    assert interval_s is not None
    count = member(call.body, "count", int, 0)
    if not 0 <= count <= 10**6 or interval_s < 1e-3:
        raise HttpError("BadRequest", "accepted count 0..1,000,000 (0: until stopped) and intervalS from 0.001")
    size = member(call.body, "packetBytes", int, PING_BYTES)
    rate_bps = max(1, round(size * BITS_PER_BYTE / interval_s))
    spacing_ns = size * BITS_PER_BYTE * NS_PER_S // rate_bps
    return FlowSpec(
        name="ping",
        from_ref=call.text("from"),
        to_ref=call.text("to"),
        kind="icmp",
        rate_bps=rate_bps,
        packet_bytes=size,
        duration_ns=None if count == 0 else max(1, (count - 1) * spacing_ns + 1),
    )
