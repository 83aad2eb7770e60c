"""What the verifier says becomes of a question: by proof, nothing is sent.

Three walks at most: where the packet goes; who answers, from which address; and whether the answer gets back, and
with which TTL. TTL and MTU come in where RFC 1812 has them: after lookup and permission, TTL first.
"""

from __future__ import annotations

from netsim.controlplane.fib_compiler import LinkName
from netsim.controlplane.peer_conn import SIDES
from netsim.dataplane.answer import error_source
from netsim.dataplane.disposition import FATES, NO_ERROR, Disposition
from netsim.dataplane.fib import K_MTU_BYTES, LINK_WORDS
from netsim.kernel.places import Places
from netsim.kernel.question import START_TTL, Outcome, Question
from netsim.prefix import format_addr
from netsim.verify.endpoint import ANYWHERE, Endpoint, instance_endpoint
from netsim.verify.network import Network
from netsim.verify.path import Path, PathHop, Start, start_at, walk
from netsim.verify.reach import judge

_REFUSALS = {"icmp": "echo reply", "udp": "3/3", "tcp": "rst"}


class Verifier:
    """Answers questions about one network; walks are kept, as many questions share one.

    Args:
        network: what is proven about; read only.
        places: what its nodes are called.
    """

    def __init__(self, network: Network, places: Places) -> None:
        self._network = network
        self._places = places
        self._walks: dict[tuple[Start, int, int], Path] = {}
        self._mtu_of = {
            conn.side(side).interface_id: int(
                network.view.link[network.link_of[LinkName(conn.id, side)] * LINK_WORDS + K_MTU_BYTES]
            )
            for conn in network.inventory.peer_conns.values()
            if conn.is_active
            for side in SIDES
        }

    def hops_between(self, source_id: str, dst: int) -> int:
        """How many routers forward a packet from this instance to an address."""
        return _forwards(self._forward(source_id, dst))

    def verdict(self, source_id: str, dst: int) -> str:
        """Reachable, one way or not reachable, as `netsim reach` says it."""
        source = instance_endpoint(self._network, source_id)
        return judge(self._network, source, Endpoint(format_addr(dst), dst, ANYWHERE, -1)).verdict

    def is_refused_in_pieces(self, question: Question) -> bool:
        """Whether it is cut on its way, and then a router refuses the pieces (3/0 or 3/1).

        NB: nft's `reject` verifies checksums first, which a piece of a UDP datagram can't pass: it stays silent there.
        """
        path = self._forward(question.source_id, question.dst)
        if question.df or path.disposition not in (Disposition.NO_ROUTE, Disposition.HOST_UNREACHABLE):
            return False
        return any(0 < self._mtu_bytes(hop) < question.size_bytes for hop in path.hops)

    def outcome(self, question: Question) -> Outcome:
        """Its fate, and that of what is said to it."""
        network = self._network
        path = self._forward(question.source_id, question.dst)
        fate, node, ttl, mtu_bytes = self._fate(path, question)
        arrived_at = self._at(path) if fate is path.disposition else ""
        there = Outcome(arrived_at, ttl) if arrived_at else Outcome()
        if fate is Disposition.DELIVERED:
            answer = self._answer(question, path)
            start = start_at(network, path.inst) if path.inst >= 0 else Start(path.node, -1)
            sender = question.dst
        else:
            code = FATES[fate].icmp
            answer = "" if code == NO_ERROR else f"{code[0]}/{code[1]}"
            start = Start(node, -1)
            if not path.hops:
                # In its own subnet: the sender itself finds that nobody is there, and says so to itself.
                where = self._places.instances[question.source_id]
                return there._replace(answer=answer, sender=question.src, answer_at=where, answer_ttl=START_TTL)
            sender = error_source(network.view.node, network.view.subnet, node, question.src)
        if not answer or not sender:
            return there
        back = self._walk(start, sender, question.src)
        # A router that makes a packet takes nothing off its TTL.
        if not self._at(back):
            return there
        return there._replace(
            answer=answer,
            sender=sender,
            answer_at=self._at(back),
            answer_ttl=START_TTL - _forwards(back) + (start.inst < 0),
            mtu_bytes=mtu_bytes,
        )

    def _answer(self, question: Question, path: Path) -> str:
        """What whoever got it says; nothing to a datagram that is taken."""
        if question.kind == "icmp" or not question.is_open or path.inst < 0:
            return _REFUSALS[question.kind]
        return "syn-ack" if question.kind == "tcp" else ""

    def _fate(self, path: Path, question: Question) -> tuple[Disposition, int, int, int]:
        """How and where it ends with its own TTL and size, the TTL it has then, and the MTU it is too large for."""
        network = self._network
        ttl = question.ttl
        for hop in path.hops[: _forwards(path)]:
            if ttl <= 1:
                return Disposition.TTL_EXPIRED, network.node_of[hop.vpc_id], ttl, 0
            ttl -= 1
            mtu_bytes = self._mtu_bytes(hop)
            if question.df and 0 < mtu_bytes < question.size_bytes:
                return Disposition.MTU_EXCEEDED, network.node_of[hop.vpc_id], ttl, mtu_bytes
        return path.disposition, path.node, ttl, 0

    def _mtu_bytes(self, hop: PathHop) -> int:
        """Of the connection by which a packet leaves there; 0 for another way."""
        rule = self._network.inventory.rules.get(hop.rule or "")
        return 0 if rule is None else self._mtu_of.get(rule.next_hop.target, 0)

    def _at(self, path: Path) -> str:
        if path.disposition is Disposition.EXITS_NETWORK:
            return path.delivered_to or ""
        if not path.is_delivered:
            return ""
        if path.inst >= 0:
            return self._places.instances[self._network.instance_ids[path.inst]]
        return self._places.routers[self._network.vpc_ids[path.node]]

    def _forward(self, source_id: str, dst: int) -> Path:
        start = start_at(self._network, self._network.inst_of[source_id])
        return self._walk(start, self._network.inventory.instances[source_id].addr, dst)

    def _walk(self, start: Start, src: int, dst: int) -> Path:
        key = (start, src, dst)
        if key not in self._walks:
            self._walks[key] = walk(self._network, start, src, dst)
        return self._walks[key]


def _forwards(path: Path) -> int:
    """How many routers take one off the TTL: all but the one where it ends, unless that sends it on or out."""
    goes_on = path.inst >= 0 or path.disposition is Disposition.EXITS_NETWORK
    return len(path.hops) if goes_on else max(0, len(path.hops) - 1)
