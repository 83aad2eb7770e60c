"""Instances and DNS records of a VPC: signed by their tenant."""

from __future__ import annotations

from typing import Any

from netsim.api.call import Call, Reply
from netsim.api.json_codec import dump, member
from netsim.api.owned import own_instance, own_subnet, own_vpc
from netsim.api.paging import page
from netsim.clock import format_utc
from netsim.controlplane import edit
from netsim.controlplane.instance import PROTOCOL_NUMBERS, Instance
from netsim.controlplane.view import View
from netsim.prefix import format_addr

_PROTOCOLS = {number: name for name, number in PROTOCOL_NUMBERS.items()}


def instance_json(inst: Instance) -> dict[str, Any]:
    """An instance."""
    return {
        "instanceId": inst.id,
        "name": inst.name,
        "vpcId": inst.vpc_id,
        "subnetId": inst.subnet_id,
        "ip": format_addr(inst.addr),
        "listen": [f"{_PROTOCOLS[proto]}/{port}" for proto, port in inst.listen],
        "nicMbps": inst.nic_mbps,
        "createdTime": format_utc(inst.created_at_ns),
    }


def create_instance(call: Call) -> Reply:
    """POST /netsim/v1/instance."""
    name, subnet_id = call.text("name"), call.text("subnetId")
    addr = call.text("ip", "") or None
    listen = tuple(str(port) for port in member(call.body, "listen", list, []))
    more: dict[str, Any] = {}
    if "nicMbps" in call.body:
        more["nic_mbps"] = member(call.body, "nicMbps", int)

    def plan(view: View) -> tuple[edit.Edit[Any], ...]:
        subnet = own_subnet(call, view, subnet_id)
        return (edit.CreateInstance(name, subnet.id, addr, subnet.vpc_id, listen=listen, **more),)

    return call.change(plan, lambda inst: {"instanceId": inst.id, "ip": format_addr(inst.addr)})


def list_instances(call: Call) -> Reply:
    """GET /netsim/v1/instance[?vpcId=]."""
    vpc_id = call.query.get("vpcId", "")

    def look(view: View) -> list[Instance]:
        if vpc_id:
            return list(view.instances_of(own_vpc(call, view, vpc_id).id))
        return [inst for inst in view.instances.values() if view.vpc(inst.vpc_id).region == call.region]

    return Reply(body=dump(page("instances", call.read(look), lambda inst: inst.id, instance_json, call.query)))


def show_instance(call: Call) -> Reply:
    """GET /netsim/v1/instance/{instanceId}."""
    return Reply(body=dump(call.read(lambda view: instance_json(own_instance(call, view, call.params["instanceId"])))))


def delete_instance(call: Call) -> Reply:
    """DELETE /netsim/v1/instance/{instanceId}."""
    return call.change(lambda view: (edit.DeleteInstance(own_instance(call, view, call.params["instanceId"]).id),))


def create_record(call: Call) -> Reply:
    """POST /netsim/v1/dns: an A record of a VPC."""
    vpc_id, name, addr = (call.text(key) for key in ("vpcId", "name", "a"))
    return call.change(lambda view: (edit.CreateDnsRecord(own_vpc(call, view, vpc_id).id, name, addr),))


def list_records(call: Call) -> Reply:
    """GET /netsim/v1/dns?vpcId=."""
    vpc_id = call.query.get("vpcId", "")

    def look(view: View) -> list[dict[str, Any]]:
        records = view.dns_records_of(own_vpc(call, view, vpc_id).id)
        return [{"name": record.name, "a": format_addr(record.addr)} for record in records]

    return Reply(body=dump({"records": call.read(look)}))


def delete_record(call: Call) -> Reply:
    """DELETE /netsim/v1/dns/{vpcId}/{name}: all records of the name."""
    return call.change(
        lambda view: (edit.DeleteDnsRecord(own_vpc(call, view, call.params["vpcId"]).id, call.params["name"]),)
    )
