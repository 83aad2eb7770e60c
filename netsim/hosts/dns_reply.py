"""A DNS reply onto the wire, by dnslib.

* The question comes back as it was sent, letter case included (draft-vixie-dnsext-dns0x20).
* NXDOMAIN and "no such record" carry an SOA record in the authority section (RFC 2308 section 2).
  Resolvers here have nobody above them: the zone of all names is the root.
* Flags: RD and CD as asked; AA and RA, for the answer is the resolver's own and is all there is.
* A reply to a query with an OPT record has one too; it says what this end takes.
* Too large: no record of the answer, and TC, so that the client asks again over TCP (RFC 2181 section 9).
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import MutableMapping
from typing import Any

from dnslib import PTR, RR, SOA, A, DNSHeader, DNSLabel, DNSQuestion
from dnslib.dns import EDNS0, QTYPE
from dnslib.label import DNSBuffer

from netsim.hosts.dns_message import (
    AA_BIT,
    CD_BIT,
    MAX_NAME_BYTES,
    OPCODE_QUERY,
    QR_BIT,
    RA_BIT,
    RD_BIT,
    TC_BIT,
    Found,
    Query,
    Rcode,
)
from netsim.prefix import format_addr

TTL_S = 60
NEGATIVE_TTL_S = 60
PLAIN_UDP_BYTES = 512
"""What a client takes that doesn't say (RFC 1035 section 4.2.1)."""
EDNS_UDP_BYTES = 1232
"""The most that is sent over UDP, and what an OPT record here says: no fragments on any usual path
(DNS flag day 2020)."""

_OPCODE_BITS = 0x7800
_POINTER_REACH = 0x4000
# Nobody serves the root here, and nobody is responsible; resolvers that invent a zone write it so.
_SOA_NAMES = "localhost.", "nobody.invalid."
_SOA_TIMES = 3600, 1200, 604_800, NEGATIVE_TTL_S


class _Buffer(DNSBuffer):  # type: ignore[misc] # dnslib has no types
    """A buffer whose compression pointers stay within their 14 bits (RFC 1035 section 4.1.4)."""

    names: MutableMapping[Any, int]

    def encode_name(self, name: Any) -> None:
        known = self.names
        if self.offset + MAX_NAME_BYTES >= _POINTER_REACH:
            self.names = ChainMap({}, known)
        super().encode_name(name)
        self.names = known


def write_reply(query: Query, found: Found, *, serial: int, max_bytes: int | None = None) -> bytes:
    """The message that answers a query.

    Args:
        query: what was asked.
        found: what the question finds, or the refusal.
        serial: of the SOA record.
        max_bytes: of the message; None: as much as the query's sender takes over UDP.
    """
    if max_bytes is None:
        asked = PLAIN_UDP_BYTES if query.edns is None else query.edns.udp_bytes
        max_bytes = max(PLAIN_UDP_BYTES, min(asked, EDNS_UDP_BYTES))
    answers = _answers(query, found)
    authority = [] if answers or found.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN) else [_soa(serial)]
    if found.is_soa:
        answers, authority = [_soa(serial)], []
    whole = _packed(query, found.rcode, answers, authority)
    if len(whole) <= max_bytes:
        return whole
    return _packed(query, found.rcode, [], [], is_truncated=True)


def _answers(query: Query, found: Found) -> list[Any]:
    if query.question is None:
        return []
    name = DNSLabel(query.question.labels)
    records = [RR(name, QTYPE.A, ttl=TTL_S, rdata=A(format_addr(addr))) for addr in found.addrs]
    return records + [RR(name, QTYPE.PTR, ttl=TTL_S, rdata=PTR(pointer)) for pointer in found.names]


def _soa(serial: int) -> Any:
    return RR(".", QTYPE.SOA, ttl=NEGATIVE_TTL_S, rdata=SOA(*_SOA_NAMES, (serial & 0xFFFF_FFFF, *_SOA_TIMES)))


def _packed(
    query: Query, rcode: Rcode, answers: list[Any], authority: list[Any], *, is_truncated: bool = False
) -> bytes:
    has_lookup = rcode in (Rcode.NOERROR, Rcode.NXDOMAIN)
    flags = QR_BIT | query.flags & (_OPCODE_BITS | RD_BIT | CD_BIT) | rcode & 0xF
    if query.flags & _OPCODE_BITS == OPCODE_QUERY:
        flags |= RA_BIT
    flags |= (AA_BIT if has_lookup else 0) | (TC_BIT if is_truncated else 0)
    additional = [] if query.edns is None else [_opt(rcode, is_dnssec_ok=query.edns.is_dnssec_ok)]
    questions = [] if query.question is None else [DNSQuestion(DNSLabel(query.question.labels), *query.question[1:])]
    buffer = _Buffer()
    counts = (len(part) for part in (questions, answers, authority, additional))
    DNSHeader(query.ident, flags, *counts).pack(buffer)
    for record in (*questions, *answers, *authority, *additional):
        record.pack(buffer)
    return bytes(buffer.data)


def _opt(rcode: Rcode, *, is_dnssec_ok: bool) -> Any:
    """Our OPT record: extended rcode, version 0, the DO bit as it came (RFC 3225 section 3)."""
    return EDNS0(ext_rcode=rcode >> 4, version=0, flags="do" if is_dnssec_ok else "", udp_len=EDNS_UDP_BYTES)
