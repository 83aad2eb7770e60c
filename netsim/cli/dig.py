"""`netsim dig`: a DNS query from an instance, in the words of BIND's dig."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from netsim.cli.frame import subcommand
from netsim.cli.loading import open_lab
from netsim.cli.output import print_json, print_line, safe
from netsim.cli.settings import Settings
from netsim.cli.values import DURATION
from netsim.errors import UsageError
from netsim.prefix import format_addr, parse_addr
from netsim.units import NS_PER_MS
from netsim.version import __version__

if TYPE_CHECKING:
    from netsim.lab import Lab
    from netsim.probe.lookup import DigResult

SWITCHES = ("short", "tcp", "vc", "ignore", "noedns", "edns")
NUMBERS = {"bufsize": (0, 65_535), "time": (1, 1_000_000), "tries": (1, 100), "retry": (0, 99)}
"""`+NAME` and `+NAME=N` as dig has them."""
CLASSES = ("IN", "CH", "HS", "ANY", "NONE")


@dataclass(slots=True)
class Asked:
    """What the words after FROM say."""

    name: str = ""
    rtype: str = ""
    rclass: str = "IN"
    server: str | None = None
    is_short: bool = False
    is_tcp: bool = False
    may_retry_in_tcp: bool = True
    edns_bytes: int | None = 1232
    timeout_s: float = 5
    tries: int = 3
    words: list[str] = field(default_factory=list)


@subcommand("dig", example="netsim dig web-1 db.data.local -t shop.netsim.yaml")
@click.argument("source", metavar="FROM")
@click.argument("words", metavar="NAME [TYPE] [@RESOLVER] [+OPTION]…", nargs=-1)
@click.option("-x", "reverse", metavar="ADDR", help="Who has this address, instead of NAME (type PTR).")
@click.option("--tcp", "is_tcp", is_flag=True, help="Ask over TCP (also: +tcp).")
@click.option("--short", is_flag=True, help="Print the data of the answers only (also: +short).")
@click.option("--timeout", "timeout_s", type=DURATION, metavar="S", help="Wait this long, each try (also: +time=S).")
def command(
    settings: Settings,
    source: str,
    words: tuple[str, ...],
    reverse: str | None,
    is_tcp: bool,
    short: bool,
    timeout_s: float | None,
) -> int:
    """Ask from the instance FROM for the DNS records of NAME.

    A, the address, is asked for if no TYPE is given; the resolver in FROM's own subnet if none is named. NAME is
    taken as it is, no domain is added. Further options: +tries=N, +bufsize=N, +noedns, +ignore (no TCP for what is
    truncated). Exits 0 if an answer came, whatever it says, as dig does; 1 if none did.
    """
    asked = _asked(words, reverse)
    asked.is_short |= short
    asked.is_tcp |= is_tcp
    if timeout_s is not None:
        asked.timeout_s = timeout_s
    lab = open_lab(settings)
    found = lab.dig(
        source,
        asked.name,
        asked.rtype or "A",
        server=asked.server,
        rclass=asked.rclass,
        edns_bytes=asked.edns_bytes,
        is_tcp=asked.is_tcp,
        may_retry_in_tcp=asked.may_retry_in_tcp,
        timeout_s=asked.timeout_s,
        tries=asked.tries,
    )
    if settings.is_json:
        print_json(_as_json(found, source, asked))
    elif asked.is_short:
        for record in found.answers:
            print_line(safe(record.data))
    else:
        _print_failures(found)
        _print_answer(lab, found, asked)
    if found.raw is None and (settings.is_json or asked.is_short):
        settings.note(f"no answer from {format_addr(found.server_addr)}: {found.failures[-1]}")
    return 0 if found.raw is not None else 1


def _asked(words: tuple[str, ...], reverse: str | None) -> Asked:
    """The words in any order, as dig takes them."""
    from netsim.probe.dns_text import type_number

    asked = Asked(words=[*(["-x", reverse] if reverse is not None else []), *words])
    if reverse is not None:
        from netsim.hosts.dns_zone import reverse_name

        asked.name, asked.rtype = reverse_name(parse_addr(reverse)), "PTR"
    for word in words:
        if word.startswith("@"):
            asked.server = word[1:]
        elif word.startswith("+"):
            _set(asked, word[1:])
        elif not asked.name:
            asked.name = word
        elif word.upper() in CLASSES and (asked.rtype or word.upper() != "ANY"):
            asked.rclass = word.upper()
        elif not asked.rtype and type_number(word) is not None:
            asked.rtype = word.upper()
        else:
            raise UsageError(f'dig: "{safe(word)}" is no record type, expected one name, then a type like A or PTR')
    if not asked.name:
        raise UsageError("dig: no NAME, expected one like db.data.local, or -x ADDR")
    return asked


def _set(asked: Asked, option: str) -> None:
    """Heed `+option`.

    Raises:
        UsageError: dig has others; these are not among what is offered.
    """
    name, equals, value = option.partition("=")
    if name in SWITCHES and not equals:
        if name == "short":
            asked.is_short = True
        elif name in {"tcp", "vc"}:
            asked.is_tcp = True
        elif name == "ignore":
            asked.may_retry_in_tcp = False
        else:
            asked.edns_bytes = None if name == "noedns" else 1232
        return
    if name not in NUMBERS:
        known = [*SWITCHES, *NUMBERS]
        near = get_close_matches(name, known, n=1)
        hint = f", did you mean +{near[0]}?" if near else ""
        raise UsageError(f'dig: no option "+{safe(option)}"{hint or ", accepted +" + ", +".join(known)}')
    low, high = NUMBERS[name]
    if not (value.isascii() and value.isdigit() and len(value) < 10 and low <= int(value) <= high):
        raise UsageError(f"dig: +{safe(option)}, accepted +{name}={low}..{high}")
    number = int(value)
    if name == "bufsize":
        asked.edns_bytes = number
    elif name == "time":
        asked.timeout_s = number
    else:
        asked.tries = number + (name == "retry")


def _print_failures(found: DigResult) -> None:
    if found.was_truncated:
        print_line(";; Truncated, retrying in TCP mode.")
    for failure in found.failures:
        print_line(f";; communications error to {format_addr(found.server_addr)}#53: {failure}")


def _print_answer(lab: Lab, found: DigResult, asked: Asked) -> None:
    from netsim.cli.dig_text import answer_lines

    print_line()
    print_line(f"; <<>> netsim dig {__version__} <<>> {safe(' '.join(asked.words))}")
    print_line(";; global options: +cmd")
    if found.raw is None or found.answered_at_ns is None:
        print_line(";; no servers could be reached")
        return
    for line in answer_lines(found, utc_ns=lab.monitor.clock.utc_ns(found.answered_at_ns)):
        print_line("\t".join(map(safe, line.split("\t"))))


def _as_json(found: DigResult, source: str, asked: Asked) -> dict[str, Any]:
    message = found.message
    sections = ("answers", "authority", "additional")
    return {
        "from": source,
        "name": asked.name,
        "type": asked.rtype or "A",
        "class": asked.rclass,
        "server": format_addr(found.server_addr),
        "transport": found.transport,
        "was_truncated": found.was_truncated,
        "failures": list(found.failures),
        "status": None if message is None else message.rcode,
        "flags": None if message is None else list(message.flags),
        **{section: [] if message is None else [_record(r) for r in getattr(message, section)] for section in sections},
        "query_time_ms": None if found.rtt_ns is None else found.rtt_ns / NS_PER_MS,
        "size_bytes": None if found.raw is None else len(found.raw),
        "query_hex": found.query.hex(),
        "answer_hex": None if found.raw is None else found.raw.hex(),
    }


def _record(record: Any) -> dict[str, Any]:
    return {"name": record.name, "ttl": record.ttl_s, "class": record.rclass, "type": record.rtype, "data": record.data}
