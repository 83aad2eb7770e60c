"""Asking for a peer connection: who with, how wide, how paid, and how many."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.controlplane.edit import CreateAccount, CreatePeerConn, CreateVpc, DeletePeerConn, SetRelay
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.region import delay_ns
from netsim.errors import ConflictError, InvalidError, NotFoundError, QuotaError, RefusedError
from netsim.units import NS_PER_DAY


def test_within_one_account_it_is_active_at_once(cloud: Inventory) -> None:
    conn = cloud.apply(CreatePeerConn("shop", "stage", 10), account="acme")
    assert (conn.state, conn.local.account, conn.peer.account) == ("active", "acme", "acme")
    assert conn.name == conn.id and conn.expires_at_ns is None and conn.deadline_ns is None


def test_between_accounts_it_waits_for_an_answer_for_seven_days(cloud: Inventory) -> None:
    conn = cloud.apply(CreatePeerConn("shop", "data", 10))
    assert (conn.state, conn.is_active) == ("consulting", False)
    assert conn.deadline_ns == conn.consult_until_ns == cloud.clock.now_ns + 7 * NS_PER_DAY


@pytest.mark.parametrize("mbps", [1, 1000])
def test_bandwidth_from_1_to_1000(cloud: Inventory, mbps: int) -> None:
    assert cloud.apply(CreatePeerConn("shop", "data", mbps)).bandwidth_mbps == mbps


@pytest.mark.parametrize("mbps", [0, 1001, -5, True, 10.0, "10", None])
def test_other_bandwidths_are_refused(cloud: Inventory, mbps: int) -> None:
    with pytest.raises(InvalidError, match=r"accepted an integer 1\.\.1000") as refusal:
        cloud.apply(CreatePeerConn("shop", "data", mbps))
    assert refusal.value.field == "bandwidth_mbps"


def test_defaults_follow_the_rate_the_mtu_and_the_regions(cloud: Inventory) -> None:
    slow = cloud.apply(CreatePeerConn("shop", "stage", 1))
    fast = cloud.apply(CreatePeerConn("shop", "data", 1000, mtu_bytes=9000, accounting="l1"))
    # 10 ms and 50 ms of the rate, but two packets and 64 KiB at least.
    assert (slow.burst_bytes, slow.queue_bytes, slow.latency_ns) == (3000, 65_536, 500_000)
    assert (fast.burst_bytes, fast.queue_bytes, fast.latency_ns) == (1_250_000, 6_250_000, delay_ns("bj", "gz"))
    assert (slow.mtu_bytes, slow.accounting, slow.police, slow.payment) == (1500, "l3", False, "postpaid")


def test_given_numbers_win_over_defaults(cloud: Inventory) -> None:
    conn = cloud.apply(
        CreatePeerConn("shop", "data", 10, latency_ms=30.25, burst_bytes=2000, queue_bytes=1500, police=True)
    )
    assert (conn.latency_ns, conn.burst_bytes, conn.queue_bytes, conn.police) == (30_250_000, 2000, 1500, True)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("latency_ms", 0.049, r"accepted 0\.05\.\.10000"),
        ("latency_ms", float("nan"), "accepted 0"),
        ("latency_ms", float("inf"), "accepted 0"),
        ("latency_ms", True, "accepted 0"),
        ("latency_ms", "3", "accepted 0"),
        ("mtu_bytes", 67, r"accepted an integer 68\.\.65535"),
        ("mtu_bytes", 1500.0, "accepted an integer"),
        ("burst_bytes", 1499, r"accepted an integer 1500\.\."),
        ("queue_bytes", 0, r"accepted an integer 1500\.\."),
        ("accounting", "l4", "accepted one of l3, l2, l1"),
        ("police", 1, "accepted true or false"),
        ("delete_protect", "no", "accepted true or false"),
        ("payment", "free", "accepted prepaid or postpaid"),
        ("local_interface", "blackhole", "means another next hop"),
        ("local_interface", "gateway:x", "means another next hop"),
        ("peer_interface", "a/b", "without a slash"),
        ("name", "a/b", "without a slash"),
        ("description", None, "description None"),
        ("peer_region", "xx", "accepted one of bj"),
        ("state", "activ", 'did you mean "active"'),
    ],
)
def test_values_outside_are_refused_with_their_field(cloud: Inventory, field: str, value: Any, words: str) -> None:
    with pytest.raises(InvalidError, match=words) as refusal:
        cloud.apply(CreatePeerConn("shop", "data", 10, **{field: value}))
    assert refusal.value.field == field


def test_a_burst_holds_a_packet_as_the_cap_counts_it(cloud: Inventory) -> None:
    with pytest.raises(InvalidError, match=r"burst_bytes 1500, accepted an integer 1538\.\."):
        cloud.apply(CreatePeerConn("shop", "data", 10, burst_bytes=1500, accounting="l1"))


def test_one_connection_per_pair_in_either_direction_and_any_state(cloud: Inventory) -> None:
    cloud.apply(CreatePeerConn("shop", "data", 10, "first", state="consult_failed"))
    for local, peer in (("shop", "data"), ("data", "shop")):
        with pytest.raises(ConflictError, match=r"first \(consult_failed\) connects .* one connection per VPC pair"):
            cloud.apply(CreatePeerConn(local, peer, 10))
    cloud.apply(DeletePeerConn("first"), CreatePeerConn("data", "shop", 10))


def test_a_vpc_is_not_its_own_peer(cloud: Inventory) -> None:
    with pytest.raises(InvalidError, match="peer VPC shop is the local one") as refusal:
        cloud.apply(CreatePeerConn("shop", "shop", 10))
    assert refusal.value.field == "peer_vpc"


def test_two_relay_vpcs_are_refused(cloud: Inventory) -> None:
    cloud.apply(SetRelay("shop", True))
    cloud.apply(CreatePeerConn("shop", "stage", 10))  # one relay VPC is what relays are for
    cloud.apply(SetRelay("data", True))
    with pytest.raises(ConflictError, match="are both relay VPCs, accepted at most one"):
        cloud.apply(CreatePeerConn("shop", "data", 10))


def _spokes(inventory: Inventory, n: int, account: str = "lab") -> list[str]:
    """n VPCs of an account, spread over regions."""
    regions = ("bj", "gz", "su", "hkg")
    made = [CreateVpc(f"{account}-{k}", regions[k // 8], f"10.{k}.0.0/16", account) for k in range(n)]
    return [vpc.id for vpc in inventory.apply(*made)]


def test_ten_connections_per_vpc_whoever_asked(cloud: Inventory) -> None:
    spokes = _spokes(cloud, 12)
    for spoke in spokes[:5]:
        cloud.apply(CreatePeerConn("shop", spoke, 1))
    for spoke in spokes[5:10]:
        cloud.apply(CreatePeerConn(spoke, "shop", 1))
    with pytest.raises(QuotaError, match=r"has 10 peer connections, accepted 10 \(peer_connections_per_vpc") as refusal:
        cloud.apply(CreatePeerConn("shop", spokes[10], 1))
    assert refusal.value.field == "local_vpc"
    with pytest.raises(QuotaError) as refusal:
        cloud.apply(CreatePeerConn(spokes[10], "shop", 1))
    assert (refusal.value.field, refusal.value.limit) == ("peer_vpc", "peer_connections_per_vpc")


def test_ten_connections_per_initiating_account(cloud: Inventory) -> None:
    spokes = _spokes(cloud, 12)
    conns = [cloud.apply(CreatePeerConn(("shop", "stage")[k % 2], spokes[k], 1)) for k in range(10)]
    with pytest.raises(QuotaError, match=r"account acme has initiated 10 .* \(peer_connections_per_account"):
        cloud.apply(CreatePeerConn("shop", spokes[10], 1))
    cloud.apply(CreatePeerConn(spokes[10], "shop", 1))  # asked by the other account: counts there
    cloud.apply(DeletePeerConn(conns[0].id), CreatePeerConn("shop", spokes[11], 1))


def test_prepaid_is_for_two_regions(cloud: Inventory) -> None:
    with pytest.raises(InvalidError, match="accepted only postpaid between VPCs of one region") as refusal:
        cloud.apply(CreatePeerConn("shop", "stage", 1, payment="prepaid"))
    assert refusal.value.field == "payment"
    conn = cloud.apply(CreatePeerConn("shop", "data", 1, payment="prepaid", months=12))
    assert (conn.months, conn.expires_at_ns) == (12, None)  # the period starts when it becomes active


@pytest.mark.parametrize("months", [0, 10, 37, True, 1.0, None])
def test_months_are_those_sold(cloud: Inventory, months: int) -> None:
    with pytest.raises(InvalidError, match=r"accepted 1\.\.9, 12, 24 or 36") as refusal:
        cloud.apply(CreatePeerConn("shop", "data", 1, payment="prepaid", months=months))
    assert refusal.value.field == "months"
    assert cloud.apply(CreatePeerConn("shop", "data", 1, months=months)).months == 0  # postpaid has none


def test_a_tenant_reaches_anothers_vpc_by_id_and_account(cloud: Inventory) -> None:
    data = cloud.vpc("data").id
    conn = cloud.apply(CreatePeerConn("shop", data, 1, peer_account="data-team", peer_region="gz"), account="acme")
    assert conn.peer.vpc_id == data
    with pytest.raises(NotFoundError):
        cloud.apply(CreatePeerConn("data", "shop", 1), account="acme")


def test_anothers_vpc_is_found_by_nothing_less(cloud: Inventory) -> None:
    data = cloud.vpc("data").id

    def refusal_of(peer: str, **where: str) -> tuple[type[RefusedError], str]:
        with pytest.raises(RefusedError) as refusal:
            cloud.apply(CreatePeerConn("shop", peer, 1, **where), account="acme")  # type: ignore[arg-type]
        assert refusal.value.field == "peer_vpc"
        return type(refusal.value), str(refusal.value).replace(f'"{peer}"', "X")

    nobody = "vpc-00000000"
    assert refusal_of(data) == refusal_of(nobody)
    assert refusal_of("data", peer_account="data-team") == refusal_of(nobody, peer_account="data-team")
    assert refusal_of(data, peer_account="lab") == refusal_of(nobody, peer_account="lab")
    wrong_region = {"peer_account": "data-team", "peer_region": "bj"}
    assert refusal_of(data, **wrong_region) == refusal_of(nobody, **wrong_region)


def test_a_tenant_names_its_own_interface_alone(cloud: Inventory) -> None:
    data = cloud.vpc("data").id
    with pytest.raises(InvalidError, match="accepted only where both VPCs are of one account") as refusal:
        cloud.apply(CreatePeerConn("shop", data, 1, "", "int-1", "int-2", "data-team"), account="acme")
    assert refusal.value.field == "peer_interface"
    conn = cloud.apply(CreatePeerConn("shop", "stage", 1, "", "int-1", "int-2"), account="acme")
    assert (conn.local.interface_name, conn.peer.interface_name) == ("int-1", "int-2")


@pytest.mark.parametrize(
    ("state", "payment", "events"),
    [
        ("active", "postpaid", ["requested", "accepted"]),
        ("consulting", "postpaid", ["requested"]),
        ("consult_failed", "postpaid", ["requested", "rejected"]),
        ("expired", "prepaid", ["requested", "accepted", "expired"]),
    ],
)
def test_a_file_may_say_how_things_stand(cloud: Inventory, state: str, payment: str, events: list[str]) -> None:
    conn = cloud.apply(CreatePeerConn("shop", "data", 1, state=state, payment=payment))
    assert cloud.peer_conns[conn.id] == conn
    assert conn.state == state
    assert [event.what for event in cloud.events] == events


@pytest.mark.parametrize(
    ("peer", "state", "words"),
    [
        ("stage", "consulting", "both VPCs are of account acme, accepted active or expired"),
        ("stage", "consult_failed", "both VPCs are of account acme"),
        ("data", "expired", "accepted only with payment prepaid"),
    ],
)
def test_states_no_operation_leads_to_are_refused(cloud: Inventory, peer: str, state: str, words: str) -> None:
    with pytest.raises(InvalidError, match=words) as refusal:
        cloud.apply(CreatePeerConn("shop", peer, 1, state=state))
    assert refusal.value.field == "state"


def test_a_tenant_cant_set_a_state(cloud: Inventory) -> None:
    data = cloud.vpc("data").id
    with pytest.raises(InvalidError, match="state follows from accept, reject and time"):
        cloud.apply(CreatePeerConn("shop", data, 1, peer_account="data-team", state="active"), account="acme")


def test_the_pair_rule_holds_in_research_too() -> None:
    research = Inventory("research")
    research.apply(
        CreateAccount("a"), CreateVpc("x", "bj", "10.0.0.0/16", "a"), CreateVpc("y", "bj", "10.1.0.0/16", "a"),
        CreatePeerConn("x", "y", 1),
    )  # fmt: skip
    with pytest.raises(ConflictError, match="one connection per VPC pair"):
        research.apply(CreatePeerConn("y", "x", 1))
