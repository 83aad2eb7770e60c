"""Can A reach B, and B answer? One pair: both paths, the verdict, the reason and the fix.

    Reach(verdict, reason, forward, back, fixes)

The forward packet goes from A to B's address; the way back is what B's answer takes. Its verdict is
`reachable` (both arrive), `one_way` (the answer does not) or `not_reachable`. With a port, a closed one
is not reachable (`port_closed`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netsim.dataplane.batch import PROTO_TCP
from netsim.dataplane.fib import I_PORT, I_PORT_COUNT, INST_WORDS
from netsim.verify.endpoint import ANYWHERE, Endpoint, endpoints, sources
from netsim.verify.network import Network
from netsim.verify.path import Path, Start, walk
from netsim.verify.reason import (
    NOT_REACHABLE,
    ONE_WAY,
    OVERLAPPING_CIDR,
    PORT_CLOSED,
    REACHABLE,
    reason_of_return,
)

if TYPE_CHECKING:
    from netsim.verify.change import Fix

Port = tuple[int, int]
"""IP protocol number and port."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The answer for one pair.

    Attributes:
        source, target: the ends.
        port: asked for, None for any packet.
        verdict: `reachable`, `one_way` or `not_reachable`.
        reason: a symbol, "" when reachable.
        forward: the path of the packet.
        back: the path of an answer; where the packet does not arrive, of what the target would send.
            None when that is nobody.
        fixes: the changes that make it reachable, in order: the first one is the next to make. Empty when
            reachable.
    """

    source: Endpoint
    target: Endpoint
    port: Port | None
    verdict: str
    reason: str
    forward: Path
    back: Path | None
    fixes: tuple[Fix, ...] = ()

    @property
    def is_reachable(self) -> bool:
        """Whether the packet arrives and the answer comes back."""
        return self.verdict == REACHABLE

    def to_dict(self) -> dict[str, Any]:
        """The object of the JSON contract."""
        return {
            "from": self.source.name,
            "to": self.target.name,
            "verdict": self.verdict,
            "reason": self.reason or None,
            "forward": self.forward.to_dict(),
            "return": None if self.back is None else self.back.to_dict(),
            "fix": [fix.text for fix in self.fixes],
            "commands": [command for fix in self.fixes for command in fix.commands],
        }


def reach(network: Network, source: str, target: str, port: Port | None = None) -> Reach:
    """Whether the one thing `source` means reaches the one that `target` means; with the fix if not.

    Raises:
        NotFoundError, InvalidError, UsageError: a name that means nothing, or nothing that can send.
    """
    return reach_all(network, source, target, port)[0]


def reach_all(network: Network, source: str, target: str, port: Port | None = None) -> list[Reach]:
    """Every instance of `source` to every one of `target` (subnets and VPCs stand for theirs), with fixes.

    Raises:
        NotFoundError, InvalidError, UsageError: as for `reach`.
    """
    from netsim.verify.fix import with_fixes

    ends = [(a, b) for a in sources(network, source) for b in endpoints(network, target)]
    others = [(a, b) for a, b in ends if a.inst != b.inst or b.inst < 0]
    return [with_fixes(network, judge(network, a, b, port, has_beaten=True)) for a, b in others or ends]


def judge(
    network: Network, source: Endpoint, target: Endpoint, port: Port | None = None, *, has_beaten: bool = False
) -> Reach:
    """The answer for two endpoints, without fixes; `has_beaten` as for `walk`."""
    forward = walk(network, Start(source.node, source.inst), source.addr, target.addr, has_beaten=has_beaten)
    answers = answering(forward, target)
    back = None
    if answers is not None:
        back = walk(network, answers, target.addr, source.addr, has_beaten=has_beaten)
    verdict, reason = _verdict(network, source, target, port, forward, back)
    return Reach(source, target, port, verdict, reason, forward, back)


def answering(forward: Path, target: Endpoint) -> Start | None:
    """Who answers, or would: the target where it is known, else whoever got the packet."""
    if target.node != ANYWHERE:
        return Start(target.node, target.inst)
    return Start(forward.node, forward.inst) if forward.is_delivered else None


def _verdict(
    network: Network, source: Endpoint, target: Endpoint, port: Port | None, forward: Path, back: Path | None
) -> tuple[str, str]:
    if not forward.is_delivered or back is None:
        return NOT_REACHABLE, forward.disposition.symbol
    if target.node != ANYWHERE and (forward.node, forward.inst) != (target.node, target.inst):
        return NOT_REACHABLE, OVERLAPPING_CIDR
    is_closed = port is not None and not is_open(network, forward.inst, port)
    if is_closed and port is not None and port[0] != PROTO_TCP:
        return NOT_REACHABLE, PORT_CLOSED  # an ICMP error, lost or not, is no answer
    if not back.is_delivered:
        return ONE_WAY, reason_of_return(back.disposition)
    if back.inst != source.inst:
        return ONE_WAY, OVERLAPPING_CIDR
    return (NOT_REACHABLE, PORT_CLOSED) if is_closed else (REACHABLE, "")


def is_open(network: Network, inst: int, port: Port) -> bool:
    """Whether the instance listens on the port; routers (-1) listen on none."""
    if inst < 0:
        return False
    inst_words = network.view.inst
    first = inst_words[inst * INST_WORDS + I_PORT]
    count = inst_words[inst * INST_WORDS + I_PORT_COUNT]
    return port[0] << 16 | port[1] in network.fib.port[first : first + count]
