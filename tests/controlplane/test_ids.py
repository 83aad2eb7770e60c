"""Ids: seeded, unique, and ordered by number."""

from __future__ import annotations

import pytest

from netsim.controlplane.ids import ALPHABET, LETTERS, IdSource
from netsim.errors import InvalidError


def test_same_seed_gives_the_same_ids() -> None:
    one, other = IdSource(7), IdSource(7)
    assert [one.next("vpc") for _ in range(50)] == [other.next("vpc") for _ in range(50)]


def test_another_seed_gives_other_ids() -> None:
    assert IdSource(7).next("vpc") != IdSource(8).next("vpc")


def test_kinds_do_not_move_each_other() -> None:
    mixed, alone = IdSource(7), IdSource(7)
    ids = []
    for _ in range(20):
        mixed.next("sbn")
        ids.append(mixed.next("i"))
    assert ids == [alone.next("i") for _ in range(20)]


@pytest.mark.parametrize("kind", LETTERS)
def test_ids_never_repeat_and_give_back_their_number(kind: str) -> None:
    source = IdSource(3)
    ids = [source.next(kind) for _ in range(5000)]
    assert len(set(ids)) == 5000
    assert [source.number_of(resource_id) for resource_id in ids] == list(range(5000))


@pytest.mark.parametrize(("kind", "letters"), LETTERS.items())
def test_an_id_is_its_kind_and_letters_nobody_misreads(kind: str, letters: int) -> None:
    head, _, tail = IdSource(0).next(kind).partition("-")
    assert (head, len(tail)) == (kind, letters)
    assert set(tail) <= set(ALPHABET)
    assert not set("ilou") & set(ALPHABET)


def test_neighbours_look_unalike() -> None:
    source = IdSource(0)
    first, second = source.next("rr"), source.next("rr")
    assert sum(a != b for a, b in zip(first[3:], second[3:], strict=True)) >= 4


def test_issued_is_the_whole_state() -> None:
    source = IdSource(5)
    source.next("vpc")
    before = source.issued.copy()
    expected = source.next("vpc")
    source.issued = before
    assert source.next("vpc") == expected


@pytest.mark.parametrize("seed", [True, 1.5, "7"])
def test_a_seed_is_an_integer(seed: object) -> None:
    with pytest.raises(InvalidError, match="seed: "):
        IdSource(seed)  # type: ignore[arg-type]
