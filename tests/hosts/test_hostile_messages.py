"""Whatever is sent to port 53: an answer that dnspython reads, or silence for a reason that is documented."""

from __future__ import annotations

import random  # noqa: TID251 - seeded below

import dns.edns
import dns.message
from hypothesis import given
from hypothesis import strategies as st

from netsim.controlplane.inventory import Inventory
from tests.hosts.dns_client import Client, flags, query


def check(client: Client, raw: bytes) -> None:
    """Answered with what dnspython reads, to the asker's id, or not at all and for the right reason."""
    answer = client.raw("shop", raw)
    if answer is None:
        assert len(raw) < 12 or raw[2] & 0x80
        return
    read_back = dns.message.from_wire(answer, ignore_trailing=False)
    assert answer[:2] == raw[:2] and "QR" in flags(read_back)
    assert len(answer) <= 1232


def test_thousands_of_mutated_queries_are_answered_or_dropped_as_documented(client: Client) -> None:
    numbers = random.Random(53)
    seeds = [
        query("www.shop.local").to_wire(),
        query(
            "10.0.168.192.in-addr.arpa", "PTR", use_edns=0, options=[dns.edns.GenericOption("COOKIE", b"12345678")]
        ).to_wire(),
        query("a." * 100 + "b", "ANY", use_edns=0, want_dnssec=True).to_wire(),
    ]
    for k in range(6_000):
        raw = bytearray(seeds[k % 3])
        for _ in range(numbers.randrange(1, 6)):
            raw[numbers.randrange(len(raw))] = numbers.randrange(256)
        if numbers.random() < 0.3:
            del raw[numbers.randrange(len(raw)) :]
        if numbers.random() < 0.2:
            raw += numbers.randbytes(numbers.randrange(40))
        check(client, bytes(raw))


def test_any_bytes(cloud: Inventory) -> None:
    client = Client(cloud)

    @given(st.binary(max_size=200))
    def any_bytes(raw: bytes) -> None:
        check(client, raw)

    any_bytes()


def test_the_largest_of_hostile_messages_takes_no_time_to_speak_of(client: Client) -> None:
    header = b"\0\1\1\0\0\1\0\0\0\0\xff\xff"
    pointers = header + b"\0\0\1\0\1" + b"\xc0\x0c\0\1\0\1\0\0\0\0\0\0" * 5_400
    labels = header + b"\0\0\1\0\1" + b"\1a" * 32_000
    for raw in (pointers, labels):
        answer = client.raw("shop", raw)
        assert answer is not None and answer[3] & 0xF == 1
