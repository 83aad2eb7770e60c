"""What lint finds, in networks that have exactly one thing wrong, and in random ones."""

from __future__ import annotations

import pytest

import netsim
from netsim.controlplane.edit import (
    CreateAccount,
    CreateInstance,
    CreatePeerConn,
    CreateRoute,
    CreateSubnet,
    CreateVpc,
    DeleteInstance,
    DeletePeerConn,
    DeleteRoute,
    SetRelay,
)
from netsim.controlplane.inventory import Inventory
from netsim.prefix import format_addr
from netsim.verify.finding import CODES, Finding
from netsim.verify.findings import findings
from netsim.verify.network import Network
from tests.cli_process import ROOT
from tests.clouds import chain, two_vpcs
from tests.reference.plain_walk import PlainWalk
from tests.verify.random_network import RandomNetwork
from tests.verify.test_fix import cross_account
from tests.verify.test_path import loop


def lint(inventory: Inventory) -> list[Finding]:
    return findings(Network.of(inventory))


def codes(inventory: Inventory) -> list[str]:
    return [finding.code for finding in lint(inventory)]


def only(inventory: Inventory, code: str) -> Finding:
    (finding,) = [finding for finding in lint(inventory) if finding.code == code]
    return finding


def after_fix(inventory: Inventory, finding: Finding) -> list[str]:
    for fix in finding.fixes:
        inventory.apply(*fix.edits)
    return codes(inventory)


def test_a_sound_network_has_no_findings() -> None:
    assert lint(two_vpcs()) == []
    assert lint(chain(5)) == []
    assert lint(Inventory()) == []


def test_one_way_pairs_are_told_by_subnets() -> None:
    inventory = two_vpcs()
    inventory.apply(
        DeleteRoute(inventory.rules_of("data")[0].id),
        CreateRoute("data", "0.0.0.0/0", "192.168.1.0/24", "int-data"),
    )
    finding = only(inventory, "one_way")
    assert finding.text == (
        "shop/web to data/db: packets arrive, answers don't (no_return_route), such as web-1 to db-1"
    )
    assert (finding.severity, finding.count) == ("error", 2)
    assert str(finding.witness) == "192.168.0.10 → 10.1.0.20 from shop"
    assert after_fix(inventory, finding) == []


@pytest.mark.parametrize(
    ("state", "last"), [("consulting", "accept"), ("expired", "renew"), ("consult_failed", "delete")]
)
def test_rules_that_discard_say_why(state: str, last: str) -> None:
    inventory = cross_account(state)
    found = [finding for finding in lint(inventory) if finding.code == "bad_state_route"]
    assert [finding.vpc for finding in found] == ["shop", "data"]
    assert f"whose connection is {state}" in found[0].text
    assert found[0].witness is not None and format_addr(found[0].witness.src) == "10.0.0.10"
    assert found[0].fixes[0].commands[0].split()[2] == last
    assert "bad_state_route" not in after_fix(inventory, found[0]) or state == "consult_failed"


def test_rules_whose_connection_is_gone() -> None:
    inventory = two_vpcs()
    inventory.apply(DeletePeerConn("shop-data"))
    found = lint(inventory)
    assert [finding.code for finding in found] == ["bad_state_route", "bad_state_route"]
    assert "whose connection is gone" in found[0].text
    for finding in found:
        inventory.apply(*finding.fixes[0].edits)
    assert lint(inventory) == []


@pytest.mark.parametrize("sides", [["data"], ["shop", "data"]])
def test_a_connection_without_routes(sides: list[str]) -> None:
    inventory = two_vpcs()
    for vpc in sides:
        inventory.apply(DeleteRoute(inventory.rules_of(vpc)[0].id))
    finding = only(inventory, "peer_not_routed")
    assert finding.text == f"peer connection shop-data: no route in {' and '.join(sides)} points to it"
    assert after_fix(inventory, finding) == []


def test_a_rule_that_never_wins() -> None:
    """Two halves cover a destination; nobody routes multicast."""
    inventory = two_vpcs()
    inventory.apply(
        CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/17", "int-shop"),
        CreateRoute("shop", "0.0.0.0/0", "10.1.128.0/17", "int-shop"),
        CreateRoute("shop", "0.0.0.0/0", "224.0.0.0/4", "int-shop"),
    )
    found = [finding for finding in lint(inventory) if finding.code == "shadowed_rule"]
    assert [finding.text for finding in found] == [
        "shop: 10.1.0.0/16 via int-shop (shop-data) never wins",
        "shop: 224.0.0.0/4 via int-shop (shop-data) never wins",
    ]
    senders = {instance.addr for instance in inventory.instances_of(inventory.vpc("shop").id)}
    assert all(finding.witness is not None and finding.witness.src in senders for finding in found)
    for finding in found:
        inventory.apply(*finding.fixes[0].edits)
    assert lint(inventory) == []


