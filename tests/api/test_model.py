"""Random requests of three tenants in two regions over the signed API, and a plain cloud beside it.

Every answer is what the plain cloud says it is: granted, or refused for a reason it knows of, with that reason's
status and code. After it all listings agree. Now and then days go by, or the server is started anew.
"""

from __future__ import annotations

import os
import random  # noqa: TID251 - seeded, to choose requests
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netsim.store.check import check_database
from netsim.units import NS_PER_DAY
from tests.api.wire import Answer, Wire
from tests.reference.plain_cloud import PlainCloud, PlainConn, Request

IS_LONG = os.environ.get("NETSIM_LONG") == "1"
RUNS, STEPS = (300, 100) if IS_LONG else (40, 60)
TENANTS = ("anna", "ben", "cleo")
REGIONS = ("bj", "gz")
LIMITS = {
    "peer_connections_per_vpc": 3, "peer_connections_per_account": 3, "vpcs_per_region": 2, "subnets_per_vpc": 2,
    "routes_per_vpc": 3,
}  # fmt: skip
VPCS = ("10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/16", "192.168.0.0/24", "192.168.0.0/29", "8.0.0.0/8")
SUBNETS = ("10.1.0.0/24", "10.1.0.0/28", "10.1.0.128/25", "192.168.0.0/28", "192.168.0.16/28", "192.168.0.0/30")
ADDRS = ("10.1.0.0", "10.1.0.3", "10.1.0.4", "10.1.0.5", "10.1.0.130", "192.168.0.3", "192.168.0.15", "10.1.0.255")
SOURCES = ("0.0.0.0/0", "0.0.0.0/0", "10.1.0.0/24", "192.168.0.0/28", "9.9.9.0/24")
DESTINATIONS = ("0.0.0.0/0", "10.1.0.0/24", "192.168.0.0/16", "8.8.8.0/24")
ANSWERS = {
    "NotFoundError": (404, "NoSuchObject"), "QuotaError": (413, "LimitExceeded"), "InvalidError": (400, "BadRequest"),
    "StateError": (409, "OperationDenied"), "ConflictError": (409, "OperationDenied"),
}  # fmt: skip
CONFLICTS = {"delete_vpc": "ResourceNeedRelease", "create_subnet": "CidrConflict"}
ROLES = {"local": "initiator", "peer": "acceptor"}
NOBODY = {"vpc": "vpc-00000000", "sbn": "sbn-00000000", "i": "i-00000000", "conn": "peerconn-000000000000"}
KINDS = (
    "create_vpc", "create_vpc", *["delete_vpc"] * 2, "set_relay", "create_subnet", "create_subnet", "delete_subnet",
    "create_instance", "delete_instance", *["create_route"] * 3, "delete_route", *["create_peer_conn"] * 5,
    "accept", "accept", "reject", "delete_peer_conn", "resize", "set_dns", "set_dns",
)  # fmt: skip


