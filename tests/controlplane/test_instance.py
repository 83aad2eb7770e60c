"""Instances: whose address it is, and which ports they open."""

from __future__ import annotations

import pytest

from netsim.controlplane.edit import CreateInstance, CreateSubnet, DeleteInstance, UpdateInstance
from netsim.controlplane.inventory import Inventory
from netsim.errors import ConflictError, InvalidError, NotFoundError, QuotaError
from netsim.prefix import format_addr


@pytest.mark.parametrize(
    ("addr", "words"),
    [
        ("192.168.0.0", "192.168.0.0, the network address, accepted 192.168.0.3 to 192.168.0.254 in subnet web"),
        ("192.168.0.1", "the VPC's router"),
        ("192.168.0.2", "the DNS resolver"),
        ("192.168.0.255", "the broadcast address"),
        ("192.168.1.3", "addr 192.168.1.3, accepted 192.168.0.3 to 192.168.0.254"),
        ("192.168.0.300", '"192.168.0.300" is not an IPv4 address, expected like 10.1.0.20'),
        (True, "True is not an IPv4 address"),
        (2**32, "4294967296 is not an IPv4 address"),
    ],
)
def test_reserved_and_foreign_addresses_are_refused(cloud: Inventory, addr: str, words: str) -> None:
    with pytest.raises(InvalidError, match=words) as refusal:
        cloud.apply(CreateInstance("new", "shop/web", addr))
    assert refusal.value.field == "addr"


def test_an_address_has_one_owner(cloud: Inventory) -> None:
    with pytest.raises(ConflictError, match=r"addr 192.168.0.10 belongs to instance web-1") as refusal:
        cloud.apply(CreateInstance("new", "shop/web", "192.168.0.10"))
    assert refusal.value.field == "addr"
    cloud.apply(DeleteInstance("web-1"))
    assert cloud.apply(CreateInstance("new", "shop/web", "192.168.0.10")).name == "new"


def test_without_an_address_the_lowest_free_one_is_taken(cloud: Inventory) -> None:
    cloud.apply(CreateSubnet("shop", "tiny", "192.168.1.0/29"))
    made = [cloud.apply(CreateInstance(f"t{number}", "tiny")) for number in range(4)]
    assert [format_addr(instance.addr) for instance in made] == [f"192.168.1.{host}" for host in (3, 4, 5, 6)]
    with pytest.raises(QuotaError, match="subnet tiny has no free address left, accepted 4 instances"):
        cloud.apply(CreateInstance("t4", "tiny"))
    cloud.apply(DeleteInstance("t1"))
    assert format_addr(cloud.apply(CreateInstance("t4", "tiny")).addr) == "192.168.1.4"


def test_names_are_unique_in_a_vpc_and_may_repeat_elsewhere(cloud: Inventory) -> None:
    with pytest.raises(ConflictError, match="vpc shop has an instance of this name already") as refusal:
        cloud.apply(CreateInstance("web-1", "shop/web"))
    assert refusal.value.field == "name"
    other = cloud.apply(CreateInstance("web-1", "data/db"))
    with pytest.raises(InvalidError, match='instance "web-1": 2 have this name'):
        cloud.instance("web-1")
    assert cloud.instance("data/web-1") == other
    with pytest.raises(NotFoundError, match='vpc data: instance "web-2": not found, did you mean "web-1"'):
        cloud.instance("data/web-2")


def test_listen_takes_words_and_pairs_and_keeps_them_in_order(cloud: Inventory) -> None:
    instance = cloud.apply(CreateInstance("n", "shop/web", listen=["udp/53", "tcp/443", (6, 80), "tcp/80"]))
    assert instance.listen == ((6, 80), (6, 443), (17, 53))
    assert cloud.apply(UpdateInstance("n", listen=[])).listen == ()


@pytest.mark.parametrize(
    "item", ["tcp", "tcp/0", "tcp/65536", "icmp/1", "tcp/８０", "tcp/-1", (1, 5), 80, (6, True), None]
)
def test_other_ports_are_refused(cloud: Inventory, item: str) -> None:
    with pytest.raises(
        InvalidError, match=r"accepted tcp/PORT, udp/PORT or tcp/PORT/echo with a port 1..65535"
    ) as refusal:
        cloud.apply(CreateInstance("new", "shop/web", listen=[item]))
    assert refusal.value.field == "listen"


def test_listen_is_a_list(cloud: Inventory) -> None:
    with pytest.raises(InvalidError, match=r"expected a list like \[tcp/80, udp/53\]"):
        cloud.apply(CreateInstance("new", "shop/web", listen="tcp/80"))


@pytest.mark.parametrize("rate", [0, -1, 400_001, True, 1.5, "10"])
def test_the_interface_rate_is_a_whole_number(cloud: Inventory, rate: int) -> None:
    with pytest.raises(InvalidError, match=r"accepted an integer 1..400000") as refusal:
        cloud.apply(CreateInstance("new", "shop/web", nic_mbps=rate))
    assert refusal.value.field == "nic_mbps"


def test_an_update_keeps_id_and_address(cloud: Inventory) -> None:
    before = cloud.instance("web-1")
    after = cloud.apply(UpdateInstance("web-1", name="front", nic_mbps=1000))
    assert (after.id, after.addr, after.name, after.nic_mbps) == (before.id, before.addr, "front", 1000)
    assert cloud.instance("shop/front") == after
    with pytest.raises(NotFoundError):
        cloud.instance("web-1")
    cloud.apply(CreateInstance("web-1", "shop/web"))
    with pytest.raises(ConflictError, match="already"):
        cloud.apply(UpdateInstance("front", name="web-1"))
