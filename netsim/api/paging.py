"""Pages of a list: `marker` is the id of the first item of the page it selects.

Source: cloud.baidu.com/doc/VPC/s/wjwvyub23. A marker of nothing in the list is refused; so is one whose item
was deleted meanwhile: who pages on starts again rather than miss something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from netsim.api.error_codes import HttpError

MAX_KEYS = 1000
PAGE_SIZE = 100
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


def numbered_page(items: Sequence[Any], query: Mapping[str, str]) -> dict[str, Any]:
    """The page `pageNo` (from 1) of `pageSize` items, as the vendor's other listings have it.

    Raises:
        HttpError: BadRequest for a number that can't be.
    """
    number = _count("pageNo", query.get("pageNo", ""), 1, 10**9)
    size = _count("pageSize", query.get("pageSize", ""), PAGE_SIZE, MAX_KEYS)
    start = (number - 1) * size
    return {"pageNo": number, "pageSize": size, "totalCount": len(items), "result": items[start : start + size]}


def _max_keys(text: str) -> int:
    return min(_count("maxKeys", text, MAX_KEYS, 10**9, f"1..{MAX_KEYS}"), MAX_KEYS)


def _count(name: str, text: str, default: int, most: int, accepted: str = "") -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and 1 <= int(text) <= most):
        raise HttpError("BadRequest", f"{name} is {text[:60]!r}, accepted {accepted or f'1..{most}'}")
    return int(text)
