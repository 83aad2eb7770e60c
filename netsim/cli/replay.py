"""`netsim replay`: a recorded capture, sent again between instances."""

from __future__ import annotations

from fractions import Fraction

import click

from netsim.cli.files import check_writable
from netsim.cli.frame import subcommand
from netsim.cli.loading import open_lab
from netsim.cli.progress import Progress
from netsim.cli.run import report
from netsim.cli.settings import Settings
from netsim.cli.values import NAMED_FILE
from netsim.errors import InvalidError, UsageError
from netsim.units import NS_PER_S

MAX_SPEED = 10**6
SETTLE_NS = 10 * NS_PER_S
"""How long packets that are still on their way are waited for."""


@subcommand(
    "replay",
    example="netsim replay web.pcap --from web-1 --to db-1 -t shop.netsim.yaml",
    formats=("table", "json", "csv"),
)
@click.argument("capture", metavar="FILE.pcap")
@click.option("--from", "source", metavar="A", required=True, help="The instance that plays the first sender.")
@click.option("--to", "target", metavar="B", required=True, help="The instance that plays its counterpart.")
@click.option(
    "--map",
    "mapped",
    type=NAMED_FILE,
    metavar="ADDR=INSTANCE",
    multiple=True,
    help="A host of the capture and who plays it, instead of the first two; may be repeated.",
)
@click.option("--speed", default="1", show_default=True, metavar="X", help="2 is twice as fast, 0.5 half as fast.")
@click.option(
    "--capture",
    "--pcap",
    "captures",
    type=NAMED_FILE,
    metavar="NAME=FILE",
    multiple=True,
    help="Record what passes an instance, a connection or all places (.pcap, .pcapng); may be repeated.",
)
def command(
    settings: Settings,
    capture: str,
    source: str,
    target: str,
    mapped: tuple[tuple[str, str], ...],
    speed: str,
    captures: tuple[tuple[str, str], ...],
) -> None:
    """Send the packets of a capture file again, each from the instance that plays its sender.

    The topology's own traffic stays silent. Both directions are replayed at the captured times; addresses are
    rewritten, and packets of hosts nobody plays are left out.
    """
    time_scale = 1 / _speed(speed)
    lab = open_lab(settings)
    mapping = _mapping(mapped)
    for name, path in captures:
        check_writable(path)
        lab.capture(name, path)
    start_ns = lab.now_ns
    flow = lab.replay(capture, source, target, mapping=mapping, time_scale=time_scale)
    if left_out := _left_out(capture, lab.addr(source), lab.addr(target), mapping):
        settings.note(left_out)
    until_ns = flow.end_ns or start_ns
    with Progress(settings, "replay") as progress:
        lab.advance(until_ns, progress)
        deadline_ns = until_ns + SETTLE_NS
        while lab.totals().in_flight and lab.now_ns < deadline_ns:
            lab.advance(min(deadline_ns, lab.now_ns + NS_PER_S // 10))
    if captures:
        lab.write_captures()
    report(settings, lab, lab.result(start_ns))


def _speed(text: str) -> Fraction:
    try:
        speed = Fraction(text) if len(text) < 32 else Fraction(0)
    except (ValueError, ZeroDivisionError):
        speed = Fraction(0)
    if not Fraction(1, MAX_SPEED) <= speed <= MAX_SPEED:
        raise UsageError(f'replay: speed is "{text}", accepted a number above 0 up to {MAX_SPEED:,}, like 2 or 0.5')
    return speed


def _mapping(mapped: tuple[tuple[str, str], ...]) -> dict[str, str]:
    from netsim.prefix import parse_addr

    mapping: dict[str, str] = {}
    for addr, name in mapped:
        try:
            parse_addr(addr)
        except InvalidError as error:
            raise UsageError(f"replay: --map {addr}={name}: {error}") from None
        if mapping.setdefault(addr, name) != name:
            raise UsageError(f"replay: --map {addr} is given twice, for {mapping[addr]} and {name}")
    return mapping


def _left_out(capture: str, from_addr: int, to_addr: int, mapping: dict[str, str]) -> str:
    """What the replay leaves out of the capture, in a line; "" for nothing."""
    from netsim.prefix import parse_addr
    from netsim.wire.capture_file import read_capture
    from netsim.wire.replay import describe_unmapped, plan_replay

    read = read_capture(capture)
    # Whom the hosts are mapped to does not matter to what is left out.
    players = {parse_addr(addr): from_addr for addr in mapping} or None
    return describe_unmapped(plan_replay(read, from_addr, to_addr, mapping=players), read)
