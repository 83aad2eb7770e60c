"""Pages of a list: `marker` is the id of the first item of the page it selects.

Source: cloud.baidu.com/doc/VPC/s/wjwvyub23. A marker of nothing in the list is refused; so is one whose item
was deleted meanwhile: who pages on starts again rather than miss something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from netsim.api.error_codes import HttpError

MAX_KEYS = 1000
T = TypeVar("T")


def page(
    name: str, items: Sequence[T], id_of: Callable[[T], str], write: Callable[[T], Any], query: Mapping[str, str]
) -> dict[str, Any]:
    """The page of `items` that the query asks for, as the vendor writes it: `nextMarker` only where there is more.

    Raises:
        HttpError: BadRequest for a marker or a maxKeys that can't be used.
    """
    most = _max_keys(query.get("maxKeys", ""))
    marker = query.get("marker", "")
    start = 0
    if marker:
        found = next((i for i, item in enumerate(items) if id_of(item) == marker), None)
        if found is None:
            raise HttpError("BadRequest", f"marker {marker[:60]!r} is of nothing in this list")
        start = found
    shown = items[start : start + most]
    answer: dict[str, Any] = {name: [write(item) for item in shown]}
    if shown:
        answer["marker"] = id_of(shown[0])
    rest = items[start + most : start + most + 1]
    answer["isTruncated"] = bool(rest)
    if rest:
        answer["nextMarker"] = id_of(rest[0])
    answer["maxKeys"] = most
    return answer


def _max_keys(text: str) -> int:
    if not text:
        return MAX_KEYS
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) >= 1):
        raise HttpError("BadRequest", f"maxKeys is {text[:60]!r}, accepted 1..{MAX_KEYS}")
    return min(int(text), MAX_KEYS)
