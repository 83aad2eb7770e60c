"""A DNS query off the wire: any bytes in, what the resolver needs out, never an exception.

What is looked at, in this order:

1. Twelve bytes of header, else there is no id to answer with; a message that is a response is not
   answered either, or two servers could talk for ever: no `Query`.
2. Opcode QUERY, else NOTIMP: what follows the header is the other opcode's business.
3. Exactly one question (RFC 9619), its name without compression (nothing stands before it to point
   to), else FORMERR.
4. The records behind it, to their last byte, else FORMERR. One of them may be the OPT record of
   EDNS (RFC 6891), in the additional section, owned by the root; two are FORMERR. A version above 0
   is BADVERS. Unknown options are skipped, and so is whatever follows the last record.
"""

from __future__ import annotations

import struct

from netsim.hosts.dns_message import MAX_NAME_BYTES, OPCODE_QUERY, QR_BIT, Edns, Query, Question, Rcode, Rtype

HEADER_BYTES = 12
MAX_LABEL_BYTES = 63

_DO_BIT = 0x8000  # in the low half of an OPT record's TTL field

_HEADER = struct.Struct("!HHHHHH")
_QUESTION_TAIL = struct.Struct("!HH")
_RECORD_TAIL = struct.Struct("!HHIH")


class _Malformed(Exception):  # noqa: N818 - says what the bytes are, and never leaves this module
    """The bytes are no DNS message."""


def read_query(message: bytes) -> Query | None:
    """The query in a DNS message (without the length that TCP puts before it), None if it gets no answer."""
    if len(message) < HEADER_BYTES:
        return None
    ident, flags, *counts = _HEADER.unpack_from(message)
    if flags & QR_BIT:
        return None
    if flags >> 11 & 0xF != OPCODE_QUERY:
        return Query(ident, flags, Rcode.NOTIMP)
    try:
        question, at = _read_question(message, counts[0])
        edns = _read_edns(message, at, counts[1] + counts[2], counts[3])
    except _Malformed:
        return Query(ident, flags, Rcode.FORMERR)
    fault = Rcode.BADVERS if edns is not None and edns.version > 0 else Rcode.NOERROR
    return Query(ident, flags, fault, question, edns)


def _read_question(message: bytes, n: int) -> tuple[Question, int]:
    """The question, if there is one and no more, and where it ends."""
    if n != 1:
        raise _Malformed
    labels = []
    at = start = HEADER_BYTES
    while True:
        length = _byte(message, at)
        at += 1
        if length == 0:
            break
        if length > MAX_LABEL_BYTES or at + length > len(message):
            raise _Malformed
        labels.append(message[at : at + length])
        at += length
    if at - start > MAX_NAME_BYTES or at + _QUESTION_TAIL.size > len(message):
        raise _Malformed
    return Question(tuple(labels), *_QUESTION_TAIL.unpack_from(message, at)), at + _QUESTION_TAIL.size


def _read_edns(message: bytes, at: int, n_before: int, n_additional: int) -> Edns | None:
    """The OPT record among those that start at `at`: `n_before` of other sections, then the additional ones."""
    edns: Edns | None = None
    for k in range(n_before + n_additional):
        is_root = _byte(message, at) == 0
        at = _end_of_name(message, at)
        if at + _RECORD_TAIL.size > len(message):
            raise _Malformed
        rtype, rclass, ttl, data_bytes = _RECORD_TAIL.unpack_from(message, at)
        at += _RECORD_TAIL.size + data_bytes
        if at > len(message):
            raise _Malformed
        if rtype != Rtype.OPT:
            continue
        if edns is not None or not is_root or k < n_before or not _options_parse(message[at - data_bytes : at]):
            raise _Malformed
        edns = Edns(rclass, ttl >> 16 & 0xFF, bool(ttl & _DO_BIT))
    return edns


def _end_of_name(message: bytes, at: int) -> int:
    """Where the name at `at` ends; a compression pointer (RFC 1035 section 4.1.4) is its last part."""
    while True:
        length = _byte(message, at)
        if length >> 6 == 3:
            return at + 2
        if length > MAX_LABEL_BYTES:
            raise _Malformed
        at += 1 + length
        if length == 0:
            return at


def _options_parse(data: bytes) -> bool:
    """Whether EDNS options (code, length, data) fill the data exactly."""
    at = 0
    while at + 4 <= len(data):
        at += 4 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at == len(data)


def _byte(message: bytes, at: int) -> int:
    if at >= len(message):
        raise _Malformed
    return message[at]
