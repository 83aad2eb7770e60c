"""Reading queries: what is a query, what is a fault, what is not answered at all."""

from __future__ import annotations

import struct

import dns.edns
import dns.message
import dns.opcode
import pytest

from netsim.hosts.dns_message import Edns, Question, Rcode
from netsim.hosts.dns_query import read_query
from tests.hosts.dns_client import query

HEADER = struct.Struct("!HHHHHH")
ROOT_QUESTION = b"\0\0\1\0\1"
OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"


def message(*, flags: int = 0x0100, counts: tuple[int, int, int, int] = (1, 0, 0, 0), body: bytes = b"") -> bytes:
    return HEADER.pack(7, flags, *counts) + body


def test_a_query_is_read_as_dnspython_wrote_it() -> None:
    found = read_query(query("WeB-1.Shop.internal", "PTR", ident=99).to_wire())
    assert found is not None
    assert (found.ident, found.fault, found.edns) == (99, Rcode.NOERROR, None)
    assert found.question == Question((b"WeB-1", b"Shop", b"internal"), 12, 1)


def test_edns_is_read() -> None:
    options = [dns.edns.GenericOption("COOKIE", b"12345678")]
    found = read_query(query("a.b", use_edns=0, want_dnssec=True, payload=4096, options=options).to_wire())
    assert found is not None and found.fault is Rcode.NOERROR
    assert found.edns == Edns(4096, 0, is_dnssec_ok=True)


@pytest.mark.parametrize("raw", [b"", b"\0", message()[:11], message(flags=0x8000, body=ROOT_QUESTION)])
def test_too_short_for_a_header_and_responses_are_not_answered(raw: bytes) -> None:
    assert read_query(raw) is None


@pytest.mark.parametrize("opcode", [dns.opcode.IQUERY, dns.opcode.STATUS, dns.opcode.NOTIFY, dns.opcode.UPDATE, 15])
def test_other_opcodes_are_not_implemented_whatever_follows(opcode: int) -> None:
    found = read_query(message(flags=opcode << 11, counts=(9, 9, 9, 9), body=b"\xff"))
    assert found is not None and found.fault is Rcode.NOTIMP


@pytest.mark.parametrize(
    ("counts", "body"),
    [
        ((0, 0, 0, 0), b""),
        ((2, 0, 0, 0), ROOT_QUESTION * 2),
        ((1, 0, 0, 0), b""),
        ((1, 0, 0, 0), b"\3ab"),
        ((1, 0, 0, 0), b"\1a\0\0\1\0"),
        ((1, 0, 0, 0), b"\x40" + b"a" * 64 + ROOT_QUESTION),
        ((1, 0, 0, 0), b"\xc0\x0c\0\1\0\1"),
        ((1, 0, 0, 0), (b"\x3f" + b"a" * 63) * 4 + ROOT_QUESTION),
        ((1, 1, 0, 0), ROOT_QUESTION),
        ((1, 0, 0, 2), ROOT_QUESTION + OPT),
        ((1, 0, 0, 1), ROOT_QUESTION + OPT[:-1]),
        ((1, 0, 0, 1), ROOT_QUESTION + OPT[:-1] + b"\5"),
        ((1, 0, 0, 1), ROOT_QUESTION + OPT[:-1] + b"\5\0\1\0\2a"),
        ((1, 0, 0, 2), ROOT_QUESTION + OPT * 2),
        ((1, 0, 0, 1), ROOT_QUESTION + b"\1a" + OPT),
        ((1, 1, 0, 0), ROOT_QUESTION + OPT),
        ((1, 0, 0, 1), ROOT_QUESTION + b"\x80" + OPT),
    ],
    ids=[
        "no question", "two questions", "question missing", "label cut", "class cut", "label of 64", "pointer",
        "name of 257", "answer missing", "second record missing", "record cut", "data missing", "option cut", "two OPT",
        "OPT of a", "OPT among the answers", "label type 2",
    ],
)  # fmt: skip
def test_malformed(counts: tuple[int, int, int, int], body: bytes) -> None:
    found = read_query(message(counts=counts, body=body))
    assert found is not None and found.fault is Rcode.FORMERR


def test_a_name_of_255_bytes_and_labels_of_any_bytes_are_fine() -> None:
    name = (b"\x3f" + b"\xff" * 63) * 3 + b"\x3d" + b"." * 61
    found = read_query(message(body=name + ROOT_QUESTION))
    assert found is not None and found.fault is Rcode.NOERROR
    assert found.question is not None and len(found.question.labels) == 4


def test_records_without_meaning_and_bytes_at_the_end_are_passed_over() -> None:
    record = b"\1a\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1"
    found = read_query(message(counts=(1, 1, 1, 2), body=ROOT_QUESTION + record * 3 + OPT + b"garbage"))
    assert found is not None and found.fault is Rcode.NOERROR
    assert found.edns == Edns(1232, 0, is_dnssec_ok=False)


def test_a_later_version_of_edns_is_a_fault_of_its_own() -> None:
    found = read_query(query("a.b", use_edns=1).to_wire())
    assert found is not None and found.fault is Rcode.BADVERS and found.question is not None
