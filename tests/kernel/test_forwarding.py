"""Packets on the real kernel meet the fates that the design gives them, and hear of it from the right router."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netsim.controlplane import edit as e
from netsim.controlplane.inventory import Inventory
from netsim.kernel import capability
from netsim.kernel.deploy import deploy, destroy
from netsim.kernel.journal import Journal
from netsim.kernel.namespace import inside
from netsim.kernel.planner import plan
from netsim.topology_file import load_topology
from tests.cli_process import ROOT
from tests.clouds import chain, two_vpcs
from tests.kernel.conftest import Build
from tests.kernel.names import fresh_name
from tests.kernel.prober import Answer, Prober

pytestmark = [pytest.mark.netns, pytest.mark.slow]

TOPOLOGIES = ROOT / "topologies"


def cloud() -> Inventory:
    """shop - hub (relay) - data, and far behind a connection that has expired.

    shop 192.168.0.0/16  web-1 .0.10  web-2 .0.11  desk-1 .1.10
    hub  10.1.0.0/16     h1 .0.10                  data 10.2.0.0/16  db-1 .0.20
    """
    inventory = Inventory()
    inventory.apply(
        e.CreateAccount("acme"),
        e.CreateVpc("shop", "bj", "192.168.0.0/16", "acme"),
        e.CreateVpc("hub", "bj", "10.1.0.0/16", "acme", relay=True),
        e.CreateVpc("data", "bj", "10.2.0.0/16", "acme"),
        e.CreateVpc("far", "gz", "10.3.0.0/16", "acme"),
        e.CreateSubnet("shop", "web", "192.168.0.0/24"),
        e.CreateSubnet("shop", "desk", "192.168.1.0/24"),
        e.CreateSubnet("hub", "a", "10.1.0.0/24"),
        e.CreateSubnet("data", "db", "10.2.0.0/24"),
        e.CreateInstance("web-1", "shop/web", "192.168.0.10"),
        e.CreateInstance("web-2", "shop/web", "192.168.0.11"),
        e.CreateInstance("desk-1", "shop/desk", "192.168.1.10"),
        e.CreateInstance("h1", "hub/a", "10.1.0.10"),
        e.CreateInstance("db-1", "data/db", "10.2.0.20"),
        e.CreatePeerConn("shop", "hub", 100, "shop-hub", "to-hub", "to-shop", mtu_bytes=1400),
        e.CreatePeerConn("hub", "data", 100, "hub-data", "to-data", "to-hub"),
        e.CreatePeerConn("shop", "far", 100, "shop-far", "to-far", "to-shop", state="expired", payment="prepaid"),
        e.CreateRoute("shop", "192.168.0.0/24", "10.2.0.0/16", "to-hub"),
        # The trap of source-first lookup: for desk-1 a short destination in a long segment, and the other way round.
        e.CreateRoute("shop", "192.168.1.0/24", "10.0.0.0/8", "blackhole"),
        e.CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "to-hub"),
        e.CreateRoute("shop", "0.0.0.0/0", "10.3.0.0/16", "to-far"),
        e.CreateRoute("shop", "0.0.0.0/0", "172.16.0.0/12", "gateway:internet"),
        e.CreateRoute("hub", "0.0.0.0/0", "192.168.0.0/16", "to-shop"),
        e.CreateRoute("hub", "0.0.0.0/0", "10.2.0.0/16", "to-data"),
        e.CreateRoute("hub", "0.0.0.0/0", "10.9.0.0/16", "to-shop"),
        e.CreateRoute("data", "0.0.0.0/0", "192.168.0.0/16", "to-hub"),
        e.CreateRoute("data", "0.0.0.0/0", "10.1.0.0/16", "to-hub"),
        e.CreateRoute("data", "0.0.0.0/0", "10.9.0.0/16", "to-hub"),
    )
    return inventory


@pytest.fixture(scope="module")
def prober(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prober]:
    """`cloud` on the kernel."""
    request.getfixturevalue("real_kernel")
    journal = Journal(tmp_path_factory.mktemp("journal") / "run")
    name = fresh_name()
    yield Prober(deploy(plan(cloud(), name), journal=journal))
    destroy(name, journal=journal)


def arrived(addr: str) -> Answer:
    """The receiver's own word: this port is closed."""
    return Answer(3, 3, addr)


