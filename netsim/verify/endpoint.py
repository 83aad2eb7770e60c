"""Endpoints: what FROM and TO of a question mean: instances, subnets, VPCs or addresses.

A subnet or VPC stands for its instances; as a destination, one without any stands for its router's
address, which answers too. An address as a destination is whoever has it; as a source it is the
instance that has it.
"""

from __future__ import annotations

from typing import NamedTuple

from netsim.controlplane.subnet import Subnet
from netsim.errors import InvalidError, NotFoundError, UsageError
from netsim.prefix import format_addr, looks_like_addr, parse_addr
from netsim.verify.network import Network

ANYWHERE = -1
"""In place of a node: whoever has the address."""


class Endpoint(NamedTuple):
    """One end of a question.

    `inst` is -1 when it is no instance; `node` is ANYWHERE for a bare address.
    """

    name: str
    addr: int
    node: int
    inst: int


def instance_endpoint(network: Network, instance_id: str) -> Endpoint:
    """The endpoint that is an instance."""
    instance = network.inventory.instances[instance_id]
    name, inst = network.instance_name(instance_id), network.inst_of[instance_id]
    return Endpoint(name, instance.addr, network.node_of[instance.vpc_id], inst)


def sources(network: Network, ref: str) -> tuple[Endpoint, ...]:
    """The instances that FROM means.

    Raises:
        NotFoundError: nothing has this name or address.
        InvalidError: the name means several things.
        UsageError: no instance to send from.
    """
    found = endpoints(network, ref)
    if found[0].node == ANYWHERE:
        addr = found[0].addr
        found = tuple(
            instance_endpoint(network, i)
            for i, instance in network.inventory.instances.items()
            if instance.addr == addr
        )
        if not found:
            raise NotFoundError(f"address {ref}: no instance has it, expected one to send from")
        if len(found) > 1:
            names = ", ".join(each.name for each in found)
            raise InvalidError(f"address {ref}: {len(found)} instances have it, expected one of {names}")
    found = tuple(each for each in found if each.inst >= 0)
    if not found:
        raise UsageError(f"{ref}: has no instance, expected one to send from")
    return found


def endpoints(network: Network, ref: str) -> tuple[Endpoint, ...]:
    """What TO means: an instance, the instances of a subnet or VPC (else its router), or an address.

    Raises:
        NotFoundError: nothing has this name; says what an instance of that name would be.
        InvalidError: the name means several things.
        UsageError: a VPC without subnets has no address at all.
    """
    try:
        return (Endpoint(ref, parse_addr(ref), ANYWHERE, -1),)
    except InvalidError as error:
        no_addr = error
    inventory = network.inventory
    try:
        return (instance_endpoint(network, inventory.instance(ref).id),)
    except NotFoundError as error:
        no_instance = error
    try:
        return _of_subnets(network, ref, (inventory.subnet(ref),))
    except NotFoundError:
        pass
    try:
        vpc = inventory.vpc(ref)
    except NotFoundError:
        if looks_like_addr(ref):
            raise no_addr from None
        raise NotFoundError(f"{no_instance} (nor is there a subnet, VPC or address of that name)") from None
    return _of_subnets(network, ref, inventory.subnets_of(vpc.id))


def _of_subnets(network: Network, ref: str, subnets: tuple[Subnet, ...]) -> tuple[Endpoint, ...]:
    if not subnets:
        raise UsageError(f"{ref}: has no subnet, expected one with addresses")
    ids = {subnet.id for subnet in subnets}
    members = network.inventory.instances_of(subnets[0].vpc_id)
    found = tuple(instance_endpoint(network, member.id) for member in members if member.subnet_id in ids)
    return found or (router_endpoint(network, subnets[0]),)


def router_endpoint(network: Network, subnet: Subnet) -> Endpoint:
    """The VPC's router in a subnet."""
    return Endpoint(format_addr(subnet.router_addr), subnet.router_addr, network.node_of[subnet.vpc_id], -1)
