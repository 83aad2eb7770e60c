"""Changing a file's text in place: what is added stands where one would write it, all else stays."""

from __future__ import annotations

import difflib
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from netsim.errors import InvalidError
from netsim.topology_file.edit_text import TextChanges, append_item, remove_item, set_value
from netsim.topology_file.marked import mark

ROUTE = {"source": "10.1.0.0/24", "destination": "10.2.0.0/16", "next_hop": "int-2"}
LINE = "{source: 10.1.0.0/24, destination: 10.2.0.0/16, next_hop: int-2}"

APPENDED = {
    "flow items": ("v:\n  routes:\n    - {a: 1}  # one\n  # end\n", f"    - {LINE}\n"),
    "no indent": ("v:\n  routes:\n  - {a: 1}\n  x: 1\n", f"  - {LINE}\n"),
    "wide dash": ("v:\n  routes:\n    -   {a: 1}\n", f"    -   {LINE}\n"),
    "no end of line": ("v:\n  routes:\n    - {a: 1}", f"\n    - {LINE}"),
    "windows": ("v:\r\n  routes:\r\n    - {a: 1}\r\n", f"    - {LINE}\r\n"),
    "block items": (
        "v:\n  routes:\n    - a: 1\n      b: [2,\n          3]  # three\n\n    # more\n  x: 1\n",
        "    - source: 10.1.0.0/24\n      destination: 10.2.0.0/16\n      next_hop: int-2\n",
    ),
    "literal": ("v:\n  routes:\n    - {a: 1}\n    - |\n      text\n  x: 1\n", f"    - {LINE}\n"),
    "missing key": ("v:\n  name: x # y\n  # below\n\nw: 1\n", f"  routes:\n    - {LINE}\n"),
    "missing key in an item": ("v:\n  - name: x\n", None),
    "nothing": ("v:\n  routes: # to come\n    # here\n  x: 1\n", f"    - {LINE}\n"),
    "null": ("v:\n  routes: null # none\n", f"[{LINE}]"),
    "empty": ("v:\n  routes: [] # none\n", LINE),
    "flow list": ("v:\n  routes: [{a: 1}, {a: 2}] # two\n", f", {LINE}"),
    "trailing comma": ("v:\n  routes: [{a: 1},]\n", f", {LINE}"),
    "flow lines": ("v:\n  routes: [\n    {a: 1}, # one\n    {a: 2} # two\n  ]\n", f"    {LINE}\n"),
    "flow lines with a comma": ("v:\n  routes: [\n    {a: 1}, # one\n  ]\n", f"    {LINE},\n"),
    "in braces": ("v: {name: x, y: {z: 1}} # end\n", f", routes: [{LINE}]"),
    "nothing in braces": ("v: {name: x, routes: , z: 1}\n", f" [{LINE}]"),
    "json": ('{"v": {"routes": [{"a": 1}]}}', f", {json.dumps(ROUTE)}"),
    "json without": ('{\n  "v": {\n    "name": "x"\n  }\n}\n', f'    "routes": [{json.dumps(ROUTE)}]\n'),
    "json lines": ('{"v": {"routes": [\n\t{"a": 1},\n\t{"a": 2}\n]}}', f"\t{json.dumps(ROUTE)}\n"),
    "other letters": ('é😀:\nv:\n  routes: # 路\n    - {a: "ü😀"} # 由\n', f"    - {LINE}\n"),
    "anchored beside": ("r: &r {a: 1}\nv:\n  routes:\n    - *r\n", f"    - {LINE}\n"),
}


def plain(text: str) -> Any:
    return yaml.load(text, yaml.CSafeLoader)


def added(old: str, new: str) -> str:
    """What was inserted, and that nothing was taken out."""
    parts = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    assert {part[0] for part in parts} <= {"equal", "insert"}, (old, new)
    return "".join(new[b:c] for kind, _, _, b, c in parts if kind == "insert")


@pytest.mark.parametrize("name", APPENDED)
def test_append(name: str) -> None:
    old, wanted = APPENDED[name]
    path: tuple[str | int, ...] = ("v", 0, "routes") if "item" in name and "missing" in name else ("v", "routes")
    new = append_item(old, path, ROUTE)
    if name != "null":
        inserted = added(old, new)
        assert len(inserted) == len(new) - len(old)
    if wanted is not None:
        assert wanted in new
    routes = plain(new)
    for part in path:
        routes = routes[part]
    assert routes[-1] == ROUTE
    if old.lstrip().startswith("{"):
        assert json.loads(new) == plain(new)
    for comment in [line.partition("#")[2] for line in old.splitlines()]:
        assert comment in new


def test_a_comment_stays_with_its_line() -> None:
    old = "v:\n  routes: [\n    {a: 1}, # one\n    {a: 2} # two\n  ]\n"
    assert append_item(old, ("v", "routes"), {"a": 3}) == (
        "v:\n  routes: [\n    {a: 1}, # one\n    {a: 2}, # two\n    {a: 3}\n  ]\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "r: &r [{a: 1}]\nv:\n  routes: *r\n",
        "r:\n  routes: &r\n    - {a: 1}\nv:\n  routes: *r\n",
        "b: &b {name: x}\nv: *b\n",
        "v: 3\n",
        "v:\n  routes: text\n",
        "v:\n  routes: {a: 1}\n",
    ],
)
def test_what_is_no_list_of_its_own_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match=r"v\.routes: can't be changed here"):
        append_item(text, ("v", "routes"), ROUTE)


