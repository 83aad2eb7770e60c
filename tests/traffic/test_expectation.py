"""Expectation: what `expect:` may say."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.errors import InvalidError
from netsim.traffic.expectation import REASONS, Bounds, Expectation, format_port, parse_port


def test_a_reachability_expectation_reads_as_a_sentence() -> None:
    yes = Expectation(from_ref="web-1", to_ref="db-1", port=(6, 5432), reachable=True)
    no = Expectation(from_ref="web-2", to_ref="db-1", reachable=False, because="no_route")
    assert str(yes) == "web-1 -> db-1 tcp/5432: reachable"
    assert str(no) == "web-2 -> db-1: not reachable because no_route"
    assert not yes.is_about_flow


def test_a_flow_expectation_names_its_bounds() -> None:
    flow = Expectation(flow="backup", throughput_mbps=Bounds(90, 101), loss_ratio=Bounds(at_most=0.5))
    assert flow.is_about_flow
    assert [name for name, _ in flow.bounds] == ["throughput_mbps", "loss_ratio"]
    assert str(flow) == "backup: throughput_mbps 90 to 101, loss_ratio at most 0.5"


@pytest.mark.parametrize(("value", "inside"), [(89.9, False), (90, True), (101, True), (101.1, False)])
def test_bounds_include_their_ends(value: float, inside: bool) -> None:
    assert Bounds(90, 101).hold(value) is inside


def test_an_open_end_accepts_everything_on_its_side() -> None:
    assert Bounds(at_least=1).hold(1e18) and not Bounds(at_least=1).hold(0.5)
    assert Bounds(at_most=1).hold(0) and not Bounds(at_most=1).hold(2)


@pytest.mark.parametrize("bad", [(None, None), (2, 1), (-1, None), (None, float("nan")), (True, None), ("9", None)])
def test_impossible_bounds_are_refused(bad: tuple[Any, Any]) -> None:
    with pytest.raises(InvalidError, match=r"^bounds: [^\n]+$"):
        Bounds(*bad)


def test_reasons_are_the_drops_and_the_two_that_are_no_fate() -> None:
    assert {"no_route", "queue_full", "no_return_route", "overlapping_cidr"} <= set(REASONS)
    assert not {"delivered", "exits_network", "in_flight"} & set(REASONS)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "from_ref"),
        ({"from_ref": "a", "reachable": True}, "to_ref"),
        ({"from_ref": "a", "to_ref": "b"}, "reachable"),
        ({"from_ref": "a", "to_ref": "b", "reachable": True, "because": "no_route"}, "because"),
        ({"from_ref": "a", "to_ref": "b", "reachable": False, "because": "no_rout"}, "because"),
        ({"from_ref": "a", "to_ref": "b", "reachable": True, "throughput_mbps": Bounds(1)}, "throughput_mbps"),
        ({"from_ref": "a", "to_ref": "b", "reachable": True, "port": (1, 80)}, "port"),
        ({"flow": "f"}, "throughput_mbps"),
        ({"flow": ""}, "flow"),
        ({"flow": "f", "to_ref": "b", "loss_ratio": Bounds(0)}, "to_ref"),
        ({"flow": "f", "loss_ratio": Bounds(at_most=2)}, "loss_ratio"),
    ],
)
def test_a_mixture_or_half_of_the_forms_is_refused(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidError) as caught:
        Expectation(**given)
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


def test_a_near_miss_of_a_reason_gets_a_suggestion() -> None:
    with pytest.raises(InvalidError, match='did you mean "no_route"'):
        Expectation(from_ref="a", to_ref="b", reachable=False, because="no_rout")


@pytest.mark.parametrize("text", ["tcp/1", "udp/65535", "tcp/443"])
def test_ports_read_and_print_alike(text: str) -> None:
    assert format_port(parse_port(text)) == text


@pytest.mark.parametrize("text", ["tcp/0", "tcp/65536", "tcp", "sctp/1", "TCP/80", "tcp/080", "tcp/٣", 80])
def test_what_is_no_port_is_refused(text: Any) -> None:
    with pytest.raises(InvalidError, match="expected like tcp/443"):
        parse_port(text)
