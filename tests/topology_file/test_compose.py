"""Reading YAML and JSON: values by YAML 1.2, places, duplicates, budgets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.errors import TopologyError
from netsim.topology_file.compose import MAX_DEPTH, MAX_SCALAR_CHARS, parse_tree
from netsim.topology_file.source import as_utf8
from netsim.topology_file.tree import Tree


def read(text: str | bytes) -> Tree:
    return parse_tree(as_utf8(text, "t.yaml"), "t.yaml")


def refusal(text: str | bytes) -> str:
    try:
        message = str(TopologyError("t.yaml", read(text).problems))
    except TopologyError as error:
        message = str(error)
    assert all(len(line) < 250 and line.isprintable() for line in message.split("\n"))
    return message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("off", "off"), ("y", "y"), ("true", True), ("FALSE", False),
        ("017", 17), ("0o17", 15), ("0x1F", 31), ("-12", -12), ("+3", 3), ("1_000", "1_000"), ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"), ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0), ("~", None), ("", None),
        ("null", None), ("nan", "nan"), ("inf", "inf"), ("10.1.0.0/16", "10.1.0.0/16"), ("0b11", "0b11"),
        ('"12"', "12"), ("'no'", "no"), ("!!str 12", "12"), ("!!float 2", 2.0), ("! 12", "12"), ("-", "-"), ("=", "="),
    ],
)  # fmt: skip
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    got = read(f"[a, {text}]" if text != "-" else "[a, '-']").root[1] if text else read("a:").root["a"]
    assert got == value and type(got) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan", "1e999", "1" * 41, "!!int x", "!!python/none x", "!x y"])
def test_scalars_that_no_topology_needs_are_refused(text: str) -> None:
    assert "t.yaml:1:4  a: " in refusal(f"a: {text}")


def test_every_key_and_value_keeps_its_place() -> None:
    tree = read("# head\na: 1\nlist:\n  - {x: 1,  y: [2, 3]}\n  - text\n")
    assert tree.place(("a",)) == (2, 4)
    assert tree.place(("list",), of_key=True) == (3, 1)
    assert tree.place(("list", 0)) == (4, 5)
    assert tree.place(("list", 0, "y"), of_key=True) == (4, 13)
    assert tree.place(("list", 0, "y", 1)) == (4, 20)
    assert tree.place(("list", 1)) == (5, 5)
    assert tree.place(("list", 7)) == (4, 3)
    assert tree.item_places("list") == ((4, 5), (5, 5))


def test_a_second_value_for_a_key_is_an_error_with_the_line_of_the_first() -> None:
    assert refusal("a: 1\nb:\n  c: 1\n  d: {}\n  c: {x: 1}\n") == (
        't.yaml:5:3  b.c: duplicate key "c", first given in line 3'
    )


def test_duplicates_do_not_shift_the_places_of_their_neighbours() -> None:
    tree = read("a: 1\na: [1, 2]\nb: 2\n")
    assert tree.root == {"a": 1, "b": 2}
    assert tree.place(("b",)) == (3, 4)


def test_merge_keys_are_refused_and_aliases_of_whole_values_work() -> None:
    assert "merge keys (<<) are not part of YAML 1.2" in refusal("a: &a {x: 1}\nb: {<<: *a}\n")
    assert read("a: &a {x: 1}\nb: *a\nc: {'<<': 1}\n").root == {"a": {"x": 1}, "b": {"x": 1}, "c": {"<<": 1}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: *b", 't.yaml:1:4  a: alias "*b": there is no anchor'),
        ("a: &a [*a]", 't.yaml:1:8  a[0]: alias "*a": it stands inside'),
        ("{[1]: 2}", "t.yaml:1:2: a key must be plain text"),
        ("a: 1\n---\nb: 1\n", "t.yaml:2:1: a second document starts here"),
        ("%TAG ! x\n---\na: 1", "tag directives (%TAG) are not accepted"),
        ("a: [1\nb: 2", "t.yaml:2:"),
        ("a:\n\t- 1", "t.yaml:2:1: is not YAML: a tab"),
        ("a: \x07", "t.yaml:1:4: character U+0007 is not accepted"),
        ("a: \ud800", "t.yaml:1:4: is not UTF-8 text"),
        (b"a: 1\nb: \xff", "t.yaml:2:4: is not UTF-8 text"),
        (b"\x00\x01\x02", "t.yaml:1:1: character U+0000 is not accepted"),
        ("", "t.yaml: is empty"),
        ("\n \n", "t.yaml: is empty"),
        ("a: {b: !!map [1]}", "t.yaml:1:8  a.b: the tag"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_its_place(text: str | bytes, expected: str) -> None:
    assert refusal(text).startswith(expected) or expected in refusal(text)


def test_depth_is_bounded_also_through_aliases() -> None:
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH).root
    assert f"nested more than {MAX_DEPTH} deep" in refusal("[" * (MAX_DEPTH + 1))
    half = MAX_DEPTH // 2 + 1
    text = "a: &a " + "[" * half + "]" * half + "\nb: " + "[" * half + "*a" + "]" * half
    assert f"nested more than {MAX_DEPTH} deep" in refusal(text)


def test_aliases_count_as_what_they_name() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert "aliases counted as what they name" in refusal("\n".join(levels))


def test_a_long_scalar_is_refused_by_its_length() -> None:
    assert read("a: " + "x" * MAX_SCALAR_CHARS).root
    assert "t.yaml:1:4  a: 1,048,576 characters" in refusal("a: " + "x" * 2**20)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_a_byte_order_mark_are_read(encoding: str) -> None:
    assert read("name: Gänse – 鹅".encode(encoding)).root == {"name": "Gänse – 鹅"}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.text(st.characters(codec="ascii", exclude_characters="\x7f"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc<>:#-? ", max_size=6), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text("abcdef", max_size=4), JSON_VALUES, max_size=4), st.sampled_from([None, 1, "\t"]))
def test_json_reads_as_json_does(value: dict[str, Any], indent: int | str | None) -> None:
    assert read(json.dumps(value, indent=indent)).root == value
