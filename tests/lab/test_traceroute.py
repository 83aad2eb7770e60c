from __future__ import annotations

import pytest

from netsim.controlplane.edit import CreateRoute, DeleteRoute, SetRelay
from netsim.errors import UsageError
from netsim.lab import Lab
from netsim.prefix import format_addr, parse_addr
from netsim.probe.traceroute import TracerouteResult
from tests.clouds import DB_1, chain, two_vpc_lab


def shown(lab: Lab, result: TracerouteResult) -> list[tuple[int, str, str]]:
    """(ttl, who, in which VPC) of each hop; `*` for silence."""
    rows = []
    for hop in result.hops:
        who = "*" if hop.first is None else format_addr(hop.first.from_addr)
        rows.append((hop.ttl, who, "" if hop.vpc_id is None else lab.inventory.vpcs[hop.vpc_id].name))
    return rows


@pytest.mark.parametrize("protocol", ["udp", "icmp"])
def test_each_router_on_the_way_answers_and_then_the_host(protocol: str) -> None:
    lab = Lab(chain(4))
    result = lab.traceroute("i0", "i3", protocol=protocol)
    assert result.reached
    assert shown(lab, result) == [
        (1, "10.0.0.1", "v0"),
        (2, "10.1.0.1", "v1"),
        (3, "10.2.0.1", "v2"),
        (4, "10.3.0.1", "v3"),
        (5, "10.3.0.10", "v3"),
    ]
    times = [hop.first.rtt_ns for hop in result.hops if hop.first]
    assert times == sorted(times)
    assert 2 * 3 * 500_000 < times[-1] < 2 * 3 * 500_000 + 300_000


def test_probes_per_hop_are_answered_each() -> None:
    lab = two_vpc_lab()
    result = lab.traceroute("web-1", "db-1", probes=3)
    assert [len(hop.answers) for hop in result.hops] == [3, 3, 3]
    assert all(answer is not None for hop in result.hops for answer in hop.answers)


def test_the_neighbour_is_reached_at_once_and_a_router_too() -> None:
    lab = two_vpc_lab()
    assert shown(lab, lab.traceroute("web-1", "web-2")) == [(1, "192.168.0.11", "shop")]
    assert shown(lab, lab.traceroute("web-1", "10.1.0.1")) == [(1, "192.168.0.1", "shop"), (2, "10.1.0.1", "data")]


def test_it_stops_where_somebody_says_unreachable() -> None:
    lab = two_vpc_lab()
    nowhere = lab.traceroute("web-1", "10.9.9.9")
    assert (shown(lab, nowhere), nowhere.reached) == ([(1, "192.168.0.1", "shop")], False)
    nobody = lab.traceroute("web-1", "10.1.0.99")
    assert (shown(lab, nobody)[-1], nobody.reached) == ((2, "10.1.0.1", "data"), False)


def test_silence_lasts_until_the_largest_ttl() -> None:
    lab = Lab(chain(3))
    lab.apply(SetRelay("v1", relay=False))
    result = lab.traceroute("i0", "i2", max_ttl=4)
    # v1 denies transit before it looks at the TTL (design section 3: 6 before 7).
    assert shown(lab, result) == [(1, "10.0.0.1", "v0"), (2, "*", ""), (3, "*", ""), (4, "*", "")]
    assert not result.reached


def test_a_loop_shows_both_routers_in_turn() -> None:
    lab = Lab(chain(3))
    for rule in lab.inventory.rules_of(lab.inventory.vpc("v1").id):
        if str(rule.destination) == "10.2.0.0/16":
            lab.apply(DeleteRoute(rule.id), CreateRoute("v1", "0.0.0.0/0", "10.2.0.0/16", "left"))
    result = lab.traceroute("i0", "i2", max_ttl=6)
    assert [who for _, who, _ in shown(lab, result)] == ["10.0.0.1", "10.1.0.1"] * 3
    assert not result.reached


def test_an_open_udp_port_stays_silent_so_a_wrong_port_is_no_answer() -> None:
    lab = two_vpc_lab()
    lab.open_ports([(lab.instance("db-1").id, (17, 33_434 + 2))])
    result = lab.traceroute("web-1", "db-1", max_ttl=4)
    assert [hop.first is None for hop in result.hops] == [False, False, True, False]
    assert result.hops[3].first is not None and result.hops[3].first.from_addr == parse_addr(DB_1)


@pytest.mark.parametrize(
    "wrong", [{"max_ttl": 0}, {"max_ttl": 256}, {"probes": 0}, {"probes": 11}, {"protocol": "tcp"}]
)
def test_arguments_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="traceroute: "):
        two_vpc_lab().traceroute("web-1", "db-1", **wrong)  # type: ignore[arg-type]
