r"""stdout and stderr that take any text, whatever the locale: no UnicodeEncodeError, ever.

Where an output can't show a character, its nearest ASCII is written (`→` becomes `->`), or its
escape (`\u4e2d`), so that nothing is lost without a trace.
"""

from __future__ import annotations

import codecs
import io
import os
import sys

_HANDLER = "netsim_ascii"
_NEAREST = {
    "→": "->", "←": "<-", "↔": "<->", "—": "-", "–": "-", "…": "...", "·": "-", "×": "x", "±": "+-", "≤": "<=",
    "≥": ">=", "µ": "u", "“": '"', "”": '"', "‘": "'", "’": "'", "✓": "ok", "✗": "x", "│": "|", "─": "-", "├": "|",
    "▁": "_", "▂": ".", "▃": ":", "▄": "-", "▅": "=", "▆": "+", "▇": "*", "█": "#",
}  # fmt: skip


def prepare() -> None:
    """Make stdout and stderr safe to write to; a closed one (`>&-`) swallows what is written."""
    codecs.register_error(_HANDLER, _nearest)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Kept open as long as the process lives.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def can_show(text: str) -> bool:
    """Whether stdout can show these characters as they are."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _nearest(error: UnicodeError) -> tuple[str, int]:
    """The error handler: what stands for the characters that can't be encoded."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(_NEAREST.get(char) or ascii(char)[1:-1] for char in bad), error.end
