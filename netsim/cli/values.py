"""Types of options: durations, sizes, names with a file."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import click

UNITS_S = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86_400)}
MAX_S = 10**9


class Duration(click.ParamType):  # type: ignore[type-arg] # generic in stubs only, before click 8.2
    """`10`, `0.5`, `10s`, `250ms`, `5m`, `1h` or `2d`, as seconds."""

    name = "duration"

    def __init__(self, *, may_be_zero: bool = False) -> None:
        self._may_be_zero = may_be_zero

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; a float, for that is what a lab takes."""
        if isinstance(value, int | float):
            return float(value)
        text = str(value).strip()
        number = text.rstrip("mshd")
        unit = text[len(number) :] or "s"
        try:
            seconds = Decimal(number) * UNITS_S[unit] if number.isascii() else Decimal("NaN")
        except (InvalidOperation, KeyError):
            seconds = Decimal("NaN")
        lowest = "0" if self._may_be_zero else "more than 0"
        if not seconds.is_finite() or not 0 <= seconds < MAX_S or (seconds == 0 and not self._may_be_zero):
            self.fail(
                f'"{text}" is no duration, accepted {lowest} up to 10^9 s, like 10, 0.5, 250ms, 5m, 1h', param, ctx
            )
        return float(seconds)


class NamedFile(click.ParamType):  # type: ignore[type-arg] # as above
    """`NAME=FILE` as the two."""

    name = "name=file"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Split at the first `=`: names rarely hold one, paths may."""
        name, equals, file = str(value).partition("=")
        if not (name and equals and file):
            self.fail(f'"{value}" does not read {(param and param.metavar) or "NAME=FILE"}', param, ctx)
        return name, file


DURATION = Duration()
DURATION_OR_ZERO = Duration(may_be_zero=True)
NAMED_FILE = NamedFile()
