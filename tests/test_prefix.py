"""Addresses and prefixes: text in is strict, text out is what went in, and prefixes nest or are apart."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.errors import InvalidError
from netsim.prefix import ANY, MAX_ADDR, PRIVATE_RANGES, Prefix, format_addr, parse_addr, parse_prefix, prefix_of

ADDRESSES = st.integers(0, MAX_ADDR)
PREFIXES = st.builds(prefix_of, ADDRESSES, st.integers(0, 32))

NOT_ADDRESSES = [
    "", "10", "10.1.0", "10.1.0.0.0", "10.1.0.", ".10.1.0", "10..1.0",
    "256.0.0.1", "10.1.0.999", "10.1.0.1000000000000000000000",
    "010.1.0.0", "10.1.0.00", "10.1.0.01",
    "+10.1.0.0", "-1.0.0.0", "10.1.0.1e1", "0x0a.1.0.0", "1_0.1.0.0",
    " 10.1.0.0", "10.1.0.0 ", "10. 1.0.0", "10.1.0.0\n", "10.1.0.0\0", "\t10.1.0.0",
    "10,1,0,0", "10.1.0.0/24", "::1", "::ffff:10.1.0.0", "web-1",
    "١٠.1.0.0", "10.1.0.²", "10.1.0.३", "１０.1.0.0", "10。1。0。0",
    "10.1.0.\U0001d7d8",
]  # fmt: skip
NOT_PREFIXES = [
    *(f"{text}/8" for text in NOT_ADDRESSES if "/" not in text),
    "10.1.0.0", "10.1.0.0/", "/16", "/", "10.1.0.0//16", "10.1.0.0/16/", "10.1.0.0/16/16",
    "10.1.0.0/33", "10.1.0.0/016", "10.1.0.0/00", "10.1.0.0/-1", "10.1.0.0/+16", "10.1.0.0/ 16", "10.1.0.0/16 ",
    "10.1.0.0/1_6", "10.1.0.0/16.0", "10.1.0.0/255.255.0.0", "10.1.0.0/١٦", "10.1.0.0/²", "10.1.0.0/16\n",
]  # fmt: skip
NOT_TEXTS: list[Any] = [None, 0, 167_837_696, 10.1, True, b"10.1.0.0", b"10.1.0.0/16", ["10", "1", "0", "0"], ANY]


@given(ADDRESSES)
def test_an_address_comes_back_from_its_text(addr: int) -> None:
    text = format_addr(addr)
    assert text == str(ipaddress.IPv4Address(addr))
    assert parse_addr(text) == addr


@given(PREFIXES)
def test_a_prefix_comes_back_from_its_text(prefix: Prefix) -> None:
    assert parse_prefix(str(prefix)) == prefix
    assert str(prefix) == str(ipaddress.IPv4Network(prefix))


@pytest.mark.parametrize("text", NOT_ADDRESSES, ids=ascii)
def test_an_address_is_four_plain_octets_and_nothing_else(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_addr(text)
    assert str(caught.value) == f'"{text}" is not an IPv4 address, expected like 10.1.0.20'


@pytest.mark.parametrize("text", NOT_PREFIXES, ids=ascii)
def test_a_prefix_is_an_address_and_a_plain_length(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_prefix(text)
    assert str(caught.value) == f'"{text}" is not a prefix, expected like 10.1.0.0/16'


@pytest.mark.parametrize("value", NOT_TEXTS, ids=repr)
def test_what_is_not_text_is_refused_too(value: Any) -> None:
    with pytest.raises(InvalidError, match="is not an IPv4 address"):
        parse_addr(value)
    with pytest.raises(InvalidError, match="is not a prefix"):
        parse_prefix(value)


@given(st.text(alphabet="0123456789./ ٣²+", max_size=20))
def test_texts_are_read_as_the_standard_library_reads_them(text: str) -> None:
    """Python's `ipaddress` is as strict; but it takes a prefix without a length, or with a netmask."""
    try:
        expected = int(ipaddress.IPv4Address(text))
    except ValueError:
        with pytest.raises(InvalidError):
            parse_addr(text)
    else:
        assert parse_addr(text) == expected


@pytest.mark.parametrize(
    ("text", "right"),
    [("10.1.0.20/16", "10.1.0.0/16"), ("192.168.1.1/31", "192.168.1.0/31"), ("255.255.255.255/0", "0.0.0.0/0")],
)
def test_host_bits_are_refused_and_the_right_prefix_is_named(text: str, right: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_prefix(text)
    assert str(caught.value) == f"{text} has host bits set, did you mean {right}?"


@given(PREFIXES, PREFIXES, ADDRESSES)
def test_prefixes_nest_or_are_apart(one: Prefix, other: Prefix, addr: int) -> None:
    mine, theirs = ipaddress.IPv4Network(one), ipaddress.IPv4Network(other)
    assert one.covers(other) == theirs.subnet_of(mine)
    assert one.overlaps(other) == other.overlaps(one) == mine.overlaps(theirs)
    assert one.has(addr) == (ipaddress.IPv4Address(addr) in mine)
    assert (one.first, one.last, one.size) == (
        int(mine.network_address),
        int(mine.broadcast_address),
        mine.num_addresses,
    )


def test_prefixes_sort_by_network_then_the_wider_first() -> None:
    texts = ["10.0.0.0/8", "10.0.0.0/16", "10.0.1.0/24", "192.168.0.0/16"]
    assert [str(prefix) for prefix in sorted(map(parse_prefix, reversed(texts)))] == texts


def test_the_ends_of_the_address_space() -> None:
    assert ANY == parse_prefix("0.0.0.0/0") == Prefix(0, 0)
    assert (ANY.last, ANY.size) == (MAX_ADDR, 2**32)
    assert parse_prefix("255.255.255.255/32").size == 1
    assert [str(prefix) for prefix in PRIVATE_RANGES] == ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