FATES = {
    "same subnet": ("web-1", "web-2", 1, arrived("192.168.0.11")),
    "other subnet": ("web-1", "desk-1", 2, arrived("192.168.1.10")),
    "other subnet, TTL 1": ("web-1", "desk-1", 1, Answer(11, 0, "192.168.0.1")),
    "the router": ("web-1", "192.168.0.1", 1, arrived("192.168.0.1")),
    "the router of another subnet": ("web-1", "192.168.1.1", 1, arrived("192.168.1.1")),
    "the resolver": ("web-1", "192.168.0.2", 1, arrived("192.168.0.2")),
    "nobody in the subnet": ("web-1", "192.168.0.99", 64, Answer(3, 1, "192.168.0.10")),
    "nobody in another subnet": ("web-1", "192.168.1.99", 64, Answer(3, 1, "192.168.0.1")),
    "nobody in the VPC, TTL 1": ("desk-1", "192.168.77.1", 1, Answer(3, 1, "192.168.1.1")),
    "broadcast of another subnet": ("web-1", "192.168.1.255", 64, None),
    "network address of another subnet": ("web-1", "192.168.1.0", 64, None),
    "over a connection": ("web-1", "h1", 3, arrived("10.1.0.10")),
    "over a connection, ends at the near router": ("web-1", "h1", 1, Answer(11, 0, "192.168.0.1")),
    "over a connection, ends at the far router": ("web-1", "h1", 2, Answer(11, 0, "10.1.0.1")),
    "the far router itself": ("web-1", "10.1.0.1", 2, arrived("10.1.0.1")),
    "nobody over there": ("web-1", "10.1.0.77", 64, Answer(3, 1, "10.1.0.1")),
    "through the relay": ("web-1", "db-1", 4, arrived("10.2.0.20")),
    "through the relay, ends there": ("web-1", "db-1", 3, Answer(11, 0, "10.2.0.1")),
    "no route": ("web-1", "10.99.0.1", 64, Answer(3, 0, "192.168.0.1")),
    "no route comes before TTL": ("web-1", "10.99.0.1", 1, Answer(3, 0, "192.168.0.1")),
    "no route at the far router": ("db-1", "10.1.0.77", 64, Answer(3, 1, "10.1.0.1")),
    "longest destination beats longest source": ("desk-1", "h1", 64, arrived("10.1.0.10")),
    "blackhole of a segment": ("desk-1", "db-1", 64, None),
    "blackhole comes before TTL": ("desk-1", "db-1", 1, None),
    "connection not active": ("web-1", "10.3.0.10", 64, None),
    "gateway": ("web-1", "172.16.0.1", 64, None),
    "gateway, TTL 1": ("web-1", "172.16.0.1", 1, Answer(11, 0, "192.168.0.1")),
    # data -> hub -> shop: hub may relay, shop has no route for 10.9; its answer comes by hub.
    "no route two routers away": ("db-1", "10.9.0.1", 64, Answer(3, 0, "192.168.0.1")),
    "multicast": ("web-1", "224.0.0.77", 64, None),
}


@pytest.mark.parametrize("case", FATES)
def test_fates(prober: Prober, case: str) -> None:
    source, target, ttl, expected = FATES[case]
    assert prober.ask(source, target, ttl=ttl) == expected


def test_ttl_on_arrival(prober: Prober) -> None:
    """One less for each router that forwards; none within a subnet."""
    targets = {"web-2": 64, "desk-1": 63, "h1": 62, "db-1": 61}
    assert {target: prober.arrival("web-1", target) for target in targets} == {t: (k, 0) for t, k in targets.items()}
    assert prober.arrival("web-1", "db-1", tos=0xB8) == (61, 0xB8), "nothing is counted here, so the field is free"


