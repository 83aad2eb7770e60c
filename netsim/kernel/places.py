"""What the nodes of a network are called in a cross-check, the same by all sides."""

from __future__ import annotations

from netsim.controlplane.inventory import Inventory
from netsim.kernel.plan import Plan


class Places:
    """Names by id, and the namespaces.

    Attributes:
        instances: id -> `shop/web-1`.
        routers: id of the VPC -> `router of shop`.
        namespaces: by these names.
        gateways: `gateway:NAME` -> (namespace, device) where what leaves there arrives; one for each router.
    """

    def __init__(self, inventory: Inventory, plan: Plan) -> None:
        # A plan's nodes are the instances, then the routers, in the inventory's order.
        hosts, routers = plan.nodes[: len(inventory.instances)], plan.nodes[len(inventory.instances) :]
        self.instances = {each: node.ref for each, node in zip(inventory.instances, hosts, strict=True)}
        self.routers = {each: f"router of {node.ref}" for each, node in zip(inventory.vpcs, routers, strict=True)}
        names = [*self.instances.values(), *self.routers.values()]
        self.namespaces = {name: node.namespace for name, node in zip(names, plan.nodes, strict=True)}
        self.gateways = [
            (f"gateway:{device.alias.removeprefix('gateway ')}", space.name, device.twin)
            for space in plan.namespaces
            for device in space.devices
            if device.name.startswith("gate")
        ]
