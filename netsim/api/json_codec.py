"""JSON bodies in and out: objects only, small, not deep, no member twice.

Unknown members are ignored, as the vendor does; a member of another type than expected is refused by name.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn, TypeVar

from netsim.errors import NetsimError

MAX_BODY_BYTES = 1 << 20
MAX_DEPTH = 32

_WRITER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
T = TypeVar("T")
_REQUIRED: Any = object()
_NAMES = {str: "a text", int: "an integer", bool: "true or false", dict: "an object", list: "a list"}


class BodyError(NetsimError):
    """A body that can't be used; `code` is InvalidHTTPRequest, MalformedJSON or InappropriateJSON (not as expected)."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def parse_object(raw: bytes) -> dict[str, Any]:
    """The JSON object of a body; an empty body is an empty object.

    Raises:
        BodyError: anything else.
    """
    if not raw.strip():
        return {}
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise BodyError("InvalidHTTPRequest", "the body is not UTF-8") from None
    if _depth(text) > MAX_DEPTH:
        raise BodyError("MalformedJSON", f"the body is nested deeper than {MAX_DEPTH}")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BodyError("MalformedJSON", f"the body is not JSON: {_first_line(error)}") from None
    if "\\u" in text and not _is_text(value):
        raise BodyError("MalformedJSON", "the body has half of a surrogate pair")
    if not isinstance(value, dict):
        raise BodyError("InappropriateJSON", "the body is not a JSON object")
    return value


def _depth(text: str) -> int:
    """How deep brackets are nested, those inside texts left out."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for bracket in _BRACKET.findall(_TEXT.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _is_text(value: Any) -> bool:
    """Whether it can be written in UTF-8: an escaped half of a surrogate pair can't."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"member {twice!r} stands twice in one object")
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def member(body: dict[str, Any], name: str, kind: type[T], default: Any = _REQUIRED) -> T:
    """A member of this type; null reads as absent.

    Raises:
        BodyError: it is missing without a default, or of another type.
    """
    value = body.get(name)
    if value is None:
        if default is _REQUIRED:
            raise BodyError("InappropriateJSON", f"{name} is missing")
        return default  # type: ignore[no-any-return]
    if type(value) is not kind:
        raise BodyError("InappropriateJSON", f"{name} is {json.dumps(value)[:60]}, expected {_NAMES[kind]}")
    return value


def dump(answer: dict[str, Any]) -> str:
    """The text of an answer."""
    return _WRITER.encode(answer)
