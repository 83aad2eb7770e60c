"""Subnets. Source: cloud.baidu.com/doc/VPC/s/Yjwvyu8o1; the vendor's Go SDK, services/vpc."""

from __future__ import annotations

from typing import Any

from netsim.api.call import Call, Reply
from netsim.api.error_codes import HttpError
from netsim.api.json_codec import dump, member
from netsim.api.owned import own_subnet, own_vpc
from netsim.api.paging import page
from netsim.clock import format_utc
from netsim.controlplane import edit
from netsim.controlplane.subnet import RESERVED_HEAD, Subnet
from netsim.controlplane.view import View

SUBNET_TYPES = ("BCC", "BCC_NAT", "BBC")


def subnet_json(view: View, subnet: Subnet) -> dict[str, Any]:
    """A subnet as the vendor writes it. Its type is not kept: all are alike here."""
    used = sum(1 for inst in view.instances_of(subnet.vpc_id) if inst.subnet_id == subnet.id)
    free = subnet.cidr.size - RESERVED_HEAD - 1 - used
    return {
        "subnetId": subnet.id,
        "name": subnet.name,
        "zoneName": subnet.zone,
        "cidr": str(subnet.cidr),
        "ipv6Cidr": "",
        "vpcId": subnet.vpc_id,
        "subnetType": "BCC",
        "description": subnet.description,
        "createdTime": format_utc(subnet.created_at_ns),
        "availableIp": free,
        "availableUnreservedIp": free,
        "tags": [],
    }


def create_subnet(call: Call) -> Reply:
    """POST /v1/subnet."""
    name, zone, cidr, vpc_id = (call.text(key) for key in ("name", "zoneName", "cidr", "vpcId"))
    description = call.text("description", "")
    kind = call.text("subnetType", "") or SUBNET_TYPES[0]
    if kind not in SUBNET_TYPES:
        raise HttpError("BadRequest", f"subnetType is {kind[:60]!r}, accepted {', '.join(SUBNET_TYPES)}")

    def plan(view: View) -> tuple[edit.Edit[Any], ...]:
        vpc = own_vpc(call, view, vpc_id)
        return (edit.CreateSubnet(vpc.id, name, cidr, zone=zone, description=description),)

    return call.change(plan, lambda subnet: {"subnetId": subnet.id})


def list_subnets(call: Call) -> Reply:
    """GET /v1/subnet."""
    wanted = {i for i in call.query.get("subnetIds", "").split(",") if i}
    vpc_id, zone, kind = (call.query.get(key, "") for key in ("vpcId", "zoneName", "subnetType"))

    def look(view: View) -> list[tuple[Subnet, dict[str, Any]]]:
        if vpc_id:
            own_vpc(call, view, vpc_id)
        found = [
            subnet
            for subnet in view.subnets.values()
            if view.vpc(subnet.vpc_id).region == call.region
            and (not vpc_id or subnet.vpc_id == vpc_id)
            and (not zone or subnet.zone == zone)
            and (not wanted or subnet.id in wanted)
            and kind in {"", SUBNET_TYPES[0]}
        ]
        return [(subnet, subnet_json(view, subnet)) for subnet in found]

    return Reply(body=dump(page("subnets", call.read(look), lambda pair: pair[0].id, lambda pair: pair[1], call.query)))


def show_subnet(call: Call) -> Reply:
    """GET /v1/subnet/{subnetId}."""

    def look(view: View) -> dict[str, Any]:
        return {"subnet": subnet_json(view, own_subnet(call, view, call.params["subnetId"]))}

    return Reply(body=dump(call.read(look)))


def update_subnet(call: Call) -> Reply:
    """PUT /v1/subnet/{subnetId}?modifyAttribute. What is absent stays."""
    name, description = call.text("name"), member(call.body, "description", str, None)

    def plan(view: View) -> tuple[edit.Edit[Any], ...]:
        subnet = own_subnet(call, view, call.params["subnetId"])
        return (edit.UpdateSubnet(subnet.id, name=name, description=description),)

    return call.change(plan)


def delete_subnet(call: Call) -> Reply:
    """DELETE /v1/subnet/{subnetId}."""
    return call.change(lambda view: (edit.DeleteSubnet(own_subnet(call, view, call.params["subnetId"]).id),))
