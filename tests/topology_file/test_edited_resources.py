"""Every edit that a file can say does to the file what it does to its network, and leaves the rest as it was."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from netsim.controlplane.edit import (
    CreateAccount,
    CreateDnsRecord,
    CreateInstance,
    CreatePeerConn,
    CreateSubnet,
    CreateVpc,
    DeleteDnsRecord,
    DeleteInstance,
    DeletePeerConn,
    DeleteRoute,
    DeleteSubnet,
    DeleteVpc,
    Edit,
    SetDnsSync,
    UpdateInstance,
    UpdatePeerConn,
    UpdateSubnet,
    UpdateVpc,
)
from netsim.controlplane.inventory import Inventory
from netsim.errors import InvalidError
from netsim.resource_rows import NOUNS, rows_of
from netsim.topology_file import new_topology
from netsim.topology_file.edited import EditableFile

SOURCE = """\
# A shop and its data.
netsim: 1
name: edits
accounts: [{id: acme}, {id: data-team}]   # two of them
vpcs:
  - name: shop   # the shop
    account: acme
    region: bj
    cidr: 192.168.0.0/16
    subnets:
      - {name: web, cidr: 192.168.0.0/24}   # web
      - {name: empty, cidr: 192.168.9.0/24}
    instances:
      - {name: web-1, subnet: web, ip: 192.168.0.10, listen: [tcp/80]}
      - {name: web-2, subnet: web, ip: 192.168.0.11}   # spare
    routes:
      - {source: 0.0.0.0/0, destination: 10.1.0.0/16, next_hop: int-1}   # to the data
    dns:
      - {name: shop.local, a: 192.168.0.10}
      - {name: old.local, a: 192.168.0.11}   # not for long
  - name: data
    account: data-team
    region: gz
    cidr: 10.1.0.0/16
    subnets: [{name: db, cidr: 10.1.0.0/24}]
    instances:
      - name: db-1
        subnet: db   # where databases live
        ip: 10.1.0.20
    routes: [{source: 0.0.0.0/0, destination: 192.168.0.0/16, next_hop: int-2}]
  - {name: spare, account: acme, region: bj, cidr: 10.5.0.0/16}   # nothing in it
peer_connections:
  - name: shop-data
    local: {vpc: shop, interface: int-1}
    peer: {vpc: data, interface: int-2}   # theirs
    bandwidth_mbps: 100
