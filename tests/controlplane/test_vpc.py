"""VPCs: what may be made, changed and removed."""

from __future__ import annotations

import pytest

from netsim.controlplane.edit import (
    CreateAccount,
    CreatePeerConn,
    CreateRoute,
    CreateVpc,
    DeletePeerConn,
    DeleteSubnet,
    DeleteVpc,
    RejectPeerConn,
    SetRelay,
    UpdateVpc,
)
from netsim.controlplane.inventory import Inventory
from netsim.errors import ConflictError, InvalidError, NotFoundError, QuotaError, RefusedError, StateError
from netsim.prefix import Prefix, parse_prefix


def test_a_vpc_has_a_route_table_and_the_time_it_was_made(cloud: Inventory) -> None:
    vpc = cloud.apply(CreateVpc("lab", "hkg", "10.0.0.0/8", "lab", description="for tests"))
    assert (vpc.account, vpc.region, str(vpc.cidr), vpc.relay) == ("lab", "hkg", "10.0.0.0/8", False)
    assert vpc.created_at_ns == cloud.clock.now_ns
    assert cloud.route_table(vpc.route_table_id) == cloud.route_table("lab")
    assert cloud.route_table("lab").rules == ()


@pytest.mark.parametrize("cidr", ["10.0.0.0/8", "172.16.0.0/12", "192.168.5.16/28", Prefix(10 << 24, 28)])
def test_private_ranges_from_8_to_28_are_accepted(cloud: Inventory, cidr: str | Prefix) -> None:
    assert cloud.apply(CreateVpc("lab", "bj", cidr, "lab")).cidr == (
        parse_prefix(cidr) if isinstance(cidr, str) else cidr
    )


@pytest.mark.parametrize(
    ("cidr", "words"),
    [
        ("8.8.0.0/16", "not private, accepted inside one of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16"),
        ("172.0.0.0/8", "not private"),
        ("192.168.0.0/15", "host bits set, did you mean 192.168.0.0/15|not private"),
        ("10.0.0.0/29", "mask /29, accepted /8 to /28"),
        ("10.0.0.0/7", "mask /7, accepted /8 to /28"),
        ("10.1.2.3/16", "host bits set, did you mean 10.1.0.0/16"),
        (Prefix((10 << 24) + 1, 16), "host bits set, did you mean 10.0.0.0/16"),
        (Prefix(1 << 40, 16), "not a prefix"),
        ("10.1.0.0/8x", 'vpc lab: cidr: "10.1.0.0/8x" is not a prefix, expected like 10.1.0.0/16'),
        ("10.0.0.0/8\n", r'"10.0.0.0/8\\n" is not a prefix'),
        ("", "not a prefix"),
        (None, "not a prefix"),
        (10, "not a prefix"),
    ],
)
def test_other_cidrs_are_refused_with_what_is_accepted(cloud: Inventory, cidr: str, words: str) -> None:
    with pytest.raises(InvalidError, match=words) as refusal:
        cloud.apply(CreateVpc("lab", "bj", cidr, "lab"))
    assert refusal.value.field == "cidr"
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("edit", "kind", "field", "words"),
    [
        (
            CreateVpc("lab", "hk", "10.0.0.0/8", "lab"),
            InvalidError,
            "region",
            'region "hk".*mean "hkg"',
        ),
        (CreateVpc("lab", "bj", "10.0.0.0/8", "labb"), NotFoundError, "account", 'account "labb": not found, did you'),
        (CreateVpc("lab", "bj", "10.0.0.0/8"), InvalidError, "account", "no account given"),
        (CreateVpc("", "bj", "10.0.0.0/8", "lab"), InvalidError, "name", 'name "", accepted 1..65 printable'),
        (CreateVpc("a/b", "bj", "10.0.0.0/8", "lab"), InvalidError, "name", "without a slash"),
        (CreateVpc("x" * 66, "bj", "10.0.0.0/8", "lab"), InvalidError, "name", "accepted 1..65"),
        (CreateVpc("two\nlines", "bj", "10.0.0.0/8", "lab"), InvalidError, "name", r'"two\\nlines"'),
        (CreateVpc(7, "bj", "10.0.0.0/8", "lab"), InvalidError, "name", "name 7, accepted"),  # type: ignore[arg-type]
        (CreateVpc("lab", "bj", "10.0.0.0/8", "lab", 1), InvalidError, "relay", "accepted true or false"),  # type: ignore[arg-type]
        (CreateVpc("lab", "bj", "10.0.0.0/8", "lab", description="x" * 201), InvalidError, "description", "up to 200"),
    ],
)
def test_a_refusal_names_the_field_to_blame(
    cloud: Inventory, edit: CreateVpc, kind: type[RefusedError], field: str, words: str
) -> None:
    with pytest.raises(kind, match=words) as refusal:
        cloud.apply(edit)
    assert refusal.value.field == field


