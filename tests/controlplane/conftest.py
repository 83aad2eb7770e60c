"""A small cloud of three tenants that most tests start from."""

from __future__ import annotations

import pytest

from netsim.clock import FILE_RUN_START_NS, VirtualClock
from netsim.controlplane.edit import CreateAccount, CreateInstance, CreatePeerConn, CreateSubnet, CreateVpc
from netsim.controlplane.inventory import Inventory


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(FILE_RUN_START_NS)


@pytest.fixture
def cloud(clock: VirtualClock) -> Inventory:
    """shop (acme, bj) and data (data-team, gz), stage (acme, bj); web-1 in shop, db-1 in data; no connection."""
    inventory = Inventory(clock=clock)
    inventory.apply(
        CreateAccount("acme"),
        CreateAccount("data-team"),
        CreateAccount("lab"),
        CreateVpc("shop", "bj", "192.168.0.0/16", "acme"),
        CreateVpc("data", "gz", "10.1.0.0/16", "data-team"),
        CreateVpc("stage", "bj", "172.16.0.0/12", "acme"),
        CreateSubnet("shop", "web", "192.168.0.0/24"),
        CreateSubnet("data", "db", "10.1.0.0/24"),
        CreateInstance("web-1", "shop/web", "192.168.0.10", listen=["tcp/80"]),
        CreateInstance("db-1", "data/db", "10.1.0.20", listen=["tcp/5432"]),
    )
    return inventory


@pytest.fixture
def linked(cloud: Inventory) -> Inventory:
    """The cloud with shop-data, active between int-1 of shop and int-2 of data."""
    cloud.apply(CreatePeerConn("shop", "data", 100, "shop-data", "int-1", "int-2", state="active"))
    return cloud
