"""Ids from a seeded source: the same seed and the same edits give the same ids.

The n-th id of a kind is n, scrambled by a bijection that the seed and the kind choose, and spelled
in 32 letters. So ids look random but never repeat (no set of used ids, no retries), adding a subnet
does not move the ids of instances, and `number_of` gives back n, the order of creation.
"""

from __future__ import annotations

from hashlib import blake2b

from netsim.errors import InvalidError

# Crockford's alphabet: no i, l, o, u, so that nobody misreads an id.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
BITS_PER_LETTER = 5
_PAIRS = tuple(high + low for high in ALPHABET for low in ALPHABET)
_PAIR_BITS = 2 * BITS_PER_LETTER

LETTERS = {"vpc": 8, "sbn": 8, "i": 8, "rt": 8, "rr": 8, "peerconn": 12, "qpif": 12}
"""The kinds of ids (what stands before the dash) and how many letters follow."""

# Any odd number is invertible modulo a power of two; these spread low bits upwards
# (the 64-bit finalizer of Steele, Lea, Flood: Fast splittable pseudorandom generators, 2014).
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


class _Scramble:
    """A bijection on integers of `bits` bits; `bits` is even."""

    __slots__ = ("bits", "half", "key", "mask")

    def __init__(self, seed: int, kind: str) -> None:
        self.bits = LETTERS[kind] * BITS_PER_LETTER
        self.half = self.bits // 2
        self.mask = (1 << self.bits) - 1
        digest = blake2b(f"{seed}/{kind}".encode(), digest_size=8).digest()
        self.key = int.from_bytes(digest, "big") & self.mask

    def forward(self, number: int) -> int:
        x = (number ^ self.key) * _FIRST & self.mask
        x = (x ^ x >> self.half) * _SECOND & self.mask
        return x ^ x >> self.half

    def backward(self, x: int) -> int:
        # A shift by half the width is its own inverse.
        x = (x ^ x >> self.half) * pow(_SECOND, -1, self.mask + 1) & self.mask
        x = (x ^ x >> self.half) * pow(_FIRST, -1, self.mask + 1) & self.mask
        return x ^ self.key


class IdSource:
    """Hands out ids; `issued` (kind -> how many) is its whole state, and may be put back."""

    __slots__ = ("_scrambles", "issued", "seed")

    def __init__(self, seed: int = 0) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise InvalidError(f"seed: {seed!r}, expected an integer", field="seed")
        self.seed = seed
        self.issued = dict.fromkeys(LETTERS, 0)
        self._scrambles = {kind: _Scramble(seed, kind) for kind in LETTERS}

    def next(self, kind: str) -> str:
        """The next id of this kind (a key of `LETTERS`): `vpc-3k1xq0bz`."""
        number = self.issued[kind]
        self.issued[kind] = number + 1
        x = self._scrambles[kind].forward(number)
        # Unrolled, as every resource passes here: half the time of a loop over the pairs.
        head = f"{kind}-{_PAIRS[x & 1023]}{_PAIRS[x >> 10 & 1023]}{_PAIRS[x >> 20 & 1023]}{_PAIRS[x >> 30 & 1023]}"
        return head if LETTERS[kind] == 8 else f"{head}{_PAIRS[x >> 40 & 1023]}{_PAIRS[x >> 50]}"

    def number_of(self, resource_id: str) -> int:
        """How many ids of the kind were issued before this one of ours."""
        kind, _, letters = resource_id.partition("-")
        x = 0
        for pair in range(len(letters) // 2):
            high, low = letters[2 * pair], letters[2 * pair + 1]
            value = ALPHABET.index(high) << BITS_PER_LETTER | ALPHABET.index(low)
            x |= value << pair * _PAIR_BITS
        return self._scrambles[kind].backward(x)
