"""Durations and NAME=FILE."""

from __future__ import annotations

import click
import pytest

from netsim.cli.values import DURATION, DURATION_OR_ZERO, NAMED_FILE


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10", 10),
        ("0.5", 0.5),
        ("250ms", 0.25),
        ("10s", 10),
        ("5m", 300),
        ("1h", 3600),
        ("2d", 172_800),
        (" 1e3 ", 1000),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize(
    "text", ["", "x", "1x", "0", "-1", "1 m s", "nan", "inf", "1e99", "1ss", "١", "10**9", "1000000000"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no duration, accepted more than 0"):
        DURATION.convert(text, None, None)


def test_zero_where_it_makes_sense() -> None:
    assert DURATION_OR_ZERO.convert("0", None, None) == 0


def test_a_name_and_a_file_part_at_the_first_equals_sign() -> None:
    assert NAMED_FILE.convert("web-1=a=b.pcap", None, None) == ("web-1", "a=b.pcap")
    for text in ("web-1", "=a", "a="):
        with pytest.raises(click.BadParameter, match="NAME=FILE"):
            NAMED_FILE.convert(text, None, None)
