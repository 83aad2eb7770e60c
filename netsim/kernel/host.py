"""An instance as a namespace: one interface, its subnet, a default route to the router."""

from __future__ import annotations

from netsim.controlplane.instance import Instance
from netsim.controlplane.subnet import Subnet
from netsim.kernel import sysctls
from netsim.kernel.naming import INSTANCE_MAC, mac
from netsim.kernel.plan import Address, Device, Namespace, Neighbour, Route
from netsim.prefix import ANY, Prefix

MAIN_TABLE = 254
DEVICE = "eth0"


def instance_mac(number: int) -> str:
    """The MAC address of the instance with this number."""
    return mac(INSTANCE_MAC, number)


def host_namespace(
    name: str, ref: str, instance: Instance, subnet: Subnet, *, number: int, mtu_bytes: int, router: str, trains: bool
) -> Namespace:
    """The namespace of an instance.

    There is no cap here: a token bucket on the sending host pushes back on its sockets instead of dropping.

    Args:
        name, ref: of the namespace, and `vpc/name`.
        instance, subnet: what it is.
        number: of the instance in the deployment.
        mtu_bytes: of its interface.
        router: the MAC address of the router in its subnet.
        trains: whether segmentation offload may make big packets of many.
    """
    cidr = subnet.cidr
    return Namespace(
        name=name,
        kind="instance",
        node=ref,
        sysctls=sysctls.INSTANCE,
        devices=(Device(DEVICE, instance_mac(number), mtu_bytes),),
        device_sysctls=sysctls.QUICK_ARP,
        addresses=(Address(DEVICE, instance.addr, cidr.prefix_len),),
        # Known from the start: less to ask, and such entries don't count in the host's limit for all
        # namespaces together (gc_thresh3, 1,024).
        neighbours=tuple(Neighbour(DEVICE, addr, router) for addr in (subnet.router_addr, subnet.resolver_addr)),
        routes=(
            Route(MAIN_TABLE, ANY, DEVICE, via=subnet.router_addr),
            # Nobody asks for the network address: it is silent, like the broadcast address.
            Route(MAIN_TABLE, Prefix(cidr.network, 32), ""),
        ),
        has_trains=trains,
    )
