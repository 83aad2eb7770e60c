"""FlowSpec: what a traffic entry may say."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.errors import InvalidError
from netsim.traffic.flow import FlowSpec


def make(**changes: Any) -> FlowSpec:
    given: dict[str, Any] = {"name": "f", "from_ref": "a", "to_ref": "b", "kind": "udp", "rate_bps": 8_000_000}
    return FlowSpec(**{**given, **changes})


def test_defaults_are_those_of_the_kind() -> None:
    assert (make().packet_bytes, make().dst_port, make().end_ns) == (1500, 5201, None)
    ping = make(kind="icmp", rate_bps=None)
    assert (ping.packet_bytes, ping.rate_bps, ping.dst_port) == (84, 672, None)
    assert make(kind="tcp", rate_bps=None).rate_bps is None


def test_end_is_start_plus_duration() -> None:
    assert make(start_ns=5, duration_ns=7).end_ns == 12


def test_source_ports_differ_between_flows_unless_given() -> None:
    assert make().source_port(0) == 49152
    assert len({make().source_port(i) for i in range(16_384)}) == 16_384
    assert make().source_port(16_384) == 49152
    assert make(src_port=1000).source_port(7) == 1000


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": " "}, "name", "accepted a name"),
        ({"to_ref": ""}, "to_ref", "accepted a name"),
        ({"kind": "udb"}, "kind", 'did you mean "udp"?'),
        ({"arrivals": "onoff"}, "arrivals", 'did you mean "on_off"?'),
        ({"packet_bytes": 27}, "packet_bytes", "28..65535"),
        ({"kind": "tcp", "packet_bytes": 87}, "packet_bytes", "88..65535"),
        ({"packet_bytes": 65_536}, "packet_bytes", "28..65535"),
        ({"start_ns": -1}, "start_ns", "0.."),
        ({"start_ns": True}, "start_ns", "is True"),
        ({"start_ns": 1.5}, "start_ns", "is 1.5"),
        ({"duration_ns": 0}, "duration_ns", "1.."),
        ({"rate_bps": 0}, "rate_bps", "1..1000000000000"),
        ({"rate_bps": None}, "rate_bps", "missing"),
        ({"kind": "tcp", "arrivals": "poisson"}, "arrivals", "paces itself"),
        ({"arrivals": "on_off", "on_ns": 0, "off_ns": 5}, "on_ns", "1.."),
        ({"arrivals": "on_off", "on_ns": 10**9}, "off_ns", "1.."),
        ({"arrivals": "on_off", "on_ns": 1_499_999, "off_ns": 5}, "on_ns", "1500000 ns"),
        ({"on_ns": 5}, "on_ns", "on_off"),
        ({"dst_port": 0}, "dst_port", "1..65535"),
        ({"src_port": 65_536}, "src_port", "1..65535"),
        ({"kind": "icmp", "dst_port": 80}, "dst_port", "no ports"),
        ({"pcap": "x.pcap"}, "pcap", "only a replay"),
        ({"kind": "replay", "rate_bps": None}, "pcap", "missing"),
        ({"kind": "replay", "pcap": "x.pcap"}, "rate_bps", "capture's pace"),
        ({"kind": "replay", "rate_bps": None, "pcap": "x", "time_scale": 0.0}, "time_scale", "above 0"),
        ({"kind": "replay", "rate_bps": None, "pcap": "x", "time_scale": float("nan")}, "time_scale", "nan"),
        ({"time_scale": 2.0}, "time_scale", "only a replay"),
    ],
)
def test_a_wrong_value_is_refused_with_one_line_that_names_the_field(
    changes: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        make(**changes)
    text = str(caught.value)
    assert caught.value.field == field
    assert words in text and field in text and "\n" not in text


def test_a_replay_scales_the_time_of_its_capture() -> None:
    flow = make(kind="replay", rate_bps=None, pcap="web.pcap", time_scale=0.5)
    assert (flow.pcap, flow.time_scale) == ("web.pcap", 0.5)
