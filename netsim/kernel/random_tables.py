"""Random VPCs with route tables that leave no trap out: made from a seed, for comparing lookups.

Each has 1 to 40 rules: prefixes of every length from /0 to /32 nested into each other, source segments inside one
another, blackholes, gateways, connections that are not active. Most prefixes come from a few addresses, so that they
cover each other; an address to ask for is the first, the last or a neighbour of one of them as often as not.
"""

from __future__ import annotations

import contextlib

import numpy as np

from netsim.controlplane import edit as e
from netsim.controlplane.inventory import Inventory
from netsim.errors import RefusedError
from netsim.prefix import ANY, MAX_ADDR, Prefix, parse_prefix, prefix_of

PEERS = 4
"""VPCs that every other one has a connection to; the last one's have expired."""

MAX_RULES = 40
CIDR = parse_prefix("10.64.0.0/16")
_UNUSABLE = (0, 127)
"""First octets that no router forwards to or from, as 224 and above."""


class RandomTables:
    """`n` VPCs with random tables, in one inventory.

    Attributes:
        inventory: all of it; research limits.
        vpc_ids: the VPCs with the tables.
    """

    def __init__(self, n: int, seed: int) -> None:
        self._rng = np.random.Generator(np.random.PCG64(seed))
        self.inventory = Inventory("research", seed=seed)
        self.inventory.apply(e.CreateAccount("acme"))
        for k in range(PEERS):
            self.inventory.apply(e.CreateVpc(f"p{k}", "gz", f"172.{16 + k}.0.0/16", "acme"))
        self.vpc_ids = [self._vpc(k) for k in range(n)]

    def questions(self, vpc_id: str, n: int) -> list[tuple[int, int]]:
        """`n` pairs (source, destination) to look up in a VPC's table; no two in a row are equal."""
        rules = self.inventory.rules_of(vpc_id)
        subnets = self.inventory.subnets_of(vpc_id)
        hosts = [instance.addr for instance in self.inventory.instances_of(vpc_id)]
        hosts += [addr for subnet in subnets for addr in (subnet.router_addr, subnet.resolver_addr)]
        own = [prefix_of(addr, 32) for addr in hosts] + [subnet.cidr for subnet in subnets]
        sources = [rule.source for rule in rules] + own
        destinations = [rule.destination for rule in rules] + [*own, CIDR]
        return [(self._near(sources), self._near(destinations)) for _ in range(n)]

    def _vpc(self, k: int) -> str:
        # Every other one is a relay, whose rules may have any source.
        vpc = self.inventory.apply(e.CreateVpc(f"t{k}", "bj", CIDR, "acme", relay=k % 2 == 0))
        for s in range(2):
            self.inventory.apply(e.CreateSubnet(vpc.id, f"s{s}", prefix_of(CIDR.network | s << 8, 24)))
            self.inventory.apply(e.CreateInstance(f"i{s}", f"{vpc.id}/s{s}", CIDR.network | s << 8 | 10))
        for p in range(PEERS):
            state, payment = ("expired", "prepaid") if p == PEERS - 1 else ("active", "postpaid")
            self.inventory.apply(
                e.CreatePeerConn(
                    vpc.id, f"p{p}", 100, f"t{k}-p{p}", f"to-p{p}", f"to-t{k}", state=state, payment=payment
                )
            )
        roots = [self._addr() for _ in range(1 + self._number(4))]
        for _ in range(1 + self._number(MAX_RULES)):
            self._rule(vpc.id, vpc.relay, roots)
        return vpc.id

    def _rule(self, vpc_id: str, is_relay: bool, roots: list[int]) -> None:
        destination = self._prefix(roots)
        source = ANY
        if self._number(100) < 60:
            home = CIDR.network | self._number(2) << 8 | self._number(256)
            source = self._prefix(roots) if is_relay and self._number(2) else prefix_of(home, 24 + self._number(9))
        kind = self._number(100)
        hop = f"to-p{self._number(PEERS)}" if kind < 75 else "blackhole" if kind < 90 else f"gateway:g{kind % 2}"
        # Refused where it overlaps the VPC's own range, or the pair is taken: one rule less.
        with contextlib.suppress(RefusedError):
            self.inventory.apply(e.CreateRoute(vpc_id, source, destination, hop))

    def _prefix(self, roots: list[int]) -> Prefix:
        """Around one of a few addresses, or somewhere."""
        kind = self._number(100)
        if kind < 6:
            return ANY
        addr = roots[self._number(len(roots))] if kind < 80 else self._addr()
        return prefix_of(addr ^ self._number(4), 32 if kind % 10 == 0 else 1 + self._number(32))

    def _near(self, prefixes: list[Prefix]) -> int:
        """An address inside one of the prefixes, on its edge, or right beside it."""
        while True:
            prefix = prefixes[self._number(len(prefixes))]
            where = self._number(6)
            inside = prefix.first + self._number(prefix.size)
            addr = (inside, prefix.first, prefix.last, prefix.first - 1, prefix.last + 1, self._addr())[where]
            if 0 <= addr <= MAX_ADDR and addr >> 24 < 224 and addr >> 24 not in _UNUSABLE:
                return addr

    def _addr(self) -> int:
        """One that a router forwards to."""
        while True:
            addr = int(self._rng.integers(1 << 24, 224 << 24))
            if addr >> 24 not in _UNUSABLE:
                return addr

    def _number(self, n: int) -> int:
        return int(self._rng.integers(n))
