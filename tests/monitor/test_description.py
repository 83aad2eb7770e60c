"""The monitor hears of a connection when something it shows changed, and only then."""

from __future__ import annotations

from netsim.controlplane import edit as e
from netsim.controlplane.inventory import Inventory
from netsim.monitor.description import Description


def two_pairs() -> Inventory:
    inventory = Inventory()
    inventory.apply(e.CreateAccount("acme"))
    for i, name in enumerate(("shop", "data", "logs")):
        inventory.apply(e.CreateVpc(name, "bj", f"10.{i}.0.0/16", "acme"))
    inventory.apply(
        e.CreatePeerConn("shop", "data", 10, "shop-data", "int-1", "int-2"),
        e.CreatePeerConn("shop", "logs", 20, "shop-logs"),
    )
    return inventory


def test_a_connection_is_told_by_name_links_cap_and_sides() -> None:
    inventory = two_pairs()
    links = {conn_id: (2 * i, 2 * i + 1) for i, conn_id in enumerate(inventory.peer_conns)}
    told = Description().update(inventory, links.__getitem__)
    assert told is not None
    first, second = told
    assert (first.name, first.local_link, first.peer_link, first.cap_bps) == ("shop-data", 0, 1, 10_000_000)
    assert (first.local.vpc, first.local.interface) == ("shop", "int-1")
    assert (first.peer.vpc, first.peer.interface) == ("data", "int-2")
    assert (second.name, second.local_link, second.peer_link) == ("shop-logs", 2, 3)


def test_only_what_changed_is_described_again() -> None:
    inventory, description = two_pairs(), Description()
    asked: list[str] = []

    def links_of(conn_id: str) -> tuple[int, int]:
        asked.append(conn_id)
        return 0, 1

    def after(*edits: e.Edit[object]) -> list[str] | None:
        asked.clear()
        inventory.apply(*edits)
        told = description.update(inventory, links_of)
        return None if told is None else [f"{c.name} {c.cap_bps // 10**6} {c.peer.vpc}" for c in told]

    assert after() == ["shop-data 10 data", "shop-logs 20 logs"]
    assert after() is None
    assert after(e.CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "int-1")) is None
    assert after(e.ResizePeerConn("shop-data", 30)) == ["shop-data 30 data", "shop-logs 20 logs"]
    assert asked == [inventory.peer_conn("shop-data").id]
    assert after(e.UpdateVpc("logs", name="archive")) == ["shop-data 30 data", "shop-logs 20 archive"]
    assert asked == [inventory.peer_conn("shop-logs").id]
    assert after(e.DeletePeerConn("shop-data")) == ["shop-logs 20 archive"]
    assert asked == []
    assert after(e.DeletePeerConn("shop-logs")) == []
    assert after() is None
