"""A plan as input of `ip -batch` and `tc -batch`: one line, one change; the order is that of making.

A few processes do it all: one `ip` makes the namespaces, one the links, and in each namespace one sets up what is
inside. `script` shows the same for people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from netsim.kernel.naming import PAIR_MAC, mac
from netsim.kernel.plan import Device, End, Namespace, Plan, Route
from netsim.prefix import ANY, format_addr

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 ._:/-]", re.ASCII)
_MAX_ALIAS = 200


def namespace_lines(plan: Plan) -> Iterator[str]:
    """Input of `ip -batch`: the namespaces, pinned below /run/netns."""
    return (f"netns add {space.name}" for space in plan.namespaces)


def link_lines(plan: Plan) -> Iterator[str]:
    """Input of `ip -batch`: the veth pairs, whose ends are made where they belong: none is ever on the host."""
    devices = {(space.name, device.name): device for space in plan.namespaces for device in space.devices}

    def end(side: End) -> str:
        device = devices[side.namespace, side.device]
        return f"{side.device} netns {side.namespace} mtu {device.mtu_bytes} address {device.mac}"

    return (f"link add {end(link.a)} type veth peer name {end(link.b)}" for link in plan.links)


def ip_lines(space: Namespace) -> Iterator[str]:
    """Input of `ip -batch` inside a namespace that has its sysctls and the ends of its links."""
    yield "link set lo up"
    for k, device in enumerate(space.devices):
        yield from _device_lines(device, k)
        if not space.has_trains:
            yield f"link set {device.name} gso_max_segs 1"
    for address in space.addresses:
        broadcast = " broadcast +" if address.prefix_len < 31 else ""
        yield f"address add {format_addr(address.addr)}/{address.prefix_len}{broadcast} dev {address.device}"
    for known in space.neighbours:
        yield f"neighbour add {format_addr(known.addr)} lladdr {known.mac} dev {known.device} nud permanent"
    if space.rules:
        # The kernel's own rules behind ours would go on looking where we say that no rule covers a packet.
        yield "rule delete priority 32766"
        yield "rule delete priority 32767"
    for rule in space.rules:
        yield f"rule add priority {rule.priority} from {rule.source} lookup {rule.table}"
    yield from route_lines(space.routes)


def route_lines(routes: Iterable[Route]) -> Iterator[str]:
    """Input of `ip -batch`: routes."""
    for route in routes:
        destination = "default" if route.destination == ANY else route.destination
        if not route.device:
            yield f"route add blackhole {destination} table {route.table}"
            continue
        via = f" via {format_addr(route.via)}" if route.via else ""
        src = f" src {format_addr(route.src)}" if route.src else ""
        # onlink: peer connections are unnumbered, so no address says that the far router is there.
        onlink = " onlink" if route.via else ""
        yield f"route add {destination}{via} dev {route.device}{onlink}{src} table {route.table}"


def tc_lines(space: Namespace) -> Iterator[str]:
    """Input of `tc -batch` inside a namespace: caps and delays."""
    for cap in space.caps:
        yield (
            f"qdisc add dev {cap.device} root tbf rate {cap.rate_bps}bit "
            f"burst {cap.burst_bytes}b limit {cap.queue_bytes}b"
        )
    for delay in space.delays:
        yield f"qdisc add dev {delay.device} root netem delay {delay.delay_ns}ns limit {delay.limit}"


def script(plan: Plan) -> str:
    """All of it as a text that says the same, for people: what `deploy --dry-run` prints."""
    lines = ["# ip -batch", *namespace_lines(plan), *link_lines(plan)]
    for space in plan.namespaces:
        lines += ["", f"# {space.kind} {space.node}: ip netns exec {space.name}".rstrip()]
        lines += [f"sysctl -w net/{path}={value}" for path, value in (*space.sysctls, *space.device_sysctls)]
        lines += [f"ip {line}" for line in ip_lines(space)]
        lines += [f"tc {line}" for line in tc_lines(space)]
        if space.filters:
            lines += ["nft -f - <<END", space.filters.rstrip(), "END"]
    return "\n".join(lines) + "\n"


def _device_lines(device: Device, number: int) -> Iterator[str]:
    if device.is_bridge:
        yield (
            f"link add {device.name} mtu {device.mtu_bytes} address {device.mac} "
            "type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
        )
    if device.twin:
        yield (
            f"link add {device.name} mtu {device.mtu_bytes} address {device.mac} "
            f"type veth peer name {device.twin} mtu {device.mtu_bytes} address {mac(PAIR_MAC, 1 << 24 | number)}"
        )
        yield f"link set {device.twin} arp off up"
    words = [f"link set {device.name}"]
    if device.master:
        words.append(f"master {device.master}")
    if not device.has_arp:
        words.append("arp off")
    if device.alias:
        words.append(f'alias "{_NOT_PLAIN.sub("_", device.alias)[:_MAX_ALIAS]}"')
    yield " ".join([*words, "up"])
