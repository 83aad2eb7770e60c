"""Packets flow while the SDK accepts, resizes, routes and deletes: each change shows, no packet is unaccounted for.

The state of the engine is asked over the wire, as an operator would; what is in flight is counted there, not
what is left over.
"""

from __future__ import annotations

import random  # noqa: TID251 - seeded, to choose changes
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from baidubce.exception import BceHttpClientError
from baidubce.services.vpc import peerconn_model

from netsim.api.client import Client
from netsim.units import NS_PER_S
from tests.sdk.cloud import Cloud, Tenant
from tests.sdk.test_live import Pair, eventually

POSTPAID = peerconn_model.Billing("Postpaid")
PACKET_BYTES = 1000
LEAST_CHANGES = 8


class World:
    """acme's shop in Beijing asks for a connection to data-team's VPC in Guangzhou; nobody has answered yet."""

    def __init__(self, cloud: Cloud, mbps: int, payment: str = "Postpaid") -> None:
        self.cloud = cloud
        self.acme, self.data_team = cloud.tenant("acme"), cloud.tenant("data-team", "gz")
        url = f"http://127.0.0.1:{cloud.port}"
        self.operator = Client(url, operator_token="operator-token")
        self.own = Client(url, "ak-acme", "sk-acme", region="bj")
        self.theirs = Client(url, "ak-data-team", "sk-data-team", region="gz")
        self.shop = self.acme.network("shop", "10.0.0.0/16")
        self.data = self.data_team.network("data", "10.1.0.0/16")
        self.web = self.instance(self.own, self.acme, self.shop)
        self.db = self.instance(self.theirs, self.data_team, self.data)
        self.conn = str(
            self.acme.peer.create_peerconn(
                mbps, self.shop, self.data, "gz", billing=peerconn_model.Billing(payment), peer_account_id="data-team"
            ).peer_conn_id
        )
        self.route(self.acme, self.shop, "10.1.0.0/16", "initiator")
        self.route(self.data_team, self.data, "10.0.0.0/16", "acceptor")

    @staticmethod
    def instance(client: Client, tenant: Tenant, vpc: str) -> dict[str, Any]:
        subnet = tenant.subnet.list_subnets(vpc_id=vpc).subnets[0].subnet_id
        return client.call("POST", "/netsim/v1/instance", body={"name": "host", "subnetId": subnet})

    def route(self, tenant: Tenant, vpc: str, destination: str, role: str) -> str:
        interface = tenant.peer.get_peerconn(self.conn, role=role).local_if_id
        table = tenant.table_of(vpc)
        return str(tenant.route.create_route(table, "0.0.0.0/0", destination, "peerConn", "", interface).route_rule_id)

    def step(self, seconds: int) -> dict[str, Any]:
        """Packets move for so long; every one is accounted for. Packets by fate."""
        self.operator.call("POST", "/netsim/v1/operator/clock", body={"stepS": seconds})
        return self.packets()

    def packets(self) -> dict[str, Any]:
        packets: dict[str, Any] = self.operator.call("GET", "/netsim/v1/operator/state")["packets"]
        assert packets["injected"] == sum(packets["ended"].values()) + packets["in_flight"], packets
        return packets

    def monitored(self, metric: str, statistic: str, tenant: Tenant) -> list[float]:
        now_s = self.cloud.service.read(lambda emulator: emulator.inventory.clock.now_ns) // NS_PER_S
        start, end = (
            datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at in (now_s - 3600, now_s + 60)
        )
        answer = tenant.monitor.get_metric_data(
            user_id=tenant.account, scope="BCE_PEERCONN", metric_name=metric, dimensions=f"InstanceId:{self.conn}",
            statistics=statistic, start_time=start, end_time=end, period_in_second=60,
        )  # fmt: skip
        return [getattr(point, statistic) for point in answer.data_points]


def difference(later: dict[str, Any], earlier: dict[str, Any]) -> dict[str, int]:
    """How many packets came to which fate in between."""
    ended, before = later["ended"], earlier["ended"]
    return {fate: n for fate in ended if (n := ended[fate] - before.get(fate, 0))}


