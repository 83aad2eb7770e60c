"""Walking a chain from many places at once finds the records that following it one by one finds."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from netsim.wire import chain
from netsim.wire.chain import Link, walk
from tests.wire.capture_files import file_header, record

SEEDS = range(12)


def link_of(order: str) -> Link:
    return Link(order, 8, 16, fixed=16, least=0, most=262_144)


def followed(data: bytes, link: Link) -> tuple[list[int], int]:
    """The slow twin."""
    at, starts = 0, []
    while at + link.header_bytes <= len(data):
        starts.append(at)
        (length,) = struct.unpack_from(f"{link.byte_order}I", data, at + link.length_at)
        at += link.fixed + max(length, link.least)
    return starts, at


def records(order: str, rng: np.random.Generator, n: int, *, has_false_ones: bool = True) -> bytes:
    """Records of many sizes; what is in them looks like records now and then, or like nothing."""
    fillings = [rng.bytes(3000), bytes(3000), record(b"\0\0\0\1" * 5, order=order) * 90][: 3 if has_false_ones else 2]
    pieces = []
    for size, kind in zip(rng.integers(0, 1600, n).tolist(), rng.integers(0, len(fillings), n).tolist(), strict=True):
        pieces.append(record(fillings[kind][:size], order=order))
    return b"".join(pieces)


@pytest.fixture
def _small_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "LANE_BYTES", 2500)


@pytest.mark.usefixtures("_small_lanes")
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("seed", SEEDS)
def test_all_lanes_together_find_what_one_walk_finds(order: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = records(order, rng, 400)
    end = int(rng.integers(0, len(data)))
    for part in (data, data[:-1], data + bytes(7), data[:end], data[:end] + rng.bytes(100) + data[end:]):
        starts, at = walk(part, 0, link_of(order))
        assert (starts.tolist(), at) == followed(part, link_of(order))


@pytest.mark.usefixtures("_small_lanes")
@pytest.mark.parametrize("seed", SEEDS)
def test_wrong_guesses_are_mended(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    data, link = records("<", rng, 400), link_of("<")
    expected, end = followed(data, link)
    right = chain._guesses

    def wrong(buffer: chain.Buffer, cuts: chain.Ints, link: Link) -> chain.Ints:
        found = right(buffer, cuts, link)
        return np.unique(np.where(rng.random(len(found)) < 0.3, found + rng.integers(1, 3000, len(found)), found))

    monkeypatch.setattr(chain, "_guesses", wrong)
    starts, at = walk(data, 0, link)
    assert (starts.tolist(), at) == (expected, end)


@pytest.mark.usefixtures("_small_lanes")
def test_nearly_all_guesses_are_right() -> None:
    data = records("<", np.random.default_rng(1), 400, has_false_ones=False)
    cuts = chain._cuts(len(data))
    guesses = chain._guesses(np.frombuffer(data, np.uint8), cuts, link_of("<"))
    starts, _ = followed(data, link_of("<"))
    assert len(guesses) > 0.6 * len(cuts)
    assert np.isin(guesses, starts).sum() > 0.9 * len(guesses)


@pytest.mark.usefixtures("_small_lanes")
def test_zeros_are_records_without_end_and_without_a_guess() -> None:
    starts, at = walk(bytes(200_000), 0, link_of("<"))
    assert (len(starts), at) == (12_500, 200_000)


def test_a_length_below_the_least_moves_on_all_the_same() -> None:
    link = Link("<", 4, 12, fixed=0, least=12, most=1000)
    assert walk(bytes(30), 0, link)[0].tolist() == [0, 12]


def test_a_file_without_records() -> None:
    starts, at = walk(file_header(), 24, link_of("<"))
    assert (starts.tolist(), at) == ([], 24)
