"""Another tenant's id answers as one that does not exist: every operation, every place an id may stand.

A spot is a request with one id in it. It is sent with an id that is another's, one that is the caller's
own but in another region, and one of nobody; the answers may differ in the id and the request's own id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from netsim.api.url_table import OPERATIONS, own_operations
from netsim.resource_rows import NOUNS
from tests.api.wire import Wire
from tests.controlplane.snapshot import snapshot

BILLING = {"paymentTiming": "Postpaid"}
RULE = {"sourceAddress": "0.0.0.0/0", "destinationAddress": "10.9.0.0/16", "nexthopType": "peerConn"}
WINDOW = {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T01:00:00Z", "periodInSecond": "60"}
METRICS = "/json-api/v1/metricdata"
ID = "{ID}"
REF_KINDS = {
    "accounts": "account", "vpcs": "vpc", "subnets": "subnet", "instances": "instance", "routes": "rule",
    "peers": "conn",
}  # fmt: skip


class Spot(NamedTuple):
    """An operation (`METHOD path flag` as in the URL table), and the request with `{ID}` where the id stands."""

    operation: str
    kind: str
    path: str
    query: dict[str, str] = {}  # noqa: RUF012 - never changed
    body: dict[str, Any] | None = None


class Owned(dict[str, str]):
    """Ids of one network: `vpc`, `subnet`, `table`, `rule`, `conn`, `interface`, `instance`, `flow`, `ping`."""


def network(wire: Wire, account: str, region: str) -> Owned:
    """Two connected VPCs with an instance, a rule, a flow and a ping in the first."""

    def must(*args: Any, **more: Any) -> dict[str, Any]:
        return wire.must(account, *args, region=region, **more)

    vpcs = [must("POST", "/v1/vpc", body={"name": f"v{n}", "cidr": f"10.{n}.0.0/16"})["vpcId"] for n in (1, 2)]
    subnet = must(
        "POST", "/v1/subnet",
        body={"name": "s", "vpcId": vpcs[0], "cidr": "10.1.0.0/24", "zoneName": f"cn-{region}-a"},
    )["subnetId"]  # fmt: skip
    conn = must(
        "POST", "/v1/peerconn",
        body={"bandwidthInMbps": 10, "localVpcId": vpcs[0], "peerVpcId": vpcs[1], "peerRegion": region,
              "billing": BILLING},
    )["peerConnId"]  # fmt: skip
    interface = must("GET", f"/v1/peerconn/{conn}", {"role": "initiator"})["localIfId"]
    table = must("GET", "/v1/route", {"vpcId": vpcs[0]})["routeTableId"]
    rule = must("POST", "/v1/route/rule", body={**RULE, "routeTableId": table, "nexthopId": interface})["routeRuleId"]
    instance = must("POST", "/netsim/v1/instance", body={"name": "i", "subnetId": subnet})["instanceId"]
    must("POST", "/netsim/v1/dns", body={"vpcId": vpcs[0], "name": "web.test", "a": "10.1.0.9"})
    talk = {"from": instance, "to": "10.2.0.9"}
    flow = must("POST", "/netsim/v1/flow", body={**talk, "rateMbps": 1, "durationS": 0.01})["flowId"]
    ping = must("POST", "/netsim/v1/ping", body={**talk, "count": 1})["pingId"]
    return Owned(
        vpc=vpcs[0], subnet=subnet, table=table, rule=rule, conn=conn, interface=interface, instance=instance,
        flow=flow, ping=ping,
    )  # fmt: skip


def spots(mine: Owned) -> list[Spot]:
    """Every place of an id. What else a request needs is the caller's own, and in order."""
    billing = {"billing": {**BILLING, "paymentTiming": "Prepaid"}}
    asked = {"bandwidthInMbps": 10, "peerRegion": "bj", "billing": BILLING}
    new_rule = {**RULE, "destinationAddress": "10.8.0.0/16"}
    figures = {**WINDOW, "statistics[]": "sum"}
    by_flag = {
        "": {"localIfId": mine["interface"], "localIfName": "x"}, "accept": None, "reject": None,
        "resize": {"newBandwidthInMbps": 20}, "purchaseReserved": billing, "refund": None,
    }  # fmt: skip
    conn = "/v1/peerconn/{peerConnId}"
    return [
        Spot("GET /v1/vpc", "vpc", "/v1/vpc", {"vpcIds": ID}),
        Spot("GET /v1/vpc", "vpc", "/v1/vpc", {"marker": ID}),
        Spot("GET /v1/vpc/{vpcId}", "vpc", f"/v1/vpc/{ID}"),
        Spot("PUT /v1/vpc/{vpcId} modifyAttribute", "vpc", f"/v1/vpc/{ID}", {"modifyAttribute": ""}, {"name": "n"}),
        Spot("DELETE /v1/vpc/{vpcId}", "vpc", f"/v1/vpc/{ID}"),
        Spot("PUT /v1/vpc/openRelay/{vpcId}", "vpc", f"/v1/vpc/openRelay/{ID}"),
        Spot("PUT /v1/vpc/shutdownRelay/{vpcId}", "vpc", f"/v1/vpc/shutdownRelay/{ID}"),
        Spot("GET /v1/vpc/{vpcId}/privateIpAddressInfo", "vpc", f"/v1/vpc/{ID}/privateIpAddressInfo"),
        Spot("GET /v1/vpc/resourceIp", "vpc", "/v1/vpc/resourceIp", {"vpcId": ID}),
        Spot("GET /v1/vpc/resourceIp", "subnet", "/v1/vpc/resourceIp", {"vpcId": mine["vpc"], "subnetId": ID}),
        Spot("POST /v1/subnet", "vpc", "/v1/subnet", {},
             {"name": "s", "vpcId": ID, "cidr": "10.1.1.0/24", "zoneName": "cn-bj-a"}),
        Spot("GET /v1/subnet", "vpc", "/v1/subnet", {"vpcId": ID}),
        Spot("GET /v1/subnet", "subnet", "/v1/subnet", {"subnetIds": ID}),
        Spot("GET /v1/subnet", "subnet", "/v1/subnet", {"marker": ID}),
        Spot("GET /v1/subnet/{subnetId}", "subnet", f"/v1/subnet/{ID}"),
        Spot("PUT /v1/subnet/{subnetId} modifyAttribute", "subnet", f"/v1/subnet/{ID}", {"modifyAttribute": ""},
             {"name": "n"}),
        Spot("DELETE /v1/subnet/{subnetId}", "subnet", f"/v1/subnet/{ID}"),
        Spot("GET /v1/route", "vpc", "/v1/route", {"vpcId": ID}),
        Spot("GET /v1/route", "table", "/v1/route", {"routeTableId": ID}),
        Spot("GET /v1/route/rule", "vpc", "/v1/route/rule", {"vpcId": ID}),
        Spot("GET /v1/route/rule", "table", "/v1/route/rule", {"routeTableId": ID}),
        Spot("GET /v1/route/rule", "rule", "/v1/route/rule", {"vpcId": mine["vpc"], "marker": ID}),
        Spot("POST /v1/route/rule", "table", "/v1/route/rule", {},
             {**new_rule, "routeTableId": ID, "nexthopId": mine["interface"]}),
        Spot("POST /v1/route/rule", "interface", "/v1/route/rule", {},
             {**new_rule, "routeTableId": mine["table"], "nexthopId": ID}),
        Spot("PUT /v1/route/rule/{routeRuleId}", "rule", f"/v1/route/rule/{ID}", {}, {"description": "d"}),
        Spot("PUT /v1/route/rule/{routeRuleId}", "interface", f"/v1/route/rule/{mine['rule']}", {}, {"nexthopId": ID}),
        Spot("PUT /v1/route/rule/{routeRuleId} switchRouteHA", "rule", f"/v1/route/rule/{ID}", {"switchRouteHA": ""}),
        Spot("DELETE /v1/route/rule/{routeRuleId}", "rule", f"/v1/route/rule/{ID}"),
        Spot("POST /v1/peerconn", "vpc", "/v1/peerconn", {}, {**asked, "localVpcId": ID, "peerVpcId": mine["vpc"]}),
        Spot("POST /v1/peerconn", "vpc", "/v1/peerconn", {}, {**asked, "localVpcId": mine["vpc"], "peerVpcId": ID}),
        Spot("POST /v1/peerconn", "vpc", "/v1/peerconn", {},
             {**asked, "localVpcId": mine["vpc"], "peerVpcId": ID, "peerAccountId": "data-team"}),
        Spot("POST /v1/peerconn", "account", "/v1/peerconn", {},
             {**asked, "localVpcId": mine["vpc"], "peerVpcId": "vpc-zzzzzzzz", "peerAccountId": ID}),
        Spot("GET /v1/peerconn", "vpc", "/v1/peerconn", {"vpcId": ID}),
        Spot("GET /v1/peerconn", "interface", "/v1/peerconn", {"marker": ID}),
        Spot(f"GET {conn}", "conn", f"/v1/peerconn/{ID}"),
        Spot(f"GET {conn}", "conn", f"/v1/peerconn/{ID}", {"role": "acceptor"}),
        *(Spot(f"PUT {conn} {flag}".strip(), "conn", f"/v1/peerconn/{ID}", {flag: ""} if flag else {}, body)
          for flag, body in by_flag.items()),
        *(Spot(f"PUT {conn} {flag}", "conn", f"/v1/peerconn/{ID}", {flag: "", "role": role})
          for flag in ("open", "close") for role in ("initiator", "acceptor")),
        Spot(f"PUT {conn}", "interface", f"/v1/peerconn/{mine['conn']}", {}, {"localIfId": ID, "localIfName": "x"}),
        Spot(f"PUT {conn}/deleteProtect", "conn", f"/v1/peerconn/{ID}/deleteProtect", {}, {"deleteProtect": True}),
        Spot(f"DELETE {conn}", "conn", f"/v1/peerconn/{ID}"),
        *(Spot(f"GET {METRICS}/{{userId}}/{{scope}}/{{metricName}}", kind,
               f"{METRICS}/third/BCE_PEERCONN/WebInBytes", {**figures, "dimensions": f"InstanceId:{ID}"})
          for kind in ("conn", "interface")),
        Spot(f"GET {METRICS}/{{userId}}/{{scope}}/{{metricName}}", "account",
             f"{METRICS}/{ID}/BCE_PEERCONN/WebInBytes", {**figures, "dimensions": f"InstanceId:{mine['conn']}"}),
        Spot(f"GET {METRICS}/batch/{{userId}}/{{scope}}", "conn", f"{METRICS}/batch/third/BCE_PEERCONN",
             {**figures, "metricName[]": "WebInBytes", "dimensions[]": f"InstanceId:{ID}"}),
        Spot(f"GET {METRICS}/batch/{{userId}}/{{scope}}", "account", f"{METRICS}/batch/{ID}/BCE_PEERCONN",
             {**figures, "metricName[]": "WebInBytes", "dimensions[]": f"InstanceId:{mine['conn']}"}),
        Spot("POST /netsim/v1/instance", "subnet", "/netsim/v1/instance", {}, {"name": "x", "subnetId": ID}),
        Spot("GET /netsim/v1/instance", "vpc", "/netsim/v1/instance", {"vpcId": ID}),
        Spot("GET /netsim/v1/instance", "instance", "/netsim/v1/instance", {"marker": ID}),
        Spot("GET /netsim/v1/instance/{instanceId}", "instance", f"/netsim/v1/instance/{ID}"),
        Spot("DELETE /netsim/v1/instance/{instanceId}", "instance", f"/netsim/v1/instance/{ID}"),
        Spot("POST /netsim/v1/dns", "vpc", "/netsim/v1/dns", {}, {"vpcId": ID, "name": "x.test", "a": "10.1.0.9"}),
        Spot("GET /netsim/v1/dns", "vpc", "/netsim/v1/dns", {"vpcId": ID}),
        Spot("DELETE /netsim/v1/dns/{vpcId}/{name}", "vpc", f"/netsim/v1/dns/{ID}/web.test"),
        *(Spot("GET /netsim/v1/resource/{noun}", "vpc", f"/netsim/v1/resource/{noun}", {"vpc": ID}) for noun in NOUNS),
        *(Spot("GET /netsim/v1/resource/{noun}", kind, f"/netsim/v1/resource/{noun}", {"ref": ID})
          for noun, kind in REF_KINDS.items()),
        Spot("GET /netsim/v1/resource/{noun}", "vpc", "/netsim/v1/resource/dns", {"ref": f"{ID}/web.test"}),
        *(Spot("POST /netsim/v1/resource", kind, "/netsim/v1/resource", {}, {"edits": [edit], **dry})
          for dry in ({}, {"dryRun": True}) for kind, edit in edits(mine)),
        *(spot for kind in ("flow", "ping") for spot in (
            Spot(f"POST /netsim/v1/{kind}", "instance", f"/netsim/v1/{kind}", {}, {"from": ID, "to": "10.1.0.9"}),
            Spot(f"POST /netsim/v1/{kind}", "receiver", f"/netsim/v1/{kind}", {},
                 {"from": mine["instance"], "to": ID}),
            Spot(f"GET /netsim/v1/{kind}/{{id}}", kind, f"/netsim/v1/{kind}/{ID}"),
            Spot(f"PUT /netsim/v1/{kind}/{{id}}/stop", kind, f"/netsim/v1/{kind}/{ID}/stop"),
            Spot(f"DELETE /netsim/v1/{kind}/{{id}}", kind, f"/netsim/v1/{kind}/{ID}"),
        )),
    ]  # fmt: skip


