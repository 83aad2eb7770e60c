"""What the Fib says is what the inventory says: checked by looking addresses up, named by ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from netsim import jit
from netsim.controlplane import edit as e
from netsim.controlplane.fib_compiler import NO_LIMIT, SYSTEM_RULE, FibCompiler, LinkName
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import SIDES
from netsim.controlplane.route_choice import choose_route
from netsim.dataplane import fib as f
from netsim.dataplane import hop
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.fib import Fib, table_of
from netsim.dataplane.row import DST, HEADER, N_FIELDS, SIZE, SRC, TTL
from netsim.prefix import format_addr, parse_addr
from tests.controlplane.random_cloud import RandomCloud

WEB, DB = parse_addr("192.168.0.10"), parse_addr("10.1.0.20")

Answer = tuple[str, str, str]
"""Fate, id of the winning rule, and where it goes, in ids."""


class Lookups:
    """Asks a compiled Fib what a router does with a packet, and answers in ids."""

    def __init__(self, compiler: FibCompiler, fib: Fib) -> None:
        self.compiler = compiler
        self._fib = jit.plain_view(fib)

    def ask(self, vpc_id: str, src: int, dst: int, came_from: int = hop.FROM_INSTANCE) -> Answer:
        row, out = [0] * N_FIELDS, [0] * hop.OUT_WORDS
        row[SRC], row[DST], row[SIZE], row[HEADER], row[TTL] = src, dst, 100, 20, 64
        fate = Disposition(hop.decide(self._fib, row, self.compiler.node_of[vpc_id], came_from, out))
        rule = "" if out[hop.O_RULE] < 0 else self.compiler.rule_ids[out[hop.O_RULE]] or "system"
        target = out[hop.O_TARGET]
        where = {
            hop.TO_NOTHING: lambda: "",
            hop.TO_ROUTER: lambda: "router",
            hop.TO_INSTANCE: lambda: self.compiler.instance_ids[target],
            hop.TO_LINK: lambda: "/".join(self.compiler.link_names[target]),
            hop.TO_GATEWAY: lambda: self.compiler.gateways[target],
        }[out[hop.O_ACTION]]()
        return fate.symbol, rule, where


def expected(inventory: Inventory, vpc_id: str, src: int, dst: int) -> Answer:
    """The same, read from the tenants' resources."""
    if hop.is_unforwardable(dst):
        return "bad_destination", "", ""
    winner = choose_route(inventory, vpc_id, src, dst).winner
    if winner is None:
        return "no_route", "", ""
    if winner.rule is None:
        return _local(inventory, vpc_id, dst)
    kind, target = winner.rule.next_hop
    if kind == "blackhole":
        return "blackhole", winner.rule.id, ""
    if kind == "gateway":
        return "in_flight", winner.rule.id, target
    conn = inventory.conn_of_interface(target)
    if conn is None or not conn.is_active:
        return "bad_state_route", winner.rule.id, ""
    return "in_flight", winner.rule.id, f"{conn.id}/{'local' if conn.local.interface_id == target else 'peer'}"


def _local(inventory: Inventory, vpc_id: str, dst: int) -> Answer:
    for instance in inventory.instances_of(vpc_id):
        if instance.addr == dst:
            return "in_flight", "system", instance.id
    for subnet in inventory.subnets_of(vpc_id):
        if dst in (subnet.router_addr, subnet.resolver_addr):
            return "in_flight", "system", "router"
        if dst in (subnet.cidr.first, subnet.cidr.last):
            return "bad_destination", "system", ""
    return "host_unreachable", "system", ""


def questions(cloud: RandomCloud, per_vpc: int) -> Iterator[tuple[str, int, int]]:
    for vpc_id in cloud.inventory.vpcs:
        addresses = cloud.addresses(vpc_id, 2 * per_vpc)
        for src, dst in zip(addresses[::2], addresses[1::2], strict=True):
            yield vpc_id, src, dst


