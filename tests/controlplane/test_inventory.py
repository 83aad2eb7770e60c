"""Edits commit whole or not at all; versions and ids tell nothing of what was refused."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from netsim.controlplane.edit import (
    AcceptPeerConn,
    CreateAccount,
    CreateDnsRecord,
    CreateInstance,
    CreatePeerConn,
    CreateRoute,
    CreateSubnet,
    CreateVpc,
    DeleteDnsRecord,
    DeleteInstance,
    DeletePeerConn,
    DeleteRoute,
    DeleteSubnet,
    DeleteVpc,
    Edit,
    RefundPeerConn,
    RejectPeerConn,
    RenewPeerConn,
    ResizePeerConn,
    SetDeleteProtect,
    SetDnsSync,
    SetRelay,
    UpdateInstance,
    UpdatePeerConn,
    UpdateRoute,
    UpdateSubnet,
    UpdateVpc,
)
from netsim.controlplane.inventory import OPERATIONS, Inventory
from netsim.errors import NotFoundError, QuotaError, RefusedError, UsageError
from tests.controlplane.snapshot import snapshot

REFUSED = DeleteVpc("nobody")


@pytest.fixture
def busy(linked: Inventory) -> Inventory:
    """The linked cloud with two of everything, so that the order of things can go wrong."""
    linked.apply(
        CreateSubnet("shop", "app", "192.168.1.0/24"), CreateSubnet("shop", "empty", "192.168.2.0/24"),
        CreateInstance("web-2", "shop/web"), CreateInstance("app-1", "app"),
        CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "int-1"),
        CreateRoute("shop", "0.0.0.0/0", "8.8.8.0/24", "blackhole"),
        CreateDnsRecord("shop", "a", "10.0.0.1"), CreateDnsRecord("shop", "b", "10.0.0.2"),
        CreatePeerConn("stage", "data", 1, "stage-data"), CreatePeerConn("shop", "stage", 1, "shop-stage"),
        CreateVpc("hollow", "bj", "10.0.0.0/8", "acme"), CreateVpc("last", "bj", "10.0.0.0/8", "acme"),
        CreateVpc("far", "hkg", "10.0.0.0/8", "lab"),
        CreatePeerConn("far", "data", 5, "paid", payment="prepaid", state="active"),
    )  # fmt: skip
    return linked


def _rule(inventory: Inventory, number: int) -> str:
    return inventory.rules_of("shop")[number].id


EVERY_EDIT: dict[type[Edit[Any]], Any] = {
    CreateAccount: lambda _: CreateAccount("new"),
    CreateVpc: lambda _: CreateVpc("new", "bj", "10.0.0.0/8", "lab"),
    UpdateVpc: lambda _: UpdateVpc("shop", "new", "other"),
    SetRelay: lambda _: SetRelay("shop", True),
    DeleteVpc: lambda _: DeleteVpc("hollow"),
    CreateSubnet: lambda _: CreateSubnet("shop", "new", "192.168.9.0/24"),
    UpdateSubnet: lambda _: UpdateSubnet("web", "new", "other"),
    DeleteSubnet: lambda _: DeleteSubnet("empty"),
    CreateInstance: lambda _: CreateInstance("new", "empty"),
    UpdateInstance: lambda _: UpdateInstance("web-1", "new", ["udp/1"], 5),
    DeleteInstance: lambda _: DeleteInstance("web-1"),
    CreateRoute: lambda _: CreateRoute("shop", "0.0.0.0/0", "0.0.0.0/0", "gateway:x"),
    UpdateRoute: lambda inv: UpdateRoute(_rule(inv, 0), destination="9.9.9.0/24", next_hop="blackhole"),
    DeleteRoute: lambda inv: DeleteRoute(_rule(inv, 0)),
    CreatePeerConn: lambda _: CreatePeerConn("hollow", "data", 1, "new", "if-a", "if-b"),
    AcceptPeerConn: lambda _: AcceptPeerConn("stage-data"),
    RejectPeerConn: lambda _: RejectPeerConn("stage-data"),
    DeletePeerConn: lambda _: DeletePeerConn("shop-data"),
    ResizePeerConn: lambda _: ResizePeerConn("shop-data", 7),
    RefundPeerConn: lambda _: RefundPeerConn("paid"),
    RenewPeerConn: lambda _: RenewPeerConn("paid", 3),
    UpdatePeerConn: lambda _: UpdatePeerConn("shop-data", "local", "renamed", "other", "new"),
    SetDnsSync: lambda _: SetDnsSync("shop-data", True, "local"),
    SetDeleteProtect: lambda _: SetDeleteProtect("shop-data", True),
    CreateDnsRecord: lambda _: CreateDnsRecord("shop", "new", "10.0.0.1"),
    DeleteDnsRecord: lambda _: DeleteDnsRecord("shop", "a"),
}


def test_every_edit_is_tried_here() -> None:
    assert set(EVERY_EDIT) == set(OPERATIONS)


@pytest.mark.parametrize("kind", EVERY_EDIT, ids=lambda kind: kind.__name__)
def test_an_edit_before_a_refused_one_leaves_no_trace(busy: Inventory, kind: type[Edit[Any]]) -> None:
    edit = EVERY_EDIT[kind](busy)
    before = snapshot(busy)
    with pytest.raises(NotFoundError) as refusal:
        busy.apply(edit, REFUSED)
    assert refusal.value.edit_index == 1
    assert snapshot(busy) == before
    busy.apply(edit)
    after = snapshot(busy)
    assert after != before and after["version"] == before["version"] + 1


def test_many_edits_are_taken_back_together(busy: Inventory) -> None:
    # Those after which another would not find what it names.
    apart = (
        UpdateVpc,
        UpdateSubnet,
        UpdateInstance,
        UpdateRoute,
        UpdatePeerConn,
        RejectPeerConn,
        DeletePeerConn,
        RefundPeerConn,
    )
    left_out = (*apart, SetDeleteProtect, DeleteVpc, DeleteSubnet)
    edits = [make(busy) for kind, make in EVERY_EDIT.items() if kind not in left_out]
    edits += [make(busy) for kind, make in EVERY_EDIT.items() if kind in (DeletePeerConn, UpdateVpc)]
    before = snapshot(busy)
    with pytest.raises(NotFoundError) as refusal:
        busy.apply(*edits, REFUSED)
    assert refusal.value.edit_index == len(edits) == 17
    assert snapshot(busy) == before
    assert len(busy.apply(*edits)) == len(edits)


def test_ids_are_as_if_the_refused_had_never_been_asked(linked: Inventory) -> None:
    make = CreateVpc("new", "bj", "10.0.0.0/8", "lab"), CreatePeerConn("new", "shop", 1)
    with pytest.raises(NotFoundError):
        linked.apply(*make, REFUSED)
    vpc, conn = linked.apply(*make)
    untouched = Inventory(clock=linked.clock)
    untouched.apply(
        CreateAccount("acme"), CreateAccount("lab"),
        *(CreateVpc(f"v{k}", "bj", "10.0.0.0/8", "acme") for k in range(3)),
        CreatePeerConn("v0", "v1", 1),
    )  # fmt: skip
    other_vpc, other_conn = untouched.apply(make[0], CreatePeerConn("new", "v0", 1))
    assert (vpc.id, vpc.route_table_id, conn.id) == (other_vpc.id, other_vpc.route_table_id, other_conn.id)
    assert conn.local.interface_id == other_conn.local.interface_id


def test_a_bug_in_the_middle_is_undone_too(busy: Inventory, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(OPERATIONS, DeleteDnsRecord, explode)
    before = snapshot(busy)
    with pytest.raises(ZeroDivisionError):
        busy.apply(DeletePeerConn("shop-data"), DeleteInstance("web-1"), DeleteDnsRecord("shop", "a"))
    assert snapshot(busy) == before


def test_a_later_edit_names_what_an_earlier_one_made(cloud: Inventory) -> None:
    results = cloud.apply(
        CreateVpc("new", "bj", "10.0.0.0/8", "lab"),
        CreateSubnet("new", "s", "10.0.0.0/24"),
        CreateInstance("n", "new/s"),
    )
    assert [type(result).__name__ for result in results] == ["Vpc", "Subnet", "Instance"]
    assert cloud.instance("new/n") == results[2]


def test_quotas_look_at_the_whole_group(cloud: Inventory) -> None:
    with pytest.raises(QuotaError) as refusal:
        cloud.apply(*(CreateVpc(f"v{number}", "su", "10.0.0.0/8", "lab") for number in range(11)))
    assert refusal.value.edit_index == 10
    assert not cloud.visible_to("lab").vpcs


def test_no_edits_no_commit(cloud: Inventory) -> None:
    version = cloud.version
    assert cloud.apply() == ()
    assert cloud.version == version


def test_what_is_no_edit_is_refused(cloud: Inventory) -> None:
    before = snapshot(cloud)
    with pytest.raises(UsageError, match="is no edit, expected one of"):
        cloud.apply(CreateAccount("x"), "delete everything")  # type: ignore[call-overload]
    assert snapshot(cloud) == before


def test_an_unknown_account_can_ask_nothing(cloud: Inventory) -> None:
    with pytest.raises(NotFoundError, match='account "acmee": not found, did you mean "acme"'):
        cloud.apply(UpdateVpc("shop", "x"), account="acmee")


def test_a_vpcs_version_moves_with_its_own_forwarding_alone(linked: Inventory) -> None:
    def moved(*edits: Edit[Any]) -> set[str]:
        names = ("shop", "data", "stage")
        before = {name: linked.vpc_version(name) for name in names}
        linked.apply(*edits)
        return {name for name in names if linked.vpc_version(name) != before[name]}

    assert moved(CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "int-1")) == {"shop"}
    assert moved(CreateSubnet("data", "new", "10.1.9.0/24")) == {"data"}
    assert moved(CreateInstance("new", "data/new")) == {"data"}
    assert moved(SetRelay("stage", True)) == {"stage"}
    assert moved(CreateDnsRecord("shop", "x", "10.0.0.1"), CreateAccount("new"), UpdateVpc("data", None, "x")) == set()
    assert moved(ResizePeerConn("shop-data", 7)) == {"shop", "data"}
    assert moved(DeletePeerConn("shop-data")) == {"shop", "data"}


def test_what_changed_since_a_version_is_told_without_looking_at_everything(linked: Inventory) -> None:
    def told(*edits: Edit[Any]) -> tuple[list[str], list[str]]:
        before = linked.version
        linked.apply(*edits)
        kinds = [kind for kind in ("vpcs", "instances", "peer_conns") if linked.changed_at(kind) > before]
        return kinds, [linked.vpcs[vpc_id].name for vpc_id in linked.touched_since(before)]

    start = linked.version
    route = CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "int-1")
    assert told(route) == ([], ["shop"])
    with pytest.raises(RefusedError):
        told(SetRelay("stage", True), route)
    assert told(SetRelay("stage", True), SetRelay("stage", False)) == (["vpcs"], ["stage"])
    assert told(CreateSubnet("data", "new", "10.1.9.0/24"), CreateInstance("new", "data/new")) == (
        ["instances"],
        ["data"],
    )
    assert told(UpdateVpc("data", None, "x")) == (["vpcs"], [])
    assert told(ResizePeerConn("shop-data", 7))[0] == ["peer_conns"]
    assert [linked.vpcs[vpc_id].name for vpc_id in linked.touched_since(start)] == ["stage", "shop", "data"]
    assert linked.touched_since(linked.version) == []


def test_what_reading_gives_cant_be_written(cloud: Inventory) -> None:
    with pytest.raises(TypeError):
        cloud.vpcs["x"] = cloud.vpc("shop")  # type: ignore[index]
    with pytest.raises(AttributeError):
        cloud.vpc("shop").name = "x"  # type: ignore[misc]


def test_the_same_edits_make_the_same_cloud() -> None:
    def build(seed: int) -> dict[str, Any]:
        inventory = Inventory(seed=seed)
        inventory.apply(
            CreateAccount("a"), CreateVpc("x", "bj", "10.0.0.0/16", "a"), CreateVpc("y", "gz", "10.1.0.0/16", "a"),
            CreateSubnet("x", "s", "10.0.0.0/24"), CreateInstance("i", "s"), CreatePeerConn("x", "y", 5),
        )  # fmt: skip
        return snapshot(inventory)

    assert build(1) == build(1)
    assert build(1) != build(2)


def test_a_bulk_load_leaves_the_collector_as_it_was(cloud: Inventory) -> None:
    records = [CreateDnsRecord("shop", f"r{number}", "10.0.0.1") for number in range(2000)]
    with pytest.raises(NotFoundError):
        cloud.apply(*records, REFUSED)
    assert gc.isenabled()
    assert len(cloud.apply(*records)) == len(cloud.dns_records_of("shop")) == 2000
    assert gc.isenabled()
