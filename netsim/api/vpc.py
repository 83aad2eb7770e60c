"""VPCs. Source: cloud.baidu.com/doc/VPC/s/Njwvyuaq5, wjwvyub23, 9jwvyubqq; the vendor's Go SDK, services/vpc."""

from __future__ import annotations

from typing import Any

from netsim.api.call import Call, Reply
from netsim.api.error_codes import HttpError
from netsim.api.json_codec import dump, member
from netsim.api.owned import own_subnet, own_vpc
from netsim.api.paging import numbered_page, page
from netsim.api.subnet import subnet_json
from netsim.api.tag import tags_json, tags_of
from netsim.clock import format_utc
from netsim.controlplane import edit
from netsim.controlplane.view import View
from netsim.controlplane.vpc import Vpc
from netsim.prefix import format_addr, parse_addr

RESERVED_NAME = "default"
"""Of the VPC that the vendor makes by itself; nobody else's may be called so."""


RESOURCE_TYPE = "bcc"
"""What the vendor calls the owner of an instance's address."""


def vpc_json(vpc: Vpc) -> dict[str, Any]:
    """A VPC as the vendor writes it."""
    return {
        "vpcId": vpc.id,
        "name": vpc.name,
        "cidr": str(vpc.cidr),
        "ipv6Cidr": "",
        "description": vpc.description,
        "isDefault": False,
        "relay": vpc.relay,
        "secondaryCidr": [],
        "createdTime": format_utc(vpc.created_at_ns),
        "tags": tags_json(vpc.tags),
    }


def create_vpc(call: Call) -> Reply:
    """POST /v1/vpc."""
    name, cidr = _name(call), call.text("cidr")
    description = call.text("description", "")
    member(call.body, "enableIpv6", bool, False)  # taken, and not emulated
    made = edit.CreateVpc(name, call.region, cidr, description=description, tags=tags_of(call.body))
    return call.change(lambda _: (made,), lambda vpc: {"vpcId": vpc.id})


def list_vpcs(call: Call) -> Reply:
    """GET /v1/vpc."""
    wanted = {i for i in call.query.get("vpcIds", "").split(",") if i}
    only_default = call.query.get("isDefault", "").lower() == "true"

    def look(view: View) -> list[Vpc]:
        found = [vpc for vpc in view.vpcs.values() if vpc.region == call.region]
        return [vpc for vpc in found if not only_default and (not wanted or vpc.id in wanted)]

    return Reply(body=dump(page("vpcs", call.read(look), lambda vpc: vpc.id, vpc_json, call.query)))


def show_vpc(call: Call) -> Reply:
    """GET /v1/vpc/{vpcId}."""

    def look(view: View) -> dict[str, Any]:
        vpc = own_vpc(call, view, call.params["vpcId"])
        subnets = [subnet_json(view, subnet) for subnet in view.subnets_of(vpc.id)]
        return {"vpc": {**vpc_json(vpc), "subnets": subnets}}

    return Reply(body=dump(call.read(look)))


def update_vpc(call: Call) -> Reply:
    """PUT /v1/vpc/{vpcId}?modifyAttribute. What is absent stays."""
    name, description = _name(call), member(call.body, "description", str, None)
    member(call.body, "enableIpv6", bool, False)
    if member(call.body, "secondaryCidr", list, []):
        raise HttpError("BadRequest", "secondaryCidr is not emulated: a VPC has one CIDR")

    def plan(view: View) -> tuple[edit.Edit[Any], ...]:
        vpc = own_vpc(call, view, call.params["vpcId"])
        return (edit.UpdateVpc(vpc.id, name=name, description=description),)

    return call.change(plan)


def delete_vpc(call: Call) -> Reply:
    """DELETE /v1/vpc/{vpcId}."""
    return call.change(lambda view: (edit.DeleteVpc(own_vpc(call, view, call.params["vpcId"]).id),))


def open_relay(call: Call) -> Reply:
    """PUT /v1/vpc/openRelay/{vpcId}."""
    return call.change(lambda view: (edit.SetRelay(own_vpc(call, view, call.params["vpcId"]).id, relay=True),))


def shut_relay(call: Call) -> Reply:
    """PUT /v1/vpc/shutdownRelay/{vpcId}."""
    return call.change(lambda view: (edit.SetRelay(own_vpc(call, view, call.params["vpcId"]).id, relay=False),))


def used_addresses(call: Call) -> Reply:
    """GET /v1/vpc/{vpcId}/privateIpAddressInfo: instances' addresses, of those listed and in the range `A-B`."""
    wanted = {a for a in call.query.get("privateIpAddresses", "").split(",") if a}
    low, high = _range(call.query.get("privateIpRange", ""))

    def look(view: View) -> list[dict[str, Any]]:
        vpc = own_vpc(call, view, call.params["vpcId"])
        found = [(format_addr(inst.addr), inst) for inst in view.instances_of(vpc.id)]
        return [
            {
                "privateIpAddress": addr,
                "cidr": str(view.subnet(inst.subnet_id).cidr),
                "privateIpAddressType": "BCC",
                "createdTime": format_utc(inst.created_at_ns),
            }
            for addr, inst in found
            if low <= inst.addr <= high and (not wanted or addr in wanted)
        ]

    return Reply(body=dump({"vpcPrivateIpAddresses": call.read(look)}))


def used_by_resources(call: Call) -> Reply:
    """GET /v1/vpc/resourceIp?vpcId=: who has which address, by numbered pages."""
    vpc_id, subnet_id = call.query.get("vpcId", ""), call.query.get("subnetId", "")
    kind = call.query.get("resourceType", "").lower()
    if not vpc_id:
        raise HttpError("BadRequest", "vpcId is missing")

    def look(view: View) -> list[dict[str, Any]]:
        vpc = own_vpc(call, view, vpc_id)
        if subnet_id:
            own_subnet(call, view, subnet_id)
        return [
            {"ip": format_addr(inst.addr), "resourceType": RESOURCE_TYPE}
            for inst in view.instances_of(vpc.id)
            if kind in {"", RESOURCE_TYPE} and (not subnet_id or inst.subnet_id == subnet_id)
        ]

    return Reply(body=dump(numbered_page(call.read(look), call.query)))


def _name(call: Call) -> str:
    name = call.text("name")
    if name == RESERVED_NAME:
        raise HttpError("BadRequest", f"name is {name!r}, which is reserved")
    return name


def _range(text: str) -> tuple[int, int]:
    """First and last address of `A-B`; of nothing, all."""
    if not text:
        return 0, (1 << 32) - 1
    first, _, last = text.partition("-")
    low, high = parse_addr(first), parse_addr(last)
    if low > high:
        raise HttpError("BadRequest", f"privateIpRange is {text[:60]!r}: it ends before it begins")
    return low, high
