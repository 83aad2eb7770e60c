"""An answer in the lines of dig 9.18: header, EDNS, sections, figures. Fields stand at tab stops of 8."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from netsim.prefix import format_addr
from netsim.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from netsim.probe.dns_text import DnsData, DnsText
    from netsim.probe.lookup import DigResult

_TAB = 8
_NAME_COLUMNS, _QUESTION_COLUMNS = 24, 32
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def answer_lines(found: DigResult, *, utc_ns: int) -> Iterator[str]:
    """All that dig prints of an answer; `utc_ns` is when it came, on the control clock."""
    message = found.message
    assert message is not None and found.raw is not None and found.rtt_ns is not None
    yield ";; Got answer:"
    yield f";; ->>HEADER<<- opcode: {message.opcode}, status: {message.rcode}, id: {message.ident}"
    yield f";; flags: {' '.join(message.flags)}; {_counts(message)}"
    if "rd" in message.flags and "ra" not in message.flags:
        yield ";; WARNING: recursion requested but not available"
    yield ""
    if message.edns is not None:
        flags = "".join(f" {flag}" for flag in message.edns.flags)
        yield ";; OPT PSEUDOSECTION:"
        yield f"; EDNS: version: {message.edns.version}, flags:{flags}; udp: {message.edns.udp_bytes}"
    if message.question is not None:
        name, rclass, rtype = message.question
        yield ";; QUESTION SECTION:"
        yield f"{_tabbed(f';{name}', _QUESTION_COLUMNS)}{rclass}\t{rtype}"
    yield ""
    sections = (("ANSWER", message.answers), ("AUTHORITY", message.authority), ("ADDITIONAL", message.additional))
    for title, records in sections:
        if records:
            yield f";; {title} SECTION:"
            yield from map(_record_line, records)
            yield ""
    server = format_addr(found.server_addr)
    yield f";; Query time: {found.rtt_ns // NS_PER_MS} msec"
    yield f";; SERVER: {server}#53({server}) ({found.transport.upper()})"
    yield f";; WHEN: {_when(utc_ns)}"
    yield f";; MSG SIZE  rcvd: {len(found.raw)}"
    yield ""


def _counts(message: DnsText) -> str:
    counts = {
        "QUERY": int(message.question is not None),
        "ANSWER": len(message.answers),
        "AUTHORITY": len(message.authority),
        "ADDITIONAL": len(message.additional) + (message.edns is not None),
    }
    return ", ".join(f"{title}: {n}" for title, n in counts.items())


def _record_line(record: DnsData) -> str:
    return f"{_tabbed(record.name, _NAME_COLUMNS)}{record.ttl_s}\t{record.rclass}\t{record.rtype}\t{record.data}"


def _tabbed(text: str, columns: int) -> str:
    """The text and tabs up to this column; a text that reaches it is followed by one space."""
    if len(text) >= columns:
        return f"{text} "
    return text + "\t" * -((len(text) - columns) // _TAB)


def _when(utc_ns: int) -> str:
    """`Thu Jan 01 00:00:00 UTC 2026`, in English wherever we are."""
    moment = datetime.fromtimestamp(utc_ns // NS_PER_S, UTC)
    return f"{_DAYS[moment.weekday()]} {_MONTHS[moment.month - 1]} {moment:%d %H:%M:%S} UTC {moment.year}"
