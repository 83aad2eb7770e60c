"""`netsim traceroute`: the path, found by growing TTL, in the lines of traceroute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from netsim.cli.frame import subcommand
from netsim.cli.loading import open_lab
from netsim.cli.output import print_json, print_now, safe
from netsim.cli.settings import Settings
from netsim.prefix import format_addr
from netsim.units import NS_PER_MS

if TYPE_CHECKING:
    from netsim.lab import Lab
    from netsim.probe.traceroute import Answer, Hop

MARKS = {0: " !N", 1: " !H", 2: " !P", 4: " !F"}
"""Codes of 3/x that are no answer of the destination, as traceroute writes them."""
UDP_BYTES, ICMP_BYTES = 60, 68


@subcommand("traceroute", example="netsim traceroute web-1 db-1 -t shop.netsim.yaml")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("-m", "max_ttl", type=click.IntRange(1, 255), default=30, show_default=True, help="Largest TTL.")
@click.option("--probes", type=click.IntRange(1, 10), default=3, show_default=True, help="Probes for each TTL.")
@click.option("-n", "numeric", is_flag=True, help="Addresses without names.")
@click.option("-I", "--icmp", is_flag=True, help="Probe with ICMP echo instead of UDP.")
def command(settings: Settings, source: str, target: str, max_ttl: int, probes: int, numeric: bool, icmp: bool) -> int:
    """Show the routers on the way from the instance FROM to TO, an instance or an address.

    A router has the name of its VPC. !N is net unreachable, !H host unreachable, !F fragmentation needed, *
    silence. Exits 0 if TO itself answered, else 1.
    """
    lab = open_lab(settings)
    lab.instance(source)
    dst = format_addr(lab.resolve(source, target))

    def show(hop: Hop) -> None:
        print_now(_hop_line(lab, hop, has_names=not numeric))

    if not settings.is_json:
        size = ICMP_BYTES if icmp else UDP_BYTES
        print_now(f"traceroute to {safe(target)} ({dst}), {max_ttl} hops max, {size} byte packets")
    result = lab.traceroute(
        source,
        dst,
        max_ttl=max_ttl,
        probes=probes,
        protocol="icmp" if icmp else "udp",
        told=None if settings.is_json else show,
    )
    if settings.is_json:
        hops = [_hop_json(lab, hop) for hop in result.hops]
        print_json({"from": source, "to": target, "reached": result.reached, "hops": hops})
    return 0 if result.reached else 1


def _hop_line(lab: Lab, hop: Hop, *, has_names: bool) -> str:
    """A hop; the address is written where it differs from the one before."""
    last: int | None = None
    line = f"{hop.ttl:2} "
    for answer in hop.answers:
        if answer is None:
            line += " *"
            continue
        if answer.from_addr != last:
            addr = format_addr(answer.from_addr)
            line += f" {_name(lab, hop, answer.from_addr)} ({addr})" if has_names else f" {addr}"
        last = answer.from_addr
        line += f"  {answer.rtt_ns / NS_PER_MS:.3f} ms{_mark(answer)}"
    return line


def _name(lab: Lab, hop: Hop, addr: int) -> str:
    """Who answered: the instance that has the address, else the VPC, whose router it is."""
    vpc = lab.inventory.vpcs.get(hop.vpc_id or "")
    if vpc is None:
        return format_addr(addr)
    return safe(next((known.name for known in lab.inventory.instances_of(vpc.id) if known.addr == addr), vpc.name))


def _mark(answer: Answer) -> str:
    return MARKS.get(answer.code, "") if answer.icmp_type == 3 else ""


def _hop_json(lab: Lab, hop: Hop) -> dict[str, Any]:
    answer = hop.first
    vpc = lab.inventory.vpcs.get(hop.vpc_id or "")
    return {
        "ttl": hop.ttl,
        "address": None if answer is None else format_addr(answer.from_addr),
        "vpc": None if answer is None or vpc is None else vpc.name,
        "rtt_ms": None if answer is None else answer.rtt_ns / NS_PER_MS,
        "icmp": None if answer is None else f"{answer.icmp_type}/{answer.code}",
        "rtts_ms": [None if one is None else one.rtt_ns / NS_PER_MS for one in hop.answers],
    }
