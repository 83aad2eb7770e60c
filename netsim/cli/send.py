"""`netsim send`: a packet of your making, and what comes back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click

from netsim.cli.files import check_writable
from netsim.cli.frame import subcommand
from netsim.cli.loading import open_lab
from netsim.cli.output import print_json, print_line, safe
from netsim.cli.settings import Settings
from netsim.cli.values import DURATION
from netsim.prefix import format_addr
from netsim.units import NS_PER_MS

if TYPE_CHECKING:
    from netsim.probe.sending import Arrival, Sent, SentPacket

MAX_SHOWN = 1_000
"""Packets reported one by one; a range in a field may expand to more."""


@subcommand("send", example="netsim send \"IP(dst='db-1')/UDP(dport=53)\" --from web-1 -t shop.netsim.yaml")
@click.argument("packet", metavar="PACKET")
@click.option("--from", "source", metavar="NAME", required=True, help="The instance that sends.")
@click.option("--show", is_flag=True, help="Print what came back field by field.")
@click.option("--wait", "wait_s", type=DURATION, metavar="S", default=10, show_default=True, help="Wait this long.")
@click.option(
    "--capture",
    "--pcap",
    "pcap",
    metavar="FILE",
    help="Record all that the sender sends and receives (.pcap, .pcapng).",
)
def command(settings: Settings, packet: str, source: str, show: bool, wait_s: float, pcap: str | None) -> int:
    """Send a scapy packet from an instance and print what became of it and what came back.

    PACKET is written as in scapy: layers joined by /, such as IP(dst='10.1.0.20',ttl=1)/ICMP(). An instance's
    name may stand for its address. A source left open is the sender's; a range in a field sends several.
    Exits 0 if every packet arrived, else 1.
    """
    lab = open_lab(settings)
    _calm_scapy()
    sender = lab.instance(source)
    if pcap is not None:
        check_writable(pcap)
        lab.capture(sender.id, pcap)
    from netsim.cli.scapy_expression import packet_of

    start_ns = lab.now_ns
    sent = lab.send(packet_of(packet, lambda name: format_addr(lab.addr(name))), sender.id, wait_s)
    if pcap is not None:
        # What was sent at this instant is recorded once it lies in the past.
        lab.advance(lab.now_ns + 1)
        lab.write_captures()
    if settings.is_json:
        print_json(_as_json(sent, start_ns))
    else:
        for one in sent.packets[:MAX_SHOWN]:
            _print_packet(one, start_ns, show=show)
        if len(sent) > MAX_SHOWN:
            print_line(f"and {len(sent) - MAX_SHOWN:,} more")
    return 0 if all(_is_ok(one) for one in sent) else 1


def _calm_scapy() -> None:
    """Keep this machine out of it: no warnings about its interfaces, no port names from its /etc/services."""
    logging.getLogger("scapy").setLevel(logging.ERROR)
    from scapy.config import conf
    from scapy.layers.inet import TCP, UDP

    for field in (TCP.sport, TCP.dport, UDP.sport, UDP.dport):
        conf.noenum.add(field)


def _is_ok(packet: SentPacket) -> bool:
    from netsim.dataplane.disposition import FATES

    return FATES[packet.disposition].ok


def _print_packet(packet: SentPacket, start_ns: int, *, show: bool) -> None:
    from netsim.dataplane.disposition import FATES

    print_line(f"sent       {packet.disposition.symbol}: {FATES[packet.disposition].condition}")
    for what, arrivals in (("arrived", packet.delivered), ("came back", packet.answers)):
        for arrival in arrivals:
            after_ms = (arrival.at_ns - start_ns) / NS_PER_MS
            print_line(f"{what:<10} {after_ms:.3f} ms  {safe(arrival.instance)}  {safe(_summary(arrival))}")
            if show and arrivals is packet.answers:
                print_line(arrival.packet.show(dump=True).rstrip())
    if not packet.answers:
        print_line("came back  nothing")


def _summary(arrival: Arrival) -> str:
    return str(arrival.packet.summary())


def _as_json(sent: Sent, start_ns: int) -> dict[str, Any]:
    return {
        "packets": [
            {
                "disposition": packet.disposition.symbol,
                "dispositions": [fate.symbol for fate in packet.dispositions],
                "delivered": [_arrival_json(arrival, start_ns) for arrival in packet.delivered],
                "answers": [_arrival_json(arrival, start_ns) for arrival in packet.answers],
            }
            for packet in sent
        ]
    }


def _arrival_json(arrival: Arrival, start_ns: int) -> dict[str, Any]:
    return {
        "instance": arrival.instance,
        "after_ms": (arrival.at_ns - start_ns) / NS_PER_MS,
        "summary": _summary(arrival),
        "hex": arrival.raw.hex(),
    }
