"""The Internet checksum: of bytes, of columns of words, and patched after a change.

RFC 1071: the one's complement of the one's complement sum of all 16-bit words. In one's
complement 0x0000 and 0xffff are both zero; the functions here say which one they return.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def checksum(data: bytes) -> int:
    """The checksum of the bytes, 0..0xffff; an odd last byte counts as padded with zero.

    Over data that holds its own right checksum the result is 0.

    Source: RFC 1071 section 1. 2^16 = 1 (mod 0xffff), so adding the words with end-around
    carry is taking one large number modulo 0xffff: one division instead of a loop.
    """
    number = int.from_bytes(data if len(data) % 2 == 0 else data + b"\0", "big")
    folded = number % 0xFFFF
    # The remainder says 0 for a sum of 0xffff too; only all-zero data sums to 0.
    return 0xFFFF - (folded or (0xFFFF if number else 0))


def patched(old_checksum: int, old_word: int, new_word: int) -> int:
    """The checksum after one 16-bit word it covers changed from `old_word` to `new_word`.

    Source: RFC 1624 section 3, equation 3: HC' = ~(~HC + ~m + m'). Unlike RFC 1141 it gives
    what a recomputation gives, also when the sum passes through zero.
    """
    total = (0xFFFF - old_checksum) + (0xFFFF - old_word) + new_word
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def fold(sums: NDArray[Any]) -> NDArray[np.int64]:
    """Sums of 16-bit words (int64[n], 0 <= sum < 2^48) folded to 16 bits with end-around carry."""
    folded = sums.astype(np.int64)
    for _ in range(3):  # 48 bits -> at most 33 -> at most 18 -> 16
        folded = (folded & 0xFFFF) + (folded >> 16)
    return folded


def patched_many(
    old_checksums: NDArray[np.int64], old_words: NDArray[np.int64], new_words: NDArray[np.int64]
) -> NDArray[np.int64]:
    """`patched` for n packets at once; words may be sums of several words (< 2^32).

    Args:
        old_checksums: int64[n], 0..0xffff.
        old_words: int64[n], the sum of the words that change, before.
        new_words: int64[n], the same after.
    """
    return 0xFFFF - fold((0xFFFF - old_checksums) + (0xFFFF - fold(old_words)) + fold(new_words))


def words_of_addr(addrs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum of the two 16-bit words of each address, int64[n]."""
    return (addrs >> 16) + (addrs & 0xFFFF)


def with_pseudo_header(src: int, dst: int, proto: int, segment: bytes) -> int:
    """The checksum of a UDP or TCP segment whose checksum field is zero.

    A UDP sender turns a result of 0 into 0xffff, for 0 means "none" there.

    Source: RFC 768; RFC 9293 section 3.1.
    """
    pseudo = src.to_bytes(4, "big") + dst.to_bytes(4, "big") + proto.to_bytes(2, "big")
    return checksum(pseudo + len(segment).to_bytes(2, "big") + segment)
