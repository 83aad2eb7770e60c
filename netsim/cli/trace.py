"""`netsim trace`: everything that happens to one packet, step by step; made for teaching."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from netsim.cli.frame import subcommand
from netsim.cli.loading import open_lab
from netsim.cli.output import print_json, print_line, safe
from netsim.cli.settings import Settings
from netsim.cli.values import Port
from netsim.units import NS_PER_MS

if TYPE_CHECKING:
    from netsim.lab import Lab
    from netsim.probe.steps import Step, Trace

TITLES = {"packet": "the packet", "answer": "the answer", "icmp_error": "the ICMP error"}
DEFAULT_BYTES = 84
_PLACE_COLUMNS, _TITLE_COLUMNS = 16, 16


@subcommand("trace", example="netsim trace web-1 db-1 --port tcp/443 -t shop.netsim.yaml")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option(
    "--port", type=Port(), metavar="PROTO/PORT", help="Send a TCP SYN or a UDP datagram (tcp/443) instead of an echo."
)
@click.option("--ttl", type=click.IntRange(1, 255), default=64, show_default=True, help="TTL it starts with.")
@click.option(
    "--size", type=click.IntRange(28, 65_535), default=DEFAULT_BYTES, help="Bytes of the IP packet (not TCP)."
)
@click.option("--df", is_flag=True, help="Set the don't-fragment bit.")
def command(
    settings: Settings, source: str, target: str, port: tuple[int, int] | None, ttl: int, size: int, df: bool
) -> int:
    """Follow one packet from the instance FROM to TO, and what comes back.

    \b
    The numbers are the steps that every packet takes, in this order:
      1 parse   2 same subnet   3 lookup   4 the rule   5 gate
      6 transit   7 TTL   8 MTU   9 cap   10 delay

    Exits 0 if the packet arrived and so did its answer (if it is one that is answered), else 1.
    """  # noqa: D301 - click's mark for a block is the character itself
    lab = open_lab(settings)
    raw = _packet(lab, source, target, port, ttl=ttl, size_bytes=size, df=df)
    traced = lab.trace(source, target, raw=raw)
    if settings.is_json:
        print_json(_as_json(traced, source, target))
    else:
        for line in _lines(settings, traced):
            print_line(line)
    return 0 if _is_good(traced) else 1


def _packet(
    lab: Lab, source: str, target: str, port: tuple[int, int] | None, *, ttl: int, size_bytes: int, df: bool
) -> bytes:
    """The IP packet to follow."""
    from netsim.dataplane.batch import PROTO_ICMP, PROTO_TCP, PROTO_UDP, SYN
    from netsim.packet.answer import tcp_segment
    from netsim.packet.flow_packets import FlowPackets
    from netsim.packet.header import DF_BIT, header_of
    from netsim.packet.parse import MIN_HEADER_BYTES

    src, dst = lab.instance(source).addr, lab.addr(target)
    proto, number = port or (PROTO_ICMP, 0)
    if proto != PROTO_TCP:
        proto = PROTO_ICMP if port is None else PROTO_UDP
        packets = FlowPackets(
            flow=0,
            src=src,
            dst=dst,
            proto=proto,
            src_port=SRC_PORT,
            dst_port=number,
            packet_bytes=size_bytes,
            df=df,
            ttl=ttl,
        )
        return packets.packet(1)
    segment = tcp_segment(
        src=src, dst=dst, src_port=SRC_PORT, dst_port=number, sequence=1, acknowledged=0, tcp_flags=SYN
    )
    head = header_of(
        tos=0,
        size_bytes=MIN_HEADER_BYTES + len(segment),
        ident=1,
        flag_bits=DF_BIT if df else 0,
        ttl=ttl,
        proto=proto,
        src=src,
        dst=dst,
    )
    return head + segment


SRC_PORT = 50_000


def _is_good(traced: Trace) -> bool:
    from netsim.dataplane.disposition import FATES

    return FATES[traced.disposition].ok and (traced.answer is None or FATES[traced.answer].ok)


def _lines(settings: Settings, traced: Trace) -> Iterator[str]:
    start_ns = traced.steps[0].at_ns if traced.steps else 0
    yield safe(traced.packet)
    whose = ""
    for step in traced.steps:
        if step.whose != whose:
            whose = step.whose
            yield ""
            yield TITLES[whose]
        yield from _step_lines(settings, step, step.at_ns - start_ns)
    yield ""
    end = f"delivered to {safe(traced.delivered_to)}" if traced.delivered_to else traced.disposition.symbol
    yield f"there  {end}"
    if traced.answer is not None:
        yield f"back   {traced.answer.symbol}"
    elif any(step.whose == "icmp_error" for step in traced.steps):
        ends = [
            step.disposition for step in traced.steps if step.whose == "icmp_error" and step.disposition is not None
        ]
        yield f"back   an ICMP error, {ends[-1].symbol if ends else 'in_flight'}"
    else:
        yield "back   nothing"


def _step_lines(settings: Settings, step: Step, after_ns: int) -> Iterator[str]:
    from netsim.dataplane.disposition import FATES

    number = f"{step.number:2}" if step.number else "  "
    title = f"{step.title:<{_TITLE_COLUMNS}}"
    if step.disposition is not None and settings.has_color:
        title = click.style(title, fg="green" if FATES[step.disposition].ok else "red", bold=True)
    head = f"  {after_ns / NS_PER_MS:10.3f} ms  {safe(step.place):<{_PLACE_COLUMNS}} {number} {title} "
    yield f"{head}{safe(step.text)}"
    indent = " " * (2 + 10 + 3 + 2 + _PLACE_COLUMNS + 1 + 2 + 1 + _TITLE_COLUMNS + 1)
    for beaten in step.beaten:
        yield f"{indent}beats {safe(beaten)}"


def _as_json(traced: Trace, source: str, target: str) -> dict[str, Any]:
    start_ns = traced.steps[0].at_ns if traced.steps else 0
    return {
        "from": source,
        "to": target,
        "packet": traced.packet,
        "disposition": traced.disposition.symbol,
        "delivered_to": traced.delivered_to,
        "answer": None if traced.answer is None else traced.answer.symbol,
        "steps": [
            {
                "step": step.number or None,
                "after_ms": (step.at_ns - start_ns) / NS_PER_MS,
                "whose": step.whose,
                "place": step.place,
                "title": step.title,
                "text": step.text,
                "rule": step.rule or None,
                "beaten": list(step.beaten),
                "disposition": None if step.disposition is None else step.disposition.symbol,
            }
            for step in traced.steps
        ],
    }
