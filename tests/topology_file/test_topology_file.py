"""Whole files: what they make, all that is wrong with them at once, and that writing and reading agree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.clock import FILE_RUN_START_NS
from netsim.controlplane.edit import DeletePeerConn, UpdateInstance
from netsim.controlplane.peer_conn import PeerConnState
from netsim.errors import ConflictError, TopologyError, UsageError
from netsim.prefix import parse_addr
from netsim.topology_file import TEMPLATES, Topology, dump_topology, load_topology, new_topology, read_topology
from netsim.topology_file.json_schema import SCHEMA_PATH, json_schema, json_schema_text
from netsim.traffic.flow import FlowSpec

FOLDER = Path(__file__).parents[2] / "topologies"
FILES = sorted(FOLDER.glob("*.netsim.yaml"))
BROKEN = sorted((Path(__file__).parent / "broken").glob("*.netsim.yaml"))
RESOURCES = ("accounts", "vpcs", "subnets", "instances", "rules", "peer_conns")
SIZES = ["two-vpcs", "cross-account", "hub:1", "hub:10", "hub:11", "mesh:2", "mesh:5", "mesh:12", "chain:2", "chain:3",
         "chain:9", "random:2", "random:12"]  # fmt: skip

UNSYNCED = new_topology("cross-account").replace("    dns_sync: {local: true, peer: true}\n", "")


def assert_same(one: Topology, other: Topology) -> None:
    for kind in RESOURCES:
        assert list(getattr(one.inventory, kind).values()) == list(getattr(other.inventory, kind).values()), kind
    for vpc_id in one.inventory.vpcs:
        assert one.inventory.dns_records_of(vpc_id) == other.inventory.dns_records_of(vpc_id)
    for attribute in ("name", "seed", "profile", "limits", "traffic", "expect"):
        assert getattr(one, attribute) == getattr(other, attribute), attribute


# ------------------------------------------------------------------------------------- what is made


def test_a_file_becomes_resources_flows_and_expectations() -> None:
    path = FOLDER / "cross-account-cross-region.netsim.yaml"
    topology = read_topology(path.read_bytes(), path.name)
    inventory = topology.inventory
    conn = inventory.peer_conn("shop-data")
    assert inventory.clock.now_ns == FILE_RUN_START_NS and topology.seed == 7
    assert conn.state is PeerConnState.ACTIVE and conn.has_dns_sync and conn.latency_ns == 30_000_000
    assert inventory.instance("data/db-1").addr == parse_addr("10.1.0.20")
    assert {str(rule.next_hop) for rule in inventory.rules_of("data")} == {conn.peer.interface_id}
    reports = topology.traffic[1]
    assert (reports.arrivals, reports.on_ns, reports.off_ns) == ("on_off", 200_000_000, 600_000_000)
    assert topology.traffic[4].kind == "replay" and topology.traffic[4].start_ns == 10**9
    assert topology.expect[3].because == "no_route"
    assert topology.traffic_places[0] == (79, 5)


@pytest.mark.parametrize("state", ["consulting", "consult_failed", "active"])
def test_a_state_is_reached_through_operations(state: str) -> None:
    text = UNSYNCED.replace("bandwidth_mbps: 20", f"bandwidth_mbps: 20\n    state: {state}")
    assert read_topology(text).inventory.peer_conn("shop-data").state == state


def test_an_expired_connection_was_prepaid() -> None:
    text = UNSYNCED.replace("bandwidth_mbps: 20", "bandwidth_mbps: 20\n    state: expired")
    prepaid = text.replace("state: expired", "state: expired\n    payment: prepaid")
    assert read_topology(prepaid).inventory.peer_conn("shop-data").state is PeerConnState.EXPIRED
    with pytest.raises(TopologyError, match="expired"):
        read_topology(text)


def test_the_seed_given_by_the_caller_beats_that_of_the_file() -> None:
    text = new_topology("two-vpcs", seed=5)
    assert list(read_topology(text).inventory.vpcs) == list(read_topology(text, seed=5).inventory.vpcs)
    assert list(read_topology(text).inventory.vpcs) != list(read_topology(text, seed=6).inventory.vpcs)


def test_single_limits_apply_after_the_profile() -> None:
    text = "netsim: 1\nname: x\nprofile: research\nlimits: {routes_per_vpc: 7, transits: null}\n"
    limits = read_topology(text).inventory.limits
    assert (limits.routes_per_vpc, limits.peer_connections_per_vpc, limits.relay_may_peer) == (7, None, True)


def test_json_is_read_by_the_same_loader() -> None:
    value = {"$schema": "x", "netsim": 1, "name": "j", "accounts": [{"id": "a"}], "vpcs": [
        {"name": "v", "account": "a", "region": "bj", "cidr": "10.0.0.0/16", "relay": True}]}  # fmt: skip
    assert read_topology(json.dumps(value)).inventory.vpc("v").relay
    assert read_topology(json.dumps(value, indent="\t")).inventory.vpc("v").relay


# ------------------------------------------------------------------------------------ what is wrong


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.name.split(".")[0])
def test_every_problem_of_a_file_is_reported_at_once(path: Path, golden: Callable[[str, str], None]) -> None:
    with pytest.raises(TopologyError) as caught:
        read_topology(path.read_bytes(), path.name)
    golden(str(caught.value), path.name.split(".")[0])


def test_a_capture_that_is_not_there_is_a_problem_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.netsim.yaml"
    text = new_topology("two-vpcs").replace("traffic:\n", "traffic:\n  - {name: r, from: n1, to: n2, pcap: c.pcap}\n")
    path.write_text(text)
    with pytest.raises(TopologyError, match=r"traffic\[0\].pcap: there is no capture file c.pcap"):
        load_topology(path)
    (tmp_path / "c.pcap").touch()
    topology = load_topology(path)
    assert topology.beside(topology.traffic[0].pcap or "") == tmp_path / "c.pcap"


def test_more_rules_than_the_quota_are_one_problem() -> None:
    rules = "".join(
        f"      - {{source: 0.0.0.0/0, destination: 172.16.{i}.0/24, next_hop: blackhole}}\n" for i in range(60)
    )
    text = new_topology("two-vpcs").replace("    routes:\n", f"    routes:\n{rules}", 1)
    with pytest.raises(TopologyError) as caught:
        read_topology(text)
    (problem,) = caught.value.problems
    assert "routes_per_vpc" in problem.message and problem.path == "vpcs[0].routes[50]"


# -------------------------------------------------------------------------------- files that we ship


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split(".")[0])
def test_each_topology_loads_explains_itself_and_carries_expected_traffic(path: Path) -> None:
    topology = load_topology(path)
    text = path.read_text()
    assert text.startswith("# ") and "\n# Try:" in text
    kinds = {flow.kind for flow in topology.traffic}
    assert kinds >= {"udp", "icmp"} or "tcp" in kinds
    assert any(e.flow for e in topology.expect) and any(e.flow is None for e in topology.expect)
    n_packets = sum(map(expected_packets, topology.traffic))
    assert n_packets <= 30_000
    assert all(flow.duration_ns or flow.kind == "replay" for flow in topology.traffic)


def expected_packets(flow: FlowSpec) -> int:
    share_on = flow.on_ns / (flow.on_ns + flow.off_ns) if flow.on_ns else 1
    return round((flow.rate_bps or 0) * share_on * (flow.duration_ns or 0) / 8e9 / flow.packet_bytes)


@pytest.mark.parametrize("template", SIZES)
def test_each_template_makes_a_file_that_loads_and_is_the_same_for_a_seed(template: str) -> None:
    text = new_topology(template, seed=3)
    assert text == new_topology(template, seed=3) and text.startswith("# ")
    topology = read_topology(text)
    assert topology.traffic and topology.expect and topology.seed == 3
    assert_same(topology, read_topology(dump_topology(topology)))


def test_templates_know_their_names_and_sizes() -> None:
    with pytest.raises(UsageError, match='there is none of that name — did you mean "mesh"'):
        new_topology("mash:4")
    with pytest.raises(UsageError, match=r"template hub: size is none, accepted 1..200, like hub:5"):
        new_topology("hub")
    with pytest.raises(UsageError, match='has one size, got "3"'):
        new_topology("two-vpcs:3")
    for name, template in TEMPLATES.items():
        if template.sizes is not None:
            with pytest.raises(UsageError):
                new_topology(f"{name}:{template.sizes[-1] + 1}")


# ----------------------------------------------------------------------------------- the JSON Schema


def test_the_shipped_schema_is_the_generated_one() -> None:
    assert SCHEMA_PATH.read_text() == json_schema_text()
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split(".")[0])
def test_the_schema_accepts_what_we_ship(path: Path) -> None:
    jsonschema.validate(raw(path.read_bytes()), json_schema(), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("netsim: 1", "netsim: 2"), ("netsim: 1\n", ""), ("region: bj", "region: moon"), ("n1,", "12,"),
        ("10.1.0.0/16\n", "10.1.0.0/33\n"), ("bandwidth_mbps: 100", "bandwidth_mbps: 1001"),
        ("bandwidth_mbps: 100", 'bandwidth_mbps: "100"'), ("bandwidth_mbps: 100", "bandwith_mbps: 100"),
        ("tcp/80", "tcp/http"), ("kind: udp, rate_mbps: 20", "kind: udp"), ("kind: icmp", "kind: carrier-pigeon"),
        ("arrivals: poisson", "arrivals: on_off"), ("reachable: true", "because: no_route"),
        ("{at_least: 19, at_most: 20.1}", "{}"),
    ],
)  # fmt: skip
def test_the_schema_and_the_loader_refuse_alike(old: str, new: str) -> None:
    text = new_topology("two-vpcs")
    assert old in text
    broken = text.replace(old, new, 1)
    validator = jsonschema.Draft202012Validator(json_schema())
    assert validator.is_valid(raw(text.encode())) and not validator.is_valid(raw(broken.encode()))
    with pytest.raises(TopologyError):
        read_topology(broken)


def raw(data: bytes) -> Any:
    from netsim.topology_file.compose import parse_tree

    return parse_tree(data, "t").root


# ----------------------------------------------------------------------------------- writing back


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split(".")[0])
def test_a_written_file_loads_to_the_same_inventory(path: Path) -> None:
    topology = load_topology(path)
    assert_same(topology, read_topology(dump_topology(topology)))


def test_a_rule_whose_connection_is_gone_is_written_as_a_blackhole() -> None:
    topology = read_topology(new_topology("two-vpcs"))
    topology.inventory.apply(DeletePeerConn("left-right"))
    assert "next_hop: blackhole" in dump_topology(topology)


def test_two_instances_of_one_name_cannot_be_written() -> None:
    topology = read_topology(new_topology("two-vpcs"))
    topology.inventory.apply(UpdateInstance("n2", name="n1"))
    with pytest.raises(ConflictError, match='instance "n1": two have this name'):
        dump_topology(topology)


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="/") | st.just(" "),
    min_size=1,
    max_size=12,
).filter(lambda name: name.strip() == name and name.isprintable() and name not in ("blackhole", "local"))


@st.composite
def topologies(draw: st.DrawFn) -> str:
    """A valid file with names of all kinds, written as JSON."""
    n_vpcs = draw(st.integers(1, 5))
    names = draw(st.lists(NAMES, min_size=4 * n_vpcs + 2, max_size=4 * n_vpcs + 2, unique=True))
    accounts = ["a", "b.c"]
    vpcs: list[dict[str, Any]] = []
    for i in range(n_vpcs):
        instance = {
            "name": names[4 * i + 2], "subnet": names[4 * i + 1], "ip": f"10.{i}.1.{draw(st.integers(3, 254))}",
            "listen": draw(st.lists(st.sampled_from(["tcp/80", "udp/53", "tcp/22"]), unique=True)),
            "nic_mbps": draw(st.sampled_from([1, 10_000])),
        }  # fmt: skip
        vpc = {
            "name": names[4 * i], "account": draw(st.sampled_from(accounts)),
            "region": draw(st.sampled_from(["bj", "gz"])),
            "cidr": f"10.{i}.0.0/16", "relay": False, "description": draw(NAMES),
            "subnets": [{"name": names[4 * i + 1], "cidr": f"10.{i}.1.0/24"}],
            "instances": [instance],
            "routes": [], "dns": draw(st.sampled_from([[], [{"name": "x.y", "a": "1.2.3.4"}]])),
        }  # fmt: skip
        vpcs.append(vpc)
    conns: list[dict[str, Any]] = []
    for i in range(1, n_vpcs):
        j = draw(st.integers(0, i - 1))
        is_same = vpcs[i]["account"] == vpcs[j]["account"]
        conns.append({
            "name": f"{names[4 * i + 3]}", "local": {"vpc": names[4 * i], "interface": f"if {i}"},
            "peer": {"vpc": names[4 * j], "interface": f"if {i}"}, "bandwidth_mbps": draw(st.integers(1, 1000)),
            "latency_ms": draw(st.sampled_from([None, 0.05, 0.1, 33.333333])), "police": draw(st.booleans()),
            "queue_bytes": draw(st.sampled_from([None, 100_000])), "mtu_bytes": draw(st.sampled_from([None, 1400])),
            "accounting": draw(st.sampled_from(["l1", "l2", "l3"])),
            "state": draw(st.sampled_from(["active"] if is_same else ["active", "consulting", "consult_failed"])),
        })  # fmt: skip
        for here, there in ((i, j), (j, i)):
            vpcs[here]["routes"].append(
                {"source": f"10.{here}.1.0/24", "destination": f"10.{there}.0.0/16", "next_hop": f"if {i}"}
            )
    vpcs[0]["routes"].append({"source": "0.0.0.0/0", "destination": "0.0.0.0/0", "next_hop": "gateway:nat"})
    flow = {"name": names[-1], "from": vpcs[0]["instances"][0]["name"], "to": vpcs[-1]["instances"][0]["name"]}
    flow |= draw(st.sampled_from([
        {"kind": "udp", "rate_mbps": 0.333333, "arrivals": "on_off", "on_ms": 100.5, "off_ms": 20}, {"kind": "icmp"},
        {"kind": "tcp", "duration_s": 1.5}, {"pcap": "x y.pcap", "time_scale": 0.1}, {"kind": "icmp", "rate_mbps": 1},
    ]))  # fmt: skip
    return json.dumps({
        "netsim": 1, "name": names[-2], "seed": draw(st.integers(0, 9)),
        "limits": {"transits": draw(st.sampled_from([0, None]))}, "accounts": [{"id": account} for account in accounts],
        "vpcs": vpcs, "peer_connections": conns, "traffic": [flow],
        "expect": [{"from": flow["from"], "to": flow["to"], "port": "tcp/22", "reachable": False}],
    }, ensure_ascii=False)  # fmt: skip


@settings(max_examples=60)
@given(topologies())
def test_writing_and_reading_any_topology_changes_nothing(text: str) -> None:
    topology = read_topology(text)
    assert_same(topology, read_topology(dump_topology(topology)))


TEXT = new_topology("cross-account")
PIECES = ["", "{", "}", "[", "]", ":", "- ", "\n", " ", "\t", "&a ", "*a", "!!int ", "null", "true", "-1", "1e400",
          "9" * 20,          "'", '"', "#", "\x00", "\u202e", "é", "<<: ", "0.0.0.0/0", "vpcs", "name: "]  # fmt: skip


def problems_of(text: str) -> list[str]:
    """The lines of the refusal, none if it loads; anything else passes through and fails the test."""
    try:
        read_topology(text)
    except TopologyError as error:
        return str(error).split("\n")
    return []


@settings(max_examples=250)
@given(st.data())
def test_a_mutilated_file_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    """Cuts, swaps and foreign bits anywhere: a TopologyError with printable one-line problems, or a topology."""
    text = TEXT
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.sampled_from([0, 1, 3, 20])))
        piece = data.draw(st.sampled_from(PIECES))
        text = text[:start] + piece + text[end:]
    assert all(line.isprintable() and line.startswith("topology") for line in problems_of(text))


@settings(max_examples=250)
@given(st.data())
def test_a_value_of_a_wrong_type_anywhere_is_refused_and_nothing_else(data: st.DataObject) -> None:
    root = raw(TEXT.encode())
    node: Any = root
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.integers(0, 3)) == 0:
            break
        node = node[key]
    node[key] = data.draw(
        st.sampled_from(
            [None, True, -1, 0, 10**30, 1.5, "", "x", "a/b", "0.0.0.0/0", [], [1], {}, {"x": 1}, [[]], [{}]]
        )
    )
    assert all(line.isprintable() and line.startswith("topology") for line in problems_of(json.dumps(root)))
