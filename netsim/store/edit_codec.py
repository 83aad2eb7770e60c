"""Edits as JSON and back: `{"edit": "CreateVpc", "name": "shop", …}`.

The classes of `controlplane.edit` are the schema: one member for each field that differs from its
default. Prefixes, addresses and next hops are written as people write them. `of_json(to_json(edit))`
does to an inventory what `edit` does.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from netsim.controlplane import edit as edits
from netsim.controlplane.edit import Edit
from netsim.controlplane.inventory import OPERATIONS
from netsim.controlplane.route_table import NextHop
from netsim.errors import UsageError
from netsim.prefix import Prefix

KIND = "edit"
CLASSES: dict[str, type[Edit[Any]]] = {kind.__name__: kind for kind in OPERATIONS}
_NEXT_HOP = "next_hop"


def to_json(edit: Edit[Any]) -> dict[str, Any]:
    """The edit as a JSON object."""
    written: dict[str, Any] = {KIND: type(edit).__name__}
    for field in dataclasses.fields(edit):  # type: ignore[arg-type]  # every edit is a dataclass
        value = getattr(edit, field.name)
        if field.default is dataclasses.MISSING or value != field.default:
            written[field.name] = _plain(value)
    return written


def _plain(value: Any) -> Any:
    if isinstance(value, NextHop):
        return {"kind": value.kind, "target": value.target}
    if isinstance(value, Prefix):
        return str(value)
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    # `listen` of an instance, texts or (protocol, port); tags, (key, value).
    return [list(item) if isinstance(item, tuple) else item for item in value]


def of_json(written: dict[str, Any]) -> Edit[Any]:
    """The edit that was written.

    Raises:
        UsageError: no edit of this name, or not its fields.
    """
    fields = dict(written)
    name = fields.pop(KIND, None)
    kind = CLASSES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise UsageError(f"edit: {name!r} is no edit, expected one of netsim.controlplane.edit")
    hop = fields.get(_NEXT_HOP)
    if isinstance(hop, dict):
        fields[_NEXT_HOP] = NextHop(hop["kind"], hop["target"])
    if name in {edits.CreateInstance.__name__, edits.UpdateInstance.__name__} and fields.get("listen") is not None:
        fields["listen"] = [tuple(item) if isinstance(item, list) else item for item in fields["listen"]]
    if isinstance(fields.get("tags"), list):
        fields["tags"] = tuple(tuple(item) if isinstance(item, list) else item for item in fields["tags"])
    try:
        return kind(**fields)
    except TypeError as error:
        raise UsageError(f"edit {name}: {error}") from None
