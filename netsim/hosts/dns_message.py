"""DNS messages as values: what a query asks, what is found, and the numbers both are written in."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

MAX_NAME_BYTES = 255
MAX_MESSAGE_BYTES = 65_535

# Bits of the second 16-bit word of the header (RFC 1035 section 4.1.1, RFC 4035 section 3.2.2).
QR_BIT, AA_BIT, TC_BIT, RD_BIT, RA_BIT, CD_BIT = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0010
OPCODE_QUERY = 0


class Rcode(IntEnum):
    """How an answer ends (RFC 1035 section 4.1.1; BADVERS, RFC 6891 section 6.1.3, has its upper bits in OPT)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


class Rtype(IntEnum):
    """Types of records, and of questions, that mean something here (RFC 1035 sections 3.2.2 and 3.2.3)."""

    A = 1
    SOA = 6
    PTR = 12
    OPT = 41
    IXFR = 251
    AXFR = 252
    MAILB = 253
    MAILA = 254
    ANY = 255


CLASS_IN, CLASS_ANY = 1, 255


class Question(NamedTuple):
    """What is asked: the labels of the name as sent, the type and the class as numbers."""

    labels: tuple[bytes, ...]
    qtype: int
    qclass: int


class Edns(NamedTuple):
    """What an OPT record says: the largest UDP payload its sender takes, the version, the DO bit."""

    udp_bytes: int
    version: int
    is_dnssec_ok: bool


class Query(NamedTuple):
    """A message to answer.

    `flags` is the header's second word. `fault` is NOERROR if the question may be looked up; with
    FORMERR and NOTIMP there may be no question.
    """

    ident: int
    flags: int
    fault: Rcode
    question: Question | None = None
    edns: Edns | None = None


class Found(NamedTuple):
    """What a question finds: addresses of A records, names of PTR records, whether the SOA itself was asked for.

    With nothing of these, NOERROR means that the name exists and has no record of that type.
    """

    rcode: Rcode
    addrs: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    is_soa: bool = False
