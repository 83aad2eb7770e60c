"""What the host's own network consists of, to compare before and after."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

SETTINGS = Path("/proc/sys/net")
# Counts what goes on, is not set by anybody.
MOVING = {"nf_conntrack_count"}


def host_state() -> dict[str, Any]:
    """Links, addresses, routes, rules, qdiscs, filters and every setting below /proc/sys/net."""
    state = {
        name: json.loads(printed(*command) or "[]")
        for name, command in {
            "links": ("ip", "-j", "-d", "link"),
            "addresses": ("ip", "-j", "address"),
            "routes": ("ip", "-j", "route", "show", "table", "all"),
            "rules": ("ip", "-j", "rule"),
            "qdiscs": ("tc", "-j", "qdisc"),
        }.items()
    }
    state["filters"] = printed("nft", "list", "ruleset")
    state["settings"] = {str(path): value(path) for path in sorted(SETTINGS.rglob("*")) if path.is_file()}
    return state


def pinned(prefix: str) -> list[str]:
    """The names below /run/netns that start so."""
    folder = Path("/run/netns")
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(prefix)) if folder.is_dir() else []


def printed(*command: str) -> str:
    """What a command says on stdout."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def value(path: Path) -> str:
    """Of a setting; some can't be read."""
    if path.name in MOVING:
        return ""
    try:
        return path.read_text()
    except OSError as error:
        return str(error.strerror)