def test_errors_are_not_rationed(prober: Prober) -> None:
    """The kernel's own would stop after five of each; TTL errors after fifty in a second."""
    for _ in range(60):
        assert prober.ask("web-1", "10.99.0.1") == Answer(3, 0, "192.168.0.1")
        assert prober.ask("web-1", "192.168.1.99") == Answer(3, 1, "192.168.0.1")
        assert prober.ask("web-1", "h1", ttl=1) == Answer(11, 0, "192.168.0.1")


def test_mtu_of_a_connection(prober: Prober) -> None:
    assert prober.ask("web-1", "h1", size_bytes=1400, df=True) == arrived("10.1.0.10")
    assert prober.ask("web-1", "h1", size_bytes=1401, df=True) == Answer(3, 4, "192.168.0.1", 1400)
    assert prober.ask("web-1", "h1", size_bytes=1401) == arrived("10.1.0.10"), "without DF: in fragments"
    assert prober.ask("web-1", "h1", size_bytes=1401, df=True, ttl=1) == Answer(11, 0, "192.168.0.1"), "TTL first"
    assert prober.ask("web-1", "10.99.0.1", size_bytes=1500, df=True) == Answer(3, 0, "192.168.0.1"), "lookup first"


def test_a_vpc_that_is_no_relay_lets_nothing_through(build: Build) -> None:
    """Silent, also where the route is missing after it; while its own instances get through."""
    inventory = load_topology(TOPOLOGIES / "chain-without-relay.netsim.yaml").inventory
    prober = Prober(build(inventory))
    assert prober.ask("l1", "r1") is None
    assert prober.ask("m1", "r1") == arrived(prober.address("r1"))
    assert prober.ask("l1", "m1") == arrived(prober.address("m1"))


def test_source_segments_take_their_own_ways(build: Build) -> None:
    """The relays have no subnets, so no address to send errors from: they are silent."""
    inventory = load_topology(TOPOLOGIES / "source-segments.netsim.yaml").inventory
    prober = Prober(build(inventory))
    assert prober.ask("gold-1", "db-1") == prober.ask("bronze-1", "db-1") == arrived("10.9.0.20")
    assert prober.ask("guest-1", "db-1") == Answer(3, 0, "192.168.2.1")
    assert prober.ask("gold-1", "db-1", ttl=2) is None


def test_a_delay_lies_between_routers_that_do_not_notice(real_kernel: None, journal: Journal) -> None:
    """The way over bridges, as with netem: same hops, same MTU. The delay itself needs a kernel that has it."""
    del real_kernel
    name = fresh_name()
    made = plan(two_vpcs(mtu_bytes=1400), name, has_delay=True)
    if not capability.has_netem():
        made = replace(made, namespaces=tuple(replace(space, delays=()) for space in made.namespaces))
    try:
        prober = Prober(deploy(made, journal=journal))
        assert prober.arrival("web-1", "db-1") == (62, 0)
        assert prober.ask("web-1", "db-1", ttl=2) == Answer(11, 0, "10.1.0.1")
        assert prober.ask("web-1", "db-1", size_bytes=1400, df=True) == arrived("10.1.0.20")
        assert prober.ask("web-1", "db-1", size_bytes=1401, df=True) == Answer(3, 4, "192.168.0.1", 1400)
    finally:
        destroy(name, journal=journal)


@pytest.mark.parametrize(
    "connection",
    [
        {"mtu_bytes": 68},
        {"mtu_bytes": 65_535},
        {"mtu_bytes": 1500, "burst_bytes": 1500, "queue_bytes": 1500},
        {"bandwidth_mbps": 1, "burst_bytes": 2**30, "queue_bytes": 2**30},
        {"bandwidth_mbps": 1000, "police": True},
    ],
    ids=str,
)
def test_the_limits_of_what_a_connection_may_be(build: Build, connection: dict[str, Any]) -> None:
    """Its largest packet passes; tbf counts 14 bytes more than the file does."""
    prober = Prober(build(two_vpcs(**connection)))
    size_bytes = connection.get("mtu_bytes", 1500)
    assert prober.ask("web-1", "db-1", size_bytes=size_bytes, df=True) == arrived("10.1.0.20")


