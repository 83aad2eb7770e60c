"""Which questions a network is asked: every instance to every other, to routers, resolvers and addresses nobody has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from netsim.controlplane.inventory import Inventory
from netsim.kernel.question import BIG_BYTES, Question
from netsim.prefix import ANY, parse_addr

MAX_HOPS = 8
"""How far a way is followed with growing TTL: a loop has no end."""

NOWHERE = parse_addr("203.0.113.9")
"""Of a documentation prefix (RFC 5737): what /0 leads to."""


def targets(inventory: Inventory) -> list[int]:
    """The addresses to ask about: instances; each subnet's router, resolver, an address nobody has and the last
    one; and the last one of each rule's destination, where a prefix that is a bit too short or too long shows.
    """
    found = [instance.addr for instance in inventory.instances.values()]
    for subnet in inventory.subnets.values():
        found += [subnet.router_addr, subnet.resolver_addr, subnet.cidr.last - 1, subnet.cidr.last]
    found += [NOWHERE if rule.destination == ANY else rule.destination.last for rule in inventory.rules.values()]
    # What no router forwards (0/8, 127/8, multicast) never leaves a Linux host.
    return sorted({dst for dst in found if 1 <= dst >> 24 < 224 and dst >> 24 != 127})


def pairs(inventory: Inventory, most: int, seed: int) -> list[tuple[str, int]]:
    """(id of an instance, address), sorted: all, or `most` of them, chosen by the seed."""
    found = []
    for source_id, source in inventory.instances.items():
        home = inventory.subnets[source.subnet_id].cidr
        # To itself, and to the edges of its own subnet, is a matter of the instance's own system.
        local = (source.addr, home.first, home.last)
        found += [(source_id, dst) for dst in targets(inventory) if dst not in local]
    if len(found) <= most:
        return found
    chosen = np.random.Generator(np.random.PCG64(seed)).choice(len(found), most, replace=False)
    return [found[k] for k in sorted(chosen.tolist())]


def questions(
    inventory: Inventory, between: Iterable[tuple[str, int]], hops_between: Callable[[str, int], int]
) -> Iterator[Question]:
    """All questions about these pairs, those of a pair together.

    To each address an echo request, UDP to a closed port, and the same with each TTL that ends on the way. To those
    that somebody has also UDP to an open port, TCP to both, and UDP as large as usual packets are, with and without DF.

    Args:
        inventory: read only.
        between: the pairs.
        hops_between: (id of an instance, address): how many routers forward on the way.
    """
    owned = {instance.addr for instance in inventory.instances.values()}
    owned |= {subnet.router_addr for subnet in inventory.subnets.values()}
    for source_id, dst in between:
        src = inventory.instances[source_id].addr
        yield Question(source_id, src, dst, "icmp")
        yield Question(source_id, src, dst, "udp")
        for ttl in range(1, min(MAX_HOPS, hops_between(source_id, dst) + 1) + 1):
            yield Question(source_id, src, dst, "udp", ttl=ttl)
        if dst not in owned:
            continue
        yield Question(source_id, src, dst, "udp", is_open=True)
        for is_open in (False, True):
            yield Question(source_id, src, dst, "tcp", is_open)
        for df in (False, True):
            yield Question(source_id, src, dst, "udp", size_bytes=BIG_BYTES, df=df)