class Run:
    """A server, a plain cloud, and what is called what where: names in the plain cloud, ids on the wire."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.path = folder / f"{seed}.db"
        self.random = random.Random(seed)
        self.wire = Wire(self.path, TENANTS, speed=0, seed=seed, limits=LIMITS)
        self.plain = PlainCloud(LIMITS, self.now_ns)
        self.ids: dict[str, str] = {}
        self.names = 0
        for account in TENANTS:
            for region in REGIONS:
                name = f"{account}-{region}"
                vpc = {"name": name, "account": account, "region": region, "cidr": "10.1.0.0/16", "relay": False}
                self.send(Request(account, "create_vpc", vpc), region)
                subnet = {"vpc": name, "name": f"{name}-s", "cidr": "10.1.0.0/24"}
                self.send(Request(account, "create_subnet", subnet), region)
        for number, (local, peer) in enumerate([("anna-bj", "ben-gz"), ("cleo-gz", "anna-gz"), ("ben-bj", "ben-gz")]):
            conn = {"local": local, "peer": peer, "name": f"c{number}", "mbps": 100, "payment": "postpaid"}
            self.send(Request(local.partition("-")[0], "create_peer_conn", conn), local.partition("-")[2])

    @property
    def now_ns(self) -> int:
        return self.wire.service.read(lambda emulator: emulator.inventory.clock.now_ns)

    def step(self) -> None:
        chance = self.random.random()
        if chance < 0.02:
            self.wire.close()
            assert check_database(self.path) == []
            self.wire = Wire(self.path, TENANTS, speed=0)
            self.plain.advance_to(self.now_ns)
        elif chance < 0.07:
            self.wire.service.advance_control_clock(self.random.choice([1, 3, 7, 31]) * NS_PER_DAY)
            self.plain.advance_to(self.now_ns)
        else:
            self.send(*self.chosen())

    # -- a request ------------------------------------------------------------------------------

    def send(self, request: Request, region: str) -> None:
        assert request.actor is not None
        refusals = self.plain.refusals(request)
        if self.is_elsewhere(request, region):
            refusals = {"NotFoundError"}
        method, path, query, body = getattr(self, f"_{request.kind}")(**request.arguments)
        answer = self.wire.ask(request.actor, method, path, query, body, region)
        if not refusals:
            assert answer.status == 200, (request, region, answer)
            self.plain.do(request)
            self.note(request, answer)
            return
        expected = {ANSWERS[name] for name in refusals}
        if "ConflictError" in refusals and request.kind in CONFLICTS:
            expected = expected - {ANSWERS["ConflictError"]} | {(409, CONFLICTS[request.kind])}
        assert (answer.status, answer.code) in expected, (request, region, refusals, answer)

    def note(self, request: Request, answer: Answer) -> None:
        """Remember the id of what was made."""
        if request.kind.startswith("create_"):
            said = answer.json
            x = request.arguments
            name = x.get("name") or f"{x['vpc']} {x['source']} {x['destination']}"
            self.ids[name] = said.get("instanceId") or next(iter(said.values()))
        if request.kind == "create_peer_conn":
            name = request.arguments["name"]
            conn = self.plain.conns[name]
            region = self.plain.vpcs[conn.local].region
            for side, role in ROLES.items():
                shown = self.wire.must(request.actor, "GET", f"/v1/peerconn/{self.ids[name]}", {"role": role},
                                       region=region)  # fmt: skip
                self.ids[f"{name} {side}"] = shown["localIfId"]

    def pick(self, choices: Any) -> Any:
        return self.random.choice(list(choices) or ["nobody"])

    def chosen(self) -> tuple[Request, str]:
        """A request of somebody, mostly of who would ask that, and the region it goes to."""
        kind, plain = self.pick(KINDS), self.plain
        self.names += 1
        new, vpc, conn = f"n{self.names}", self.pick(plain.vpcs), self.pick(plain.conns)
        mine = plain.vpcs.get(vpc)
        rule = self.pick(mine.rules) if mine is not None and mine.rules else ("none", "none")
        stranger = self.pick(TENANTS)
        arguments: dict[str, Callable[[], dict[str, Any]]] = {
            "create_vpc": lambda: {"name": new, "account": stranger, "region": self.pick(REGIONS),
                                   "cidr": self.pick(VPCS), "relay": False},
            "delete_vpc": lambda: {"vpc": vpc},
            "set_relay": lambda: {"vpc": vpc, "relay": self.pick((True, False))},
            "create_subnet": lambda: {"vpc": vpc, "name": new, "cidr": self.pick(SUBNETS)},
            "delete_subnet": lambda: {"vpc": vpc, "subnet": self.pick(mine.subnets if mine else ())},
            "create_instance": lambda: {"vpc": vpc, "subnet": self.pick(mine.subnets if mine else ()), "name": new,
                                        "addr": self.pick(ADDRS)},
            "delete_instance": lambda: {"vpc": vpc, "instance": self.pick(mine.instances if mine else ())},
            "create_route": lambda: {"vpc": vpc, "source": self.pick(SOURCES), "destination": self.pick(DESTINATIONS),
                                     "next_hop": self.pick(("blackhole", *(f"if-{name}" for name in self.near(vpc))))},
            "delete_route": lambda: {"vpc": vpc, "source": rule[0], "destination": rule[1]},
            "create_peer_conn": lambda: {"local": vpc, "peer": self.pick(plain.vpcs), "name": new,
                                         "mbps": self.pick((1, 10, 100, 500, 1000, 1001, 0)),
                                         "payment": self.pick(("postpaid", "postpaid", "prepaid"))},
            "resize": lambda: {"conn": conn, "mbps": self.pick((1, 100, 200, 1000, 1001))},
            "set_dns": lambda: {"conn": conn, "side": self.pick(ROLES), "enabled": self.pick((True, True, False))},
        }  # fmt: skip
        x = arguments.get(kind, lambda: {"conn": conn})()
        owner = region = ""
        if kind == "create_vpc":
            owner, region = x["account"], x["region"]
        elif "conn" in x and conn in plain.conns:
            side = plain.conns[conn].peer if kind in ("accept", "reject") or x.get("side") == "peer" else (
                plain.conns[conn].local)  # fmt: skip
            owner, region = plain.vpcs[side].account, plain.vpcs[side].region
        elif (home := plain.vpcs.get(x.get("vpc") or x.get("local", ""))) is not None:
            owner, region = home.account, home.region
        actor = owner if owner and (kind == "create_vpc" or self.random.random() < 0.85) else stranger
        if not region or (kind != "create_vpc" and self.random.random() < 0.05):
            region = self.pick(REGIONS)
        return Request(actor, kind, x), region

    def near(self, vpc: str) -> list[str]:
        """Connections, mostly of a VPC."""
        conns = self.plain.conns
        own = [name for name, conn in conns.items() if vpc in (conn.local, conn.peer)]
        return own if own and self.random.random() < 0.8 else list(conns)

    def is_elsewhere(self, request: Request, region: str) -> bool:
        """Whether the region that is asked has nothing of the actor's that is named."""
        x, plain = request.arguments, self.plain
        if "conn" in x:
            conn = plain.conns.get(x["conn"])
            homes = [plain.vpcs[name] for name in (conn.local, conn.peer)] if conn is not None else []
            return (request.actor, region) not in {(home.account, home.region) for home in homes}
        home = plain.vpcs.get(x.get("vpc") or x.get("local", ""))
        return home is not None and home.region != region

    # -- as the wire says it --------------------------------------------------------------------

    def _id(self, kind: str, name: str) -> str:
        return self.ids.get(name, NOBODY[kind])

    def _create_vpc(self, name: str, account: str, region: str, cidr: str, relay: bool) -> Any:
        del account, region, relay
        return "POST", "/v1/vpc", {"clientToken": name}, {"name": name, "cidr": cidr}

    def _delete_vpc(self, vpc: str) -> Any:
        return "DELETE", f"/v1/vpc/{self._id('vpc', vpc)}", {}, None

    def _set_relay(self, vpc: str, relay: bool) -> Any:
        return "PUT", f"/v1/vpc/{'openRelay' if relay else 'shutdownRelay'}/{self._id('vpc', vpc)}", {}, None

    def _create_subnet(self, vpc: str, name: str, cidr: str) -> Any:
        region = self.plain.vpcs[vpc].region if vpc in self.plain.vpcs else "bj"
        body = {"name": name, "cidr": cidr, "vpcId": self._id("vpc", vpc), "zoneName": f"cn-{region}-a"}
        return "POST", "/v1/subnet", {"clientToken": name}, body

    def _delete_subnet(self, vpc: str, subnet: str) -> Any:
        del vpc
        return "DELETE", f"/v1/subnet/{self._id('sbn', subnet)}", {}, None

    def _create_instance(self, vpc: str, subnet: str, name: str, addr: str) -> Any:
        del vpc
        return "POST", "/netsim/v1/instance", {}, {"name": name, "subnetId": self._id("sbn", subnet), "ip": addr}

    def _delete_instance(self, vpc: str, instance: str) -> Any:
        del vpc
        return "DELETE", f"/netsim/v1/instance/{self._id('i', instance)}", {}, None

    def _table(self, vpc: str) -> str:
        if vpc not in self.plain.vpcs:
            return "rt-00000000"
        home = self.plain.vpcs[vpc]
        answer = self.wire.must(home.account, "GET", "/v1/route", {"vpcId": self.ids[vpc]}, region=home.region)
        return str(answer["routeTableId"])

    def _create_route(self, vpc: str, source: str, destination: str, next_hop: str) -> Any:
        hop = {"nexthopType": "blackhole", "nexthopId": ""}
        if next_hop != "blackhole":
            name = next_hop.removeprefix("if-")
            side = "peer" if self.plain.conns[name].peer == vpc else "local"
            hop = {"nexthopType": "peerConn", "nexthopId": self.ids[f"{name} {side}"]}
        body = {"routeTableId": self._table(vpc), "sourceAddress": source, "destinationAddress": destination, **hop}
        return "POST", "/v1/route/rule", {}, body

    def _delete_route(self, vpc: str, source: str, destination: str) -> Any:
        rule = self.ids.get(f"{vpc} {source} {destination}", "rr-00000000")
        return "DELETE", f"/v1/route/rule/{rule}", {}, None

    def _create_peer_conn(self, local: str, peer: str, name: str, mbps: int, payment: str) -> Any:
        there = self.plain.vpcs.get(peer)
        body = {
            "bandwidthInMbps": mbps, "localVpcId": self._id("vpc", local), "peerVpcId": self._id("vpc", peer),
            "peerRegion": there.region if there else "bj", "billing": {"paymentTiming": payment.capitalize()},
            "peerAccountId": there.account if there else "anna", "description": name,
        }  # fmt: skip
        return "POST", "/v1/peerconn", {"clientToken": name}, body

    def _conn(self, conn: str, flag: str, body: Any = None, **query: str) -> Any:
        return "PUT", f"/v1/peerconn/{self._id('conn', conn)}", {flag: "", **query}, body

    def _accept(self, conn: str) -> Any:
        return self._conn(conn, "accept")

    def _reject(self, conn: str) -> Any:
        return self._conn(conn, "reject")

    def _delete_peer_conn(self, conn: str) -> Any:
        return "DELETE", f"/v1/peerconn/{self._id('conn', conn)}", {}, None

    def _resize(self, conn: str, mbps: int) -> Any:
        return self._conn(conn, "resize", {"newBandwidthInMbps": mbps})

    def _set_dns(self, conn: str, side: str, enabled: bool) -> Any:
        return self._conn(conn, "open" if enabled else "close", role=ROLES[side])

    # -- agreement ------------------------------------------------------------------------------

    def agree(self) -> None:
        for account in TENANTS:
            for region in REGIONS:
                self.agree_about(account, region)

    def agree_about(self, account: str, region: str) -> None:
        """All that an account sees in a region, against the plain cloud."""

        def listed(path: str, member: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = self.wire.must(account, "GET", path, region=region)[member]
            return found

        plain = self.plain
        own = {name: vpc for name, vpc in plain.vpcs.items() if (vpc.account, vpc.region) == (account, region)}
        assert [(v["name"], v["vpcId"], v["cidr"], v["relay"]) for v in listed("/v1/vpc", "vpcs")] == [
            (name, self.ids[name], str(vpc.cidr), vpc.relay) for name, vpc in own.items()
        ]
        subnets = {(s["name"], s["cidr"], s["vpcId"]) for s in listed("/v1/subnet", "subnets")}
        assert subnets == {
            (name, str(cidr), self.ids[vpc.name]) for vpc in own.values() for name, cidr in vpc.subnets.items()
        }
        instances = {(i["name"], i["ip"], i["vpcId"]) for i in listed("/netsim/v1/instance", "instances")}
        assert instances == {
            (name, str(addr), self.ids[vpc.name]) for vpc in own.values() for name, (_, addr) in vpc.instances.items()
        }
        for name, vpc in own.items():
            table = self.wire.must(account, "GET", "/v1/route", {"vpcId": self.ids[name]}, region=region)
            rules = [(r["sourceAddress"], r["destinationAddress"]) for r in table["routeRules"][1:]]
            assert rules == list(vpc.rules)
        seen = [
            (c["peerConnId"], c["role"], c["status"], c["bandwidthInMbps"], c["paymentTiming"], c["dnsStatus"])
            for c in listed("/v1/peerconn", "peerConns")
        ]
        assert seen == [
            row for conn in plain.conns.values() for row in self.sides(conn, account, region)
        ], (account, region)  # fmt: skip

    def sides(self, conn: PlainConn, account: str, region: str) -> list[tuple[Any, ...]]:
        """The rows of a connection in an account's listing of a region."""
        homes = {"local": self.plain.vpcs[conn.local], "peer": self.plain.vpcs[conn.peer]}
        return [
            (self.ids[conn.name], role, conn.state, conn.mbps, conn.payment.capitalize(),
             "open" if conn.dns[side] else "close")
            for side, role in ROLES.items()
            if (homes[side].account, homes[side].region) == (account, region)
        ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, RUNS, 10))
def test_the_api_does_what_the_plain_cloud_does(tmp_path: Path, first: int) -> None:
    for seed in range(first, first + 10):
        run = Run(tmp_path, seed)
        try:
            for _ in range(STEPS):
                run.step()
                run.agree_about(run.pick(TENANTS), run.pick(REGIONS))
            run.agree()
        finally:
            run.wire.close()
        assert check_database(run.path) == []
