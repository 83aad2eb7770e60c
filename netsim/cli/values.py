"""Types of options: durations, rates, sizes, names with a file."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import click

from netsim.errors import InvalidError

UNITS_S = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86_400)}
MAX_S = 10**9
MAX_QUANTITY = 10**15


class Port(click.ParamType):  # type: ignore[type-arg] # generic in stubs only, before click 8.2
    """`tcp/443` as (IP protocol number, port)."""

    name = "port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """What `parse_port` makes of it; a mistake is wrong usage."""
        from netsim.traffic.expectation import parse_port

        try:
            return parse_port(value)
        except InvalidError as error:
            self.fail(str(error), param, ctx)


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


class Quantity(click.ParamType):  # type: ignore[type-arg] # as above
    """`20M`, `1.5G`, `500K` or a plain number, as a whole number; what K means differs: 1000 or 1024."""

    def __init__(self, name: str, base: int) -> None:
        self.name = name
        self._base = base

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number, rounded down."""
        if isinstance(value, int):
            return value
        text = str(value).strip()
        suffix = text[-1:].upper() if text[-1:].isalpha() else ""
        try:
            number = Decimal(text[: len(text) - len(suffix)]) if text.isascii() else Decimal("NaN")
            power = ("", "K", "M", "G", "T").index(suffix)
        except (InvalidOperation, ValueError):
            number, power = Decimal("NaN"), 0
        if not number.is_finite() or not 0 <= number < MAX_QUANTITY:
            self.fail(f'"{text}" is no {self.name}, accepted 0 or more, like 500K, 20M, 1.5G', param, ctx)
        return int(number * self._base**power)


DURATION = Duration()
DURATION_OR_ZERO = Duration(may_be_zero=True)
NAMED_FILE = NamedFile()
RATE = Quantity("rate", 1000)
SIZE = Quantity("size", 1024)