@pytest.mark.slow
def test_a_flow_follows_each_change_and_the_monitoring_at_the_next_sample(cloud: Cloud) -> None:
    world = World(cloud, mbps=10)
    cloud.service.real.set_speed(0)
    flow = {"from": world.web["instanceId"], "to": world.db["ip"], "rateMbps": 8, "packetBytes": PACKET_BYTES}
    flow_id = world.own.call("POST", "/netsim/v1/flow", body={**flow, "durationS": 600})["flowId"]
    a_minute = 8_000_000 // 8 // PACKET_BYTES * 60

    asked = world.step(60)
    assert difference(asked, {"ended": {}}) == {"bad_state_route": a_minute}  # it is not accepted yet
    world.data_team.peer.handle_peerconn(world.conn, "accept")
    accepted = world.step(60)
    assert difference(accepted, asked)["delivered"] == pytest.approx(a_minute, rel=0.001)
    assert world.monitored("WebOutBitsPerSecond", "average", world.acme)[-1] > 0

    world.acme.peer.resize_peerconn(world.conn, 4)
    narrowed = world.step(120)
    assert difference(narrowed, accepted)["delivered"] == pytest.approx(a_minute, rel=0.01)  # half, for two minutes
    assert difference(narrowed, accepted)["queue_full"] == pytest.approx(a_minute, rel=0.01)
    assert max(world.monitored("WebOutUtilityRate", "maximum", world.acme)[-2:]) == pytest.approx(100, rel=0.02)
    world.acme.peer.resize_peerconn(world.conn, 1000)
    widened = world.step(60)
    assert "queue_full" not in difference(widened, narrowed)

    rule = world.acme.route.get_route(vpc_id=world.shop).route_rules[1].route_rule_id
    world.acme.route.delete_route(rule)
    astray = world.step(30)
    assert set(difference(astray, widened)) <= {"no_route", "delivered"}
    assert difference(astray, widened)["no_route"] >= a_minute // 2  # and an answer goes back to the sender
    world.route(world.acme, world.shop, "10.1.0.0/24", "initiator")
    back = world.step(30)
    assert difference(back, astray)["delivered"] == pytest.approx(a_minute // 2, rel=0.001)
    world.acme.peer.delete_peerconn(world.conn)
    deleted = world.step(60)
    assert difference(deleted, back)["bad_state_route"] == pytest.approx(a_minute, rel=0.001)

    world.own.call("PUT", f"/netsim/v1/flow/{flow_id}/stop")
    assert world.step(60)["in_flight"] == 0
    figures = world.own.call("GET", f"/netsim/v1/flow/{flow_id}")
    assert figures["packets_sent"] == 7 * a_minute


@pytest.mark.slow
def test_what_the_monitoring_shows_of_both_sides_is_what_the_counters_hold(cloud: Cloud) -> None:
    """One side's departures are the other's arrivals, for two accounts in two regions, over a change of the cap."""
    world = World(cloud, mbps=10)
    world.data_team.peer.handle_peerconn(world.conn, "accept")
    cloud.service.real.set_speed(0)
    flow = {"from": world.web["instanceId"], "to": world.db["ip"], "rateMbps": 20, "packetBytes": PACKET_BYTES}
    world.own.call("POST", "/netsim/v1/flow", body={**flow, "durationS": 240})
    world.step(75)
    world.acme.peer.resize_peerconn(world.conn, 15)
    assert world.step(300)["in_flight"] == 0

    def counted(name: str) -> int:
        return cloud.service.read(lambda e: int(getattr(e.engine.counters(), name)[e.links_of(world.conn)[0]]))

    sent = counted("egress_bytes")
    assert sent == sum(world.monitored("WebOutBytes", "sum", world.acme))
    assert sent == sum(world.monitored("WebInBytes", "sum", world.data_team))
    assert sum(world.monitored("WebInBytes", "sum", world.acme)) == 0
    rates = world.monitored("WebInBitsPerSecond", "average", world.data_team)
    assert max(rates) == pytest.approx(15e6, rel=0.02)
    assert world.packets()["ended"]["queue_full"] == counted("dropped_packets")


@pytest.mark.slow
def test_a_prepaid_connection_that_expires_stops_a_flow_and_its_renewal_lets_it_on(cloud: Cloud) -> None:
    """The clock moves alone: packets pause meanwhile, and the monitoring has a gap there."""
    world = World(cloud, mbps=10, payment="Prepaid")
    world.data_team.peer.handle_peerconn(world.conn, "accept")
    cloud.service.real.set_speed(0)
    flow = {"from": world.web["instanceId"], "to": world.db["ip"], "rateMbps": 8, "packetBytes": PACKET_BYTES}
    world.own.call("POST", "/netsim/v1/flow", body={**flow, "durationS": 300})
    a_minute = 8_000_000 // 8 // PACKET_BYTES * 60

    running = world.step(60)
    assert running["ended"]["delivered"] == pytest.approx(a_minute, rel=0.001)
    world.operator.call("POST", "/netsim/v1/operator/clock", body={"advanceS": 31 * 86_400})
    assert world.packets() == running  # packet time stood still
    assert world.acme.peer.get_peerconn(world.conn).status == "expired"
    expired = world.step(60)
    # What the cap had accepted keeps its fate; all that was sent since is discarded.
    assert difference(expired, running)["bad_state_route"] == pytest.approx(a_minute, rel=0.001)
    assert difference(expired, running).get("delivered", 0) <= running["in_flight"]
    world.acme.peer.purchase_reserved_peerconn(world.conn, billing=peerconn_model.Billing("Prepaid", 1))
    renewed = world.step(60)
    assert difference(renewed, expired)["delivered"] == pytest.approx(a_minute, rel=0.001)

    now_s = cloud.service.read(lambda emulator: emulator.inventory.clock.now_ns) // NS_PER_S
    start, end = (
        datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at in (now_s - 32 * 86_400, now_s + 60)
    )
    answer = world.acme.monitor.get_metric_data(
        user_id="acme", scope="BCE_PEERCONN", metric_name="WebOutBytes", dimensions=f"InstanceId:{world.conn}",
        statistics="sum,sampleCount", start_time=start, end_time=end, period_in_second=3600,
    )  # fmt: skip
    hours = [datetime.fromisoformat(point.timestamp) for point in answer.data_points]
    assert 2 <= len(hours) <= 4 and max(b - a for a, b in pairwise(hours)).days >= 30
    counters = cloud.service.read(lambda e: int(e.engine.counters().egress_bytes[e.links_of(world.conn)[0]]))
    assert sum(point.sum for point in answer.data_points) == counters


@pytest.mark.slow
def test_instances_come_and_go_under_their_traffic(cloud: Cloud) -> None:
    """A receiver that is gone is unreachable; a sender that is gone is silent, whoever has its address next."""
    world = World(cloud, mbps=10)
    world.data_team.peer.handle_peerconn(world.conn, "accept")
    cloud.service.real.set_speed(0)
    flow = {"from": world.web["instanceId"], "to": world.db["ip"], "rateMbps": 4, "packetBytes": PACKET_BYTES}
    flow_id = world.own.call("POST", "/netsim/v1/flow", body={**flow, "durationS": 600})["flowId"]
    ten_s = 4_000_000 // 8 // PACKET_BYTES * 10

    def status() -> str:
        return str(world.own.call("GET", f"/netsim/v1/flow/{flow_id}")["status"])

    both = world.step(10)
    world.theirs.call("DELETE", f"/netsim/v1/instance/{world.db['instanceId']}")
    lonely = world.step(10)
    assert difference(lonely, both)["host_unreachable"] == pytest.approx(ten_s, rel=0.01)
    subnets = [tenant.subnet.list_subnets().subnets[0].subnet_id for tenant in (world.acme, world.data_team)]
    body = {"name": "next", "subnetId": subnets[1], "ip": world.db["ip"]}
    world.theirs.call("POST", "/netsim/v1/instance", body=body)
    answered = world.step(10)
    assert difference(answered, lonely)["delivered"] >= ten_s * 0.99 and status() == "running"
    world.own.call("DELETE", f"/netsim/v1/instance/{world.web['instanceId']}")
    silent = world.step(10)
    assert silent["injected"] - answered["injected"] < ten_s * 0.01 and silent["in_flight"] == 0
    assert status() == "ended"
    body = {"name": "next", "subnetId": subnets[0], "ip": world.web["ip"]}
    world.own.call("POST", "/netsim/v1/instance", body=body)
    assert world.step(10) == silent


class Changes:
    """What four clients of acme's keep doing to a pair that has traffic, for a time and a number of times."""

    def __init__(self, cloud: Cloud, pair: Pair, seconds: float) -> None:
        self.cloud, self.pair = cloud, pair
        self.operator = Client(f"http://127.0.0.1:{cloud.port}", operator_token="operator-token")
        self._until = time.monotonic() + seconds
        self.done: Counter[str] = Counter()
        self.failed: list[BaseException] = []

    def packets(self) -> dict[str, Any]:
        packets: dict[str, Any] = self.operator.call("GET", "/netsim/v1/operator/state")["packets"]
        assert packets["injected"] == sum(packets["ended"].values()) + packets["in_flight"], packets
        return packets

    def resize(self, chance: random.Random, acme: Tenant) -> None:
        acme.peer.resize_peerconn(self.pair.conn, chance.randint(1, 100))

    def switch_route(self, _: random.Random, acme: Tenant) -> None:
        rules = acme.route.get_route(vpc_id=self.pair.shop).route_rules[1:]
        if rules:
            acme.route.delete_route(rules[0].route_rule_id)
        else:
            self.pair.route(self.pair.shop, "10.1.0.0/16")

    def connect(self, chance: random.Random, acme: Tenant) -> None:
        vpc = acme.network(f"v{chance.random()}", "10.9.0.0/16")
        conn = acme.peer.create_peerconn(5, self.pair.shop, vpc, "bj", billing=POSTPAID).peer_conn_id
        acme.peer.delete_peerconn(conn)
        acme.subnet.delete_subnet(acme.subnet.list_subnets(vpc_id=vpc).subnets[0].subnet_id)
        acme.vpc.delete_vpc(vpc)

    def look(self, _: random.Random, __: Tenant) -> None:
        self.packets()

    def run(self) -> None:
        jobs = [
            threading.Thread(target=self._keep, args=each)
            for each in enumerate((self.resize, self.switch_route, self.connect, self.look))
        ]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()

    def _keep(self, seed: int, change: Callable[[random.Random, Tenant], None]) -> None:
        chance, acme = random.Random(seed), self.cloud.tenant("acme")
        try:
            while time.monotonic() < self._until or self.done[change.__name__] < LEAST_CHANGES:
                change(chance, acme)
                self.done[change.__name__] += 1
        except (AssertionError, BceHttpClientError) as error:
            self.failed.append(error)


@pytest.mark.slow
def test_nothing_is_lost_sight_of_while_four_clients_change_everything_at_once(cloud: Cloud) -> None:
    """By the wall clock: flows and a ping run, the network changes under them a few hundred times."""
    pair = Pair(cloud, bandwidth=50)
    pair.routes()
    there = {"from": pair.web["instanceId"], "to": pair.db["ip"]}
    kinds: list[dict[str, Any]] = [{"rateMbps": 40, "packetBytes": 1200}, {"rateMbps": 30, "packetBytes": 300},
                                   {"kind": "tcp"}]  # fmt: skip
    bodies = [{**there, **kind, "durationS": 600} for kind in kinds]
    talks = [f"flow/{pair.own.call('POST', '/netsim/v1/flow', body=body)['flowId']}" for body in bodies]
    talks += [f"ping/{pair.own.call('POST', '/netsim/v1/ping', body={**there, 'intervalS': 0.005})['pingId']}"]
    changes = Changes(cloud, pair, seconds=4)
    changes.run()
    assert not changes.failed and len(changes.done) == 4, (changes.failed, changes.done)
    for talk in talks:
        pair.own.call("PUT", f"/netsim/v1/{talk}/stop")
    assert eventually(lambda: changes.packets()["in_flight"] == 0)
    ended = changes.packets()["ended"]
    assert ended["delivered"] > 1000 and ended["no_route"] > 10, ended
