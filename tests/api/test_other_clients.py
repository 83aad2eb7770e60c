"""What the vendor's Go and Java clients and Terraform send otherwise than the Python SDK."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.wire import Answer, Wire, signed_headers

POSTPAID = {"paymentTiming": "Postpaid"}


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    served = Wire(tmp_path / "cloud.db", ("acme", "data-team"))
    yield served
    served.close()


TOKENS = itertools.count()


def raw(wire: Wire, account: str, method: str, path: str, raw_query: str = "", content: bytes = b"") -> Answer:
    """A request whose query stands on the wire exactly so."""
    return wire.send(method, path, raw_query, signed_headers(account, method, path, raw_query, content), content)


def asked(wire: Wire, peer_account: str = "data-team", **more: Any) -> str:
    """A connection from a new VPC of acme's to a new one of the peer's: its id."""
    vpcs = [
        wire.must(account, "POST", "/v1/vpc", body={"name": "v", "cidr": f"10.{n}.0.0/16"})["vpcId"]
        for n, account in enumerate(("acme", peer_account))
    ]
    body = {"bandwidthInMbps": 10, "localVpcId": vpcs[0], "peerVpcId": vpcs[1], "peerRegion": "bj",
            "peerAccountId": peer_account, "billing": POSTPAID}  # fmt: skip
    return str(wire.must("acme", "POST", "/v1/peerconn", body={**body, **more})["peerConnId"])


def status(wire: Wire, conn_id: str) -> str:
    return str(wire.must("acme", "GET", f"/v1/peerconn/{conn_id}")["status"])


@pytest.mark.parametrize("flag", ["{}", "{}=", "{}&clientToken=t", "clientToken=t&{}=", "clientToken=t&{}"])
@pytest.mark.parametrize(("word", "state"), [("accept", "active"), ("reject", "consult_failed")])
def test_a_flag_counts_with_and_without_an_equals_sign(wire: Wire, flag: str, word: str, state: str) -> None:
    conn_id = asked(wire)
    answer = raw(wire, "data-team", "PUT", f"/v1/peerconn/{conn_id}", flag.format(word))
    assert (answer.status, answer.body) == (200, b"")
    assert status(wire, conn_id) == state


def test_two_flags_at_once_are_refused(wire: Wire) -> None:
    conn_id = asked(wire)
    assert raw(wire, "data-team", "PUT", f"/v1/peerconn/{conn_id}", "accept&reject").code == "BadRequest"
    assert status(wire, conn_id) == "consulting"


def test_bodies_that_say_nothing_new_are_ignored(wire: Wire) -> None:
    conn_id = asked(wire)
    path = f"/v1/peerconn/{conn_id}"
    assert raw(wire, "data-team", "PUT", path, "accept", b'{"peerConnId": "x", "clientToken": "y"}').status == 200
    assert raw(wire, "acme", "PUT", path, "open&role=initiator", b'{"role": "initiator"}').status == 200
    assert wire.must("acme", "GET", path, {"role": "initiator"})["dnsStatus"] == "open"
    assert raw(wire, "acme", "PUT", path, "close&role=initiator", b'{"role": "initiator"}').status == 200
    assert wire.must("acme", "GET", path, {"role": "initiator"})["dnsStatus"] == "close"
    assert raw(wire, "acme", "PUT", path, "open").code == "BadRequest"  # whose switch?


def test_whatever_has_nothing_to_say_says_nothing(wire: Wire) -> None:
    conn_id = asked(wire, "acme")
    vpc_id = wire.must("acme", "POST", "/v1/vpc", body={"name": "v", "cidr": "10.9.0.0/16"})["vpcId"]
    subnet = {"name": "s", "vpcId": vpc_id, "cidr": "10.9.0.0/24", "zoneName": "cn-bj-a"}
    subnet_id = wire.must("acme", "POST", "/v1/subnet", body=subnet)["subnetId"]
    table = wire.must("acme", "GET", "/v1/route", {"vpcId": vpc_id})["routeTableId"]
    rule = {"routeTableId": table, "sourceAddress": "0.0.0.0/0", "destinationAddress": "10.8.0.0/16",
            "nexthopType": "blackhole", "nexthopId": ""}  # fmt: skip
    rule_id = wire.must("acme", "POST", "/v1/route/rule", body=rule)["routeRuleId"]
    conn = f"/v1/peerconn/{conn_id}"
    interface = wire.must("acme", "GET", conn)["localIfId"]
    for method, path, query, body in [
        ("PUT", f"/v1/vpc/{vpc_id}", {"modifyAttribute": ""}, {"name": "n", "enableIpv6": False, "secondaryCidr": []}),
        ("PUT", f"/v1/vpc/openRelay/{vpc_id}", {}, None),
        ("PUT", f"/v1/vpc/shutdownRelay/{vpc_id}", {}, None),
        ("PUT", f"/v1/subnet/{subnet_id}", {"modifyAttribute": ""}, {"name": "n"}),
        ("PUT", f"/v1/route/rule/{rule_id}", {}, {"routeRuleId": rule_id, "description": "d", "sourceAddress": "",
                                                  "destinationAddress": ""}),
        ("DELETE", f"/v1/route/rule/{rule_id}", {}, None),
        ("DELETE", f"/v1/subnet/{subnet_id}", {}, None),
        ("DELETE", f"/v1/vpc/{vpc_id}", {}, None),
        ("PUT", conn, {}, {"localIfId": interface, "localIfName": "n", "description": "d"}),
        ("PUT", conn, {"resize": ""}, {"newBandwidthInMbps": 20}),
        ("PUT", conn, {"open": "", "role": "initiator"}, None),
        ("PUT", conn, {"close": "", "role": "acceptor"}, None),
        ("PUT", f"{conn}/deleteProtect", {}, {"deleteProtect": False}),
        ("DELETE", conn, {}, None),
    ]:  # fmt: skip
        answer = wire.ask("acme", method, path, {**query, "clientToken": f"t{next(TOKENS)}"}, body)
        assert (answer.status, answer.body) == (200, b""), (method, path, answer)


def test_every_answer_has_the_vendors_headers(wire: Wire) -> None:
    seen = set()
    for answer in (wire.ask("acme", "GET", "/v1/vpc"), wire.ask("acme", "GET", "/v1/vpc/vpc-none")):
        assert answer.headers["content-type"] == "application/json;charset=UTF-8"
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer.headers["x-bce-request-id"])
        seen.add(answer.headers["x-bce-request-id"])
    assert len(seen) == 2 and answer.code == "NoSuchObject"


@pytest.mark.parametrize(
    "billing",
    [
        {"paymentTiming": "Postpaid"},
        {"paymentTiming": "Postpaid", "reservation": {"reservationLength": 0, "reservationTimeUnit": "Month"}},
        {"paymentTiming": "Postpaid", "reservation": None},
    ],
)
def test_a_reservation_counts_for_prepaid_only(wire: Wire, billing: dict[str, Any]) -> None:
    asked(wire, billing=billing)


@pytest.mark.parametrize(
    "reservation", [None, {}, {"reservationLength": 1, "reservationTimeUnit": "MONTH"}, {"reservationLength": 1}]
)
def test_a_prepaid_one_is_paid_for_a_month_if_nothing_else_is_said(wire: Wire, reservation: Any) -> None:
    here, there = (
        wire.must("acme", "POST", "/v1/vpc", body={"name": "v", "cidr": "10.0.0.0/16"}, region=region)["vpcId"]
        for region in ("bj", "gz")
    )
    billing = {"paymentTiming": "Prepaid", "reservation": reservation}
    body = {"bandwidthInMbps": 10, "localVpcId": here, "peerVpcId": there, "peerRegion": "gz", "billing": billing}
    conn_id = wire.must("acme", "POST", "/v1/peerconn", body=body)["peerConnId"]
    conn = wire.must("acme", "GET", f"/v1/peerconn/{conn_id}")
    months = (int(conn["expiredTime"][5:7]) - int(conn["createdTime"][5:7])) % 12
    assert months == 1 and conn["paymentTiming"] == "Prepaid"


def test_what_is_unknown_is_ignored(wire: Wire) -> None:
    body = {"name": "v", "cidr": "10.0.0.0/16", "enableIpv6": True, "tags": [{"tagKey": "a", "tagValue": "b"}],
            "resourceGroupId": "r", "more": {"and": ["more"]}}  # fmt: skip
    vpc_id = wire.must("acme", "POST", "/v1/vpc", {"locale": "en", "x": ""}, body)["vpcId"]
    assert wire.must("acme", "GET", f"/v1/vpc/{vpc_id}", {"y": "1"})["vpc"]["name"] == "v"


def test_a_detail_is_flat_for_connections_and_wrapped_for_the_rest(wire: Wire) -> None:
    conn = wire.must("acme", "GET", f"/v1/peerconn/{asked(wire)}")
    assert conn["bandwidthInMbps"] == conn["bandwithInMbp"] == 10
    assert conn["peerConnId"].startswith("peerconn-") and len(conn["peerConnId"]) == len("peerconn-") + 12
    assert re.fullmatch(r"qpif-[0-9a-z]{12}", conn["localIfId"])
    assert conn["expiredTime"] == "" and conn["tags"] == []
    assert set(wire.must("acme", "GET", f"/v1/vpc/{conn['localVpcId']}")) == {"vpc"}


def test_zones_are_the_regions(wire: Wire) -> None:
    for region in ("bj", "hkg"):
        zones = wire.must("acme", "GET", "/v2/zone", region=region)["zones"]
        assert zones[0] == {"zoneName": f"cn-{region}-a"}
    assert wire.ask("acme", "GET", "/v2/zone", region="mars").code == "InvalidURI"
    assert wire.ask("acme", "GET", "/v9/zone").code == "InvalidVersion"