def facts(compiler: FibCompiler, fib: Fib) -> dict[str, Any]:
    """Everything a Fib says, by id instead of by number."""
    inst, link = table_of(fib.inst, f.INST_WORDS).tolist(), table_of(fib.link, f.LINK_WORDS).tolist()
    nodes = [*compiler.vpc_ids, "gone"]
    said: dict[str, Any] = {"limit": fib.limit.tolist()}
    for instance_id, number in compiler.inst_of.items():
        row = inst[number]
        if row[f.I_NODE] >= 0:
            first = row[f.I_PORT]
            ports = fib.port[first : first + row[f.I_PORT_COUNT]].tolist()
            said[instance_id] = (nodes[row[f.I_NODE]], *row[f.I_ADDR : f.I_PORT], ports)
    for name, number in compiler.link_of.items():
        row = link[number]
        if row[f.K_ACTIVE]:
            said[name.peer_conn_id + name.side] = (nodes[row[0]], nodes[row[1]], *row[2:])
    return said


@pytest.mark.parametrize("seed", range(6))
def test_lookups_agree_with_the_tenants_rules(seed: int) -> None:
    cloud = RandomCloud(seed, "research" if seed % 2 else "product")
    cloud.grow(400)
    compiler = FibCompiler()
    lookups = Lookups(compiler, compiler.compile(cloud.inventory))
    seen = set()
    for vpc_id, src, dst in questions(cloud, 60):
        said = lookups.ask(vpc_id, src, dst)
        where = f"seed {seed}, {vpc_id}, {format_addr(src)} -> {format_addr(dst)}"
        assert said == expected(cloud.inventory, vpc_id, src, dst), where
        seen.add(said[0])
    assert seen >= {"in_flight", "no_route", "blackhole", "bad_state_route", "host_unreachable", "bad_destination"}


@pytest.mark.parametrize("seed", range(4))
def test_compiling_again_after_edits_is_compiling_from_scratch(seed: int) -> None:
    cloud = RandomCloud(100 + seed)
    kept = FibCompiler()
    for _ in range(40):
        cloud.grow(8)
        fresh = FibCompiler()
        again, anew = kept.compile(cloud.inventory), fresh.compile(cloud.inventory)
        assert facts(kept, again) == facts(fresh, anew)
        ours, theirs = Lookups(kept, again), Lookups(fresh, anew)
        for vpc_id, src, dst in questions(cloud, 4):
            assert ours.ask(vpc_id, src, dst) == theirs.ask(vpc_id, src, dst), f"seed {seed}"
    assert cloud.made > 120


def test_numbers_stay_with_their_resources_whatever_is_edited() -> None:
    cloud = RandomCloud(7)
    compiler = FibCompiler()
    kept: tuple[dict[Any, int], dict[Any, int], dict[Any, int]] = ({}, {}, {})
    nodes, links, insts = kept
    for _ in range(60):
        cloud.grow(8)
        empty = [vpc for vpc in cloud.inventory.vpcs if not cloud.inventory.subnets_of(vpc)]
        if empty and not cloud.inventory.peer_conns_of(empty[-1]):
            cloud.inventory.apply(e.DeleteVpc(empty[-1]))
        fib = compiler.compile(cloud.inventory)
        numbers: tuple[dict[Any, int], ...] = (compiler.node_of, compiler.link_of, compiler.inst_of)
        for known, now in zip(kept, numbers, strict=True):
            assert known.items() <= now.items()
            assert sorted(now.values()) == list(range(len(now)))
            known.update(now)
        assert (fib.n_nodes, fib.n_links, fib.n_instances) == (len(nodes), len(links), len(insts))
        assert [compiler.node_of[vpc_id] for vpc_id in compiler.vpc_ids] == list(range(len(nodes)))
    assert len(nodes) > len(cloud.inventory.vpcs)
    assert len(insts) > len(cloud.inventory.instances)
    assert len(links) > 2 * len(cloud.inventory.peer_conns)


