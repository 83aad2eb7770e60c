"""Random requests of three tenants and the operator: netsim and the plain cloud agree at every step."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from netsim.clock import FILE_RUN_START_NS, VirtualClock
from netsim.controlplane import edit as make
from netsim.controlplane.inventory import Inventory
from netsim.errors import RefusedError
from netsim.prefix import format_addr
from tests.controlplane.snapshot import snapshot
from tests.reference.plain_cloud import DAY_NS, PlainCloud, Request

TENANTS = ("anna", "ben", "cleo")
LIMITS = {
    "peer_connections_per_vpc": 2, "peer_connections_per_account": 3, "vpcs_per_region": 2, "subnets_per_vpc": 2,
    "routes_per_vpc": 3,
}  # fmt: skip
CIDRS = ("10.0.0.0/8", "10.1.0.0/16", "172.16.0.0/12", "192.168.0.0/24", "192.168.0.0/29", "8.0.0.0/8", "10.0.0.0/7")
SUBNETS = ("10.1.0.0/24", "10.1.0.0/28", "10.1.0.128/25", "192.168.0.0/28", "192.168.0.16/28", "192.168.0.0/30")
ADDRS = ("10.1.0.0", "10.1.0.1", "10.1.0.3", "10.1.0.130", "192.168.0.2", "192.168.0.3", "192.168.0.15", "10.1.0.255")
SOURCES = ("0.0.0.0/0", "10.1.0.0/24", "10.1.0.0/29", "192.168.0.0/28", "9.9.9.0/24")
DESTINATIONS = ("0.0.0.0/0", "10.1.0.0/24", "192.168.0.0/16", "8.8.8.0/24")
# Nearly every number in one draw, so that shrinking has little to do: which request, and indices for its choices.
DRAWS = st.tuples(st.integers(0, 22), st.integers(0, 9), *[st.integers(0, 40)] * 4)


PLAIN_EDITS: dict[str, Callable[[dict[str, Any]], make.Edit[Any]]] = {
    "create_vpc": lambda x: make.CreateVpc(x["name"], x["region"], x["cidr"], x["account"], x["relay"]),
    "delete_vpc": lambda x: make.DeleteVpc(x["vpc"]),
    "set_relay": lambda x: make.SetRelay(x["vpc"], x["relay"]),
    "create_subnet": lambda x: make.CreateSubnet(x["vpc"], x["name"], x["cidr"]),
    "delete_subnet": lambda x: make.DeleteSubnet(x["subnet"], x["vpc"]),
    "create_instance": lambda x: make.CreateInstance(x["name"], x["subnet"], x["addr"], x["vpc"]),
    "delete_instance": lambda x: make.DeleteInstance(f"{x['vpc']}/{x['instance']}"),
    "accept": lambda x: make.AcceptPeerConn(x["conn"]),
    "reject": lambda x: make.RejectPeerConn(x["conn"]),
    "delete_peer_conn": lambda x: make.DeletePeerConn(x["conn"]),
    "resize": lambda x: make.ResizePeerConn(x["conn"], x["mbps"]),
    "set_dns": lambda x: make.SetDnsSync(x["conn"], x["enabled"], x["side"]),
}


def pick(choices: Any, index: int) -> Any:
    choices = list(choices) or ["nobody"]
    return choices[index % len(choices)]


class TwoClouds(RuleBasedStateMachine):
    """The same requests to netsim and to the plain cloud."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock(FILE_RUN_START_NS)
        self.inventory = Inventory(limits=LIMITS, clock=self.clock)
        self.plain = PlainCloud(LIMITS, self.clock.now_ns)
        self.names = 0

    @initialize()
    def add_tenants(self) -> None:
        self.inventory.apply(*(make.CreateAccount(tenant) for tenant in TENANTS))
        for number in range(len(TENANTS)):
            self._ask([(0, 3, number, number % 2, 1, 1), (3, 3, number, 0, 0, 0)])
        self._ask([(9, 3, 0, 1, 1, 1)])  # anna asks ben, prepaid
        self._ask([(9, 3, 2, 1, 1, 0)])  # cleo asks ben

    @rule(draws=st.lists(DRAWS, min_size=1, max_size=4))
    def ask(self, draws: list[tuple[int, ...]]) -> None:
        self._ask(draws)

    @rule(draw=DRAWS)
    def ask_one(self, draw: tuple[int, ...]) -> None:
        self._ask([draw])

    @rule(days=st.sampled_from([1, 3, 7, 31]), extra_ns=st.sampled_from([-1, 0, 1]))
    def wait(self, days: int, extra_ns: int) -> None:
        later = self.clock.now_ns + days * DAY_NS + extra_ns
        self.clock.advance_to(later)
        self.plain.advance_to(later)
        self.inventory.tick()

    def _ask(self, draws: list[tuple[int, ...]]) -> None:
        """One apply of several edits by one actor; the first refusal undoes them all."""
        trial = deepcopy(self.plain)
        who = draws[0][1]
        actor = (*TENANTS, None)[who] if who < 4 else self._natural_actor(self._request(trial, None, draws[0], []))
        edits: list[make.Edit[Any]] = []
        refusals: set[str] = set()
        for draw in draws:
            request = self._request(trial, actor, draw, edits)
            edits.append(self._edit(request))
            refusals = trial.refusals(request)
            if refusals:
                break
            trial.do(request)
        before = snapshot(self.inventory)
        error = self._refusal_of(edits, actor)
        if error is None:
            assert not refusals, (refusals, edits)
            assert self.inventory.version == before["version"] + 1
            self.plain = trial
            return
        assert type(error).__name__ in refusals, (str(error), edits)
        assert error.edit_index == len(edits) - 1
        assert "\n" not in str(error) and ": " in str(error)
        assert error.field == "" or hasattr(edits[-1], error.field)
        assert snapshot(self.inventory) == before

    def _natural_actor(self, request: Request) -> str | None:
        """Who would ask that: the owner of what is named."""
        x, plain = request.arguments, self.plain
        if "conn" in x:
            if x["conn"] not in plain.conns:
                return None
            parties = plain.parties(plain.conns[x["conn"]])
            return parties[request.kind in ("accept", "reject") or x.get("side") == "peer"]
        vpc = plain.vpcs.get(x.get("vpc", x.get("local", "")))
        return vpc.account if vpc is not None else x.get("account")

    def _refusal_of(self, edits: list[make.Edit[Any]], actor: str | None) -> RefusedError | None:
        try:
            self.inventory.apply(*edits, account=actor)
        except RefusedError as error:
            return error
        return None

    def _request(
        self, cloud: PlainCloud, actor: str | None, draw: tuple[int, ...], earlier: list[make.Edit[Any]]
    ) -> Request:
        which, _, a, b, c, d = draw
        vpc = pick(cloud.vpcs, a)
        mine = cloud.vpcs.get(vpc)
        conn = pick(cloud.conns, a)
        old = self.plain.vpcs.get(vpc)
        source, destination = pick(old.rules, b) if old is not None and old.rules else ("none", "none")
        if any(isinstance(edit, make.CreateRoute) for edit in earlier):
            source = "none"  # a rule made in this very apply has no id that could be named yet
        self.names += 1
        new = f"n{self.names}"
        kinds: list[tuple[str, dict[str, Any]]] = [
            ("create_vpc", {"name": new, "account": pick(TENANTS, a), "region": pick(("bj", "gz"), b),
                            "cidr": pick(CIDRS, c), "relay": d % 3 == 0}),
            ("delete_vpc", {"vpc": vpc}),
            ("set_relay", {"vpc": vpc, "relay": b % 2 == 0}),
            ("create_subnet", {"vpc": vpc, "name": new, "cidr": pick(SUBNETS, b)}),
            ("delete_subnet", {"vpc": vpc, "subnet": pick(mine.subnets if mine else (), b)}),
            ("create_instance", {"vpc": vpc, "subnet": pick(mine.subnets if mine else (), b), "name": new,
                                 "addr": pick(ADDRS, c)}),
            ("delete_instance", {"vpc": vpc, "instance": pick(mine.instances if mine else (), b)}),
            ("create_route", {"vpc": vpc, "source": pick(SOURCES, b), "destination": pick(DESTINATIONS, c),
                              "next_hop": pick(("blackhole", *(f"if-{name}" for name in self.plain.conns)), d)}),
            ("delete_route", {"vpc": vpc, "source": source, "destination": destination}),
            ("create_peer_conn", {"local": vpc, "peer": pick(self.plain.vpcs, b), "name": new,
                                  "mbps": pick((1, 100, 1000, 1001, 0), c),
                                  "payment": pick(("postpaid", "prepaid"), d)}),
            ("accept", {"conn": conn}),
            ("reject", {"conn": conn}),
            ("delete_peer_conn", {"conn": conn}),
            ("resize", {"conn": conn, "mbps": pick((1, 100, 200, 1000, 1001), b)}),
            ("set_dns", {"conn": conn, "side": pick(("local", "peer"), b), "enabled": c % 3 > 0}),
        ]  # fmt: skip
        # Connections and routes are what it is all about.
        kind, arguments = [*kinds, kinds[7], kinds[8], *kinds[9:]][which]
        return Request(actor, kind, arguments)

    def _edit(self, request: Request) -> make.Edit[Any]:
        x = request.arguments
        if request.kind == "create_route":
            next_hop = self._next_hop(x["vpc"], x["next_hop"])
            return make.CreateRoute(x["vpc"], x["source"], x["destination"], next_hop)
        if request.kind == "delete_route":
            return make.DeleteRoute(self._rule_id(x["vpc"], x["source"], x["destination"]))
        if request.kind == "create_peer_conn":
            return self._create_peer_conn(request)
        return PLAIN_EDITS[request.kind](x)

    def _create_peer_conn(self, request: Request) -> make.CreatePeerConn:
        x = request.arguments
        known = self.plain.vpcs.get(x["peer"])
        # Another's VPC is named by id and account, as a tenant has to.
        peer = self.inventory.vpc(x["peer"]).id if known is not None else x["peer"]
        return make.CreatePeerConn(
            x["local"],
            peer,
            x["mbps"],
            x["name"],
            payment=x["payment"],
            peer_account=known.account if known is not None else None,
        )

    def _next_hop(self, vpc: str, next_hop: str) -> str:
        """The interface id of the connection on the side of this VPC, or on any if it has none there."""
        if next_hop == "blackhole":
            return next_hop
        conn = self.inventory.peer_conn(next_hop.removeprefix("if-"))
        is_peer = vpc in self.plain.vpcs and conn.peer.vpc_id == self.inventory.vpc(vpc).id
        return conn.peer.interface_id if is_peer else conn.local.interface_id

    def _rule_id(self, vpc: str, source: str, destination: str) -> str:
        if vpc in self.plain.vpcs:
            for each in self.inventory.rules_of(vpc):
                if (str(each.source), str(each.destination)) == (source, destination):
                    return each.id
        return "rr-none"

    # -------------------------------------------------------------- agreement

    @invariant()
    def vpcs_agree(self) -> None:
        inventory, plain = self.inventory, self.plain
        assert [vpc.name for vpc in inventory.vpcs.values()] == list(plain.vpcs)
        for vpc in inventory.vpcs.values():
            other = plain.vpcs[vpc.name]
            assert (vpc.account, vpc.region, str(vpc.cidr), vpc.relay) == (
                other.account, other.region, str(other.cidr), other.relay,
            )  # fmt: skip
            assert [(s.name, str(s.cidr)) for s in inventory.subnets_of(vpc.id)] == [
                (name, str(cidr)) for name, cidr in other.subnets.items()
            ]
            assert [(i.name, inventory.subnet(i.subnet_id).name, format_addr(i.addr))
                    for i in inventory.instances_of(vpc.id)] == [
                (name, subnet, str(addr)) for name, (subnet, addr) in other.instances.items()
            ]  # fmt: skip
            rules = {(str(r.source), str(r.destination)): r.next_hop for r in inventory.rules_of(vpc.id)}
            assert list(rules) == list(other.rules)
            for pair, next_hop in rules.items():
                conn = inventory.conn_of_interface(next_hop.target)
                wanted = other.rules[pair].removeprefix("if-")
                assert next_hop.kind == ("blackhole" if wanted == "blackhole" else "peer")
                # A rule outlives its connection, and then discards.
                assert (conn.name if conn else None) == (wanted if wanted in plain.conns else None)

    @invariant()
    def connections_agree(self) -> None:
        conns = self.inventory.peer_conns.values()
        assert [conn.name for conn in conns] == list(self.plain.conns)
        for conn in conns:
            other = self.plain.conns[conn.name]
            assert (conn.state, conn.bandwidth_mbps, conn.payment, conn.deadline_ns) == (
                other.state, other.mbps, other.payment, other.deadline_ns,
            )  # fmt: skip
            assert {"local": conn.local.dns_sync, "peer": conn.peer.dns_sync} == other.dns

    @invariant()
    def quotas_hold(self) -> None:
        conns = list(self.inventory.peer_conns.values())
        assert len({frozenset((c.local.vpc_id, c.peer.vpc_id)) for c in conns}) == len(conns)
        for tenant in TENANTS:
            assert sum(c.local.account == tenant for c in conns) <= LIMITS["peer_connections_per_account"]
        for vpc in self.inventory.vpcs:
            assert sum(vpc in (c.local.vpc_id, c.peer.vpc_id) for c in conns) <= LIMITS["peer_connections_per_vpc"]
            assert len(self.inventory.subnets_of(vpc)) <= LIMITS["subnets_per_vpc"]
            assert len(self.inventory.rules_of(vpc)) <= LIMITS["routes_per_vpc"]

    @invariant()
    def tenants_see_their_own(self) -> None:
        for tenant in TENANTS:
            view = self.inventory.visible_to(tenant)
            own = [vpc.name for vpc in self.plain.vpcs.values() if vpc.account == tenant]
            assert [vpc.name for vpc in view.vpcs.values()] == own
            assert [subnet.name for subnet in view.subnets.values()] == [
                s.name for s in self.inventory.subnets.values() if self.inventory.vpc(s.vpc_id).account == tenant
            ]
            assert [c.name for c in view.peer_conns.values()] == [
                name for name, c in self.plain.conns.items() if tenant in self.plain.parties(c)
            ]
            assert set(view.rules) == {rule.id for vpc in own for rule in self.inventory.rules_of(vpc)}


TwoClouds.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestTwoClouds = TwoClouds.TestCase
TestTwoClouds = pytest.mark.slow(TestTwoClouds)