def test_ten_vpcs_per_account_and_region(cloud: Inventory) -> None:
    for number in range(10):
        cloud.apply(CreateVpc(f"v{number}", "su", f"10.{number}.0.0/16", "lab"))
    with pytest.raises(QuotaError, match=r"account lab has 10 VPCs in su, accepted 10 \(vpcs_per_region\)") as refusal:
        cloud.apply(CreateVpc("v10", "su", "10.10.0.0/16", "lab"))
    assert (refusal.value.limit, refusal.value.accepted) == ("vpcs_per_region", 10)
    cloud.apply(CreateVpc("elsewhere", "gz", "10.10.0.0/16", "lab"), CreateVpc("other", "su", "10.0.0.0/8", "acme"))
    cloud.apply(DeleteVpc("v3"))
    cloud.apply(CreateVpc("v10", "su", "10.10.0.0/16", "lab"))


def test_a_tenant_makes_vpcs_for_itself_alone(cloud: Inventory) -> None:
    assert cloud.apply(CreateVpc("mine", "bj", "10.0.0.0/8"), account="lab").account == "lab"
    with pytest.raises(NotFoundError, match='account "acme": not found'):
        cloud.apply(CreateVpc("theirs", "bj", "10.0.0.0/8", "acme"), account="lab")


def test_only_the_operator_adds_accounts(cloud: Inventory) -> None:
    with pytest.raises(StateError, match="only the operator"):
        cloud.apply(CreateAccount("new"), account="lab")
    with pytest.raises(ConflictError, match="account lab: exists already"):
        cloud.apply(CreateAccount("lab"))
    with pytest.raises(InvalidError, match='id "a b", accepted'):
        cloud.apply(CreateAccount("a b"))


def test_names_repeat_and_then_ids_decide(cloud: Inventory) -> None:
    first = cloud.apply(CreateVpc("twin", "bj", "10.0.0.0/8", "lab"))
    second = cloud.apply(CreateVpc("twin", "gz", "10.0.0.0/8", "lab"))
    with pytest.raises(InvalidError, match=f'vpc "twin": 2 have this name, expected an id: {first.id}, {second.id}'):
        cloud.vpc("twin")
    cloud.apply(UpdateVpc(second.id, name="other", description="moved"))
    assert cloud.vpc("twin") == first
    assert (cloud.vpc("other").id, cloud.vpc("other").description) == (second.id, "moved")


def test_a_vpc_goes_when_nothing_stands_in_it_and_takes_its_rules_along(linked: Inventory) -> None:
    with pytest.raises(ConflictError, match="vpc stage: has 1 peer connection, expected none"):
        linked.apply(CreatePeerConn("stage", "data", 1, "x", state="active"), DeleteVpc("stage"))
    with pytest.raises(ConflictError, match="vpc data: has 1 subnet, expected none"):
        linked.apply(DeleteVpc("data"))
    rule = linked.apply(CreateRoute("stage", "0.0.0.0/0", "8.8.8.0/24", "gateway:nat"))
    gone = linked.apply(DeleteVpc("stage"))
    assert gone.id not in linked.vpcs and rule.id not in linked.rules
    for ref in (gone.id, gone.route_table_id, "stage"):
        with pytest.raises(NotFoundError):
            linked.route_table(ref)


def test_two_relay_vpcs_cant_become_peers_either_way(linked: Inventory) -> None:
    linked.apply(SetRelay("shop", True))
    with pytest.raises(ConflictError, match="vpc data: relay can't be turned on, peer connection shop-data") as refusal:
        linked.apply(SetRelay("data", True))
    assert refusal.value.field == "relay"
    linked.apply(SetRelay("stage", True))
    with pytest.raises(ConflictError, match="are both relay VPCs"):
        linked.apply(CreatePeerConn("stage", "shop", 1))


def test_a_request_that_waits_keeps_relay_off_and_a_failed_one_does_not(cloud: Inventory) -> None:
    conn = cloud.apply(CreatePeerConn("shop", "data", 1))
    cloud.apply(SetRelay("data", True))
    with pytest.raises(ConflictError, match="relay can't be turned on"):
        cloud.apply(SetRelay("shop", True))
    cloud.apply(RejectPeerConn(conn.id))
    assert cloud.apply(SetRelay("shop", True)).relay


def test_research_lets_relay_vpcs_peer() -> None:
    research = Inventory("research")
    research.apply(
        CreateAccount("a"), CreateVpc("x", "bj", "10.0.0.0/16", "a", True), CreateVpc("y", "bj", "10.1.0.0/16", "a"),
        CreatePeerConn("x", "y", 1), SetRelay("y", True),
    )  # fmt: skip
    assert research.vpc("y").relay


def test_relay_stays_on_while_a_rule_needs_it(linked: Inventory) -> None:
    linked.apply(SetRelay("shop", True), CreateRoute("shop", "10.9.0.0/16", "10.1.0.0/16", "int-1"))
    with pytest.raises(ConflictError, match=r"relay can't be turned off, rule rr-\w+ has source 10.9.0.0/16"):
        linked.apply(SetRelay("shop", False))
    linked.apply(DeletePeerConn("shop-data"))
    with pytest.raises(ConflictError, match="relay can't be turned off"):
        linked.apply(SetRelay("shop", False))


def test_setting_relay_to_what_it_is_changes_nothing(linked: Inventory) -> None:
    before = linked.vpc_version("shop")
    linked.apply(SetRelay("shop", False))
    assert linked.vpc_version("shop") == before
    with pytest.raises(ConflictError):
        linked.apply(DeleteSubnet("shop/web"))
