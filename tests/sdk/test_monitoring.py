"""The vendor's monitoring of traffic that really flowed: ten metrics, five statistics, periods, limits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from netsim.api.monitor import METRICS, STATISTICS
from netsim.units import NS_PER_DAY, NS_PER_S
from tests.sdk.cloud import Cloud, Tenant, refused
from tests.sdk.test_live import Pair

MINUTES = 4
CAP_BPS = 10_000_000


def text(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Watched(NamedTuple):
    """A pair with 20 Mbit/s offered to a cap of 10 for two minutes, watched for four, and silent on the way back."""

    cloud: Cloud
    pair: Pair
    interfaces: tuple[str, str]
    start_ns: int

    @property
    def now_ns(self) -> int:
        return self.cloud.service.read(lambda emulator: emulator.inventory.clock.now_ns)

    def query(self, metric: str, instance: str, tenant: Tenant | None = None, **other: Any) -> list[Any]:
        asked: dict[str, Any] = {
            "user_id": "acme", "scope": "BCE_PEERCONN", "dimensions": f"InstanceId:{instance}",
            "statistics": "average", "start_time": text(self.start_ns - 60 * NS_PER_S),
            "end_time": text(self.now_ns + 60 * NS_PER_S), "period_in_second": 60,
        }  # fmt: skip
        client = (tenant or self.pair.acme).monitor
        answer = client.get_metric_data(metric_name=metric, **{**asked, **other})
        assert (answer.code, answer.message) == ("OK", "")
        assert answer.request_id == answer.metadata.bce_request_id
        found: list[Any] = answer.data_points
        return found

    def values(self, metric: str, instance: str, statistic: str = "average") -> list[float]:
        return [getattr(point, statistic) for point in self.query(metric, instance, statistics=statistic)]


@pytest.fixture
def watched(cloud: Cloud) -> Watched:
    pair = Pair(cloud, bandwidth=CAP_BPS // 10**6)
    pair.routes()
    sides = [pair.acme.peer.get_peerconn(pair.conn, role=role).local_if_id for role in ("initiator", "acceptor")]
    start_ns = cloud.service.read(lambda emulator: emulator.inventory.clock.now_ns)
    cloud.service.real.set_speed(0)
    body = {"from": pair.web["instanceId"], "to": pair.db["instanceId"], "rateMbps": 20, "packetBytes": 1000}
    pair.own.call("POST", "/netsim/v1/flow", body={**body, "durationS": 120})
    cloud.service.real.step(MINUTES * 60 * NS_PER_S)
    return Watched(cloud, pair, (sides[0], sides[1]), start_ns)


def test_ten_metrics_are_the_counters(watched: Watched) -> None:
    def count(name: str, side: int) -> int:
        def look(emulator: Any) -> int:
            return int(getattr(emulator.engine.counters(), name)[emulator.links_of(watched.pair.conn)[side]])

        return watched.cloud.service.read(look)

    here, there = watched.interfaces
    sent_bytes, dropped = count("egress_bytes", 0), count("dropped_packets", 0)
    assert sent_bytes > 100_000_000 and dropped > 100_000 and count("egress_bytes", 1) == 0
    for way, instance in (("Out", here), ("In", there)):
        amounts = watched.values(f"Web{way}Bytes", instance, "sum")
        assert len(amounts) >= MINUTES and sum(amounts) == sent_bytes
        rates = watched.values(f"Web{way}BitsPerSecond", instance)
        assert max(rates) == pytest.approx(CAP_BPS, rel=0.01) and min(rates) == 0.0
        assert max(watched.values(f"Web{way}PkgPerSecond", instance)) == pytest.approx(CAP_BPS / 8000, rel=0.01)
        assert max(watched.values(f"Web{way}UtilityRate", instance)) == pytest.approx(100, rel=0.01)
        drops = watched.values(f"Web{way}PkgDropPercent", instance)
        assert max(drops) == pytest.approx(50, rel=0.02) and min(drops) == 0.0
    for way, instance in (("In", here), ("Out", there)):
        for quantity in ("Bytes", "BitsPerSecond", "PkgPerSecond", "PkgDropPercent", "UtilityRate"):
            assert set(watched.values(f"Web{way}{quantity}", instance)) == {0.0}
    assert len(METRICS) == 10


def test_an_account_that_has_both_sides_sees_the_initiators_by_the_connections_id(watched: Watched) -> None:
    by_conn = watched.query("WebOutBytes", watched.pair.conn, statistics="sum")
    by_interface = watched.query("WebOutBytes", watched.interfaces[0], statistics="sum")
    assert [(p.timestamp, p.sum) for p in by_conn] == [(p.timestamp, p.sum) for p in by_interface]


def test_only_the_statistics_that_were_asked_come_and_longer_periods_add_up(watched: Watched) -> None:
    names = {"average": "average", "maximum": "maximum", "minimum": "minimum", "sum": "sum",
             "sampleCount": "sample_count"}  # fmt: skip
    assert set(names) == set(STATISTICS)
    (point, *_) = watched.query("WebOutBytes", watched.pair.conn, statistics="sum,sampleCount")
    assert set(vars(point)) == {"timestamp", "sum", "sample_count"}
    minutes = watched.query("WebOutBytes", watched.pair.conn, statistics=",".join(names))
    total = sum(point.sum for point in minutes)
    for period in (60, 300, 1200, 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 60):
        points = watched.query(
            "WebOutBytes", watched.pair.conn, statistics=",".join(names), period_in_second=period,
            start_time=text(watched.start_ns - NS_PER_DAY // 2),
        )  # fmt: skip
        assert sum(point.sum for point in points) == total
        assert sum(point.sample_count for point in points) == len(minutes)
        assert max(point.maximum for point in points) == max(point.maximum for point in minutes)
        assert all(point.timestamp.endswith("Z") for point in points)
        assert all(point.minimum <= point.average <= point.maximum for point in points)


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"period_in_second": 30}, "BadRequest"),
        ({"period_in_second": 0}, "BadRequest"),
        ({"period_in_second": 90}, "BadRequest"),
        ({"statistics": "median"}, "BadRequest"),
        ({"statistics": ""}, "BadRequest"),
        ({"scope": "BCE_EIP"}, "BadRequest"),
        ({"start_time": "yesterday"}, "BadRequest"),
        ({"end_time": "2020-01-01T00:00:00Z"}, "BadRequest"),
        ({"dimensions": "Instance:x"}, "BadRequest"),
        ({"dimensions": "InstanceId:"}, "BadRequest"),
        ({"dimensions": "InstanceId:x;InstanceId:y"}, "BadRequest"),
        ({"metric_name": "WebInEverything"}, "BadRequest"),
        ({"dimensions": "InstanceId:peerconn-zzzzzzzzzzzz"}, "NoSuchObject"),
        ({"user_id": "third"}, "AccessDenied"),
    ],
)
def test_what_can_not_be_asked_is_refused(cloud: Cloud, other: dict[str, Any], code: str) -> None:
    acme = cloud.tenant("acme")
    asked: dict[str, Any] = {
        "user_id": "acme", "scope": "BCE_PEERCONN", "metric_name": "WebInBytes", "dimensions": "InstanceId:x",
        "statistics": "sum", "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T01:00:00Z",
        "period_in_second": 60,
    }  # fmt: skip
    with refused({"BadRequest": 400, "NoSuchObject": 404, "AccessDenied": 403}[code], code):
        acme.monitor.get_metric_data(**{**asked, **other})


def test_at_most_1440_points_at_once(watched: Watched) -> None:
    def ask(minutes: int) -> None:
        start_ns = watched.start_ns // (60 * NS_PER_S) * 60 * NS_PER_S
        watched.query(
            "WebOutBytes", watched.pair.conn, start_time=text(start_ns), end_time=text(start_ns + minutes * 60 * 10**9)
        )

    ask(1440)
    with refused(400, "BadRequest"):
        ask(1441)


def test_a_batch_answers_each_series_for_itself(watched: Watched) -> None:
    answer = watched.pair.acme.monitor.get_batch_metric_data(
        user_id="acme", scope="BCE_PEERCONN", metric_name="WebOutBytes,WebInBytes,WebNothing",
        dimensions=f"InstanceId:{watched.interfaces[0]},InstanceId:peerconn-zzzzzzzzzzzz", statistics="sum",
        start_time=text(watched.start_ns - 60 * NS_PER_S), end_time=text(watched.now_ns + 60 * NS_PER_S),
        period_in_second=60,
    )  # fmt: skip
    assert answer.code == "OK" and answer.request_id == answer.metadata.bce_request_id
    done = {(each.metric_name, each.dimensions[0].value): each.data_points for each in answer.success_list}
    assert set(done) == {(name, watched.interfaces[0]) for name in ("WebOutBytes", "WebInBytes")}
    alone = watched.query("WebOutBytes", watched.interfaces[0], statistics="sum")
    assert [point.sum for point in done["WebOutBytes", watched.interfaces[0]]] == [point.sum for point in alone]
    assert len(answer.error_list) == 4 and all(each.message for each in answer.error_list)


def test_samples_are_kept_for_forty_days(watched: Watched) -> None:
    def total() -> float:
        points = watched.query("WebOutBytes", watched.pair.conn, statistics="sum", period_in_second=86_400,
                               start_time=text(watched.start_ns - NS_PER_DAY))  # fmt: skip
        return float(sum(point.sum for point in points))

    assert total() > 0
    watched.cloud.service.advance_control_clock(40 * NS_PER_DAY - 10 * 60 * NS_PER_S)
    assert total() > 0
    watched.cloud.service.advance_control_clock(10 * 60 * NS_PER_S)
    assert total() == 0
