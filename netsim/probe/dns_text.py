"""DNS messages as a client has them: a question from text, an answer as text. By dnslib."""

from __future__ import annotations

import re
import zlib
from typing import Any, NamedTuple

from netsim.errors import InvalidError, UsageError
from netsim.hosts.dns_message import MAX_NAME_BYTES, RD_BIT

FLAG_BITS = {"qr": 0x8000, "aa": 0x0400, "tc": 0x0200, "rd": RD_BIT, "ra": 0x0080, "ad": 0x0020, "cd": 0x0010}
"""In the order in which dig writes them."""
CLASSES = {"IN": 1, "CH": 3, "HS": 4, "NONE": 254, "ANY": 255}
OPCODES = {0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE"}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 16: "BADVERS"}
_TYPE_NUMBER = re.compile(r"TYPE(\d{1,5})", re.ASCII)
_OPT, _MAX_TYPE = 41, 0xFFFF


class DnsData(NamedTuple):
    """One record: owner (with the dot at its end), time to live, class, type and data as a zone file writes them."""

    name: str
    ttl_s: int
    rclass: str
    rtype: str
    data: str


class EdnsData(NamedTuple):
    """What an OPT record says: version, flags, and the largest UDP payload its sender takes."""

    version: int
    flags: tuple[str, ...]
    udp_bytes: int


class DnsText(NamedTuple):
    """A message, read. `question` is (name, class, type), None if there is none."""

    ident: int
    opcode: str
    rcode: str
    flags: tuple[str, ...]
    question: tuple[str, str, str] | None
    answers: tuple[DnsData, ...]
    authority: tuple[DnsData, ...]
    additional: tuple[DnsData, ...]
    edns: EdnsData | None


def labels_of(name: str) -> tuple[bytes, ...]:
    """The labels of a domain name, `.` being the root; other scripts are written as IDNA has them.

    Raises:
        InvalidError: an empty label, one of more than 63 bytes, or more than 255 bytes in all.
    """
    text = name.removesuffix(".")
    try:
        labels = tuple(label.encode("idna") for label in text.split(".")) if text else ()
    except UnicodeError:
        labels = (b"",)
    if not name or not all(labels) or sum(map(len, labels)) + len(labels) + 1 > MAX_NAME_BYTES:
        shown = name if name.isprintable() and len(name) <= MAX_NAME_BYTES else ascii(name[:60]) + "…"
        raise InvalidError(f'name "{shown}" is no domain name, expected like db.data.local, labels of 1..63 bytes')
    return labels


def type_number(rtype: str) -> int | None:
    """The number of a type by its name, `A` or `TYPE65280`; None if there is no such type."""
    from dnslib import QTYPE

    found = _TYPE_NUMBER.fullmatch(rtype.upper())
    if found is not None:
        return int(found[1]) if int(found[1]) <= _MAX_TYPE else None
    number: int | None = QTYPE.reverse.get(rtype.upper())
    return number


def write_query(
    name: str, rtype: str, rclass: str = "IN", *, at_ns: int, edns_bytes: int | None = 1232, is_recursive: bool = True
) -> bytes:
    """A query. Its id follows from the question and the time: the same run sends the same bytes.

    Args:
        name: absolute, with or without the last dot.
        rtype: of the records that are wanted.
        rclass: of `CLASSES`.
        at_ns: packet time.
        edns_bytes: the UDP payload that EDNS says is taken; None asks without EDNS.
        is_recursive: sets RD.

    Raises:
        InvalidError: no domain name.
        UsageError: no such type or class.
    """
    from dnslib import DNSHeader, DNSLabel, DNSQuestion, DNSRecord
    from dnslib.dns import EDNS0

    number = type_number(rtype)
    if number is None:
        raise UsageError(f'no record type "{rtype}", expected like A, PTR, SOA or TYPE65280')
    if rclass.upper() not in CLASSES:
        raise UsageError(f'no class "{rclass}", accepted {", ".join(CLASSES)}')
    question = DNSQuestion(DNSLabel(labels_of(name)), number, CLASSES[rclass.upper()])
    ident = zlib.crc32(f"{at_ns} {name} {number}".encode()) & 0xFFFF
    message = DNSRecord(DNSHeader(ident, RD_BIT if is_recursive else 0), [question])
    if edns_bytes is not None:
        message.add_ar(EDNS0(udp_len=edns_bytes))
    return bytes(message.pack())


def read_message(raw: bytes) -> DnsText:
    """A DNS message as text.

    Raises:
        InvalidError: the bytes are no DNS message.
    """
    from dnslib import DNSRecord
    from dnslib.dns import DNSError

    try:
        message = DNSRecord.parse(raw)
    except (DNSError, ValueError, IndexError, RecursionError) as error:
        raise InvalidError(f"not a DNS message: {str(error).splitlines()[0]}") from None
    header = message.header
    opt = next((record for record in message.ar if record.rtype == _OPT), None)
    rcode = header.rcode | (0 if opt is None else opt.edns_rcode << 4)
    asked = message.questions[0] if message.questions else None
    return DnsText(
        header.id,
        OPCODES.get(header.opcode, f"RESERVED{header.opcode}"),
        RCODES.get(rcode, f"RESERVED{rcode}"),
        tuple(flag for flag, bit in FLAG_BITS.items() if header.bitmap & bit),
        None if asked is None else (str(asked.qname), _class_text(asked.qclass), _type_text(asked.qtype)),
        _data_of(message.rr),
        _data_of(message.auth),
        _data_of(message.ar),
        None if opt is None else EdnsData(opt.edns_ver, ("do",) if opt.edns_do else (), opt.edns_len),
    )


def _data_of(records: list[Any]) -> tuple[DnsData, ...]:
    """A section, without the OPT record."""
    return tuple(
        DnsData(str(r.rname), r.ttl, _class_text(r.rclass), _type_text(r.rtype), r.rdata.toZone())
        for r in records
        if r.rtype != _OPT
    )


def _type_text(number: int) -> str:
    from dnslib import QTYPE

    return str(QTYPE[number])


def _class_text(number: int) -> str:
    return next((text for text, value in CLASSES.items() if value == number), f"CLASS{number}")
