"""Tags on the wire: `[{"tagKey": "team", "tagValue": "web"}]`. Source: the vendor's Go SDK, model/tag.go."""

from __future__ import annotations

from typing import Any

from netsim.api.json_codec import BodyError, member
from netsim.controlplane.values import Tags


def tags_of(body: dict[str, Any]) -> Tags:
    """The tags that a request wants; what they may hold is the control plane's to judge.

    Raises:
        BodyError: no list of objects with texts.
    """
    tags = member(body, "tags", list, [])
    if not all(isinstance(tag, dict) for tag in tags):
        raise BodyError(
            "InappropriateJSON", 'tags holds something else than objects like {"tagKey": "", "tagValue": ""}'
        )
    return tuple((member(tag, "tagKey", str), member(tag, "tagValue", str, "")) for tag in tags)


def tags_json(tags: Tags) -> list[dict[str, str]]:
    """Tags as they are shown."""
    return [{"tagKey": key, "tagValue": value} for key, value in tags]