"""

EDITS: list[list[Edit[Any]]] = [
    [CreateAccount("third")],
    [CreateVpc("new", "su", "10.9.0.0/16", "acme")],
    [CreateVpc("new", "su", "10.9.0.0/16", "acme", relay=True, description="to: see")],
    [UpdateVpc("shop", description="where people buy")],
    [UpdateVpc("data", name="store")],
    [DeleteVpc("spare")],
    [CreateSubnet("spare", "a", "10.5.1.0/24", "cn-bj-b")],
    [CreateSubnet("data", "b", "10.1.1.0/24")],
    [UpdateSubnet("shop/web", name="front")],
    [DeleteSubnet("shop/empty")],
    [CreateInstance("web-3", "shop/empty", "192.168.9.7", listen=["tcp/80"], nic_mbps=100)],
    [CreateInstance("db-2", "data/db", "10.1.0.21")],
    [UpdateInstance("web-2", name="web-9", nic_mbps=50)],
    [DeleteInstance("web-2")],
    [DeleteInstance("data/db-1")],
    [CreateDnsRecord("data", "db.local", "10.1.0.20")],
    [CreateDnsRecord("shop", "New.local.", "192.168.0.10")],
    [DeleteDnsRecord("shop", "old.local")],
    [DeleteDnsRecord("shop", "Old.Local."), CreateDnsRecord("shop", "old.local", "192.168.0.12")],
    [UpdatePeerConn("shop-data", name="link")],
    [UpdatePeerConn("shop-data", "peer", interface_name="int-9")],
    [UpdatePeerConn("shop-data", "local", interface_name="int-8"), UpdatePeerConn("shop-data", name="link")],
    [SetDnsSync("shop-data", enabled=True, side="peer")],
    [SetDnsSync("shop-data", enabled=True, side="local"), SetDnsSync("shop-data", enabled=True, side="peer")],
    [CreatePeerConn("shop", "spare", 5, "shop-spare", accounting="l2", police=True, latency_ms=3.5)],
]


def rows(inventory: Inventory) -> dict[str, Any]:
    """All there is, but for ids, which follow from the order in the file, and the times that follow from them."""
    found = {noun: rows_of(noun, inventory).rows for noun in NOUNS}
    for row in (row for each in found.values() for row in each):
        for key in ("id", "interface", "local_vpc", "peer_vpc", "local_interface", "peer_interface"):
            row.pop(key, None)
    # A connection without named interfaces is told by their ids.
    plain: dict[str, Any] = json.loads(re.sub(r"(qpif|peerconn)-\w+", r"\1", json.dumps(found)))
    return plain


def in_order(found: dict[str, Any]) -> dict[str, Any]:
    """Regardless of the order, which a file has by VPC, and an inventory by time."""
    return {noun: sorted(map(json.dumps, each)) for noun, each in found.items()}


def comments(text: str) -> list[str]:
    return [line[line.index("#") :] for line in text.splitlines() if "#" in line]


@pytest.fixture(params=["block", "json", "flow", "crlf"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "e.netsim.yaml"
    plain = yaml.safe_load(SOURCE)
    text = {
        "block": SOURCE,
        "json": json.dumps(plain, indent=2),
        "flow": yaml.safe_dump(plain, default_flow_style=None, sort_keys=False),
        "crlf": SOURCE.replace("\n", "\r\n"),
    }[request.param]
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("edits", EDITS, ids=lambda edits: "+".join(str(edit) for edit in edits)[:80])
def test_the_file_says_what_the_network_does(file: Path, edits: list[Edit[Any]]) -> None:
    editable = EditableFile.read(file)
    changed = editable.with_edits(edits)
    # The source also says what happens to the network that was loaded from the file.
    for edit in edits:
        editable.topology.inventory.apply(edit)
    assert in_order(rows(changed.topology.inventory)) == in_order(rows(editable.topology.inventory))
    kept = comments(changed.text)
    lost = [comment for comment in comments(editable.text) if comment not in kept]
    assert len(lost) <= sum(type(edit).__name__.startswith("Delete") for edit in edits)  # with its line


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ([UpdateSubnet("shop/web", description="x")], "a file keeps no description"),
        ([CreateSubnet("shop", "x", "192.168.5.0/24", description="x")], "a file keeps no description"),
        ([UpdatePeerConn("shop-data", "local", description="x")], "a file keeps no description"),
        ([UpdatePeerConn("shop-data", "local", interface_name="")], "can't be taken away"),
        ([CreateInstance("x", "shop/web")], "a file needs its address"),
    ],
)
def test_what_a_file_can_not_say_is_refused(tmp_path: Path, edits: list[Edit[Any]], message: str) -> None:
    path = tmp_path / "e.netsim.yaml"
    path.write_text(SOURCE)
    with pytest.raises(InvalidError, match=message):
        EditableFile.read(path).with_edits(edits)


def test_everything_goes_and_comes_back(tmp_path: Path) -> None:
    """Down to a file without a VPC, and up again from nothing."""
    path = tmp_path / "e.netsim.yaml"
    path.write_text(new_topology("two-vpcs").partition("traffic:")[0])
    editable = EditableFile.read(path)
    inventory = editable.topology.inventory
    first: list[Edit[Any]] = [DeletePeerConn(conn.name) for conn in inventory.peer_conns.values()]
    first += [DeleteRoute(rule) for rule in inventory.rules]
    first += [DeleteInstance(inst) for inst in inventory.instances]
    editable = editable.with_edits(first)
    editable = editable.with_edits([DeleteSubnet(subnet) for subnet in editable.topology.inventory.subnets])
    editable = editable.with_edits([DeleteVpc(vpc) for vpc in editable.topology.inventory.vpcs])
    assert not editable.topology.inventory.vpcs
    editable = editable.with_edits([CreateVpc("new", "bj", "10.9.0.0/16", "acme")])
    editable = editable.with_edits([CreateSubnet("new", "a", "10.9.1.0/24")])
    editable = editable.with_edits([CreateInstance("i", "new/a", "10.9.1.9")])
    assert [inst.name for inst in editable.topology.inventory.instances.values()] == ["i"]