def edits(mine: Owned) -> list[tuple[str, dict[str, Any]]]:
    """Every edit that names something, and of what kind that is."""
    prefixes = {"source": "0.0.0.0/0", "destination": "10.8.0.0/16"}
    ask = {"edit": "CreatePeerConn", "bandwidth_mbps": 5}
    return [
        *(("vpc", {"edit": name, "vpc": ID}) for name in ("UpdateVpc", "DeleteVpc")),
        ("vpc", {"edit": "SetRelay", "vpc": ID, "relay": True}),
        ("vpc", {"edit": "CreateSubnet", "vpc": ID, "name": "x", "cidr": "10.1.9.0/24"}),
        *(("subnet", {"edit": name, "subnet": ID}) for name in ("UpdateSubnet", "DeleteSubnet")),
        *(("subnet", {"edit": name, "subnet": ID, "vpc": mine["vpc"]}) for name in ("UpdateSubnet", "DeleteSubnet")),
        ("subnet", {"edit": "CreateInstance", "name": "x", "subnet": ID}),
        *(("instance", {"edit": name, "instance": ID}) for name in ("UpdateInstance", "DeleteInstance")),
        ("vpc", {"edit": "CreateRoute", "vpc": ID, "next_hop": "blackhole", **prefixes}),
        ("interface", {"edit": "CreateRoute", "vpc": mine["vpc"], "next_hop": ID, **prefixes}),
        *(("rule", {"edit": name, "rule": ID}) for name in ("UpdateRoute", "DeleteRoute")),
        ("interface", {"edit": "UpdateRoute", "rule": mine["rule"], "next_hop": ID}),
        ("vpc", {**ask, "local_vpc": ID, "peer_vpc": mine["vpc"]}),
        ("vpc", {**ask, "local_vpc": mine["vpc"], "peer_vpc": ID}),
        *(("conn", {"edit": f"{name}PeerConn", "peer_conn": ID})
          for name in ("Accept", "Reject", "Delete", "Refund", "Renew", "Update")),
        ("conn", {"edit": "ResizePeerConn", "peer_conn": ID, "bandwidth_mbps": 5}),
        ("conn", {"edit": "SetDnsSync", "peer_conn": ID, "enabled": True}),
        ("conn", {"edit": "SetDeleteProtect", "peer_conn": ID, "delete_protect": True}),
        ("vpc", {"edit": "CreateDnsRecord", "vpc": ID, "name": "x.test", "addr": "10.1.0.9"}),
        ("vpc", {"edit": "DeleteDnsRecord", "vpc": ID, "name": "web.test"}),
    ]  # fmt: skip


