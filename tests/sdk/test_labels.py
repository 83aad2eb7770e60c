"""What a tenant says of its resources and gets back: tags, types of subnets, names; also from a server started anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from baidubce.services.vpc import peerconn_model

from netsim.store.check import check_database
from tests.api.wire import Wire
from tests.sdk.cloud import Cloud, Tenant, refused

POSTPAID = peerconn_model.Billing("Postpaid")
TAGS = [{"tagKey": "team", "tagValue": "web"}, {"tagKey": "käse", "tagValue": ""}]


class Tag:
    """A tag as the SDK wants it for peer connections: something with a `__dict__`."""

    def __init__(self, tag: dict[str, str]) -> None:
        vars(self).update(tag)


def shown(tags: list[Any]) -> list[dict[str, str]]:
    return [{"tagKey": tag.tag_key, "tagValue": tag.tag_value} for tag in tags]


def test_tags_are_shown_wherever_their_resource_is(cloud: Cloud) -> None:
    acme, other = cloud.tenant("acme"), cloud.tenant("data-team", "gz")
    vpc = acme.vpc.create_vpc("shop", "10.0.0.0/16", tags=TAGS).vpc_id
    plain = acme.vpc.create_vpc("plain", "10.1.0.0/16").vpc_id
    subnet = acme.subnet.create_subnet("s", "cn-bj-a", "10.0.0.0/24", vpc, tags=TAGS).subnet_id
    far = other.network("far", "10.2.0.0/16")
    tags = [Tag(each) for each in TAGS]
    near_conn = acme.peer.create_peerconn(1, vpc, plain, "bj", billing=POSTPAID, tags=tags).peer_conn_id
    far_conn = acme.peer.create_peerconn(
        1, vpc, far, "gz", billing=POSTPAID, peer_account_id="data-team", tags=tags
    ).peer_conn_id

    assert shown(acme.vpc.get_vpc(vpc).vpc.tags) == TAGS
    assert [shown(each.tags) for each in acme.vpc.list_vpcs().vpcs] == [TAGS, []]
    assert shown(acme.vpc.get_vpc(vpc).vpc.subnets[0].tags) == TAGS
    assert shown(acme.subnet.get_subnet(subnet).subnet.tags) == TAGS
    assert [shown(each.tags) for each in acme.subnet.list_subnets().subnets] == [TAGS]
    for role in ("initiator", "acceptor"):
        assert shown(acme.peer.get_peerconn(near_conn, role=role).tags) == TAGS
    assert shown(acme.peer.get_peerconn(far_conn, role="initiator").tags) == TAGS
    (theirs,) = other.peer.list_peerconns(far).peer_conns
    assert theirs.tags == []  # one account's tags are not another's


def test_an_update_keeps_tags_and_type(cloud: Cloud) -> None:
    acme = cloud.tenant("acme")
    vpc = acme.vpc.create_vpc("shop", "10.0.0.0/16", tags=TAGS).vpc_id
    subnet = acme.subnet.create_subnet("s", "cn-bj-a", "10.0.0.0/24", vpc, "BBC", tags=TAGS).subnet_id
    acme.vpc.update_vpc(vpc, "renamed", description="d")
    acme.vpc.open_relay(vpc)
    acme.subnet.update_subnet(subnet, "renamed", description="d")
    found = acme.subnet.get_subnet(subnet).subnet
    assert shown(acme.vpc.get_vpc(vpc).vpc.tags) == shown(found.tags) == TAGS
    assert found.subnet_type == "BBC"
    conn = acme.peer.create_peerconn(
        1, vpc, acme.network("data", "10.1.0.0/16"), "bj", billing=POSTPAID, tags=[Tag(each) for each in TAGS]
    ).peer_conn_id
    side = acme.peer.get_peerconn(conn, role="initiator")
    acme.peer.update_peerconn(conn, side.local_if_id, local_if_name="n", description="d")
    acme.peer.resize_peerconn(conn, 5)
    acme.peer.open_peerconn_dns_sync(conn, "initiator")
    assert shown(acme.peer.get_peerconn(conn, role="initiator").tags) == TAGS


def test_subnets_are_listed_by_type(cloud: Cloud) -> None:
    acme = cloud.tenant("acme")
    vpc = acme.vpc.create_vpc("shop", "10.0.0.0/16").vpc_id
    types = ["BCC", "BCC_NAT", "BBC"]
    for n, kind in enumerate(types):
        acme.subnet.create_subnet(kind, "cn-bj-a", f"10.0.{n}.0/24", vpc, kind)
    for kind in types:
        assert [each.name for each in acme.subnet.list_subnets(subnet_type=kind).subnets] == [kind]
        assert [each.subnet_type for each in acme.subnet.list_subnets(subnet_type=kind).subnets] == [kind]
    with refused(400, "BadRequest"):
        acme.subnet.create_subnet("x", "cn-bj-a", "10.0.9.0/24", vpc, "GPU")


def test_tags_and_types_are_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "cloud.db"
    wire = Wire(path, ("acme",))
    body: dict[str, Any] = {"name": "shop", "cidr": "10.0.0.0/16", "tags": TAGS}
    vpc = wire.must("acme", "POST", "/v1/vpc", body=body)["vpcId"]
    data = wire.must("acme", "POST", "/v1/vpc", body={**body, "name": "data", "tags": []})["vpcId"]
    more = {"cidr": "10.0.0.0/24", "vpcId": vpc, "zoneName": "cn-bj-a", "subnetType": "BCC_NAT"}
    wire.must("acme", "POST", "/v1/subnet", body={**body, **more})
    asked = {"bandwidthInMbps": 1, "localVpcId": vpc, "peerVpcId": data, "peerRegion": "bj", "tags": TAGS,
             "billing": {"paymentTiming": "Postpaid"}}  # fmt: skip
    wire.must("acme", "POST", "/v1/peerconn", body=asked)
    paths = ("/v1/vpc", "/v1/subnet", "/v1/peerconn")
    before = [wire.must("acme", "GET", each) for each in paths]
    wire.close()
    assert check_database(path) == []
    wire = Wire(path, ("acme",))
    assert [wire.must("acme", "GET", each) for each in paths] == before
    assert [before[0]["vpcs"][0]["tags"], before[1]["subnets"][0]["tags"], before[2]["peerConns"][0]["tags"]] == [
        TAGS
    ] * 3
    assert before[1]["subnets"][0]["subnetType"] == "BCC_NAT"
    wire.close()


def with_tags(tags: Any) -> Callable[[Tenant], Any]:
    return lambda acme: acme.vpc.create_vpc("v", "10.0.0.0/16", tags=tags)


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (with_tags({"tagKey": "a"}), "InappropriateJSON"),
        (with_tags(["a"]), "InappropriateJSON"),
        (with_tags([{"tagValue": "a"}]), "InappropriateJSON"),
        (with_tags([{"tagKey": 1, "tagValue": "a"}]), "InappropriateJSON"),
        (with_tags([{"tagKey": "a", "tagValue": True}]), "InappropriateJSON"),
        (with_tags([{"tagKey": "", "tagValue": "a"}]), "BadRequest"),
        (with_tags([{"tagKey": "a" * 129, "tagValue": ""}]), "BadRequest"),
        (with_tags([{"tagKey": "a", "tagValue": "\n"}]), "BadRequest"),
        (with_tags([{"tagKey": "a", "tagValue": "1"}, {"tagKey": "a", "tagValue": "2"}]), "BadRequest"),
        (with_tags([{"tagKey": str(n), "tagValue": ""} for n in range(51)]), "BadRequest"),
        (lambda acme: acme.vpc.create_vpc("v", "10.0.0.0/16", enable_ipv6="yes"), "InappropriateJSON"),
        (lambda acme: acme.vpc.create_vpc("default", "10.0.0.0/16"), "BadRequest"),
        (lambda acme: acme.vpc.create_vpc("v" * 66, "10.0.0.0/16"), "BadRequest"),
        (lambda acme: acme.vpc.create_vpc("v", "10.0.0.0/16", description="d" * 201), "BadRequest"),
    ],
)
def test_a_vpc_that_is_said_wrongly_is_not_made(cloud: Cloud, ask: Callable[[Tenant], Any], code: str) -> None:
    acme = cloud.tenant("acme")
    with refused(400, code):
        ask(acme)
    assert acme.vpc.list_vpcs().vpcs == []


def test_what_is_not_emulated_is_refused_rather_than_forgotten(cloud: Cloud) -> None:
    acme = cloud.tenant("acme")
    vpc = acme.vpc.create_vpc("shop", "10.0.0.0/16", enable_ipv6=True).vpc_id
    with refused(400, "BadRequest") as answer:
        acme.vpc.update_vpc(vpc, "shop", secondaryCidr=["10.9.0.0/16"])
    assert "not emulated" in answer.message
    acme.vpc.update_vpc(vpc, "shop", secondaryCidr=[], enable_ipv6=False)  # nothing is wanted
    with refused(400, "BadRequest"):
        acme.vpc.update_vpc(vpc, "default")
    with refused(400, "BadRequest"):
        acme.subnet.create_subnet("s", "cn-bj-a", "10.0.0.0/24", vpc, vpc_secondary_cidr="10.9.0.0/16")
    subnet = acme.subnet.create_subnet("s", "cn-bj-a", "10.0.0.0/24", vpc).subnet_id
    for ask in (
        lambda: acme.subnet.create_subnet_ipreserve(subnet, "10.0.0.64/28", 4, "d"),
        lambda: acme.subnet.list_subnet_ipreserve(subnet_id=subnet),
        lambda: acme.subnet.delete_subnet_ipreserve("ipr-1"),
    ):
        with refused(400, "BadRequest") as answer:
            ask()
        assert "not emulated" in answer.message
    acme.subnet.delete_subnet(subnet)
    found = acme.vpc.get_vpc(vpc).vpc
    assert (found.name, found.secondary_cidr, found.ipv6_cidr, found.subnets) == ("shop", [], "", [])