def test_a_fib_handed_out_never_changes() -> None:
    """An engine may hold it while the next one is compiled."""
    cloud = RandomCloud(21)
    cloud.grow(150)
    compiler = FibCompiler()
    handed_out = []
    for _ in range(25):
        fib = compiler.compile(cloud.inventory)
        handed_out.append((fib, [array.copy() for array in fib]))
        cloud.grow(6)
    for fib, as_it_was in handed_out:
        assert all(np.array_equal(now, then) for now, then in zip(fib, as_it_was, strict=True))
        assert not any(array.flags.writeable for array in fib)


def test_what_is_gone_stays_as_a_dead_record(linked: Inventory) -> None:
    linked.apply(e.CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "int-1"))
    compiler = FibCompiler()
    compiler.compile(linked)
    shop, data = (linked.vpc(name).id for name in ("shop", "data"))
    conn, web, db = linked.peer_conn("shop-data").id, linked.instance("web-1").id, linked.instance("db-1").id
    linked.apply(
        e.DeletePeerConn("shop-data"), e.DeleteInstance("db-1"), e.DeleteSubnet("data/db"), e.DeleteVpc("data")
    )
    fib = compiler.compile(linked)
    inst, link = table_of(fib.inst, f.INST_WORDS), table_of(fib.link, f.LINK_WORDS)
    assert inst[compiler.inst_of[web], f.I_NODE] == compiler.node_of[shop]
    assert inst[compiler.inst_of[db], f.I_NODE] == -1
    for side in SIDES:
        assert link[compiler.link_of[LinkName(conn, side)], f.K_ACTIVE] == 0
    lookups = Lookups(compiler, fib)
    assert lookups.ask(data, WEB, DB) == ("no_route", "", "")
    assert lookups.ask(shop, WEB, DB)[0] == "bad_state_route"


def test_only_vpcs_that_changed_are_compiled_again(monkeypatch: pytest.MonkeyPatch, linked: Inventory) -> None:
    compiler = FibCompiler()
    compiled: list[str] = []
    compile_vpc = compiler._compile_vpc

    def spy(inventory: Inventory, vpc_id: str) -> Any:
        compiled.append(inventory.vpcs[vpc_id].name)
        return compile_vpc(inventory, vpc_id)

    def after(*edits: e.Edit[Any], ports: dict[str, frozenset[tuple[int, int]]] | None = None) -> list[str]:
        linked.apply(*edits)
        compiled.clear()
        compiler.compile(linked, ports)
        return sorted(compiled)

    monkeypatch.setattr(compiler, "_compile_vpc", spy)
    assert after() == ["data", "shop", "stage"]
    assert after() == []
    assert after(e.CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "int-1")) == ["shop"]
    assert after(e.CreateInstance("db-2", "data/db")) == ["data"]
    assert after(e.CreateAccount("more")) == []
    web = linked.instance("web-1").id
    assert after(ports={web: frozenset({(17, 5201)})}) == ["shop"]
    assert after(ports={web: frozenset({(17, 5201)})}) == []
    assert after() == ["shop"]  # the port is closed again
    assert "stage" not in after(e.DeletePeerConn("shop-data"))


def test_a_port_that_opens_leaves_every_table_where_it_is(linked: Inventory) -> None:
    compiler = FibCompiler()
    before = compiler.compile(linked)
    after = compiler.compile(linked, {linked.instance("web-1").id: frozenset({(17, 5201)})})
    for column in ("dst_lo", "src_lo", "rule"):
        assert np.shares_memory(getattr(before, column), getattr(after, column)), column
    assert len(after.port) == len(before.port) + 1


def test_gateways_are_numbered_by_vpc_whatever_the_ids(cloud: Inventory) -> None:
    compiler = FibCompiler()
    compiler.compile(cloud)
    for vpc in ("stage", "data", "shop"):
        cloud.apply(e.CreateRoute(vpc, "0.0.0.0/0", "198.51.100.0/24", f"gateway:of-{vpc}"))
    compiler.compile(cloud)
    assert compiler.gateways == [f"of-{cloud.vpcs[vpc_id].name}" for vpc_id in compiler.vpc_ids]