def test_a_rule_that_changes_nothing() -> None:
    inventory = two_vpcs()
    rule = inventory.apply(CreateRoute("shop", "192.168.0.0/24", "10.1.0.0/24", "int-shop"))
    finding = only(inventory, "redundant_rule")
    assert (finding.rule, finding.severity) == (rule.id, "info")
    assert after_fix(inventory, finding) == []


def test_a_rule_is_not_redundant_where_a_segment_between_differs() -> None:
    inventory = two_vpcs()
    inventory.apply(
        CreateRoute("shop", "192.168.0.10/32", "10.1.0.0/16", "blackhole"),
        CreateRoute("shop", "192.168.0.0/24", "10.1.0.0/24", "int-shop"),
    )
    assert "redundant_rule" not in codes(inventory)


def test_a_rule_may_be_redundant_because_a_segment_takes_the_rest() -> None:
    """Without the /24 rule web-1 would meet a blackhole, but its packets have a rule of their own."""
    inventory = two_vpcs()
    rule = inventory.apply(CreateRoute("shop", "192.168.0.0/24", "10.1.0.0/24", "int-shop"))
    inventory.apply(CreateRoute("shop", "192.168.0.10/32", "10.1.0.0/16", "blackhole"))
    assert "redundant_rule" not in codes(inventory)
    inventory.apply(CreateRoute("shop", "192.168.0.10/32", "10.1.0.0/24", "gateway:internet"))
    assert only(inventory, "redundant_rule").rule == rule.id


def test_a_loop_is_found_by_its_circle() -> None:
    finding = only(loop(), "loop")
    assert "go round in a circle: v0 → v1 → v0" in finding.text or "v1 → v0 → v1" in finding.text
    assert "ttl_expired" in finding.text
    assert finding.fixes[0].edits == ()


def test_a_loop_that_the_product_cuts_short_is_a_loop_too() -> None:
    inventory = Inventory()
    inventory.apply(CreateAccount("acme"))
    for k in range(2):
        inventory.apply(
            CreateVpc(f"v{k}", "bj", f"10.{k}.0.0/16", "acme"),
            CreateSubnet(f"v{k}", "a", f"10.{k}.0.0/24"),
            CreateInstance(f"i{k}", f"v{k}/a", f"10.{k}.0.10"),
        )
    inventory.apply(
        CreatePeerConn("v0", "v1", 10, "c", "right", "left"),
        CreateRoute("v0", "0.0.0.0/0", "0.0.0.0/0", "right"),
        CreateRoute("v1", "0.0.0.0/0", "0.0.0.0/0", "left"),
    )
    assert "(transit_denied)" in only(inventory, "loop").text


def test_transit_that_is_refused() -> None:
    inventory = chain(3)
    inventory.apply(SetRelay("v1", relay=False))
    found = [finding for finding in lint(inventory) if finding.code == "transit_denied"]
    assert [finding.text.split(" sends")[0] for finding in found] == ["v0", "v2"]
    assert "through v1, which is no relay VPC" in found[0].text
    assert after_fix(inventory, found[0]) == []


def test_more_routers_than_a_packet_can_pass() -> None:
    inventory = chain(66)
    finding = next(finding for finding in lint(inventory) if finding.code == "ttl_expired")
    assert "pass more than 63 routers from v0" in finding.text


def overlapping() -> Inventory:
    """A hub between two VPCs that are the same but for their names."""
    inventory = Inventory()
    inventory.apply(CreateAccount("acme"))
    for name, cidr in (("hub", "172.16"), ("red", "10.1"), ("blue", "10.1")):
        inventory.apply(
            CreateVpc(name, "bj", f"{cidr}.0.0/16", "acme"),
            CreateSubnet(name, "a", f"{cidr}.0.0/24"),
            CreateInstance(f"{name}-1", f"{name}/a", f"{cidr}.0.10"),
        )
    for name in ("red", "blue"):
        inventory.apply(
            CreatePeerConn("hub", name, 10, f"hub-{name}", f"to-{name}", "up"),
            CreateRoute(name, "0.0.0.0/0", "172.16.0.0/16", "up"),
        )
    inventory.apply(CreateRoute("hub", "0.0.0.0/0", "10.1.0.0/16", "to-red"))
    return inventory


def test_vpcs_that_hide_each_other() -> None:
    finding = only(overlapping(), "overlapping_cidr")
    assert finding.text == (
        "red (10.1.0.0/16) and blue (10.1.0.0/16) overlap and are both peered with hub; "
        "red-1 and blue-1 have the same address"
    )
    inventory = overlapping()
    inventory.apply(CreatePeerConn("red", "blue", 10, "red-blue"))
    texts = [finding.text for finding in lint(inventory) if finding.code == "overlapping_cidr"]
    assert len(texts) == 1
    assert "peer_not_routed" in codes(inventory)