class World(NamedTuple):
    wire: Wire
    mine: Owned
    others: dict[str, Owned]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    wire = Wire(tmp_path_factory.mktemp("foreign") / "cloud.db", ("acme", "data-team", "third"))
    others = {"another's": network(wire, "acme", "bj"), "elsewhere": network(wire, "third", "gz")}
    # Only another's: one's own account, and a receiver in another region, are fine.
    others["another's"] |= {"account": "acme", "receiver": others["another's"]["instance"]}
    yield World(wire, network(wire, "third", "bj"), others)
    wire.close()


ANY = Owned.fromkeys(("vpc", "subnet", "table", "rule", "conn", "interface", "instance", "flow", "ping"), ID)
NAMES = [f"{spot.operation} #{i}" for i, spot in enumerate(spots(Owned(ANY)))]
ABSENT = {"flow": "flow-99999999", "ping": "ping-99999999", "account": "nobody"}


def absent_like(kind: str, text: str) -> str:
    """An id of the same form that nobody has."""
    return ABSENT.get(kind) or f"{text.partition('-')[0]}-{'z' * len(text.partition('-')[2])}"


def filled(value: Any, found: str) -> Any:
    if isinstance(value, str):
        return value.replace(ID, found)
    if isinstance(value, list):
        return [filled(each, found) for each in value]
    return {key: filled(each, found) for key, each in value.items()} if isinstance(value, dict) else value


