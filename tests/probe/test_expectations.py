"""Is it reachable, and if not why: each verdict, found by sending."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.controlplane.edit import CreateRoute, DeletePeerConn, DeleteRoute, SetRelay
from netsim.dataplane.batch import PROTO_TCP, PROTO_UDP
from netsim.dataplane.disposition import Disposition
from netsim.lab import Lab
from netsim.probe.expectations import check_expectation
from netsim.topology_file import read_topology
from netsim.traffic.expectation import Bounds, Expectation
from tests.clouds import chain, two_vpc_lab


@pytest.fixture
def lab() -> Lab:
    return two_vpc_lab()


def verdict(lab: Lab, a: str, b: str, port: tuple[int, int] | None = None) -> tuple[str, str]:
    reached = lab.probe(a, b, port)
    return reached.verdict, reached.reason


def cut_the_way_back(lab: Lab) -> None:
    (back,) = lab.inventory.rules_of("data")
    lab.apply(DeleteRoute(back.id))


@pytest.mark.parametrize("port", [None, (PROTO_TCP, 5432), (PROTO_UDP, 53)])
def test_reachable(lab: Lab, port: tuple[int, int] | None) -> None:
    assert verdict(lab, "web-1", "db-1", port) == ("reachable", "")


@pytest.mark.parametrize("port", [(PROTO_TCP, 22), (PROTO_UDP, 54)])
def test_a_closed_port_is_not_reachable(lab: Lab, port: tuple[int, int]) -> None:
    assert verdict(lab, "web-1", "db-1", port) == ("not_reachable", "port_closed")


@pytest.mark.parametrize("port", [None, (PROTO_TCP, 5432), (PROTO_TCP, 22), (PROTO_UDP, 53)])
def test_one_way_without_a_return_route(lab: Lab, port: tuple[int, int] | None) -> None:
    cut_the_way_back(lab)
    assert verdict(lab, "web-1", "db-1", port) == ("one_way", "no_return_route")


@pytest.mark.parametrize("port", [None, (PROTO_TCP, 5432), (PROTO_UDP, 53)])
def test_another_reason_on_the_way_back_is_that_reason(lab: Lab, port: tuple[int, int] | None) -> None:
    cut_the_way_back(lab)
    lab.apply(CreateRoute("data", "0.0.0.0/0", "192.168.0.0/16", "blackhole"))
    assert verdict(lab, "web-1", "db-1", port) == ("one_way", "blackhole")


def test_reasons_of_the_way_there(lab: Lab) -> None:
    lab.apply(DeletePeerConn("shop-data"))
    assert verdict(lab, "web-1", "db-1") == ("not_reachable", "bad_state_route")
    assert verdict(lab, "web-1", "db-1", (PROTO_UDP, 53)) == ("not_reachable", "bad_state_route")
    (there,) = lab.inventory.rules_of("shop")
    lab.apply(DeleteRoute(there.id))
    assert verdict(lab, "web-1", "db-1", (PROTO_TCP, 5432)) == ("not_reachable", "no_route")


def test_a_relay_that_is_none_denies_transit_either_way() -> None:
    lab = Lab(chain(3))
    assert verdict(lab, "i0", "i2") == ("reachable", "")
    lab.apply(SetRelay("v1", relay=False))
    assert verdict(lab, "i0", "i2") == ("not_reachable", "transit_denied")


def test_a_loop_is_ttl_expired() -> None:
    lab = Lab(chain(3))
    for rule in lab.inventory.rules_of("v1"):
        if str(rule.destination) == "10.2.0.0/16":
            lab.apply(DeleteRoute(rule.id), CreateRoute("v1", "0.0.0.0/0", "10.2.0.0/16", "left"))
    assert verdict(lab, "i0", "i2") == ("not_reachable", "ttl_expired")


def test_neighbours_and_oneself(lab: Lab) -> None:
    assert verdict(lab, "web-1", "web-2") == ("reachable", "")
    assert verdict(lab, "web-1", "desk-1") == ("reachable", "")
    assert verdict(lab, "web-1", "web-1") == ("reachable", "")


def test_fates_of_both_ways_are_told(lab: Lab) -> None:
    reached = lab.probe("web-1", "db-1")
    assert (reached.forward, reached.back) == (Disposition.DELIVERED, Disposition.DELIVERED)
    cut_the_way_back(lab)
    assert lab.probe("web-1", "db-1").back is Disposition.NO_ROUTE


def expect(**given: Any) -> Expectation:
    return Expectation(**given)


def test_an_expectation_holds_only_for_the_right_reason(lab: Lab) -> None:
    cut_the_way_back(lab)
    cases = {
        "no_return_route": True,
        None: True,
        "no_route": False,
    }
    for because, holds in cases.items():
        found = check_expectation(lab, expect(from_ref="web-1", to_ref="db-1", reachable=False, because=because), {})
        assert (found.holds, found.found) == (holds, "one way because no_return_route"), because
    wrong = check_expectation(lab, expect(from_ref="web-1", to_ref="db-1", reachable=True), {})
    assert not wrong.holds


def test_a_flow_s_bounds_are_held_against_its_figures(lab: Lab) -> None:
    flows = {"f": {"throughput_bps": 9_500_000, "goodput_bps": 9_000_000, "loss_ratio": 0.25}}

    def found(**bounds: Bounds) -> tuple[bool, str]:
        checked = check_expectation(lab, expect(flow="f", **bounds), flows)
        return checked.holds, checked.found

    assert found(throughput_mbps=Bounds(9.5, 9.5)) == (True, "throughput_mbps 9.5")
    assert found(throughput_mbps=Bounds(9.6)) == (False, "throughput_mbps 9.5")
    assert found(goodput_mbps=Bounds(at_most=8)) == (False, "goodput_mbps 9")
    both = found(loss_ratio=Bounds(at_most=0.25), throughput_mbps=Bounds(1))
    assert both == (True, "throughput_mbps 9.5, loss_ratio 0.25")
    absent = check_expectation(lab, expect(flow="g", loss_ratio=Bounds(0)), flows)
    assert (absent.holds, absent.found) == (False, 'no flow "g" ran')


OVERLOADED = """
netsim: 1
name: overloaded
accounts: [{id: acme}]
vpcs:
  - name: a
    account: acme
    region: bj
    cidr: 10.1.0.0/16
    subnets: [{name: s, cidr: 10.1.0.0/24}]
    instances: [{name: a1, subnet: s, ip: 10.1.0.10}]
    routes: [{source: 0.0.0.0/0, destination: 10.2.0.0/16, next_hop: out}]
  - name: b
    account: acme
    region: bj
    cidr: 10.2.0.0/16
    subnets: [{name: s, cidr: 10.2.0.0/24}]
    instances: [{name: b1, subnet: s, ip: 10.2.0.10}]
    routes: [{source: 0.0.0.0/0, destination: 10.1.0.0/16, next_hop: back}]
peer_connections:
  - {name: c, local: {vpc: a, interface: out}, peer: {vpc: b, interface: back}, bandwidth_mbps: 1, queue_bytes: 100000}
traffic:
  - {name: flood, from: a1, to: b1, kind: udp, rate_mbps: 20, packet_bytes: 50, duration_s: 1}
expect:
  - {from: a1, to: b1, reachable: true}
  - {flow: flood, loss_ratio: {at_least: 0.5}}
"""


def test_check_asks_a_network_whose_queues_have_emptied() -> None:
    """The flood leaves a full queue behind; that is no reason to call the far side unreachable."""
    lab = Lab(read_topology(OVERLOADED, "overloaded.netsim.yaml"))
    verdicts = lab.check()
    assert [(v.holds, v.found.split()[0]) for v in verdicts] == [(True, "reachable"), (True, "loss_ratio")]