def test_a_subnet_that_reaches_nobody() -> None:
    inventory = two_vpcs()
    inventory.apply(CreateRoute("data", "0.0.0.0/0", "192.168.1.0/24", "blackhole"))
    finding = only(inventory, "isolated_subnet")
    assert finding.text == "shop/office: none of its instances reaches anything outside of shop"
    assert after_fix(inventory, finding) == []


def test_every_code_is_found_in_some_network_and_its_json_is_complete() -> None:
    networks = [loop(), overlapping(), chain(66), cross_account("expired"), two_vpcs()]
    networks[-1].apply(CreateRoute("shop", "0.0.0.0/0", "224.0.0.0/4", "int-shop"))
    networks += [RandomNetwork(seed).inventory for seed in range(40)]
    seen = set()
    for inventory in networks:
        for finding in lint(inventory):
            seen.add(finding.code)
            assert {"code", "severity", "text", "vpc", "witness", "fix"} <= set(finding.to_dict())
    assert seen == set(CODES)


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_witnesses_show_what_is_found(first: int) -> None:
    """A plain walk of each witness ends as the finding says; rules that never win never do."""
    for seed in range(first, first + 20):
        inventory = RandomNetwork(seed).inventory
        plain = PlainWalk(inventory)
        for finding in lint(inventory):
            witness = finding.witness
            vpc = inventory.vpc(finding.vpc).id
            if witness is None:
                assert finding.code == "isolated_subnet"
                continue
            sent_from = inventory.vpc(witness.vpc).id
            fate, _ = plain.fate_of_router(sent_from, witness.src, witness.dst)
            winner = plain.best(vpc, witness.src, witness.dst)
            label = f"seed {seed}: {finding.text}"
            if finding.code in {"bad_state_route", "redundant_rule"}:
                assert winner is not None and winner.id == finding.rule, label
            elif finding.code == "shadowed_rule":
                assert winner is None or winner.id != finding.rule, label
            elif finding.code in {"loop", "transit_denied", "ttl_expired"}:
                assert fate in {"transit_denied", "ttl_expired"}, label
            elif finding.code == "one_way":
                assert fate == "delivered", label


@pytest.mark.parametrize("seed", range(25))
def test_rules_that_change_nothing_really_do(seed: int) -> None:
    """Without a shadowed or redundant rule every packet of every VPC ends as before."""
    from netsim.verify.reachability import reachability

    inventory = RandomNetwork(seed).inventory
    for finding in lint(inventory):
        if finding.code not in {"shadowed_rule", "redundant_rule"} or finding.rule not in inventory.rules:
            continue
        before = reachability(Network.of(inventory), any_source=True)
        inventory.apply(*finding.fixes[0].edits)
        after = reachability(Network.of(inventory), any_source=True)
        for source in before.sources:
            for dst in before.atom_lo.tolist():
                assert before.fate(source.node, source.first, dst) == after.fate(source.node, source.first, dst)
        break


@pytest.mark.parametrize("seed", range(40, 80))
def test_every_finding_has_a_packet_and_a_fix(seed: int) -> None:
    for finding in lint(RandomNetwork(seed).inventory):
        assert finding.witness is not None and finding.fixes, finding.text
        assert finding.rule or finding.peer_conn or finding.vpc, finding.text


def test_where_nobody_is_the_router_is_asked() -> None:
    """A peer without instances is reached all the same, unless its rules say otherwise."""
    inventory = two_vpcs()
    inventory.apply(DeleteInstance("db-1"))
    assert "isolated_subnet" not in codes(inventory)
    inventory.apply(DeleteRoute(inventory.rules_of("data")[0].id))
    found = [finding for finding in lint(inventory) if finding.code == "isolated_subnet"]
    assert [str(finding.witness) for finding in found] == [
        "192.168.0.10 → 10.1.0.1 from shop", "192.168.1.10 → 10.1.0.1 from shop",
    ]  # fmt: skip


def test_a_subnet_cut_off_from_what_lies_behind_relays_is_isolated() -> None:
    """The VPCs next to it have no instances: what it can't reach is two connections away."""
    lab = netsim.load(ROOT / "topologies" / "source-segments.netsim.yaml")
    (finding,) = [found for found in lab.lint() if found.code == "isolated_subnet"]
    assert "shop/guests" in finding.text
    assert finding.witness is not None and format_addr(finding.witness.dst) == "10.9.0.20"
    lab.apply(*[one for fix in finding.fixes for one in fix.edits])
    assert not [found for found in lab.lint() if found.code == "isolated_subnet"]
