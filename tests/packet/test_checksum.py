from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.packet.checksum import checksum, fold, patched, patched_many, with_pseudo_header

WORDS = st.integers(0, 0xFFFF)


def slow_checksum(data: bytes) -> int:
    """RFC 1071 section 4.1, the loop."""
    total = 0
    for i in range(0, len(data), 2):
        total += int.from_bytes(data[i : i + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def test_the_example_of_rfc_1071() -> None:
    """Section 3: the words 0001 f203 f4f5 f6f7 sum to ddf2."""
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\xff\xff", b"\xff\xff\xff\xff", b"\xff", b"\0\1\xff\xfe"])
def test_both_zeros_of_one_s_complement(data: bytes) -> None:
    assert checksum(data) == slow_checksum(data)


@given(st.binary(max_size=100))
def test_equals_the_loop(data: bytes) -> None:
    assert checksum(data) == slow_checksum(data)


@given(st.binary(min_size=2, max_size=60).filter(lambda data: len(data) % 2 == 0))
def test_data_with_its_own_checksum_checks_to_zero(data: bytes) -> None:
    assert checksum(data + checksum(data).to_bytes(2, "big")) == 0


@given(st.lists(WORDS, min_size=2, max_size=20), WORDS, st.data())
def test_patching_equals_recomputing(words: list[int], new_word: int, data: st.DataObject) -> None:
    """RFC 1624 section 5: the case RFC 1141 gets wrong is among these (a sum that passes zero)."""
    i = data.draw(st.integers(0, len(words) - 1))
    after = [*words[:i], new_word, *words[i + 1 :]]
    if not any(words) or not any(after):
        return  # all-zero data has the checksum ffff, which no header can have
    before_bytes, after_bytes = (b"".join(word.to_bytes(2, "big") for word in row) for row in (words, after))
    assert patched(checksum(before_bytes), words[i], new_word) == checksum(after_bytes)


def test_the_counterexample_of_rfc_1624() -> None:
    """Section 4: checksum dd2f, a word goes from 5555 to 3285, the right result is 0000."""
    assert patched(0xDD2F, 0x5555, 0x3285) == 0x0000


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=20))
def test_patching_many_equals_patching_each(rows: list[tuple[int, int, int]]) -> None:
    old, before, after = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    assert patched_many(old, before, after).tolist() == [patched(*row) for row in rows]


@given(st.integers(0, 2**48 - 1))
def test_folding_keeps_the_value_modulo_ffff(total: int) -> None:
    folded = int(fold(np.array([total]))[0])
    assert folded <= 0xFFFF
    assert folded % 0xFFFF == total % 0xFFFF
    assert (folded == 0) == (total == 0)


def test_pseudo_header_makes_scapy_s_udp_checksum() -> None:
    from scapy.layers.inet import IP, UDP

    packet = IP(bytes(IP(src="10.0.0.1", dst="192.0.2.9") / UDP(sport=5, dport=7) / b"odd"))
    segment = bytearray(bytes(packet[UDP]))
    segment[6:8] = b"\0\0"
    assert with_pseudo_header(0x0A000001, 0xC0000209, 17, bytes(segment)) == packet[UDP].chksum