def test_a_source_that_is_the_far_routers_own_address_is_no_martian(build: Build) -> None:
    """VPCs may overlap: 10.200.0.9 is an instance here and the router over there."""
    inventory = Inventory()
    inventory.apply(
        e.CreateAccount("acme"),
        e.CreateVpc("near", "bj", "10.200.0.0/24", "acme"),
        e.CreateVpc("far", "bj", "10.200.0.0/16", "acme"),
        e.CreateSubnet("near", "s", "10.200.0.0/28"),
        e.CreateSubnet("far", "same", "10.200.0.8/29"),
        e.CreateSubnet("far", "other", "10.200.5.0/24"),
        e.CreateInstance("n1", "near/s", "10.200.0.9"),
        e.CreateInstance("f1", "far/other", "10.200.5.10"),
        e.CreatePeerConn("near", "far", 100, "near-far", "to-far", "to-near"),
        e.CreateRoute("near", "0.0.0.0/0", "10.200.5.0/24", "to-far"),
    )
    prober = Prober(build(inventory))
    assert prober.arrival("n1", "f1") == (62, 0)
    assert prober.ask("n1", "f1") is None, "the answer ends at the far router, whose address it is there"


def test_each_namespace_has_its_settings(build: Build) -> None:
    """Whatever the host's are: some are inherited, and some of the host's would break routing here."""
    inventory = two_vpcs()
    deployed = build(inventory)
    for space in plan(inventory, deployed.name).namespaces:
        with inside(space.name):
            found = {path: (Path("/proc/sys/net") / path).read_text().strip() for path, _ in space.sysctls}
            late = [(Path("/proc/sys/net") / path).read_text().strip() for path, _ in space.device_sysctls]
            filters = [
                (Path("/proc/sys/net/ipv4/conf") / device.name / "rp_filter").read_text().strip()
                for device in space.devices
            ]
        assert found == dict(space.sysctls)
        assert late == [value for _, value in space.device_sysctls]
        assert set(filters) == {"0"}


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_transits_are_counted_over_namespaces(build: Build, limit: int) -> None:
    """Where relays are peered (research), a limit of transits is a packet's own count, and errors have none."""
    inventory = chain(6)
    limited = Inventory("research", {"transits": limit})
    assert limited.limits.transits == limit
    _copy_chain(limited)
    assert inventory.limits.transits is None
    prober = Prober(build(limited))
    for k in range(1, 6):
        allowed = k - 1 <= limit
        assert prober.ask("i0", f"i{k}") == (arrived(f"10.{k}.0.10") if allowed else None), k
    # What an instance writes there does not count, and nobody sees the count.
    assert prober.arrival("i0", f"i{limit + 1}", tos=0xB8) == (64 - limit - 2, 0)
    # The last router that may be reached says that the TTL ended there: errors start their own count.
    assert prober.ask("i0", f"i{limit + 1}", ttl=limit + 2) == Answer(11, 0, f"10.{limit + 1}.0.1")


def _copy_chain(inventory: Inventory) -> None:
    inventory.apply(e.CreateAccount("acme"))
    for k in range(6):
        inventory.apply(
            e.CreateVpc(f"v{k}", "bj", f"10.{k}.0.0/16", "acme", relay=True),
            e.CreateSubnet(f"v{k}", "a", f"10.{k}.0.0/24"),
            e.CreateInstance(f"i{k}", f"v{k}/a", f"10.{k}.0.10"),
        )
    for k in range(5):
        inventory.apply(e.CreatePeerConn(f"v{k}", f"v{k + 1}", 100, f"c{k}", "right", "left"))
    for k in range(6):
        for far in range(6):
            if far != k:
                way = "right" if far > k else "left"
                inventory.apply(e.CreateRoute(f"v{k}", "0.0.0.0/0", f"10.{far}.0.0/16", way))


def test_files_of_the_folder_all_deploy(build: Build) -> None:
    for path in sorted(Path(TOPOLOGIES).glob("*.netsim.yaml")):
        inventory = load_topology(path).inventory
        deployed = build(inventory)
        assert deployed.phase == "complete", path.name
