"""Subnets. Source: cloud.baidu.com/doc/VPC/s/Yjwvyu8o1; the vendor's Go SDK, services/vpc."""

from __future__ import annotations

from typing import Any

from netsim.api.call import Call, Reply
from netsim.api.error_codes import HttpError
from netsim.api.json_codec import dump, member
from netsim.api.owned import own_subnet, own_vpc
from netsim.api.paging import page
from netsim.api.tag import tags_json, tags_of
from netsim.clock import format_utc
from netsim.controlplane import edit
from netsim.controlplane.subnet import DEFAULT_SUBNET_TYPE, RESERVED_HEAD, SUBNET_TYPES, Subnet
from netsim.controlplane.view import View


def subnet_json(view: View, subnet: Subnet) -> dict[str, Any]:
    """A subnet as the vendor writes it."""
    used = sum(1 for inst in view.instances_of(subnet.vpc_id) if inst.subnet_id == subnet.id)
    free = subnet.cidr.size - RESERVED_HEAD - 1 - used
    return {
        "subnetId": subnet.id,
        "name": subnet.name,
        "zoneName": subnet.zone,
        "cidr": str(subnet.cidr),
        "ipv6Cidr": "",
        "vpcId": subnet.vpc_id,
        "subnetType": subnet.subnet_type,
        "description": subnet.description,
        "createdTime": format_utc(subnet.created_at_ns),
        "availableIp": free,
        "availableUnreservedIp": free,
        "tags": tags_json(subnet.tags),
    }


def create_subnet(call: Call) -> Reply:
    """POST /v1/subnet."""
    name, zone, cidr, vpc_id = (call.text(key) for key in ("name", "zoneName", "cidr", "vpcId"))
    description = call.text("description", "")
    kind = call.text("subnetType", "") or DEFAULT_SUBNET_TYPE
    if kind not in SUBNET_TYPES:
        raise HttpError("BadRequest", f"subnetType is {kind[:60]!r}, accepted {', '.join(SUBNET_TYPES)}")

    if call.text("vpcSecondaryCidr", ""):
        raise HttpError("BadRequest", "vpcSecondaryCidr is not emulated: a VPC has one CIDR")
    member(call.body, "enableIpv6", bool, False)  # taken, and not emulated
    tags = tags_of(call.body)

    def plan(view: View) -> tuple[edit.Edit[Any], ...]:
        vpc = own_vpc(call, view, vpc_id)
        return (edit.CreateSubnet(vpc.id, name, cidr, zone, description, kind, tags),)

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
            and kind in {"", subnet.subnet_type}
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
    member(call.body, "enableIpv6", bool, False)

    def plan(view: View) -> tuple[edit.Edit[Any], ...]:
        subnet = own_subnet(call, view, call.params["subnetId"])
        return (edit.UpdateSubnet(subnet.id, name=name, description=description),)

    return call.change(plan)


def reserve_addresses(call: Call) -> Reply:
    """/v1/subnet/ipreserve, whatever is asked of it: said to be left out, rather than answered like an unknown id."""
    del call
    raise HttpError("BadRequest", "reserved addresses are not emulated")


def delete_subnet(call: Call) -> Reply:
    """DELETE /v1/subnet/{subnetId}."""
    return call.change(lambda view: (edit.DeleteSubnet(own_subnet(call, view, call.params["subnetId"]).id),))