def test_a_list_that_others_share_is_refused() -> None:
    """Adding to the anchored list would change the other VPC, too."""
    with pytest.raises(InvalidError, match="edit the file by hand"):
        append_item("v:\n  routes: &r\n    - {a: 1}\nw:\n  routes: *r\n", ("v", "routes"), ROUTE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v:\n  cidr: x # y\n  z: 1\n", "v:\n  cidr: x # y\n  relay: true\n  z: 1\n"),
        ("v:\n  relay: false # y\n", "v:\n  relay: true # y\n"),
        ("v:\n  relay: # y\n", "v:\n  relay: true # y\n"),
        ('v:\n  relay: "false"\n', "v:\n  relay: true\n"),
        ("v: {cidr: x, z: 1}\n", "v: {cidr: x, relay: true, z: 1}\n"),
        ("v: {relay: false, z: 1}\n", "v: {relay: true, z: 1}\n"),
        ('{"v": {"cidr": "x"}}', '{"v": {"cidr": "x", "relay": true}}'),
        ("v: {cidr: x,\n    z: 1}\n", "v: {cidr: x, relay: true,\n    z: 1}\n"),
    ],
)
def test_set(old: str, new: str) -> None:
    assert set_value(old, ("v", "relay"), True, after="cidr") == new


@pytest.mark.parametrize("text", ["v: [1]\n", "v: {}\n", "v:\n  relay: [true]\n", "b: &b {z: 1}\nv: *b\n"])
def test_what_has_no_value_of_its_own_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match=r"v\.relay: can't be changed here"):
        set_value(text, ("v", "relay"), True)


@pytest.mark.parametrize(
    ("old", "k", "new"),
    [
        ("v:\n  - {a: 1} # one\n  # two:\n  - {a: 2}\n", 0, "v:\n  # two:\n  - {a: 2}\n"),
        ("v:\n  - a: 1\n    b: 2\n  - a: 2\n", 0, "v:\n  - a: 2\n"),
        ("v:\n  - {a: 1}\nw: 1\n", 0, "v:\nw: 1\n"),
        ("v: [{a: 1}, {a: 2}]\n", 0, "v: [{a: 2}]\n"),
        ("v: [{a: 1}, {a: 2}]\n", 1, "v: [{a: 1}]\n"),
    ],
)
def test_remove(old: str, k: int, new: str) -> None:
    assert remove_item(old, ("v", k)) == new


@given(st.lists(st.sampled_from(["{a: 1}", "x", "[1, 2]", "'q'", '"é"', "|\n    lit", "{a: 1} # c"]), max_size=4))
def test_marks_begin_and_end_where_the_values_do(values: list[str]) -> None:
    text = "# top\nv:\n" + "".join(f"  - {value}\n" for value in values) + "# end\n"
    items = mark(text).items[0].items
    for item, value in zip(items, values, strict=True):
        assert text[item.start : item.end].rstrip("\n") == value.removesuffix(" # c")


@pytest.mark.parametrize(
    "old",
    [
        "v:\n  routes:\n    - {a: 1} # one\n    - {a: 2} # two\n    - {a: 3}\n  cidr: x\n",
        "v: {routes: [{a: 1}, {a: 2}, {a: 3}], cidr: x} # flow\n",
        "v:\n  routes: [\n    {a: 1}, # one\n    {a: 2}, # two\n    {a: 3}\n  ]\n  cidr: x\n",
        '{"v": {"routes": [{"a": 1}, {"a": 2}, {"a": 3}], "cidr": "x"}}',
    ],
)
def test_changes_made_together(old: str) -> None:
    """Paths are those of the old text, in whichever order the changes come; comments of what stays stay."""
    changes = TextChanges(old)
    changes.remove(("v", "routes", 2))
    changes.append(("v", "routes"), {"a": 4})
    changes.remove(("v", "routes", 0))
    changes.set(("v", "routes", 1, "a"), 5)
    changes.set(("v", "relay"), True, after="cidr")
    changes.append(("v", "routes"), {"a": 6})
    new, tree = changes.made()
    assert plain(new) == tree.root == {"v": {"routes": [{"a": 5}, {"a": 4}, {"a": 6}], "cidr": "x", "relay": True}}
    assert ("# two" in old) == ("# two" in new)


def test_a_list_may_lose_all_it_has() -> None:
    for old in ("v:\n  routes:\n    - {a: 1}\n    - {a: 2}\n  x: 1\n", "v: {routes: [{a: 1}, {a: 2}], x: 1}\n"):
        changes = TextChanges(old)
        changes.remove(("v", "routes", 0))
        changes.remove(("v", "routes", 1))
        new, _ = changes.made()
        assert plain(new)["v"] in ({"routes": None, "x": 1}, {"routes": [], "x": 1})