def test_a_peer_connection_counts_with_its_caps_and_both_directions(cloud: Inventory) -> None:
    cloud.apply(
        e.CreatePeerConn(
            "shop", "data", 40, "wide", "a", "b", state="active", latency_ms=2.5, burst_bytes=60_000,
            queue_bytes=90_000, mtu_bytes=9000, accounting="l1", police=True,
        )
    )  # fmt: skip
    compiler = FibCompiler()
    link = table_of(compiler.compile(cloud).link, f.LINK_WORDS).tolist()
    conn = cloud.peer_conn("wide").id
    shop, data = (compiler.node_of[cloud.vpc(name).id] for name in ("shop", "data"))
    cap = [1, 40_000_000, 60_000 * 8 * 10**9, 60_000 * 8 * 10**9 // 40_000_000, 90_000, 9000, 38, 1, 2_500_000]
    assert link[compiler.link_of[LinkName(conn, "local")]] == [shop, data, *cap]
    assert link[compiler.link_of[LinkName(conn, "peer")]] == [data, shop, *cap]


@pytest.mark.parametrize("state", ["consulting", "consult_failed", "expired"])
def test_a_connection_that_is_not_active_takes_nothing(cloud: Inventory, state: str) -> None:
    payment = "prepaid" if state == "expired" else "postpaid"
    cloud.apply(e.CreatePeerConn("shop", "data", 10, "c", "a", "b", payment=payment, state=state))
    cloud.apply(e.CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "a"))
    compiler = FibCompiler()
    assert Lookups(compiler, compiler.compile(cloud)).ask(cloud.vpc("shop").id, WEB, DB)[0] == "bad_state_route"


def test_every_instance_keeps_its_own_facts_whatever_is_edited() -> None:
    cloud = RandomCloud(31)
    compiler = FibCompiler()
    listening = 0
    for _ in range(30):
        cloud.grow(12)
        fib = compiler.compile(cloud.inventory)
        rows = table_of(fib.inst, f.INST_WORDS).tolist()
        for instance_id, instance in cloud.inventory.instances.items():
            node, addr, first, last, mbps, port, count = rows[compiler.inst_of[instance_id]]
            cidr = cloud.inventory.subnets[instance.subnet_id].cidr
            assert (node, addr, mbps) == (compiler.node_of[instance.vpc_id], instance.addr, instance.nic_mbps)
            assert (first, last) == (cidr.first, cidr.last)
            ports = fib.port[port : port + count].tolist()
            assert ports == sorted(proto << 16 | number for proto, number in instance.listen)
            listening += count
    assert listening > 200


def test_ports_are_listed_once_and_in_order(cloud: Inventory) -> None:
    web = cloud.instance("web-1").id
    compiler = FibCompiler()
    fib = compiler.compile(cloud, {web: frozenset({(17, 5201), (6, 80), (6, 22)})})
    row = table_of(fib.inst, f.INST_WORDS)[compiler.inst_of[web]]
    ports = fib.port[row[f.I_PORT] : row[f.I_PORT] + row[f.I_PORT_COUNT]]
    assert ports.tolist() == [6 << 16 | 22, 6 << 16 | 80, 17 << 16 | 5201]


def test_transits_are_the_profiles_or_unlimited() -> None:
    limits = [FibCompiler().compile(inventory).limit.tolist() for inventory in (Inventory(), Inventory("research"))]
    assert limits == [[1], [NO_LIMIT]]


def test_an_empty_inventory_compiles_and_the_fib_is_read_only() -> None:
    fib = FibCompiler().compile(Inventory())
    assert (fib.n_nodes, fib.n_links, fib.n_instances) == (0, 0, 0)
    assert not any(array.flags.writeable for array in fib)
    assert all(array.dtype == np.int64 for array in fib[:-1])
    assert fib.direct.dtype == np.int32


def test_the_system_rule_comes_first_in_each_vpc(linked: Inventory) -> None:
    compiler = FibCompiler()
    rule = linked.apply(e.CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "int-1"))
    compiler.compile(linked)
    assert compiler.rule_ids == [SYSTEM_RULE, rule.id, SYSTEM_RULE, SYSTEM_RULE]
