"""The vendor's cloud monitor (BCM) for peer connections: ten metrics, five statistics, any period of minutes.

Source: cloud.baidu.com/doc/BCM/s/9jwvym3kb (query), 4kifiv1n9 (answer), ujwvylt2m (retention). The dimension
`InstanceId` may be the connection's id, then the caller's side in the region asked is meant (the initiator's
if it has both), or an interface's id, which names a side.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from netsim.api.call import Call, Reply
from netsim.api.error_codes import HttpError
from netsim.api.json_codec import dump
from netsim.clock import format_utc
from netsim.controlplane.peer_conn import SIDES, PeerConn, Side
from netsim.controlplane.view import View
from netsim.emulator import Emulator
from netsim.errors import NotFoundError
from netsim.monitor.series import Point
from netsim.units import NS_PER_S

SCOPE = "BCE_PEERCONN"
MAX_POINTS = 1440
MAX_BATCH = 100

_QUANTITIES = {
    "Bytes": "bytes",
    "BitsPerSecond": "bps",
    "PkgPerSecond": "pps",
    "PkgDropPercent": "drop_percent",
    "UtilityRate": "utilization_percent",
}
METRICS = {
    f"Web{way}{theirs}": f"{direction}_{ours}"
    for way, direction in (("In", "ingress"), ("Out", "egress"))
    for theirs, ours in _QUANTITIES.items()
}
"""The vendor's names and ours."""
STATISTICS = {
    "average": "average",
    "maximum": "maximum",
    "minimum": "minimum",
    "sum": "sum",
    "sampleCount": "sample_count",
}


class Window(NamedTuple):
    """What is asked of each metric."""

    start_ns: int
    end_ns: int
    period_ns: int
    statistics: tuple[str, ...]


def query_metric(call: Call) -> Reply:
    """GET /json-api/v1/metricdata/{userId}/{scope}/{metricName}."""
    _check_scope(call)
    metric = _metric(call.params["metricName"])
    window = _window(call)
    instance = _instance_of(_required(call.query, "dimensions"))

    def look(emulator: Emulator) -> list[dict[str, Any]]:
        return _points(call, emulator, instance, metric, window)

    return Reply(body=dump({**_head(call), "dataPoints": call.service.read(look)}))


def query_batch(call: Call) -> Reply:
    """GET /json-api/v1/metricdata/batch/{userId}/{scope}: every metric of every instance, each for itself."""
    _check_scope(call)
    names = [name for name in _required(call.query, "metricName[]").split(",") if name]
    instances = [_instance_of(text) for text in _required(call.query, "dimensions[]").split(",") if text]
    if len(names) * len(instances) > MAX_BATCH:
        raise HttpError("BadRequest", f"{len(names) * len(instances)} series, accepted {MAX_BATCH} at once")
    window = _window(call)

    def look(emulator: Emulator) -> dict[str, Any]:
        done: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for name in names:
            for instance in instances:
                entry: dict[str, Any] = {
                    "metricName": name,
                    "dimensions": [{"name": "InstanceId", "value": instance}],
                }
                try:
                    points = _points(call, emulator, instance, _metric(name), window)
                except (NotFoundError, HttpError) as error:
                    failed.append({**entry, "message": str(error)})
                else:
                    done.append({**entry, "dataPoints": points})
        return {"successList": done, "errorList": failed}

    return Reply(body=dump({**_head(call), **call.service.read(look)}))


def _head(call: Call) -> dict[str, Any]:
    """What each answer of the monitor begins with: it names its request in the body, too."""
    return {"requestId": call.request_id, "code": "OK", "message": ""}


def _points(call: Call, emulator: Emulator, instance: str, metric: str, window: Window) -> list[dict[str, Any]]:
    conn, side = _side_asked(call, emulator.inventory.visible_to(call.account), instance)
    series = call.service.history.series(emulator, conn.id, side, window.start_ns, window.end_ns)
    points = series.query(
        metric,
        window.start_ns,
        window.end_ns,
        window.period_ns,
        tuple(STATISTICS[name] for name in window.statistics),
    )
    return [_point_json(point, window.statistics) for point in points]


def _point_json(point: Point, statistics: tuple[str, ...]) -> dict[str, Any]:
    values = {name: point.statistics[STATISTICS[name]] for name in statistics}
    return {"timestamp": format_utc(point.start_ns), **values}


def _side_asked(call: Call, view: View, instance: str) -> tuple[PeerConn, Side]:
    own = [
        (conn, side)
        for conn in view.peer_conns.values()
        for side in SIDES
        if conn.side(side).account == call.account and conn.side(side).region == call.region
    ]
    for conn, side in own:
        if instance in {conn.id, conn.side(side).interface_id}:
            return conn, side
    raise NotFoundError(f"InstanceId {instance[:60]!r}: not found")


def _check_scope(call: Call) -> None:
    if call.params["userId"] != call.account:
        raise HttpError("AccessDenied", "userId is another account's")
    if call.params["scope"] != SCOPE:
        raise HttpError("BadRequest", f"scope is {call.params['scope'][:60]!r}, accepted {SCOPE}")


def _metric(name: str) -> str:
    if name not in METRICS:
        raise HttpError("BadRequest", f"metric {name[:60]!r} does not exist, accepted {', '.join(METRICS)}")
    return METRICS[name]


def _instance_of(dimension: str) -> str:
    """The value of InstanceId in `Name:Value`, several joined by `;`, each name once."""
    pairs = [pair.partition(":") for pair in dimension.split(";")]
    values = [value for name, _, value in pairs if name == "InstanceId"]
    if len(values) != 1 or not values[0]:
        raise HttpError("BadRequest", f"dimensions is {dimension[:60]!r}, expected InstanceId:VALUE, once")
    return values[0]


def _required(query: Mapping[str, str], name: str) -> str:
    if not query.get(name):
        raise HttpError("BadRequest", f"{name} is missing")
    return query[name]


def _window(call: Call) -> Window:
    start_ns, end_ns = (_time(call.query, name) for name in ("startTime", "endTime"))
    if end_ns < start_ns:
        raise HttpError("BadRequest", "endTime lies before startTime")
    text = _required(call.query, "periodInSecond")
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) > 0 and int(text) % 60 == 0):
        raise HttpError("BadRequest", f"periodInSecond is {text[:60]!r}, accepted multiples of 60")
    period_ns = int(text) * NS_PER_S
    if -(-(end_ns - start_ns) // period_ns) > MAX_POINTS:
        raise HttpError("BadRequest", f"more than {MAX_POINTS} points: ask for a shorter time or a longer period")
    statistics = tuple(dict.fromkeys(name for name in _required(call.query, "statistics[]").split(",") if name))
    for name in statistics:
        if name not in STATISTICS:
            raise HttpError("BadRequest", f"statistic {name[:60]!r} does not exist, accepted {', '.join(STATISTICS)}")
    return Window(start_ns, end_ns, period_ns, statistics)


def _time(query: Mapping[str, str], name: str) -> int:
    text = _required(query, name)
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise HttpError("BadRequest", f"{name} is {text[:60]!r}, expected like 2026-01-01T00:00:00Z") from None
    return int(moment.timestamp()) * NS_PER_S
