"""A cloud with names: two tenants, one of them with two VPCs."""

from __future__ import annotations

import pytest

from netsim.clock import FILE_RUN_START_NS, VirtualClock
from netsim.controlplane.edit import (
    CreateAccount,
    CreateDnsRecord,
    CreateInstance,
    CreatePeerConn,
    CreateSubnet,
    CreateVpc,
)
from netsim.controlplane.inventory import Inventory
from tests.hosts.dns_client import Client


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(FILE_RUN_START_NS)


@pytest.fixture
def cloud(clock: VirtualClock) -> Inventory:
    """shop and stage (acme), data (data-team); shop-stage is active, shop-data consulting; sync is off."""
    inventory = Inventory(clock=clock)
    inventory.apply(
        CreateAccount("acme"),
        CreateAccount("data-team"),
        CreateVpc("shop", "bj", "192.168.0.0/16", "acme"),
        CreateVpc("stage", "bj", "172.16.0.0/16", "acme"),
        CreateVpc("data", "gz", "10.1.0.0/16", "data-team"),
        CreateSubnet("shop", "web", "192.168.0.0/24"),
        CreateSubnet("stage", "test", "172.16.0.0/24"),
        CreateSubnet("data", "db", "10.1.0.0/24"),
        CreateInstance("web-1", "shop/web", "192.168.0.10"),
        CreateInstance("test-1", "stage/test", "172.16.0.10"),
        CreateInstance("db-1", "data/db", "10.1.0.20"),
        CreateDnsRecord("shop", "www.shop.local", "192.168.0.10"),
        CreateDnsRecord("stage", "test.stage.local", "172.16.0.10"),
        CreateDnsRecord("data", "db.data.local", "10.1.0.20"),
        CreatePeerConn("shop", "stage", 100, "shop-stage"),
        CreatePeerConn("shop", "data", 100, "shop-data"),
    )
    return inventory


@pytest.fixture
def client(cloud: Inventory) -> Client:
    return Client(cloud)
