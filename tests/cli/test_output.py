"""Tables line up and pipe well; JSON and CSV keep what they are given."""

from __future__ import annotations

import csv
import io
import json

import pytest

from netsim.cli.output import csv_text, print_json, print_rows, table
from netsim.cli.settings import Settings
from netsim.cli.streams import can_show, prepare


def test_numbers_stand_right_and_text_left_without_trailing_spaces() -> None:
    text = table([("a", 1, None), ("bcd", 1200, "x")], ("name", "n", "note"))
    assert text == "NAME     N  NOTE\na        1  -\nbcd   1200  x"


def test_wide_characters_take_two_columns_and_combining_ones_none() -> None:
    lines = table([("前端", "x"), ("e\u0301a", "y"), ("abcd", "z")], ("name", "v")).splitlines()
    assert lines == ["NAME  V", "前端  x", "e\u0301a    y", "abcd  z"]


def test_cells_cannot_command_a_terminal() -> None:
    assert "\x1b" not in table([("\x1b[31mred\u202e", True)], ("name", "on"))
    assert "\\x1b[31mred\\u202e  yes" in table([("\x1b[31mred\u202e", True)], ("name", "on"))


def test_a_table_of_nothing_is_its_header() -> None:
    assert table([], ("name", "n")) == "NAME  N"


def test_csv_quotes_and_joins_lists() -> None:
    rows = [{"a": 'x,"y"\n', "b": ["tcp/80", "udp/53"], "c": None, "d": True}]
    text = csv_text(rows, ("a", "b", "c", "d"))
    assert list(csv.reader(io.StringIO(text))) == [["a", "b", "c", "d"], ['x,"y"\n', "tcp/80 udp/53", "", "true"]]


def test_json_rows_keep_keys_that_the_table_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(Settings(format="json"), [{"a": 1, "hidden": 2}], ("a",))
    assert json.loads(capsys.readouterr().out) == [{"a": 1, "hidden": 2}]


def test_json_refuses_what_is_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"ratio": float("nan")})
    assert capsys.readouterr().out == ""


def test_what_can_not_be_encoded_gets_its_nearest_ascii() -> None:
    prepare()
    assert "a → b █ 中 \udc80".encode("ascii", "netsim_ascii") == rb"a -> b # \u4e2d \udc80"
    # A name of a file with bytes that are no UTF-8 holds lone surrogates, which UTF-8 can't encode either.
    assert "中 \udc80".encode("utf-8", "netsim_ascii") == "中 \\udc80".encode()


def test_can_show_asks_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert can_show("█")
    assert not can_show("\udc80")
    del capsys
