"""Plans: what a deployment would consist of, as data; nothing is built here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from netsim.controlplane import edit as e
from netsim.controlplane.inventory import Inventory
from netsim.errors import UsageError
from netsim.kernel.batch import ip_lines, link_lines, script, tc_lines
from netsim.kernel.naming import default_name
from netsim.kernel.plan import Namespace, Plan
from netsim.kernel.planner import plan
from netsim.topology_file import load_topology
from tests.cli_process import ROOT
from tests.clouds import chain, two_vpcs

TOPOLOGIES = ROOT / "topologies"
Golden = Callable[[str, str], None]


def space_of(made: Plan, ref: str) -> Namespace:
    name = next(node.namespace for node in made.nodes if node.ref == ref)
    return next(space for space in made.namespaces if space.name == name)


def test_a_whole_plan(golden: Golden) -> None:
    """Two VPCs, four instances: every line that `ip`, `tc` and `nft` get."""
    golden(script(plan(two_vpcs(), "shop")), "two_vpcs")


def test_a_relay_with_segments(golden: Golden) -> None:
    inventory = load_topology(TOPOLOGIES / "relay-chain.netsim.yaml").inventory
    made = plan(inventory, "chain")
    golden("\n".join(ip_lines(space_of(made, "middle"))) + "\n" + space_of(made, "middle").filters, "relay")


def test_the_same_inventory_gives_the_same_plan() -> None:
    assert script(plan(two_vpcs(), "shop")) == script(plan(two_vpcs(), "shop"))


def test_two_deployments_share_no_name() -> None:
    """Side by side: also where one name is the beginning of the other's."""
    names = [
        {space.name for space in plan(two_vpcs(), name).namespaces} for name in ("shop", "shop-2", "shop-vpc", "vpc")
    ]
    assert len(set.union(*names)) == sum(map(len, names))


def test_names_that_no_namespace_may_have_are_spelled_out() -> None:
    inventory = Inventory()
    inventory.apply(
        e.CreateAccount("acme"),
        e.CreateVpc("a", "bj", "10.1.0.0/16", "acme"),
        e.CreateVpc("b", "bj", "10.2.0.0/16", "acme"),
        e.CreateSubnet("a", "s", "10.1.0.0/24"),
        e.CreateSubnet("b", "s", "10.2.0.0/24"),
        e.CreateInstance("web.1", "a/s", "10.1.0.10"),
        e.CreateInstance("web_1", "a/s", "10.1.0.11"),
        e.CreateInstance("web_1", "b/s", "10.2.0.11"),
    )
    made = plan(inventory, "x")
    spaces = {node.ref: node.namespace for node in made.nodes}
    assert len(set(spaces.values())) == len(spaces) == 5
    assert all(name.startswith("netsim.x.") and "/" not in name for name in spaces.values())


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "-a", "a b", "x" * 41, "ü"])
def test_names_that_no_deployment_may_have(name: str) -> None:
    with pytest.raises(UsageError, match="deployment name"):
        plan(two_vpcs(), name)


@pytest.mark.parametrize(("topology", "name"), [("a.b/c", "a-b-c"), ("...", "network"), ("ü" * 60, "network")])
def test_a_topology_name_becomes_one(topology: str, name: str) -> None:
    assert default_name(topology) == name


# ------------------------------------------------------------------------------ connections


def test_caps_are_on_the_router_and_never_on_a_host() -> None:
    """A bucket on the sending host would push back on its sockets instead of dropping."""
    made = plan(two_vpcs(bandwidth_mbps=20, burst_bytes=50_000, queue_bytes=80_000, accounting="l2"), "shop")
    assert list(tc_lines(space_of(made, "shop"))) == [
        "qdisc add dev peer0 root tbf rate 20000000bit burst 50000b limit 80000b"
    ]
    assert len(list(tc_lines(space_of(made, "data")))) == 1
    hosts = [space for space in made.namespaces if space.kind == "instance"]
    assert hosts and not any(list(tc_lines(space)) for space in hosts)
    assert not any("layer 2" in note for note in made.notes)
    assert any("layer 2" in note for note in plan(two_vpcs(), "shop").notes)


def test_a_connection_that_is_not_active_has_no_link_and_its_rules_discard() -> None:
    inventory = load_topology(TOPOLOGIES / "consulting-request.netsim.yaml").inventory
    made = plan(inventory, "x")
    assert not made.peer_devices
    lines = [line for space in made.namespaces if space.kind == "router" for line in ip_lines(space)]
    assert not any("peer0" in line for line in lines)
    assert any(line.startswith("route add blackhole") and "table 1000" in line for line in lines)


def test_delays_stand_between_the_routers_so_that_they_come_after_the_cap() -> None:
    made = plan(two_vpcs(latency_ms=30), "shop", has_delay=True)
    wires = made.namespaces[-1]
    assert wires.kind == "wires"
    assert [line for line in tc_lines(wires) if "netem" in line] == [
        f"qdisc add dev w0{end} root netem delay 30000000ns limit {1000 + 100_000_000 * 30 // 1000 // 512}"
        for end in "ab"
    ]
    ends = [line for line in link_lines(made) if wires.name in line]
    assert len(ends) == 2 and all("peer0 netns netsim.shop.vpc." in line for line in ends)
    assert not any("delay" in note for note in made.notes)
    assert any("delay" in note for note in plan(two_vpcs(latency_ms=30), "shop").notes)


