"""Plain YAML scalars to Python values by the core schema of YAML 1.2 (section 10.3.2).

`no`, `yes`, `on`, `off` are text, `0o17` is 15, `017` is 17; `1:30` and `2026-01-01` are text. Two
deviations, both to be safe: `.inf` and `.nan` are refused, and so is a number of more than
`MAX_DIGITS` digits.
"""

from __future__ import annotations

import math
import re

MAX_DIGITS = 40

_NUMBER_LIKE = re.compile(r"[-+0-9.][-+0-9a-fA-Fox.iInNyYeE]*\Z")
_INT = re.compile(r"[-+]?[0-9]+\Z")
_RADIX = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NOT_FINITE = frozenset(
    sign + word for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN")
)

CORE_TAGS = {f"tag:yaml.org,2002:{name}": name for name in ("str", "int", "float", "bool", "null", "map", "seq")}

Scalar = str | int | float | bool | None


class ScalarError(ValueError):
    """A scalar that YAML would take and we don't; the message says why."""


def resolve(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar.

    Raises:
        ScalarError: infinite, not a number, or too many digits.
    """
    if text in _WORDS:
        return _WORDS[text]
    # One look sends off names and prefixes, most of a file.
    if not _NUMBER_LIKE.match(text):
        return text
    if _INT.match(text):
        return int(_bounded(text))
    if _RADIX.match(text):
        return int(_bounded(text), 0)
    if _FLOAT.match(text):
        value = float(_bounded(text))
        if not math.isfinite(value):
            raise ScalarError(f"{text} is too large a number")
        return value
    if text in _NOT_FINITE:
        raise ScalarError(f"{text} is not a finite number")
    return text


def resolve_tagged(text: str, tag: str) -> Scalar:
    """The value of a scalar with an explicit core tag (`!!str 12`).

    Raises:
        ScalarError: the tag is unknown, or the text is not of that type.
    """
    kind = CORE_TAGS.get(tag)
    if kind == "str" or tag == "!":
        return text
    value: Scalar = None
    if kind in ("int", "float", "bool", "null"):
        value = resolve(text)
        if kind == "float" and type(value) is int:
            return float(value)
        if type(value).__name__ == {"null": "NoneType"}.get(kind, kind):
            return value
    raise ScalarError("tags other than those of JSON's types are not accepted, or don't fit the value")


def _bounded(text: str) -> str:
    if len(text) > MAX_DIGITS:
        raise ScalarError(f"a number of {len(text)} digits, accepted up to {MAX_DIGITS}")
    return text
