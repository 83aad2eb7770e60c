"""Small clouds built in code, for tests that send packets.

shop 192.168.0.0/16  web-1 .0.10 (tcp/80), web-2 .0.11, desk-1 .1.10
 │ shop-data
data 10.1.0.0/16     db-1 .0.20 (tcp/5432, udp/53)
"""

from __future__ import annotations

from typing import Any

from netsim.controlplane.edit import (
    CreateAccount,
    CreateInstance,
    CreatePeerConn,
    CreateRoute,
    CreateSubnet,
    CreateVpc,
)
from netsim.controlplane.inventory import Inventory
from netsim.lab import Lab

WEB_1, WEB_2, DESK_1, DB_1 = "192.168.0.10", "192.168.0.11", "192.168.1.10", "10.1.0.20"
SHOP_ROUTER, DATA_ROUTER = "192.168.0.1", "10.1.0.1"


def two_vpcs(*, nic_mbps: int = 10_000, **connection: Any) -> Inventory:
    """shop and data, joined by `shop-data` (100 Mbit/s, 0.5 ms unless told), with routes both ways."""
    settings: dict[str, Any] = {"bandwidth_mbps": 100, **connection}
    inventory = Inventory()
    inventory.apply(
        CreateAccount("acme"),
        CreateVpc("shop", "bj", "192.168.0.0/16", "acme"),
        CreateVpc("data", "bj", "10.1.0.0/16", "acme"),
        CreateSubnet("shop", "web", "192.168.0.0/24"),
        CreateSubnet("shop", "office", "192.168.1.0/24"),
        CreateSubnet("data", "db", "10.1.0.0/24"),
        CreateInstance("web-1", "shop/web", WEB_1, listen=["tcp/80"], nic_mbps=nic_mbps),
        CreateInstance("web-2", "shop/web", WEB_2, nic_mbps=nic_mbps),
        CreateInstance("desk-1", "shop/office", DESK_1, nic_mbps=nic_mbps),
        CreateInstance("db-1", "data/db", DB_1, listen=["tcp/5432", "udp/53"], nic_mbps=nic_mbps),
        CreatePeerConn(
            "shop", "data", name="shop-data", local_interface="int-shop", peer_interface="int-data", **settings
        ),
        CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "int-shop"),
        CreateRoute("data", "0.0.0.0/0", "192.168.0.0/16", "int-data"),
    )
    return inventory


def two_vpc_lab(**connection: Any) -> Lab:
    """A lab over `two_vpcs`."""
    return Lab(two_vpcs(**connection))


def chain(n: int, **connection: Any) -> Inventory:
    """VPCs v0 .. v(n-1), 10.K.0.0/16 with instance iK at 10.K.0.10, neighbours joined by cK, all relays."""
    settings: dict[str, Any] = {"bandwidth_mbps": 100, **connection}
    inventory = Inventory("research")
    inventory.apply(CreateAccount("acme"))
    for k in range(n):
        inventory.apply(
            CreateVpc(f"v{k}", "bj", f"10.{k}.0.0/16", "acme", relay=True),
            CreateSubnet(f"v{k}", "a", f"10.{k}.0.0/24"),
            CreateInstance(f"i{k}", f"v{k}/a", f"10.{k}.0.10"),
        )
    for k in range(n - 1):
        ends: dict[str, Any] = {"local_interface": "right", "peer_interface": "left"}
        inventory.apply(CreatePeerConn(f"v{k}", f"v{k + 1}", name=f"c{k}", **ends, **settings))
    for k in range(n):
        for far in range(n):
            if far != k:
                inventory.apply(CreateRoute(f"v{k}", "0.0.0.0/0", f"10.{far}.0.0/16", "right" if far > k else "left"))
    return inventory