def test_mtu_of_instances_fits_the_widest_connection() -> None:
    jumbo = plan(two_vpcs(mtu_bytes=9000), "x")
    assert {device.mtu_bytes for device in space_of(jumbo, "shop/web-1").devices} == {9000}
    narrow = plan(two_vpcs(mtu_bytes=576), "x")
    assert {device.mtu_bytes for device in space_of(narrow, "shop/web-1").devices} == {1500}
    assert {d.mtu_bytes for d in space_of(narrow, "shop").devices if d.name == "peer0"} == {576}


@pytest.mark.parametrize("connection", [{"police": True}, {"burst_bytes": 500_000, "queue_bytes": 20_000}])
def test_big_packets_are_not_made_where_a_queue_has_no_room_for_them(connection: dict[str, int | bool]) -> None:
    assert all(space.has_trains for space in plan(two_vpcs(), "x").namespaces)
    made = plan(two_vpcs(**connection), "x")
    assert not space_of(made, "shop/web-1").has_trains
    assert "link set eth0 gso_max_segs 1" in list(ip_lines(space_of(made, "shop/web-1")))


# ------------------------------------------------------------------------------ transit


def test_only_a_relay_lets_packets_out_again() -> None:
    filters = {node.ref: space_of(made, node.ref).filters for made in [plan(two_vpcs(), "x")] for node in made.nodes}
    assert 'iifname "peer*" fib daddr oifname { "peer0" } drop' in filters["shop"]
    assert "dscp" not in filters["shop"]
    relay = plan(load_topology(TOPOLOGIES / "relay-chain.netsim.yaml").inventory, "x")
    assert "drop" not in space_of(relay, "middle").filters.split("chain send")[0]
    assert 'iifname "peer*"' in space_of(relay, "left").filters


def test_transits_are_counted_only_where_the_count_can_matter() -> None:
    """Two relays peered, and a limit: elsewhere the field is the instances' own."""
    unlimited = chain(4)
    assert "dscp" not in space_of(plan(unlimited, "x"), "v1").filters
    limited = Inventory("research", {"transits": 2})
    limited.apply(
        e.CreateAccount("acme"),
        *(e.CreateVpc(f"v{k}", "bj", f"10.{k}.0.0/16", "acme", relay=True) for k in range(2)),
        e.CreatePeerConn("v0", "v1", 100, name="c", local_interface="right", peer_interface="left"),
    )
    assert (
        'iifname "peer*" ip dscp 2-63 fib daddr oifname { "peer0" } drop' in space_of(plan(limited, "x"), "v0").filters
    )


def test_the_routers_own_errors_have_the_table_of_the_address_they_get() -> None:
    """Linux looks an error up before it has a source; `from` rules of segments don't match that."""
    inventory = load_topology(TOPOLOGIES / "source-segments.netsim.yaml").inventory
    shop = space_of(plan(inventory, "x"), "shop")
    gold = next(rule.table for rule in shop.rules if str(rule.source) == "192.168.0.0/24")
    assert [rule.table for rule in shop.rules if str(rule.source) == "0.0.0.0/32"] == [gold]


# ------------------------------------------------------------------------------ names for people


def test_instances_know_each_other_and_their_vpcs_records_by_name() -> None:
    inventory = two_vpcs()
    inventory.apply(e.CreateDnsRecord("shop", "www.shop.local", "192.168.0.10"))
    made = plan(inventory, "x")
    shop, data = (made.hosts[inventory.vpc(name).id].splitlines() for name in ("shop", "data"))
    assert "10.1.0.20 db-1.data.internal" in shop
    assert {"127.0.0.1 localhost", "10.1.0.20 db-1", "192.168.0.10 www.shop.local"} <= set(shop)
    assert "192.168.0.10 web-1" in data and "192.168.0.10 www.shop.local" not in data


def test_a_name_that_is_no_host_name_is_in_no_hosts_file() -> None:
    inventory = two_vpcs()
    inventory.apply(e.CreateInstance("my server", "data/db", "10.1.0.30"))
    made = plan(inventory, "x")
    assert all(len(line.split()) == 2 for hosts in made.hosts.values() for line in hosts.splitlines())
    assert not any("10.1.0.30" in hosts for hosts in made.hosts.values())
    assert "data/my server" in {node.ref for node in made.nodes}


def test_what_people_wrote_cannot_become_a_command() -> None:
    """A connection's name goes into an alias: one word in quotes, one line."""
    space = space_of(plan(two_vpcs(), "x"), "shop")
    evil = replace(space.devices[0], alias='evil" up\nlink delete eth0')
    lines = list(ip_lines(replace(space, devices=(evil,))))
    assert 'link set sub0 alias "evil_ up_link delete eth0" up' in lines
    assert not any("\n" in line for line in lines)


def test_a_namespace_can_be_changed_as_data() -> None:
    space = plan(two_vpcs(), "x").namespaces[0]
    assert not list(tc_lines(replace(space, caps=())))
