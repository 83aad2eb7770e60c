"""How values of a file appear in messages: one line, bounded, nothing a terminal would obey; and suggestions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches

SHOWN_CHARS = 60


def quoted(text: str) -> str:
    """`text` in double quotes on one line: clipped, unprintable characters escaped."""
    clipped = text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 3] + "..."
    # Escapes are for the reader's terminal: a name holding ESC or a right-to-left override must not act there.
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in clipped)
    return f'"{safe}"'


def shown(value: object) -> str:
    """A value as one would write it in YAML, at most about sixty characters."""
    if isinstance(value, str):
        return quoted(value)
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) < 1e15:
        return str(int(value)) + ".0"
    return str(value)


def suggestion(given: str, accepted: Iterable[str]) -> str:
    """The accepted name that `given` most likely meant, "" when none is near."""
    # A long name is no typo of a short one, and difflib is quadratic.
    if len(given) > SHOWN_CHARS:
        return ""
    folded = {name.casefold(): name for name in accepted}
    near = get_close_matches(given.casefold(), folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else ""


def did_you_mean(given: str, accepted: Iterable[str]) -> str:
    """` — did you mean "x"?`, or what is accepted when nothing is near and the choice is short."""
    names = list(accepted)
    if near := suggestion(given, names):
        return f' — did you mean "{near}"?'
    return f", accepted: {', '.join(names)}" if names and len(names) <= 24 else ""
