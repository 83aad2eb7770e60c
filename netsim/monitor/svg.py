"""The little SVG the chart needs: elements, escaped text, paths, and the style of light and dark."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Final

# What XML 1.0 forbids even as a reference (section 2.2).
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_LIGHT: Final = {
    "bg": "#ffffff", "ink": "#1b2430", "muted": "#66717f", "grid": "#e8ebef", "axis": "#b4bcc6",
    "line0": "#2563d9", "line1": "#d97f06", "cap": "#4b5563", "drop": "#cf2e49",
}  # fmt: skip
_DARK: Final = {
    "bg": "#12161d", "ink": "#e7ebf1", "muted": "#98a3b1", "grid": "#242b36", "axis": "#4a5563",
    "line0": "#6aa5ff", "line1": "#f3b34c", "cap": "#c3ccd8", "drop": "#ff6f86",
}  # fmt: skip


def _colors(c: dict[str, str]) -> str:
    # Plain rules instead of CSS variables: not every renderer that people embed SVG in knows those.
    return (
        f".bg{{fill:{c['bg']}}}.h1,.h2,.label{{fill:{c['ink']}}}.muted,.tick{{fill:{c['muted']}}}"
        f".grid{{stroke:{c['grid']}}}.axis{{stroke:{c['axis']}}}"
        f".line0{{stroke:{c['line0']}}}.line1{{stroke:{c['line1']}}}"
        f".area0{{fill:{c['line0']}}}.area1{{fill:{c['line1']}}}"
        f".cap{{stroke:{c['cap']}}}.caplabel{{fill:{c['cap']};stroke:{c['bg']}}}"
        f".drop0,.drop1,.droplabel{{fill:{c['drop']}}}"
    )


STYLE: Final = (
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;font-size:12px;"
    "font-variant-numeric:tabular-nums}"
    ".h1{font-size:20px;font-weight:650}.h2{font-size:14.5px;font-weight:650}.label{font-weight:600}"
    ".tick,.droplabel{font-size:11px}.caplabel{font-size:11px;font-weight:600;stroke-width:3px;paint-order:stroke}"
    ".grid,.axis{stroke-width:1;shape-rendering:crispEdges}"
    ".line0,.line1{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}"
    ".area0,.area1{fill-opacity:.11}.cap{fill:none;stroke-width:1.4;stroke-dasharray:6 4}.drop1{fill-opacity:.55}"
    + _colors(_LIGHT)
    + "@media(prefers-color-scheme:dark){"
    + _colors(_DARK)
    + "}"
)
"""Two lines (0 and 1), their areas, the cap, the drops; dark follows the reader's scheme."""


def clean(text: str) -> str:
    """Text fit for XML content and attributes; characters that XML forbids become U+FFFD."""
    return html.escape(_FORBIDDEN.sub("\ufffd", text), quote=True)


def fit(text: str, n: int) -> str:
    """At most n characters, the last an ellipsis where something was cut."""
    return text if len(text) <= n else text[: n - 1].rstrip() + "…"


def element(
    tag: str, text: str = "", *, cls: str = "", anchor: str = "", hint: str = "", **attributes: float | str
) -> str:
    """One element, text escaped; `hint` is what shows on hovering, `data_x` becomes `data-x`."""
    if cls:
        attributes = {"class": cls, **attributes}
    if anchor:
        attributes["text-anchor"] = anchor
    written = "".join(f' {name.replace("_", "-")}="{_attribute(value)}"' for name, value in attributes.items())
    inner = (f"<title>{clean(hint)}</title>" if hint else "") + clean(text)
    return f"<{tag}{written}>{inner}</{tag}>" if inner else f"<{tag}{written}/>"


def path_of(runs: Sequence[Sequence[tuple[float, float]]], *, closed: bool = False) -> str:
    """Path data: each run of points is drawn on its own."""
    return " ".join(
        "M" + "L".join(f"{_attribute(x)} {_attribute(y)}" for x, y in run) + ("Z" if closed else "") for run in runs
    )


def _attribute(value: float | str) -> str:
    """A hundredth of a pixel is enough, and the same on every machine."""
    if isinstance(value, str):
        return clean(value)
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
