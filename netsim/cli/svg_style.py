"""Colours, fonts and text widths of the topology picture, light and dark."""

from __future__ import annotations

import unicodedata
from typing import Final

ACCOUNT_COLORS: Final = ("#2563d9", "#d97f06", "#0f9d76", "#a04bd1", "#d1447c", "#5f7a12")

_LIGHT: Final = {
    "bg": "#f6f8fb", "box": "#ffffff", "edge": "#cfd6df", "ink": "#1b2430", "muted": "#66717f", "subnet": "#f1f4f8",
    "dot": "#9aa5b3", "active": "#2563d9", "waiting": "#d97f06", "dead": "#cf2e49",
}  # fmt: skip
_DARK: Final = {
    "bg": "#0f1319", "box": "#181e27", "edge": "#364151", "ink": "#e7ebf1", "muted": "#98a3b1", "subnet": "#202835",
    "dot": "#66758a", "active": "#6aa5ff", "waiting": "#f3b34c", "dead": "#ff6f86",
}  # fmt: skip


def _colors(c: dict[str, str]) -> str:
    # Plain rules instead of CSS variables: not every renderer that people embed SVG in knows those.
    states = (("active", "active"), ("consulting", "waiting"), ("consult_failed", "dead"), ("expired", "dead"))
    return (
        f".bg{{fill:{c['bg']}}}.box,.pill{{fill:{c['box']};stroke:{c['edge']}}}.subnet{{fill:{c['subnet']}}}"
        f".h1,.h2,.label,.item{{fill:{c['ink']}}}.muted,.small{{fill:{c['muted']}}}.dot{{fill:{c['dot']}}}"
        + "".join(f".{state}{{stroke:{c[color]}}}.end.{state}{{fill:{c[color]}}}" for state, color in states)
    )


STYLE: Final = (
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;font-size:12px;"
    "font-variant-numeric:tabular-nums}"
    ".h1{font-size:20px;font-weight:650}.h2{font-size:15px;font-weight:650}.label{font-weight:600}.small{font-size:11px}"
    ".box{stroke-width:1.2}.pill{stroke-width:1.2}.link{stroke-width:2.2;fill:none}.badge{font-size:9.5px;font-weight:700;"
    "letter-spacing:.05em;fill:#fff}"
    ".link.consulting,.link.consult_failed,.link.expired{stroke-dasharray:7 5}"
    + "".join(f".account{k}{{fill:{color}}}" for k, color in enumerate(ACCOUNT_COLORS))
    + _colors(_LIGHT)
    + "@media(prefers-color-scheme:dark){"
    + _colors(_DARK)
    + "}"
)

_NARROW: Final = frozenset("iljtfr.,:;|!'()[] /-")
_BROAD: Final = frozenset("mwMW@%")


def text_width(text: str, size_px: float, *, is_bold: bool = False) -> float:
    """About how wide a text is in a common sans-serif, px; rather too wide than too narrow."""
    ems = 0.0
    for char in text:
        if unicodedata.east_asian_width(char) in "WF":
            ems += 1.0
        elif char in _NARROW:
            ems += 0.34
        elif char in _BROAD or char.isupper():
            ems += 0.8 if char in _BROAD else 0.68
        else:
            ems += 0.57
    return ems * size_px * (1.06 if is_bold else 1.0)


def fit_width(text: str, size_px: float, width_px: float, *, is_bold: bool = False) -> str:
    """The text, cut with an ellipsis where it would be wider."""
    if text_width(text, size_px, is_bold=is_bold) <= width_px:
        return text
    while text and text_width(text + "…", size_px, is_bold=is_bold) > width_px:
        text = text[:-1]
    return text.rstrip() + "…"
