"""The JSON Schema (draft 2020-12) of topology files, for editors and for messages.

`topology.schema.json` beside this module is what `json_schema_text` generates; a test keeps the two
equal. The schema knows shapes and ranges; what only the whole file shows (quotas, references,
overlaps) is found by loading.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from netsim.topology_file.schema import TopologyFile

SCHEMA_PATH = Path(__file__).with_name("topology.schema.json")
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_FLOW_RULES: list[dict[str, Any]] = [
    {"anyOf": [{"required": ["kind"]}, {"required": ["pcap"]}]},
    {"if": {"properties": {"kind": {"const": "udp"}}, "required": ["kind"]}, "then": {"required": ["rate_mbps"]}},
    {
        "if": {"properties": {"arrivals": {"const": "on_off"}}, "required": ["arrivals"]},
        "then": {"required": ["on_ms", "off_ms"]},
    },
    {"if": {"required": ["pcap"]}, "then": {"not": {"anyOf": [{"required": ["kind"]}, {"required": ["rate_mbps"]}]}}},
]
_EXPECTATION_RULES: list[dict[str, Any]] = [
    {
        "if": {"required": ["flow"]},
        "then": {"not": {"required": ["from"]}},
        "else": {"required": ["from", "to", "reachable"]},
    },
]


@cache
def json_schema() -> dict[str, Any]:
    """The schema as a dict; shared, not to be changed."""
    schema: dict[str, Any] = {"$schema": DIALECT, **TopologyFile.model_json_schema()}
    schema["$defs"]["Flow"]["allOf"] = _FLOW_RULES
    schema["$defs"]["Expectation"]["allOf"] = _EXPECTATION_RULES
    schema["$defs"]["Bounds"]["anyOf"] = [{"required": ["at_least"]}, {"required": ["at_most"]}]
    _simplify(schema)
    return schema


def json_schema_text() -> str:
    """The schema as it is shipped."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _simplify(node: Any) -> None:
    """Drop what only repeats (titles, null defaults), and write `anyOf: [X, null]` of lists and objects as is."""
    if isinstance(node, list):
        for item in node:
            _simplify(item)
    elif isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        if "default" in node and node["default"] is None:
            del node["default"]
        for item in node.values():
            _simplify(item)


def piece_at(path: tuple[str | int, ...]) -> dict[str, Any]:
    """The part of the schema that speaks of the value at a path, {} where it speaks of none."""
    node = json_schema()
    for part in path:
        node = _resolved(node)
        node = node.get("items", {}) if isinstance(part, int) else node.get("properties", {}).get(part, {})
    return _resolved(node)


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    while True:
        if "$ref" in node:
            node = json_schema()["$defs"][node["$ref"].rsplit("/", 1)[1]]
        elif any(option.get("type") == "null" for option in node.get("anyOf", ())):
            around = {key: value for key, value in node.items() if key not in ("anyOf", "default")}
            first = next(option for option in node["anyOf"] if option.get("type") != "null")
            node = {**around, **first}
        else:
            return node
