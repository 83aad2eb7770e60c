"""What watches a server may ask without a signature: /healthz and /metrics.

Answered to loopback names only: a page in a browser that lures its reader to us under another name
(DNS rebinding), or that asks from its own origin, gets nothing.

Source: prometheus.io/docs/practices/naming; a counter ends in _total, units are base units.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from netsim.api.http_message import Response, Scope, header
from netsim.api.json_codec import dump
from netsim.api.service import Service
from netsim.dataplane.disposition import Disposition
from netsim.emulator import Emulator
from netsim.version import __version__

if TYPE_CHECKING:
    from prometheus_client.core import Metric

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def is_local(scope: Scope) -> bool:
    """Whether an unsigned request may be answered."""
    given, origin = header(scope, b"host") or "", header(scope, b"origin")
    host = given.rsplit(":", 1)[0].strip("[]").lower()
    if origin is not None and origin.split("://")[-1] != given:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def health(service: Service) -> Response:
    """200 while changes can be made durable and time goes on, else 503 and why."""
    failure = service.writer.failure or service.real.failure
    body: dict[str, Any] = {"status": "ok" if failure is None else "failed", "version": __version__}
    if failure is not None:
        body["reason"] = type(failure).__name__
    return Response(200 if failure is None else 503, dump(body), "application/json")


def metrics(service: Service) -> Response:
    """The figures of the network in Prometheus' text format."""
    from prometheus_client import CollectorRegistry, generate_latest

    found = service.read(lambda emulator: list(_metrics(emulator)))

    class Collected:
        def collect(self) -> Iterable[Metric]:
            return [*found, _gauge("netsim_lag_seconds", "How far packet time is behind.", service.real.lag_ns / 1e9)]

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collected())
    return Response(200, generate_latest(registry).decode(), METRICS_TYPE)


def _metrics(emulator: Emulator) -> Iterable[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    totals = emulator.totals()
    yield CounterMetricFamily("netsim_packets_injected", "Packets that came to be.", value=totals.injected)
    ended = CounterMetricFamily("netsim_packets_ended", "Packets by their fate.", labels=["disposition"])
    for number, count in enumerate(totals.by_disposition.tolist()):
        if number:
            ended.add_metric([Disposition(number).symbol], count)
    yield ended
    yield _gauge("netsim_packets_in_flight", "Packets under way.", totals.in_flight)
    yield _gauge("netsim_packet_time_seconds", "Packet time.", emulator.now_ns / 1e9)
    yield _gauge("netsim_control_time_seconds", "Control clock, Unix time.", emulator.inventory.clock.now_ns / 1e9)
    resources = GaugeMetricFamily("netsim_resources", "Resources by kind.", labels=["kind"])
    for kind in ("accounts", "vpcs", "subnets", "instances", "rules", "peer_conns"):
        resources.add_metric([kind], len(getattr(emulator.inventory, kind)))
    yield resources
    counters = emulator.engine.counters()
    labels = ["peer_connection", "side"]
    sent = CounterMetricFamily("netsim_egress_bytes", "Bytes that left a VPC over a connection.", labels=labels)
    dropped = CounterMetricFamily("netsim_egress_dropped_packets", "Packets its cap dropped.", labels=labels)
    for conn_id in emulator.inventory.peer_conns:
        for side, link in zip(("local", "peer"), emulator.links_of(conn_id), strict=True):
            sent.add_metric([conn_id, side], int(counters.egress_bytes[link]))
            dropped.add_metric([conn_id, side], int(counters.dropped_packets[link]))
    yield sent
    yield dropped


def _gauge(name: str, text: str, value: float) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(name, text, value=value)