def answered(wire: Wire, spot: Spot, found: str) -> tuple[int, str]:
    method = spot.operation.split()[0]
    answer = wire.ask("third", method, filled(spot.path, found), filled(spot.query, found), filled(spot.body, found))
    assert answer.status != 500
    text = re.sub(r'"requestId":"[^"]*"', '"requestId":""', answer.body.decode())
    return answer.status, text.replace(found, ID)


@pytest.mark.parametrize("name", NAMES)
def test_it_answers_as_if_there_were_none(world: World, name: str) -> None:
    spot = spots(world.mine)[int(name.rpartition("#")[2])]
    inventory = world.wire.service.read(lambda emulator: emulator.inventory)
    before = snapshot(inventory)
    for whose, owned in world.others.items():
        if "/resource" in name and whose == "elsewhere":
            continue  # netsim's own words know no regions: one's own is one's own
        if spot.kind in owned:
            expected = answered(world.wire, spot, absent_like(spot.kind, owned[spot.kind]))
            assert answered(world.wire, spot, owned[spot.kind]) == expected
            assert expected[0] != 200 or "GET" in name
    assert snapshot(inventory) == before


def test_no_place_of_an_id_is_forgotten() -> None:
    tried = {name.rpartition(" #")[0] for name in NAMES}
    table = [op for op in (*OPERATIONS, *own_operations()) if "/operator/" not in op.path]
    named = {f"{op.method} {op.path} {op.flag}".strip() for op in table}
    assert tried <= named
    # These take no id: creating and listing one's own, and the zones; or refuse everything.
    assert named - tried == {
        "POST /v1/vpc", "GET /v2/zone", "GET /netsim/v1/flow", "GET /netsim/v1/ping", "POST /v1/subnet/ipreserve",
        "GET /v1/subnet/ipreserve", "DELETE /v1/subnet/ipreserve/{ipReserveId}",
    }  # fmt: skip
