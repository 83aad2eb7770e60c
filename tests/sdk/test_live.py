"""Packets move while the SDK changes the network under them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from baidubce.services.vpc import peerconn_model

from netsim.api.client import Client, ServerError
from netsim.errors import RefusedError
from netsim.units import NS_PER_S
from tests.sdk.cloud import Cloud, Tenant

POSTPAID = peerconn_model.Billing("Postpaid")


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return False


class Pair:
    """Two VPCs of one account, an instance in each, a connection, and no route yet."""

    def __init__(self, cloud: Cloud, bandwidth: int = 10) -> None:
        self.cloud, self.acme = cloud, cloud.tenant("acme")
        self.own = Client(f"http://127.0.0.1:{cloud.port}", "ak-acme", "sk-acme")
        self.shop, self.data = self.acme.network("shop", "10.0.0.0/16"), self.acme.network("data", "10.1.0.0/16")
        self.web, self.db = (self.instance(name, vpc) for name, vpc in (("web-1", self.shop), ("db-1", self.data)))
        self.conn = self.acme.peer.create_peerconn(bandwidth, self.shop, self.data, "bj", billing=POSTPAID).peer_conn_id

    def instance(self, name: str, vpc_id: str) -> dict[str, str]:
        subnet = self.acme.subnet.list_subnets(vpc_id=vpc_id).subnets[0].subnet_id
        return self.own.call("POST", "/netsim/v1/instance", body={"name": name, "subnetId": subnet})

    def route(self, vpc_id: str, destination: str) -> str:
        sides = [self.acme.peer.get_peerconn(self.conn, role=role) for role in ("initiator", "acceptor")]
        interface = next(side.local_if_id for side in sides if side.local_vpc_id == vpc_id)
        table = self.acme.table_of(vpc_id)
        return str(
            self.acme.route.create_route(table, "0.0.0.0/0", destination, "peerConn", "", interface).route_rule_id
        )

    def routes(self) -> None:
        self.route(self.shop, "10.1.0.0/16")
        self.route(self.data, "10.0.0.0/16")


def test_a_route_makes_a_running_ping_succeed_and_its_deletion_fail(cloud: Cloud) -> None:
    pair = Pair(cloud)
    ping = pair.own.call(
        "POST", "/netsim/v1/ping", body={"from": pair.web["instanceId"], "to": pair.db["ip"], "intervalS": 0.01}
    )["pingId"]

    def figures() -> dict[str, int]:
        return pair.own.call("GET", f"/netsim/v1/ping/{ping}")

    assert eventually(lambda: figures()["transmitted"] > 5)
    assert figures()["received"] == 0
    there = pair.route(pair.shop, "10.1.0.0/16")
    pair.route(pair.data, "10.0.0.0/16")
    assert eventually(lambda: figures()["received"] > 5)
    assert figures()["rtt_ms"]["mean"] > 1.0  # type: ignore[index]
    pair.acme.route.delete_route(there)
    time.sleep(0.1)
    before = figures()
    assert eventually(lambda: figures()["transmitted"] > before["transmitted"] + 5)
    assert figures()["received"] == before["received"]
    pair.own.call("PUT", f"/netsim/v1/ping/{ping}/stop")
    assert figures()["status"] == "ended"  # type: ignore[comparison-overlap]
    packets = cloud.service.read(lambda emulator: emulator.totals())
    assert packets.injected == packets.delivered + packets.dropped + packets.in_flight
    assert packets.injected > 20


def test_the_monitoring_shows_traffic_that_really_flowed(cloud: Cloud) -> None:
    pair = Pair(cloud, bandwidth=10)
    pair.routes()
    cloud.service.real.set_speed(0)
    body = {"from": pair.web["instanceId"], "to": pair.db["instanceId"], "rateMbps": 20, "packetBytes": 1000}
    flow = pair.own.call("POST", "/netsim/v1/flow", body={**body, "durationS": 120})["flowId"]
    cloud.service.real.step(60 * NS_PER_S)
    pair.acme.peer.resize_peerconn(pair.conn, 15)
    cloud.service.real.step(120 * NS_PER_S)
    now = datetime.fromtimestamp(cloud.service.read(lambda e: e.inventory.clock.now_ns) // NS_PER_S + 60, UTC)
    start = datetime.fromtimestamp(now.timestamp() - 600, UTC)

    def query(metric: str, statistic: str, tenant: Tenant = pair.acme) -> list[float]:
        answer = tenant.monitor.get_metric_data(
            user_id=tenant.account, scope="BCE_PEERCONN", metric_name=metric,
            dimensions=f"InstanceId:{pair.conn}", statistics=statistic,
            start_time=start.strftime("%Y-%m-%dT%H:%M:%SZ"), end_time=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            period_in_second=60,
        )  # fmt: skip
        return [getattr(point, statistic) for point in answer.data_points]

    counted = cloud.service.read(lambda e: int(e.engine.counters().egress_bytes[e.links_of(pair.conn)[0]]))
    assert sum(query("WebOutBytes", "sum")) == counted
    rates = query("WebOutBitsPerSecond", "average")
    assert rates[0] == pytest.approx(10e6, rel=0.02)
    assert max(rates) == pytest.approx(15e6, rel=0.02)  # resized while it flowed, seen at the next sample
    assert max(query("WebOutUtilityRate", "maximum")) == pytest.approx(100, rel=0.05)
    assert max(query("WebOutPkgDropPercent", "maximum")) > 20
    figures = pair.own.call("GET", f"/netsim/v1/flow/{flow}")
    assert figures["status"] == "ended"
    assert figures["packets_sent"] == 120 * 2500


def test_what_is_another_tenants_answers_like_what_is_not_there(cloud: Cloud) -> None:
    pair = Pair(cloud)
    other = Client(f"http://127.0.0.1:{cloud.port}", "ak-third", "sk-third")
    ping = pair.own.call("POST", "/netsim/v1/ping", body={"from": pair.web["instanceId"], "to": "10.1.0.9"})["pingId"]
    for method, path in (
        ("GET", "/netsim/v1/instance/{}"),
        ("DELETE", "/netsim/v1/instance/{}"),
    ):
        said = []
        for instance_id in (pair.web["instanceId"], "i-00000000"):
            with pytest.raises(RefusedError) as refused:
                other.call(method, path.format(instance_id))
            said.append(str(refused.value).replace(instance_id, "ID"))
        assert said[0] == said[1] and "NoSuchObject" in said[0]
    with pytest.raises(RefusedError, match="NoSuchObject"):
        other.call("GET", f"/netsim/v1/ping/{ping}")


def test_the_operator_moves_the_clock_and_tenants_do_not(cloud: Cloud) -> None:
    url = f"http://127.0.0.1:{cloud.port}"
    operator = Client(url, operator_token="operator-token")
    before = operator.call("GET", "/netsim/v1/operator/clock")["clock"]["control_time"]
    after = operator.call("POST", "/netsim/v1/operator/clock", body={"advanceS": 7 * 86_400})["clock"]["control_time"]
    days = datetime.fromisoformat(after) - datetime.fromisoformat(before)
    assert days.days == 7
    for client in (Client(url, "ak-acme", "sk-acme"), Client(url, operator_token="wrong")):
        with pytest.raises(ServerError, match=r"SignatureDoesNotMatch|InvalidHTTPAuthHeader"):
            client.call("GET", "/netsim/v1/operator/clock")
    made = operator.call("POST", "/netsim/v1/operator/account", body={"id": "fresh"})
    fresh = Client(url, made["accessKey"], made["secretKey"])
    assert fresh.call("GET", "/v1/vpc")["vpcs"] == []
    operator.call("DELETE", f"/netsim/v1/operator/key/{made['accessKey']}")
    with pytest.raises(ServerError, match="InvalidAccessKeyId"):
        fresh.call("GET", "/v1/vpc")
