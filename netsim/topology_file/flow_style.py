"""Values as YAML's flow style writes them on one line, or as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

# What needs no quotes anywhere, and is text to every reader, also those of YAML 1.1 with their `no` and `1_000`.
_WORD = re.compile(r"(gateway:)?[A-Za-z_][A-Za-z0-9_./-]*\Z", re.ASCII)
_ADDRESS = re.compile(r"[0-9]+(\.[0-9]+){3}(/[0-9]+)?\Z", re.ASCII)
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_ESCAPES = {'"': '\\"', "\\": "\\\\"}


def flow_text(value: Any, *, is_json: bool = False) -> str:
    """A value in YAML's flow style, on one line; `is_json` quotes all text."""
    if isinstance(value, Mapping):
        entries = (
            f"{json.dumps(key) if is_json else key}: {flow_text(item, is_json=is_json)}" for key, item in value.items()
        )
        return "{" + ", ".join(entries) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow_text(item, is_json=is_json) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False) if is_json and isinstance(value, str) else scalar_text(value)


def scalar_text(value: object) -> str:
    """A scalar as it may stand anywhere in a YAML file."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if _ADDRESS.match(text) or (_WORD.match(text) and text.lower() not in _NOT_TEXT):
        return text
    return '"' + "".join(_ESCAPES.get(c, c if c.isprintable() else f"\\U{ord(c):08X}") for c in text) + '"'
