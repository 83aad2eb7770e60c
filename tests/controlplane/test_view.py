"""A tenant sees its own resources and both sides of its connections; the rest answers like nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from netsim.controlplane.edit import (
    AcceptPeerConn,
    CreateDnsRecord,
    CreateInstance,
    CreatePeerConn,
    CreateRoute,
    CreateSubnet,
    DeleteDnsRecord,
    DeleteInstance,
    DeletePeerConn,
    DeleteRoute,
    DeleteSubnet,
    DeleteVpc,
    Edit,
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
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.view import View
from netsim.errors import NotFoundError, RefusedError


@pytest.fixture
def full(linked: Inventory) -> Inventory:
    linked.apply(CreateRoute("data", "0.0.0.0/0", "192.168.0.0/16", "int-2"))
    linked.apply(CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "int-1"))
    linked.apply(CreateDnsRecord("data", "db", "10.1.0.20"))
    return linked


def test_a_tenant_sees_its_own(full: Inventory) -> None:
    view = full.visible_to("acme")
    assert [vpc.name for vpc in view.vpcs.values()] == ["shop", "stage"]
    assert [subnet.name for subnet in view.subnets.values()] == ["web"]
    assert [instance.name for instance in view.instances.values()] == ["web-1"]
    assert list(view.rules.values()) == list(full.rules_of("shop"))
    assert list(view.accounts) == ["acme"]
    assert view.vpc("shop") == full.vpc("shop") and view.instance("web-1") == full.instance("web-1")


def test_a_tenant_sees_both_sides_of_its_connections(full: Inventory) -> None:
    conn = full.peer_conn("shop-data")
    for account in ("acme", "data-team"):
        view = full.visible_to(account)
        assert dict(view.peer_conns) == {conn.id: conn}
        assert view.peer_conn("shop-data") == conn
        assert view.interface(conn.local.interface_id) == (conn, "local")
        assert view.interface("int-2") == (conn, "peer")
        assert [event.what for event in view.events] == ["requested", "accepted"]
    stranger = full.visible_to("lab")
    assert not stranger.peer_conns and not stranger.events
    assert stranger.conn_of_interface(conn.local.interface_id) is None


def test_views_show_the_present(full: Inventory) -> None:
    view = full.visible_to("acme")
    full.apply(CreateSubnet("stage", "new", "172.16.0.0/24"), CreateSubnet("shop", "newer", "192.168.9.0/24"))
    assert [subnet.name for subnet in view.subnets.values()] == ["web", "new", "newer"]


READS: dict[str, Callable[[View, str], Any]] = {
    "vpc": lambda view, ref: view.vpc(ref),
    "vpc by name": lambda view, ref: view.vpc_named(ref),
    "subnets_of": lambda view, ref: view.subnets_of(ref),
    "instances_of": lambda view, ref: view.instances_of(ref),
    "rules_of": lambda view, ref: view.rules_of(ref),
    "peer_conns_of": lambda view, ref: view.peer_conns_of(ref),
    "dns_records_of": lambda view, ref: view.dns_records_of(ref),
    "vpc_version": lambda view, ref: view.vpc_version(ref),
    "resolve": lambda view, ref: view.resolve(ref, "db"),
    "route_table": lambda view, ref: view.route_table(ref),
    "subnet": lambda view, ref: view.subnet(ref),
    "instance": lambda view, ref: view.instance(ref),
    "rule": lambda view, ref: view.rule(ref),
    "peer_conn": lambda view, ref: view.peer_conn(ref),
    "interface": lambda view, ref: view.interface(ref),
}


def _foreign_ids(full: Inventory) -> list[str]:
    """One id, and one name, of everything that is not lab's."""
    vpc = full.vpc("data")
    conn = full.peer_conn("shop-data")
    return [
        vpc.id, "data", vpc.route_table_id, full.subnet("db").id, "db", "data/db", full.instance("db-1").id, "db-1",
        "data/db-1", full.rules_of("data")[0].id, conn.id, "shop-data", conn.local.interface_id, "int-2", "data/int-2",
    ]  # fmt: skip


def _answer(call: Callable[[], Any], ref: str, known: str) -> tuple[type, str]:
    with pytest.raises(RefusedError) as refusal:
        call()
    return type(refusal.value), str(refusal.value).replace(ref, known).replace(ref.split("/", maxsplit=1)[0], known)


def _absent(ref: str) -> str:
    """A reference of the same form to nothing at all."""
    return "/".join("qq" for _ in ref.split("/"))


@pytest.mark.parametrize("read", READS)
def test_anothers_thing_reads_like_an_absent_one(full: Inventory, read: str) -> None:
    view = full.visible_to("lab")
    for ref in _foreign_ids(full):
        foreign = _answer(lambda ref=ref: READS[read](view, ref), ref, "X")  # type: ignore[misc]
        absent = _answer(lambda ref=ref: READS[read](view, _absent(ref)), _absent(ref), "X")  # type: ignore[misc]
        assert foreign == absent
        assert foreign[0] is NotFoundError


EDITS: list[Callable[[str], Edit[Any]]] = [
    lambda ref: UpdateVpc(ref, "x"), lambda ref: SetRelay(ref, True), DeleteVpc,
    lambda ref: CreateSubnet(ref, "x", "10.1.9.0/24"), lambda ref: UpdateSubnet(ref, "x"), DeleteSubnet,
    lambda ref: CreateInstance("x", ref), lambda ref: UpdateInstance(ref, "x"), DeleteInstance,
    lambda ref: CreateRoute(ref, "0.0.0.0/0", "0.0.0.0/0", "blackhole"), lambda ref: UpdateRoute(ref, description="x"),
    DeleteRoute, lambda ref: CreatePeerConn(ref, "stage", 1), AcceptPeerConn, RejectPeerConn, DeletePeerConn,
    lambda ref: ResizePeerConn(ref, 5), lambda ref: RenewPeerConn(ref, 1), lambda ref: UpdatePeerConn(ref, name="x"),
    lambda ref: SetDnsSync(ref, True), lambda ref: SetDeleteProtect(ref, True),
    lambda ref: CreateDnsRecord(ref, "x", "10.0.0.1"), lambda ref: DeleteDnsRecord(ref, "db"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(EDITS)))
def test_editing_anothers_thing_reads_like_editing_nothing(full: Inventory, number: int) -> None:
    edit = EDITS[number]
    for ref in _foreign_ids(full):
        foreign = _answer(lambda ref=ref: full.apply(edit(ref), account="lab"), ref, "X")  # type: ignore[misc]
        absent = _answer(lambda ref=ref: full.apply(edit(_absent(ref)), account="lab"), _absent(ref), "X")  # type: ignore[misc]
        assert foreign == absent
        assert foreign[0] is NotFoundError


def test_suggestions_come_from_what_one_sees(full: Inventory) -> None:
    with pytest.raises(NotFoundError, match='vpc "shopp": not found, did you mean "shop"'):
        full.visible_to("acme").vpc("shopp")
    with pytest.raises(NotFoundError, match=r'vpc "shopp": not found$'):
        full.visible_to("lab").vpc("shopp")


@pytest.mark.parametrize("ref", [None, 7, ["shop"], ("a", "b"), ""])
def test_a_reference_that_is_no_text_finds_nothing(full: Inventory, ref: str) -> None:
    for read in READS.values():
        with pytest.raises(NotFoundError):
            read(full, ref)
