"""Throughput as numbers: what the command prints is made of these."""

from __future__ import annotations

import pytest

from netsim.controlplane.edit import DeleteRoute, ResizePeerConn
from netsim.errors import UsageError
from netsim.lab import Lab
from netsim.probe.throughput import Interval, ThroughputPlan, measure_throughput
from netsim.units import NS_PER_MS, NS_PER_S
from tests.clouds import chain, two_vpc_lab


def udp(**changes: object) -> ThroughputPlan:
    settings: dict[str, object] = {
        "kind": "udp", "rate_bps": 8_000_000, "block_bytes": 1000, "duration_ns": NS_PER_S, **changes,
    }  # fmt: skip
    return ThroughputPlan(**settings)  # type: ignore[arg-type]


def test_readings_add_up_and_levels_stay() -> None:
    lab = two_vpc_lab(bandwidth_mbps=4)
    found = lab.iperf("web-1", "db-1", udp(interval_ns=300 * NS_PER_MS, streams=2, omit_ns=100 * NS_PER_MS))
    assert found is not None
    counted = [interval for interval in found.intervals if not interval.is_omitted]
    assert [(i.start_ns // NS_PER_MS, i.end_ns // NS_PER_MS) for i in counted] == [
        (0, 300), (300, 600), (600, 900), (900, 1000),
    ]  # fmt: skip
    for k, total in enumerate(found.totals):
        for name in ("sent_packets", "received_bytes", "lost_packets"):
            assert getattr(total, name) == sum(getattr(i.streams[k], name) for i in counted)
        assert total.jitter_ns == counted[-1].streams[k].jitter_ns


def test_each_interval_is_told_when_it_has_passed() -> None:
    lab = two_vpc_lab()
    heard: list[tuple[int, int]] = []

    def told(interval: Interval) -> None:
        heard.append((lab.now_ns, interval.end_ns))

    measure_throughput(
        lab, lab.instance("web-1").id, lab.instance("db-1").id, udp(interval_ns=NS_PER_S // 4), told=told
    )
    assert heard == [(k * NS_PER_S // 4, k * NS_PER_S // 4) for k in (1, 2, 3, 4)]


def test_tcp_is_measured_from_the_moment_it_is_established() -> None:
    """The handshake takes a round trip of 1.2 ms; within a second then, 100 Mbit/s of it."""
    found = two_vpc_lab().iperf("web-1", "db-1", ThroughputPlan(duration_ns=NS_PER_S))
    assert found is not None
    assert found.start_ns == pytest.approx(1_200_000, rel=0.05)
    assert found.totals[0].received_bytes * 8 == pytest.approx(100e6 * 1448 / 1500, rel=0.05)
    assert found.totals[0].sent_bytes >= found.totals[0].received_bytes


def test_no_connection_is_none() -> None:
    """The SYN-ACK finds no way back; ten seconds of packet time are enough."""
    lab = two_vpc_lab()
    rule = next(iter(lab.inventory.rules_of(lab.inventory.vpc("data").id)))
    lab.apply(DeleteRoute(rule.id))
    assert lab.iperf("web-1", "db-1") is None
    assert lab.now_ns == 10 * NS_PER_S


def test_the_cap_that_set_the_result_is_the_one_that_dropped() -> None:
    """Three caps in a row, the second one narrower."""
    lab = Lab(chain(4))
    lab.apply(ResizePeerConn("c1", 5))
    found = lab.iperf("i0", "i3", udp(duration_ns=NS_PER_S // 2))
    assert found is not None
    assert [cap.peer_connection for cap in found.limit.crossed] == ["c0", "c1", "c2"]
    assert found.limit.by is not None and found.limit.by.name == "c1, v1 to v2"
    assert found.limit.by.cap_bps == 5_000_000
    back = lab.iperf("i0", "i3", udp(is_reverse=True, rate_bps=1_000_000))
    assert back is not None and back.limit.by is None
    assert [cap.side for cap in back.limit.crossed] == ["peer"] * 3


def test_inside_a_vpc_there_is_no_cap() -> None:
    found = two_vpc_lab().iperf("web-1", "web-2", udp(duration_ns=NS_PER_S // 10))
    assert found is not None
    assert found.limit.crossed == ()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"rate_bps": None}, "a UDP stream needs a rate"),
        ({"streams": 0}, "streams is 0, accepted 1..128"),
        ({"block_bytes": 15}, "is 15, accepted 16..65507"),
        ({"duration_ns": 0}, "duration in ns is 0"),
        ({"interval_ns": 1}, "more than 100,000 intervals"),
    ],
)
def test_what_is_no_plan(changes: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        udp(**changes)
