"""JSON bodies in and out: objects only, small, not deep, no member twice.

Unknown members are ignored, as the vendor does; a member of another type than expected is refused by name.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

from netsim.errors import NetsimError

MAX_BODY_BYTES = 1 << 20
MAX_DEPTH = 32

T = TypeVar("T")
_REQUIRED: Any = object()
_NAMES = {str: "a text", int: "an integer", bool: "true or false", dict: "an object", list: "a list"}


class BodyError(NetsimError):
    """A body that can't be used; `code` is MalformedJSON (not JSON) or InappropriateJSON (not what was expected)."""

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
    if _depth(raw) > MAX_DEPTH:
        raise BodyError("MalformedJSON", f"the body is nested deeper than {MAX_DEPTH}")
    try:
        value = json.loads(raw, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BodyError("MalformedJSON", f"the body is not JSON: {_first_line(error)}") from None
    if not isinstance(value, dict):
        raise BodyError("InappropriateJSON", "the body is not a JSON object")
    return value


def _depth(raw: bytes) -> int:
    """An upper bound of the nesting: brackets inside texts count as well."""
    depth = deepest = 0
    for byte in raw:
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


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
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
